"""Represent outlines to compare: those of an expert, and those to score."""

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyframe.core.arrays import Floats, Ints

#: Outlines are compared if they agree in these.
COMPARED: Final = ("subject_id", "frame", "tool")
#: The columns of `ScoredOutlines.keys`.
OUTLINE_SCHEMA: Final = pl.Schema(
    {"subject_id": pl.Int64, "task": pl.String, "frame": pl.Int32, "tool": pl.String}
)


@dataclass(frozen=True)
class KeyedOutlines:
    """Outlines and where they are; n outlines.

    Attributes
    ----------
    keys : polars.DataFrame, height n
        `subject_id, task, frame, tool`, and for marks `classification_id, volunteer`.
    polygons : (n,) array of shapely.Polygon or shapely.MultiPolygon
        Valid; may be empty.
    areas : (n,) float64
        Square pixels.
    """

    keys: pl.DataFrame
    polygons: NDArray[Any]
    areas: Floats

    def take(self, rows: Ints) -> Self:
        """Return some of the outlines."""
        return type(self)(self.keys[rows], self.polygons[rows], self.areas[rows])


@dataclass(frozen=True)
class GoldOutlines:
    """The outlines of an expert, and what the expert has looked at.

    Attributes
    ----------
    outlines : KeyedOutlines
        At least with an area.
    images : polars.DataFrame
        `subject_id, frame`: the images that the expert looked at, with an outline or not; each once. A
        missing frame means all images of the subject.
    tools : frozenset of str or None
        The tools that the expert used; None if all of them.
    """

    outlines: KeyedOutlines
    images: pl.DataFrame
    tools: frozenset[str] | None

    @property
    def subjects(self) -> pl.Series:
        """The subjects that the expert looked at, sorted."""
        return self.images["subject_id"].unique().sort()

    def covers(self, keys: pl.DataFrame) -> Ints:
        """Return the rows on images and of tools that the expert looked at; others cannot be scored."""
        whole = self.images.filter(pl.col("frame").is_null())["subject_id"]
        single = self.images.drop_nulls().with_columns(pl.lit(value=True).alias("seen"))
        seen = keys.select("subject_id", "frame", "tool").join(
            single, on=["subject_id", "frame"], how="left", maintain_order="left"
        )
        condition = pl.col("seen").fill_null(value=False) | pl.col("subject_id").is_in(whole.implode())
        if self.tools is not None:
            condition &= pl.col("tool").is_in(sorted(self.tools))
        return seen.select(condition.arg_true()).to_series().to_numpy().astype(np.int64)

    def of_subjects(self, subjects: pl.Series) -> Self:
        """Return the part for some subjects."""
        wanted = pl.col("subject_id").is_in(subjects.implode())
        rows = self.outlines.keys.select(wanted.arg_true()).to_series().to_numpy().astype(np.int64)
        return type(self)(self.outlines.take(rows), self.images.filter(wanted), self.tools)
