"""The errors that a user can cause, each with a one-line message that names what to do next."""

import difflib
import os
import sys
from pathlib import Path
from typing import Final

#: How much of a value messages show.
_LONGEST: Final = 80


class PolyframeError(Exception):
    """Something in the input or the surroundings stops the work; the message is one line.

    The command line prints the message and ends with exit code 1.
    """


class UsageError(PolyframeError):
    """The call itself is wrong: an unknown setting, a value out of range, settings that contradict.

    The command line prints the message and ends with exit code 2.
    """


def check_name(path: str | os.PathLike[str]) -> None:
    """Check that a file or folder can be named to Polars, which takes names as UTF-8.

    Raises
    ------
    PolyframeError
        Where its name is other bytes, or where Python takes names for something else.
    """
    name = os.fspath(path)
    if sys.getfilesystemencoding() != "utf-8" and not name.isascii():
        raise PolyframeError(f"{name}: names with such letters need UTF-8; set PYTHONUTF8=1 and run again")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise PolyframeError(f"{name}: this name is not text in UTF-8; rename it, or its folder") from None


def no_such_file(named: str | os.PathLike[str]) -> str:
    """Return the message for a file that is not there, or is none, with the one nearest to it that is.

    Parameters
    ----------
    named : path
        As it was given.

    Returns
    -------
    str
        One line without the kind of error.
    """
    path = Path(named)
    if path.is_dir():
        return f"{named}: is a directory; name a file in it"
    try:
        there = [entry.name for entry in path.parent.iterdir() if entry.exists()]  # no links to nothing
    except PermissionError:
        return f"{named}: cannot be looked for, since {path.parent} cannot be read; check its permissions"
    except OSError:
        return f"{named}: no such file, and no folder {path.parent} either; check the path"
    # By their names without regard to case, as people mistake them.
    by_name = {name.lower(): name for name in sorted(there)}
    near = difflib.get_close_matches(path.name.lower(), by_name, n=1, cutoff=0.7)
    if near:
        return f"{named}: no such file; did you mean '{path.with_name(by_name[near[0]])}'?"
    return f"{named}: no such file in {path.parent.resolve()}; check the name"


def short_repr(value: object) -> str:
    """Return a value as a message names it: in one line, and not too long."""
    text = repr(value)
    if "\n" in text:
        return f"a {type(value).__name__}"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
