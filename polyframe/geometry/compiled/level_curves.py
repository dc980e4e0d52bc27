"""Trace the level curves of one cluster, and choose the largest part of each level (compiled).

Outlines run anticlockwise and holes clockwise, so the signed areas of a level's curves add up to its area.
"""

from typing import NamedTuple

import numpy as np

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.geometry.compiled.arcs import Arcs
from polyframe.geometry.compiled.event_order import ascending
from polyframe.geometry.compiled.numba_jit import compiled_inner
from polyframe.geometry.compiled.outlines import Outlines
from polyframe.geometry.compiled.rings import (
    is_inside,
    middle_of_longest,
    ring_measures,
    room_for_all,
    write_curve,
)

#: Areas that differ by less than this fraction are tied, so that rounding does not decide. The second is a
#: fraction of the areas of all marks.
_TIE = 1e-12
_ROUNDING = 1e-13


class LevelCurves(NamedTuple):
    """The closed curves of all levels of a cluster.

    Attributes
    ----------
    arc : ndarray of int64, shape (n,)
        One arc of each curve.
    level : ndarray of int64, shape (n,)
    area : ndarray of float64, shape (n,)
        Signed: negative for a hole.
    """

    arc: Ints
    level: Ints
    area: Floats


@compiled_inner
def trace_curves(outlines: Outlines, arcs: Arcs, alive: Flags) -> LevelCurves:
    """Trace the curves, and compute their signed areas."""
    x, y, end_x, end_y = outlines.x, outlines.y, outlines.end_x, outlines.end_y
    x0 = y0 = 0.0
    for s in range(len(x)):
        x0 += x[s] / len(x)
        y0 += y[s] / len(x)
    # Prefix sums of twice the area between the segments and the centre: an arc takes constant time, however
    # many vertices it has.
    swept = np.empty(len(x) + 1)
    total = 0.0
    for s in range(len(x)):
        swept[s] = total
        total += (x[s] - x0) * (end_y[s] - y0) - (end_x[s] - x0) * (y[s] - y0)
    swept[len(x)] = total

    count = len(arcs.node)
    arc, level, area = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count)
    seen = np.zeros(count, np.bool_)
    n = 0
    for begin in range(count):
        if seen[begin] or not alive[begin]:
            continue
        twice = 0.0
        a = begin
        while not seen[a]:
            seen[a] = True
            f = arcs.end[a]
            px, py = arcs.points[a, 0] - x0, arcs.points[a, 1] - y0
            qx, qy = arcs.points[f, 0] - x0, arcs.points[f, 1] - y0
            if arcs.bends[a] == 0:
                twice += px * qy - qx * py
            else:
                s, t = arcs.segment[a], arcs.segment[f]
                twice += px * (end_y[s] - y0) - (end_x[s] - x0) * py
                twice += swept[t] - swept[s + 1]
                if t <= s:
                    ring = outlines.ring[s]
                    twice += swept[outlines.first[ring + 1]] - swept[outlines.first[ring]]
                twice += (x[t] - x0) * qy - qx * (y[t] - y0)
            a = arcs.next_arc[a]
        arc[n], level[n], area[n] = begin, arcs.level[begin], 0.5 * twice
        n += 1
    return LevelCurves(arc[:n], level[:n], area[:n])


@compiled_inner
def adds_up(curves: LevelCurves, area: float, marks: int) -> bool:
    """Return whether each level is at most as large as the one before, and all add up to all marks."""
    levels = np.zeros(marks + 2)
    for i in range(len(curves.level)):
        if not 1 <= curves.level[i] <= marks:
            return False
        levels[curves.level[i]] += curves.area[i]
    slack = 1e-9 * area
    for k in range(1, marks + 1):
        if levels[k] < levels[k + 1] - slack:
            return False
    total = 0.0
    for k in range(1, marks + 1):
        total += levels[k]
    return bool(abs(total - area) <= slack)


@compiled_inner
def write_levels(
    outlines: Outlines,
    arcs: Arcs,
    curves: LevelCurves,
    selected: tuple[int, int],
    points: Floats,
    sizes: Ints,
    areas: Floats,
) -> tuple[int, bool]:
    """Write the outlines of the largest parts of some levels, until no area is left.

    Parameters
    ----------
    selected : tuple of int
        The first and last level to write, from 1.
    points : ndarray of float64, shape (m, 2)
        Filled with the points, ring after ring; must have `room_for_all` rows.
    sizes, areas : ndarray of int64 and float64
        Filled with the number of points of each level's outline, and its area.

    Returns
    -------
    count : int
        The number of levels written.
    may_have_holes : bool
        Whether one of them may have holes.
    """
    keys = np.empty(len(curves.level))
    for i in range(len(keys)):
        keys[i] = curves.level[i]
    by_level = ascending(keys)
    n = count = stop = 0
    may_have_holes = False
    for level in range(1, selected[1] + 1):
        start = stop
        while stop < len(by_level) and curves.level[by_level[stop]] == level:
            stop += 1
        if level < selected[0]:
            continue
        curve, holes, part_may_have_holes = largest_part(outlines, arcs, curves, by_level[start:stop])
        if curve < 0:
            break
        size = write_curve(outlines, arcs, curves.arc[curve], points[n:])
        area, rounding = ring_measures(points[n : n + size])
        if area - holes <= rounding:
            break
        may_have_holes = may_have_holes or part_may_have_holes
        sizes[count], areas[count] = size, area
        n += size
        count += 1
    return count, may_have_holes


@compiled_inner
def largest_part(
    outlines: Outlines, arcs: Arcs, curves: LevelCurves, members: Ints
) -> tuple[int, float, bool]:
    """Choose the largest part of a level by area without holes, the leftmost on ties.

    Parameters
    ----------
    members : ndarray of int64, shape (m,)
        The curves of the level.

    Returns
    -------
    curve : int
        Its outline; -1 if there is none.
    holes : float
        The area of its holes, or of all holes of the level if that is enough to choose.
    may_have_holes : bool
        Whether it may have holes.
    """
    net = np.empty(len(members))
    holes = 0.0
    may_have_holes = False
    for h in range(len(members)):
        net[h] = curves.area[members[h]]
        if net[h] <= 0.0:
            holes -= net[h]
            may_have_holes = may_have_holes or net[h] < 0.0
    best = _largest(net)
    if best < 0:
        return -1, 0.0, False
    slack = _TIE * net[best] + _ROUNDING * outlines.area
    if _runner_up(net, best) < net[best] - holes - slack:
        return members[best], holes, may_have_holes
    if may_have_holes:
        net = _without_holes(outlines, arcs, curves, members)
        best = _largest(net)
    if _runner_up(net, best) >= net[best] - slack:
        best = _leftmost(outlines, arcs, curves, members, net, net[best] - slack)
    return members[best], curves.area[members[best]] - net[best], may_have_holes


@compiled_inner
def _largest(areas: Floats) -> int:
    best = -1
    for h in range(len(areas)):
        if areas[h] > 0.0 and (best < 0 or areas[h] > areas[best]):
            best = h
    return best


@compiled_inner
def _runner_up(areas: Floats, best: int) -> float:
    second = 0.0
    for h in range(len(areas)):
        if h != best:
            second = max(second, areas[h])
    return second


@compiled_inner
def _leftmost(
    outlines: Outlines, arcs: Arcs, curves: LevelCurves, members: Ints, areas: Floats, least: float
) -> int:
    """Return the leftmost (then the lowest) of the curves with at least a given area."""
    points = np.empty((room_for_all(arcs), 2))
    best = -1
    best_x = best_y = 0.0
    for h in range(len(members)):
        if areas[h] <= 0.0 or areas[h] < least:
            continue
        size = write_curve(outlines, arcs, curves.arc[members[h]], points)
        x, y = points[0, 0], points[0, 1]
        for i in range(size):
            x, y = min(x, points[i, 0]), min(y, points[i, 1])
        if best < 0 or (x, y) < (best_x, best_y):
            best, best_x, best_y = h, x, y
    return best


@compiled_inner
def _without_holes(outlines: Outlines, arcs: Arcs, curves: LevelCurves, members: Ints) -> Floats:
    """Return the areas of all members, with each hole subtracted from the smallest outline around it."""
    net = np.empty(len(members))
    for h in range(len(members)):
        net[h] = curves.area[members[h]]
    by_size = ascending(net)
    points = np.empty((room_for_all(arcs), 2))
    for h in range(len(members)):
        hole = members[h]
        if curves.area[hole] >= 0.0:
            continue
        px, py = middle_of_longest(points[: write_curve(outlines, arcs, curves.arc[hole], points)])
        for g in by_size:
            if curves.area[members[g]] <= -curves.area[hole]:
                continue
            if is_inside(px, py, points[: write_curve(outlines, arcs, curves.arc[members[g]], points)]):
                net[g] += curves.area[hole]
                break
    return net
