"""Node the outlines of many clusters: cut them into arcs that meet only at their ends.

Points within a tolerance of one another, a little more than rounding, become one node, and an outline that
passes a vertex within the tolerance runs through it. Later steps compare nodes only, no coordinates. If the
points of a node were not exactly the same, the node is *snapped*: results that depend on it are uncertain.

Equal segments, of which outlines on whole pixels have many, are processed once.

References
----------
V. Milenkovic, "Verifiable implementations of geometric algorithms using finite precision arithmetic",
Artificial Intelligence 37 (1988): vertex shifting and edge cracking, the method used here.
J. D. Hobby, "Practical segment intersection with finite precision output", Computational Geometry 13 (1999):
snap rounding, its relative on a fixed grid.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.components import component_numbers
from polyframe.core.ragged import offsets_of, positions_of, runs_of_equal
from polyframe.core.sorting import order_in_groups
from polyframe.geometry.segment_intersections import Segments, intersect_segments

#: Points nearer than this fraction of the largest coordinate are the same: 256 rounding steps or more. The
#: vertices of an outline that was repaired or scaled have errors of two or three.
SNAP_TOLERANCE = 2.0**-44


@dataclass(frozen=True)
class NodedArcs:
    """The arcs of the outlines of many clusters, sorted by cluster; they meet only at their ends.

    Attributes
    ----------
    cluster : ndarray of int64, shape (a,)
    step : ndarray of int64, shape (a,)
        The change of depth on crossing the arc from right to left: marks entered less marks left.
    nodes : ndarray of int64, shape (m,)
        The nodes that all arcs run through.
    offsets : ndarray of int64, shape (a + 1,)
        Arc i runs through `nodes[offsets[i]:offsets[i + 1]]`.
    points : ndarray of float64, shape (n, 2)
        The place of each node: its first vertex (by x, then y), or its first crossing if it has no vertex.
    first : ndarray of int64, shape (r,)
        The node at which each ring begins; -1 if all of the ring is one node.
    snapped : ndarray of bool, shape (n,)
        Whether the points of a node were not exactly the same, or an outline through it was not exactly
        there.
    cancelled : ndarray of bool, shape (a,)
        Whether outlines run along the arc in opposite directions.
    """

    cluster: Ints
    step: Ints
    nodes: Ints
    offsets: Ints
    points: Floats
    first: Ints
    snapped: Flags
    cancelled: Flags


def node_outlines(
    coordinates: Floats, offsets: Ints, cluster: Ints, weight: Ints, tolerance: Floats
) -> NodedArcs:
    """Return the arcs of rings.

    Parameters
    ----------
    coordinates : ndarray of float64, shape (m, 2)
        The points of all rings, closed, each with the interior of its mark on the left.
    offsets : ndarray of int64, shape (r + 1,)
        Ring i is `coordinates[offsets[i]:offsets[i + 1]]`.
    cluster : ndarray of int64, shape (r,)
        The cluster of each ring, ascending.
    weight : ndarray of int64, shape (r,)
        How many marks each ring represents.
    tolerance : ndarray of float64, shape (c,)
        The snap tolerance of each cluster, positive.

    Returns
    -------
    NodedArcs
    """
    coordinates = coordinates + 0.0  # no negative zeros, so that equal points have equal bits
    x, y = np.ascontiguousarray(coordinates.T)
    moves = (x[1:] != x[:-1]) | (y[1:] != y[:-1])
    moves[offsets[1:-1] - 1] = False  # from one ring to the next
    begins = np.flatnonzero(moves)
    ring = np.repeat(np.arange(len(cluster)), np.diff(offsets))[begins]
    drawn = coordinates.take(begins, axis=0)  # much faster than an index
    distinct, one = _distinct(row_hashes(drawn, cluster[ring]))
    vertices = drawn.take(distinct, axis=0)
    follows = np.arange(1, len(ring) + 1)
    bounds = runs_of_equal(ring)
    follows[bounds[1:] - 1] = bounds[:-1]
    other = one[follows]
    low, high = np.minimum(one, other), np.maximum(one, other)
    distinct, segment = _distinct(low * len(vertices) + high)
    alone = np.where(np.bincount(segment) == 1, ring[distinct], -1)
    x, y = np.ascontiguousarray(vertices.T)
    begin, end = low[distinct], high[distinct]
    segments = Segments(alone, begin, end, cluster[ring[distinct]], x[begin], y[begin], x[end], y[end])
    met = intersect_segments(segments, len(vertices), tolerance)

    points = np.concatenate([vertices, met.crossings])
    order = order_in_groups(met.segment, (met.along,), met.along)
    on, point = met.segment[order], met.point[order]
    near = np.concatenate([met.near_vertices, _near_along(segments, on, point, points, tolerance)])
    node_of = _merge(points, near, len(vertices))
    snapped = np.zeros(len(points), dtype=np.bool_)
    snapped[node_of[met.point[~met.exact]]] = True
    rounded = np.concatenate([np.zeros(len(vertices), dtype=np.bool_), met.rounded])
    one_point, other_point = near.T
    differ = np.any(points.take(one_point, axis=0) != points.take(other_point, axis=0), axis=1)
    differ |= rounded[one_point] | rounded[other_point]
    snapped[node_of[one_point[differ]]] = True

    # The points that each segment of each ring visits: its first vertex, then the points on it.
    events = np.bincount(on, minlength=len(segments.begin))
    first_event = offsets_of(events)
    counts = events[segment]
    at = offsets_of(counts + 1)
    visits = np.empty(at[-1], dtype=np.int64)
    visits[at[:-1]] = one
    some = np.flatnonzero(counts)
    number, back = counts[some], one[some] > other[some]
    start = first_event[segment[some]] + np.where(back, number - 1, 0)
    source = np.repeat(start, number) + np.repeat(np.where(back, -1, 1), number) * positions_of(0, number)
    visits[positions_of(at[some] + 1, number)] = point[source]
    return _cut(node_of[visits], np.repeat(ring, counts + 1), cluster, weight, points, snapped)


def _distinct(keys: NDArray[Any]) -> tuple[Ints, Ints]:
    """Return where each distinct key first occurs, and the number of each key among the distinct ones."""
    in_order = np.sort(keys)
    repeated = np.unique(in_order[1:][in_order[1:] == in_order[:-1]])
    first = np.arange(len(keys))
    if len(repeated):
        place = np.minimum(np.searchsorted(repeated, keys), len(repeated) - 1)
        again = np.flatnonzero(repeated[place] == keys)
        _, index, inverse = np.unique(keys[again], return_index=True, return_inverse=True)
        first[again] = again[index][inverse]
    kept = np.flatnonzero(first == np.arange(len(keys)))
    number = np.empty(len(keys), dtype=np.int64)
    number[kept] = np.arange(len(kept))
    return kept, number[first]


def row_hashes(rows: Floats, cluster: Ints) -> NDArray[np.uint64]:
    """Hash each row and its cluster.

    Parameters
    ----------
    rows : ndarray of float64, shape (n, m)
        Without negative zeros.
    cluster : ndarray of int64, shape (n,)

    Returns
    -------
    ndarray of uint64, shape (n,)
        Equal for equal rows. Among a million rows, two different ones have equal hashes once in 10^7 cases.
    """
    mixed = cluster.astype(np.uint64)
    for column in range(rows.shape[1]):
        mixed = (mixed ^ np.ascontiguousarray(rows[:, column]).view(np.uint64)) * np.uint64(
            0x9E3779B97F4A7C15
        )
        mixed ^= mixed >> np.uint64(29)
    return mixed


def _near_along(segments: Segments, on: Ints, point: Ints, points: Floats, tolerance: Floats) -> Ints:
    """Return pairs of neighbours along a segment, its ends included, within the tolerance of each other."""
    bounds = runs_of_equal(on)
    first, last = bounds[:-1], bounds[1:] - 1
    owner = on[first]
    same = np.flatnonzero(on[1:] == on[:-1])
    pairs = np.concatenate(
        [
            np.column_stack([point[same], point[same + 1]]),
            np.column_stack([segments.begin[owner], point[first]]),
            np.column_stack([point[last], segments.end[owner]]),
        ]
    )
    near = tolerance[segments.cluster[np.concatenate([on[same], owner, owner])]]
    across, up = np.abs(points.take(pairs[:, 0], axis=0) - points.take(pairs[:, 1], axis=0)).T
    return np.asarray(pairs[(across <= near) & (up <= near)], dtype=np.int64)


def _merge(points: Floats, near: Ints, vertices: int) -> Ints:
    """Return for each point the representative of all points that are near: a vertex if there is one."""
    merged = np.arange(len(points))
    if not len(near):
        return merged
    members, pairs = np.unique(near, return_inverse=True)
    one, other = pairs.reshape(-1, 2).T
    group = component_numbers(len(members), one, other)
    order = np.lexsort((points[members, 1], points[members, 0], members >= vertices, group))
    leader = members[order[np.unique(group[order], return_index=True)[1]]]
    merged[members] = leader[group]
    return merged


def _cut(visits: Ints, ring: Ints, cluster: Ints, weight: Ints, points: Floats, snapped: Flags) -> NodedArcs:
    """Cut rings, as the nodes that they visit, where they begin and at nodes that are visited twice."""
    bounds = runs_of_equal(ring)
    before = np.arange(-1, len(ring) - 1)
    before[bounds[:-1]] = bounds[1:] - 1
    moves = visits != visits[before]
    visits, ring = visits[moves], ring[moves]
    begins = runs_of_equal(ring)[:-1]
    first = np.full(len(cluster), -1, dtype=np.int64)
    first[ring[begins]] = visits[begins]

    busy = np.bincount(visits, minlength=len(points))[visits] > 1
    busy[begins] = True
    start = np.flatnonzero(busy)
    arc_ring = ring[start]
    # From each busy node to the next one; after the last visit of a ring comes its first.
    stop = np.append(start[1:], len(visits))
    length = stop - start + 1
    offsets = offsets_of(length)
    nodes = np.empty(offsets[-1], dtype=np.int64)
    inside = np.ones(len(nodes), dtype=np.bool_)
    inside[offsets[1:] - 1] = False
    nodes[inside] = visits
    after = np.append(visits, -1)[stop]
    closes = np.append(arc_ring[1:] != arc_ring[:-1], True) if len(arc_ring) else busy
    after[closes] = visits[begins]
    nodes[~inside] = after
    step = weight[arc_ring].copy()

    # Only arcs without inner points can be shared: of those between the same two nodes, one remains.
    short = np.flatnonzero(length == 2)
    one, other = nodes[offsets[short]], nodes[offsets[short] + 1]
    keys = np.minimum(one, other) * len(points) + np.maximum(one, other)
    first_arc, same = _distinct(keys)
    sign = np.where(one < other, 1, -1)
    together = np.bincount(same, weights=sign * step[short]).astype(np.int64)
    step[short[first_arc]] = together * sign[first_arc]
    cancelled = np.zeros(len(step), dtype=np.bool_)
    cancelled[short[first_arc]] = np.abs(together) < np.bincount(same, weights=weight[arc_ring[short]])
    chosen = length > 2
    chosen[short[first_arc]] = True
    picked = np.flatnonzero(chosen)
    return NodedArcs(
        cluster[arc_ring[picked]],
        step[picked],
        nodes[positions_of(offsets[picked], length[picked])],
        offsets_of(length[picked]),
        points,
        first,
        snapped,
        cancelled[picked],
    )
