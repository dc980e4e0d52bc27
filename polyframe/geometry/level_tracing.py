"""Trace the level curves of an arrangement: areas, and the outline of each level's largest part.

An arc with depths d and e < d on its two sides bounds the levels e + 1 to d. If a half-edge of a level
arrives at a node, the curve of the level continues with the level's next half-edge clockwise, along the other
side of the same sector. So areas that touch in a point are two, and areas that share an edge, which then
bounds nothing, are one. Outlines of parts run anticlockwise and holes clockwise, so the signed areas of the
curves show which part is the largest. If holes matter for that, if parts tie, or if a curve meets itself, the
level is doubtful, and `level_polygonizing` decides.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.components import component_numbers
from polyframe.core.ragged import offsets_of, positions_of, runs_of_equal
from polyframe.core.sorting import stable_order
from polyframe.geometry.arrangement import Arrangement

#: Areas that differ by less than this fraction may be tied. The second is a fraction of the whole level.
_TIE = 1e-12
_ROUNDING = 1e-13

#: Areas thinner than this many rounding steps of the coordinates might be rounding errors, see
#: `polygon_parts`.
_ROUNDING_STEPS = 64


@dataclass(frozen=True)
class Levels:
    """The levels of many clusters, each bounded by arcs.

    Attributes
    ----------
    cluster, level : ndarray of int64, shape (k,)
        Sorted by cluster and level, from 1.
    half_edge : ndarray of int64, shape (b,)
        The half-edges that bound the levels, with the level on their left, sorted by level.
    owner : ndarray of int64, shape (b,)
        The level that each half-edge bounds.
    """

    cluster: Ints
    level: Ints
    half_edge: Ints
    owner: Ints


@dataclass(frozen=True)
class TracedLevels:
    """The largest parts of the levels.

    Attributes
    ----------
    outlines : ndarray of shapely.Polygon, shape (k,)
        Without holes; None if a level is doubtful or not wanted.
    areas : ndarray of float64, shape (k,)
        The areas of the whole levels, holes excluded.
    failed : ndarray of bool, shape (k,)
        Levels whose curves are not closed; their other results are meaningless.
    uncertain : ndarray of bool, shape (k,)
        Levels with curves that meet at a snapped node: rounding decides whether they are one part.
    """

    outlines: NDArray[Any]
    areas: Floats
    failed: Flags
    uncertain: Flags


def ranked_depths(
    arrangement: Arrangement, weights: Ints, count: int
) -> tuple[Arrangement, Callable[[Ints, Ints], Ints]]:
    """Replace depths by their ranks among the depths that occur in a cluster, so that equal levels are one.

    Parameters
    ----------
    arrangement : Arrangement
    weights : ndarray of int64, shape (n,)
        How many marks each polygon of the arrangement represents. If all are 1, the depths are unchanged.
    count : int
        The number of clusters.

    Returns
    -------
    arrangement : Arrangement
        With ranks, from 0, instead of depths.
    heights : callable
        A function of clusters and their levels that returns how many equal levels each one represents.
    """
    if np.all(weights == 1):
        return arrangement, lambda _, level: np.ones(len(level), dtype=np.int64)
    usable = ~arrangement.failed[arrangement.cluster]
    left, right = np.where(usable, arrangement.left, 0), np.where(usable, arrangement.right, 0)
    stride = int(max(left.max(initial=0), right.max(initial=0))) + 1
    outside = stride * np.arange(count)
    of_arc = stride * arrangement.cluster
    depths = np.unique(np.concatenate([outside, of_arc + left, of_arc + right]))
    lowest = np.searchsorted(depths, outside)
    ranks = (np.searchsorted(depths, of_arc + side) - lowest[arrangement.cluster] for side in (left, right))
    ranked = replace(arrangement, left=next(ranks), right=next(ranks))

    def heights(cluster: Ints, level: Ints) -> Ints:
        place = lowest[cluster] + level
        return np.asarray(depths[place] - depths[place - 1], dtype=np.int64)

    return ranked, heights


def levels_of(arrangement: Arrangement) -> Levels:
    """Return the levels of all clusters that have not failed.

    An arc bounds one level, or several if outlines share it.
    """
    left, right = arrangement.left, arrangement.right
    usable = np.flatnonzero(~arrangement.failed[arrangement.cluster])
    bounded = np.abs(left - right)[usable]
    arc = np.repeat(usable, bounded)
    level = np.minimum(left, right)[arc] + 1 + positions_of(0, bounded)
    order = stable_order(arrangement.cluster[arc] * (level.max(initial=0) + 1) + level)
    arc, level = arc[order], level[order]
    cluster = arrangement.cluster[arc]
    changes = (np.diff(cluster, prepend=-1) != 0) | (np.diff(level, prepend=-1) != 0)
    half_edge = arc + len(left) * (left[arc] < right[arc])
    return Levels(cluster[changes], level[changes], half_edge, np.cumsum(changes) - 1)


def trace_levels(arrangement: Arrangement, levels: Levels, wanted: Flags | None = None) -> TracedLevels:
    """Trace the curves of all levels and choose the largest part of each.

    If only some levels are wanted, the others have no outlines.
    """
    count = len(levels.level)
    if not count:
        none = np.empty(0, dtype=np.bool_)
        return TracedLevels(np.empty(0, dtype=object), np.empty(0), none, none)
    next_edge, meeting, broken = _link(arrangement, levels)
    failed = np.zeros(count, dtype=np.bool_)
    failed[levels.owner[broken]] = True
    curve = component_numbers(len(next_edge), np.arange(len(next_edge)), next_edge)
    swept, rounding = _measure(arrangement, levels)
    areas = np.bincount(curve, weights=swept)
    owner = np.empty(len(areas), dtype=np.int64)
    owner[curve] = levels.owner

    order = np.lexsort((-areas, owner))
    begins = np.searchsorted(owner[order], np.arange(count))
    largest = order[begins]
    next_largest = np.append(order, largest[:1])[begins + 1]
    second = np.where(owner[next_largest] == np.arange(count), areas[next_largest], 0.0)
    holes = np.bincount(owner, weights=np.maximum(-areas, 0.0), minlength=count)
    parts = np.bincount(owner, weights=np.maximum(areas, 0.0), minlength=count)
    whole = np.asarray(parts - holes, dtype=np.float64)
    net = areas[largest] - holes
    doubtful = failed | (net <= rounding)
    doubtful |= (second > 0) & (net <= second + _TIE * areas[largest] + _ROUNDING * parts)
    meets = np.flatnonzero((meeting >= 0) & (areas[curve] > 0))
    stride = len(meeting) + 1
    visits, number = np.unique(curve[meets] * stride + meeting[meets], return_counts=True)
    doubtful[owner[visits[number > 1] // stride]] = True

    outlines = np.full(count, None, dtype=object)
    chosen = ~doubtful if wanted is None else ~doubtful & wanted
    outlines[chosen] = _outlines(arrangement, levels, next_edge, curve, largest[chosen])
    met = np.flatnonzero(meeting >= 0)
    arrival = (levels.half_edge[met] + len(arrangement.cluster)) % len(arrangement.origin)
    uncertain = np.zeros(count, dtype=np.bool_)
    uncertain[levels.owner[met[arrangement.snapped[arrangement.origin[arrival]]]]] = True
    return TracedLevels(outlines, whole, failed, uncertain)


def _link(arrangement: Arrangement, levels: Levels) -> tuple[Ints, Ints, Ints]:
    """Link each bounding half-edge to the next one of its curve.

    Returns
    -------
    next_edge : ndarray of int64, shape (b,)
    meeting : ndarray of int64, shape (b,)
        If several half-edges of the level end at the same node, a number for that node and level; else -1.
    broken : ndarray of int64
        Bounding half-edges that no other continues.
    """
    count, half_edges = len(levels.half_edge), len(arrangement.origin)
    place = np.empty(half_edges, dtype=np.int64)
    place[arrangement.order] = np.arange(half_edges)
    # Around each node: the bounding half-edges that leave it, and the twins of those that arrive.
    around = np.concatenate([levels.half_edge, (levels.half_edge + half_edges // 2) % half_edges])
    level = np.tile(levels.level[levels.owner], 2)
    keys = arrangement.origin[around] * (level.max() + 1) + level
    order = np.argsort(keys * half_edges + place[around])
    rounds = runs_of_equal(keys[order])
    clockwise = np.arange(-1, 2 * count - 1)
    clockwise[rounds[:-1]] = rounds[1:] - 1

    arriving = np.flatnonzero(order >= count)
    leaving = order[clockwise[arriving]]
    bound = order[arriving] - count
    next_edge = np.empty(count, dtype=np.int64)
    next_edge[bound] = leaving % count
    meeting = np.empty(count, dtype=np.int64)
    sizes = np.diff(rounds)
    meeting[bound] = np.repeat(np.where(sizes > 2, np.arange(len(sizes)), -1), sizes)[arriving]
    return next_edge, meeting, bound[leaving >= count]


def _measure(arrangement: Arrangement, levels: Levels) -> tuple[Floats, Floats]:
    """Return the signed area that each half-edge contributes, and how much area may be rounding by level."""
    coordinates, offsets = arrangement.coordinates, arrangement.offsets
    bounds = runs_of_equal(arrangement.cluster)
    first = np.repeat(bounds[:-1], np.diff(bounds))
    counts, origin = np.diff(offsets), coordinates.take(offsets[first], axis=0)
    x = coordinates[:, 0] - np.repeat(origin[:, 0], counts)
    y = coordinates[:, 1] - np.repeat(origin[:, 1], counts)
    swept, lengths = np.zeros(len(x)), np.zeros(len(x))
    swept[:-1] = (x[:-1] * y[1:] - x[1:] * y[:-1]) / 2
    lengths[:-1] = np.abs(np.diff(x)) + np.abs(np.diff(y))
    between = offsets[1:] - 1  # from the last point of an arc to the first point of the next
    swept[between] = lengths[between] = 0.0
    of_arc, length = np.add.reduceat(swept, offsets[:-1]), np.add.reduceat(lengths, offsets[:-1])

    arcs = len(of_arc)
    arc = levels.half_edge % arcs
    begins = runs_of_equal(levels.owner)[:-1]
    x0, y0, x1, y1 = np.abs(arrangement.ends.take(levels.half_edge, axis=0)).T
    farthest = np.maximum.reduceat(np.maximum(np.maximum(x0, y0), np.maximum(x1, y1)), begins)
    largest = farthest + np.add.reduceat(length[arc], begins)  # no coordinate of the level is larger
    rounding = _ROUNDING_STEPS * np.spacing(largest) * np.add.reduceat(length[arc], begins)
    return np.where(levels.half_edge < arcs, of_arc[arc], -of_arc[arc]), rounding


def _outlines(
    arrangement: Arrangement, levels: Levels, next_edge: Ints, curve: Ints, chosen: Ints
) -> NDArray[Any]:
    """Return chosen curves as polygons."""
    if not len(chosen):
        return np.empty(0, dtype=object)
    number = np.full(int(curve.max()) + 1, -1, dtype=np.int64)
    number[chosen] = np.arange(len(chosen))
    members = np.flatnonzero(number[curve] >= 0)
    ring = number[curve[members]]
    place = np.empty(len(curve), dtype=np.int64)
    place[members] = np.arange(len(members))

    # The number of half-edges from each one to the first of its curve; each round doubles the distance.
    sizes = np.bincount(ring)
    first = np.empty(len(sizes), dtype=np.int64)
    first[ring[::-1]] = np.arange(len(ring))[::-1]
    onward, ahead = place[next_edge[members]], np.ones(len(members), dtype=np.int64)
    onward[first], ahead[first] = first, 0
    for _ in range(int(sizes.max()).bit_length()):
        ahead += ahead[onward]
        onward = onward[onward]
    line = np.empty(len(members), dtype=np.int64)
    line[offsets_of(sizes)[ring] + (sizes[ring] - ahead) % sizes[ring]] = levels.half_edge[members]

    arcs = len(arrangement.cluster)
    arc, forward = line % arcs, line < arcs
    offsets = arrangement.offsets
    counts = np.diff(offsets)[arc] - 1
    counts[np.cumsum(sizes) - 1] += 1  # the last point of a ring is its first again
    starts = np.where(forward, offsets[arc], offsets[arc + 1] - 1)
    points = np.repeat(starts, counts) + np.repeat(np.where(forward, 1, -1), counts) * positions_of(0, counts)
    rings = offsets_of(counts)[offsets_of(sizes)]
    polygons: NDArray[Any] = shapely.from_ragged_array(
        shapely.GeometryType.POLYGON,
        arrangement.coordinates.take(points, axis=0),
        (rings, np.arange(len(rings))),
    )
    return polygons
