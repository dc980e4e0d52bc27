"""Detect outlines that cross themselves so often that GEOS would take minutes to repair or overlay them.

GEOS takes time in proportion to the pairs of segments whose boxes overlap, and far more for each crossing;
n points can give n² / 2 crossings. A path that keeps its direction for long stretches has few of either: two
stretches of a and b segments that both run to the right meet at most a + b times. So reversals are counted
first, over all paths at once, and only paths with very many are checked segment by segment.
"""

import numpy as np
import shapely

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import positions_of

#: Self-intersections of an outline that are accepted. A scribble all over an image has hundreds. GEOS repairs
#: this many in a few tenths of a second.
MOST_CROSSINGS = 20_000

#: An outline of so many points takes at most half a second to repair. Ordinary ones have fewer.
FEW_POINTS = 500

#: Pairs of segments of one outline whose boxes overlap. No outline of 2,000 points has more.
MOST_OVERLAPS = 2_000_000

#: Pairs in memory at the same time, about 150 bytes each.
_CHUNK = 1_000_000


def may_cross_often(x: Floats, y: Floats, starts: Ints, counts: Ints) -> Flags:
    """Return which paths reverse their direction so often that more than `MOST_CROSSINGS` are possible.

    Parameters
    ----------
    x, y : ndarray of float64, shape (m,)
        The points of all paths; need not be finite.
    starts, counts : ndarray of int64, shape (n,)
        Path i has `counts[i]` points from `starts[i]`.

    Returns
    -------
    ndarray of bool, shape (n,)
        False for paths of up to `FEW_POINTS`, which are quick to repair in any case.
    """
    # A path of n points has fewer than n reversals.
    long = np.flatnonzero((counts > FEW_POINTS) & ((counts + 3) * (counts + 1) > MOST_CROSSINGS))
    suspect = np.zeros(len(counts), dtype=np.bool_)
    if not len(long):
        return suspect
    points = positions_of(starts[long], counts[long])
    path = np.repeat(np.arange(len(long)), counts[long])
    x, y = x[points], y[points]
    same = path[1:] == path[:-1]
    path = path[1:][same]
    # A step straight up counts as a step to the right.
    right, up = (
        np.sign(values[1:] - values[:-1], where=same, out=np.zeros(len(same)))[same] for values in (x, y)
    )
    direction = np.where(right == 0, up, right)
    path, direction = path[direction != 0], direction[direction != 0]
    turns = (direction[1:] != direction[:-1]) & (path[1:] == path[:-1])
    reversals = np.bincount(path[1:][turns], minlength=len(long))
    suspect[long] = (reversals + 3) * (counts[long] + 1) > MOST_CROSSINGS  # closing adds a segment
    return suspect


def crosses_too_often(ring: Floats) -> bool:
    """Return whether an outline has more than `MOST_CROSSINGS` or `MOST_OVERLAPS`.

    Parameters
    ----------
    ring : ndarray of float64, shape (n, 2)
        Closed and finite.

    Returns
    -------
    bool
        Known after at most `MOST_OVERLAPS` pairs. Touches and shared stretches are not crossings: they cost
        GEOS little, and a hand that rests makes many of them.
    """
    # Scaled to 0..1, so that products of coordinates neither overflow nor vanish.
    points = ring - ring.min(axis=0)
    points /= points.max() or 1.0
    points = points[np.append(True, np.any(np.diff(points, axis=0) != 0, axis=1))]
    begins, steps = points[:-1], np.diff(points, axis=0)
    count = len(steps)
    segments = shapely.linestrings(np.stack([begins, points[1:]], axis=1))
    tree = shapely.STRtree(segments)
    overlaps = crossings = 0
    rows = max(1, _CHUNK // max(count, 1))
    for first in range(0, count, rows):
        one, other = tree.query(segments[first : first + rows])
        one = one + first
        later = other > one
        one, other = one[later], other[later]
        overlaps += len(one)
        if overlaps > MOST_OVERLAPS:
            return True
        crossings += int(np.count_nonzero(_cross_properly(begins, steps, one, other)))
        if crossings > MOST_CROSSINGS:
            return True
    return False


def _cross_properly(begins: Floats, steps: Floats, one: Ints, other: Ints) -> Flags:
    """Return which pairs of segments cross in the interior of both."""
    apart, along, across = begins[other] - begins[one], steps[one], steps[other]
    from_one = _cross_product(along, apart)
    to_one = from_one + _cross_product(along, across)
    from_other = -_cross_product(across, apart)
    to_other = from_other + _cross_product(across, along)
    return (from_one * to_one < 0) & (from_other * to_other < 0)


def _cross_product(a: Floats, b: Floats) -> Floats:
    return np.asarray(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0], dtype=np.float64)
