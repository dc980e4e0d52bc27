"""Find the crossings of the marks of groups once, for the areas that pairs share and for contours (compiled).

The boundary of an intersection consists of the stretches of each outline that are inside the other, which
begin and end at crossings. Green's theorem gives its area from how much each outline has swept until there.
So a pair takes time in proportion to its crossings, not to its vertices. Contours of clusters of these marks
need the same crossings, see `GroupCrossings.among`.
"""

import bisect
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Floats, Ints, ShortInts
from polyframe.geometry.compiled.area_rows import AreaRows, area_rows, sweep_rings
from polyframe.geometry.compiled.crossings import Crossings, find_crossings
from polyframe.geometry.compiled.intersection_areas import sweep_intersection_areas
from polyframe.geometry.compiled.numba_jit import compiled, compiled_inner
from polyframe.geometry.compiled.outlines import Outlines, load_outlines
from polyframe.geometry.compiled.predicates import CROSS_ERROR
from polyframe.geometry.compiled.sorted_blocks import SharedBlocks
from polyframe.geometry.crossing_areas import crossing_intersection_areas
from polyframe.geometry.polygon_parts import flat_rings

#: Groups with more marks, or more vertices times marks, have no crossings here: they might need too much
#: memory.
_MOST_MARKS = 1024
_MOST_WORK = 1 << 25

#: An area that is outside of its limits by more than this fraction of the smaller mark is computed again.
_SLACK = 1e-9


@dataclass(frozen=True)
class GroupCrossings:
    """The crossings of the marks of the same group.

    Attributes
    ----------
    outlines : Outlines
        The marks, with groups instead of clusters.
    crossings : Crossings
    group_offsets : ndarray of int64, shape (g + 1,)
        The marks of each group.
    mark_of : ndarray of int32, shape (v,)
        The mark of each segment.
    first : ndarray of int64, shape (n + 1,)
        The first segment of each mark. Marks of groups that were too large, or not sound, have none.
    rings : ndarray of int64, shape (n + 1,)
        The first ring of each mark in `outlines`.
    is_too_large : ndarray of bool, shape (n,)
        Whether a mark is in a group that was too large.
    blocks : SharedBlocks
        Blocks of clusters of these marks, for those who need them again.
    """

    outlines: Outlines
    crossings: Crossings
    group_offsets: Ints
    mark_of: ShortInts
    first: Ints
    rings: Ints
    is_too_large: Flags
    blocks: SharedBlocks = field(default_factory=SharedBlocks)

    def intersection_areas(self, polygons: NDArray[Any], left: Ints, right: Ints) -> Floats:
        """Return the area that each pair shares, as `sweep_intersection_areas` does.

        It depends, to the last bit, only on the two marks and on which of them is first.

        Parameters
        ----------
        polygons : ndarray of shapely.Polygon, shape (n,)
            All marks, as given to `find_group_crossings`.
        left, right : ndarray of int, shape (p,)
            Positions of marks of the same group.
        """
        areas = np.full(len(left), np.nan)
        is_loaded = np.diff(self.rings) > 0
        # A mark does not cross itself, and its own first vertex is neither inside nor outside.
        by_crossings = np.flatnonzero(is_loaded[left] & is_loaded[right] & (left != right))
        if len(by_crossings):
            areas[by_crossings] = self._areas_by_crossings(left[by_crossings], right[by_crossings])
        rest = np.flatnonzero(np.isnan(areas))
        # Few, unless a group was too large: not worth compiling another way, which takes seconds.
        large, rest = rest[self.is_too_large[left[rest]]], rest[~self.is_too_large[left[rest]]]
        if len(large):
            areas[large] = sweep_intersection_areas(polygons, left[large], right[large])
        if len(rest):
            used, places = np.unique([left[rest], right[rest]], return_inverse=True)
            areas[rest] = crossing_intersection_areas(polygons[used], *places.reshape(2, -1))
        return areas

    def _areas_by_crossings(self, left: Ints, right: Ints) -> Floats:
        """Return the areas that pairs of marks with crossings share; NaN if one is uncertain."""
        low, high = np.minimum(left, right), np.maximum(left, right)
        order = np.argsort(low, kind="stable")
        low, high = low[order], high[order]
        shared = np.empty(len(low))
        largest = int(np.diff(self.group_offsets).max(initial=0))
        boxes, ring_areas, swept = self._measures()
        # Powers of two, for which twice the area that two outlines sweep fits into 64 bits.
        size = boxes[:, 2:] - boxes[:, :2]
        vertices = np.diff(self.first)
        most = (vertices[low] + vertices[high]) * np.prod(size[low] + size[high], axis=1)
        scales = np.ldexp(1.0, 60 - np.frexp(most)[1])
        _add_up(
            self.outlines.edges,
            self.mark_of,
            self.first,
            self.rings,
            self.outlines.first,
            self.group_offsets,
            self.crossings.segments,
            low,
            high,
            np.full(min(largest, _MOST_MARKS) ** 2, -1, np.int32),
            swept,
            boxes,
            2.0 * ring_areas,
            np.full((len(low), 2), len(self.mark_of), np.int32),
            np.zeros((len(low), 2), np.int32),
            scales,
            np.zeros(len(low), np.int64),
            shared,
        )
        areas = np.empty(len(low))
        areas[order] = shared
        return areas

    def _measures(self) -> tuple[Floats, Floats, Floats]:
        """Return the boxes of marks, the areas of their rings, and what they have swept at each segment."""
        outlines, edges = self.outlines, self.outlines.edges
        boxes, is_loaded = np.zeros((len(self.first) - 1, 4)), np.diff(self.rings) > 0
        swept, ring_areas = np.empty(len(edges)), np.empty(len(outlines.mark))
        origins = edges[np.minimum(self.first[:-1], len(edges) - 1), :2]
        sweep_rings(edges, outlines.first, outlines.mark, origins, swept, ring_areas)
        starts = outlines.first[:-1]
        lowest, highest = (extreme.reduceat(edges[:, :2], starts) for extreme in (np.minimum, np.maximum))
        # The exterior is the first ring of a mark.
        boxes[is_loaded] = np.column_stack([lowest, highest])[self.rings[:-1][is_loaded]]
        return boxes, ring_areas, swept

    def among(self, outlines: Outlines, members: Ints) -> Crossings | None:
        """Return the crossings of clusters, as `find_crossings` does, in another order.

        `near` is that of the group.

        Parameters
        ----------
        outlines : Outlines
            The clusters.
        members : ndarray of int64, shape (m,)
            The positions of their marks here. The marks of a cluster are of one group, ascending.

        Returns
        -------
        Crossings or None
            None if the crossings of one of the groups are not known.
        """
        rings = np.searchsorted(outlines.mark, np.arange(len(members) + 1))
        new_first = outlines.first[rings]
        size = np.diff(new_first)
        is_loaded = size > 0
        if not len(members) or np.any(is_loaded & (size != self.first[members + 1] - self.first[members])):
            return None
        cluster_of = np.full(len(self.first) - 1, -1, np.int32)
        shift = np.zeros(len(cluster_of), np.int32)
        loaded = members[is_loaded]
        cluster_of[loaded] = outlines.cluster[rings[:-1][is_loaded]]
        shift[loaded] = new_first[:-1][is_loaded] - self.first[loaded]
        groups = np.searchsorted(self.group_offsets, [members.min(), members.max()], side="right")
        low, high = self.first[self.group_offsets[groups[0] - 1]], self.first[self.group_offsets[groups[1]]]

        segments, ring = self.crossings.segments, outlines.ring
        begin, stop = (
            bisect.bisect_left(range(len(segments) // 2), bound, key=lambda i: segments[2 * i])
            for bound in (low, high)
        )
        met = np.zeros(len(outlines.mark), np.bool_)
        chosen = np.empty(2 * (stop - begin), np.int32)
        count = _select(segments[2 * begin : 2 * stop], self.mark_of, cluster_of, shift, ring, chosen, met)
        chosen.resize(2 * count, refcheck=False)

        touches = self.crossings.touches
        marks = self.mark_of[touches]
        together = (cluster_of[marks[:, 0]] == cluster_of[marks[:, 1]]) & (cluster_of[marks[:, 0]] >= 0)
        touches = touches[together] + shift[marks[together]]
        vertices = low + np.flatnonzero(self.crossings.touched[low:high])
        vertices = vertices[cluster_of[self.mark_of[vertices]] >= 0]
        touched = np.zeros(len(ring), np.bool_)
        touched[_on_vertices(outlines, vertices + shift[self.mark_of[vertices]])] = True
        touched[touches[:, 1]] = True
        met[ring[touches[:, 0]]] = met[ring[touched]] = True
        near = np.zeros(len(ring), np.bool_)
        segments = low + np.flatnonzero(self.crossings.near[low:high])
        segments = segments[cluster_of[self.mark_of[segments]] >= 0]
        near[segments + shift[self.mark_of[segments]]] = True
        return Crossings(chosen, touches, touched, met, near)


def find_group_crossings(polygons: NDArray[Any], group_offsets: Ints) -> GroupCrossings:
    """Return the crossings of the marks of each group.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Valid, sorted by group. A group with anything else has no crossings.
    group_offsets : ndarray of int64, shape (g + 1,)
        Group i contains `polygons[group_offsets[i]:group_offsets[i + 1]]`.
    """
    coordinates, rings, ring_starts = flat_rings(polygons)
    marks = np.diff(group_offsets)
    vertices = np.diff(rings[ring_starts[group_offsets]])
    is_too_large = _is_too_large(marks, vertices)
    walkable = ~is_too_large
    other = shapely.get_type_id(polygons) != shapely.GeometryType.POLYGON
    other |= shapely.is_empty(polygons)
    walkable[np.repeat(np.arange(len(marks)), marks)[other]] = False
    outlines = load_outlines(coordinates, rings, ring_starts, group_offsets, walkable)
    ring_of = np.searchsorted(outlines.mark, np.arange(len(polygons) + 1))
    return GroupCrossings(
        outlines=outlines,
        crossings=find_crossings(outlines),
        group_offsets=group_offsets,
        mark_of=outlines.mark[outlines.ring],
        first=outlines.first[ring_of].astype(np.int64),
        rings=ring_of,
        is_too_large=np.repeat(is_too_large, marks),
    )


def pair_intersection_areas(polygons: NDArray[Any], left: Ints, right: Ints) -> Floats:
    """Return the area that each pair shares; if there are few polygons, from all crossings among them.

    So groups of hundreds of small marks, as in subjects of ordinary size, need no functions for large groups.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
    left, right : ndarray of int, shape (p,)
        Positions in `polygons`, in any order; a pair may occur several times.
    """
    crossings = find_group_crossings(polygons, np.array([0, len(polygons)]))
    if not len(crossings.outlines.edges):
        return sweep_intersection_areas(polygons, left, right)
    keys = np.minimum(left, right) * len(polygons) + np.maximum(left, right)
    pairs, place = np.unique(keys, return_inverse=True)
    areas: Floats = crossings.intersection_areas(polygons, *np.divmod(pairs, len(polygons)))[place]
    return areas


def large_area_rows(polygons: NDArray[Any]) -> AreaRows | None:
    """Return the areas of all pairs of many polygons as `area_rows`; None if they are few."""
    vertices = int(shapely.get_num_coordinates(polygons).sum())
    return area_rows(polygons) if _is_too_large(len(polygons), vertices) else None


def _is_too_large(marks: Any, vertices: Any) -> Any:
    """Return whether a group, or each of several groups, is too large to find its crossings here."""
    return (marks > _MOST_MARKS) | (vertices * marks > _MOST_WORK)


def _on_vertices(outlines: Outlines, vertices: Ints) -> Ints:
    """Return which of some vertices are also vertices of another ring of the cluster."""
    x, y, ring = outlines.edges[vertices, 0], outlines.edges[vertices, 1], outlines.ring[vertices]
    cluster = outlines.cluster[ring]
    order = np.lexsort((ring, y, x, cluster))
    same = cluster[order][1:] == cluster[order][:-1]
    for values in (x[order], y[order]):
        same &= values[1:] == values[:-1]
    # Rings are ascending at each point, so a vertex that is on another ring has one before or after it.
    same &= ring[order][1:] != ring[order][:-1]
    on_another = np.zeros(len(vertices), np.bool_)
    on_another[order[1:][same]] = on_another[order[:-1][same]] = True
    return vertices[on_another]


@compiled
def _add_up(
    edges: Floats,
    mark_of: ShortInts,
    first: Ints,
    rings: Ints,
    ring_first: ShortInts,
    group_offsets: Ints,
    segments: ShortInts,
    left: Ints,
    right: Ints,
    table: ShortInts,
    swept: Floats,
    boxes: Floats,
    twice_ring_areas: Floats,
    first_crossed: ShortInts,
    entries: ShortInts,
    scales: Floats,
    totals: Ints,
    areas: Floats,
) -> None:
    n = p = 0
    for group in range(len(group_offsets) - 1):
        low, size = group_offsets[group], group_offsets[group + 1] - group_offsets[group]
        begin = p
        while p < len(left) and left[p] < low + size:
            i, j = left[p], right[p]
            table[(i - low) * size + j - low] = p
            p += 1
        while 2 * n < len(segments) and mark_of[segments[2 * n]] < low + size:
            # Marks in ascending order. There are no branches here, since no processor could predict them.
            s, t = segments[2 * n], segments[2 * n + 1]
            enters = 1 if s < t else -1
            s, t = min(s, t), max(s, t)
            i, j = mark_of[s], mark_of[t]
            n += 1
            pair = table[(i - low) * size + j - low]
            if pair < 0:
                continue
            twice = enters * _swept_between(edges, swept, s, t, first[i], first[j])
            # Sums of integers do not depend on the order, which depends on the other marks of the group.
            totals[pair] += int(twice * scales[pair])
            # The first segment of each mark that crosses the other one, and how often it enters more than it
            # leaves.
            known, count = first_crossed[pair, 0], entries[pair, 0]
            first_crossed[pair, 0] = min(s, known)
            entries[pair, 0] = (0 if s < known else count) + (enters if s <= known else 0)
            known, count = first_crossed[pair, 1], entries[pair, 1]
            first_crossed[pair, 1] = min(t, known)
            entries[pair, 1] = (0 if t < known else count) - (enters if t <= known else 0)
        for pair in range(begin, p):
            i, j = left[pair], right[pair]
            table[(i - low) * size + j - low] = -1
            twice = totals[pair] / scales[pair]
            most = np.inf
            for side in range(2):
                whole = 0.0
                for r in range(rings[i], rings[i + 1]):
                    whole += twice_ring_areas[r]
                    # If there are several, it is not known which of them the first crossing is on.
                    count = entries[pair, side] if rings[i + 1] - rings[i] == 1 else 0
                    around = _around_first(edges, first, boxes, ring_first[r], i, j, count)
                    twice += around * twice_ring_areas[r]
                most = min(most, whole)
                i, j = j, i
            areas[pair] = np.nan
            if -_SLACK * most <= twice <= (1.0 + _SLACK) * most:
                areas[pair] = 0.5 * min(max(twice, 0.0), most)


@compiled_inner
def _swept_between(edges: Floats, swept: Floats, s: int, t: int, first: int, other: int) -> float:
    """Return twice what the outline of segment t has swept until it crosses s, less that of s.

    Both are seen from the first vertex of the outline of s, which is `first`; `other` is that of t.
    """
    x0, y0, u0, v0 = edges[first, 0], edges[first, 1], edges[other, 0], edges[other, 1]
    ax, ay, bx, by = edges[s, 0], edges[s, 1], edges[s, 2], edges[s, 3]
    cx, cy, dx, dy = edges[t, 0], edges[t, 1], edges[t, 2], edges[t, 3]
    # That they cross is certain. If rounding hides where, they are so close to each other that it makes no
    # difference to the area.
    before = (dx - cx) * (ay - cy) - (dy - cy) * (ax - cx)
    after = (dx - cx) * (by - cy) - (dy - cy) * (bx - cx)
    along = min(max(before / (before - after), 0.0), 1.0) if before != after else 0.5
    px, py = ax - x0 + along * (bx - ax), ay - y0 + along * (by - ay)
    shift_x, shift_y = u0 - x0, v0 - y0
    qx, qy = px - shift_x, py - shift_y
    one: float = swept[s] + ((ax - x0) * py - px * (ay - y0))
    two: float = swept[t] + ((cx - u0) * qy - qx * (cy - v0)) + (shift_x * qy - shift_y * qx)
    return two - one


@compiled_inner
def _around_first(
    edges: Floats, first: Ints, boxes: Floats, vertex: int, i: int, j: int, entries: int
) -> float:
    """Return 1 if the first vertex of a ring of mark i is inside mark j, or else 0; NaN if uncertain.

    `entries` is how often the first segment of the ring that crosses j enters it more than it leaves it, if
    that is known.
    """
    if entries != 0:
        return 1.0 if entries < 0 else 0.0
    px, py = edges[vertex, 0], edges[vertex, 1]
    if px < boxes[j, 0] or px > boxes[j, 2] or py < boxes[j, 1] or py > boxes[j, 3]:
        return 0.0
    # By the crossings of a ray to the right. At equal y, the mark that is perturbed more is higher.
    inside = False
    for s in range(first[j], first[j + 1]):
        ay, by = edges[s, 1], edges[s, 3]
        if (ay > py or (ay == py and j < i)) != (by > py or (by == py and j < i)):
            one, other = (edges[s, 2] - edges[s, 0]) * (py - ay), (by - ay) * (px - edges[s, 0])
            if abs(one - other) <= CROSS_ERROR * (abs(one) + abs(other)):
                return np.nan
            inside = inside != ((one > other) == (by > ay))
    return 1.0 if inside else 0.0


@compiled
def _select(
    segments: ShortInts,
    mark_of: ShortInts,
    cluster_of: ShortInts,
    shift: ShortInts,
    ring: ShortInts,
    chosen: ShortInts,
    met: Flags,
) -> int:
    n = 0
    for i in range(len(segments) // 2):
        s, t = segments[2 * i], segments[2 * i + 1]
        one, other = mark_of[s], mark_of[t]
        if cluster_of[one] >= 0 and cluster_of[one] == cluster_of[other]:
            s += shift[one]
            t += shift[other]
            chosen[2 * n], chosen[2 * n + 1] = s, t
            met[ring[s]] = met[ring[t]] = True
            n += 1
    return n
