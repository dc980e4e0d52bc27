"""Extract the marks of classifications: the tables classifications, extractions and rejects."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyframe.consensus.anonymize import may_show_cells
from polyframe.core.arrays import Floats, Ints
from polyframe.core.ragged import flatten, list_column
from polyframe.core.reasons import REASONS
from polyframe.core.reprs import html_repr, row_counts, text_repr
from polyframe.core.settings import Settings
from polyframe.core.tables import CLASSIFICATIONS, EXTRACTIONS, REJECTS
from polyframe.core.task_reports import begin_step
from polyframe.geometry.polygon_repair import RepairedPolygons, path_problems, polygons_from_ragged
from polyframe.panoptes.annotations.decode import Decoded, decode_annotations
from polyframe.panoptes.annotations.redaction import redact_detail
from polyframe.panoptes.classifications.row_checks import CheckedRows

_STAGES: Final = {reason.code: reason.stage for reason in REASONS}


@dataclass(frozen=True, repr=False)
class Extraction:
    """The marks of some classifications.

    Attributes
    ----------
    classifications, extractions, rejects : polars.DataFrame
        The tables of these names, see `polyframe.core.tables`.
    """

    classifications: pl.DataFrame
    extractions: pl.DataFrame
    rejects: pl.DataFrame

    def __repr__(self) -> str:
        return text_repr("Extraction", row_counts(vars(self)))

    def _repr_html_(self) -> str:
        return html_repr("Extraction", row_counts(vars(self)))


def extract_rows(checked: CheckedRows, settings: Settings) -> Extraction:
    """Decode the annotations of checked rows, and reject the marks that have no area.

    Parameters
    ----------
    checked : CheckedRows
        From `polyframe.panoptes.classifications.row_checks.check_rows`.
    settings : Settings
        Which tasks and tools to extract.
    """
    decoded = decode_annotations(checked.rows["annotations"], settings)
    extractions = EXTRACTIONS.conform(_marks_frame(checked.rows, decoded))
    begin_step("outlines", extractions.height)
    return _extraction(checked, decoded, extractions, path_problems(*_paths_of(extractions)), settings)


def extract_and_repair(checked: CheckedRows, settings: Settings) -> tuple[Extraction, RepairedPolygons]:
    """Extract marks like `extract_rows`, and also return their polygons, for a reduction that follows.

    If the engine is `compiled`, coordinates are read with compiled loops, too: the same values.

    Returns
    -------
    extraction : Extraction
    repaired : RepairedPolygons
        As from `repaired_polygons`.
    """
    compiled = settings.engine == "compiled"
    decoded = decode_annotations(checked.rows["annotations"], settings, compiled=compiled)
    extractions = EXTRACTIONS.conform(_marks_frame(checked.rows, decoded))
    repaired = repaired_polygons(extractions)
    return _extraction(checked, decoded, extractions, repaired.problems, settings), repaired


def _extraction(
    checked: CheckedRows,
    decoded: Decoded,
    extractions: pl.DataFrame,
    problems: NDArray[Any],
    settings: Settings,
) -> Extraction:
    rows = checked.rows
    rejects = pl.concat(
        [
            _with_stage(checked.rejects.with_columns(mark_index=pl.lit(None, pl.Int32))),
            _with_stage(_undecoded(rows, decoded, show_cells=may_show_cells(settings))),
            _with_stage(_without_area(extractions, problems)),
        ]
    )
    undecoded_rows = decoded.rejects.row[decoded.rejects.mark_index < 0]
    is_decoded = ~np.isin(np.arange(rows.height), undecoded_rows)
    n_marks = np.bincount(decoded.marks.row, minlength=rows.height)
    classifications = rows.with_columns(pl.Series("n_marks", n_marks)).filter(pl.Series(is_decoded))
    return Extraction(CLASSIFICATIONS.conform(classifications), extractions, REJECTS.conform(rejects))


def undecoded_marks(rejects: pl.DataFrame) -> int:
    """Count the marks in rejects that are not in extractions."""
    return int((rejects["mark_index"].is_not_null() & (rejects["stage"] == "decode")).sum())


def assumed_polygons(extractions: pl.DataFrame, settings: Settings) -> int:
    """Count the marks that are assumed to be polygons.

    Marks of classifier 1.x do not say the type of their tool, and polygons, freehand lines and Bezier curves
    look alike.

    Parameters
    ----------
    extractions : polars.DataFrame
        The table `extractions`.
    settings : Settings
        Settings of the extraction; `drawing_tasks` and `bezier_tool` say which marks are Bezier curves.
    """
    if settings.drawing_tasks or settings.bezier_tool:
        return 0
    of_old_tools = extractions["tool"].str.contains(r"_tool[0-9]+$") & (extractions["tool_type"] == "polygon")
    return int(of_old_tools.sum())


def repaired_polygons(extractions: pl.DataFrame) -> RepairedPolygons:
    """Return the polygon of each row of `extractions`; None if a mark has no area."""
    begin_step("outlines", extractions.height)
    return polygons_from_ragged(*_paths_of(extractions))


def _paths_of(extractions: pl.DataFrame) -> tuple[Floats, Floats, Ints]:
    """Return x and y of all points, and the offsets of the marks."""
    x, offsets = flatten(extractions["x"])
    y, _ = flatten(extractions["y"])
    return x, y, offsets


def _marks_frame(rows: pl.DataFrame, decoded: Decoded) -> pl.DataFrame:
    marks = decoded.marks
    plain = rows.select(
        "workflow_id",
        "subject_id",
        "classification_id",
        "created_at",
        "volunteer",
        "user_name",
        "user_id",
        "gold_standard",
    )
    return plain[marks.row].with_columns(
        marks.task.alias("task"),
        pl.Series("frame", marks.frame, pl.Int32),
        marks.tool.alias("tool"),
        pl.Series("mark_index", marks.mark_index, pl.Int32),
        marks.tool_type.alias("tool_type"),
        marks.details.alias("details"),
        list_column("x", marks.x, marks.offsets),
        list_column("y", marks.y, marks.offsets),
    )


def _undecoded(rows: pl.DataFrame, decoded: Decoded, *, show_cells: bool) -> pl.DataFrame:
    """Return the rows and marks that the decoder could not use."""
    rejects = decoded.rejects
    detail = rejects.detail if show_cells else [redact_detail(text) for text in rejects.detail]
    whole_row = rejects.mark_index < 0
    return rows.select("classification_id", "subject_id")[rejects.row].with_columns(
        pl.Series("mark_index", rejects.mark_index, pl.Int32).set(pl.Series(whole_row), None),
        pl.Series("reason", rejects.reason, pl.String),
        pl.Series("detail", detail, pl.String),
    )


def _without_area(extractions: pl.DataFrame, problems: NDArray[Any]) -> pl.DataFrame:
    """Return the marks that were decoded but have no area."""
    rejected = np.flatnonzero(problems != None)  # noqa: E711 - elementwise
    return extractions[rejected].select(
        "classification_id",
        "subject_id",
        "mark_index",
        pl.Series("reason", problems[rejected].tolist(), pl.String),
        pl.format("{} points", pl.col("x").list.len()).alias("detail"),
    )


def _with_stage(rejects: pl.DataFrame) -> pl.DataFrame:
    return rejects.select(
        "classification_id",
        "subject_id",
        "mark_index",
        pl.col("reason").replace_strict(_STAGES, return_dtype=pl.String).alias("stage"),
        "reason",
        "detail",
    )
