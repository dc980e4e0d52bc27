"""Resolve contacts of outlines (shared edges, touching vertices) after the perturbation (compiled).

The symbolic perturbation of `predicates` separates what touches. Without it, curves of one level may run
along each other in opposite directions, with no area between them: such arcs are removed. Or curves may meet
at a point: there, each curve that arrives leaves along the other side of the same sector of its area, so that
areas that touch in a point are two. A curve that still meets itself is cut into an outline and a hole that
touches it.
"""

import numpy as np
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Floats, Ints, ShortInts
from polyframe.core.ragged import offsets_of
from polyframe.geometry.compiled.arcs import Arcs
from polyframe.geometry.compiled.event_order import roots_of
from polyframe.geometry.compiled.numba_jit import compiled, compiled_inner
from polyframe.geometry.compiled.outlines import Outlines
from polyframe.geometry.compiled.predicates import cross


def resolve_contacts(outlines: Outlines, arcs: Arcs, marks: Ints) -> Flags:
    """Join and cut level curves that meet, by changing `points`, `next_arc` and `sound` of the arcs in place.

    Parameters
    ----------
    outlines : Outlines
    arcs : Arcs
    marks : ndarray of int64, shape (c,)
        The number of marks of each cluster.

    Returns
    -------
    ndarray of bool, shape (e,)
        False for arcs that bound nothing.
    """
    alive = np.ones(len(arcs.segment), np.bool_)
    tied = np.flatnonzero(arcs.is_exact | arcs.joined)
    if not len(tied):
        return alive
    owner = outlines.cluster[outlines.ring]
    node = _number_nodes(owner, arcs, tied)
    node = np.concatenate([np.repeat(node[: arcs.crossings], 2), node[arcs.crossings :]])

    # A straight arc from a point to the same point is a loop.
    arriving = np.flatnonzero(node[arcs.end] >= 0)
    arriving = arriving[arcs.sound[owner[arcs.segment[arriving]]]]
    is_loop = np.zeros(len(alive), np.bool_)
    is_loop[arriving] = (node[arriving] == node[arcs.end[arriving]]) & (arcs.bends[arriving] == 0)
    arriving = arriving[~is_loop[arriving]]
    # Only levels of which two curves arrive at the same point are affected.
    order = np.lexsort((arcs.level[arriving], node[arcs.end[arriving]]))
    again = np.flatnonzero(~_begins_run(arcs.level[arriving][order], node[arcs.end[arriving]][order]))
    if not len(again):
        return alive
    first_slot = offsets_of(marks + 1)[:-1]
    affected = np.zeros(int(marks.sum()) + len(marks), np.bool_)
    again = arriving[order[again]]
    affected[first_slot[owner[arcs.segment[again]]] + arcs.level[again]] = True
    clusters = owner[arcs.segment]
    chosen = np.flatnonzero(arcs.sound[clusters])
    chosen = chosen[affected[first_slot[clusters[chosen]] + arcs.level[chosen]]]

    alive[chosen] = ~is_loop[chosen]
    chosen = chosen[alive[chosen]]
    following = arcs.next_arc[chosen]
    while np.any(is_loop[following]):
        following = np.where(is_loop[following], arcs.next_arc[following], following)
    arcs.next_arc[chosen] = following

    arcs.sound[clusters[_cancel_opposites(arcs, node, chosen, alive)]] = False
    chosen = chosen[alive[chosen]]
    arcs.sound[clusters[_pair_sectors(outlines, arcs, node, chosen)]] = False
    chosen = chosen[arcs.sound[clusters[chosen]]]
    arrived = np.full(int(node.max()) + 1, -1, np.int32)
    _cut_at_nodes(chosen, arcs.end, node, arcs.next_arc, arrived, np.zeros(len(alive), np.bool_))
    return alive


def _number_nodes(owner: ShortInts, arcs: Arcs, tied: Ints) -> ShortInts:
    """Number the points at which ties were broken, and give all sites at a point the same coordinates.

    These are the coordinates of a vertex, or of the leftmost site. Vertices are exact, so those with the same
    coordinates are one point, even if their events are not on a common segment, where they are compared.

    Parameters
    ----------
    owner : ndarray of int32, shape (v,)
        The cluster of each segment.
    arcs : Arcs
    tied : ndarray of int64
        The sites that are exact or joined, ascending.

    Returns
    -------
    ndarray of int32, shape (s,)
        The point of each site, -1 for those of ordinary crossings.
    """
    roots = roots_of(arcs.same, tied)
    x, y = arcs.points[tied, 0], arcs.points[tied, 1]
    order = np.lexsort((y, x, ~arcs.is_exact[tied], roots))
    heads = _begins_run(roots[order])
    source = np.flatnonzero(heads)[np.cumsum(heads) - 1]
    sites, source = tied[order], tied[order[source]]
    arcs.points[sites] = arcs.points[source]

    event = np.where(sites < arcs.crossings, 2 * sites, sites + arcs.crossings)
    apart = np.where(arcs.is_exact[source], -1, source)
    x, y, cluster = arcs.points[sites, 0], arcs.points[sites, 1], owner[arcs.segment[event]]
    order = np.lexsort((apart, y, x, cluster))
    heads = _begins_run(cluster[order], x[order], y[order], apart[order])
    node = np.full(len(arcs.points), -1, np.int32)
    node[sites[order]] = np.cumsum(heads) - 1
    return node


def _begins_run(*keys: NDArray[np.generic]) -> Flags:
    """Return where a run of equal keys begins, in sorted keys."""
    heads = np.ones(len(keys[0]), np.bool_)
    if len(heads):
        heads[1:] = False
    for key in keys:
        heads[1:] |= key[1:] != key[:-1]
    return heads


def _cancel_opposites(arcs: Arcs, node: ShortInts, chosen: Ints, alive: Flags) -> ShortInts:
    """Remove pairs of straight arcs of a level that join the same two points in opposite directions.

    Returns segments of the clusters in which an area would overlap itself.
    """
    p, q = node[chosen], node[arcs.end[chosen]]
    straight = (arcs.bends[chosen] == 0) & (p >= 0) & (q >= 0)
    arc, p, q = chosen[straight], p[straight], q[straight]
    if not len(arc):
        return arcs.segment[:0]
    order = np.lexsort((np.maximum(p, q), np.minimum(p, q), arcs.level[arc]))
    arc, p, q = arc[order], p[order], q[order]
    up = p < q
    starts = np.flatnonzero(_begins_run(arcs.level[arc], np.minimum(p, q), np.maximum(p, q)))
    sizes = np.diff(np.append(starts, len(arc)))
    ups = np.add.reduceat(up.astype(np.int64), starts)
    pairs = np.repeat(np.minimum(ups, sizes - ups), sizes)
    # The number of arcs before, in the same group and direction.
    before_up, before = np.cumsum(up) - up, np.arange(len(arc))
    ups_before = before_up - np.repeat(before_up[starts], sizes)
    earlier = np.where(up, ups_before, before - np.repeat(starts, sizes) - ups_before)
    alive[arc] = earlier >= pairs
    overlapping: ShortInts = arcs.segment[arc[starts[np.abs(2 * ups - sizes) > 1]]]
    return overlapping


def _pair_sectors(outlines: Outlines, arcs: Arcs, node: ShortInts, chosen: Ints) -> ShortInts:
    """Link each arc that arrives at a point to the one that leaves it along the same sector of the area.

    Returns segments of the clusters in which arriving and leaving arcs do not alternate around a point.
    """
    # Half-edges: 2 a is the beginning of arc a, 2 a + 1 its end, seen from the point.
    half_edges = np.repeat(2 * chosen, 2)
    half_edges[1::2] += 1
    at = np.column_stack([node[chosen], node[arcs.end[chosen]]]).ravel()
    half_edges, at = half_edges[at >= 0], at[at >= 0]
    level = arcs.level[half_edges // 2]
    order = np.lexsort((at, level))
    half_edges = half_edges[order]
    groups = np.append(np.flatnonzero(_begins_run(level[order], at[order])), len(half_edges))
    failed = np.zeros(len(groups), np.bool_)
    _link_sectors(
        half_edges,
        groups,
        outlines.edges,
        outlines.ring,
        outlines.first,
        arcs.segment,
        arcs.end,
        2 * arcs.crossings + arcs.touches,
        arcs.next_arc,
        failed,
    )
    unpaired: ShortInts = arcs.segment[half_edges[groups[:-1][failed[:-1]]] // 2]
    return unpaired


@compiled
def _link_sectors(
    half_edges: Ints,
    groups: Ints,
    edges: Floats,
    ring: ShortInts,
    first: ShortInts,
    segment: ShortInts,
    end: ShortInts,
    first_vertex: int,
    next_arc: ShortInts,
    failed: Flags,
) -> None:
    """Sort the half-edges of each group anticlockwise by direction, and link those that arrive."""
    for g in range(len(groups) - 1):
        begin, stop = groups[g], groups[g + 1]
        if stop - begin != 2:
            for i in range(begin + 1, stop):
                half_edge = half_edges[i]
                j = i
                while j > begin:
                    turn = _turn(half_edges[j - 1], half_edge, edges, ring, first, segment, end, first_vertex)
                    if turn == 0:
                        failed[g] = True
                    if turn >= 0:
                        break
                    half_edges[j] = half_edges[j - 1]
                    j -= 1
                half_edges[j] = half_edge
        before = half_edges[stop - 1]  # the next half-edge clockwise
        for i in range(begin, stop):
            half_edge = half_edges[i]
            if half_edge % 2 == before % 2:
                failed[g] = True
            if half_edge % 2 == 1:
                next_arc[half_edge // 2] = before // 2
            before = half_edge


@compiled_inner
def _turn(
    one: int,
    other: int,
    edges: Floats,
    ring: ShortInts,
    first: ShortInts,
    segment: ShortInts,
    end: ShortInts,
    first_vertex: int,
) -> int:
    """Compare the directions of two half-edges, as angles from due east: 1 if the first is smaller."""
    s = _segment_of(one, ring, first, segment, end, first_vertex)
    t = _segment_of(other, ring, first, segment, end, first_vertex)
    ax, ay, bx, by = edges[s, 0], edges[s, 1], edges[s, 2], edges[s, 3]
    cx, cy, dx, dy = edges[t, 0], edges[t, 1], edges[t, 2], edges[t, 3]
    # The end of an arc points backwards along its segment.
    one_back, other_back = one % 2 == 1, other % 2 == 1
    one_low = (by < ay or (by == ay and bx < ax)) != one_back
    other_low = (dy < cy or (dy == cy and dx < cx)) != other_back
    if one_low != other_low:
        return -1 if one_low else 1
    turn = cross(ax, ay, bx, by, cx, cy, dx, dy)
    if turn == 0.0:
        return 0
    return 1 if (turn > 0.0) == (one_back == other_back) else -1


@compiled_inner
def _segment_of(
    half_edge: int,
    ring: ShortInts,
    first: ShortInts,
    segment: ShortInts,
    end: ShortInts,
    first_vertex: int,
) -> int:
    """Return the segment that a half-edge is on."""
    if half_edge % 2 == 0:
        return int(segment[half_edge // 2])
    event = end[half_edge // 2]
    s = int(segment[event])
    if event >= first_vertex:
        s = s - 1 if s > first[ring[s]] else int(first[ring[s] + 1]) - 1
    return s


@compiled
def _cut_at_nodes(
    chosen: Ints, end: ShortInts, node: ShortInts, next_arc: ShortInts, arrived: ShortInts, done: Flags
) -> None:
    """Cut curves that visit a point twice into curves that do not.

    `arrived` is the arc by which the curve arrived at a point; -1 before and after each curve.
    """
    for begin in chosen:
        if done[begin]:
            continue
        a = int(begin)
        while True:
            done[a] = True
            p = node[end[a]]
            if p >= 0:
                b = int(arrived[p])
                if b >= 0:
                    cut = int(next_arc[b])
                    next_arc[b], next_arc[a] = next_arc[a], cut
                    c = cut
                    while c != a:
                        if node[end[c]] >= 0:
                            arrived[node[end[c]]] = -1
                        c = int(next_arc[c])
                    a = b
                arrived[p] = a
            a = int(next_arc[a])
            if a == begin:
                break
        while True:  # forget this curve
            if node[end[a]] >= 0:
                arrived[node[end[a]]] = -1
            a = int(next_arc[a])
            if a == begin:
                break
