"""Read the shapes to export: averaged polygons or contours."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from polyframe.core.arrays import Floats
from polyframe.core.errors import UsageError
from polyframe.core.tables import GROUP_KEYS
from polyframe.export.export_options import ExportOptions
from polyframe.export.omissions import NOT_ESTIMATED, Omissions
from polyframe.store.reading import OutputTables

_SHARED: Final = (*GROUP_KEYS, "cluster_label", "clusters_count", "consensus")
_OF_REDUCTIONS: Final = (
    *("n_classifications", "threshold", "average_type", "area"),
    *("expected_iou", "classifications_needed", "details_votes"),
)
_OF_LEVELS: Final = ("contours_level", "contours_area", "contours_x", "contours_y")
_COLUMNS: Final = {
    "reductions": (*_SHARED, *_OF_REDUCTIONS, "clusters_x", "clusters_y"),
    "contours": (*_SHARED, "number_of_contours", *_OF_LEVELS),
}
_CLUSTER: Final = [*GROUP_KEYS, "cluster_label"]


@dataclass(frozen=True)
class Shape:
    """An averaged polygon or one contour of a cluster.

    Attributes
    ----------
    properties : dict
        Columns of the tables: keys, counts, consensus, area; for a contour also its `level`.
    points : (n, 2) array
        The outline, closed; empty for an empty intersection.
    """

    properties: dict[str, Any]
    points: Floats


def table_of(options: ExportOptions) -> str:
    """Return the table to export; with `level` it is contours.

    Raises
    ------
    UsageError
        If a level of reductions is asked for.
    """
    if options.level is not None and options.what == "reductions":
        raise UsageError("level: reductions have no levels; omit it, or export contours")
    return options.what or ("reductions" if options.level is None else "contours")


def columns_of_shapes(options: ExportOptions) -> dict[str, list[str]]:
    """Return the tables and columns from which `shapes_of_partition` makes shapes."""
    table = table_of(options)
    columns = {table: list(_COLUMNS[table])}
    if table == "contours" and needs_expected_iou(options):
        columns["reductions"] = [*_CLUSTER, "expected_iou"]
    return columns


def needs_expected_iou(options: ExportOptions) -> bool:
    """Return whether shapes of contours need the expected IoU of their clusters, too."""
    return options.min_expected_iou is not None or options.score == "expected_iou"


def shapes_by_partition(
    tables: OutputTables, options: ExportOptions, omissions: Omissions
) -> Iterator[list[Shape]]:
    """Read the shapes of each partition, sorted by the keys of the table and the level.

    Clusters without the level of `options`, or below its limits, are added to `omissions`.
    """
    for frames in tables.partitions(**columns_of_shapes(options)):
        yield list(shapes_of_partition(frames, options, omissions))


def shapes_of_partition(
    frames: Mapping[str, pl.DataFrame], options: ExportOptions, omissions: Omissions
) -> Iterator[Shape]:
    """Yield the shapes of a partition, see `shapes_by_partition`.

    Parameters
    ----------
    frames : mapping of str to polars.DataFrame
        The tables of `columns_of_shapes`.
    options : ExportOptions
    omissions : Omissions
    """
    table, level = table_of(options), options.level_to_read
    rows = frames[table]
    if table == "contours" and "reductions" in frames and needs_expected_iou(options):
        estimates = frames["reductions"].select(*_CLUSTER, "expected_iou")
        rows = rows.join(estimates, on=_CLUSTER, how="left", maintain_order="left")
    for row in rows.iter_rows(named=True):
        reason = _below_limits(row, options)
        if reason:
            omissions.add(reason, row)
            continue
        properties = {name: row[name] for name in _SHARED}
        if table == "reductions":
            properties |= {name: row[name] for name in _OF_REDUCTIONS}
            yield Shape(properties, _points(row["clusters_x"], row["clusters_y"]))
            continue
        properties["number_of_contours"] = row["number_of_contours"]
        if "expected_iou" in row:
            properties["expected_iou"] = row["expected_iou"]
        wanted = None if level is None else level.number(row["clusters_count"])
        for number, area, x, y in zip(*(row[name] for name in _OF_LEVELS), strict=True):
            if wanted in (None, number):
                yield Shape({**properties, "level": number, "area": area}, _points(x, y))
        if level is not None and wanted is not None:
            omissions.look_up(level, wanted, row)


def _below_limits(row: Mapping[str, Any], options: ExportOptions) -> str | None:
    """Return why a cluster is not exported; None if it is."""
    if options.min_consensus is not None and row["consensus"] < options.min_consensus:
        return f"have a consensus below {options.min_consensus:g}"
    if needs_expected_iou(options) and row["expected_iou"] is None:
        return NOT_ESTIMATED
    if options.min_expected_iou is not None and row["expected_iou"] < options.min_expected_iou:
        return f"have an expected IoU below {options.min_expected_iou:g}"
    return None


def _points(x: list[float], y: list[float]) -> Floats:
    return np.column_stack([np.asarray(x, float), np.asarray(y, float)])
