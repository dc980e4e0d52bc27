"""List the images of an export: those with shapes, and those on which volunteers drew nothing."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from polyframe.core.callbacks import Advance, no_advance
from polyframe.core.reasons import DUPLICATE_CLASSIFICATION, DUPLICATE_MARK
from polyframe.core.tables import IMAGE_KEYS
from polyframe.export.cluster_shapes import Shape, columns_of_shapes, shapes_of_partition, table_of
from polyframe.export.counted_rows import batches
from polyframe.export.export_options import ExportOptions
from polyframe.export.omissions import MAY_HAVE_MARKS, NO_USABLE_MARK, Omissions
from polyframe.store.reading import OutputTables

_SIZE: Final = ("image_width", "image_height")
_LISTING: Final = "listing the images"
#: Rejects whose mark or classification is counted elsewhere.
_COPIES: Final = [DUPLICATE_CLASSIFICATION, DUPLICATE_MARK]
#: The tables that show which images volunteers looked at, and which of them have marks.
_TABLES: Final = {
    "groups": list(IMAGE_KEYS),
    "classifications": ["subject_id", *_SIZE],
    "extractions": list(IMAGE_KEYS),
    "rejects": ["subject_id", "reason"],
}


@dataclass(frozen=True)
class ImageShapes:
    """An image that volunteers looked at, and the shapes on it.

    Attributes
    ----------
    subject_id, frame : int
    shapes : list of Shape
        Sorted by their keys; empty if there is no cluster, or none is exported.
    is_empty : bool
        Whether no volunteer drew on it.
    size : (int, int) or None
        Width and height from the table classifications, which has them for frame 0 only.
    """

    subject_id: int
    frame: int
    shapes: list[Shape]
    is_empty: bool = False
    size: tuple[int, int] | None = None


def image_keys(
    tables: OutputTables, options: ExportOptions, addressed: pl.DataFrame
) -> Iterator[pl.DataFrame]:
    """Read which images are exported, partition by partition; parameters as for `images_with_shapes`.

    Yields
    ------
    polars.DataFrame
        With `subject_id` and `frame`.
    """
    if not tables.contains("groups"):
        # `polyframe contours` can follow `polyframe extract` directly.
        for frames in tables.counted_partitions(_LISTING, contours=list(IMAGE_KEYS)):
            yield frames["contours"].unique()
        return
    for frames in tables.counted_partitions(_LISTING, **_TABLES):
        yield _images(frames, options, addressed, Omissions())


def images_with_shapes(
    tables: OutputTables,
    options: ExportOptions,
    addressed: pl.DataFrame,
    omissions: Omissions,
    *,
    members: bool = False,
    advance: Advance = no_advance,
) -> Iterator[ImageShapes]:
    """Read the images and their shapes, sorted by subject and frame within each partition.

    Parameters
    ----------
    tables : OutputTables
    options : ExportOptions
        With `empty_images` other than `drop`, images without marks are included: the first frame, and
        every other one that is known.
    addressed : polars.DataFrame
        `subject_id, frame` of the images that the subject export or the classification export lists.
    omissions : Omissions
        Receives clusters without the level of `options` or below its limits, and images whose marks could
        not be used: they are not empty.
    members : bool
        Whether shapes have the property `members`.
    advance : callable
        Receives the numbers of clusters whose images have been used.
    """
    columns = _TABLES | {
        table: sorted({*names, *_TABLES.get(table, ())})
        for table, names in columns_of_shapes(options, members=members).items()
    }
    for frames in tables.partitions(**columns):
        sizes = _sizes(frames["classifications"])
        by_image: dict[tuple[int, int], list[Shape]] = {}
        for shape in shapes_of_partition(frames, options, omissions):
            key = (shape.properties["subject_id"], shape.properties["frame"])
            by_image.setdefault(key, []).append(shape)
        images = _images(frames, options, addressed, omissions)
        counted = batches(images, frames[table_of(options)].height, advance)
        rows = itertools.chain.from_iterable(batch.iter_rows() for batch in counted)
        for subject_id, frame, is_empty in rows:
            size = sizes.get(subject_id) if frame == 0 else None
            yield ImageShapes(subject_id, frame, by_image.get((subject_id, frame), []), is_empty, size)


def _images(
    frames: Mapping[str, pl.DataFrame], options: ExportOptions, addressed: pl.DataFrame, omissions: Omissions
) -> pl.DataFrame:
    keys = list(IMAGE_KEYS)
    drawn = frames["groups"].select(keys).unique()
    images = drawn.with_columns(is_empty=pl.lit(value=False))
    if options.empty_images != "drop":
        subjects = frames["classifications"].select("subject_id").unique()
        first = subjects.with_columns(frame=pl.lit(0, pl.Int32))
        others = pl.concat([first, addressed.join(subjects, on="subject_id", how="semi")]).unique()
        others = others.join(drawn, on=keys, how="anti")
        # A mark that was rejected has no frame here, so none of its subject's other images counts as empty.
        rejects = frames["rejects"].filter(~pl.col("reason").is_in(_COPIES))
        for reason, marks, on in (
            (NO_USABLE_MARK, frames["extractions"], keys),
            (MAY_HAVE_MARKS, rejects, ["subject_id"]),
        ):
            for subject_id, frame in others.join(marks, on=on, how="semi").sort(keys).iter_rows():
                omissions.add_image(reason, subject_id, frame)
            others = others.join(marks, on=on, how="anti")
        empty = others.with_columns(is_empty=pl.lit(value=True))
        images = pl.concat([images, empty])
    return images.sort(keys)


def _sizes(classifications: pl.DataFrame) -> dict[int, tuple[int, int]]:
    """Return by subject the size that most classifications report."""
    counts = classifications.drop_nulls().group_by("subject_id", *_SIZE).len()
    # The last one of a subject remains, which is the most frequent.
    rows = counts.sort("len", *_SIZE).select("subject_id", *_SIZE).iter_rows()
    return {subject_id: (width, height) for subject_id, width, height in rows}
