"""CSV that is not well formed: what is wrong with a file, and a tolerant reader that keeps every row it can.

A download that broke off, or one stray quote, makes a strict CSV reader give up on the whole file. The reader
here takes one line at a time and joins lines only where that gives a row with as many fields as the header.
"""

import codecs
import csv
import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from polyframe._errors import PolyframeError

_GZIP: Final = b"\x1f\x8b"
_MAGIC: Final = {
    b"PK\x03\x04": "a zip archive; unpack it first",
    b"\x89PNG": "a PNG picture",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF document",
}
#: How many lines one row may span before it is taken for an unclosed quote.
_LONGEST_ROW_IN_LINES: Final = 1000
_BATCH_BYTES: Final = 32 * 1024 * 1024
_BLOCK_BYTES: Final = 64 * 1024
#: What zlib calls a gzip header and trailer around deflated data.
_GZIP_FORMAT: Final = 31
_LARGEST_FIELD: Final = 2**31 - 1


def check_readable(path: Path) -> None:
    """Raise a PolyframeError that says why a file cannot be an export, where a look at its start tells.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    PolyframeError
        Where it is missing, a directory, empty, not allowed to be read, of another kind, or not UTF-8.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4096)
        if start.startswith(_GZIP):
            with gzip.open(path) as unpacked:
                start = unpacked.read(4096)
    except FileNotFoundError:
        raise PolyframeError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise PolyframeError(f"{path}: is a directory; expected a CSV file") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise PolyframeError(f"{path}: the gzip file is damaged; download it again") from None
    except OSError as error:
        raise PolyframeError(f"{path}: cannot be read ({error.strerror})") from None
    if not start.strip():
        raise PolyframeError(f"{path}: is empty; expected a classification export (CSV)")
    for magic, kind in _MAGIC.items():
        if start.startswith(magic):
            raise PolyframeError(f"{path}: is {kind}; expected a classification export (CSV)")
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in start.split(b"\n", 1)[0]:
        raise PolyframeError(f"{path}: is not UTF-8 text; save the export as CSV in UTF-8")


def read_header(path: Path) -> list[str]:
    """Return the column names of a CSV file; empty where it has none."""
    return next(_records(_lines(path, []), None), [])


def mend(path: Path, folder: Path, wanted: Sequence[str]) -> tuple[pl.LazyFrame, str]:
    """Copy a CSV file that is not well formed to Parquet, row by row.

    Parameters
    ----------
    path : Path
        CSV, plain or gzip. Bytes that are no UTF-8 become replacement characters. Of a gzip file that is
        damaged or breaks off, everything before that place is read.
    folder : Path
        Where the copy goes; made.
    wanted : sequence of str
        The columns to copy, where the file has them.

    Returns
    -------
    copy : polars.LazyFrame
        `row` (from 1) and the wanted columns as text, missing where empty or where a row is too short.
    note : str
        What was wrong, for people.
    """
    folder.mkdir(parents=True, exist_ok=True)
    damage: list[str] = []
    lines = _lines(path, damage)
    names = next(_records(lines, None), [])
    kept = [name for name in wanted if name in names]
    places = [names.index(name) for name in kept]
    schema = {"row": pl.UInt32, **dict.fromkeys(kept, pl.String)}
    batch: list[tuple[int | str | None, ...]] = []
    size = parts = row = 0

    def write() -> None:
        frame = pl.DataFrame(batch, schema=schema, orient="row")
        frame.write_parquet(folder / f"{parts:06d}.parquet", compression="lz4")

    for row, fields in enumerate(_records(lines, len(names)), start=1):
        batch.append((row, *(fields[place] or None if place < len(fields) else None for place in places)))
        size += sum(map(len, fields))
        if size >= _BATCH_BYTES:
            write()
            batch, size, parts = [], 0, parts + 1
    write()
    note = f"{path}: {damage[0]} after row {row}" if damage else f"{path}: is no well-formed CSV"
    return pl.scan_parquet(sorted(folder.glob("*.parquet")), glob=False), f"{note}; read line by line"


def _lines(path: Path, damage: list[str]) -> Iterator[str]:
    """Yield the lines of a file with their ends; put into `damage` why a gzip file could not be read on."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
    rest = ""
    for block in _blocks(path, damage):
        *lines, rest = (rest + decoder.decode(block)).split("\n")
        yield from (line + "\n" for line in lines)
    rest += decoder.decode(b"", final=True)
    if rest:
        yield rest


def _blocks(path: Path, damage: list[str]) -> Iterator[bytes]:
    """Yield the bytes of a file, unpacked where it is gzip, as far as it can be read."""
    with path.open("rb") as file:
        packed = file.read(len(_GZIP)) == _GZIP
        file.seek(0)
        unpacker = zlib.decompressobj(_GZIP_FORMAT)
        while block := file.read(_BLOCK_BYTES):
            if not packed:
                yield block
                continue
            try:
                yield unpacker.decompress(block)
                while unpacker.eof and unpacker.unused_data.startswith(_GZIP):
                    following = unpacker.unused_data
                    unpacker = zlib.decompressobj(_GZIP_FORMAT)
                    yield unpacker.decompress(following)
            except zlib.error:
                damage.append("the gzip file is damaged")
                return
    if packed and not unpacker.eof:
        damage.append("the gzip file breaks off")


def _records(lines: Iterator[str], width: int | None) -> Iterator[list[str]]:
    """Yield the fields of each row; lines are joined only where that gives `width` fields."""
    csv.field_size_limit(_LARGEST_FIELD)
    waiting: list[str] = []
    while True:
        line = waiting.pop() if waiting else next(lines, None)
        if line is None:
            return
        fields = _split(line)
        if _quotes_open(line):
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
    text = [line]
    still_open = True
    while still_open and len(taken) < _LONGEST_ROW_IN_LINES:
        following = waiting.pop() if waiting else next(lines, None)
        if following is None:
            break
        taken.append(following)
        text.append(following)
        still_open ^= following.count('"') % 2 == 1
    fields = _split("".join(text))
    if not still_open and (width is None or len(fields) == width):
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
