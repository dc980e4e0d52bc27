"""Find where the outlines of clusters cross and touch (compiled).

Segments are sorted into the cells of a grid, and those that share a cell are compared by the exact predicates
of `predicates`. With its symbolic perturbation, a vertex on another outline makes two crossings or none. Such
degenerate contacts are recorded too, since areas that only the perturbation separates may have to be joined
(see `degeneracies`).
"""

from dataclasses import dataclass

import numpy as np

from polyframe.core.arrays import Flags, Floats, Ints, ShortInts
from polyframe.geometry.compiled.numba_jit import compiled, compiled_inner
from polyframe.geometry.compiled.outlines import Outlines
from polyframe.geometry.compiled.predicates import CROSS_ERROR, cross, exact_cross, perturbed_side

#: At most so many cells per segment, and entries in cells per segment. More cells save comparisons, but cost
#: more than these.
_CELLS = 1.0
_ENTRIES = 16.0

#: The place of a crossing is computed exactly if its rounding error could be more than one part in this many.
_NEARLY_PARALLEL = 1e8

#: What `_find` returns: all done, or an array is full and must grow before the next call.
_DONE, _MORE_CROSSINGS, _MORE_TOUCHES, _MORE_ENTRIES = range(4)


@dataclass(frozen=True)
class Crossings:
    """The points where outlines of a cluster meet.

    Attributes
    ----------
    segments : ndarray of int32, shape (2 n,)
        The two segments of each crossing, one after the other. The first one enters the mark of the second
        there, and the second one leaves that of the first.
    touches : ndarray of int32, shape (m, 2)
        A segment, and a vertex of another ring in its interior.
    touched : ndarray of bool, shape (v,)
        Whether a vertex is on another ring.
    met : ndarray of bool, shape (r,)
        Whether a ring has a crossing or touch.
    """

    segments: ShortInts
    touches: ShortInts
    touched: Flags
    met: Flags


class CrossingSearch:
    """Finds the crossings of some outlines with all others; one cluster needs its grid only once."""

    def __init__(self, outlines: Outlines) -> None:
        self.outlines, self.vertices = outlines, outlines.vertex_offsets()
        largest = int(np.diff(self.vertices).max(initial=0))
        self._cells = np.empty(int(2 * _CELLS) * largest + 80, np.int32)
        self._entries, self._boxes = np.empty(4 * largest + 64, np.int32), np.empty((largest, 4))
        self._near = np.empty(largest, np.int32)
        self._touched = np.zeros(len(outlines.edges), np.bool_)
        self._met = np.zeros(len(outlines.mark), np.bool_)
        #: The cluster of the grid, or -1, and its columns and rows.
        self._grid = np.array([-1, 0, 0])

    def crossings_of(self, low: int, high: int, *, only_later: bool = False) -> Crossings:
        """Return the crossings and touches of the segments from `low` to `high` - 1 with all segments.

        They are the segments of whole rings. `touched` and `met` are complete for these only.

        Parameters
        ----------
        low, high : int
        only_later : bool
            Without those with segments before `low`.
        """
        outlines = self.outlines
        segments, touches = np.empty(2 * (high - low) + 64, np.int32), np.empty((64, 2), np.int32)
        #: The cluster, cell and entry to continue with; the numbers of crossings and touches; entries of a
        #: grid; the first segment, and the end; the first side: 1 for only later segments.
        state = np.array([0, 0, 0, 0, 0, 0, low, high, int(only_later)])
        while True:
            result = _find(
                outlines.edges,
                outlines.ring,
                outlines.mark,
                self.vertices,
                self._cells,
                self._entries,
                self._grid,
                self._boxes,
                self._near,
                segments,
                touches,
                self._touched,
                self._met,
                state,
            )
            if result == _DONE:
                break
            if result == _MORE_CROSSINGS:
                segments = _resized(segments, 2 * len(segments))
            elif result == _MORE_TOUCHES:
                touches = np.concatenate([touches, np.empty_like(touches)])
            else:
                self._entries = np.empty(2 * state[5], np.int32)
        segments = _resized(segments, 2 * int(state[3]))
        return Crossings(segments, touches[: state[4]], self._touched, self._met)


def find_crossings(outlines: Outlines) -> Crossings:
    """Return all crossings of outlines of different marks, and all touches of different rings.

    They are sorted by cluster.
    """
    return CrossingSearch(outlines).crossings_of(0, len(outlines.edges))


def _resized(values: ShortInts, size: int) -> ShortInts:
    """Return an array with another length, without a copy if the allocator can do that."""
    values.resize(size, refcheck=False)
    return values


@compiled
def _find(
    edges: Floats,
    ring: ShortInts,
    mark: ShortInts,
    vertices: Ints,
    cells: ShortInts,
    entries: ShortInts,
    grid: Ints,
    boxes: Floats,
    near: ShortInts,
    segments: ShortInts,
    touches: ShortInts,
    touched: Flags,
    met: Flags,
    state: Ints,
) -> int:
    n, m = state[3], state[4]
    for c in range(state[0], len(vertices) - 1):
        low, high = vertices[c], vertices[c + 1]
        if low == high:
            continue
        if grid[0] != c:
            columns, rows, needed = _sort_into_cells(edges, low, high, cells, entries)
            if needed > len(entries):
                state[0], state[5] = c, needed
                return _MORE_ENTRIES
            grid[0], grid[1], grid[2] = c, columns, rows
        for cell in range(state[1], grid[1] * grid[2]):
            begin, stop = cells[cell], cells[cell + 1]
            if begin == stop or ring[entries[begin] >> 2] == ring[entries[stop - 1] >> 2]:
                continue  # of at most one ring
            # Which entries are of the chosen segments.
            chosen, end = begin, stop
            if entries[begin] >> 2 < state[6] or entries[stop - 1] >> 2 >= state[7]:
                while chosen < stop and entries[chosen] >> 2 < state[6]:
                    chosen += 1
                end = chosen
                while end < stop and entries[end] >> 2 < state[7]:
                    end += 1
                if chosen == end:
                    continue
            for p in range(begin if state[8] == 0 else chosen, stop):
                s = entries[p] >> 2
                for axis in range(2):
                    boxes[p - begin, axis] = min(edges[s, axis], edges[s, axis + 2])
                    boxes[p - begin, axis + 2] = max(edges[s, axis], edges[s, axis + 2])
            others = chosen
            for p in range(max(chosen, state[2]), end):
                s, begins = entries[p] >> 2, entries[p] & 3
                if others <= p:
                    others = p + 1
                while others < stop and ring[entries[others] >> 2] == ring[s]:
                    others += 1
                most = chosen - begin + stop - others
                if most == 0:
                    break
                if 2 * (n + most) > len(segments):
                    state[0], state[1], state[2], state[3], state[4] = c, cell, p, n, m
                    return _MORE_CROSSINGS
                if m + 2 * most > len(touches):
                    state[0], state[1], state[2], state[3], state[4] = c, cell, p, n, m
                    return _MORE_TOUCHES
                i = mark[ring[s]]
                ax, ay, bx, by = edges[s, 0], edges[s, 1], edges[s, 2], edges[s, 3]
                left, bottom = boxes[p - begin, 0], boxes[p - begin, 1]
                right, top = boxes[p - begin, 2], boxes[p - begin, 3]
                # A pair that shares several cells counts in the one with the lower left corner of its
                # overlap: the last of the first columns of both, and the last of the first rows. There are
                # no branches here, since no processor could predict them.
                count = 0
                for side in range(state[8], 2):  # before the chosen segments, then after this ring
                    first = 0 if side == 0 else others - begin
                    for q in range(first, chosen - begin if side == 0 else stop - begin):
                        t = entries[begin + q]
                        near[count] = t >> 2
                        count += (
                            (boxes[q, 0] <= right)
                            & (boxes[q, 2] >= left)
                            & (boxes[q, 1] <= top)
                            & (boxes[q, 3] >= bottom)
                            & ((begins | t) & 3 == 3)
                        )
                for q in range(count):
                    t = near[q]
                    cx, cy, dx, dy = edges[t, 0], edges[t, 1], edges[t, 2], edges[t, 3]
                    o1, o2 = cross(ax, ay, bx, by, ax, ay, cx, cy), cross(ax, ay, bx, by, ax, ay, dx, dy)
                    if (o1 > 0.0 and o2 > 0.0) or (o1 < 0.0 and o2 < 0.0):
                        continue
                    o3, o4 = cross(cx, cy, dx, dy, cx, cy, ax, ay), cross(cx, cy, dx, dy, cx, cy, bx, by)
                    if (o3 > 0.0 and o4 > 0.0) or (o3 < 0.0 and o4 < 0.0):
                        continue
                    # Every vertex begins one segment, so only the first vertices of segments are tested.
                    if o1 == 0.0 and o3 == 0.0 and ax == cx and ay == cy:
                        touched[s] = touched[t] = True
                        met[ring[s]] = met[ring[t]] = True
                    if o1 == 0.0 and _is_between(ax, ay, bx, by, cx, cy):
                        touches[m, 0], touches[m, 1] = s, t
                        m += 1
                        touched[t] = met[ring[s]] = met[ring[t]] = True
                    if o3 == 0.0 and _is_between(cx, cy, dx, dy, ax, ay):
                        touches[m, 0], touches[m, 1] = t, s
                        m += 1
                        touched[s] = met[ring[s]] = met[ring[t]] = True
                    j = mark[ring[t]]
                    if i == j:
                        continue
                    before = perturbed_side(o3, cx, cy, dx, dy, j, i)
                    if before == perturbed_side(o4, cx, cy, dx, dy, j, i):
                        continue
                    if perturbed_side(o1, ax, ay, bx, by, i, j) == perturbed_side(o2, ax, ay, bx, by, i, j):
                        continue
                    segments[2 * n] = s if before < 0 else t
                    segments[2 * n + 1] = t if before < 0 else s
                    met[ring[s]] = met[ring[t]] = True
                    n += 1
            state[2] = 0
        state[1] = 0
    state[3], state[4] = n, m
    return _DONE


@compiled_inner
def _is_between(ax: float, ay: float, bx: float, by: float, px: float, py: float) -> bool:
    """Return whether a point on the line through a segment is in its interior."""
    if abs(bx - ax) >= abs(by - ay):
        return min(ax, bx) < px < max(ax, bx)
    return min(ay, by) < py < max(ay, by)


@compiled_inner
def _sort_into_cells(
    edges: Floats, low: int, high: int, begins: ShortInts, items: ShortInts
) -> tuple[int, int, int]:
    """Sort the segments of a cluster by their boxes into the cells of a grid.

    Fills `begins` with where the segments of each cell begin, and `items` with four times the segments,
    ascending within a cell, plus 1 if the cell is in the first column of the segment, plus 2 if it is in the
    first row. Returns the number of columns, of rows and of items; if there is no room for them, the items
    are not sorted.
    """
    n = high - low
    x0 = x1 = edges[low, 0]
    y0 = y1 = edges[low, 1]
    length = 0.0
    for s in range(low, high):
        ax, ay, bx, by = edges[s, 0], edges[s, 1], edges[s, 2], edges[s, 3]
        x0, y0, x1, y1 = min(x0, ax), min(y0, ay), max(x1, ax), max(y1, ay)
        length += max(abs(bx - ax), abs(by - ay))
    cell = max(length / n, np.sqrt((x1 - x0) * (y1 - y0) / (_CELLS * n)))
    # Neither a long thin cluster nor long segments may fill too many cells.
    while ((x1 - x0) / cell + 1.0) * ((y1 - y0) / cell + 1.0) > 2.0 * _CELLS * n + 64.0:
        cell *= 1.5
    while True:
        entries = 0.0
        for s in range(low, high):
            wide, tall = abs(edges[s, 2] - edges[s, 0]) / cell, abs(edges[s, 3] - edges[s, 1]) / cell
            entries += (wide + 1.0) * (tall + 1.0)
        if entries <= _ENTRIES * n:
            break
        cell *= 1.5
    scale = 1.0 / cell
    columns, rows = int((x1 - x0) * scale) + 1, int((y1 - y0) * scale) + 1

    # First the number of items of each cell, then where its items end, then, filled from there, where they
    # begin.
    for place in range(columns * rows + 1):
        begins[place] = 0
    for filling in range(2):
        for s in range(high - 1, low - 1, -1):
            ax, ay, bx, by = edges[s, 0], edges[s, 1], edges[s, 2], edges[s, 3]
            left, right = int((min(ax, bx) - x0) * scale), int((max(ax, bx) - x0) * scale)
            lowest, highest = int((min(ay, by) - y0) * scale), int((max(ay, by) - y0) * scale)
            for row in range(lowest, highest + 1):
                item = 4 * s + 1 + 2 * int(row == lowest)
                for place in range(row * columns + left, row * columns + right + 1):
                    if filling == 0:
                        begins[place] += 1
                    else:
                        begins[place] -= 1
                        items[begins[place]] = item
                        item &= ~1
        if filling == 0:
            for place in range(columns * rows):
                begins[place + 1] += begins[place]
            if begins[columns * rows] > len(items):
                break
    return columns, rows, int(begins[columns * rows])


@compiled
def place_crossings(
    edges: Floats,
    segments: ShortInts,
    points: Floats,
    fractions: Floats,
    at_vertex: Flags,
    close: Floats,
    has_close: Flags,
) -> None:
    """Compute the points of all crossings.

    Parameters
    ----------
    edges, segments
        See `Outlines` and `Crossings`; there are n crossings.
    points : ndarray of float64, shape (n or more, 2)
        Filled with their coordinates.
    fractions : ndarray of float64, shape (n, 4)
        Filled with how far along both segments they are, and the error bounds of these fractions.
    at_vertex : ndarray of bool, shape (n or more,)
        Set to whether a crossing is at a vertex, so that its coordinates are exact.
    close : ndarray of float64, shape (v,)
        Distances that are close to the ends of each segment.
    has_close : ndarray of bool, shape (v,)
        Set to True for segments with a crossing that is not at an end but close to it.
    """
    for i in range(len(segments) // 2):
        s, t = segments[2 * i], segments[2 * i + 1]
        along, across, error_along, error_across, px, py, exact = _place(edges, s, t)
        fractions[i, 0], fractions[i, 1], fractions[i, 2], fractions[i, 3] = (
            along,
            across,
            error_along,
            error_across,
        )
        points[i, 0], points[i, 1], at_vertex[i] = px, py, exact
        if exact:
            continue
        for k in range(2 * i, 2 * i + 2):
            s = segments[k]
            for end in range(0, 4, 2):
                if abs(px - edges[s, end]) <= close[s] and abs(py - edges[s, end + 1]) <= close[s]:
                    has_close[s] = True


@compiled_inner
def _place(edges: Floats, s: int, t: int) -> tuple[float, float, float, float, float, float, bool]:
    """Compute where two segments cross.

    Returns the fractions along both segments, their error bounds, x and y, and whether that is at a vertex.
    """
    ax, ay, bx, by = edges[s, 0], edges[s, 1], edges[s, 2], edges[s, 3]
    cx, cy, dx, dy = edges[t, 0], edges[t, 1], edges[t, 2], edges[t, 3]
    o1, o2 = cross(ax, ay, bx, by, ax, ay, cx, cy), cross(ax, ay, bx, by, ax, ay, dx, dy)
    o3, o4 = cross(cx, cy, dx, dy, cx, cy, ax, ay), cross(cx, cy, dx, dy, cx, cy, bx, by)
    one, other = abs(bx - ax) + abs(by - ay), abs(dx - cx) + abs(dy - cy)
    error = 2.0 * CROSS_ERROR * (one + other) * max(one, other)
    if min(abs(o3 - o4), abs(o1 - o2)) < _NEARLY_PARALLEL * error:
        o1, o2 = exact_cross(ax, ay, bx, by, ax, ay, cx, cy), exact_cross(ax, ay, bx, by, ax, ay, dx, dy)
        o3, o4 = exact_cross(cx, cy, dx, dy, cx, cy, ax, ay), exact_cross(cx, cy, dx, dy, cx, cy, bx, by)
        error = 0.0
    along, across = o3 / (o3 - o4), o1 / (o1 - o2)
    error_along, error_across = 2.0 * error / abs(o3 - o4) + 1e-15, 2.0 * error / abs(o1 - o2) + 1e-15
    # From the nearer end of the shorter segment; points on vertical and horizontal segments are exactly on
    # them.
    if one <= other:
        x, y = _between(ax, bx, o3, o4), _between(ay, by, o3, o4)
    else:
        x, y = _between(cx, dx, o1, o2), _between(cy, dy, o1, o2)
    if ax == bx or cx == dx:
        x = ax if ax == bx else cx
    if ay == by or cy == dy:
        y = ay if ay == by else cy
    at_vertex = True
    if o1 == 0.0:
        x, y = cx, cy
    elif o2 == 0.0:
        x, y = dx, dy
    elif o3 == 0.0:
        x, y = ax, ay
    elif o4 == 0.0:
        x, y = bx, by
    else:
        at_vertex = False
    return along, across, error_along, error_across, x, y, at_vertex


@compiled_inner
def _between(begin: float, end: float, from_begin: float, from_end: float) -> float:
    """Return the coordinate between two others at these signed, opposite distances from them."""
    whole = from_begin - from_end
    if abs(from_begin) <= abs(from_end):
        return begin + from_begin / whole * (end - begin)
    return end + from_end / whole * (end - begin)
