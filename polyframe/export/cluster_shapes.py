"""Read the shapes to export: averaged polygons or contours."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from polyframe.consensus.cluster_members import MEMBER_COLUMNS, cluster_members
from polyframe.core.arrays import Floats
from polyframe.core.callbacks import Advance, no_advance
from polyframe.core.errors import UsageError
from polyframe.core.tables import GROUP_KEYS
from polyframe.export.counted_rows import WrittenClusters, batches
from polyframe.export.export_options import ExportOptions
from polyframe.export.omissions import NOT_ESTIMATED, Omissions
from polyframe.store.corrections import CORRECTION, use_corrections_of_level
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
#: The columns that identify a cluster.
CLUSTER_KEYS: Final = [*GROUP_KEYS, "cluster_label"]
#: The number of the chosen level in a cluster.
WANTED: Final = "wanted"


@dataclass(frozen=True)
class Shape:
    """An averaged polygon or one contour of a cluster.

    Attributes
    ----------
    properties : dict
        Columns of the tables: keys, counts, consensus, area; for a contour also its `level`, and if they are
        read, the `members` of the cluster.
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


def columns_of_shapes(options: ExportOptions, *, members: bool = False) -> dict[str, list[str]]:
    """Return the tables and columns from which `shapes_of_partition` makes shapes.

    With `members`, their properties contain the hash of their marks, by which corrections find their cluster.
    """
    table = table_of(options)
    columns = {table: list(_COLUMNS[table])}
    if options.level is not None:
        columns[table].append(CORRECTION)
    if members:
        columns["labels"] = list(MEMBER_COLUMNS)
    if table == "contours" and needs_expected_iou(options):
        columns["reductions"] = [*CLUSTER_KEYS, "expected_iou"]
    return columns


def needs_expected_iou(options: ExportOptions) -> bool:
    """Return whether shapes of contours need the expected IoU of their clusters, too."""
    return options.min_expected_iou is not None or options.score == "expected_iou"


def all_shapes(tables: OutputTables, options: ExportOptions, omissions: Omissions) -> Iterator[Shape]:
    """Read the shapes of each partition, sorted by the keys of the table and the level, and count them.

    Clusters without the level of `options`, or below its limits, are added to `omissions`.
    """
    written = WrittenClusters(tables.progress, tables.row_count(table_of(options)))
    for frames in tables.partitions(**columns_of_shapes(options)):
        yield from shapes_of_partition(frames, options, omissions, written.add)


def shapes_of_partition(
    frames: Mapping[str, pl.DataFrame],
    options: ExportOptions,
    omissions: Omissions,
    advance: Advance = no_advance,
) -> Iterator[Shape]:
    """Yield the shapes of a partition, see `all_shapes`.

    Parameters
    ----------
    frames : mapping of str to polars.DataFrame
        The tables of `columns_of_shapes`.
    options : ExportOptions
    omissions : Omissions
    advance : callable
        Receives the numbers of clusters whose shapes have been used.
    """
    table = table_of(options)
    rows = chosen_clusters(frames, options, omissions)
    shared = list(_SHARED)
    if set(MEMBER_COLUMNS) <= set(frames["labels"].columns if "labels" in frames else ()):
        known = cluster_members(frames["labels"])
        rows = rows.join(known, on=CLUSTER_KEYS, how="left", maintain_order="left")
        shared.append("members")
    counted = batches(rows, frames[table].height, advance)
    for row in itertools.chain.from_iterable(batch.iter_rows(named=True) for batch in counted):
        properties = {name: row[name] for name in shared}
        if table == "reductions":
            properties |= {name: row[name] for name in _OF_REDUCTIONS}
            yield Shape(properties, _points(row["clusters_x"], row["clusters_y"]))
            continue
        properties["number_of_contours"] = row["number_of_contours"]
        if "expected_iou" in row:
            properties["expected_iou"] = row["expected_iou"]
        wanted = row.get(WANTED)
        for number, area, x, y in zip(*(row[name] for name in _OF_LEVELS), strict=True):
            if wanted in (None, number):
                yield Shape({**properties, "level": number, "area": area}, _points(x, y))


def chosen_clusters(
    frames: Mapping[str, pl.DataFrame], options: ExportOptions, omissions: Omissions
) -> pl.DataFrame:
    """Return the rows of the table to export that are within the limits of `options`.

    Parameters
    ----------
    frames : mapping of str to polars.DataFrame
        The table with any columns beside the keys of clusters and those of the limits. To contours,
        `expected_iou` is added if the frame `reductions` is there, too.
    options : ExportOptions
    omissions : Omissions
        Receives the clusters that are not within the limits, and those that lack the level of `options`.

    Returns
    -------
    polars.DataFrame
        In the same order. With a level, the column `WANTED` is its number in each cluster; a cluster without
        it is returned, too.
    """
    table, level = table_of(options), options.level_to_read
    rows = frames[table]
    if table == "contours" and "reductions" in frames:
        estimates = frames["reductions"].select(*CLUSTER_KEYS, "expected_iou")
        rows = rows.join(estimates, on=CLUSTER_KEYS, how="left", maintain_order="left")
    for reason, is_omitted in _limits(options):
        for row in rows.filter(is_omitted).select(CLUSTER_KEYS).iter_rows(named=True):
            omissions.add(reason, row)
        rows = rows.filter(is_omitted.not_())
    if level is not None:
        numbers = level.numbers(rows["clusters_count"])
        volunteers = pl.lit(value=True)
        if CORRECTION in rows.columns:
            rows = use_corrections_of_level(rows, numbers)
            volunteers = pl.col(CORRECTION).is_null()
        rows = rows.with_columns(pl.Series(WANTED, numbers, pl.Int32))
        columns = [*CLUSTER_KEYS, "number_of_contours", "contours_level", WANTED]
        for row in rows.filter(volunteers).select(columns).iter_rows(named=True):
            omissions.look_up(level, row[WANTED], row)
    return rows


def _limits(options: ExportOptions) -> Iterator[tuple[str, pl.Expr]]:
    """Yield the reasons for which clusters are not exported, each with its condition."""
    if options.min_consensus is not None:
        below = pl.col("consensus") < options.min_consensus
        yield f"have a consensus below {options.min_consensus:g}", below
    if needs_expected_iou(options):
        yield NOT_ESTIMATED, pl.col("expected_iou").is_null()
    if options.min_expected_iou is not None:
        below = pl.col("expected_iou") < options.min_expected_iou
        yield f"have an expected IoU below {options.min_expected_iou:g}", below


def _points(x: list[float], y: list[float]) -> Floats:
    return np.column_stack([np.asarray(x, float), np.asarray(y, float)])
