"""Suggest the nearest known name for a misspelt one."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the end of an error message: the nearest known name, or all of them.

    Parameters
    ----------
    name : str
        The unknown name.
    known : iterable of str
        The names that are accepted.

    Returns
    -------
    str
        `; did you mean 'eps'?`, or `; known: a, b, c` if no name is near.
    """
    names = list(known)
    return did_you_mean(name, names) or f"; known: {', '.join(names)}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'eps'?` if a known name is near, otherwise an empty string."""
    if not isinstance(name, str):
        return ""
    close = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""
