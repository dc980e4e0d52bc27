"""Read image sizes from the metadata of a classification export."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import polars as pl

from polyframe.panoptes.classifications.column_parsers import integer
from polyframe.panoptes.classifications.metadata import NATURAL
from polyframe.panoptes.classifications.read_columns import explain_unreadable, scan_columns

#: Width and height by subject and frame.
Sizes = dict[tuple[int, int], tuple[int, int]]

_DIMENSIONS: Final = r'"subject_dimensions"\s*:\s*(\[[^\]]*\])'
_FRAMES: Final = r"\{[^{}]*\}|null"
_COLUMNS: Final = ("subject_ids", "metadata")


def read_image_sizes(export: Path) -> Sizes:
    """Read the sizes of images from the column `metadata` of a classification export.

    Parameters
    ----------
    export : Path
        CSV, optionally compressed, or Parquet.

    Returns
    -------
    dict
        Subject and frame -> width and height; the most frequent size if browsers reported several. Images
        without a reported size are omitted.

    Raises
    ------
    PolyframeError
        If the file cannot be read or lacks the columns.
    """
    rows = scan_columns(export, _COLUMNS, "image sizes")
    with explain_unreadable(export):
        counted = _counted(rows)
    numbers: dict[tuple[int, int], Counter[tuple[int, int]]] = {}
    for subject, reported, number in counted.iter_rows():
        for frame, size in _sizes(reported):
            numbers.setdefault((subject, frame), Counter())[size] += number
    return {image: max(sizes, key=lambda size: (sizes[size], size)) for image, sizes in numbers.items()}


def _counted(rows: pl.LazyFrame) -> pl.DataFrame:
    """Return the reported sizes of each subject, such as `640x480,640x480`, and how often."""
    natural = [pl.element().str.extract(NATURAL.format(name)) for name in ("Width", "Height")]
    reported = (
        pl.col("metadata")
        .str.extract(_DIMENSIONS)
        .str.extract_all(_FRAMES)
        .list.eval(pl.concat_str(natural, separator="x").fill_null(""))
        .list.join(",")
    )
    return (
        rows.select(integer("subject_ids").alias("subject_id"), reported.alias("reported"))
        .drop_nulls()
        .group_by("subject_id", "reported")
        .len()
        .collect(engine="streaming")
        .sort("subject_id", "reported")
    )


def _sizes(reported: str) -> Iterator[tuple[int, tuple[int, int]]]:
    for frame, size in enumerate(reported.split(",")):
        width, _, height = size.partition("x")
        if width and height and int(width) and int(height):
            yield frame, (int(width), int(height))
