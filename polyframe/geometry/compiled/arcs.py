"""Cut the outlines of clusters into arcs, with the level of each and the next arc of its curve (compiled).

An arc runs along one outline from one event to the next. Events are crossings (two events, one on each
outline), vertices that are on another outline, and the places on that outline (touches). The depth d of an
arc is the number of *other* marks that contain it, and it bounds level d + 1. Depth changes by one at each
crossing. Where two outlines cross, the level curve that arrives on one continues on the other.
"""

from dataclasses import dataclass

import numpy as np

from polyframe.core.arrays import Flags, Floats, Ints, ShortInts
from polyframe.geometry.compiled.crossing_points import SHARP
from polyframe.geometry.compiled.crossings import Crossings
from polyframe.geometry.compiled.event_order import find_root, site_of
from polyframe.geometry.compiled.numba_jit import compiled, compiled_inner
from polyframe.geometry.compiled.outlines import Outlines
from polyframe.geometry.compiled.sorted_blocks import SortedEvents, sort_block
from polyframe.geometry.compiled.windings import crosses_ray


@dataclass(frozen=True)
class Arcs:
    """The arcs of c clusters; arc i begins at event i.

    Events 2 i and 2 i + 1 are those of crossing i, on its first and second segment. Then come touches, then
    vertices. Both events of a crossing have the same site; every other event has its own.

    Attributes
    ----------
    crossings, touches : int
        The numbers of crossings and touches.
    segment : ndarray of int32, shape (e,)
        The segment on which the event is.
    points : ndarray of float64, shape (s, 2)
        The coordinates of each site.
    is_exact : ndarray of bool, shape (s,)
        Whether they are exact, since it is at a vertex of another outline.
    same : ndarray of int32, shape (s,)
        The disjoint-set forest of sites at the same point.
    joined : ndarray of bool, shape (s,)
        Whether the point is that of several sites.
    end : ndarray of int32, shape (e,)
        The event at which the arc ends.
    bends : ndarray of int32, shape (e,)
        The number of vertices between its ends.
    level : ndarray of int32, shape (e,)
        From 1 to the number of marks, if the cluster is sound.
    next_arc : ndarray of int32, shape (e,)
        The arc that continues the level curve.
    is_close : ndarray of bool, shape (v,)
        Whether different points on a segment, or an end of another one, are so close that rounding may have
        moved one past the other.
    sound : ndarray of bool, shape (c,)
        False if a check failed.
    """

    crossings: int
    touches: int
    segment: ShortInts
    points: Floats
    is_exact: Flags
    same: ShortInts
    joined: Flags
    end: ShortInts
    bends: ShortInts
    level: ShortInts
    next_arc: ShortInts
    is_close: Flags
    sound: Flags


@dataclass(frozen=True)
class KnownDepths:
    """The depths of some events of one cluster, which include all ends of arcs of the chosen levels.

    Attributes
    ----------
    crossings : ndarray of int32, shape (n,)
        The smaller depth at each crossing, before its first segment enters the mark of the second one.
    touches : ndarray of int32, shape (m,)
    vertices : ndarray of int32, shape (v,)
        The depth at each vertex that has an event; the others do not matter.
    is_chosen : ndarray of bool, shape (marks + 2,)
        Whether a level is chosen.
    """

    crossings: ShortInts
    touches: ShortInts
    vertices: ShortInts
    is_chosen: Flags


def cut_into_arcs(
    outlines: Outlines,
    crossings: Crossings,
    known: KnownDepths | None = None,
    events: SortedEvents | None = None,
) -> Arcs:
    """Compute the depths of all events, and link each arc to the next of its curve.

    If the depths of some events are known, only these are cut at, and arcs of other levels lead nowhere. The
    events are those of the crossings, if somebody has sorted them before.
    """
    edges, first = outlines.edges, outlines.first
    n, m = len(crossings.segments) // 2, len(crossings.touches)
    if events is None:
        events = sort_block(outlines, crossings)
    segment, is_exact, same, joined = events.segment, events.is_exact, events.same, events.joined
    # These will change.
    points, is_close = events.points.copy(), events.is_close.copy()
    boxes = np.empty((len(outlines.mark), 4))
    if len(edges):
        boxes[:, :2] = np.minimum.reduceat(edges[:, :2], first[:-1])
        boxes[:, 2:] = np.maximum.reduceat(edges[:, :2], first[:-1])
    end, bends = np.empty(len(segment), np.int32), np.empty(len(segment), np.int32)
    level, next_arc = np.empty(len(segment), np.int32), np.empty(len(segment), np.int32)
    sound = outlines.sound.copy()
    owner = outlines.cluster[outlines.ring]
    sound[owner[events.uncertain]] = False
    depths, is_chosen = np.empty(0, np.int32), np.empty(0, np.bool_)
    if known is not None:
        depths = np.concatenate([known.crossings, known.touches, known.vertices[segment[2 * n + m :]]])
        is_chosen = known.is_chosen
    _link(
        edges,
        outlines.ring,
        first,
        outlines.mark,
        outlines.cluster,
        outlines.offsets,
        boxes,
        segment,
        n,
        2 * n + m,
        events.place,
        events.order,
        points,
        same,
        events.close,
        is_close,
        depths,
        is_chosen,
        end,
        bends,
        level,
        next_arc,
        sound,
    )
    return Arcs(n, m, segment, points, is_exact, same, joined, end, bends, level, next_arc, is_close, sound)


@compiled
def _link(
    edges: Floats,
    ring: ShortInts,
    first: ShortInts,
    mark: ShortInts,
    cluster: ShortInts,
    offsets: Ints,
    boxes: Floats,
    segment: ShortInts,
    crossings: int,
    first_vertex: int,
    place: ShortInts,
    order: ShortInts,
    points: Floats,
    same: ShortInts,
    close: Floats,
    is_close: Flags,
    depths: ShortInts,
    is_chosen: Flags,
    end: ShortInts,
    bends: ShortInts,
    level: ShortInts,
    next_arc: ShortInts,
    sound: Flags,
) -> None:
    for r in range(len(mark)):
        c = cluster[r]
        low, high = offsets[c], offsets[c + 1]
        depth = start = 0
        if len(is_chosen) == 0:
            depth = start = depth_at_start(edges, first, mark, boxes, low, high, r)
        marks = mark[high - 1] - mark[low] + 1
        begin, stop = place[first[r]], place[first[r + 1]]
        for i in range(begin, stop):
            e = order[i]
            f = order[i + 1] if i + 1 < stop else order[begin]
            s = segment[e]
            end[e] = f
            steps = segment[f] - s
            if i + 1 == stop:
                steps += first[r + 1] - first[r]
            elif steps == 0:
                one, other = site_of(e, crossings), site_of(f, crossings)
                reach = close[s] / SHARP
                near = abs(points[one, 0] - points[other, 0]) <= reach
                if near and abs(points[one, 1] - points[other, 1]) <= reach:
                    is_close[s] = is_close[s] or find_root(same, one) != find_root(same, other)
            bends[e] = steps - 1 if f >= first_vertex else steps
            if len(is_chosen) > 0:
                depth = int(depths[site_of(e, crossings)])
            if e < 2 * crossings:
                depth += 1 - 2 * (e % 2) if len(is_chosen) == 0 else 1 - e % 2
            level[e] = depth + 1
            next_arc[e] = f ^ 1 if f < 2 * crossings else f
            if depth < 0 or depth >= marks:
                sound[c] = False
            elif len(is_chosen) > 0:
                if not is_chosen[depth + 1]:
                    end[e], bends[e], next_arc[e] = e, 0, e
                elif depth != depths[site_of(f, crossings)] + (f % 2 if f < 2 * crossings else 0):
                    sound[c] = False
        if depth != start and len(is_chosen) == 0:
            sound[c] = False
    for e in range(len(segment)):
        if level[next_arc[e]] != level[e]:
            sound[cluster[ring[segment[e]]]] = False


@compiled_inner
def depth_at_start(
    edges: Floats, first: ShortInts, mark: ShortInts, boxes: Floats, low: int, high: int, r: int
) -> int:
    """Return how many other marks contain the first vertex of a ring, after the symbolic perturbation.

    The winding number of each other mark around it, by the crossings of a ray to the right.
    """
    px, py, own = edges[first[r], 0], edges[first[r], 1], mark[r]
    depth = 0
    for q in range(low, high):
        if mark[q] == own or px < boxes[q, 0] or px > boxes[q, 2] or py < boxes[q, 1] or py > boxes[q, 3]:
            continue
        for s in range(first[q], first[q + 1]):
            depth += crosses_ray(edges, s, px, py, mark[q], own)
    return depth
