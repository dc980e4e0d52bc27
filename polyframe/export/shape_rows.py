"""Make flat rows of shapes: one for each averaged polygon or contour, with its geometry, image and label."""

from collections.abc import Iterator
from typing import Final

import polars as pl

from polyframe.consensus.explode_levels import explode_levels
from polyframe.core.table_schema import Column, Table
from polyframe.core.tables import CONTOURS, GROUP_KEYS, IMAGE_KEYS, REDUCTIONS
from polyframe.export.cluster_shapes import (
    CLUSTER_KEYS,
    WANTED,
    chosen_clusters,
    needs_expected_iou,
    table_of,
)
from polyframe.export.counted_rows import WrittenClusters
from polyframe.export.export_options import ExportOptions
from polyframe.export.shape_export import ShapeExport
from polyframe.store.corrections import CORRECTION

_KNOWN: Final = {column.name: column for table in (CONTOURS, REDUCTIONS) for column in table.columns}
_SHARED: Final = tuple(_KNOWN[name] for name in (*CLUSTER_KEYS, "clusters_count", "consensus"))
_NAMES: Final = (
    Column("image", pl.String, "the name of the image: that in the subject export, or `image_name`"),
    Column("label", pl.String, "the label of the tool if it is known, else the tool"),
)
_TOOL: Final = ["workflow_id", "tool"]

#: One row for each level of a cluster.
LEVELS: Final = Table(
    "levels",
    "cluster and level",
    (
        *_SHARED,
        _KNOWN["number_of_contours"],
        Column(
            "level",
            pl.Int32,
            "the least number of marks that overlap: 1 to `number_of_contours`; see `contours_level`",
        ),
        Column("area", pl.Float64, "area within the outline, square pixels"),
        _KNOWN["expected_iou"],
        *_NAMES,
        Column("geometry", pl.Binary, "the outline of this level, WKB"),
    ),
    (*CLUSTER_KEYS, "level"),
    (*CLUSTER_KEYS, "level"),
    geometry=True,
)
#: One row for each averaged polygon.
AVERAGES: Final = Table(
    "reductions",
    "cluster",
    (
        *_SHARED,
        *(
            _KNOWN[name]
            for name in ("n_classifications", "threshold", "average_type", "area", "expected_iou")
        ),
        *(_KNOWN[name] for name in ("classifications_needed", "details_votes")),
        *_NAMES,
        _KNOWN["geometry"],
    ),
    tuple(CLUSTER_KEYS),
    tuple(CLUSTER_KEYS),
    geometry=True,
)
#: The columns from which the rows of a table are made.
_READ: Final = {
    AVERAGES.name: {
        REDUCTIONS.name: [column.name for column in AVERAGES.columns if column.name in REDUCTIONS.schema]
    },
    LEVELS.name: {
        CONTOURS.name: [name for name in CONTOURS.schema if name != "geometry"],
        REDUCTIONS.name: [*CLUSTER_KEYS, "expected_iou"],
    },
}


def table_of_rows(options: ExportOptions) -> Table:
    """Return what the rows of `rows_by_partition` are: `AVERAGES` or `LEVELS`."""
    return AVERAGES if table_of(options) == REDUCTIONS.name else LEVELS


def rows_by_partition(export: ShapeExport, step: str = "") -> Iterator[pl.DataFrame]:
    """Read the shapes of each partition, sorted by the keys of the table and the level.

    Clusters without the level of the options, or below their limits, are added to `export.omissions`. `step`
    names a pass before the writing.

    Yields
    ------
    polars.DataFrame
        Rows of `table_of_rows`.
    """
    options = export.options
    table = table_of_rows(options)
    columns = dict(_READ[table.name])
    # `polyframe contours` can follow `polyframe extract` directly.
    if table is LEVELS and not (export.tables.contains(REDUCTIONS.name) or needs_expected_iou(options)):
        columns.pop(REDUCTIONS.name)
    if options.level is not None:
        columns[CONTOURS.name] = [*columns[CONTOURS.name], CORRECTION]
    stored = table_of(options)
    written = WrittenClusters(export.tables.progress, export.tables.row_count(stored), step)
    for frames in export.tables.partitions(**columns):
        clusters = chosen_clusters(frames, options, export.omissions)
        rows = clusters if table is AVERAGES else _levels(clusters)
        yield table.conform(_with_names(rows, export))
        written.add(frames[stored].height)


def _levels(clusters: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each level of some clusters, or for the chosen level of each that has it."""
    more = [name for name in ("number_of_contours", "expected_iou", WANTED) if name in clusters.columns]
    levels = explode_levels(clusters).join(
        clusters.select(*CLUSTER_KEYS, *more), on=CLUSTER_KEYS, how="left", maintain_order="left"
    )
    if WANTED in more:
        levels = levels.filter(pl.col("level") == pl.col(WANTED))
    if "expected_iou" not in more:
        levels = levels.with_columns(expected_iou=pl.lit(None, pl.Float64))
    return levels


def _with_names(rows: pl.DataFrame, export: ShapeExport) -> pl.DataFrame:
    """Add the columns `image` and `label`."""
    images = rows.select(IMAGE_KEYS).unique()
    names = [export.names.of(*key) for key in images.iter_rows()]
    tools = rows.select(_TOOL).unique()
    labels = [export.categories.by_tool[key].name for key in tools.iter_rows()]
    keys = rows.select(GROUP_KEYS)
    for column, known, texts in (("image", images, names), ("label", tools, labels)):
        of_keys = known.with_columns(pl.Series(column, texts, pl.String))
        keys = keys.join(of_keys, on=known.columns, how="left", maintain_order="left")
    return rows.with_columns(keys["image"], keys["label"])
