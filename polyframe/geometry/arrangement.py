"""The planar arrangement of the outlines of clusters: noded arcs, and how many marks lie on either side.

The outlines of a cluster, each with its interior on the left, are cut into arcs that meet only at their ends
(`noding`). Crossing an arc from right to left enters the marks whose outline runs along it: usually one, more
where outlines share a stretch, none where two run along it in opposite directions. Turning once round a node
crosses each arc there, so the depths of all sectors of a node follow from one of them, and those of the next
node through the arc between: one breadth-first walk over the nodes gives every depth, and no point is tested
against a mark but one for each component. All clusters are worked on together, as flat arrays.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import offsets_of
from polyframe.geometry.noding import REACH, node_outlines
from polyframe.geometry.pairs import pair_with_runs


@dataclass(frozen=True)
class Arrangement:
    """The arcs of the outlines of many clusters, sorted by cluster.

    Attributes
    ----------
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
    blurred : ndarray of bool, shape (n,)
        Which nodes are only nearly one point (see `noding`).
    doubtful : ndarray of bool, shape (c,)
        Clusters in which outlines run along each other in opposite directions, but for rounding.
    failed : ndarray of bool, shape (c,)
        Clusters in which a check failed; their depths mean nothing.
    """

    cluster: Ints
    left: Ints
    right: Ints
    coordinates: Floats
    offsets: Ints
    ends: Floats
    nodes: Ints
    order: Ints
    blurred: Flags
    doubtful: Flags
    failed: Flags


def build_arrangement(
    polygons: NDArray[Any], cluster: Ints, count: int, weights: Ints | None = None, reach: float = REACH
) -> Arrangement:
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
    reach : float
        What is nearer than this fraction of the largest coordinate of a cluster is one point.

    Returns
    -------
    Arrangement
    """
    # In normal form a ring starts at its smallest point (by x, then y) and shells run clockwise; reversed,
    # every interior is on the left.
    rings, owner = shapely.get_rings(shapely.normalize(polygons), return_index=True)
    rings, ring_cluster = shapely.reverse(rings), cluster[owner]
    ring_weight = np.ones(len(rings), dtype=np.int64) if weights is None else weights[owner]
    ring_offsets = offsets_of(shapely.get_num_coordinates(rings))
    drawn = shapely.get_coordinates(rings)
    arcs = node_outlines(
        drawn,
        ring_offsets,
        ring_cluster,
        ring_weight,
        reach * _scales(drawn, ring_offsets, ring_cluster, count),
    )
    offsets, step = arcs.offsets, arcs.step
    coordinates = arcs.points[arcs.nodes]
    ends = _ends(coordinates, offsets)
    used, nodes = np.unique(
        np.concatenate([arcs.nodes[offsets[:-1]], arcs.nodes[offsets[1:] - 1]]), return_inverse=True
    )
    start, end = np.split(nodes, 2)
    order = _around_nodes(nodes, ends[:, 2] - ends[:, 0], ends[:, 3] - ends[:, 1])
    after = _turn(nodes, order, np.concatenate([step, -step]))
    rise = after[: len(step)] - after[len(step) :] - step
    first = np.searchsorted(used, arcs.first[arcs.first >= 0])
    drawn_rings, drawn_cluster, drawn_weight = (
        values[arcs.first >= 0] for values in (rings, ring_cluster, ring_weight)
    )
    component = _components(nodes, len(used))
    # The leftmost node of each component is the first of a ring, and west of it is outside.
    x, y = arcs.points[used[first]].T
    leftmost = np.lexsort((y, x, component[first]))
    leftmost = leftmost[np.unique(component[first][leftmost], return_index=True)[1]]
    roots = first[leftmost]
    depth = _walk(nodes, order, rise, roots, len(used))
    below = _depth_below(
        arcs.points[used[roots]],
        drawn_cluster[leftmost],
        drawn_rings,
        drawn_cluster,
        drawn_weight,
        component[first],
    )
    depth += below[component]
    left = depth[start] + after[: len(step)]
    right = left - step

    failed = np.zeros(count, dtype=np.bool_)
    failed[arcs.cluster[(depth[end] - depth[start] != rise) | (left < 0) | (right < 0)]] = True
    blurred = arcs.blurred[used]
    doubtful = np.zeros(count, dtype=np.bool_)
    doubtful[arcs.cluster[arcs.cancelled & (blurred[start] | blurred[end])]] = True
    return Arrangement(
        arcs.cluster, left, right, coordinates, offsets, ends, nodes, order, blurred, doubtful, failed
    )


def _around_nodes(nodes: Ints, across: Floats, up: Floats) -> Ints:
    """Order half-edges by node, and about a node by direction: counter-clockwise, beginning at the left.

    Quotients tell directions within a quarter turn apart. `arctan2` would do all at once, but its last
    digit depends on the processor.
    """
    steep = np.abs(up) > np.abs(across)
    quarter = np.select([steep & (up < 0), steep, across >= 0, up < 0], [1, 3, 2, 0], default=4)
    over = np.where(steep, up, np.where(across == 0, 1.0, across))
    return np.lexsort((np.where(steep, -across, up) / over, quarter, nodes))


def _scales(coordinates: Floats, offsets: Ints, cluster: Ints, count: int) -> Floats:
    """Return the power of two above the largest coordinate of each cluster."""
    farthest = np.zeros(count)
    if len(cluster):
        of_ring = np.maximum.reduceat(np.abs(coordinates).max(axis=1), offsets[:-1])
        np.maximum.at(farthest, cluster, of_ring)
    return np.asarray(np.ldexp(1.0, np.frexp(farthest)[1]))


def _ends(coordinates: Floats, offsets: Ints) -> Floats:
    """Return the ends of `Arrangement`."""
    first, last = offsets[:-1], offsets[1:] - 1
    leaving = np.concatenate([coordinates[first], coordinates[last]])
    towards = np.concatenate([coordinates[first + 1], coordinates[last - 1]])
    return np.column_stack([leaving, towards])


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


def _components(nodes: Ints, count: int) -> Ints:
    """Number the connected components of the nodes."""
    # Late: work that needs no contours need not wait for SciPy.
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    start, end = np.split(nodes, 2)
    graph = csr_array((np.ones(len(start), dtype=np.int8), (start, end)), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _walk(nodes: Ints, order: Ints, rise: Ints, roots: Ints, count: int) -> Ints:
    """Add up the rises from the root of each connected component to all other nodes.

    Returns the depth of the westernmost sector of every node, that of the roots being 0.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order

    # The leaving arcs of each node, with the node at the other end: a graph that has each arc both ways, and
    # one more node, from which all roots are reached.
    beyond = np.roll(nodes, len(nodes) // 2)
    bounds = offsets_of(np.bincount(nodes, minlength=count))
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
    return depth[:count]


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
