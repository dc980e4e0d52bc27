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
    names = list(known)
    close = difflib.get_close_matches(str(name), names, n=len(names) or 1, cutoff=0.6)
    # Of names that are as near, the one with the same beginning: eps of epsilon, not keep_versions.
    close.sort(key=lambda other: (-difflib.SequenceMatcher(None, other, name).ratio(), other[:2] != name[:2]))
    return f"; did you mean {close[0]!r}?" if close else ""
