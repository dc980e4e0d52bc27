"""Compute the intersection areas of all pairs of many polygons, some rows of the matrix at a time (compiled).

Thousands of outlines of one object cross each other some sixteen times a pair, but have hundreds of vertices.
So the area of a pair is a sum over the crossings of its outlines. The boundary of the intersection consists
of the stretches of A's outline inside B and of B's inside A, and its area is the sum of what these stretches
sweep, seen from any one point. A stretch is the difference of two prefix sums along its outline, each of them
at a crossing: there one outline enters the other polygon, and the other outline leaves. If the first vertex
of a ring is inside the other polygon, the whole ring is added. No intersection polygon is built.

Outlines that touch or share stretches are no special case, since marks are infinitesimally perturbed (see
`predicates`), which changes no area.

References
----------
W. R. Franklin, "Efficient polyhedron intersection and union", Graphics Interface (1982): areas of
intersections by sums over crossings.
"""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from polyframe.core.arrays import Floats, ShortInts
from polyframe.geometry.compiled.crossings import CrossingSearch
from polyframe.geometry.compiled.numba_jit import compiled
from polyframe.geometry.compiled.outlines import Outlines, load_outlines
from polyframe.geometry.compiled.predicates import cross
from polyframe.geometry.compiled.slab_decomposition import rings_of
from polyframe.geometry.compiled.windings import winding_numbers


class AreaRows:
    """The intersection areas of many polygons, which may have holes."""

    def __init__(self, outlines: Outlines, marks: int) -> None:
        self._outlines, self._marks = outlines, marks
        self._search = CrossingSearch(outlines)
        edges, first, mark = outlines.edges, outlines.first, outlines.mark
        # Each mark is seen from its first vertex, so that a small one far away keeps its digits.
        head = np.minimum(np.searchsorted(mark, np.arange(marks)), len(mark) - 1)
        self._origin = edges[first[head], :2]
        self._swept, self._ring_area = np.empty(len(edges)), np.empty(len(mark))
        sweep_rings(edges, first, mark, self._origin, self._swept, self._ring_area)
        # Areas of a pair are seen from one of both, chosen by their shapes: so equal outlines have equal
        # areas with a third one.
        area = np.bincount(mark, self._ring_area, marks)
        self._rank = np.argsort(np.lexsort((*self._origin.T, area))).astype(np.int32)

    def of_rows(self, start: int, end: int) -> Floats:
        """Return the intersection areas of the polygons from `start` to `end` - 1 with later ones.

        Returns
        -------
        (end - start, n) float64
            0 on and below the diagonal.
        """
        outlines, marks = self._outlines, self._marks
        areas = np.zeros((end - start, marks))
        low, high = (int(r) for r in np.searchsorted(outlines.mark, (start, end)))
        if low == high:
            return areas
        own, others = np.arange(low, high), np.arange(low, len(outlines.mark))
        # Holes have negative areas.
        windings = winding_numbers(outlines, own, (start, marks)) * self._ring_area[own][:, None]
        np.add.at(areas[:, start:], outlines.mark[own] - start, windings)
        windings = winding_numbers(outlines, others, (start, end)) * self._ring_area[others][:, None]
        np.add.at(areas.T, outlines.mark[others], windings)
        areas[np.arange(marks) <= np.arange(start, end)[:, None]] = 0.0
        crossings = self._search.crossings_of(
            int(outlines.first[low]), int(outlines.first[high]), only_later=True
        )
        _add_crossings(
            outlines.edges,
            outlines.ring,
            outlines.mark,
            self._rank,
            self._origin,
            self._swept,
            crossings.segments,
            start,
            areas,
        )
        return areas


def area_rows(polygons: NDArray[Any]) -> AreaRows | None:
    """Return the intersection areas of many polygons, or None if one is unfit for the exact predicates.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Valid; may have holes. None and empty ones have no area.
    """
    kinds = shapely.get_type_id(polygons)
    if not np.all((kinds == shapely.GeometryType.POLYGON) | shapely.is_missing(polygons)):
        return None
    rings, count = rings_of(polygons), len(polygons)
    outlines = load_outlines(*rings, np.array([0, count]), np.ones(1, np.bool_))
    if not outlines.sound[0] or not len(outlines.mark):
        return None
    return AreaRows(outlines, count)


@compiled
def sweep_rings(
    edges: Floats, first: ShortInts, mark: ShortInts, origin: Floats, swept: Floats, area: Floats
) -> None:
    """Set twice the area swept from the first vertex of each ring to each vertex, and the ring's area."""
    for r in range(len(mark)):
        x0, y0 = origin[mark[r], 0], origin[mark[r], 1]
        total = 0.0
        for s in range(first[r], first[r + 1]):
            swept[s] = total
            total += (edges[s, 0] - x0) * (edges[s, 3] - y0) - (edges[s, 2] - x0) * (edges[s, 1] - y0)
        area[r] = 0.5 * total


@compiled
def _add_crossings(
    edges: Floats,
    ring: ShortInts,
    mark: ShortInts,
    rank: ShortInts,
    origin: Floats,
    swept: Floats,
    segments: ShortInts,
    start: int,
    areas: Floats,
) -> None:
    for i in range(len(segments) // 2):
        enters, leaves = segments[2 * i], segments[2 * i + 1]
        sign, s, t = 0.5, enters, leaves
        if rank[mark[ring[enters]]] > rank[mark[ring[leaves]]]:
            sign, s, t = -0.5, leaves, enters
        a, b = mark[ring[s]], mark[ring[t]]
        ax, ay, bx, by = edges[s, 0], edges[s, 1], edges[s, 2], edges[s, 3]
        cx, cy, dx, dy = edges[t, 0], edges[t, 1], edges[t, 2], edges[t, 3]
        # The crossing, seen from the origin of A, by its place on the shorter segment.
        x0, y0 = origin[a, 0], origin[a, 1]
        if abs(bx - ax) + abs(by - ay) <= abs(dx - cx) + abs(dy - cy):
            one, other = cross(cx, cy, dx, dy, cx, cy, ax, ay), cross(cx, cy, dx, dy, cx, cy, bx, by)
            share = one / (one - other)
            px, py = (ax - x0) + share * (bx - ax), (ay - y0) + share * (by - ay)
        else:
            one, other = cross(ax, ay, bx, by, ax, ay, cx, cy), cross(ax, ay, bx, by, ax, ay, dx, dy)
            share = one / (one - other)
            px, py = (cx - x0) + share * (dx - cx), (cy - y0) + share * (dy - cy)
        # Exact on vertical and horizontal segments: areas of squares on a grid are.
        if ax == bx or cx == dx:
            px = (ax if ax == bx else cx) - x0
        if ay == by or cy == dy:
            py = (ay if ay == by else cy) - y0
        of_a = swept[s] + (ax - x0) * py - px * (ay - y0)
        # B was swept from its own origin; what it sweeps from that of A differs by a triangle.
        shift_x, shift_y = x0 - origin[b, 0], y0 - origin[b, 1]
        qx, qy = px + shift_x, py + shift_y
        of_b = swept[t] + (cx - origin[b, 0]) * qy - qx * (cy - origin[b, 1])
        of_b -= shift_x * qy - qx * shift_y
        # A stretch of the outline that enters begins here, and one of the other outline ends.
        areas[min(a, b) - start, max(a, b)] += sign * (of_b - of_a)
