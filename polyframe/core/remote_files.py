"""Find files at addresses: a file of a web server, or the objects of a bucket that match a pattern."""

import contextlib
import fnmatch
import glob
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from polyframe.core.addresses import WEB_SCHEMES, Address
from polyframe.core.errors import PolyframeError, UsageError
from polyframe.core.object_stores import open_store, store_error
from polyframe.core.suggestions import nearest_file

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_ANY_FOLDERS: Final = "**"


def bucket_of(address: Address) -> Address:
    """Return the bucket of an object."""
    return Address(address.scheme, address.rest.partition("/")[0], address.options)


def key_of(address: Address) -> str:
    """Return the name of an object in its bucket."""
    return address.rest.partition("/")[2]


def check_readable(address: Address) -> None:
    """Raise a UsageError if there is no way to read files of such an address."""
    if not address.is_store and address.scheme not in WEB_SCHEMES:
        raise UsageError(
            f"{address}: {address.scheme}:// addresses cannot be read; expected https://, s3://, gs:// or "
            "az://, or a local path"
        )


def find_remote_files(address: Address) -> list[Address]:
    """Return the addresses of the files that an address means.

    Parameters
    ----------
    address : Address
        A file, or a pattern in a store such as `s3://bucket/exports/*.csv.gz`, with the rules of a shell:
        `*` matches within a folder, `**` any number of folders, and neither matches hidden files. The name of
        an existing object is not a pattern.

    Returns
    -------
    list of Address
        Those of a pattern in the order of their names. Whether a single file exists shows when it is opened.

    Raises
    ------
    UsageError
        If the scheme or an option is not known.
    PolyframeError
        If obstore is needed but not installed, the store cannot be read, or no object matches.
    """
    if address.scheme in WEB_SCHEMES:
        return [address]
    check_readable(address)
    bucket, key = bucket_of(address), key_of(address)
    store = open_store(bucket)
    if not key:
        raise PolyframeError(_is_folder(address))
    if not glob.has_magic(key):
        return [address]
    with _converted_errors(address):
        if _exists(store, key):
            return [address]
        keys = sorted(_matching(store, "", key.split("/")))
    if not keys:
        raise PolyframeError(f"{address}: matches no object; check the pattern")
    return [bucket.joined(key) for key in keys]


def no_such_object(address: Address) -> PolyframeError:
    """Return the error to raise if an object does not exist; suggest the nearest name."""
    bucket, key = bucket_of(address), key_of(address)
    store = open_store(bucket)
    folder, _, name = key.rpartition("/")
    try:
        with _converted_errors(bucket):
            below = _listing(store, key)
            if below["objects"] or below["common_prefixes"]:
                return PolyframeError(_is_folder(address))
            names = [_last(entry["path"]) for entry in _listing(store, folder)["objects"]]
    except PolyframeError as error:
        # Those who may read an object may not always list its bucket.
        return PolyframeError(f"{address}: does not exist; check the name ({error})")
    if not names:
        return PolyframeError(f"{address}: does not exist, and nothing is beside it; check the address")
    near = nearest_file(name, names)
    if near is not None:
        return PolyframeError(
            f"{address}: does not exist; did you mean '{bucket.joined(_joined(folder, near))}'?"
        )
    return PolyframeError(f"{address}: does not exist; check the name")


@contextlib.contextmanager
def _converted_errors(address: Address) -> Iterator[None]:
    """Convert errors of obstore to those that users see."""
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError, ValueError) as error:
        raise store_error(address, error) from None


def _is_folder(address: Address) -> str:
    folder = str(address).rstrip("/")
    return f"{folder}: is a folder; name the files in it, such as '{folder}/*.csv'"


def _exists(store: "ObjectStore", key: str) -> bool:
    import obstore

    try:
        obstore.head(store, key)
    except FileNotFoundError:
        return False
    return True


def _matching(store: "ObjectStore", folder: str, parts: Sequence[str]) -> Iterator[str]:
    """Yield the keys below a folder that match a pattern, given as its parts between slashes."""
    first, *others = parts
    if others and not glob.has_magic(first):
        yield from _matching(store, _joined(folder, first), others)
        return
    listing = _listing(store, folder)
    names = [_last(path) for path in listing["common_prefixes"]]
    folders = [_joined(folder, name) for name in names if not name.startswith(".")]
    if first == _ANY_FOLDERS:
        yield from _matching(store, folder, others or ["*"])
        for below in folders:
            yield from _matching(store, below, parts)
    elif others:
        for below in folders:
            if _fits(_last(below), first):
                yield from _matching(store, below, others)
    else:
        for entry in listing["objects"]:
            if _fits(_last(entry["path"]), first):
                yield entry["path"]


def _listing(store: "ObjectStore", folder: str) -> Any:
    import obstore

    return obstore.list_with_delimiter(store, folder or None)


def _fits(name: str, pattern: str) -> bool:
    """Return whether a name matches one part of a pattern, by the rules of a shell."""
    if name.startswith(".") and not pattern.startswith("."):
        return False
    return re.match(fnmatch.translate(pattern), name) is not None


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]
