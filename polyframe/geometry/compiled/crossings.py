"""Find where the outlines of clusters cross and touch (compiled).

Segments are sorted into the cells of a grid, and those that share a cell are compared by the exact predicates
of `predicates`. With its symbolic perturbation, a vertex on another outline makes two crossings or none. Such
degenerate contacts are recorded too, since areas that only the perturbation separates may have to be joined
(see `degeneracies`).
"""

from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Floats, Ints, ShortInts
from polyframe.geometry.compiled.crossing_points import NEARLY_PARALLEL, distances_from_lines
from polyframe.geometry.compiled.numba_jit import compiled, compiled_inner
from polyframe.geometry.compiled.outlines import Outlines
from polyframe.geometry.compiled.predicates import cross, perturbed_side

#: At most so many cells per segment, and entries in cells per segment. More cells save comparisons, but cost
#: more than these.
_CELLS = 1.0
_ENTRIES = 16.0

#: An error bound of the differences of cross products that show that segments are apart, as a fraction of the
#: square of the extent of all segments in a cell: 40 rounding errors of products, doubled.
_FILTER_ERROR = 1e-14

_Number = TypeVar("_Number", bound=np.generic)

#: Points that are at most so many rounding steps apart are close.
CLOSE_STEPS = 16

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
    near : ndarray of bool, shape (v,)
        Whether a segment is so near to an end of one of another ring, or the reverse, that rounding may make
        them cross. Segments that only touch are not near.
    fractions : ndarray of float64, shape (n, 4)
        How far along both segments a crossing is, and the error bounds of these fractions; only if asked for.
    at_vertex : ndarray of bool, shape (n,)
        Whether a crossing is at a vertex; only if asked for.
    """

    segments: ShortInts
    touches: ShortInts
    touched: Flags
    met: Flags
    near: Flags
    fractions: Floats = field(default_factory=lambda: np.empty((0, 4)))
    at_vertex: Flags = field(default_factory=lambda: np.empty(0, np.bool_))


class CrossingSearch:
    """Finds the crossings of some outlines with all others; one cluster needs its grid only once."""

    def __init__(self, outlines: Outlines) -> None:
        self.outlines, self.vertices = outlines, outlines.vertex_offsets()
        self._reach = CLOSE_STEPS * np.spacing(outlines.largest)
        largest = int(np.diff(self.vertices).max(initial=0))
        self._cells = np.empty(int(2 * _CELLS) * largest + 80, np.int32)
        self._entries = np.empty(4 * largest + 64, np.int32)
        # The segments of a cell: begin, and vector to the end.
        self._lines, self._meets = np.empty((4, largest)), np.empty(largest, np.bool_)
        self._near = np.empty(largest, np.int32)
        # The segments, fractions and `at_vertex` of crossings.
        self._buffers = np.empty(128, np.int32), np.empty((64, 4)), np.empty(64, np.bool_)
        self._touched = np.zeros(len(outlines.edges), np.bool_)
        self._met = np.zeros(len(outlines.mark), np.bool_)
        self._is_near = np.zeros(len(outlines.edges), np.bool_)
        #: The cluster of the grid, or -1, and its columns and rows.
        self._grid = np.array([-1, 0, 0])

    def crossings_of(
        self, low: int, high: int, *, only_later: bool = False, with_fractions: bool = False
    ) -> Crossings:
        """Return the crossings and touches of the segments from `low` to `high` - 1 with all segments.

        They are the segments of whole rings. `touched`, `met` and `near` are complete for these only.

        Parameters
        ----------
        low, high : int
        only_later : bool
            Without those with segments before `low`.
        with_fractions : bool
            With `fractions` and `at_vertex`. The next such search overwrites them and `segments`: new arrays
            of this size take longer than what fills them.
        """
        outlines = self.outlines
        touches = np.empty((64, 2), np.int32)
        if with_fractions:
            segments, fractions, at_vertex = self._buffers
        else:
            segments = np.empty(2 * (high - low) + 64, np.int32)
            fractions, at_vertex = np.empty((0, 4)), np.empty(0, np.bool_)
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
                self._lines,
                self._meets,
                self._near,
                segments,
                fractions,
                at_vertex,
                touches,
                self._touched,
                self._met,
                self._reach,
                self._is_near,
                state,
            )
            if result == _DONE:
                break
            if result == _MORE_CROSSINGS:
                segments = _resized(segments, 2 * len(segments))
                fractions = _resized(fractions, 2 * len(fractions))
                at_vertex = _resized(at_vertex, 2 * len(at_vertex))
            elif result == _MORE_TOUCHES:
                touches = np.concatenate([touches, np.empty_like(touches)])
            else:
                self._entries = np.empty(2 * state[5], np.int32)
        n = int(state[3])
        if with_fractions:
            self._buffers = segments, fractions, at_vertex
            segments, fractions, at_vertex = segments[: 2 * n], fractions[:n], at_vertex[:n]
        else:
            segments = _resized(segments, 2 * n)
        return Crossings(
            segments, touches[: state[4]], self._touched, self._met, self._is_near, fractions, at_vertex
        )


def find_crossings(outlines: Outlines) -> Crossings:
    """Return all crossings of outlines of different marks, and all touches of different rings.

    They are sorted by cluster.
    """
    return CrossingSearch(outlines).crossings_of(0, len(outlines.edges))


def _resized(values: NDArray[_Number], size: int) -> NDArray[_Number]:
    """Return an array with another length, without a copy if the allocator can do that."""
    values.resize((size, *values.shape[1:]), refcheck=False)
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
    lines: Floats,
    meets: Flags,
    near: ShortInts,
    segments: ShortInts,
    fractions: Floats,
    at_vertex: Flags,
    touches: ShortInts,
    touched: Flags,
    met: Flags,
    reach: Floats,
    is_near: Flags,
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
            s = entries[chosen] >> 2
            low_x = high_x = edges[s, 0]
            low_y = high_y = edges[s, 1]
            for p in range(begin if state[8] == 0 else chosen, stop):
                s = entries[p] >> 2
                ax, ay, bx, by = edges[s, 0], edges[s, 1], edges[s, 2], edges[s, 3]
                lines[0, p - begin], lines[1, p - begin] = ax, ay
                lines[2, p - begin], lines[3, p - begin] = bx - ax, by - ay
                low_x, high_x = min(low_x, min(ax, bx)), max(high_x, max(ax, bx))
                low_y, high_y = min(low_y, min(ay, by)), max(high_y, max(ay, by))
            extent = (high_x - low_x) + (high_y - low_y)
            # Up to it, the ends of two segments may also be near.
            tolerance = max(_FILTER_ERROR * extent, reach[c]) * extent
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
                left, right, bottom, top = min(ax, bx), max(ax, bx), min(ay, by), max(ay, by)
                wx, wy = bx - ax, by - ay
                # There are no branches in these loops, since no processor could predict them.
                count = 0
                for side in range(state[8], 2):  # before the chosen segments, then after this ring
                    first = 0 if side == 0 else others - begin
                    last = chosen - begin if side == 0 else stop - begin
                    # Unsigned, so that the compiler knows that they do not count from the end of an array,
                    # and compares several segments at once.
                    for q in range(np.uint64(first), np.uint64(last)):
                        ux, uy = lines[0, q] - ax, lines[1, q] - ay
                        vx, vy = lines[2, q], lines[3, q]
                        # The ends of the other segment are at `one` and `one` + 2 `half` from this line, and
                        # those of this segment at `other` and `other` - 2 `half` from the other line.
                        one, other = wx * uy - wy * ux, vy * ux - vx * uy
                        half = 0.5 * (wx * vy - wy * vx)
                        meets[q] = max(abs(one + half), abs(other - half)) - abs(half) <= tolerance
                    for q in range(first, last):
                        near[count] = entries[begin + q]
                        count += meets[q]
                # A pair that shares several cells counts in the one with the lower left corner of its
                # overlap: the last of the first columns of both, and the last of the first rows.
                candidates, count = count, 0
                for q in range(candidates):
                    item = near[q]
                    near[count] = item >> 2
                    count += (begins | item) & 3 == 3
                for q in range(count):
                    t = near[q]
                    cx, cy, dx, dy = edges[t, 0], edges[t, 1], edges[t, 2], edges[t, 3]
                    ux, uy, vx, vy = cx - ax, cy - ay, dx - cx, dy - cy
                    turn = wx * vy - wy * vx
                    o1, o3 = wx * uy - wy * ux, vy * ux - vx * uy
                    o2, o4 = o1 + turn, o3 - turn
                    if min(min(abs(o1), abs(o2)), min(abs(o3), abs(o4))) > tolerance:
                        # All signs are certain.
                        if ((o1 > 0.0) == (o2 > 0.0)) | ((o3 > 0.0) == (o4 > 0.0)) | (mark[ring[t]] == i):
                            continue
                        segments[2 * n] = s if o3 < 0.0 else t
                        segments[2 * n + 1] = t if o3 < 0.0 else s
                        met[ring[s]] = met[ring[t]] = True
                        if len(fractions) > 0:
                            if abs(turn) > NEARLY_PARALLEL * tolerance:
                                along, across = o3 / turn, -o1 / turn
                                error = 2.0 * tolerance / abs(turn) + 1e-15
                                fractions[n, 0] = along if o3 < 0.0 else across
                                fractions[n, 1] = across if o3 < 0.0 else along
                                fractions[n, 2], fractions[n, 3] = error, error
                                at_vertex[n] = False
                            else:
                                _measure(edges, segments, n, fractions, at_vertex)
                        n += 1
                        continue
                    if min(cx, dx) > right or max(cx, dx) < left or min(cy, dy) > top or max(cy, dy) < bottom:
                        continue
                    o1, o2 = cross(ax, ay, bx, by, ax, ay, cx, cy), cross(ax, ay, bx, by, ax, ay, dx, dy)
                    o3, o4 = cross(cx, cy, dx, dy, cx, cy, ax, ay), cross(cx, cy, dx, dy, cx, cy, bx, by)
                    one, other = reach[c] * (abs(wx) + abs(wy)), reach[c] * (abs(vx) + abs(vy))
                    if (
                        0.0 < abs(o1) <= one
                        or 0.0 < abs(o2) <= one
                        or 0.0 < abs(o3) <= other
                        or 0.0 < abs(o4) <= other
                    ):
                        is_near[s] = is_near[t] = True
                    if (o1 > 0.0 and o2 > 0.0) or (o1 < 0.0 and o2 < 0.0):
                        continue
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
                    if len(fractions) > 0:
                        _measure(edges, segments, n, fractions, at_vertex)
                    n += 1
            state[2] = 0
        state[1] = 0
    state[3], state[4] = n, m
    return _DONE


@compiled_inner
def _measure(edges: Floats, segments: ShortInts, n: int, fractions: Floats, at_vertex: Flags) -> None:
    """Set the fractions of crossing n, and whether it is at a vertex."""
    o1, o2, o3, o4, error = distances_from_lines(edges, segments[2 * n], segments[2 * n + 1])
    fractions[n, 0], fractions[n, 1] = o3 / (o3 - o4), o1 / (o1 - o2)
    fractions[n, 2] = 2.0 * error / abs(o3 - o4) + 1e-15
    fractions[n, 3] = 2.0 * error / abs(o1 - o2) + 1e-15
    at_vertex[n] = o1 == 0.0 or o2 == 0.0 or o3 == 0.0 or o4 == 0.0


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
