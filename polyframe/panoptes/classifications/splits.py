"""Read an export in splits, so that several machines can read it at the same time.

A split is a part of a large CSV or Parquet file (`csv_splits`, `parquet_splits`), or some whole files, since
those that are compressed cannot be cut.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

import polars as pl

from polyframe.core.choices import Visitors
from polyframe.panoptes.classifications.census import take_census
from polyframe.panoptes.classifications.columns import MalformedError
from polyframe.panoptes.classifications.csv_splits import (
    CsvSplit,
    check_quoted_line_ends,
    open_csv_split,
)
from polyframe.panoptes.classifications.export_files import ExportFile, fetch
from polyframe.panoptes.classifications.parquet_splits import ParquetSplit, open_parquet_split
from polyframe.panoptes.classifications.sources import one_after_another, open_source

#: About how many times larger than a file its rows are: exports of real projects, and generated ones.
_EXPANSION: Final = {"csv": 1, "gzip": 4, "zstd": 4, "parquet": 4}


@dataclass(frozen=True)
class WholeFiles:
    """Some files of an export.

    Attributes
    ----------
    files : tuple of ExportFile
        Consecutive ones.
    malformed : frozenset of int or None
        The numbers of those that have to be repaired; None if that is not known.
    """

    files: tuple[ExportFile, ...]
    malformed: frozenset[int] | None = None


#: A part of a file.
Part: TypeAlias = CsvSplit | ParquetSplit
Split: TypeAlias = Part | WholeFiles


@dataclass(frozen=True)
class SplitCensus:
    """What a machine has found in a split.

    Attributes
    ----------
    census : polars.DataFrame
        See `polyframe.panoptes.classifications.census.take_census`.
    split : CsvSplit, ParquetSplit or WholeFiles
        The split with what is known of it now.
    notes : tuple of (int, str)
        Which files were repaired and why, by their numbers.
    """

    census: pl.DataFrame
    split: Split
    notes: tuple[tuple[int, str], ...] = ()


def bytes_of_rows(file: ExportFile) -> int:
    """Return about how many bytes of CSV a file contains."""
    return file.size * (_EXPANSION["gzip"] if file.is_encoded else _EXPANSION[file.kind])


def can_be_cut(file: ExportFile, split_bytes: int) -> bool:
    """Return whether a file is so large that it is cut, and of a kind that can be."""
    return file.kind in ("csv", "parquet") and not file.is_encoded and bytes_of_rows(file) > split_bytes


def in_groups(files: Sequence[ExportFile], split_bytes: int) -> Iterator[WholeFiles]:
    """Yield splits of whole files: one large file each, or several small ones."""
    group: list[ExportFile] = []
    total = 0
    for file in files:
        size = bytes_of_rows(file)
        if group and total + size > split_bytes:
            yield WholeFiles(tuple(group))
            group, total = [], 0
        group.append(file)
        total += size
    if group:
        yield WholeFiles(tuple(group))


def open_split(split: Split, folder: Path) -> pl.LazyFrame:
    """Open the rows of a split, as `polyframe.panoptes.classifications.sources.open_sources` does.

    Parameters
    ----------
    split : CsvSplit, ParquetSplit or WholeFiles
        From a `SplitCensus`.
    folder : Path
        An existing folder of this machine, for temporary files.

    Raises
    ------
    PolyframeError
        If this machine cannot read a file, or a file has changed or cannot be an export.
    """
    if isinstance(split, CsvSplit):
        return open_csv_split(split, folder)
    if isinstance(split, ParquetSplit):
        return open_parquet_split(split, folder)
    return _open_files(split, folder)[0]


def take_split_census(split: Split, visitors: Visitors, folder: Path) -> SplitCensus | None:
    """Count the rows of a split, and find out whether its files are well formed.

    Parameters
    ----------
    split, folder
        As for `open_split`.
    visitors : {"session", "name"}
        The setting.

    Returns
    -------
    SplitCensus or None
        None if a file that was cut turns out to be malformed, so that it must be read as a whole.

    Raises
    ------
    PolyframeError
        As from `open_split`.
    """
    if not isinstance(split, WholeFiles):
        try:
            if isinstance(split, CsvSplit):
                check_quoted_line_ends(split, folder)
            return SplitCensus(take_census(open_split(split, folder), visitors), split)
        except (MalformedError, pl.exceptions.PolarsError):
            return None
    rows, notes = _open_files(split, folder)
    try:
        census = take_census(rows, visitors)
    except (pl.exceptions.PolarsError, OSError):
        rows, notes = _open_files(split, folder, thorough=True)
        census = take_census(rows, visitors)
    return SplitCensus(census, replace(split, malformed=frozenset(number for number, _ in notes)), notes)


def _open_files(
    split: WholeFiles, folder: Path, thorough: bool = False
) -> tuple[pl.LazyFrame, tuple[tuple[int, str], ...]]:
    """Return the rows of whole files, and notes on those that were repaired."""
    frames: list[pl.LazyFrame] = []
    notes: list[tuple[int, str]] = []
    for file in split.files:
        fetch(file, folder)
        well_formed = None if split.malformed is None else file.source not in split.malformed
        opened = open_source(file.place, file.name, folder, file.source, thorough, well_formed)
        frames.append(opened.rows.select(pl.lit(file.source, pl.UInt16).alias("source"), pl.all()))
        if opened.note:
            notes.append((file.source, opened.note))
    return one_after_another(frames), tuple(notes)
