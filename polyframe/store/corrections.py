"""Use the corrections that somebody imported in place of the averaged polygons of their clusters.

A correction belongs to the marks of a cluster (`polyframe.consensus.cluster_members`). If the cluster has
other marks by now, nobody has seen its present average, so the correction is stale and is not used. It
becomes current again if the cluster gets its marks back, for example with the earlier settings.
"""

import typing
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray

from polyframe.consensus.cluster_members import cluster_members
from polyframe.core.choices import CorrectionsUse
from polyframe.core.errors import UsageError, short_repr
from polyframe.core.ragged import list_column, offsets_of
from polyframe.core.tables import CLUSTER_KEYS, CONTOURS, CORRECTIONS, GROUP_KEYS, REDUCTIONS

#: The `average_type` of a corrected polygon.
CORRECTED: Final = "corrected"
#: Says that a cluster was removed, since it is not an object.
REMOVED: Final = "removed"
#: A column that is read beside those of the tables: the corrected polygon as WKB, missing if there is none.
CORRECTION: Final = "correction"
#: The tables in which corrections are used. Contours are what volunteers drew; only removed clusters go.
CORRECTED_TABLES: Final = (REDUCTIONS.name, CONTOURS.name)
#: The columns of `reductions` that a correction replaces.
_REPLACED: Final = ("average_type", "area", "clusters_x", "clusters_y", "geometry")
_NEW: Final = "new_"


@dataclass(frozen=True)
class Corrections:
    """The corrections of an output.

    Attributes
    ----------
    current : polars.DataFrame
        The rows of the table `corrections` whose cluster still has the same marks, each with the present
        `cluster_label`, sorted by `CLUSTER_KEYS`.
    stale : polars.DataFrame
        The other rows.
    """

    current: pl.DataFrame
    stale: pl.DataFrame

    @property
    def is_removed(self) -> pl.Series:
        """Whether each row of `current` says that the cluster is not an object."""
        return pl.Series(REMOVED, shapely.is_empty(polygons_of(self.current["geometry"])), pl.Boolean)


def corrections_of(rows: pl.DataFrame, labels: pl.DataFrame) -> Corrections:
    """Look up the clusters to which corrections belong.

    Parameters
    ----------
    rows : polars.DataFrame
        The table `corrections`.
    labels : polars.DataFrame
        The columns `polyframe.consensus.cluster_members.MEMBER_COLUMNS` of at least the groups in `rows`.
    """
    groups = rows.select(GROUP_KEYS).unique()
    clusters = cluster_members(labels.join(groups, on=GROUP_KEYS, how="semi"))
    on = [*GROUP_KEYS, "members"]
    present = clusters.rename({"cluster_label": "present_label"})
    joined = rows.join(present, on=on, how="left", maintain_order="left")
    is_stale = pl.col("present_label").is_null()
    current = joined.filter(~is_stale).with_columns(cluster_label="present_label")
    return Corrections(
        current.select(CORRECTIONS.schema.names()).sort(CLUSTER_KEYS),
        rows.filter(joined.select(is_stale).to_series()),
    )


def use_corrections(table: str, rows: pl.LazyFrame, corrections: Corrections) -> pl.LazyFrame:
    """Put corrected polygons in place of averages, and remove the clusters that are not objects.

    Parameters
    ----------
    table : str
        One of `CORRECTED_TABLES`.
    rows : polars.LazyFrame
        Some columns of the table, at least `CLUSTER_KEYS`.
    corrections : Corrections

    Returns
    -------
    polars.LazyFrame
        The rows in the same order with the same columns, and `CORRECTION`. Of `reductions`, the columns of
        the polygon are those of the correction, and `average_type` is `CORRECTED`.
    """
    current = corrections.current
    fixes = current.select(CLUSTER_KEYS).with_columns(corrections.is_removed)
    fixes = fixes.with_columns(current["geometry"].alias(CORRECTION))
    names = [name for name in rows.collect_schema().names() if name in _REPLACED]
    names = names if table == REDUCTIONS.name else []
    fixes = fixes.with_columns(column.alias(_NEW + column.name) for column in _columns(current, names))
    joined = rows.join(fixes.lazy(), on=CLUSTER_KEYS, how="left", maintain_order="left")
    kept = joined.filter(~pl.col(REMOVED).fill_null(value=False))
    is_corrected = pl.col(REMOVED).is_not_null()
    replaced = [
        pl.when(is_corrected).then(pl.col(_NEW + name)).otherwise(pl.col(name)).alias(name) for name in names
    ]
    return kept.with_columns(replaced).drop(REMOVED, *(_NEW + name for name in names))


def use_corrections_of_level(contours: pl.DataFrame, numbers: Sequence[int]) -> pl.DataFrame:
    """Put corrected polygons in place of one level, which is exported or scored as the outline of a cluster.

    Parameters
    ----------
    contours : polars.DataFrame, height n
        Rows of the table `contours` with the column `CORRECTION`; clusters that were removed are not there.
    numbers : sequence of n int
        The level of each cluster.

    Returns
    -------
    polars.DataFrame
        The same rows and columns. A corrected cluster has no other level than this one.
    """
    own = (
        pl.DataFrame({"number": numbers, CORRECTION: contours[CORRECTION]}).with_row_index("row").drop_nulls()
    )
    if own.is_empty():
        return contours
    polygons = polygons_of(own[CORRECTION])
    points = [shapely.get_coordinates(polygon.exterior) for polygon in polygons]
    values = {
        "contours_level": [[number] for number in own["number"]],
        "contours_x": [[xy[:, 0].tolist()] for xy in points],
        "contours_y": [[xy[:, 1].tolist()] for xy in points],
        "contours_area": [[area] for area in shapely.area(polygons).tolist()],
    }
    fixes = own.select("row", *(pl.Series(_NEW + n, v, CONTOURS.schema[n]) for n, v in values.items()))
    joined = contours.with_row_index("row").join(fixes, on="row", how="left", maintain_order="left")
    columns = [pl.coalesce(_NEW + name, name).alias(name) for name in values]
    return joined.with_columns(columns).select(contours.columns)


def uses_corrections(value: Any) -> bool:
    """Return whether a caller wants corrections to be used; None is the default, that they are.

    Raises
    ------
    UsageError
        If the value is not one of the choices.
    """
    choices = typing.get_args(CorrectionsUse)
    if value is not None and not (isinstance(value, str) and value in choices):
        raise UsageError(f"corrections: {short_repr(value)} is not one of {', '.join(choices)}")
    return value != "ignore"


def cluster_names(clusters: pl.DataFrame) -> list[str]:
    """Return the name of each cluster for messages, such as `subject 1 frame 0 T0_toolIndex0 cluster 2`."""
    columns = clusters.select("subject_id", "frame", "tool", "cluster_label")
    return [f"subject {s} frame {f} {tool} cluster {c}" for s, f, tool, c in columns.iter_rows()]


def polygons_of(geometry: pl.Series) -> NDArray[Any]:
    """Return the polygons of a column of WKB."""
    return np.asarray(shapely.from_wkb(np.array(geometry.to_list(), dtype=object)), dtype=object)


def _columns(current: pl.DataFrame, names: list[str]) -> list[pl.Series]:
    """Return some columns of `reductions` for the corrected polygons."""
    polygons = polygons_of(current["geometry"])
    points, number = shapely.get_coordinates(shapely.get_exterior_ring(polygons), return_index=True)
    offsets = offsets_of(np.bincount(number, minlength=len(polygons)))
    columns = {
        "average_type": lambda: pl.repeat(CORRECTED, len(polygons), dtype=pl.String, eager=True),
        "area": lambda: pl.Series(shapely.area(polygons), dtype=pl.Float64),
        "clusters_x": lambda: list_column("clusters_x", points[:, 0], offsets),
        "clusters_y": lambda: list_column("clusters_y", points[:, 1], offsets),
        "geometry": lambda: current["geometry"],
    }
    return [columns[name]().alias(name) for name in names]
