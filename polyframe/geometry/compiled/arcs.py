"""Cut the outlines of one cluster into arcs, with the level of each and the next arc of its curve (compiled).

An arc runs along one outline from one event to the next. Events are crossings (two events, one on each
outline), vertices that are on another outline, and the places on that outline (touches). The depth d of an
arc is the number of *other* marks that contain it, and it bounds level d + 1. Depth changes by one at each
crossing. Where two outlines cross, the level curve that arrives on one continues on the other.
"""

from typing import NamedTuple

import numpy as np

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.geometry.compiled.crossings import Crossings
from polyframe.geometry.compiled.event_order import are_same, number_nodes, settle_points, sort_along
from polyframe.geometry.compiled.numba_jit import compiled_inner
from polyframe.geometry.compiled.outlines import Outlines
from polyframe.geometry.compiled.predicates import cross, perturbed_side

#: Points that are at most so many rounding steps apart are close.
_CLOSE_STEPS = 16


class Arcs(NamedTuple):
    """The arcs of a cluster; arc i begins at event i.

    Attributes
    ----------
    segment : ndarray of int64, shape (e,)
        The segment on which the event is.
    points : ndarray of float64, shape (e, 2)
    is_vertex : ndarray of bool, shape (e,)
        Whether the event is the first vertex of its segment.
    end : ndarray of int64, shape (e,)
        The event at which the arc ends.
    bends : ndarray of int64, shape (e,)
        The number of vertices between its ends.
    node : ndarray of int64, shape (e,)
        A number for the point of the event, equal for events at the same point; -1 for an ordinary crossing,
        where no tie was broken.
    nodes : int
        The number of such points.
    level : ndarray of int64, shape (e,)
    next_arc : ndarray of int64, shape (e,)
        The arc that continues the level curve.
    has_close_points : bool
        Whether different points are so close that rounding may have moved one past the other.
    sound : bool
        False if a check failed.
    """

    segment: Ints
    points: Floats
    is_vertex: Flags
    end: Ints
    bends: Ints
    node: Ints
    nodes: int
    level: Ints
    next_arc: Ints
    has_close_points: bool
    sound: bool


@compiled_inner
def cut_into_arcs(outlines: Outlines, crossings: Crossings) -> Arcs:
    """Sort the events along every outline, compute depths, and link each arc to the next of its curve.

    Events 2 i and 2 i + 1 are those of crossing i.
    """
    first = outlines.first
    n = len(crossings.segments)
    segment, along, error, points, is_vertex, is_exact = _events(outlines, crossings)
    count = len(segment)

    place = np.zeros(len(outlines.x) + 1, np.int64)  # where the events of each segment begin in `order`
    for e in range(count):
        place[segment[e] + 1] += 1
    for s in range(len(outlines.x)):
        place[s + 1] += place[s]
    order = np.empty(count, np.int64)
    filled = place[:-1].copy()
    for e in range(count):
        order[filled[segment[e]]] = e
        filled[segment[e]] += 1
    same = np.arange(count - n)  # disjoint-set forest of sites at the same point
    sound, tied = True, False
    for e in range(count):
        tied = tied or is_exact[e]
    for s in range(len(outlines.x)):
        if place[s + 1] - place[s] > 1:
            run = order[place[s] : place[s + 1]]
            certain, ties = sort_along(run, s, outlines, crossings, along, error, same)
            sound = sound and certain
            tied = tied or ties

    has_close_points = _has_close_points(outlines, crossings, place, order, points, same)

    end, bends = np.empty(count, np.int64), np.empty(count, np.int64)
    level, next_arc = np.empty(count, np.int64), np.empty(count, np.int64)
    for r in range(len(outlines.mark)):
        depth = start = _depth_at_start(outlines, r)
        begin, stop = place[first[r]], place[first[r + 1]]
        size = first[r + 1] - first[r]
        for i in range(begin, stop):
            e = order[i]
            last = i + 1 == stop
            f = order[begin] if last else order[i + 1]
            end[e] = f
            steps = segment[f] - segment[e] + (size if last else 0)
            bends[e] = steps - 1 if is_vertex[f] else steps
            if e < 2 * n:
                depth += 1 - 2 * (e % 2)
            level[e] = depth + 1
            next_arc[e] = f ^ 1 if f < 2 * n else f
            sound = sound and depth >= 0
        sound = sound and depth == start
    for e in range(count):
        sound = sound and level[next_arc[e]] == level[e]

    node, nodes = np.full(count, -1, np.int64), 0
    if tied:
        settle_points(same, n, is_exact, points)
        nodes = number_nodes(same, n, is_exact, points, node)
    return Arcs(segment, points, is_vertex, end, bends, node, nodes, level, next_arc, has_close_points, sound)


@compiled_inner
def _has_close_points(
    outlines: Outlines, crossings: Crossings, place: Ints, order: Ints, points: Floats, same: Ints
) -> bool:
    """Return whether neighbours along a segment, its ends included, are close but not the same point."""
    x, y, end_x, end_y = outlines.x, outlines.y, outlines.end_x, outlines.end_y
    largest = 0.0
    for s in range(len(x)):
        largest = max(largest, max(abs(x[s]), abs(y[s])))
    close = _CLOSE_STEPS * np.spacing(largest)
    n = len(crossings.segments)
    for i in range(n):
        if crossings.at_vertex[i]:
            continue
        px, py = crossings.places[i, 4], crossings.places[i, 5]
        for side in range(2):
            s = crossings.segments[i, side]
            if abs(px - x[s]) <= close and abs(py - y[s]) <= close:
                return True
            if abs(px - end_x[s]) <= close and abs(py - end_y[s]) <= close:
                return True
    for s in range(len(x)):
        for i in range(place[s] + 1, place[s + 1]):
            e, f = order[i - 1], order[i]
            near = abs(points[e, 0] - points[f, 0]) <= close and abs(points[e, 1] - points[f, 1]) <= close
            if near and not are_same(e, f, same, n):
                return True
    return False


@compiled_inner
def _events(outlines: Outlines, crossings: Crossings) -> tuple[Ints, Floats, Floats, Floats, Flags, Flags]:
    """List the events: crossings, touches, touched vertices, and the first vertex of rings without events.

    Returns segments, fractions along them, their error bounds, points, whether the event is the first vertex
    of its segment, and whether its coordinates are exact.
    """
    n, m = len(crossings.segments), len(crossings.touches)
    rings, v = len(outlines.mark), len(outlines.x)
    vertices = np.empty(v, np.int64)
    met = np.zeros(rings, np.bool_)
    for i in range(n):
        met[outlines.ring[crossings.segments[i, 0]]] = True
        met[outlines.ring[crossings.segments[i, 1]]] = True
    k = 0
    for i in range(v):
        if crossings.touched[i]:
            vertices[k] = i
            k += 1
            met[outlines.ring[i]] = True
    touched = k
    for i in range(m):
        met[outlines.ring[crossings.touches[i, 0]]] = True
    for r in range(rings):
        if not met[r]:
            vertices[k] = outlines.first[r]
            k += 1

    count = 2 * n + m + k
    segment, points = np.empty(count, np.int64), np.empty((count, 2))
    along, error = np.zeros(count), np.zeros(count)
    is_vertex, is_exact = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    for i in range(n):
        for side in range(2):
            e = 2 * i + side
            segment[e], is_exact[e] = crossings.segments[i, side], crossings.at_vertex[i]
            along[e], error[e] = crossings.places[i, side], crossings.places[i, 2 + side]
            points[e, 0], points[e, 1] = crossings.places[i, 4], crossings.places[i, 5]
    for i in range(m):
        e = 2 * n + i
        s, vertex = crossings.touches[i, 0], crossings.touches[i, 1]
        ax, ay, bx, by = outlines.x[s], outlines.y[s], outlines.end_x[s], outlines.end_y[s]
        px, py = outlines.x[vertex], outlines.y[vertex]
        segment[e], points[e, 0], points[e, 1], is_exact[e] = s, px, py, True
        along[e] = (px - ax) / (bx - ax) if abs(bx - ax) >= abs(by - ay) else (py - ay) / (by - ay)
        error[e] = 1e-15
    for i in range(k):
        e = 2 * n + m + i
        vertex = vertices[i]
        segment[e], points[e, 0], points[e, 1] = vertex, outlines.x[vertex], outlines.y[vertex]
        is_vertex[e], is_exact[e] = True, i < touched
    return segment, along, error, points, is_vertex, is_exact


@compiled_inner
def _depth_at_start(outlines: Outlines, r: int) -> int:
    """Return how many other marks contain the first vertex of a ring, after the symbolic perturbation.

    The winding number of each other mark around it, by the crossings of a ray to the right.
    """
    x, y, first, mark = outlines.x, outlines.y, outlines.first, outlines.mark
    px, py, own = x[first[r]], y[first[r]], mark[r]
    depth = 0
    for q in range(len(mark)):
        if mark[q] == own:
            continue
        raised = mark[q] < own  # at equal y, the larger perturbation is higher
        begin, stop = first[q], first[q + 1]
        above = y[stop - 1] > py or (raised and y[stop - 1] == py)
        for k in range(begin, stop):
            was_above = above
            above = y[k] > py or (raised and y[k] == py)
            if above != was_above:
                s = k - 1 if k > begin else stop - 1
                ax, ay, bx, by = x[s], y[s], x[k], y[k]
                side = cross(ax, ay, bx, by, ax, ay, px, py)
                left = perturbed_side(side, ax, ay, bx, by, mark[q], own) > 0
                if above and left:
                    depth += 1
                elif not above and not left:
                    depth -= 1
    return depth
