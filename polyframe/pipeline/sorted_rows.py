"""Locate and read rows that are sorted into numbered ranges of subjects, in files of Arrow messages.

A file contains the rows of each range one after another, as one or more record batches, so that the rows of a
range are one piece of the file: some consecutive bytes. To read a range, its pieces are collected from all
files.
"""

import contextlib
import functools
import itertools
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from polyframe.core.addresses import Place
from polyframe.core.arrays import Ints, ShortInts
from polyframe.core.atomic_files import cannot_write
from polyframe.core.errors import PolyframeError, first_line
from polyframe.core.ragged import cut_by_work
from polyframe.store.objects import Objects

#: Pieces that are read from a bucket at a time: most of the time of a request is spent waiting;
_READS_AT_ONCE: Final = 16
#: but no more bytes than these, unless it is a single piece.
_BYTES_AT_ONCE: Final = 64_000_000

#: Where pieces are, see `SortedRows`.
Pieces: TypeAlias = npt.NDArray[np.void]
PIECE: Final = np.dtype([("file", np.int32), ("start", np.int64), ("end", np.int64)])


@dataclass(frozen=True)
class RowFiles:
    """A place for files of rows.

    Attributes
    ----------
    objects : Objects
        A folder or a bucket.
    prefix : str
        The first part of the keys of the files, such as `rows/0123/`; their names follow.
    """

    objects: Objects
    prefix: str = ""

    def place_of(self, name: str) -> Place:
        """Return where a file is."""
        return self.objects.place_of(f"{self.prefix}{name}")

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[Any]:
        """Open a new file of Arrow for writing. Nobody may know its name before the body is done."""
        import pyarrow as pa

        path = self.place_of(name)
        if not isinstance(path, Path):
            with self.objects.writing(f"{self.prefix}{name}") as file:
                yield pa.PythonFile(file, "w")
            return
        # Unlike `Objects.writing`, this does not wait until the file is safe from a power cut.
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with pa.OSFile(str(path), "wb") as file:
                yield file
        except OSError as error:
            raise cannot_write(path, error) from None

    def read_range(self, name: str, start: int, end: int) -> bytes:
        """Return some bytes of a file.

        Raises
        ------
        PolyframeError
            If it does not have them.
        """
        try:
            content = self.objects.read_range(f"{self.prefix}{name}", start, end)
        except FileNotFoundError:
            raise self.damaged(name, "there is no such file") from None
        if len(content) < end - start:
            raise self.damaged(name, "it is too short")
        return content

    def read(self, name: str) -> bytes:
        """Return the content of a file; errors are those of `read_range`."""
        try:
            return self.objects.read(f"{self.prefix}{name}")
        except FileNotFoundError:
            raise self.damaged(name, "there is no such file") from None

    def damaged(self, name: str, reason: str) -> PolyframeError:
        """Return the error for a file that cannot be read."""
        return PolyframeError(f"{self.place_of(name)}: missing or damaged ({reason}). Run the command again.")

    def remove(self, names: Sequence[str]) -> None:
        """Remove files."""
        self.objects.remove(f"{self.prefix}{name}" for name in names)


@dataclass(frozen=True, eq=False)
class Slices:
    """The rows of one range.

    Attributes
    ----------
    files : RowFiles
        Where the files are.
    names : tuple of str
        The file of each piece.
    pieces : (n_pieces,) structured
        Where the pieces are in their files, see `SortedRows`, in the order of the rows.
    """

    files: RowFiles
    names: tuple[str, ...]
    pieces: Pieces


@dataclass(frozen=True, eq=False)
class SortedRows:
    """Rows in files, sorted by the number of their range.

    Attributes
    ----------
    files : RowFiles
        Where the files are.
    names : tuple of str
        Of the files.
    pieces : (n_pieces,) structured
        By range, and within it in the order of the rows: the number of the `file`, and the `start` and `end`
        of its bytes.
    ranges : (n_pieces,) int
        The range of each piece, increasing.
    bytes : int
        Size of the files.
    """

    files: RowFiles
    names: tuple[str, ...]
    pieces: Pieces
    ranges: ShortInts
    bytes: int

    def rows_of(self, number: int) -> Slices:
        """Return the rows of a range, by its number."""
        begin, end = np.searchsorted(self.ranges, np.array([number, number + 1], np.int32))
        pieces = self.pieces[begin:end]
        return Slices(self.files, tuple(self.names[file] for file in pieces["file"].tolist()), pieces)


def pieces_of_file(file: int, ends: Ints) -> Pieces:
    """Return consecutive pieces of a file.

    Parameters
    ----------
    file : int
        Its number.
    ends : (n_pieces + 1,) int
        Where the first piece begins, and each one ends.
    """
    pieces = np.empty(len(ends) - 1, PIECE)
    pieces["file"], pieces["start"], pieces["end"] = file, ends[:-1], ends[1:]
    return pieces


def join_sorted(sorted_rows: Sequence[SortedRows], files: RowFiles) -> SortedRows:
    """Join the files of several parts of an export, in the order of its rows.

    Parameters
    ----------
    sorted_rows : sequence of SortedRows
        Their files are in the same place.
    files : RowFiles
        This place.
    """
    names = tuple(itertools.chain.from_iterable(one.names for one in sorted_rows))
    if not names:
        return SortedRows(files, (), np.empty(0, PIECE), np.empty(0, np.int32), 0)
    pieces = np.concatenate([one.pieces for one in sorted_rows])
    files_before = np.cumsum([0, *(len(one.names) for one in sorted_rows)])[:-1]
    pieces["file"] += np.repeat(files_before, [len(one.pieces) for one in sorted_rows]).astype(np.int32)
    ranges = np.concatenate([one.ranges for one in sorted_rows])
    if np.any(ranges[1:] < ranges[:-1]):
        order = np.argsort(ranges, kind="stable")
        pieces, ranges = pieces[order], ranges[order]
    return SortedRows(files, names, pieces, ranges, sum(one.bytes for one in sorted_rows))


def copy_into_one_file(rows: SortedRows, files: RowFiles, name: str) -> SortedRows:
    """Copy the pieces of several files into one file, in which each range is one piece.

    Parameters
    ----------
    rows : SortedRows
    files : RowFiles
        The place of the new file.
    name : str
        Its name.
    """
    if not len(rows.pieces):
        return join_sorted([], files)
    ends = [0]
    with files.writing(name) as file:
        for path, (_, start, end) in zip(
            (rows.names[number] for number in rows.pieces["file"].tolist()), rows.pieces.tolist(), strict=True
        ):
            file.write(rows.files.read_range(path, start, end))
            ends.append(ends[-1] + end - start)
    is_last = np.append(rows.ranges[1:] != rows.ranges[:-1], True)
    pieces = pieces_of_file(0, np.array(ends)[np.append(0, np.flatnonzero(is_last) + 1)])
    return SortedRows(files, (name,), pieces, rows.ranges[is_last], ends[-1])


def new_name() -> str:
    """Return a name for a file of rows that no other attempt uses.

    A worker that is believed dead may go on while others already read what the next attempt wrote.
    """
    return f"{uuid.uuid4().int:039d}.arrow"


def read_slices(slices: Slices, schema: pl.Schema) -> pl.DataFrame:
    """Read the rows of a range.

    Parameters
    ----------
    slices : Slices
    schema : polars.Schema
        Their columns.

    Raises
    ------
    PolyframeError
        If a file is missing or damaged.
    """
    import pyarrow as pa

    batches = list(itertools.chain.from_iterable(_batches(slices, schema)))
    if not batches:
        return pl.DataFrame(schema=schema)
    frame = pl.from_arrow(pa.Table.from_batches(batches))
    assert isinstance(frame, pl.DataFrame)
    return frame


def read_pieces(slices: Slices, schema: pl.Schema) -> Iterator[pl.DataFrame]:
    """Read the rows of a range in bounded memory, piece by piece; errors are those of `read_slices`."""
    import pyarrow as pa

    for batches in _batches(slices, schema):
        frame = pl.from_arrow(pa.Table.from_batches(batches))
        assert isinstance(frame, pl.DataFrame)
        yield frame


def arrow_table(rows: pl.DataFrame) -> Any:
    """Return rows as they are written."""
    return rows.to_arrow(compat_level=pl.CompatLevel.oldest())


def _batches(slices: Slices, schema: pl.Schema) -> Iterator[list[Any]]:
    """Read the record batches of each piece."""
    import pyarrow as pa

    columns = _arrow_schema(tuple(schema.items()))
    for name, content in zip(slices.names, _contents(slices), strict=True):
        batches = []
        try:
            reader = pa.BufferReader(content)
            while reader.tell() < len(content):
                batches.append(pa.ipc.read_record_batch(pa.ipc.read_message(reader), columns))
        except (OSError, pa.ArrowException) as error:
            raise slices.files.damaged(name, first_line(error)) from None
        yield batches


@functools.cache
def _arrow_schema(columns: tuple[tuple[str, Any], ...]) -> Any:
    """Return the columns of files of rows as Arrow has them."""
    return arrow_table(pl.DataFrame(schema=dict(columns))).schema


def _contents(slices: Slices) -> Iterator[bytes]:
    """Read the bytes of each piece, from a bucket several at a time."""
    starts, ends = slices.pieces["start"], slices.pieces["end"]
    pieces = list(zip(slices.names, starts.tolist(), ends.tolist(), strict=True))
    if isinstance(slices.files.objects.place, Path) or len(pieces) < 2:
        yield from itertools.starmap(slices.files.read_range, pieces)
        return
    with ThreadPoolExecutor(_READS_AT_ONCE) as threads:
        for begin, end in itertools.pairwise(cut_by_work(ends - starts, _BYTES_AT_ONCE)):
            yield from threads.map(lambda piece: slices.files.read_range(*piece), pieces[begin:end])
