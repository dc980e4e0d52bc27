"""Find files at addresses: a file of a web server, or the objects of a bucket that match a pattern."""

import difflib
import fnmatch
import glob
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from polyframe.core.addresses import WEB_SCHEMES, Address
from polyframe.core.errors import PolyframeError
from polyframe.core.object_stores import StorageOptions, open_store, store_error

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_ANY_FOLDERS: Final = "**"


@dataclass(frozen=True)
class RemoteFile:
    """A file at an address.

    Attributes
    ----------
    address : Address
        Of a web server (`https://`) or a store (`s3://`, `gs://`, `az://`).
    options : mapping or None
        Credentials and endpoint of a store, see `object_stores.open_store`.
    """

    address: Address
    options: StorageOptions | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        return str(self.address)

    @property
    def bucket(self) -> Address:
        """The bucket, without the key."""
        return Address(self.address.scheme, self.address.rest.partition("/")[0])

    @property
    def key(self) -> str:
        """The name of the object in its bucket."""
        return self.address.rest.partition("/")[2]


def find_remote_files(address: Address, options: StorageOptions | None = None) -> list[RemoteFile]:
    """Return the files of an address.

    Parameters
    ----------
    address : Address
        A file, or a pattern in a store such as `s3://bucket/exports/*.csv.gz`, with the rules of a shell:
        `*` matches within a folder, `**` any number of folders, and neither matches hidden files. The name of
        an existing object is not a pattern.
    options : mapping, optional
        Credentials and endpoint, see `object_stores.open_store`.

    Returns
    -------
    list of RemoteFile
        Those of a pattern in the order of their names. Whether a single file exists shows when it is opened.

    Raises
    ------
    UsageError
        If the scheme or an option is not known.
    PolyframeError
        If obstore is needed but not installed, the store cannot be read, or no object matches.
    """
    file = RemoteFile(address, options)
    if address.scheme in WEB_SCHEMES:
        return [file]
    store = open_store(file.bucket, options)
    if not file.key:
        raise PolyframeError(_is_folder(address))
    if not glob.has_magic(file.key):
        return [file]
    try:
        if _exists(store, file.key):
            return [file]
        keys = sorted(_matching(store, "", file.key.split("/")))
    except Exception as error:
        raise _store_error(address, error) from error
    if not keys:
        raise PolyframeError(f"{address}: matches no object; check the pattern")
    return [RemoteFile(file.bucket.joined(key), options) for key in keys]


def no_such_object(file: RemoteFile) -> PolyframeError:
    """Return the error to raise if an object does not exist; suggest the nearest name.

    Parameters
    ----------
    file : RemoteFile
        In a store.
    """
    store = open_store(file.bucket, file.options)
    folder, _, name = file.key.rpartition("/")
    try:
        below = _listing(store, file.key)
        if below["objects"] or below["common_prefixes"]:
            return PolyframeError(_is_folder(file.address))
        names = [_last(entry["path"]) for entry in _listing(store, folder)["objects"]]
    except Exception as error:
        return _store_error(file.address, error)
    if not names:
        return PolyframeError(f"{file}: does not exist, and nothing is beside it; check the address")
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.7)
    if near:
        path = f"{folder}/{near[0]}" if folder else near[0]
        return PolyframeError(f"{file}: does not exist; did you mean '{file.bucket.joined(path)}'?")
    return PolyframeError(f"{file}: does not exist; check the name")


def _store_error(address: Address, error: Exception) -> PolyframeError:
    """Convert an error of obstore; any other is raised."""
    from obstore.exceptions import BaseError

    if isinstance(error, BaseError | OSError | ValueError):
        return store_error(address, error)
    raise error


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
