"""Check the paths and addresses of callers."""

import errno
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from polyframe.core.addresses import Address, Place, as_address, split_scheme
from polyframe.core.errors import UsageError

AnyPath = str | os.PathLike[str]
#: A path, or an address such as `s3://bucket/project`.
AnyPlace = str | os.PathLike[str] | Address

#: Longest part of an invalid path that messages show.
_SHOWN: Final = 40


def local_path(value: Any, name: str, expected: str = "a path") -> Path:
    """Check an argument and return it as a path.

    Parameters
    ----------
    value : str or path
        The argument.
    name : str
        The name of the parameter for messages, such as `output`.
    expected : str
        What messages say was expected.

    Raises
    ------
    UsageError
        If the value is not a path, or if it is an address such as `s3://bucket/x`; `file:///x` is a path.
    """
    if isinstance(value, bytes) or not isinstance(value, (str, os.PathLike)):
        raise UsageError(f"{name}: expected {expected}, got {type_name(value)}")
    text = os.fspath(value)
    if isinstance(text, bytes):
        raise UsageError(f"{name}: expected a str path, got bytes; convert it with os.fsdecode")
    if not text or "\0" in text:
        raise UsageError(f"{name}: {text!r} is not a path")
    path = Path(value)
    try:
        exists = path.exists()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise UsageError(f"{name}: {text[:_SHOWN]!r}... is too long for a path") from None
        exists = False
    return path if exists else _without_scheme(path)


def place_of(
    value: Any, name: str, options: Mapping[str, str] | None = None, expected: str = "a path or an address"
) -> Place:
    """Check an argument that is a path or an address of a store, and return it as one.

    Parameters
    ----------
    value : str, path or Address
        The argument.
    name : str
        The name of the parameter for messages, such as `output`.
    options : mapping, optional
        Options of the store, see `polyframe.core.object_stores.StorageOptions`.
    expected : str
        What messages say was expected.

    Raises
    ------
    UsageError
        If the value is neither, or it is the address of a web server.
    """
    address = as_address(value, options)
    if address is None:
        return local_path(value, name, expected)
    if not address.is_store:
        known = "s3://, gs:// or az://"
        raise UsageError(f"{name}: {address}: expected a path, or an address that begins with {known}")
    return address


def name_of_place(place: Place) -> str:
    """Return the last part of a path or an address, such as `out`."""
    return place.name if isinstance(place, Address) else place.resolve().name


def _without_scheme(path: Path) -> Path:
    """Return the path of `file:///path`; of another address, raise a UsageError."""
    address = as_address(path)
    if address is not None:
        raise UsageError(
            f"{address}: expected a local path here; copy the files from or to that address yourself"
        )
    scheme, rest = split_scheme(os.fspath(path))
    if scheme != "file":
        return path
    from urllib.request import url2pathname  # late, since it takes a twentieth of a second

    return Path(url2pathname(f"/{rest}"))


def file_ending(path: Path, endings: Sequence[str], kind: str) -> str:
    """Return the ending of a file name in lower case, such as `.png`.

    Raises
    ------
    UsageError
        If it is not one of `endings`; `kind` says what the file contains, such as `picture`.
    """
    ending = path.suffix.lower()
    if ending not in endings:
        *first, last = endings
        raise UsageError(f"{path}: the name of a {kind} must end in {', '.join(first)} or {last}")
    return ending


def as_list(values: Any) -> list[Any]:
    """Return several values as a list, and a single value as a list of one.

    Strings, bytes, mappings, frames and open files are single values.
    """
    single = (str, bytes, bytearray, memoryview, Mapping, os.PathLike)
    is_single = isinstance(values, single) or hasattr(values, "read") or hasattr(values, "columns")
    if is_single or not isinstance(values, Iterable):
        return [values]
    return list(values)


def type_name(value: object) -> str:
    """Describe a value for a message: `None`, `5`, `bytes`, `pandas.Series`."""
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    if hasattr(value, "read"):
        return "an open file; pass its path"
    kind = type(value)
    module = kind.__module__.partition(".")[0]
    return kind.__name__ if module in ("builtins", "polyframe") else f"{module}.{kind.__name__}"
