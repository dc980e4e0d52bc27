"""Choose which contour levels of a cluster are written if it has too many."""

import numpy as np
from numpy.typing import ArrayLike

from polyframe.core.arrays import Ints
from polyframe.core.ragged import offsets_of, positions_of


def evenly_spaced_levels(counts: ArrayLike, most: int) -> tuple[Ints, Ints]:
    """Return the levels of each cluster that are written: all of them, or `most`, evenly spaced.

    Parameters
    ----------
    counts : array_like of int, shape (c,)
        The number n of levels of each cluster.
    most : int
        The largest number m of levels to write, at least 1.

    Returns
    -------
    levels : ndarray of int64, shape (k,)
        For each cluster 1, 2, ... n; if n is above m, 1 + i (n - 1) / (m - 1), rounded half up, for
        i = 0 ... m - 1, which includes the first and the last; only 1 if m is 1.
    offsets : ndarray of int64, shape (c + 1,)
        The levels of cluster i are `levels[offsets[i]:offsets[i + 1]]`.

    Examples
    --------
    >>> levels, offsets = evenly_spaced_levels([3, 10], most=4)
    >>> levels.tolist(), offsets.tolist()
    ([1, 2, 3, 1, 4, 7, 10], [0, 3, 7])
    """
    available = np.asarray(counts, dtype=np.int64)
    written = np.minimum(available, min(most, available.max(initial=1)))  # `most` may be beyond int64
    offsets = offsets_of(written)
    place = positions_of(0, written)
    steps, gaps = np.repeat(available - 1, written), np.repeat(np.maximum(written - 1, 1), written)
    # In integers: half of a gap is added before the division.
    levels: Ints = 1 + (2 * place * steps + gaps) // (2 * gaps)
    return levels, offsets
