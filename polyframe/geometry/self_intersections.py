"""Detect outlines that cross themselves so often that GEOS would take minutes to repair or overlay them.

GEOS takes time in proportion to the pairs of segments whose boxes overlap, and far more for each crossing;
n points can give n² / 2 crossings. A path that keeps its direction for long stretches has few of either: two
stretches of a and b segments that both run to the right meet at most a + b times. So reversals are counted
first. In a path with very many, segments that share a cell of a fine grid are counted: an outline with a step
at each pixel, or with a hand's jitter, often reverses, but few segments except neighbours share a cell. Both
are done for many paths at once; the few that are left are checked segment by segment.
"""

from typing import TypeVar

import numpy as np
import shapely
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import offsets_of, positions_of, runs_of_equal

_Number = TypeVar("_Number", np.float64, np.int64)

#: Self-intersections of an outline that are accepted. A scribble all over an image has hundreds. GEOS repairs
#: this many in a few tenths of a second.
MOST_CROSSINGS = 20_000

#: An outline of so many points takes at most half a second to repair. Ordinary ones have fewer.
FEW_POINTS = 500

#: Pairs of segments of one outline whose boxes overlap. No outline of 2,000 points has more.
MOST_OVERLAPS = 2_000_000

#: Pairs in memory at the same time, about 150 bytes each.
_CHUNK = 1_000_000

#: Points of outlines that are examined at once: few enough for the processor's cache.
_POINTS_AT_ONCE = 30_000

#: Columns and rows of a grid: at most 2 to the power of this, so that a cell of an outline fits an integer.
_GRID_BITS = 20

#: A segment that reaches into more columns or rows is long, and is counted as if it met all others.
_MOST_CELLS = 4


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


def too_many_crossings(x: Floats, y: Floats, starts: Ints, counts: Ints) -> Flags:
    """Return which of many outlines cross themselves too often.

    Parameters
    ----------
    x, y : ndarray of float64, shape (m,)
        The points of all outlines; finite. The last point of an outline may repeat its first.
    starts, counts : ndarray of int64, shape (n,)
        Outline i has `counts[i]` points from `starts[i]`.

    Returns
    -------
    ndarray of bool, shape (n,)
        Those of which both `may_cross_often` and `crosses_too_often` are true.
    """
    too_many = np.zeros(len(counts), dtype=np.bool_)
    long = np.flatnonzero(counts > FEW_POINTS)
    chunk = offsets_of(counts[long])[:-1] // _POINTS_AT_ONCE
    for some in np.split(long, runs_of_equal(chunk)[1:-1]):
        suspects = some[may_cross_often(x, y, starts[some], counts[some])]
        points = positions_of(starts[suspects], counts[suspects])
        crowded = suspects[_share_many_cells(x[points], y[points], offsets_of(counts[suspects]))]
        for outline in crowded:
            path = np.arange(starts[outline], starts[outline] + counts[outline] + 1)
            path[-1] = starts[outline]
            too_many[outline] = crosses_too_often(np.column_stack([x[path], y[path]]))
    return too_many


def _share_many_cells(x: Floats, y: Floats, offsets: Ints) -> Flags:
    """Return which outlines have so many pairs of segments in the same cell that they may cross too often.

    A grid of square cells covers the box of each outline. Segments whose boxes overlap share a cell.
    """
    counts = np.diff(offsets)
    n_outlines = len(counts)
    if n_outlines == 0:
        return np.zeros(0, dtype=np.bool_)
    # The same rounding as in `crosses_too_often`.
    x, y = (values - np.repeat(np.minimum.reduceat(values, offsets[:-1]), counts) for values in (x, y))
    size = np.maximum.reduceat(np.maximum(x, y), offsets[:-1])
    size = np.repeat(np.where(size == 0, 1.0, size), counts)
    x, y = x / size, y / size
    lengths = np.abs(_following(x, offsets) - x) + np.abs(_following(y, offsets) - y)
    moving = lengths > 0
    segments = np.add.reduceat(moving, offsets[:-1], dtype=np.int64)
    # Cells about as large as segments. Rounding down keeps the order, so boxes that overlap share a cell.
    total = np.maximum(np.add.reduceat(lengths, offsets[:-1]), 1.0)
    per_side = np.repeat(np.minimum(segments / total, 2.0**_GRID_BITS - 1), counts)
    blocks = []
    for values in (x, y):
        cell = (values * per_side).astype(np.int64)
        other = _following(cell, offsets)
        blocks += [np.minimum(cell, other), np.abs(other - cell) + 1]
    column, columns, row, rows = blocks
    is_long = (columns > _MOST_CELLS) | (rows > _MOST_CELLS)
    n_long = np.add.reduceat(is_long, offsets[:-1], dtype=np.int64)
    outline = np.repeat(np.arange(n_outlines), counts)
    first = (((outline << _GRID_BITS) + row) << _GRID_BITS) + column
    short = np.flatnonzero(moving & ~is_long)
    cells = _cells(first[short], columns[short], rows[short])
    cells.sort()
    runs = runs_of_equal(cells)
    sharing = np.diff(runs)
    pairs = n_long * segments + np.bincount(
        cells[runs[:-1]] >> 2 * _GRID_BITS, sharing * (sharing - 1) // 2, n_outlines
    )
    # Neighbours share a cell without crossing.
    return (pairs - segments > MOST_CROSSINGS) | (pairs > MOST_OVERLAPS)


def _following(values: NDArray[_Number], offsets: Ints) -> NDArray[_Number]:
    """Return for each point of an outline the value of the next one; of the last, that of the first."""
    following = np.empty_like(values)
    following[:-1] = values[1:]
    following[offsets[1:] - 1] = values[offsets[:-1]]
    return following


def _cells(first: Ints, columns: Ints, rows: Ints) -> Ints:
    """Return the cells of blocks, each given by its first cell and its numbers of columns and rows."""
    cells = [first[:0]]
    for row in range(int(rows.max(initial=0))):
        higher = np.flatnonzero(rows > row)
        left, width = first[higher] + (row << _GRID_BITS), columns[higher]
        cells += [left[width > column] + column for column in range(int(width.max(initial=0)))]
    return np.concatenate(cells)


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
