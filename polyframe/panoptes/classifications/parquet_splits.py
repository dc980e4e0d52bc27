"""Cut a Parquet file between its row groups into splits, so that several machines can read it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from polyframe.panoptes.classifications.columns import check_columns, known_columns
from polyframe.panoptes.classifications.export_files import ExportFile, check_visible, copy_pieces_in_place
from polyframe.panoptes.classifications.parquet_files import copy_row_groups, damaged, open_parquet
from polyframe.panoptes.classifications.sources import rows_of_split

#: At the end of a file: the size of the footer, and `PAR1`.
_TAIL_BYTES: Final = 8
#: Some writers give the size of a column without the header of its first page.
_PADDING: Final = 100


@dataclass(frozen=True)
class RowGroup:
    """The size of a row group.

    Attributes
    ----------
    rows, bytes : int
        `bytes` are those before compression.
    """

    rows: int
    bytes: int


@dataclass(frozen=True)
class ParquetSplit:
    """Consecutive row groups of a Parquet file.

    Attributes
    ----------
    file : ExportFile
    groups : range
        Their numbers.
    rows_before : int
        Rows of the file before these.
    """

    file: ExportFile
    groups: range
    rows_before: int


def read_row_groups(file: ExportFile, folder: Path) -> list[RowGroup]:
    """Return the row groups of a Parquet file.

    Parameters
    ----------
    file : ExportFile
    folder : Path
        An existing folder of this machine, for temporary files.

    Raises
    ------
    PolyframeError
        If the file is damaged, lacks columns, has changed, or cannot be read by this machine.
    """
    path = _with_footer(file, folder)
    try:
        metadata = pq.read_metadata(path)
        check_columns(pq.read_schema(path).names, file.name)
    except (pa.ArrowException, OSError) as error:
        raise damaged(path, file.name, error) from None
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    return [RowGroup(group.num_rows, group.total_byte_size) for group in groups]


def cut_parquet(file: ExportFile, groups: Sequence[RowGroup], split_bytes: int) -> list[ParquetSplit]:
    """Cut a file into splits of about a size; reading one after another gives the rows of the file."""
    splits: list[ParquetSplit] = []
    first = size = rows = rows_before = 0
    for number, group in enumerate(groups):
        if size and size + group.bytes > split_bytes:
            splits.append(ParquetSplit(file, range(first, number), rows_before))
            first, size, rows_before = number, 0, rows
        size += group.bytes
        rows += group.rows
    if first < len(groups):
        splits.append(ParquetSplit(file, range(first, len(groups)), rows_before))
    return splits


def open_parquet_split(split: ParquetSplit, folder: Path) -> pl.LazyFrame:
    """Open the rows of a split.

    Parameters
    ----------
    split : ParquetSplit
        From `cut_parquet`.
    folder : Path
        An existing folder of this machine, for a copy of the split.

    Returns
    -------
    polars.LazyFrame
        As from `polyframe.panoptes.classifications.sources.open_sources`.

    Raises
    ------
    PolyframeError
        If the file cannot be read by this machine, has changed or is damaged, or a column has a type that
        CSV cannot represent.
    """
    name = split.file.name
    path = _with_footer(split.file, folder)
    copy = folder / f"{split.file.source}-{split.groups.start}.parquet"
    try:
        if not copy.exists():
            columns = list(known_columns(pq.read_schema(path).names).values())
            if path != split.file.place:
                chunks = _chunks(pq.read_metadata(path), split.groups, columns)
                pieces = [(start, min(end + _PADDING, split.file.size)) for start, end in chunks]
                copy_pieces_in_place(split.file, pieces, path)
            copy_row_groups(path, columns, copy, split.groups)
    except (pa.ArrowException, OSError) as error:
        raise damaged(path, name, error) from None
    return rows_of_split(open_parquet(copy, name, copy), split.file.source, split.rows_before)


def _with_footer(file: ExportFile, folder: Path) -> Path:
    """Return a file of this machine with the footer: a sparse copy of a file that is at an address."""
    check_visible(file)
    if isinstance(file.place, Path):
        return file.place
    copy = folder / f"{file.source}.parquet"
    if not copy.exists():
        with copy.open("wb") as sparse:
            sparse.truncate(file.size)
        copy_pieces_in_place(file, [(file.size - _TAIL_BYTES, file.size)], copy)
        with copy.open("rb") as sparse:
            sparse.seek(-_TAIL_BYTES, 2)
            size = int.from_bytes(sparse.read(4), "little")
        # If that is more than the file has, it is damaged, which shows when it is read.
        start = max(file.size - _TAIL_BYTES - size, 0)
        copy_pieces_in_place(file, [(start, file.size - _TAIL_BYTES)], copy)
    return copy


def _chunks(metadata: Any, groups: Iterable[int], columns: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield where the values of some columns are in the file."""
    for number in groups:
        group = metadata.row_group(number)
        for index in range(group.num_columns):
            chunk = group.column(index)
            # A column of structs has several chunks.
            if chunk.path_in_schema.partition(".")[0] in columns:
                starts = (chunk.dictionary_page_offset, chunk.data_page_offset)
                start = min(offset for offset in starts if offset)
                yield start, start + chunk.total_compressed_size
