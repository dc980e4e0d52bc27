"""The outlines of one cluster cut into arcs, each with its level and the arc that follows, compiled.

An arc runs along one outline from one event to the next. Events are crossings (two events, one on each
outline) and points to be passed: vertices that lie on another outline, and the places where they lie. At a
depth of d, which is how many *other* marks contain an arc, it bounds level d + 1. Depth changes by one at
each crossing. Where two outlines cross, the level curve that arrives on one leaves on the other.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from polyframe.geometry._compiled import ascending, compiled_inner
from polyframe.geometry.crossings import Crossings
from polyframe.geometry.outlines import Outlines
from polyframe.geometry.predicates import compare_along, compare_shifted, cross, shifted_side

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Arcs(NamedTuple):
    """The arcs of a cluster; arc i begins at event i.

    Attributes
    ----------
    segment : ndarray of int64, shape (e,)
        The segment that the event is on.
    points : ndarray of float64, shape (e, 2)
    is_vertex : ndarray of bool, shape (e,)
        Whether the event is the first vertex of its segment.
    end : ndarray of int64, shape (e,)
        The event that the arc ends at.
    bends : ndarray of int64, shape (e,)
        How many vertices lie between its ends.
    node : ndarray of int64, shape (e,)
        A number for the point where the event is, equal for events at the same point; -1 where no ties were
        broken, so that only the crossing itself is there.
    nodes : int
        How many such numbers there are.
    level : ndarray of int64, shape (e,)
    following : ndarray of int64, shape (e,)
        The arc that continues the level curve.
    sound : bool
        False where a check failed.
    """

    segment: Ints
    points: Floats
    is_vertex: Flags
    end: Ints
    bends: Ints
    node: Ints
    nodes: int
    level: Ints
    following: Ints
    sound: bool


@compiled_inner
def cut_into_arcs(outlines: Outlines, crossings: Crossings) -> Arcs:
    """Order the events along every outline, and find depths and what follows what.

    Events 2 i and 2 i + 1 are those of crossing i.
    """
    first = outlines.first
    n = len(crossings.segments)
    segment, along, doubt, points, is_vertex, sure = _events(outlines, crossings)
    count = len(segment)

    place = np.zeros(len(outlines.x) + 1, np.int64)  # where the events of each segment begin
    for e in range(count):
        place[segment[e] + 1] += 1
    for s in range(len(outlines.x)):
        place[s + 1] += place[s]
    order = np.empty(count, np.int64)
    filled = place[:-1].copy()
    for e in range(count):
        order[filled[segment[e]]] = e
        filled[segment[e]] += 1
    same = np.arange(count - n)  # a forest that joins crossings and points to be passed at the same point
    tied = False
    for e in range(count):
        tied = tied or sure[e]
    sound = True
    for s in range(len(outlines.x)):
        if place[s + 1] - place[s] > 1:
            run = order[place[s] : place[s + 1]]
            done, ties = _sort_along(run, s, outlines, crossings, along, doubt, same)
            sound = sound and done
            tied = tied or ties

    end, bends = np.empty(count, np.int64), np.empty(count, np.int64)
    level, following = np.empty(count, np.int64), np.empty(count, np.int64)
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
            following[e] = f ^ 1 if f < 2 * n else f
            sound = sound and depth >= 0
        sound = sound and depth == start
    for e in range(count):
        sound = sound and level[following[e]] == level[e]

    node = np.full(count, -1, np.int64)
    nodes = _number_nodes(same, n, sure, points, node) if tied else 0
    return Arcs(segment, points, is_vertex, end, bends, node, nodes, level, following, sound)


@compiled_inner
def _events(outlines: Outlines, crossings: Crossings) -> tuple[Ints, Floats, Floats, Floats, Flags, Flags]:
    """List the events: crossings, touches, touched vertices, and a first vertex for rings without any."""
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
    along, doubt = np.zeros(count), np.zeros(count)
    is_vertex, sure = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    for i in range(n):
        for side in range(2):
            e = 2 * i + side
            segment[e], sure[e] = crossings.segments[i, side], crossings.at_vertex[i]
            along[e], doubt[e] = crossings.places[i, side], crossings.places[i, 2 + side]
            points[e, 0], points[e, 1] = crossings.places[i, 4], crossings.places[i, 5]
    for i in range(m):
        e = 2 * n + i
        s, vertex = crossings.touches[i, 0], crossings.touches[i, 1]
        ax, ay, bx, by = outlines.x[s], outlines.y[s], outlines.end_x[s], outlines.end_y[s]
        px, py = outlines.x[vertex], outlines.y[vertex]
        segment[e], points[e, 0], points[e, 1], sure[e] = s, px, py, True
        along[e] = (px - ax) / (bx - ax) if abs(bx - ax) >= abs(by - ay) else (py - ay) / (by - ay)
        doubt[e] = 1e-15
    for i in range(k):
        e = 2 * n + m + i
        vertex = vertices[i]
        segment[e], points[e, 0], points[e, 1] = vertex, outlines.x[vertex], outlines.y[vertex]
        is_vertex[e], sure[e] = True, i < touched
    return segment, along, doubt, points, is_vertex, sure


@compiled_inner
def _sort_along(
    run: Ints,
    s: int,
    outlines: Outlines,
    crossings: Crossings,
    along: Floats,
    doubt: Floats,
    same: Ints,
) -> tuple[bool, bool]:
    """Sort the events of one segment; join those at the same point.

    Returns whether every order is certain, and whether there were events at the same point.
    """
    if len(run) > 24:
        keys, given = np.empty(len(run)), np.empty(len(run), np.int64)
        for i in range(len(run)):
            keys[i], given[i] = along[run[i]], run[i]
        order = ascending(keys)
        for i in range(len(run)):
            run[i] = given[order[i]]
    certain, ties = True, False
    for i in range(1, len(run)):
        e = run[i]
        j = i
        while j > 0:
            f = run[j - 1]
            gap = along[e] - along[f]
            if abs(gap) > doubt[e] + doubt[f]:
                if gap > 0.0:
                    break
            else:
                sign, tie, known = _compare(e, f, s, outlines, crossings)
                certain = certain and known
                if tie:
                    ties = True
                    _join(same, _site(e, len(crossings.segments)), _site(f, len(crossings.segments)))
                if sign >= 0:
                    break
            run[j] = f
            j -= 1
        run[j] = e
    return certain, ties


@compiled_inner
def _compare(e: int, f: int, s: int, outlines: Outlines, crossings: Crossings) -> tuple[int, bool, bool]:
    """Compare two events of a segment exactly.

    Returns the sign, whether their points are the same, and whether the sign is certain. Points that are only
    passed come before crossings at the same point.
    """
    line = np.array([outlines.x[s], outlines.y[s], outlines.end_x[s], outlines.end_y[s]])
    one, j = _line_through(e, s, outlines, crossings)
    other, k = _line_through(f, s, outlines, crossings)
    sign = compare_along(line, one, other)
    if sign != 0:
        return sign, False, True
    if j < 0 or k < 0:
        return (1 if j >= 0 else 0) - (1 if k >= 0 else 0), True, True
    sign = compare_shifted(line, one, other, (outlines.mark[outlines.ring[s]], j, k))
    return sign, True, sign != 0


@compiled_inner
def _line_through(e: int, s: int, outlines: Outlines, crossings: Crossings) -> tuple[Floats, int]:
    """Return a line that crosses segment s at an event, as two points, and the mark it belongs to or -1."""
    n, m = len(crossings.segments), len(crossings.touches)
    if e < 2 * n:
        t = crossings.segments[e // 2, 1 - e % 2]
        found = np.array([outlines.x[t], outlines.y[t], outlines.end_x[t], outlines.end_y[t]])
        return found, outlines.mark[outlines.ring[t]]
    vertex = crossings.touches[e - 2 * n, 1] if e < 2 * n + m else s
    px, py = outlines.x[vertex], outlines.y[vertex]
    # The end of the line only has to be somewhere else, and representable: far enough for any rounding.
    far = 1.0 + abs(px) + abs(py)
    if abs(outlines.end_x[s] - outlines.x[s]) >= abs(outlines.end_y[s] - outlines.y[s]):
        return np.array([px, py, px, py + far]), -1
    return np.array([px, py, px + far, py]), -1


@compiled_inner
def _site(e: int, crossings: int) -> int:
    """Number what an event stands for: both events of a crossing stand for it."""
    return e // 2 if e < 2 * crossings else e - crossings


@compiled_inner
def _root(same: Ints, site: int) -> int:
    while same[site] != site:
        same[site] = same[same[site]]
        site = same[site]
    return site


@compiled_inner
def _join(same: Ints, one: int, other: int) -> None:
    one, other = _root(same, one), _root(same, other)
    same[max(one, other)] = min(one, other)


@compiled_inner
def _number_nodes(same: Ints, crossings: int, sure: Flags, points: Floats, node: Ints) -> int:
    """Number the points of tied events; give events at the same point the same coordinates."""
    count = len(points)
    exact, members = np.full(len(same), -1, np.int64), np.zeros(len(same), np.int64)
    for site in range(len(same)):
        members[_root(same, site)] += 1
    for e in range(count):
        root = _root(same, _site(e, crossings))
        if sure[e] and exact[root] < 0:
            exact[root] = e
    # Of crossings without a vertex at a point, the leftmost as rounded stands for all.
    chosen = np.full(len(same), -1, np.int64)
    picked = np.empty(count, np.int64)
    k = 0
    for e in range(count):
        root = _root(same, _site(e, crossings))
        if members[root] > 1 or exact[root] >= 0:
            picked[k] = e
            k += 1
            best = chosen[root]
            if exact[root] >= 0:
                chosen[root] = exact[root]
            elif best < 0 or (points[e, 0], points[e, 1]) < (points[best, 0], points[best, 1]):
                chosen[root] = e
    for i in range(k):
        source = chosen[_root(same, _site(picked[i], crossings))]
        points[picked[i], 0], points[picked[i], 1] = points[source, 0], points[source, 1]
    picked = picked[:k]
    for axis in (1, 0):
        keys, given = np.empty(k), picked.copy()
        for i in range(k):
            keys[i] = points[given[i], axis]
        order = ascending(keys)
        for i in range(k):
            picked[i] = given[order[i]]
    number = -1
    for i in range(k):
        e, before = picked[i], picked[i - 1]
        if i == 0 or points[e, 0] != points[before, 0] or points[e, 1] != points[before, 1]:
            number += 1
        node[e] = number
    return number + 1


@compiled_inner
def _depth_at_start(outlines: Outlines, r: int) -> int:
    """Count the other marks that contain the first vertex of a ring, shifts included."""
    x, y, first, mark = outlines.x, outlines.y, outlines.first, outlines.mark
    px, py, own = x[first[r]], y[first[r]], mark[r]
    depth = 0
    for q in range(len(mark)):
        if mark[q] == own:
            continue
        raised = mark[q] < own  # where y is the same, the shift decides which is higher
        begin, stop = first[q], first[q + 1]
        above = y[stop - 1] > py or (raised and y[stop - 1] == py)
        for k in range(begin, stop):
            was_above = above
            above = y[k] > py or (raised and y[k] == py)
            if above != was_above:
                s = k - 1 if k > begin else stop - 1
                ax, ay, bx, by = x[s], y[s], x[k], y[k]
                side = cross(ax, ay, bx, by, ax, ay, px, py)
                left = shifted_side(side, ax, ay, bx, by, mark[q], own) > 0
                if above and left:
                    depth += 1
                elif not above and not left:
                    depth -= 1
    return depth
