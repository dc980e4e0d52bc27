"""Build the planar arrangement of the outlines of clusters, with the depth on both sides of each arc.

The outlines of a cluster, with interiors on the left, are cut into arcs that meet only at their ends
(`noding`). Each arc is a pair of half-edges, twins with opposite directions, as in a doubly connected edge
list. The *depth* of a face is the number of marks that contain it. Crossing an arc from right to left enters
the marks whose outline runs along it: usually one, several if outlines share the arc, none if two outlines
run along it in opposite directions. Around a node, the depth changes by these steps from sector to sector. So
all depths of a connected component follow from that of one sector, by adding up the changes along paths, and
only one point per component is tested against the marks.

References
----------
M. de Berg, O. Cheong, M. van Kreveld and M. Overmars, "Computational Geometry: Algorithms and Applications",
3rd edition (2008), chapter 2: doubly connected edge lists and overlays.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.components import components_with_heights
from polyframe.core.ragged import offsets_of
from polyframe.core.sorting import order_in_groups
from polyframe.geometry.candidate_pairs import pair_with_runs
from polyframe.geometry.noding import SNAP_TOLERANCE, NodedArcs, node_outlines


@dataclass(frozen=True)
class Arrangement:
    """The arcs of the outlines of many clusters, sorted by cluster.

    Half-edge i < a runs along arc i, half-edge a + i, its twin, in the opposite direction.

    Attributes
    ----------
    cluster : ndarray of int64, shape (a,)
    left, right : ndarray of int64, shape (a,)
        The depth of the faces on both sides of the arc.
    coordinates : ndarray of float64, shape (m, 2)
        The points of all arcs.
    offsets : ndarray of int64, shape (a + 1,)
        Arc i runs through `coordinates[offsets[i]:offsets[i + 1]]`.
    ends : ndarray of float64, shape (2 a, 4)
        The first two points of each half-edge: x, y, x, y.
    origin : ndarray of int64, shape (2 a,)
        The number of the node at which each half-edge begins.
    order : ndarray of int64, shape (2 a,)
        All half-edges, sorted by origin, and anticlockwise from due west around it.
    snapped : ndarray of bool, shape (n,)
        Nodes that were not exactly one point (see `noding`).
    doubtful : ndarray of bool, shape (c,)
        Clusters in which outlines run along each other in opposite directions, except for rounding.
    failed : ndarray of bool, shape (c,)
        Clusters in which a check failed; their depths are meaningless.
    """

    cluster: Ints
    left: Ints
    right: Ints
    coordinates: Floats
    offsets: Ints
    ends: Floats
    origin: Ints
    order: Ints
    snapped: Flags
    doubtful: Flags
    failed: Flags


def build_arrangement(
    polygons: NDArray[Any],
    cluster: Ints,
    count: int,
    weights: Ints | None = None,
    tolerance: float = SNAP_TOLERANCE,
) -> Arrangement:
    """Return the arrangement of the outlines of each cluster, holes included.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Valid and not empty.
    cluster : ndarray of int64, shape (n,)
        The cluster of each polygon, ascending.
    count : int
        The number of clusters.
    weights : ndarray of int64, shape (n,), optional
        How many marks each polygon represents; 1 by default.
    tolerance : float
        Points that are nearer than this fraction of the largest coordinate of a cluster are the same.

    Returns
    -------
    Arrangement
    """
    # In normal form a ring starts at its smallest point (by x, then y) and shells run clockwise. Reversed,
    # every interior is on the left.
    rings, owner = shapely.get_rings(shapely.normalize(polygons), return_index=True)
    rings, ring_cluster = shapely.reverse(rings), cluster[owner]
    ring_weight = np.ones(len(rings), dtype=np.int64) if weights is None else weights[owner]
    ring_offsets = offsets_of(shapely.get_num_coordinates(rings))
    drawn = shapely.get_coordinates(rings)
    tolerances = tolerance * _scales(drawn, ring_offsets, ring_cluster, count)
    arcs = node_outlines(drawn, ring_offsets, ring_cluster, ring_weight, tolerances)
    coordinates = arcs.points.take(arcs.nodes, axis=0)  # much faster than an index
    ends = _ends(coordinates, arcs.offsets)
    begin_and_end = np.concatenate([arcs.nodes[arcs.offsets[:-1]], arcs.nodes[arcs.offsets[1:] - 1]])
    is_used = np.zeros(len(arcs.points), dtype=np.bool_)
    is_used[begin_and_end] = True
    used = np.flatnonzero(is_used)
    origin = (np.cumsum(is_used) - 1)[begin_and_end]
    order = _sort_by_angle(origin, ends[:, 2] - ends[:, 0], ends[:, 3] - ends[:, 1])
    left, wrong = _depths(arcs, used, origin, order, (rings, ring_cluster, ring_weight))
    right = left - arcs.step

    failed = np.zeros(count, dtype=np.bool_)
    failed[arcs.cluster[wrong | (left < 0) | (right < 0)]] = True
    snapped = arcs.snapped[used]
    start, end = np.split(origin, 2)
    doubtful = np.zeros(count, dtype=np.bool_)
    doubtful[arcs.cluster[arcs.cancelled & (snapped[start] | snapped[end])]] = True
    return Arrangement(
        arcs.cluster,
        left,
        right,
        coordinates,
        arcs.offsets,
        ends,
        origin,
        order,
        snapped,
        doubtful,
        failed,
    )


def _depths(
    arcs: NodedArcs, used: Ints, origin: Ints, order: Ints, rings: tuple[NDArray[Any], Ints, Ints]
) -> tuple[Ints, Flags]:
    """Return the depth on the left of each arc, and for which arcs the depths at both ends disagree.

    `used` are the nodes at which half-edges begin, `rings` the rings with their clusters and weights.
    """
    start, end = np.split(origin, 2)
    after = _cumulative_depth_changes(origin, order, np.concatenate([arcs.step, -arcs.step]))
    rise = after[: len(start)] - after[len(start) :] - arcs.step
    with_arcs = arcs.first >= 0
    first = np.searchsorted(used, arcs.first[with_arcs])
    drawn, cluster, weight = (values[with_arcs] for values in rings)
    component, depth = components_with_heights(len(used), start, end, rise)
    # The leftmost node of each component is the first of a ring, and west of it is outside.
    x, y = arcs.points[used[first]].T
    leftmost = np.lexsort((y, x, component[first]))
    leftmost = leftmost[np.unique(component[first][leftmost], return_index=True)[1]]
    roots = first[leftmost]
    around = _depth_around(
        arcs.points[used[roots]], cluster[leftmost], drawn, cluster, weight, component[first]
    )
    depth += (around - depth[roots])[component]
    return depth[start] + after[: len(start)], depth[end] - depth[start] != rise


def _sort_by_angle(origin: Ints, across: Floats, up: Floats) -> Ints:
    """Order half-edges by origin, and around it by direction: anticlockwise from due west.

    Slopes order the directions within a quarter turn. `arctan2` would be simpler, but its last digit depends
    on the processor.
    """
    steep = np.abs(up) > np.abs(across)
    quarter = np.select([steep & (up < 0), steep, across >= 0, up < 0], [1, 3, 2, 0], default=4)
    run = np.where(steep, up, np.where(across == 0, 1.0, across))
    slope = np.where(steep, -across, up) / run
    return order_in_groups(origin, (slope, quarter), (quarter + (slope + 1) / 2) / 5)


def _scales(coordinates: Floats, offsets: Ints, cluster: Ints, count: int) -> Floats:
    """Return the power of two above the largest coordinate of each cluster."""
    farthest = np.zeros(count)
    if len(cluster):
        x, y = np.abs(coordinates.T)
        of_ring = np.maximum.reduceat(np.maximum(x, y), offsets[:-1])
        np.maximum.at(farthest, cluster, of_ring)
    return np.asarray(np.ldexp(1.0, np.frexp(farthest)[1]))


def _ends(coordinates: Floats, offsets: Ints) -> Floats:
    """Return the ends of `Arrangement`."""
    first, last = offsets[:-1], offsets[1:] - 1
    leaving, towards = np.concatenate([first, last]), np.concatenate([first + 1, last - 1])
    return coordinates.take(np.stack([leaving, towards], axis=1), axis=0).reshape(-1, 4)


def _cumulative_depth_changes(origin: Ints, order: Ints, steps: Ints) -> Ints:
    """Add up the changes of depth around every node, anticlockwise from due west.

    Returns for each half-edge the change from the sector in the west to the sector just after the half-edge.
    """
    running = np.cumsum(steps[order])
    begins = np.flatnonzero(np.diff(origin[order], prepend=-1))
    before = np.concatenate([[0], running])[begins]
    after = np.empty(len(origin), dtype=np.int64)
    after[order] = running - np.repeat(before, np.diff(begins, append=len(origin)))
    return after


def _depth_around(
    points: Floats,
    cluster: Ints,
    rings: NDArray[Any],
    ring_cluster: Ints,
    ring_weight: Ints,
    ring_component: Ints,
) -> Ints:
    """Return how many marks of other components contain each component's first point."""
    several = np.bincount(cluster)[cluster] > 1 if len(cluster) else np.empty(0, dtype=np.bool_)
    alone = np.flatnonzero(several)
    starts = np.searchsorted(ring_cluster, cluster[alone], side="left")
    ends = np.searchsorted(ring_cluster, cluster[alone], side="right")
    component, ring = pair_with_runs(alone, starts, ends)
    other = ring_component[ring] != component
    component, ring = component[other], ring[other]
    within = shapely.contains_xy(shapely.polygons(rings[ring]), points[component])
    sign = np.where(shapely.is_ccw(rings[ring]), 1, -1) * ring_weight[ring]  # holes run clockwise
    return np.bincount(component, weights=within * sign, minlength=len(points)).astype(np.int64)
