"""Read image sizes from the metadata of a classification export."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import polars as pl

from polyframe.core.errors import PolyframeError, first_line
from polyframe.core.plurals import plural
from polyframe.panoptes.classifications.column_parsers import integer
from polyframe.panoptes.classifications.compression import file_kind
from polyframe.panoptes.classifications.metadata import NATURAL

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
    kind = file_kind(export, str(export))
    try:
        rows = (
            pl.scan_parquet(export, glob=False)
            if kind == "parquet"
            else pl.scan_csv(
                export, infer_schema=False, encoding="utf8-lossy", truncate_ragged_lines=True, glob=False
            )
        )
        missing = [name for name in _COLUMNS if name not in rows.collect_schema().names()]
        if missing:
            raise PolyframeError(
                f"{export}: has no image sizes: missing {plural(len(missing), 'column')} "
                f"{', '.join(missing)}; name the classification export"
            )
        counted = _counted(rows)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise PolyframeError(f"{export}: cannot be read ({first_line(error)})") from None
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
        .cast(pl.String)
        .str.extract(_DIMENSIONS)
        .str.extract_all(_FRAMES)
        .list.eval(pl.concat_str(natural, separator="x").fill_null(""))
        .list.join(",")
    )
    subjects = rows.select(pl.col("subject_ids").cast(pl.String), "metadata")
    return (
        subjects.select(integer("subject_ids").alias("subject_id"), reported.alias("reported"))
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
