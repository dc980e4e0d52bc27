"""How many outlines run along each noded arc, where outlines share stretches of their ways.

GEOS makes one arc of outlines that run along each other, and says nothing of how many there were. But it ends
arcs wherever outlines meet, at vertices too, so an arc with a vertex inside belongs to one outline alone.
Outlines that meet at a node without a vertex there go straight on, so what is known of an arc holds for the
whole chain of arcs before and behind it. And as many outlines leave a node as arrive: where all chains but
one are known, so is that one. What then is still open, whole rings of shared edges, is matched with the
outlines. No step but that one compares places, so that outlines may lie beside each other by a rounding step.
"""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Outlines share a stretch where noding shortens the lines by more than this fraction.
_LENGTH_LOST = 1e-10

#: How far a noded arc may lie beside the outline that it came from, in rounding steps of the coordinates.
_ROUNDING_STEPS = 16


def clusters_that_share(
    arcs: NDArray[Any], arc_cluster: Ints, rings: NDArray[Any], ring_cluster: Ints, count: int
) -> Bools:
    """Say in which clusters outlines share a stretch: there noding makes the lines shorter.

    Parameters
    ----------
    arcs, rings : ndarray of shapely.LineString
        What noding made, and what of.
    arc_cluster, ring_cluster : ndarray of int64
        The cluster of each.
    count : int
        The number of clusters.

    Returns
    -------
    ndarray of bool, shape (c,)
    """
    drawn = np.bincount(ring_cluster, weights=shapely.length(rings), minlength=count)
    noded = np.bincount(arc_cluster, weights=shapely.length(arcs), minlength=count)
    return np.asarray(drawn - noded > _LENGTH_LOST * drawn)


def shared_steps(
    ends: Floats,
    nodes: Ints,
    order: Ints,
    alone: Bools,
    cluster: Ints,
    rings: NDArray[Any],
    ring_cluster: Ints,
) -> Ints:
    """Return how many marks are entered by crossing each arc from right to left.

    Parameters
    ----------
    ends, nodes, order : ndarray
        See `arrangement.Arrangement`.
    alone : ndarray of bool, shape (a,)
        Arcs known to belong to one outline, whose direction they have.
    cluster : ndarray of int64, shape (a,)
        The cluster of each arc.
    rings : ndarray of shapely.LinearRing, shape (r,)
        The outlines of all clusters with arcs that are not `alone`.
    ring_cluster : ndarray of int64, shape (r,)
        The cluster of each.

    Returns
    -------
    ndarray of int64, shape (a,)
    """
    count = len(alone)
    step = np.ones(count, dtype=np.int64)
    last = _ends_of_chains(nodes, order, alone, _at_vertices(ends, cluster, rings, ring_cluster))
    known = alone[last % count]
    unknown = np.flatnonzero(~(known[:count] | known[count:]))
    if not len(unknown):
        return step

    # The arcs of a chain come to the same two ends, in either order: its direction is towards the lower.
    ahead, behind = last[unknown], last[unknown + count]
    finish, chain = np.unique(np.minimum(ahead, behind), return_inverse=True)
    begin = np.empty(len(finish), dtype=np.int64)
    begin[chain] = np.maximum(ahead, behind)
    direction = np.where(ahead < behind, 1, -1)
    step[unknown] = 0
    leaving = np.concatenate([step, -step])
    missing = -np.bincount(nodes, weights=leaving).astype(np.int64)
    arrives, leaves = nodes[(finish + count) % (2 * count)], nodes[(begin + count) % (2 * count)]
    along, is_open = _balance(leaves, arrives, missing)
    if np.any(is_open):
        length = _lengths(ends[unknown, 2:] - ends[unknown, :2])
        by_length = np.lexsort((-length, chain))
        longest = by_length[np.unique(chain[by_length], return_index=True)[1]][is_open]
        arc = unknown[longest]
        outlines = np.isin(ring_cluster, cluster[arc])
        matched = _matched_steps(ends[arc], cluster[arc], rings[outlines], ring_cluster[outlines])
        along[is_open] = direction[longest] * matched
    step[unknown] = direction * along[chain]
    return step


def weighted_steps(
    arcs: NDArray[Any], cluster: Ints, rings: NDArray[Any], ring_cluster: Ints, ring_weight: Ints
) -> Ints:
    """Return how many marks are entered by crossing each arc, where an outline stands for several marks.

    Parameters
    ----------
    arcs, rings : ndarray of shapely.LineString
        What noding made, and what of.
    cluster, ring_cluster : ndarray of int64
        The cluster of each.
    ring_weight : ndarray of int64, shape (r,)
        How many marks each ring stands for.

    Returns
    -------
    ndarray of int64, shape (a,)
        Every arc is matched by its longest segment; noding does not tell which outline it is of.
    """
    from_, to, arc = _segments(arcs)
    by_length = np.lexsort((-_lengths(to - from_), arc))
    longest = by_length[np.unique(arc[by_length], return_index=True)[1]]
    segments = np.column_stack([from_, to])[longest]
    return _matched_steps(segments, cluster, rings, ring_cluster, ring_weight)


def row_hashes(rows: Floats, cluster: Ints) -> NDArray[np.uint64]:
    """Mix the bits of each row and its cluster into one number; equal rows have equal numbers.

    Parameters
    ----------
    rows : ndarray of float64, shape (n, m)
        Without negative zeros.
    cluster : ndarray of int64, shape (n,)

    Returns
    -------
    ndarray of uint64, shape (n,)
    """
    mixed = cluster.astype(np.uint64)
    for column in range(rows.shape[1]):
        mixed = (mixed ^ np.ascontiguousarray(rows[:, column]).view(np.uint64)) * np.uint64(
            0x9E3779B97F4A7C15
        )
        mixed ^= mixed >> np.uint64(29)
    return mixed


def _at_vertices(ends: Floats, cluster: Ints, rings: NDArray[Any], ring_cluster: Ints) -> Bools:
    """Say which leaving arcs leave from a vertex of an outline (by mistake, once in 10^14, from another)."""
    vertices, ring = shapely.get_coordinates(rings, return_index=True)
    known = np.sort(row_hashes(vertices + 0.0, ring_cluster[ring]))
    points = row_hashes(ends[:, :2], np.tile(cluster, 2))
    return np.asarray(known[np.minimum(np.searchsorted(known, points), len(known) - 1)] == points)


def _ends_of_chains(nodes: Ints, order: Ints, alone: Bools, at_vertex: Bools) -> Ints:
    """Follow each leaving arc straight on through crossings of two lines.

    Returns the leaving arc at which the way ends: one that belongs to one outline, or one that leads to a
    node where it is not clear what goes on where.
    """
    count = len(nodes)
    degree = np.bincount(nodes)
    begins = np.cumsum(degree) - degree
    crosses = np.flatnonzero((degree[nodes] == 4) & ~at_vertex)
    place = np.empty(count, dtype=np.int64)
    place[order] = np.arange(count)
    across = np.full(count, -1, dtype=np.int64)
    first = begins[nodes[crosses]]
    across[crosses] = order[first + (place[crosses] - first + 2) % 4]

    onward = np.roll(across, count // 2)  # of the same arc, seen from its other end
    stops = (onward < 0) | np.tile(alone, 2)
    last = np.where(stops, np.arange(count), onward)
    for _ in range(count.bit_length()):  # each round doubles the stretch that is followed
        further = last[last]
        if np.array_equal(further, last):
            break
        last = further
    return last


def _balance(leaves: Ints, arrives: Ints, missing: Ints) -> tuple[Ints, Bools]:
    """Settle the chains that are the only unknown one at a node, again and again.

    Parameters
    ----------
    leaves, arrives : ndarray of int64, shape (k,)
        The nodes at the ends of each chain.
    missing : ndarray of int64, shape (m,)
        How many more outlines must leave each node than arrive.

    Returns
    -------
    along : ndarray of int64, shape (k,)
        How many outlines run along each chain; 0 where that is open.
    is_open : ndarray of bool, shape (k,)
    """
    along, is_open = np.zeros(len(leaves), dtype=np.int64), np.ones(len(leaves), dtype=np.bool_)
    unsettled = np.bincount(leaves, minlength=len(missing)) + np.bincount(arrives, minlength=len(missing))
    while True:
        at_start = np.flatnonzero(is_open & (unsettled[leaves] == 1))
        at_finish = np.flatnonzero(is_open & (unsettled[arrives] == 1) & (unsettled[leaves] != 1))
        settled = np.concatenate([at_start, at_finish])
        if not len(settled):
            return along, is_open
        along[at_start], along[at_finish] = missing[leaves[at_start]], -missing[arrives[at_finish]]
        is_open[settled] = False
        np.subtract.at(missing, leaves[settled], along[settled])
        np.add.at(missing, arrives[settled], along[settled])
        np.subtract.at(unsettled, leaves[settled], 1)
        np.subtract.at(unsettled, arrives[settled], 1)


def _matched_steps(
    segments: Floats, cluster: Ints, rings: NDArray[Any], ring_cluster: Ints, ring_weight: Ints | None = None
) -> Ints:
    """Match segments of arcs, given as rows x, y, x, y, with the segments of the outlines they lie on."""
    starts, ends = segments[:, :2], segments[:, 2:]
    from_, to, ring = _segments(rings)
    tolerance = _ROUNDING_STEPS * np.spacing(np.abs(from_).max(initial=0.0))

    # Clusters of different subjects lie over one another: for the search they are put side by side.
    width = 4 * np.abs(from_).max(initial=0.0) + 2
    aside = width * np.arange(ring_cluster.max(initial=0) + 1)[:, None] * [1, 0]
    outlines = np.stack([from_, to], axis=1) + aside[ring_cluster[ring]][:, None]
    probes = shapely.points((starts + ends) / 2 + aside[cluster])
    tree = shapely.STRtree(shapely.linestrings(outlines))
    probe, segment = tree.query(probes, predicate="dwithin", distance=tolerance + 4 * np.spacing(aside.max()))
    same = cluster[probe] == ring_cluster[ring[segment]]
    probe, segment = probe[same], segment[same]
    along = to[segment] - from_[segment]
    along /= _lengths(along)[:, None]
    beside = np.maximum(
        np.abs(_cross(along, starts[probe] - from_[segment])),
        np.abs(_cross(along, ends[probe] - from_[segment])),
    )
    onward = np.sign(np.sum(along * (ends[probe] - starts[probe]), axis=1)) * (beside <= tolerance)
    if ring_weight is not None:
        onward = onward * ring_weight[ring[segment]]
    return np.bincount(probe, weights=onward, minlength=len(segments)).astype(np.int64)


def _lengths(vectors: Floats) -> Floats:
    # Not `hypot`: its last digit depends on the system's library.
    return np.sqrt(vectors[:, 0] ** 2 + vectors[:, 1] ** 2)


def _segments(lines: NDArray[Any]) -> tuple[Floats, Floats, Ints]:
    coordinates, line = shapely.get_coordinates(lines, return_index=True)
    real = (line[1:] == line[:-1]) & np.any(coordinates[1:] != coordinates[:-1], axis=1)
    return coordinates[:-1][real], coordinates[1:][real], line[1:][real]


def _cross(a: Floats, b: Floats) -> Floats:
    return np.asarray(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0], dtype=np.float64)
