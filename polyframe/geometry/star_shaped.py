"""Detect star-shaped outlines, which cannot cross themselves, in less time than GEOS takes to validate them.

From a point that sees the whole outline, its vertices turn once around, always in the same direction. Most
outlines that people draw around an object are like that, seen from the centre of their box.
"""

from itertools import pairwise

import numpy as np

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import runs_of_equal

#: Points that are examined at once: few enough for the processor's cache.
_POINTS_AT_ONCE = 32_000

#: Cross products of vertices have smaller rounding errors than this fraction of the area of their box.
_ROUNDING = 4e-15

#: What underflow may add to these errors.
_UNDERFLOW = 1e-300


def are_star_shaped(x: Floats, y: Floats, offsets: Ints, boxes: Floats) -> Flags:
    """Return which outlines are certainly star-shaped, and so valid polygons.

    Parameters
    ----------
    x, y : ndarray of float64, shape (m,)
        Finite. The last point of an outline may repeat its first.
    offsets : ndarray of int64, shape (n + 1,)
        Outline i consists of the points from `offsets[i]` to `offsets[i + 1] - 1`, at least three.
    boxes : ndarray of float64, shape (4, n)
        The least x and y and the largest x and y of each outline.

    Returns
    -------
    ndarray of bool, shape (n,)
        False for some star-shaped outlines too: those with repeated points, or with a vertex or an edge that
        is hidden from the centre of their box.
    """
    star_shaped = np.zeros(len(offsets) - 1, dtype=np.bool_)
    blocks = runs_of_equal(offsets[:-1] // _POINTS_AT_ONCE)
    for first, end in pairwise(blocks):
        points = slice(offsets[first], offsets[end])
        star_shaped[first:end] = _turn_once(
            x[points], y[points], offsets[first : end + 1] - offsets[first], boxes[:, first:end]
        )
    return star_shaped


def _turn_once(x: Floats, y: Floats, offsets: Ints, boxes: Floats) -> Flags:
    counts, begins, ends = np.diff(offsets), offsets[:-1], offsets[1:] - 1
    left, low, right, high = boxes
    x, y = x - np.repeat((left + right) / 2, counts), y - np.repeat((low + high) / 2, counts)
    # Positive where the outline turns to the left on its way to the next point.
    turns = np.empty(len(x))
    turns[:-1] = x[:-1] * y[1:] - y[:-1] * x[1:]
    turns[ends] = x[ends] * y[begins] - y[ends] * x[begins]
    repeats = ends[(x[ends] == x[begins]) & (y[ends] == y[begins])]
    turns[repeats] = turns[repeats - 1]
    certain = _ROUNDING * (right - left) * (high - low) + _UNDERFLOW
    one_way = (np.minimum.reduceat(turns, begins) > certain) | (np.maximum.reduceat(turns, begins) < -certain)
    # Each turn is less than half of a full one, so the outline changes sides twice each time around.
    upper = y >= 0
    changes = np.empty(len(x), dtype=np.bool_)
    np.not_equal(upper[1:], upper[:-1], out=changes[:-1])
    changes[ends] = upper[ends] != upper[begins]
    return np.asarray(one_way & (np.add.reduceat(changes, begins, dtype=np.int64) == 2))
