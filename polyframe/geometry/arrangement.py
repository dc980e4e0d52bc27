"""The planar arrangement of the outlines of clusters: noded arcs, and how many marks lie on either side.

The outlines of a cluster, each with its interior on the left, are noded by GEOS into arcs that meet only at
their ends. Crossing an arc from right to left enters the marks whose outline runs along it: usually one, more
where outlines share a stretch, none where two run along it in opposite directions. Turning once round a node
crosses each arc there, so the depths of all sectors of a node follow from one of them, and those of the next
node through the arc between: one breadth-first walk over the nodes gives every depth, and no point is ever
tested against a mark. All clusters are worked on together, as flat arrays.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from polyframe.geometry._isolation import apply_isolated
from polyframe.geometry.pairs import pair_with_runs
from polyframe.runs import offsets_of

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Outlines share a stretch where noding shortens the lines by more than this fraction.
_LENGTH_LOST = 1e-10

#: How far a noded arc may lie beside the outline that it came from, in rounding steps of the coordinates.
_ROUNDING_STEPS = 16


@dataclass(frozen=True)
class Arrangement:
    """The arcs of the outlines of many clusters, sorted by cluster.

    Attributes
    ----------
    arcs : ndarray of shapely.LineString, shape (a,)
    cluster : ndarray of int64, shape (a,)
    left, right : ndarray of int64, shape (a,)
        How many marks of the cluster contain the points just left and just right of the arc.
    ends : ndarray of float64, shape (2 a, 4)
        Each arc as it leaves its first point (the first a rows), and as it leaves its last point: x, y of
        that point, x, y of the next.
    failed : ndarray of bool, shape (c,)
        Clusters in which a check failed; their depths mean nothing.
    """

    arcs: NDArray[Any]
    cluster: Ints
    left: Ints
    right: Ints
    ends: Floats
    failed: Bools


def arrange(polygons: NDArray[Any], cluster: Ints, count: int) -> Arrangement:
    """Return the arrangement of the outlines of each cluster, holes included.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Valid and not empty.
    cluster : ndarray of int64, shape (n,)
        The cluster of each, ascending.
    count : int
        The number of clusters.

    Returns
    -------
    Arrangement
        A cluster that GEOS cannot node has no arcs and counts as failed.
    """
    # In normal form a ring starts at its smallest point (by x, then y) and shells run clockwise; reversed,
    # every interior is on the left.
    rings, owner = shapely.get_rings(shapely.normalize(polygons), return_index=True)
    rings, ring_cluster = shapely.reverse(rings), cluster[owner]
    lines = np.full(count, None, dtype=object)
    shapely.multilinestrings(rings, indices=ring_cluster, out=lines)
    noded = apply_isolated(_node, lines, failed=None)
    arcs, arc_cluster = shapely.get_parts(noded, return_index=True)

    ends = _ends(arcs)
    step = _steps(arcs, arc_cluster, rings, ring_cluster, count)
    points = np.concatenate([ends[:, :2], shapely.get_coordinates(shapely.get_point(rings, 0)) + 0.0])
    nodes = _number_points(np.concatenate([arc_cluster, arc_cluster, ring_cluster]), points)
    start, end, first = np.split(nodes, [len(arcs), 2 * len(arcs)])
    after = _turn(nodes[: 2 * len(arcs)], ends, np.concatenate([step, -step]))
    rise = after[: len(arcs)] - after[len(arcs) :] - step
    depth, component = _walk(start, end, rise, int(nodes.max(initial=-1)) + 1)

    roots = np.unique(component, return_index=True)[1]
    where = np.zeros((len(component), 2))
    where[nodes] = points
    node_cluster = np.zeros(len(component), dtype=np.int64)
    node_cluster[start], node_cluster[first] = arc_cluster, ring_cluster
    depth += _depth_below(where[roots], node_cluster[roots], rings, ring_cluster, component[first])[component]
    left = depth[start] + after[: len(arcs)]
    right = left - step

    failed = np.zeros(count, dtype=np.bool_)
    failed[ring_cluster[np.bincount(nodes[: 2 * len(arcs)], minlength=len(depth))[first] == 0]] = True
    turned = np.bincount(nodes[: 2 * len(arcs)], weights=np.concatenate([step, -step]), minlength=len(depth))
    failed[node_cluster[turned != 0]] = True
    failed[arc_cluster[(depth[end] - depth[start] != rise) | (left < 0) | (right < 0)]] = True
    return Arrangement(arcs, arc_cluster, left, right, ends, failed)


def _node(lines: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(shapely.union_all(lines[:, None], axis=1))


def _ends(arcs: NDArray[Any]) -> Floats:
    coordinates, arc = shapely.get_coordinates(arcs, return_index=True)
    coordinates += 0.0  # no negative zeros: equal points have equal bits
    offsets = offsets_of(np.bincount(arc, minlength=len(arcs)))
    first, last = offsets[:-1], offsets[1:] - 1
    leaving = np.concatenate([coordinates[first], coordinates[last]])
    towards = np.concatenate([coordinates[first + 1], coordinates[last - 1]])
    return np.column_stack([leaving, towards])


def _number_points(cluster: Ints, points: Floats) -> Ints:
    """Number the distinct points, ascending by cluster, x and y."""
    order = np.lexsort((points[:, 1], points[:, 0], cluster))
    keys = np.column_stack([cluster, points])[order]
    numbers = np.empty(len(order), dtype=np.int64)
    numbers[order] = np.cumsum(np.any(np.diff(keys, axis=0, prepend=keys[:1]) != 0, axis=1))
    return numbers


def _steps(
    arcs: NDArray[Any], arc_cluster: Ints, rings: NDArray[Any], ring_cluster: Ints, count: int
) -> Ints:
    """Return how many marks are entered by crossing each arc from right to left.

    GEOS keeps the direction of a line that it nodes, so that is one, unless outlines share a stretch: then
    the noded lines are shorter than the outlines.
    """
    drawn = np.bincount(ring_cluster, weights=shapely.length(rings), minlength=count)
    noded = np.bincount(arc_cluster, weights=shapely.length(arcs), minlength=count)
    shared = drawn - noded > _LENGTH_LOST * drawn
    step = np.ones(len(arcs), dtype=np.int64)
    to_match = shared[arc_cluster]
    if np.any(to_match):
        outlines = shared[ring_cluster]
        step[to_match] = _matched_steps(
            arcs[to_match], arc_cluster[to_match], rings[outlines], ring_cluster[outlines]
        )
    return step


def _matched_steps(arcs: NDArray[Any], arc_cluster: Ints, rings: NDArray[Any], ring_cluster: Ints) -> Ints:
    """Match the longest segment of each arc with the segments of the outlines that it lies on."""
    starts, ends, arc = _segments(arcs)
    order = np.lexsort((-np.hypot(*(ends - starts).T), arc))
    longest = order[np.unique(arc[order], return_index=True)[1]]
    starts, ends = starts[longest], ends[longest]
    from_, to, ring = _segments(rings)
    tolerance = _ROUNDING_STEPS * np.spacing(np.abs(from_).max(initial=0.0))

    # Clusters of different subjects lie over one another: for the search they are put side by side.
    width = 4 * np.abs(from_).max(initial=0.0) + 2
    aside = width * np.arange(ring_cluster.max(initial=0) + 1)[:, None] * [1, 0]
    outlines = np.stack([from_, to], axis=1) + aside[ring_cluster[ring]][:, None]
    probes = shapely.points((starts + ends) / 2 + aside[arc_cluster])
    tree = shapely.STRtree(shapely.linestrings(outlines))
    probe, segment = tree.query(probes, predicate="dwithin", distance=tolerance + 4 * np.spacing(aside.max()))
    same = arc_cluster[probe] == ring_cluster[ring[segment]]
    probe, segment = probe[same], segment[same]
    along = to[segment] - from_[segment]
    along /= np.hypot(*along.T)[:, None]
    beside = np.maximum(
        np.abs(_cross(along, starts[probe] - from_[segment])),
        np.abs(_cross(along, ends[probe] - from_[segment])),
    )
    onward = np.sign(np.sum(along * (ends[probe] - starts[probe]), axis=1)) * (beside <= tolerance)
    return np.bincount(probe, weights=onward, minlength=len(arcs)).astype(np.int64)


def _segments(lines: NDArray[Any]) -> tuple[Floats, Floats, Ints]:
    coordinates, line = shapely.get_coordinates(lines, return_index=True)
    real = (line[1:] == line[:-1]) & np.any(coordinates[1:] != coordinates[:-1], axis=1)
    return coordinates[:-1][real], coordinates[1:][real], line[1:][real]


def _cross(a: Floats, b: Floats) -> Floats:
    return np.asarray(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0], dtype=np.float64)


def _turn(nodes: Ints, ends: Floats, steps: Ints) -> Ints:
    """Turn round every node anticlockwise from due west.

    Returns for each leaving arc the change of depth from the westernmost sector to the one just after the
    arc.
    """
    angles = np.arctan2(ends[:, 3] - ends[:, 1], ends[:, 2] - ends[:, 0])
    order = np.lexsort((angles, nodes))
    running = np.cumsum(steps[order])
    begins = np.flatnonzero(np.diff(nodes[order], prepend=-1))
    before = np.concatenate([[0], running])[begins]
    after = np.empty(len(nodes), dtype=np.int64)
    after[order] = running - np.repeat(before, np.diff(begins, append=len(nodes)))
    return after


def _walk(start: Ints, end: Ints, rise: Ints, count: int) -> tuple[Ints, Ints]:
    """Add up the rises from the first node of each connected component to all others.

    Returns the depth of the westernmost sector of every node, that of the first node (the leftmost of its
    component, so that outside is west of it) being 0, and the component of every node.
    """
    # Late: work that needs no contours need not wait for SciPy.
    from scipy.sparse.csgraph import breadth_first_order, connected_components

    component = connected_components(_graph(start, end, count), directed=False)[1].astype(np.int64)
    roots = np.unique(component, return_index=True)[1]
    # One more node, joined to every root, makes one tree of all.
    begins, stops = np.concatenate([start, np.full(len(roots), count)]), np.concatenate([end, roots])
    rises = np.concatenate([rise, np.zeros(len(roots), dtype=np.int64)])
    parent = breadth_first_order(_graph(begins, stops, count + 1), count, directed=False)[1].astype(np.int64)
    parent[count] = count

    stride = count + 1
    keys = np.concatenate([begins * stride + stops, stops * stride + begins, [count * stride + count]])
    values = np.concatenate([rises, -rises, [0]])
    order = np.argsort(keys, kind="stable")
    depth = values[order[np.searchsorted(keys[order], parent * stride + np.arange(stride))]]
    while np.any(parent != count):  # each round doubles the stretch that is added up
        depth = depth + depth[parent]
        parent = parent[parent]
    return depth[:count], component


def _graph(start: Ints, end: Ints, count: int) -> Any:
    from scipy.sparse import coo_array

    return coo_array((np.ones(len(start), dtype=np.int8), (start, end)), shape=(count, count)).tocsr()


def _depth_below(
    points: Floats, cluster: Ints, rings: NDArray[Any], ring_cluster: Ints, ring_component: Ints
) -> Ints:
    """Return how many marks contain each component's first point, its own outlines left out."""
    several = np.bincount(cluster)[cluster] > 1 if len(cluster) else np.empty(0, dtype=np.bool_)
    alone = np.flatnonzero(several)
    starts = np.searchsorted(ring_cluster, cluster[alone], side="left")
    ends = np.searchsorted(ring_cluster, cluster[alone], side="right")
    component, ring = pair_with_runs(alone, starts, ends)
    other = ring_component[ring] != component
    component, ring = component[other], ring[other]
    within = shapely.contains_xy(shapely.polygons(rings[ring]), points[component])
    sign = np.where(shapely.is_ccw(rings[ring]), 1, -1)  # outlines of holes run clockwise
    return np.bincount(component, weights=within * sign, minlength=len(points)).astype(np.int64)
