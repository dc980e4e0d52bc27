"""Write level curves as closed rings of points, and measure them (compiled)."""

from dataclasses import dataclass

import numpy as np

from polyframe.core.arrays import Flags, Floats, Ints, ShortInts
from polyframe.core.ragged import offsets_of
from polyframe.geometry.compiled.arcs import Arcs
from polyframe.geometry.compiled.numba_jit import compiled
from polyframe.geometry.compiled.outlines import Outlines

#: Areas thinner than so many rounding steps are rounding errors, as in `polygon_parts`, which is not
#: compiled.
_ROUNDING_STEPS = 8


@dataclass(frozen=True)
class Rings:
    """Closed rings, each from its leftmost point, and their measures.

    Attributes
    ----------
    x, y : ndarray of float64, shape (v,)
        The points; none if the rings were only measured.
    offsets : ndarray of int64, shape (k + 1,)
        The offsets of the rings.
    areas : ndarray of float64, shape (k,)
        Signed: negative for a hole.
    rounding : ndarray of float64, shape (k,)
        The area that rounding can cause, see `polygon_parts`.
    has_close : ndarray of bool, shape (k,)
        Whether a ring has different points that are so close that rounding may make it cross itself.
    """

    x: Floats
    y: Floats
    offsets: Ints
    areas: Floats
    rounding: Floats
    has_close: Flags


def write_curves(outlines: Outlines, arcs: Arcs, curves: Ints, room: Ints, *, measure_only: bool) -> Rings:
    """Write or measure curves.

    Parameters
    ----------
    outlines : Outlines
    arcs : Arcs
    curves : ndarray of int64, shape (k,)
        An arc of each curve.
    room : ndarray of int64, shape (k,)
        At least the number of points of each ring.
    measure_only : bool
        Whether only the measures are wanted, which takes less memory.
    """
    longest = int(room.max(initial=0))
    capacity = longest if measure_only else int(room.sum())
    x, y = np.empty(capacity), np.empty(capacity)
    sizes, measures = np.empty(len(curves), np.int64), np.empty((len(curves), 3))
    has_close = np.zeros(len(curves), np.bool_)
    used = _write(
        curves,
        measure_only,
        outlines.edges,
        outlines.ring,
        outlines.first,
        arcs.segment,
        arcs.points,
        arcs.crossings,
        arcs.end,
        arcs.bends,
        arcs.next_arc,
        arcs.is_close,
        np.empty((longest, 2)),
        x,
        y,
        sizes,
        measures,
        has_close,
    )
    for values in (x, y):
        values.resize(used, refcheck=False)
    rounding = _ROUNDING_STEPS * np.spacing(measures[:, 1]) * measures[:, 2]
    return Rings(x, y, offsets_of(sizes), measures[:, 0].copy(), rounding, has_close)


@compiled
def _write(
    curves: Ints,
    measure_only: bool,
    edges: Floats,
    ring: ShortInts,
    first: ShortInts,
    segment: ShortInts,
    points: Floats,
    crossings: int,
    end: ShortInts,
    bends: ShortInts,
    next_arc: ShortInts,
    is_close: Flags,
    buffer: Floats,
    x: Floats,
    y: Floats,
    sizes: Ints,
    measures: Floats,
    has_close: Flags,
) -> int:
    """Set sizes, measures (area, largest coordinate, length) and has_close; return the points written."""
    used = 0
    for k in range(len(curves)):
        n = 0
        a = begin = curves[k]
        while True:
            s = segment[a]
            site = a // 2 if a < 2 * crossings else a - crossings
            px, py = points[site, 0], points[site, 1]
            low, stop = first[ring[s]], first[ring[s] + 1]
            has_close[k] = has_close[k] or is_close[segment[end[a]]]
            for _ in range(bends[a] + 1):
                if n == 0 or buffer[n - 1, 0] != px or buffer[n - 1, 1] != py:
                    buffer[n, 0], buffer[n, 1] = px, py
                    n += 1
                has_close[k] = has_close[k] or is_close[s]
                s += 1
                if s == stop:
                    s = low
                px, py = edges[s, 0], edges[s, 1]
            a = next_arc[a]
            if a == begin:
                break
        if n > 1 and buffer[n - 1, 0] == buffer[0, 0] and buffer[n - 1, 1] == buffer[0, 1]:
            n -= 1
        leftmost = 0
        for i in range(1, n):
            px, py = buffer[i, 0], buffer[i, 1]
            if px < buffer[leftmost, 0] or (px == buffer[leftmost, 0] and py < buffer[leftmost, 1]):
                leftmost = i
        x0, y0 = buffer[leftmost, 0], buffer[leftmost, 1]
        px, py = x0, y0
        x[used], y[used] = px, py
        twice = length = 0.0
        largest = max(abs(px), abs(py))
        for i in range(1, n + 1):
            j = leftmost + i
            if j >= n:
                j -= n
            qx, qy = buffer[j, 0], buffer[j, 1]
            x[used + i], y[used + i] = qx, qy
            twice += (px - x0) * (qy - y0) - (qx - x0) * (py - y0)
            length += np.sqrt((qx - px) * (qx - px) + (qy - py) * (qy - py))
            largest = max(largest, max(abs(qx), abs(qy)))
            px, py = qx, qy
        measures[k, 0], measures[k, 1], measures[k, 2] = 0.5 * twice, largest, length
        sizes[k] = n + 1
        if not measure_only:
            used += n + 1
    return used


def middle_of_longest(x: Floats, y: Floats) -> tuple[float, float]:
    """Return the midpoint of the longest edge of a ring, where no other curve touches it."""
    at = int(np.argmax(np.abs(np.diff(x)) + np.abs(np.diff(y))))
    return 0.5 * float(x[at] + x[at + 1]), 0.5 * float(y[at] + y[at + 1])


def is_inside(px: float, py: float, x: Floats, y: Floats) -> bool:
    """Return whether a point is inside a closed ring; for points on the ring the result is arbitrary."""
    meets = np.flatnonzero((y[:-1] > py) != (y[1:] > py))
    ax, ay, bx, by = x[meets], y[meets], x[meets + 1], y[meets + 1]
    return bool(np.count_nonzero(px < ax + (bx - ax) * (py - ay) / (by - ay)) % 2)
