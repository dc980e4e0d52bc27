"""Resolve contacts of outlines (shared edges, touching vertices) after the perturbation (compiled).

The symbolic perturbation of `predicates` separates what touches. Without it, curves of one level may run
along each other in opposite directions, with no area between them: such arcs are removed. Or curves may meet
at a point: there, each curve that arrives leaves along the other side of the same sector of its area, so that
areas that touch in a point are two. A curve that still meets itself is cut into an outline and a hole that
touches it.
"""

import numpy as np

from polyframe.core.arrays import Flags, Ints
from polyframe.geometry.compiled.arcs import Arcs
from polyframe.geometry.compiled.event_order import ascending
from polyframe.geometry.compiled.numba_jit import compiled_inner
from polyframe.geometry.compiled.outlines import Outlines
from polyframe.geometry.compiled.predicates import cross


@compiled_inner
def resolve_contacts(outlines: Outlines, arcs: Arcs, alive: Flags) -> bool:
    """Join and cut level curves that meet, by changing `arcs.next_arc` and `alive` in place.

    Parameters
    ----------
    outlines : Outlines
    arcs : Arcs
    alive : ndarray of bool, shape (e,)
        Set to False for arcs that bound nothing.

    Returns
    -------
    bool
        False if a check failed.
    """
    node, end, level = arcs.node, arcs.end, arcs.level
    count, highest = len(node), 0
    for a in range(count):
        highest = max(highest, level[a])
    affected, none_affected = np.zeros(highest + 1, np.bool_), True
    if arcs.nodes == 0:
        return True
    is_loop = np.zeros(count, np.bool_)  # straight from a point to the same point
    keys, arriving, k = np.empty(count), np.empty(count, np.int64), 0
    for a in range(count):
        if node[end[a]] >= 0:
            is_loop[a] = node[a] == node[end[a]] and arcs.bends[a] == 0
            if not is_loop[a]:
                keys[k], arriving[k] = level[a] * arcs.nodes + node[end[a]], a
                k += 1
    order = ascending(keys[:k])
    for i in range(1, k):
        if keys[order[i]] == keys[order[i - 1]]:
            affected[level[arriving[order[i]]]] = True
            none_affected = False
    if none_affected:
        return True

    for a in range(count):
        if affected[level[a]]:
            if is_loop[a]:
                alive[a] = False
            else:
                follows = arcs.next_arc[a]
                while is_loop[follows]:
                    follows = arcs.next_arc[follows]
                arcs.next_arc[a] = follows
    if not (_cancel_opposites(arcs, affected, alive) and _pair_sectors(outlines, arcs, affected, alive)):
        return False
    _cut_at_nodes(arcs, affected, alive)
    return True


@compiled_inner
def _cancel_opposites(arcs: Arcs, affected: Flags, alive: Flags) -> bool:
    """Remove pairs of straight arcs of a level that join the same two points in opposite directions.

    Returns False if an area would overlap itself.
    """
    node, end = arcs.node, arcs.end
    count = len(node)
    straight, keys = np.empty(count, np.int64), np.empty(count)
    k = 0
    for a in range(count):
        p, q = node[a], node[end[a]]
        if affected[arcs.level[a]] and alive[a] and arcs.bends[a] == 0 and p >= 0 and q >= 0:
            straight[k] = a
            keys[k] = (arcs.level[a] * arcs.nodes + min(p, q)) * arcs.nodes + max(p, q)
            k += 1
    order = ascending(keys[:k])
    i = 0
    while i < k:
        j = i
        ups = downs = 0
        while j < k and keys[order[j]] == keys[order[i]]:
            a = straight[order[j]]
            if node[a] < node[end[a]]:
                ups += 1
            else:
                downs += 1
            j += 1
        if abs(ups - downs) > 1:
            return False
        pairs_up = pairs_down = min(ups, downs)
        for h in range(i, j):
            a = straight[order[h]]
            if node[a] < node[end[a]]:
                alive[a] = pairs_up <= 0
                pairs_up -= 1
            else:
                alive[a] = pairs_down <= 0
                pairs_down -= 1
        i = j
    return True


@compiled_inner
def _pair_sectors(outlines: Outlines, arcs: Arcs, affected: Flags, alive: Flags) -> bool:
    """Link each arc that arrives at a point to the one that leaves it along the same sector of the area.

    Returns False if arriving and leaving arcs do not alternate around the point.
    """
    node, end = arcs.node, arcs.end
    count = len(node)
    # Half-edges: 2 a is the beginning of arc a, 2 a + 1 its end, seen from the point.
    unsorted, keys = np.empty(2 * count, np.int64), np.empty(2 * count)
    k = 0
    for a in range(count):
        if affected[arcs.level[a]] and alive[a]:
            if node[a] >= 0:
                unsorted[k], keys[k] = 2 * a, arcs.level[a] * arcs.nodes + node[a]
                k += 1
            if node[end[a]] >= 0:
                unsorted[k], keys[k] = 2 * a + 1, arcs.level[a] * arcs.nodes + node[end[a]]
                k += 1
    order = ascending(keys[:k])
    half_edges = np.empty(k, np.int64)
    for i in range(k):
        half_edges[i] = unsorted[order[i]]
    i = 0
    while i < k:
        j = i
        while j < k and keys[order[j]] == keys[order[i]]:
            j += 1
        around = half_edges[i:j]
        if not _sort_round(around, outlines, arcs):
            return False
        for h in range(len(around)):
            before = around[h - 1]  # the next half-edge clockwise
            if around[h] % 2 == before % 2:
                return False
            if around[h] % 2 == 1:
                arcs.next_arc[around[h] // 2] = before // 2
        i = j
    return True


@compiled_inner
def _sort_round(around: Ints, outlines: Outlines, arcs: Arcs) -> bool:
    """Sort half-edges anticlockwise by direction; return False if two have the same direction."""
    if len(around) == 2:
        return True
    for i in range(1, len(around)):
        half_edge = around[i]
        j = i
        while j > 0:
            turn = _turn(around[j - 1], half_edge, outlines, arcs)
            if turn == 0:
                return False
            if turn > 0:
                break
            around[j] = around[j - 1]
            j -= 1
        around[j] = half_edge
    return True


@compiled_inner
def _turn(one: int, other: int, outlines: Outlines, arcs: Arcs) -> int:
    """Compare the directions of two half-edges, as angles from due east: 1 if the first is smaller."""
    s, one_back = _segment_of(one, outlines, arcs)
    t, other_back = _segment_of(other, outlines, arcs)
    x, y, end_x, end_y = outlines.x, outlines.y, outlines.end_x, outlines.end_y
    one_low = (end_y[s] < y[s] or (end_y[s] == y[s] and end_x[s] < x[s])) != one_back
    other_low = (end_y[t] < y[t] or (end_y[t] == y[t] and end_x[t] < x[t])) != other_back
    if one_low != other_low:
        return -1 if one_low else 1
    turn = cross(x[s], y[s], end_x[s], end_y[s], x[t], y[t], end_x[t], end_y[t])
    if turn == 0.0:
        return 0
    return 1 if (turn > 0.0) == (one_back == other_back) else -1


@compiled_inner
def _segment_of(half_edge: int, outlines: Outlines, arcs: Arcs) -> tuple[int, bool]:
    """Return the segment that a half-edge is on, and whether it points backwards along it."""
    a = half_edge // 2
    if half_edge % 2 == 0:
        return arcs.segment[a], False
    event = arcs.end[a]
    s = arcs.segment[event]
    if arcs.is_vertex[event]:
        ring = outlines.ring[s]
        s = s - 1 if s > outlines.first[ring] else outlines.first[ring + 1] - 1
    return s, True


@compiled_inner
def _cut_at_nodes(arcs: Arcs, affected: Flags, alive: Flags) -> None:
    """Cut curves that visit a point twice into curves that do not."""
    next_arc, end, node = arcs.next_arc, arcs.end, arcs.node
    done = np.zeros(len(node), np.bool_)
    arrived = np.full(arcs.nodes, -1, np.int64)  # the arc by which the curve arrived at a point
    for begin in range(len(node)):
        if done[begin] or not alive[begin] or not affected[arcs.level[begin]]:
            continue
        a = begin
        while True:
            done[a] = True
            p = node[end[a]]
            if p >= 0:
                b = arrived[p]
                if b >= 0:
                    cut = next_arc[b]
                    next_arc[b], next_arc[a] = next_arc[a], cut
                    c = cut
                    while c != a:
                        if node[end[c]] >= 0:
                            arrived[node[end[c]]] = -1
                        c = next_arc[c]
                    a = b
                arrived[p] = a
            a = next_arc[a]
            if a == begin:
                break
        while True:  # forget this curve
            if node[end[a]] >= 0:
                arrived[node[end[a]]] = -1
            a = next_arc[a]
            if a == begin:
                break
