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
from polyframe.geometry.shared import clusters_that_share, shared_steps, weighted_steps
from polyframe.runs import offsets_of

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Arrangement:
    """The arcs of the outlines of many clusters, sorted by cluster.

    Attributes
    ----------
    arcs : ndarray of shapely.LineString, shape (a,)
    cluster : ndarray of int64, shape (a,)
    left, right : ndarray of int64, shape (a,)
        How many marks of the cluster contain the points just left and just right of the arc.
    coordinates : ndarray of float64, shape (m, 2)
        The points of all arcs.
    offsets : ndarray of int64, shape (a + 1,)
        Arc i runs through `coordinates[offsets[i]:offsets[i + 1]]`.
    ends : ndarray of float64, shape (2 a, 4)
        Each arc as it leaves its first point (the first a rows), and as it leaves its last point: x, y of
        that point, x, y of the next.
    nodes : ndarray of int64, shape (2 a,)
        The number of the point that each of them leaves.
    order : ndarray of int64, shape (2 a,)
        All of them sorted by node, and anticlockwise from due west round each node.
    failed : ndarray of bool, shape (c,)
        Clusters in which a check failed; their depths mean nothing.
    """

    arcs: NDArray[Any]
    cluster: Ints
    left: Ints
    right: Ints
    coordinates: Floats
    offsets: Ints
    ends: Floats
    nodes: Ints
    order: Ints
    failed: Bools


def arrange(polygons: NDArray[Any], cluster: Ints, count: int, weights: Ints | None = None) -> Arrangement:
    """Return the arrangement of the outlines of each cluster, holes included.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Valid and not empty.
    cluster : ndarray of int64, shape (n,)
        The cluster of each, ascending.
    count : int
        The number of clusters.
    weights : ndarray of int64, shape (n,), optional
        How many marks each polygon stands for; 1 where not given.

    Returns
    -------
    Arrangement
        A cluster that GEOS cannot node has no arcs and counts as failed.
    """
    # In normal form a ring starts at its smallest point (by x, then y) and shells run clockwise; reversed,
    # every interior is on the left.
    rings, owner = shapely.get_rings(shapely.normalize(polygons), return_index=True)
    rings, ring_cluster = shapely.reverse(rings), cluster[owner]
    ring_weight = np.ones(len(rings), dtype=np.int64) if weights is None else weights[owner]
    lines = np.full(count, None, dtype=object)
    shapely.multilinestrings(rings, indices=ring_cluster, out=lines)
    noded = apply_isolated(_node, lines, failed=None)
    arcs, arc_cluster = shapely.get_parts(noded, return_index=True)

    coordinates, offsets, ends = _coordinates(arcs)
    points = np.concatenate([ends[:, :2], shapely.get_coordinates(shapely.get_point(rings, 0)) + 0.0])
    numbers = _number_points(np.concatenate([arc_cluster, arc_cluster, ring_cluster]), points)
    nodes, first = np.split(numbers, [2 * len(arcs)])
    start, end = np.split(nodes, 2)
    order = _around_nodes(nodes, ends[:, 2] - ends[:, 0], ends[:, 3] - ends[:, 1])

    # GEOS keeps the direction of a line that it nodes: crossing it from right to left enters one mark.
    step = np.ones(len(arcs), dtype=np.int64)
    shares = clusters_that_share(arcs, arc_cluster, rings, ring_cluster, count)
    weighs = np.bincount(ring_cluster[ring_weight > 1], minlength=count) > 0
    shares &= ~weighs
    if np.any(shares):
        alone = (np.diff(offsets) > 2) | ~shares[arc_cluster]
        there = shares[ring_cluster]
        step = shared_steps(ends, nodes, order, alone, arc_cluster, rings[there], ring_cluster[there])
    if np.any(weighs):
        some, there = np.flatnonzero(weighs[arc_cluster]), weighs[ring_cluster]
        step[some] = weighted_steps(
            arcs[some], arc_cluster[some], rings[there], ring_cluster[there], ring_weight[there]
        )
    after = _turn(nodes, order, np.concatenate([step, -step]))
    rise = after[: len(arcs)] - after[len(arcs) :] - step
    depth, component = _walk(nodes, order, rise, int(numbers.max(initial=-1)) + 1)

    roots = np.unique(component, return_index=True)[1]
    where = np.zeros((len(component), 2))
    where[numbers] = points
    node_cluster = np.zeros(len(component), dtype=np.int64)
    node_cluster[start], node_cluster[first] = arc_cluster, ring_cluster
    below = _depth_below(
        where[roots], node_cluster[roots], rings, ring_cluster, ring_weight, component[first]
    )
    depth += below[component]
    left = depth[start] + after[: len(arcs)]
    right = left - step

    failed = np.zeros(count, dtype=np.bool_)
    failed[ring_cluster[np.bincount(nodes, minlength=len(depth))[first] == 0]] = True
    turned = np.bincount(nodes, weights=np.concatenate([step, -step]), minlength=len(depth))
    failed[node_cluster[turned != 0]] = True
    failed[arc_cluster[(depth[end] - depth[start] != rise) | (left < 0) | (right < 0)]] = True
    return Arrangement(arcs, arc_cluster, left, right, coordinates, offsets, ends, nodes, order, failed)


def _around_nodes(nodes: Ints, across: Floats, up: Floats) -> Ints:
    """Order half-edges by node, and about a node by direction: counter-clockwise, beginning at the left.

    Quotients tell directions within a quarter turn apart. `arctan2` would do all at once, but its last
    digit depends on the processor.
    """
    steep = np.abs(up) > np.abs(across)
    quarter = np.select([steep & (up < 0), steep, across >= 0, up < 0], [1, 3, 2, 0], default=4)
    over = np.where(steep, up, np.where(across == 0, 1.0, across))
    return np.lexsort((np.where(steep, -across, up) / over, quarter, nodes))


def _node(lines: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(shapely.union_all(lines[:, None], axis=1))


def _coordinates(arcs: NDArray[Any]) -> tuple[Floats, Ints, Floats]:
    """Return the points of all arcs, where each begins, and the ends of `Arrangement`."""
    coordinates, arc = shapely.get_coordinates(arcs, return_index=True)
    coordinates += 0.0  # no negative zeros: equal points have equal bits
    offsets = offsets_of(np.bincount(arc, minlength=len(arcs)))
    first, last = offsets[:-1], offsets[1:] - 1
    leaving = np.concatenate([coordinates[first], coordinates[last]])
    towards = np.concatenate([coordinates[first + 1], coordinates[last - 1]])
    return coordinates, offsets, np.column_stack([leaving, towards])


def _number_points(cluster: Ints, points: Floats) -> Ints:
    """Number the distinct points, ascending by cluster, x and y."""
    order = np.lexsort((points[:, 1], points[:, 0], cluster))
    keys = np.column_stack([cluster, points])[order]
    numbers = np.empty(len(order), dtype=np.int64)
    numbers[order] = np.cumsum(np.any(np.diff(keys, axis=0, prepend=keys[:1]) != 0, axis=1))
    return numbers


def _turn(nodes: Ints, order: Ints, steps: Ints) -> Ints:
    """Turn round every node anticlockwise from due west.

    Returns for each leaving arc the change of depth from the westernmost sector to the one just after the
    arc.
    """
    running = np.cumsum(steps[order])
    begins = np.flatnonzero(np.diff(nodes[order], prepend=-1))
    before = np.concatenate([[0], running])[begins]
    after = np.empty(len(nodes), dtype=np.int64)
    after[order] = running - np.repeat(before, np.diff(begins, append=len(nodes)))
    return after


def _walk(nodes: Ints, order: Ints, rise: Ints, count: int) -> tuple[Ints, Ints]:
    """Add up the rises from the first node of each connected component to all others.

    Returns the depth of the westernmost sector of every node, that of the first node (the leftmost of its
    component, so that outside is west of it) being 0, and the component of every node.
    """
    # Late: work that needs no contours need not wait for SciPy.
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order, connected_components

    # The leaving arcs of each node, with the node at the other end: a graph that has each arc both ways. (It
    # may join two nodes twice, and SciPy's search for strong components never ends on such graphs.)
    beyond = np.roll(nodes, len(nodes) // 2)
    bounds = offsets_of(np.bincount(nodes, minlength=count))
    graph = csr_array((np.ones(len(nodes)), beyond[order], bounds), shape=(count, count))
    component = connected_components(graph, directed=False)[1].astype(np.int64)
    roots = np.unique(component, return_index=True)[1]
    # One more node, from which all roots are reached, makes one tree of all.
    graph = csr_array(
        (
            np.ones(len(nodes) + len(roots)),
            np.concatenate([beyond[order], roots]),
            np.append(bounds, len(nodes) + len(roots)),
        ),
        shape=(count + 1, count + 1),
    )
    parent = breadth_first_order(graph, count)[1].astype(np.int64)
    parent[count] = count

    depth = np.zeros(count + 1, dtype=np.int64)
    used = parent[beyond] == nodes  # where two arcs join the same nodes, either will do
    depth[beyond[used]] = np.concatenate([rise, -rise])[used]
    while np.any(parent != count):  # each round doubles the stretch that is added up
        depth += depth[parent]
        parent = parent[parent]
    return depth[:count], component


def _depth_below(
    points: Floats,
    cluster: Ints,
    rings: NDArray[Any],
    ring_cluster: Ints,
    ring_weight: Ints,
    ring_component: Ints,
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
    sign = np.where(shapely.is_ccw(rings[ring]), 1, -1) * ring_weight[ring]  # those of holes run clockwise
    return np.bincount(component, weights=within * sign, minlength=len(points)).astype(np.int64)
