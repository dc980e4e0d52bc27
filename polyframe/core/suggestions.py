"""Suggest the nearest known name for a misspelt one."""

import difflib
from collections.abc import Iterable
from typing import Final

#: How similar the names of files must be, from 0 to 1.
_NEAR: Final = 0.7


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


def nearest_file(name: str, known: Iterable[str]) -> str | None:
    """Return the nearest of the names of files that exist; None if none is near.

    Upper and lower case, which people confuse, do not matter. The names must also be near without their
    endings, which most files of a folder share: `tune.csv` is not near `nope.csv`.

    Examples
    --------
    >>> nearest_file("Clasifications.csv", ["classifications.csv", "workflows.csv"])
    'classifications.csv'
    >>> nearest_file("nope.csv", ["tune.csv"]) is None
    True
    """
    by_lower = {name.lower(): name for name in sorted(known)}
    wanted = name.lower()
    close = difflib.get_close_matches(wanted, by_lower, n=len(by_lower) or 1, cutoff=_NEAR)
    for other in close:
        stem, other_stem = (one.rpartition(".")[0] or one for one in (wanted, other))
        if difflib.SequenceMatcher(None, stem, other_stem).ratio() >= _NEAR:
            return by_lower[other]
    return None
