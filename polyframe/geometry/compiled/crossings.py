"""Find where the outlines of one cluster cross and touch (compiled).

Segments are sorted into the cells of a grid, and those that share a cell are compared by the exact predicates
of `predicates`. With its symbolic perturbation, a vertex on another outline makes two crossings or none. Such
degenerate contacts are recorded too, since areas that only the perturbation separates may have to be joined
(see `degeneracies`).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.geometry.compiled.numba_jit import compiled_inner
from polyframe.geometry.compiled.outlines import Outlines
from polyframe.geometry.compiled.predicates import CROSS_ERROR, cross, exact_cross, perturbed_side

#: At most so many cells per segment, and entries in cells per segment.
_CELLS = 4.0
_ENTRIES = 16.0

#: The place of a crossing is computed exactly if its rounding error could be more than one part in this many.
_NEARLY_PARALLEL = 1e8


class Crossings(NamedTuple):
    """The points where outlines of a cluster meet.

    Attributes
    ----------
    segments : ndarray of int64, shape (n, 2)
        The two segments of each crossing. The first one enters the mark of the second there, and the second
        one leaves that of the first.
    places : ndarray of float64, shape (n, 6)
        The fractions along both segments, their error bounds, x and y.
    at_vertex : ndarray of bool, shape (n,)
        Whether the crossing is at a vertex, so that x and y are exact.
    touches : ndarray of int64, shape (m, 2)
        A segment, and a vertex of another ring in its interior.
    touched : ndarray of bool, shape (v,)
        Whether a vertex is on another ring.
    """

    segments: Ints
    places: Floats
    at_vertex: Flags
    touches: Ints
    touched: Flags


@compiled_inner
def find_crossings(outlines: Outlines) -> Crossings:
    """Return all crossings of outlines of different marks, and all touches of different rings."""
    x, y, end_x, end_y = outlines.x, outlines.y, outlines.end_x, outlines.end_y
    ring, mark = outlines.ring, outlines.mark
    v = len(x)
    boxes = np.empty((v, 4))
    for s in range(v):
        boxes[s, 0], boxes[s, 2] = min(x[s], end_x[s]), max(x[s], end_x[s])
        boxes[s, 1], boxes[s, 3] = min(y[s], end_y[s]), max(y[s], end_y[s])
    meetings, segments = np.empty((16, 2), np.int64), np.empty((v // 2 + 16, 2), np.int64)
    m = n = 0

    begins, items, x0, y0, scale, columns = _sort_into_cells(boxes)
    for cell in range(len(begins) - 1):
        stop = begins[cell + 1]
        others = begins[cell]
        for p in range(begins[cell], stop):
            s = items[p]
            if others <= p:
                others = p + 1
            while others < stop and ring[items[others]] == ring[s]:
                others += 1
            ax, ay, bx, by = x[s], y[s], end_x[s], end_y[s]
            left, low, right, high = boxes[s, 0], boxes[s, 1], boxes[s, 2], boxes[s, 3]
            for q in range(others, stop):
                t = items[q]
                if boxes[t, 0] > right or boxes[t, 2] < left or boxes[t, 1] > high or boxes[t, 3] < low:
                    continue
                # A pair that shares several cells counts in the one with the lower left corner of its
                # overlap.
                corner = int((max(low, boxes[t, 1]) - y0) * scale) * columns
                if corner + int((max(left, boxes[t, 0]) - x0) * scale) != cell:
                    continue
                cx, cy, dx, dy = x[t], y[t], end_x[t], end_y[t]
                o1, o2 = cross(ax, ay, bx, by, ax, ay, cx, cy), cross(ax, ay, bx, by, ax, ay, dx, dy)
                if (o1 > 0.0 and o2 > 0.0) or (o1 < 0.0 and o2 < 0.0):
                    continue
                o3, o4 = cross(cx, cy, dx, dy, cx, cy, ax, ay), cross(cx, cy, dx, dy, cx, cy, bx, by)
                if (o3 > 0.0 and o4 > 0.0) or (o3 < 0.0 and o4 < 0.0):
                    continue
                if o1 == 0.0 or o3 == 0.0:
                    if m == len(meetings):
                        meetings = _with_more_rows(meetings)
                    meetings[m, 0], meetings[m, 1] = s, t
                    m += 1
                i, j = mark[ring[s]], mark[ring[t]]
                if i == j:
                    continue
                before = perturbed_side(o3, cx, cy, dx, dy, j, i)
                if before == perturbed_side(o4, cx, cy, dx, dy, j, i):
                    continue
                if perturbed_side(o1, ax, ay, bx, by, i, j) == perturbed_side(o2, ax, ay, bx, by, i, j):
                    continue
                if n == len(segments):
                    segments = _with_more_rows(segments)
                if before < 0:
                    segments[n, 0], segments[n, 1] = s, t
                else:
                    segments[n, 0], segments[n, 1] = t, s
                n += 1
    places, at_vertex = np.empty((n, 6)), np.empty(n, np.bool_)
    for k in range(n):
        at_vertex[k] = _place(outlines, segments[k, 0], segments[k, 1], places[k])
    touches, touched = _find_touches(outlines, meetings[:m])
    return Crossings(segments[:n], places, at_vertex, touches, touched)


@compiled_inner
def _find_touches(outlines: Outlines, meetings: Ints) -> tuple[Ints, Flags]:
    """Return touches and touched vertices among pairs of segments that may meet.

    Every vertex begins one segment, so only the first vertices of segments are tested.
    """
    x, y, end_x, end_y = outlines.x, outlines.y, outlines.end_x, outlines.end_y
    touched = np.zeros(len(x), np.bool_)
    touches, m = np.empty((2 * len(meetings), 2), np.int64), 0
    for i in range(len(meetings)):
        s, t = meetings[i, 0], meetings[i, 1]
        if x[s] == x[t] and y[s] == y[t]:
            touched[s] = touched[t] = True
        for _ in range(2):
            ax, ay, bx, by, px, py = x[s], y[s], end_x[s], end_y[s], x[t], y[t]
            level = abs(bx - ax) >= abs(by - ay)
            between = min(ax, bx) < px < max(ax, bx) if level else min(ay, by) < py < max(ay, by)
            if between and cross(ax, ay, bx, by, ax, ay, px, py) == 0.0:
                touched[t] = True
                touches[m, 0], touches[m, 1] = s, t
                m += 1
            s, t = t, s
    return touches[:m], touched


@compiled_inner
def _place(outlines: Outlines, s: int, t: int, place: Floats) -> bool:
    """Compute where two segments cross; return whether that is at a vertex."""
    ax, ay, bx, by = outlines.x[s], outlines.y[s], outlines.end_x[s], outlines.end_y[s]
    cx, cy, dx, dy = outlines.x[t], outlines.y[t], outlines.end_x[t], outlines.end_y[t]
    o1, o2 = cross(ax, ay, bx, by, ax, ay, cx, cy), cross(ax, ay, bx, by, ax, ay, dx, dy)
    o3, o4 = cross(cx, cy, dx, dy, cx, cy, ax, ay), cross(cx, cy, dx, dy, cx, cy, bx, by)
    one, other = abs(bx - ax) + abs(by - ay), abs(dx - cx) + abs(dy - cy)
    error = 2.0 * CROSS_ERROR * (one + other) * max(one, other)
    if min(abs(o3 - o4), abs(o1 - o2)) < _NEARLY_PARALLEL * error:
        o1, o2 = exact_cross(ax, ay, bx, by, ax, ay, cx, cy), exact_cross(ax, ay, bx, by, ax, ay, dx, dy)
        o3, o4 = exact_cross(cx, cy, dx, dy, cx, cy, ax, ay), exact_cross(cx, cy, dx, dy, cx, cy, bx, by)
        error = 0.0
    place[0], place[1] = o3 / (o3 - o4), o1 / (o1 - o2)
    place[2], place[3] = 2.0 * error / abs(o3 - o4) + 1e-15, 2.0 * error / abs(o1 - o2) + 1e-15
    # From the nearer end of the shorter segment; points on vertical and horizontal segments are exactly on
    # them.
    if one <= other:
        place[4], place[5] = _between(ax, bx, o3, o4), _between(ay, by, o3, o4)
    else:
        place[4], place[5] = _between(cx, dx, o1, o2), _between(cy, dy, o1, o2)
    if ax == bx or cx == dx:
        place[4] = ax if ax == bx else cx
    if ay == by or cy == dy:
        place[5] = ay if ay == by else cy
    if o1 == 0.0:
        place[4], place[5] = cx, cy
    elif o2 == 0.0:
        place[4], place[5] = dx, dy
    elif o3 == 0.0:
        place[4], place[5] = ax, ay
    elif o4 == 0.0:
        place[4], place[5] = bx, by
    else:
        return False
    return True


@compiled_inner
def _between(begin: float, end: float, from_begin: float, from_end: float) -> float:
    """Return the coordinate between two others at these signed, opposite distances from them."""
    whole = from_begin - from_end
    if abs(from_begin) <= abs(from_end):
        return begin + from_begin / whole * (end - begin)
    return end + from_end / whole * (end - begin)


@compiled_inner
def _with_more_rows(rows: Ints) -> Ints:
    larger = np.empty((2 * len(rows), 2), np.int64)
    for i in range(len(rows)):
        larger[i, 0], larger[i, 1] = rows[i, 0], rows[i, 1]
    return larger


@compiled_inner
def _sort_into_cells(boxes: Floats) -> tuple[Ints, NDArray[np.int32], float, float, float, int]:
    """Sort segments by their boxes into the cells of a grid.

    Returns where the segments of each cell begin, the segments (ascending within a cell), the lower left
    corner of the grid, the number of cells per pixel, and the number of columns.
    """
    n = len(boxes)
    x0, y0, x1, y1 = boxes[0, 0], boxes[0, 1], boxes[0, 2], boxes[0, 3]
    length = 0.0
    for s in range(n):
        x0, y0 = min(x0, boxes[s, 0]), min(y0, boxes[s, 1])
        x1, y1 = max(x1, boxes[s, 2]), max(y1, boxes[s, 3])
        length += max(boxes[s, 2] - boxes[s, 0], boxes[s, 3] - boxes[s, 1])
    cell = max(length / n, np.sqrt((x1 - x0) * (y1 - y0) / (_CELLS * n)))
    # Neither a long thin cluster nor long segments may fill too many cells.
    while ((x1 - x0) / cell + 1.0) * ((y1 - y0) / cell + 1.0) > 2.0 * _CELLS * n + 64.0:
        cell *= 1.5
    while True:
        entries = 0.0
        for s in range(n):
            wide, high = (boxes[s, 2] - boxes[s, 0]) / cell, (boxes[s, 3] - boxes[s, 1]) / cell
            entries += (wide + 1.0) * (high + 1.0)
        if entries <= _ENTRIES * n:
            break
        cell *= 1.5
    scale = 1.0 / cell
    columns, rows = int((x1 - x0) * scale) + 1, int((y1 - y0) * scale) + 1

    begins = np.zeros(columns * rows + 1, np.int64)
    for s in range(n):
        left, right = int((boxes[s, 0] - x0) * scale), int((boxes[s, 2] - x0) * scale)
        for row in range(int((boxes[s, 1] - y0) * scale), int((boxes[s, 3] - y0) * scale) + 1):
            for place in range(row * columns + left, row * columns + right + 1):
                begins[place + 1] += 1
    for i in range(columns * rows):
        begins[i + 1] += begins[i]
    items = np.empty(begins[-1], np.int32)
    filled = begins[:-1].copy()
    for s in range(n):
        left, right = int((boxes[s, 0] - x0) * scale), int((boxes[s, 2] - x0) * scale)
        for row in range(int((boxes[s, 1] - y0) * scale), int((boxes[s, 3] - y0) * scale) + 1):
            for place in range(row * columns + left, row * columns + right + 1):
                items[filled[place]] = s
                filled[place] += 1
    return begins, items, x0, y0, scale, columns
