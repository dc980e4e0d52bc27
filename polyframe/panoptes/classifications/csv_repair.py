"""CSV that is not well formed: found before it costs memory, and read by a tolerant reader.

A download that broke off, or one stray quote, makes a strict CSV reader give up on the whole file. The reader
here takes one line at a time, keeps every row it can, and joins lines only where that gives a row with as
many fields as the header.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Ints
from polyframe.core.frames import clean_name
from polyframe.panoptes.classifications.compression import Kind, blocks

#: How many lines one row may span before it is taken for an unclosed quote.
_LONGEST_ROW_IN_LINES: Final = 1000
#: A row of fewer bytes, with its line end, cannot be used: the columns that are needed take more.
_SHORTEST_ROW_BYTES: Final = 20
#: So many of them, blank lines and those that a spreadsheet leaves below a table included, are left to
#: Polars, which takes three hundred bytes for each however short it is.
_MOST_SHORT_ROWS: Final = 100_000
#: More rows that are not blank and yet of no subject are no damaged export: a spreadsheet has 1,048,576
#: rows. All of them are rejected in one partition, which takes about 700 bytes of memory for each.
MOST_NONSENSE_ROWS: Final = 1_200_000
#: How many bytes one row may have; the drawings of a classification have a thousandth of it.
LONGEST_ROW_BYTES: Final = 32 * 1024 * 1024
#: What the row numbers are called while they are read; no export has a column of this name.
ROW_NUMBER: Final = "\0row"
_BATCH_BYTES: Final = 32 * 1024 * 1024
#: What a row weighs in memory beside its text, roughly.
_ROW_BYTES: Final = 500
_LARGEST_FIELD: Final = 2**31 - 1
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_QUOTE: Final = ord('"')
_LINE_END: Final = ord("\n")
_RETURN: Final = ord("\r")
#: Stands in the cells that a row which is too long has lost, so that no cell that was cut passes for whole.
_CUT_CELL: Final = "[cut: the row is too long]"


#: So many blank lines behind one another are handed on as one piece.
_BLANK_LINES: Final = re.compile(rb"(?:\r?\n){16,}")


class NonsenseError(Exception):
    """A file has more lines that cannot be rows of an export than any that was damaged."""


class _Cut(str):
    """The start of a line that is longer than a row may be."""

    __slots__ = ()


class _BlankLines(str):
    """Many blank lines behind one another, with their ends."""

    __slots__ = ()


class _BlankRows(list[str]):
    """What many blank lines are: rows without fields, `count` of them."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count_of_rows = count


def is_well_formed(path: Path, kind: Kind) -> bool:
    """Tell whether a strict reader finds every row of a CSV file, in memory that does not grow with it.

    After a stray quote everything up to the next one is a single cell to a strict reader: it says nothing of
    the rows in it, and where the next quote is far, Polars takes six times the size of all that in memory.
    So the lines that end within quotes are counted first, a third of a second for a gigabyte; an export has
    none. Where there are some, the tolerant reader tells cells of several lines from lost rows. It also reads
    files with very many blank lines and rows of a few bytes, which Polars makes three hundred times as large.

    Parameters
    ----------
    path : Path
        The file.
    kind : {"csv", "gzip", "zstd"}
        How it is packed; one that is damaged is not well formed.

    Raises
    ------
    NonsenseError
        Where it has more lines than `MOST_NONSENSE_ROWS` that are neither blank nor long enough to be rows.
    """
    damage: list[str] = []
    rows = since = blank = short = 0
    within = in_quotes = False
    last = b"\n"
    for block in blocks(path, kind, damage):
        line_ends, outside, in_quotes = _line_ends(np.frombuffer(block, np.uint8), in_quotes)
        row_ends = line_ends[outside]
        rows += len(row_ends)
        within |= len(row_ends) < len(line_ends)
        lengths = np.diff(row_ends, prepend=-1 - since)
        # Lines of a carriage return alone are blank too; block[-1] stands for what was before the block.
        returns = (lengths == 2) & (np.frombuffer(block, np.uint8)[row_ends - 1] == _RETURN)
        blank_here = int(np.count_nonzero(lengths == 1) + np.count_nonzero(returns))
        blank += blank_here
        short += int(np.count_nonzero(lengths < _SHORTEST_ROW_BYTES)) - blank_here
        if short > MOST_NONSENSE_ROWS:
            raise NonsenseError
        since = len(block) - int(row_ends[-1]) if len(row_ends) else since + len(block)
        if since > LONGEST_ROW_BYTES:
            return False
        last = block[-1:] or last
    if damage or in_quotes or blank + short > _MOST_SHORT_ROWS:
        return False
    if not within:
        return True
    width = len(read_header(path, kind))
    return sum(map(_count, _records(_lines(path, kind, []), width))) == rows + (last != b"\n")


def _count(fields: list[str]) -> int:
    return fields.count_of_rows if isinstance(fields, _BlankRows) else 1


def _line_ends(block: NDArray[np.uint8], in_quotes: bool) -> tuple[Ints, Flags, bool]:
    """Return where lines end, which of them end outside quotes, and whether the block ends within some."""
    line_ends = np.flatnonzero(block == _LINE_END)
    if not len(block):
        return line_ends, np.ones(0, np.bool_), in_quotes
    starts = np.concatenate([np.zeros(1, np.int64), line_ends])
    odd = np.bitwise_xor.reduceat((block == _QUOTE).view(np.uint8), starts)
    odd[0] ^= in_quotes
    inside = np.bitwise_xor.accumulate(odd).view(np.bool_)
    return line_ends, ~inside[:-1], bool(inside[-1])


def read_header(path: Path, kind: Kind) -> list[str]:
    """Return the column names of a CSV file, without blanks around them; empty where it has none."""
    return list(map(clean_name, next(_records(_lines(path, kind, []), None), [])))


def repair_csv(path: Path, kind: Kind, folder: Path, wanted: Sequence[str]) -> str:
    """Copy a CSV file that is not well formed to Parquet, row by row, for `open_repaired`.

    Of a row that is longer than `LONGEST_ROW_BYTES`, the cells before that place are kept; the others say so.

    Parameters
    ----------
    path : Path
        The file. Bytes that are no UTF-8 become replacement characters. Of a packed file that is damaged or
        breaks off, everything before that place is read.
    kind : {"csv", "gzip", "zstd"}
        How it is packed.
    folder : Path
        Where the copy goes; made.
    wanted : sequence of str
        The columns to copy, where the file has them.

    Returns
    -------
    str
        What was wrong, for people.

    Raises
    ------
    NonsenseError
        As from `is_well_formed`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    damage: list[str] = []
    lines = _lines(path, kind, damage)
    names = list(map(clean_name, next(_records(lines, None), [])))
    kept = [name for name in wanted if name in names]
    places = [names.index(name) for name in kept]
    schema = {ROW_NUMBER: pl.UInt32, **dict.fromkeys(kept, pl.String)}
    batch: list[tuple[int | str | None, ...]] = []
    size = parts = row = blank = short = 0

    def write() -> None:
        frame = pl.DataFrame(batch, schema=schema, orient="row")
        frame.write_parquet(folder / f"{parts:06d}.parquet", compression="lz4")

    for fields in _records(lines, len(names)):
        row += _count(fields)
        blank += 0 if fields else _count(fields)
        if isinstance(fields, _BlankRows):
            continue
        row_size = sum(map(len, fields))
        if fields and row_size + len(fields) < _SHORTEST_ROW_BYTES:
            short += 1
            if short > MOST_NONSENSE_ROWS:
                raise NonsenseError
        batch.append((row, *(fields[place] or None if place < len(fields) else None for place in places)))
        size += _ROW_BYTES + row_size
        if size >= _BATCH_BYTES:
            write()
            batch, size, parts = [], 0, parts + 1
    write()
    if damage:
        note = f"{damage[0]} after row {row}"
    else:
        note = f"has {blank:,} blank lines" if blank > _MOST_SHORT_ROWS else "is no well-formed CSV"
    return f"{note}; read line by line"


def open_repaired(folder: Path) -> pl.LazyFrame:
    """Open what `repair_csv` wrote: `ROW_NUMBER` (from 1) and the wanted columns, null if empty."""
    return pl.scan_parquet(sorted(folder.glob("*.parquet")), glob=False)


def _lines(path: Path, kind: Kind, damage: list[str]) -> Iterator[str]:
    """Yield the lines of a file with their ends, those that are too long cut."""
    pieces: list[bytes] = []
    size = 0
    first = True
    for block in chain(blocks(path, kind, damage), [b""]):
        for stretch, is_blank in _stretches(block):
            if is_blank and not size and not first:
                yield _BlankLines(_decoded(stretch, False))
                continue
            *lines, rest = stretch.split(b"\n")
            if not block and pieces:
                lines = [b""]
            for line in lines:
                end = b"\n" if block else b""
                if size + len(line) > LONGEST_ROW_BYTES:
                    start = b"".join([*pieces, line])[:LONGEST_ROW_BYTES]
                    yield _Cut(_decoded(start, first))
                else:
                    yield _decoded(b"".join([*pieces, line, end]), first)
                pieces, size, first = [], 0, False
            # What is beyond the longest row is read, but not kept.
            if rest and size <= LONGEST_ROW_BYTES:
                pieces.append(rest)
            size += len(rest)


def _stretches(block: bytes) -> Iterator[tuple[bytes, bool]]:
    """Cut a block into blank lines, where there are many behind one another, and all the rest."""
    start = 0
    for blank in _BLANK_LINES.finditer(block):
        # The first line end is that of the line before.
        begin = block.index(b"\n", blank.start()) + 1
        yield block[start:begin], False
        yield block[begin : blank.end()], True
        start = blank.end()
    yield block[start:], False


def _decoded(line: bytes, first: bool) -> str:
    return (line.removeprefix(_BYTE_ORDER_MARK) if first else line).decode("utf-8", errors="replace")


def _records(lines: Iterator[str], width: int | None) -> Iterator[list[str]]:
    """Yield the fields of each row; lines are joined only where that gives `width` fields."""
    csv.field_size_limit(_LARGEST_FIELD)
    waiting: list[str] = []
    while True:
        line = waiting.pop() if waiting else next(lines, None)
        if line is None:
            return
        if isinstance(line, _BlankLines):
            yield _BlankRows(line.count("\n"))
            continue
        fields = _split(line)
        if isinstance(line, _Cut):
            whole = fields[:-1]
            fields = whole + [_CUT_CELL] * max(1, (width or 0) - len(whole))
        elif _quotes_open(line):
            joined, taken = _join(line, waiting, lines, width)
            if joined is None:
                waiting.extend(reversed(taken))
            else:
                fields = joined
        yield fields


def _join(
    line: str, waiting: list[str], lines: Iterator[str], width: int | None
) -> tuple[list[str] | None, list[str]]:
    """Read on until the quote that `line` leaves open is closed.

    Returns the fields and nothing, or None and the lines that were read in vain.
    """
    taken: list[str] = []
    n_lines, size = 0, len(line)
    still_open = True
    while still_open and n_lines < _LONGEST_ROW_IN_LINES and size <= LONGEST_ROW_BYTES:
        following = waiting.pop() if waiting else next(lines, None)
        if following is None:
            break
        taken.append(following)
        if isinstance(following, _Cut):
            break
        n_lines += following.count("\n") if isinstance(following, _BlankLines) else 1
        size += len(following)
        still_open ^= _quotes_open(following)
    if still_open:
        return None, taken
    fields = _split("".join([line, *taken]))
    if width is None or len(fields) == width:
        return fields, []
    return None, taken


def _quotes_open(line: str) -> bool:
    return line.count('"') % 2 == 1


def _split(text: str) -> list[str]:
    try:
        return next(csv.reader([text]), [])
    except csv.Error:
        # A line break outside quotes; what stands before it is all that can be told apart.
        return next(csv.reader(text.splitlines()[:1]), [])
