"""Read the shapes to export: averaged polygons or contours, alone or by image."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from polyframe.core.arrays import Floats
from polyframe.core.errors import UsageError
from polyframe.core.levels import Level
from polyframe.core.tables import GROUP_KEYS
from polyframe.export.export_options import ExportOptions
from polyframe.export.omissions import Omissions
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
_SIZE: Final = ("image_width", "image_height")


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


@dataclass(frozen=True)
class DrawnImage:
    """An image on which volunteers drew, and the shapes on it.

    Attributes
    ----------
    subject_id, frame : int
    shapes : list of Shape
        Sorted by their keys; empty if there is no cluster.
    size : (int, int) or None
        Width and height from the table classifications, which has them for frame 0 only.
    """

    subject_id: int
    frame: int
    shapes: list[Shape]
    size: tuple[int, int] | None = None


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


def shapes_by_partition(
    tables: OutputTables, options: ExportOptions, omissions: Omissions
) -> Iterator[list[Shape]]:
    """Read the shapes of each partition, sorted by the keys of the table and the level.

    Clusters without the level of `options` are added to `omissions`.
    """
    table = table_of(options)
    for frames in tables.partitions(**{table: list(_COLUMNS[table])}):
        yield list(_shapes(frames[table], table, options.level_to_read, omissions))


def drawn_images(tables: OutputTables, options: ExportOptions, omissions: Omissions) -> Iterator[DrawnImage]:
    """Read the images with marks and their shapes, sorted by subject and frame within each partition.

    Clusters without the level of `options` are added to `omissions`.
    """
    table = table_of(options)
    keys = ["subject_id", "frame"]
    columns = {"groups": keys, "classifications": ["subject_id", *_SIZE], table: list(_COLUMNS[table])}
    for frames in tables.partitions(**columns):
        sizes = _sizes(frames["classifications"])
        by_image: dict[tuple[int, int], list[Shape]] = {}
        for shape in _shapes(frames[table], table, options.level_to_read, omissions):
            key = (shape.properties["subject_id"], shape.properties["frame"])
            by_image.setdefault(key, []).append(shape)
        for subject_id, frame in frames["groups"].unique().sort(keys).iter_rows():
            size = sizes.get(subject_id) if frame == 0 else None
            yield DrawnImage(subject_id, frame, by_image.get((subject_id, frame), []), size)


def _sizes(classifications: pl.DataFrame) -> dict[int, tuple[int, int]]:
    """Return by subject the size that most classifications report."""
    counts = classifications.drop_nulls().group_by("subject_id", *_SIZE).len()
    # The last one of a subject remains, which is the most frequent.
    rows = counts.sort("len", *_SIZE).iter_rows()
    return {subject_id: (width, height) for subject_id, width, height, _ in rows}


def _shapes(frame: pl.DataFrame, table: str, level: Level | None, omissions: Omissions) -> Iterator[Shape]:
    for row in frame.iter_rows(named=True):
        properties = {name: row[name] for name in _SHARED}
        if table == "reductions":
            properties |= {name: row[name] for name in _OF_REDUCTIONS}
            yield Shape(properties, _points(row["clusters_x"], row["clusters_y"]))
            continue
        properties["number_of_contours"] = row["number_of_contours"]
        wanted = None if level is None else level.number(row["clusters_count"])
        for number, area, x, y in zip(*(row[name] for name in _OF_LEVELS), strict=True):
            if wanted in (None, number):
                yield Shape({**properties, "level": number, "area": area}, _points(x, y))
        if level is not None and wanted is not None:
            omissions.look_up(level, wanted, row)


def _points(x: list[float], y: list[float]) -> Floats:
    return np.column_stack([np.asarray(x, float), np.asarray(y, float)])
