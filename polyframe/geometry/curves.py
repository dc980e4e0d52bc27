"""The level curves of one cluster: their areas, the largest part of each level, and its outline; compiled.

Curves of outlines run anticlockwise, those of holes clockwise, so signed areas add up to the area of a level.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from polyframe.geometry._compiled import ascending, compiled_inner
from polyframe.geometry.arcs import Arcs
from polyframe.geometry.outlines import Outlines
from polyframe.geometry.rings import (
    is_inside,
    middle_of_longest,
    ring_measures,
    room_for_all,
    write_curve,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

#: Areas closer than this fraction may be a tie, and which part comes first is not for the walk to say. The
#: second is a fraction of the areas of all marks: rounding.
_TIE = 1e-12
_ROUNDING = 1e-13

#: A closed ring of fewer points surrounds nothing.
_LEAST_RING = 4


class Curves(NamedTuple):
    """The closed curves of all levels of a cluster.

    Attributes
    ----------
    arc : ndarray of int64, shape (n,)
        An arc of each curve.
    level : ndarray of int64, shape (n,)
    area : ndarray of float64, shape (n,)
        Signed: negative for a hole.
    """

    arc: Ints
    level: Ints
    area: Floats


@compiled_inner
def trace_curves(outlines: Outlines, arcs: Arcs, alive: Flags) -> Curves:
    """Follow the arcs round every curve."""
    x, y, end_x, end_y = outlines.x, outlines.y, outlines.end_x, outlines.end_y
    x0 = y0 = 0.0
    for s in range(len(x)):
        x0 += x[s] / len(x)
        y0 += y[s] / len(x)
    # Twice the area that a line from the centre sweeps on the way to each vertex, so that an arc takes no
    # longer than its two ends.
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
            a = arcs.following[a]
        arc[n], level[n], area[n] = begin, arcs.level[begin], 0.5 * twice
        n += 1
    return Curves(arc[:n], level[:n], area[:n])


@compiled_inner
def adds_up(curves: Curves, area: float, marks: int) -> bool:
    """Say whether no level is larger than the one before, and all together are as large as all marks."""
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
    curves: Curves,
    doubts: tuple[Flags, Flags],
    wanted: tuple[int, int],
    points: Floats,
    sizes: Ints,
    rings: Ints,
    areas: Floats,
) -> tuple[int, bool]:
    """Write the outlines of the largest parts of some levels, until no area is left.

    Where it is in doubt which part of a level is the largest, or how far it goes, all curves of the level are
    written.

    Parameters
    ----------
    doubts : tuple of two ndarray of bool
        As `settle_touches` gives them.
    wanted : tuple of int
        The first and last level wanted, from 1.
    points : ndarray of float64, shape (m, 2)
        Receives the points, ring after ring; needs `room_for_all` of them.
    sizes : ndarray of int64
        Receives the number of points of each ring; needs room for all curves.
    rings, areas : ndarray of int64 and float64
        Receive for each level 1 and the area of its ring, or how many rings leave it in doubt and NaN.

    Returns
    -------
    found : int
        How many levels there are.
    holed : bool
        Whether one of them may have holes.
    """
    doubtful, meeting = doubts
    keys = np.empty(len(curves.level))
    for i in range(len(keys)):
        keys[i] = curves.level[i]
    by_level = ascending(keys)
    n = found = stop = written = 0
    holed = False
    for level in range(1, wanted[1] + 1):
        start = stop
        while stop < len(by_level) and curves.level[by_level[stop]] == level:
            stop += 1
        if level < wanted[0]:
            continue
        members = by_level[start:stop]
        curve, holes, with_holes, tied = largest_part(outlines, arcs, curves, members)
        if curve < 0:
            break
        if doubtful[level]:
            least = (1.0 - _TIE) * (curves.area[curve] - holes) - _ROUNDING * outlines.area
            tied = tied or not _stands_apart(arcs, curves, members, meeting, curve, least)
        size = write_curve(outlines, arcs, curves.arc[curve], points[n:])
        area, rounding = ring_measures(points[n : n + size])
        if area - holes <= rounding and not (tied and doubtful[level]):
            break
        holed = holed or with_holes
        if tied:
            rings[found], areas[found] = 0, np.nan
            for i in members:
                size = write_curve(outlines, arcs, curves.arc[i], points[n:])
                if size >= _LEAST_RING:
                    sizes[written] = size
                    n += size
                    written += 1
                    rings[found] += 1
        else:
            sizes[written], rings[found], areas[found] = size, 1, area
            n += size
            written += 1
        found += 1
    return found, holed


@compiled_inner
def _stands_apart(
    arcs: Arcs, curves: Curves, members: Ints, meeting: Flags, largest: int, least: float
) -> bool:
    """Say whether the largest part of a level meets none, and all that meet are less than it has at least.

    Its holes may meet what they will: they are filled.
    """
    together = 0.0
    for i in members:
        if i != largest and curves.area[i] <= 0.0:
            continue
        a = begin = curves.arc[i]
        while True:
            if meeting[a]:
                if i == largest:
                    return False
                together += curves.area[i]
                break
            a = arcs.following[a]
            if a == begin:
                break
    return together < least


@compiled_inner
def largest_part(
    outlines: Outlines, arcs: Arcs, curves: Curves, members: Ints
) -> tuple[int, float, bool, bool]:
    """Choose the largest part of a level, holes excluded.

    Parameters
    ----------
    members : ndarray of int64, shape (m,)
        The curves of the level.

    Returns
    -------
    curve : int
        Its outline; -1 where there is no outline.
    holes : float
        The area of its holes, where that matters.
    holed : bool
        Whether it may have holes.
    tied : bool
        Whether another part is as large, as far as rounding can tell.
    """
    holes = 0.0
    best = -1
    for i in members:
        if curves.area[i] <= 0.0:
            holes -= curves.area[i]
        elif best < 0 or curves.area[i] > curves.area[best]:
            best = i
    if best < 0:
        return -1, 0.0, False, False
    second = 0.0
    for i in members:
        if i != best:
            second = max(second, curves.area[i])
    slack = _TIE * curves.area[best] + _ROUNDING * outlines.area
    holed = False
    for i in members:
        holed = holed or curves.area[i] < 0.0
    if curves.area[best] - holes > second + slack or not holed:
        return best, holes, holed, 0.0 < second >= curves.area[best] - slack

    net = _without_holes(outlines, arcs, curves, members)
    best, second = -1, 0.0
    for h in range(len(members)):
        if curves.area[members[h]] > 0.0 and (best < 0 or net[h] > net[best]):
            best = h
    for h in range(len(members)):
        if h != best and curves.area[members[h]] > 0.0:
            second = max(second, net[h])
    curve = members[best]
    return curve, curves.area[curve] - net[best], True, 0.0 < second >= net[best] - slack


@compiled_inner
def _without_holes(outlines: Outlines, arcs: Arcs, curves: Curves, members: Ints) -> Floats:
    """Subtract each hole from the smallest outline around it; return the areas of all members."""
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
