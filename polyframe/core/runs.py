"""Runs: lists of varying length that stand behind one another in flat arrays, and the offsets between them.

Run i of a flat array is `values[offsets[i]:offsets[i + 1]]`: the marks of a group, the points of a mark.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def offsets_of(counts: ArrayLike) -> NDArray[np.int64]:
    """Return where runs of given lengths begin and end when they stand behind one another.

    Parameters
    ----------
    counts : array_like of int or bool, shape (n,)
        The length of each run; not negative.

    Returns
    -------
    ndarray of int64, shape (n + 1,)
        Run i goes from `offsets[i]` to `offsets[i + 1] - 1`; [0] where there are no runs.
    """
    lengths = np.asarray(counts, dtype=np.int64)
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def positions_of(starts: ArrayLike, counts: ArrayLike) -> NDArray[np.int64]:
    """Return the positions that runs cover, run after run: what gathers runs out of a flat array.

    Parameters
    ----------
    starts : array_like of int, shape (n,), or int
        Where each run begins; 0 for all of them numbers the members of each run from 0.
    counts : array_like of int, shape (n,)
        The length of each run; not negative.

    Returns
    -------
    ndarray of int64, shape (sum of `counts`,)
        `starts[0], starts[0] + 1, ...`, `counts[0]` of them; then those of the next run.
    """
    lengths = np.asarray(counts, dtype=np.int64)
    offsets = offsets_of(lengths)
    positions = np.repeat(np.asarray(starts, dtype=np.int64) - offsets[:-1], lengths)
    positions += np.arange(offsets[-1])
    return positions


def runs_of_equal(values: ArrayLike) -> NDArray[np.int64]:
    """Return the offsets of the runs of equal neighbours.

    Parameters
    ----------
    values : array_like, shape (n,)
        Of any type that `!=` compares.

    Returns
    -------
    ndarray of int64, shape (r + 1,)
        Run i goes from `offsets[i]` to `offsets[i + 1] - 1`; [0] where there are no values.
    """
    array = np.asarray(values)
    begins = np.ones(len(array) + 1, dtype=np.bool_)
    begins[1:-1] = array[1:] != array[:-1]
    return np.flatnonzero(begins) if len(array) else np.zeros(1, dtype=np.int64)
