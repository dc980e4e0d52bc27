"""Decompress what servers have compressed, by the header `Content-Encoding`."""

import gzip
import zlib
from pathlib import Path
from typing import Final

from polyframe.core.addresses import Address
from polyframe.core.atomic_files import cannot_write
from polyframe.core.errors import PolyframeError

_GZIP: Final = b"\x1f\x8b"
_BLOCK: Final = 1 << 20
#: Compression that cannot be undone here.
_UNSUPPORTED: Final = ("br", "compress", "deflate")


def check_encoding(encoding: str, name: str | Address) -> None:
    """Raise a PolyframeError if a server has compressed a file in a way that cannot be undone.

    Parameters
    ----------
    encoding : str
        The header `Content-Encoding`; empty if there is none.
    name : str or Address
        The file, for the message.
    """
    unsupported = [part for part in _UNSUPPORTED if part in encoding.replace(" ", "").split(",")]
    if unsupported:
        raise PolyframeError(
            f"{name}: the server compresses it with {unsupported[0]}, which is not supported; download the "
            "file yourself"
        )


def undo_gzip(path: Path, encoding: str, address: Address, largest: int | None = None) -> None:
    """Decompress a downloaded file in place if its server has compressed it with gzip.

    Parameters
    ----------
    path : Path
        The file.
    encoding : str
        The header `Content-Encoding`. Some servers report it for files that are not compressed, which stay as
        they are.
    address : Address
        Its origin, for messages.
    largest : int, optional
        Bytes that it may have.

    Raises
    ------
    PolyframeError
        If it is compressed in another way, damaged or larger, or the disk is full.
    """
    check_encoding(encoding, address)
    if not encoding:
        return
    with path.open("rb") as file:
        if file.read(len(_GZIP)) != _GZIP:
            return
    unpacked = path.with_name(f"{path.name}.unpacked")
    try:
        # Reads all members of the file, and fails if its end is missing.
        with gzip.open(path, "rb") as content, unpacked.open("wb") as target:
            while block := content.read(_BLOCK):
                target.write(block)
                check_size(address, target.tell(), largest)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise PolyframeError(
            f"{address}: the server compressed it with gzip, and it is damaged or incomplete; upload it again"
        ) from None
    except OSError as error:
        raise cannot_write(unpacked, error) from None
    unpacked.replace(path)


def check_size(name: str | Address, size: int, largest: int | None) -> None:
    """Raise a PolyframeError if a file has more bytes than are allowed."""
    if largest is not None and size > largest:
        raise PolyframeError(f"{name}: has more than {largest / 1e6:g} MB; is it another file?")
