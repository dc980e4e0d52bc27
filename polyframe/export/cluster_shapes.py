"""The shapes that are exported: averaged polygons, or contours, and the images that they lie on."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from polyframe.core.arrays import Floats
from polyframe.core.errors import UsageError
from polyframe.core.tables import GROUP_KEYS
from polyframe.export.export_options import ExportOptions
from polyframe.export.omissions import NO_LEVEL, LeftOut
from polyframe.store.opened import Opened

_SHARED: Final = (*GROUP_KEYS, "cluster_label", "clusters_count", "consensus")
_OF_REDUCTIONS: Final = ("n_classifications", "threshold", "average_type", "area", "details_votes")
_COLUMNS: Final = {
    "reductions": (*_SHARED, *_OF_REDUCTIONS, "clusters_x", "clusters_y"),
    "contours": (*_SHARED, "number_of_contours", "contours_area", "contours_x", "contours_y"),
}
_SIZE: Final = ("image_width", "image_height")


@dataclass(frozen=True)
class Shape:
    """One outline.

    Attributes
    ----------
    told : dict
        What the tables tell of it: keys, counts, consensus, area; of a contour also its level.
    points : (n, 2) array
        The outline, closed; empty where an intersection is.
    """

    told: dict[str, Any]
    points: Floats


@dataclass(frozen=True)
class Drawn:
    """An image of a subject and the shapes on it.

    Attributes
    ----------
    subject_id, frame : int
        Which image it is.
    shapes : list of Shape
        Sorted by their keys; empty where no cluster was found.
    size : (int, int) or None
        Width and height in the table classifications, which has them of frame 0 alone.
    """

    subject_id: int
    frame: int
    shapes: list[Shape]
    size: tuple[int, int] | None = None


def table_of(options: ExportOptions) -> str:
    """Return the table that is exported; a level is one of the contours.

    Raises
    ------
    UsageError
        Where a level of something else is asked for.
    """
    if options.level is not None and options.what == "reductions":
        raise UsageError("level: reductions have none; leave it out, or export contours")
    return options.what or ("reductions" if options.level is None else "contours")


def shapes_by_partition(found: Opened, options: ExportOptions, left_out: LeftOut) -> Iterator[list[Shape]]:
    """Read the shapes of each partition, sorted by the keys of the table and their level.

    Clusters without the level that is asked for go to `left_out`.
    """
    table = table_of(options)
    for frames in found.partitions(**{table: list(_COLUMNS[table])}):
        yield list(_shapes(frames[table], table, options.level, left_out))


def images(found: Opened, options: ExportOptions, left_out: LeftOut) -> Iterator[Drawn]:
    """Read the images on which anything was drawn, sorted by subject and frame within each partition.

    Clusters without the level that is asked for go to `left_out`.
    """
    table = table_of(options)
    keys = ["subject_id", "frame"]
    wanted = {"groups": keys, "classifications": ["subject_id", *_SIZE], table: list(_COLUMNS[table])}
    for frames in found.partitions(**wanted):
        sizes = _sizes(frames["classifications"])
        on_image: dict[tuple[int, int], list[Shape]] = {}
        for shape in _shapes(frames[table], table, options.level, left_out):
            on_image.setdefault((shape.told["subject_id"], shape.told["frame"]), []).append(shape)
        for subject_id, frame in frames["groups"].unique().sort(keys).iter_rows():
            size = sizes.get(subject_id) if frame == 0 else None
            yield Drawn(subject_id, frame, on_image.get((subject_id, frame), []), size)


def _sizes(classifications: pl.DataFrame) -> dict[int, tuple[int, int]]:
    """Return the size that most classifications of a subject have, by subject."""
    counted = classifications.drop_nulls().group_by("subject_id", *_SIZE).len()
    # The last one stays: the most frequent.
    rows = counted.sort("len", *_SIZE).iter_rows()
    return {subject_id: (width, height) for subject_id, width, height, _ in rows}


def _shapes(frame: pl.DataFrame, table: str, level: int | None, left_out: LeftOut) -> Iterator[Shape]:
    for row in frame.iter_rows(named=True):
        told = {name: row[name] for name in _SHARED}
        if table == "reductions":
            told |= {name: row[name] for name in _OF_REDUCTIONS}
            yield Shape(told, _points(row["clusters_x"], row["clusters_y"]))
            continue
        told["number_of_contours"] = row["number_of_contours"]
        contours = zip(row["contours_area"], row["contours_x"], row["contours_y"], strict=True)
        for number, (area, x, y) in enumerate(contours, start=1):
            if level in (None, number):
                yield Shape({**told, "level": number, "area": area}, _points(x, y))
        if level is not None and level > len(row["contours_area"]):
            left_out.add(NO_LEVEL, {**told, "level": level})


def _points(x: list[float], y: list[float]) -> Floats:
    return np.column_stack([np.asarray(x, float), np.asarray(y, float)])
