"""Take paths from callers: local ones, since addresses such as `s3://bucket/out` are not supported yet."""

import errno
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from polyframe.core.errors import UsageError

AnyPath = str | os.PathLike[str]

#: `s3://bucket/x`, or `s3:/bucket/x`, which is left of it in a pathlib.Path. One letter is a drive.
_ADDRESS: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)", re.DOTALL)
#: How much of a text that is no path messages show.
_SHOWN: Final = 40


def local_path(value: Any, name: str, expected: str = "a path") -> Path:
    """Return a path that a caller has given.

    Parameters
    ----------
    value : str or path
        What was given.
    name : str
        What messages call the parameter, such as `output`.
    expected : str
        What it may be, for messages.

    Raises
    ------
    UsageError
        Where it is no path, or the address of something that is not on this machine.
    """
    if isinstance(value, bytes) or not isinstance(value, (str, os.PathLike)):
        raise UsageError(f"{name}: expected {expected}, got {type_name(value)}")
    text = os.fspath(value)
    if isinstance(text, bytes):
        raise UsageError(f"{name}: expected a path of text, got one of bytes; os.fsdecode makes text of it")
    if not text or "\0" in text:
        raise UsageError(f"{name}: {text!r} is not a path")
    path = Path(value)
    try:
        is_there = path.exists()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise UsageError(f"{name}: {text[:_SHOWN]!r}... is too long for a path") from None
        is_there = False
    if not is_there:
        check_local(text)
    return path


def check_local(text: str) -> None:
    """Raise a UsageError where a path that is not there is an address, as of a bucket or of the web."""
    found = _ADDRESS.match(text)
    if found is None:
        return
    scheme, rest = found[1].lower(), found[2]
    if scheme == "file":
        raise UsageError(f"file:///{rest}: is an address; name the path alone, /{rest}")
    raise UsageError(
        f"{scheme}://{rest}: {scheme}:// addresses are not supported yet; name a local path, and copy the "
        "files from or to that address yourself"
    )


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
    """Return several values as they are, and a single one as a list of one.

    An open file, a mapping, a frame and text can be iterated over, but are single values.
    """
    single = (str, bytes, bytearray, memoryview, Mapping, os.PathLike)
    is_single = isinstance(values, single) or hasattr(values, "read") or hasattr(values, "columns")
    if is_single or not isinstance(values, Iterable):
        return [values]
    return list(values)


def type_name(value: object) -> str:
    """Return what a value is, as messages name it: `None`, `5`, `bytes`, `pandas.Series`."""
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    if hasattr(value, "read"):
        return "an open file; name it by its path"
    kind = type(value)
    module = kind.__module__.partition(".")[0]
    return kind.__name__ if module in ("builtins", "polyframe") else f"{module}.{kind.__name__}"
