"""Write level curves as closed rings of points, measure them, and test for points inside (compiled)."""

import numpy as np

from polyframe.core.arrays import Floats
from polyframe.geometry.compiled.arcs import Arcs
from polyframe.geometry.compiled.numba_jit import compiled_inner
from polyframe.geometry.compiled.outlines import Outlines

#: Areas thinner than so many rounding steps are rounding errors, as in `polygon_parts`, which is not
#: compiled.
_ROUNDING_STEPS = 8


@compiled_inner
def write_curve(outlines: Outlines, arcs: Arcs, begin: int, points: Floats) -> int:
    """Write a curve as a closed ring that begins at its leftmost point.

    Parameters
    ----------
    begin : int
        An arc of the curve.
    points : ndarray of float64, shape (m, 2)
        Filled from row 0; must have enough rows, see `room_for_all`.

    Returns
    -------
    int
        The number of points written.
    """
    n = 0
    a = begin
    while True:
        n = _write_point(arcs.points[a, 0], arcs.points[a, 1], points, n)
        s = arcs.segment[a]
        first, stop = outlines.first[outlines.ring[s]], outlines.first[outlines.ring[s] + 1]
        for _ in range(arcs.bends[a]):
            s += 1
            if s == stop:
                s = first
            n = _write_point(outlines.x[s], outlines.y[s], points, n)
        a = arcs.next_arc[a]
        if a == begin:
            break
    if n > 1 and points[n - 1, 0] == points[0, 0] and points[n - 1, 1] == points[0, 1]:
        n -= 1
    leftmost = 0
    for i in range(1, n):
        if (points[i, 0], points[i, 1]) < (points[leftmost, 0], points[leftmost, 1]):
            leftmost = i
    # Rotate in place, by three reversals.
    _reverse(points, 0, leftmost)
    _reverse(points, leftmost, n)
    _reverse(points, 0, n)
    points[n, 0], points[n, 1] = points[0, 0], points[0, 1]
    return n + 1


@compiled_inner
def _write_point(x: float, y: float, points: Floats, n: int) -> int:
    if n > 0 and points[n - 1, 0] == x and points[n - 1, 1] == y:
        return n
    points[n, 0], points[n, 1] = x, y
    return n + 1


@compiled_inner
def _reverse(points: Floats, begin: int, stop: int) -> None:
    while begin < stop - 1:
        stop -= 1
        for axis in range(2):
            points[begin, axis], points[stop, axis] = points[stop, axis], points[begin, axis]
        begin += 1


@compiled_inner
def room_for_all(arcs: Arcs) -> int:
    """Return the largest number of points that all curves of a cluster together can have."""
    room = 0
    for a in range(len(arcs.bends)):
        room += 2 + arcs.bends[a]
    return room


@compiled_inner
def with_room(points: Floats, n: int, more: int) -> Floats:
    """Return the first n points in an array with room for more."""
    if n + more <= len(points):
        return points
    larger = np.empty((2 * (n + more), 2))
    for i in range(n):
        larger[i, 0], larger[i, 1] = points[i, 0], points[i, 1]
    return larger


@compiled_inner
def middle_of_longest(points: Floats) -> tuple[float, float]:
    """Return the midpoint of the longest edge, where no other curve touches this one."""
    longest, at = -1.0, 0
    for i in range(len(points) - 1):
        length = abs(points[i + 1, 0] - points[i, 0]) + abs(points[i + 1, 1] - points[i, 1])
        if length > longest:
            longest, at = length, i
    return 0.5 * (points[at, 0] + points[at + 1, 0]), 0.5 * (points[at, 1] + points[at + 1, 1])


@compiled_inner
def is_inside(px: float, py: float, points: Floats) -> bool:
    """Return whether a point is inside a closed ring; for points on the ring the result is arbitrary."""
    inside = False
    for i in range(len(points) - 1):
        ay, by = points[i, 1], points[i + 1, 1]
        if (ay > py) != (by > py):
            ax, bx = points[i, 0], points[i + 1, 0]
            if px < ax + (bx - ax) * (py - ay) / (by - ay):
                inside = not inside
    return inside


@compiled_inner
def ring_measures(points: Floats) -> tuple[float, float]:
    """Return the signed area of a closed ring, and the area that rounding can cause (see `polygon_parts`)."""
    x0, y0 = points[0, 0], points[0, 1]
    twice = length = 0.0
    largest = max(abs(x0), abs(y0))
    for i in range(len(points) - 1):
        px, py, qx, qy = points[i, 0], points[i, 1], points[i + 1, 0], points[i + 1, 1]
        twice += (px - x0) * (qy - y0) - (qx - x0) * (py - y0)
        length += np.sqrt((qx - px) ** 2 + (qy - py) ** 2)
        largest = max(largest, max(abs(qx), abs(qy)))
    return 0.5 * twice, _ROUNDING_STEPS * np.spacing(largest) * length
