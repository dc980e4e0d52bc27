"""Load the outlines of one cluster as directed rings for the depth walk (compiled)."""

from typing import NamedTuple

import numpy as np

from polyframe.core.arrays import Floats, Ints
from polyframe.geometry.compiled.numba_jit import compiled_inner

#: If the area of a ring is a smaller fraction of its box, rounding hides which way it runs. The repair of
#: drawings that cross themselves leaves such holes; they have no area and are dropped.
_THINNEST = 1e-12

#: Limits of the exact predicates: products of four lengths, and their rounding errors, must neither underflow
#: nor overflow.
_SMALLEST_BOX = 1e-60
_LARGEST_COORDINATE = 1e60


class Outlines(NamedTuple):
    """The outlines of a cluster, each with the interior of its mark on the left.

    Attributes
    ----------
    x, y : ndarray of float64, shape (v,)
        The vertices of all rings, without repeated and closing ones. Segment i begins at vertex i.
    end_x, end_y : ndarray of float64, shape (v,)
        The end of segment i.
    ring : ndarray of int64, shape (v,)
        The ring of each vertex. Holes without an area are dropped.
    first : ndarray of int64, shape (r + 1,)
        Ring i contains the vertices `first[i]` to `first[i + 1] - 1`.
    mark : ndarray of int64, shape (r,)
        The mark of each ring, ascending.
    area : float
        The sum of the areas of all marks.
    sound : bool
        False if a ring is too thin, too small or too large for the exact predicates.
    """

    x: Floats
    y: Floats
    end_x: Floats
    end_y: Floats
    ring: Ints
    first: Ints
    mark: Ints
    area: float
    sound: bool


@compiled_inner
def load_outlines(coordinates: Floats, rings: Ints, ring_starts: Ints) -> Outlines:
    """Return the outlines of one cluster, from closed rings in either direction.

    Parameters
    ----------
    coordinates : ndarray of float64, shape (m, 2)
    rings : ndarray of int64, shape (r + 1,)
        Ring i is `coordinates[rings[i]:rings[i + 1]]`.
    ring_starts : ndarray of int64, shape (n + 1,)
        Mark i has the rings `ring_starts[i]` to `ring_starts[i + 1] - 1`, its exterior first.

    Returns
    -------
    Outlines
    """
    marks, low, high = len(ring_starts) - 1, ring_starts[0], ring_starts[-1]
    mark, is_hole = np.empty(high - low, np.int64), np.ones(high - low, np.bool_)
    for i in range(marks):
        is_hole[ring_starts[i] - low] = False
        for r in range(ring_starts[i] - low, ring_starts[i + 1] - low):
            mark[r] = i
    offsets = rings[low:]
    count = high - low
    size = offsets[count] - offsets[0]
    x, y, end_x, end_y = np.empty(size), np.empty(size), np.empty(size), np.empty(size)
    ring = np.empty(size, np.int64)
    first = np.zeros(count + 1, np.int64)
    total = 0.0
    sound = True
    n = loaded = 0
    for r in range(count):
        begin, stop = offsets[r], offsets[r + 1] - 1
        x0, y0 = coordinates[begin, 0], coordinates[begin, 1]
        area = 0.0
        low_x = high_x = x0
        low_y = high_y = y0
        for p in range(begin, stop):
            px, py = coordinates[p, 0], coordinates[p, 1]
            area += (px - x0) * (coordinates[p + 1, 1] - y0) - (coordinates[p + 1, 0] - x0) * (py - y0)
            low_x, high_x = min(low_x, px), max(high_x, px)
            low_y, high_y = min(low_y, py), max(high_y, py)
        area *= 0.5
        box = (high_x - low_x) * (high_y - low_y)
        largest = max(max(abs(low_x), abs(high_x)), max(abs(low_y), abs(high_y)))
        if is_hole[r] and abs(area) <= _THINNEST * box and largest < _LARGEST_COORDINATE:
            continue
        certain = abs(area) > _THINNEST * box  # false for NaN
        if not (certain and box > _SMALLEST_BOX and largest < _LARGEST_COORDINATE):
            sound = False
        reverse = (area > 0.0) == is_hole[r]
        total += -abs(area) if is_hole[r] else abs(area)
        start = n
        for i in range(stop - begin):
            p = stop - i if reverse else begin + i
            px, py = coordinates[p, 0], coordinates[p, 1]
            if n > start and x[n - 1] == px and y[n - 1] == py:
                continue
            x[n], y[n], ring[n] = px, py, loaded
            n += 1
        if n > start + 1 and x[n - 1] == x[start] and y[n - 1] == y[start]:
            n -= 1
        sound = sound and n >= start + 3
        for p in range(start, n):
            follows = p + 1 if p + 1 < n else start
            end_x[p], end_y[p] = x[follows], y[follows]
        mark[loaded] = mark[r]
        loaded += 1
        first[loaded] = n
    first, mark = first[: loaded + 1], mark[:loaded]
    return Outlines(x[:n], y[:n], end_x[:n], end_y[:n], ring[:n], first, mark, total, sound)
