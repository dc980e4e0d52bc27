"""Define the errors that users see: one-line messages that say what is wrong and what to do."""

import os
import sys
from pathlib import Path
from typing import Final

from polyframe.core.suggestions import nearest_file

#: Longest value that a message shows.
_LONGEST: Final = 80


class PolyframeError(Exception):
    """A problem of the input or the system; the message is one line.

    The command line prints the message and exits with code 1.
    """


class UsageError(PolyframeError):
    """A wrong call: an unknown setting, a value out of range, or settings that contradict each other.

    The command line prints the message and exits with code 2.
    """


def check_name(path: str | os.PathLike[str]) -> None:
    """Check that Polars, which takes names as UTF-8, can open a file or folder.

    Raises
    ------
    PolyframeError
        If the name is not UTF-8, or if Python uses another encoding for names.
    """
    name = os.fspath(path)
    if sys.getfilesystemencoding() != "utf-8" and not name.isascii():
        raise PolyframeError(f"{name}: names that are not ASCII need UTF-8; set PYTHONUTF8=1 and run again")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise PolyframeError(f"{name}: the name is not valid UTF-8; rename the file or its folder") from None


def no_such_file(name: str | os.PathLike[str]) -> str:
    """Return the message for a missing file, or for a folder in its place; suggest the nearest file.

    Parameters
    ----------
    name : path
        As the caller wrote it.

    Returns
    -------
    str
        One line.
    """
    path = Path(name)
    if path.is_dir():
        return f"{name}: is a directory; name a file in it"
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.exists()]  # no dangling links
    except PermissionError:
        return f"{name}: the folder {path.parent} cannot be read; check its permissions"
    except OSError:
        return f"{name}: no such file: the folder {path.parent} does not exist; check the path"
    near = nearest_file(path.name, names)
    if near is not None:
        return f"{name}: no such file; did you mean '{path.with_name(near)}'?"
    return f"{name}: no such file in {path.parent.resolve()}; check the name"


def short_repr(value: object) -> str:
    """Return a value for a message: on one line and shortened if necessary."""
    text = repr(value)
    if "\n" in text:
        return f"a {type(value).__name__}"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def one_line(text: str) -> str:
    """Return a text on one line, with single spaces."""
    return " ".join(text.split())


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or the name of its type if it has none."""
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
