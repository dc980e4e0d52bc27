"""Detect the kind of a file from its first bytes, and read it decompressed."""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import pyarrow as pa

from polyframe.core.callbacks import Advance, no_advance
from polyframe.core.errors import PolyframeError, no_such_file

Kind = Literal["csv", "gzip", "zstd", "parquet"]

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
#: Skippable frames may precede the content: 0x184D2A50 to 0x184D2A5F, little-endian.
_ZSTD_SKIPPABLE: Final = b"\x2a\x4d\x18"
_PARQUET: Final = b"PAR1"
_ZIP: Final = b"PK\x03\x04"
#: Workbooks are zip archives as well.
_WORKBOOKS: Final = (".xlsx", ".xlsm", ".ods")
_OTHER_KINDS: Final = {
    _ZIP: "a zip archive; unpack it first",
    b"\x89PNG": "a PNG image",
    b"%PDF": "a PDF document",
    b"BZh": "compressed with bzip2; decompress it first",
    b"\xfd7zXZ": "compressed with xz; decompress it first",
    b"7z\xbc\xaf": "a 7z archive; unpack it first",
    b"\xd0\xcf\x11\xe0": "an Excel workbook; save it as CSV in UTF-8",
    b"ARROW1": "an Arrow file; write it as Parquet, or pass it as a frame",
}
#: Of a login page, or of an error message that was saved as a file.
_PAGES: Final = {
    b"<!doctype html": "a web page (HTML), such as a login page; download the export again",
    b"<html": "a web page (HTML), such as a login page; download the export again",
    b"<?xml": "an XML document, such as an error message of a server; download the export again",
}
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
#: The first bytes of a file that show its kind.
START_BYTES: Final = 64
_BLOCK_BYTES: Final = 64 * 1024
_PLAIN_BLOCK_BYTES: Final = 1 << 20
#: The value of `wbits` for gzip.
_GZIP_FORMAT: Final = 31


def file_kind(path: Path, name: str) -> Kind:
    """Return the kind of a file, from its first bytes.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        Its name in messages.

    Returns
    -------
    {"csv", "gzip", "zstd", "parquet"}
        `csv` if it is none of the others; `columns.open_csv` checks further.

    Raises
    ------
    PolyframeError
        If it is missing, a directory, not readable, or of a kind that cannot be an export.
    """
    try:
        with path.open("rb") as file:
            start = file.read(START_BYTES)
    except FileNotFoundError:
        raise PolyframeError(no_such_file(name)) from None
    except IsADirectoryError:
        raise PolyframeError(
            f"{name}: is a directory; name the files in it, such as '{name}/*.csv'"
        ) from None
    except OSError as error:
        raise PolyframeError(f"{name}: cannot be read ({error.strerror or error})") from None
    return checked_kind(start, name)


def checked_kind(start: bytes, name: str) -> Kind:
    """Return the kind of a file by its first `START_BYTES`, see `file_kind`."""
    for magic, kind in _OTHER_KINDS.items():
        if start.startswith(magic):
            if magic == _ZIP and Path(name).suffix.lower() in _WORKBOOKS:
                kind = "a workbook; save it as CSV in UTF-8"
            raise PolyframeError(f"{name}: is {kind}; expected a classification export (CSV or Parquet)")
    text = start.removeprefix(_BYTE_ORDER_MARK).lstrip().lower()
    for beginning, kind in _PAGES.items():
        if text.startswith(beginning):
            raise PolyframeError(f"{name}: is {kind}; expected a classification export (CSV or Parquet)")
    return kind_of_start(start)


def kind_of_start(start: bytes) -> Kind:
    """Return the kind of a file by its first bytes, at least 4; `csv` if it is none of the others."""
    if start.startswith(_PARQUET):
        return "parquet"
    if start.startswith(_GZIP):
        return "gzip"
    if start.startswith(_ZSTD) or (start[1:4] == _ZSTD_SKIPPABLE and start[0] >> 4 == 5):
        return "zstd"
    return "csv"


def has_skippable_start(path: Path) -> bool:
    """Return whether a zstd file starts with a skippable frame, which Polars does not support."""
    with path.open("rb") as file:
        return file.read(4)[1:] == _ZSTD_SKIPPABLE


def blocks(path: Path, kind: Kind, damage: list[str], advance: Advance = no_advance) -> Iterator[bytes]:
    """Yield the decompressed bytes of a file, up to any damage.

    Parameters
    ----------
    path : Path
        The file.
    kind : {"csv", "gzip", "zstd"}
        Its compression.
    damage : list of str
        Receives the reason if the file cannot be read to its end, such as `the gzip file is truncated`.
    advance : callable
        Receives how many bytes of the file are read, before they are decompressed.
    """
    if kind == "zstd":
        yield from _from_zstd(path, damage, advance)
    elif kind == "gzip":
        yield from _from_gzip(path, damage, advance)
    else:
        with path.open("rb") as file:
            while block := file.read(_PLAIN_BLOCK_BYTES):
                advance(len(block))
                yield block


def _from_gzip(path: Path, damage: list[str], advance: Advance) -> Iterator[bytes]:
    decompressor = zlib.decompressobj(_GZIP_FORMAT)
    with path.open("rb") as file:
        while compressed := file.read(_BLOCK_BYTES):
            advance(len(compressed))
            while compressed:
                if decompressor.eof:
                    # A file may be padded with zeros, which are not another member.
                    compressed = compressed.lstrip(b"\0")
                    if not compressed:
                        break
                    decompressor = zlib.decompressobj(_GZIP_FORMAT)
                try:
                    # All of these bytes at once, since what zlib returns just before it detects damage is
                    # garbage. That is at most a thousand times as many bytes, yielded in pieces.
                    decompressed = decompressor.decompress(compressed)
                except zlib.error:
                    damage.append("the gzip file is damaged")
                    return
                for start in range(0, len(decompressed), _BLOCK_BYTES):
                    yield decompressed[start : start + _BLOCK_BYTES]
                compressed = decompressor.unused_data
    if not decompressor.eof:
        damage.append("the gzip file is truncated")


def _from_zstd(path: Path, damage: list[str], advance: Advance) -> Iterator[bytes]:
    with pa.OSFile(str(path)) as file, pa.CompressedInputStream(file, "zstd") as stream:
        read = 0
        while True:
            try:
                block = stream.read(_BLOCK_BYTES)
            except OSError as error:
                damage.append(_zstd_damage(str(error)))
                return
            advance(file.tell() - read)
            read = file.tell()
            if not block:
                return
            yield block


def _zstd_damage(message: str) -> str:
    if "Truncated" in message:
        return "the zstd file is truncated"
    if "too much memory" in message:
        return (
            "the zstd file needs too much memory to decompress; compress it again without --long or --ultra"
        )
    return "the zstd file is damaged"
