"""Read smaller files at addresses: configurations, lists of names, and exports of subjects and workflows."""

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from polyframe.core.addresses import Address, as_address
from polyframe.core.callbacks import Say
from polyframe.core.errors import PolyframeError
from polyframe.core.object_stores import StorageOptions

#: A file that is read: a path, or an address such as `https://...`.
AnyFile = str | os.PathLike[str] | Address


def _temporary_folder() -> "tempfile.TemporaryDirectory[str]":
    # On Windows, a file of a download that was abandoned may still be open.
    return tempfile.TemporaryDirectory(prefix="polyframe-", ignore_cleanup_errors=True)


def read_file(address: Address, largest: int) -> bytes:
    """Return the content of a file.

    Parameters
    ----------
    address : Address
    largest : int
        Bytes that are allowed; of a file that the server has compressed, before and after that.

    Raises
    ------
    PolyframeError
        If it cannot be downloaded, is larger, or is compressed and damaged.
    """
    from polyframe.core.content_encoding import undo_gzip
    from polyframe.core.downloads import download  # late, since most runs need no network

    with _temporary_folder() as folder:
        path = Path(folder) / "file"
        encoding = download([(address, path)], largest)[path]
        undo_gzip(path, encoding, address, largest)
        return path.read_bytes()


@contextlib.contextmanager
def local_copies(
    places: Sequence[Any], say: Say, options: StorageOptions | None = None
) -> Iterator[tuple[list[Any], Say]]:
    """Download files that are at addresses, for code that reads local ones.

    Parameters
    ----------
    places : sequence
        Addresses; other values, such as local paths and None, are returned as they are.
    say : callable
        Receives notes of the body.
    options : mapping, optional
        Of stores; addresses that have options keep them.

    Yields
    ------
    places : list
        Paths of the copies in place of the addresses.
    say : callable
        Names the addresses in notes; errors that the body raises name them too.

    Raises
    ------
    PolyframeError
        If a file cannot be downloaded.
    """
    addresses = {index: found for index, place in enumerate(places) if (found := as_address(place, options))}
    if not addresses:
        yield list(places), say
        return
    from polyframe.core.content_encoding import undo_gzip
    from polyframe.core.downloads import download

    with _temporary_folder() as temporary:
        folder = Path(temporary)
        copies = {
            index: folder / str(index) / (address.name or "file") for index, address in addresses.items()
        }
        for copy in copies.values():
            copy.parent.mkdir()
        encodings = download([(addresses[index], copy) for index, copy in copies.items()])
        for index, copy in copies.items():
            undo_gzip(copy, encodings[copy], addresses[index])

        def named(text: str) -> str:
            for index, copy in copies.items():
                text = text.replace(str(copy), str(addresses[index]))
            return text

        try:
            yield (
                [copies.get(index, place) for index, place in enumerate(places)],
                lambda note: say(type(note)(named(note))),
            )
        except PolyframeError as error:
            raise type(error)(named(str(error))) from None
