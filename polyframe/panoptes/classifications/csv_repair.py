"""Detect malformed CSV before it costs memory, and read it with a tolerant parser.

A truncated download or a stray quote makes a strict CSV parser give up on the whole file. The parser here
reads one line at a time, keeps every row that it can, and joins lines only if that gives a row with as many
fields as the header.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Final, Self

import polars as pl

from polyframe.core.callbacks import Advance, no_advance
from polyframe.core.frames import clean_name
from polyframe.panoptes.classifications.compression import Kind, blocks
from polyframe.panoptes.classifications.csv_survey import (
    SHORTEST_ROW_BYTES,
    Survey,
    survey_block,
    surveys_of_file,
)

#: A row that spans more lines is an unclosed quote.
_LONGEST_ROW_IN_LINES: Final = 1000
#: Up to this many short and blank rows are parsed by Polars, which needs 300 bytes of memory for each.
_MOST_SHORT_ROWS: Final = 100_000
#: A file with more unusable rows that are not blank is not an export: a spreadsheet has 1,048,576 rows. They
#: are all rejected in one partition, which needs about 700 bytes of memory for each.
MOST_UNUSABLE_ROWS: Final = 1_200_000
#: Largest size of a row; the drawings of a classification normally have a thousandth of it.
LONGEST_ROW_BYTES: Final = 32 * 1024 * 1024
#: Name of the column of row numbers; no export has a column of this name.
ROW_NUMBER: Final = "\0row"
_BATCH_BYTES: Final = 32 * 1024 * 1024
#: So much of a file is split into lines at a time.
_PORTION_BYTES: Final = 64 * 1024
#: Approximate memory of a row besides its text.
_ROW_BYTES: Final = 500
_LARGEST_FIELD: Final = 2**31 - 1
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
#: Replaces the cells that a too long row has lost, so that no truncated cell looks complete.
_TRUNCATED_CELL: Final = "[cut: the row is too long]"
#: Sixteen or more consecutive blank lines, which are handled as one block.
_BLANK_LINES: Final = re.compile(rb"(?:\r?\n){16,}")


class TooManyUnusableRowsError(Exception):
    """A file has more unusable rows than any damaged export."""


class _Truncated(str):
    """The start of a line that is longer than a row may be."""

    __slots__ = ()


class _BlankLines(str):
    """Many consecutive blank lines, with their line ends."""

    __slots__ = ()


class _BlankRows(list[str]):
    """The rows of many blank lines: `count` rows without fields."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count_of_rows = count


def count_rows_if_well_formed(path: Path, kind: Kind, advance: Advance = no_advance) -> int | None:
    """Count the rows of a CSV file if a strict parser reads all of them in bounded memory.

    To a strict parser, everything after a stray quote up to the next one is a single cell: it loses the rows
    in it, and if the next quote is far, Polars needs six times the size of the cell in memory. So the lines
    that end within quotes are counted first, which takes a third of a second for a gigabyte; normally there
    are none. If there are some, the tolerant parser distinguishes cells of several lines from lost rows. It
    also reads files with very many blank lines and short rows, for which Polars needs 300 times their size.

    Parameters
    ----------
    path : Path
        The file.
    kind : {"csv", "gzip", "zstd"}
        Its compression; a damaged file is not well formed.
    advance : callable
        See `compression.blocks`.

    Returns
    -------
    int or None
        Without the header, with blank lines; None if it is not well formed.

    Raises
    ------
    TooManyUnusableRowsError
        If it has more than `MOST_UNUSABLE_ROWS` lines that are too short to be rows and not blank.
    """
    damage: list[str] = []
    survey = None
    for survey in surveys_of_file(map(survey_block, blocks(path, kind, damage, advance))):
        check_usable(survey)
        if survey.last > LONGEST_ROW_BYTES:
            return None
    if survey is None:
        return None if damage else 0
    if damage or not looks_well_formed(survey):
        return None
    if survey.quoted_line_ends and count_rows(path, kind, len(read_header(path, kind))) != survey.rows:
        return None
    return survey.rows - 1


def check_usable(survey: Survey) -> None:
    """Raise a `TooManyUnusableRowsError` if a file has more short rows than any damaged export."""
    if survey.short > MOST_UNUSABLE_ROWS:
        raise TooManyUnusableRowsError


def looks_well_formed(survey: Survey) -> bool:
    """Return whether a file is well formed, unless its line ends within quotes show the contrary."""
    too_long = max(survey.longest, survey.last) > LONGEST_ROW_BYTES
    return not (survey.ends_in_quotes or too_long or survey.blank + survey.short > _MOST_SHORT_ROWS)


def count_rows(path: Path, kind: Kind, width: int) -> int | None:
    """Count the rows of a CSV file, with its header, as the tolerant parser reads them.

    Parameters
    ----------
    path, kind
        The file and its compression.
    width : int
        Number of columns.

    Returns
    -------
    int or None
        None if the file ends within a row.
    """
    lines = _EndingLines(_lines(path, kind, []))
    rows = sum(map(_count, _records(lines, width)))
    return rows if lines.ends == 1 else None


class _EndingLines:
    """Lines that count how often a reader met their end."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.ends = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        for line in self._lines:
            return line
        self.ends += 1
        raise StopIteration


def _count(fields: list[str]) -> int:
    return fields.count_of_rows if isinstance(fields, _BlankRows) else 1


def read_header(path: Path, kind: Kind) -> list[str]:
    """Return the column names of a CSV file without blanks around them; empty if it has none."""
    return list(map(clean_name, next(_records(_lines(path, kind, []), None), [])))


def repair_csv(
    path: Path, kind: Kind, folder: Path, selected: Sequence[str], advance: Advance = no_advance
) -> str:
    """Copy a malformed CSV file to Parquet, row by row, for `open_repaired`.

    Of a row longer than `LONGEST_ROW_BYTES`, only the complete cells within that size are kept.

    Parameters
    ----------
    path : Path
        The file. Bytes that are not UTF-8 become replacement characters. A damaged or truncated compressed
        file is read up to the damage.
    kind : {"csv", "gzip", "zstd"}
        Its compression.
    folder : Path
        The folder for the copy; it is created.
    selected : sequence of str
        The columns to copy, if the file has them.
    advance : callable
        See `compression.blocks`.

    Returns
    -------
    str
        A note on what was wrong.

    Raises
    ------
    TooManyUnusableRowsError
        As from `count_rows_if_well_formed`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    damage: list[str] = []
    # One reader for all: it may have looked at the rows after the header, for the end of a quote.
    records = _records(_lines(path, kind, damage, advance), None)
    names = list(map(clean_name, next(records, [])))
    columns = [name for name in selected if name in names]
    places = [names.index(name) for name in columns]
    schema = {ROW_NUMBER: pl.UInt32, **dict.fromkeys(columns, pl.String)}
    batch: list[tuple[int | str | None, ...]] = []
    size = parts = row = blank = short = 0

    def write() -> None:
        frame = pl.DataFrame(batch, schema=schema, orient="row")
        frame.write_parquet(folder / f"{parts:06d}.parquet", compression="lz4")

    for fields in records:
        row += _count(fields)
        blank += 0 if fields else _count(fields)
        if isinstance(fields, _BlankRows):
            continue
        row_size = sum(map(len, fields))
        if fields and row_size + len(fields) < SHORTEST_ROW_BYTES:
            short += 1
            if short > MOST_UNUSABLE_ROWS:
                raise TooManyUnusableRowsError
        batch.append((row, *(fields[place] or None if place < len(fields) else None for place in places)))
        size += _ROW_BYTES + row_size
        if size >= _BATCH_BYTES:
            write()
            batch, size, parts = [], 0, parts + 1
    write()
    if damage:
        note = f"{damage[0]} after row {row}"
    else:
        note = f"has {blank:,} blank lines" if blank > _MOST_SHORT_ROWS else "malformed CSV"
    return f"{note}; read line by line"


def open_repaired(folder: Path) -> pl.LazyFrame:
    """Open what `repair_csv` wrote: `ROW_NUMBER` (from 1) and the selected columns, null if empty."""
    return pl.scan_parquet(sorted(folder.glob("*.parquet")), glob=False)


def _lines(path: Path, kind: Kind, damage: list[str], advance: Advance = no_advance) -> Iterator[str]:
    """Yield the lines of a file with their ends; too long lines are truncated."""
    pieces: list[bytes] = []
    size = 0
    first = True
    for block in chain(_portions(blocks(path, kind, damage, advance)), [b""]):
        for piece, is_blank in _pieces(block):
            if is_blank and not size and not first:
                yield _BlankLines(_decoded(piece, False))
                continue
            *lines, rest = piece.split(b"\n")
            if not block and pieces:
                lines = [b""]
            for line in lines:
                end = b"\n" if block else b""
                if size + len(line) > LONGEST_ROW_BYTES:
                    start = b"".join([*pieces, line])[:LONGEST_ROW_BYTES]
                    yield _Truncated(_decoded(start, first))
                else:
                    yield _decoded(b"".join([*pieces, line, end]), first)
                pieces, size, first = [], 0, False
            # The rest of a too long row is read but not kept.
            if rest and size <= LONGEST_ROW_BYTES:
                pieces.append(rest)
            size += len(rest)


def _portions(whole: Iterable[bytes]) -> Iterator[bytes]:
    """Cut blocks into smaller ones, since often only the first line is needed."""
    for block in whole:
        for start in range(0, len(block), _PORTION_BYTES):
            yield block[start : start + _PORTION_BYTES]


def _pieces(block: bytes) -> Iterator[tuple[bytes, bool]]:
    """Split a block into runs of many blank lines and the text between them."""
    start = 0
    for blank in _BLANK_LINES.finditer(block):
        # The first line end belongs to the previous line.
        begin = block.index(b"\n", blank.start()) + 1
        yield block[start:begin], False
        yield block[begin : blank.end()], True
        start = blank.end()
    yield block[start:], False


def _decoded(line: bytes, first: bool) -> str:
    return (line.removeprefix(_BYTE_ORDER_MARK) if first else line).decode("utf-8", errors="replace")


def _records(lines: Iterator[str], width: int | None) -> Iterator[list[str]]:
    """Yield the fields of each row; lines are joined only if that gives `width` fields.

    If `width` is None, the first row decides: it is the header.
    """
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
        if isinstance(line, _Truncated):
            whole = fields[:-1]
            fields = whole + [_TRUNCATED_CELL] * max(1, (width or 0) - len(whole))
        elif _quotes_open(line):
            joined, taken = _join(line, waiting, lines, width)
            if joined is None:
                waiting.extend(reversed(taken))
            else:
                fields = joined
        width = len(fields) if width is None else width
        yield fields


def _join(
    line: str, waiting: list[str], lines: Iterator[str], width: int | None
) -> tuple[list[str] | None, list[str]]:
    """Join lines until the quote that `line` leaves open is closed.

    Returns the fields and no lines, or None and the lines to read again.
    """
    taken: list[str] = []
    n_lines, size = 0, len(line)
    still_open = True
    while still_open and n_lines < _LONGEST_ROW_IN_LINES and size <= LONGEST_ROW_BYTES:
        next_line = waiting.pop() if waiting else next(lines, None)
        if next_line is None:
            break
        taken.append(next_line)
        if isinstance(next_line, _Truncated):
            break
        n_lines += next_line.count("\n") if isinstance(next_line, _BlankLines) else 1
        size += len(next_line)
        still_open ^= _quotes_open(next_line)
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
        # A line break outside quotes; only the fields before it can be separated.
        return next(csv.reader(text.splitlines()[:1]), [])
