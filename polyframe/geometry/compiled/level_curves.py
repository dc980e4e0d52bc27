"""Trace the level curves of clusters, and choose the largest part of each level (compiled).

Outlines run anticlockwise and holes clockwise, so the signed areas of a level's curves add up to its area.
"""

from dataclasses import dataclass

import numpy as np

from polyframe.core.arrays import Flags, Floats, Ints, ShortInts
from polyframe.core.ragged import offsets_of, positions_of
from polyframe.geometry.compiled.arcs import Arcs
from polyframe.geometry.compiled.numba_jit import compiled
from polyframe.geometry.compiled.outlines import Outlines
from polyframe.geometry.compiled.rings import Rings, is_inside, middle_of_longest, write_curves

#: Areas that differ by less than this fraction are tied, so that rounding does not decide. The second is a
#: fraction of the areas of all marks.
_TIE = 1e-12
_ROUNDING = 1e-13


@dataclass(frozen=True)
class LevelCurves:
    """The closed curves of all levels of clusters, sorted by cluster, then level.

    Attributes
    ----------
    arc : ndarray of int64, shape (n,)
        One arc of each curve.
    cluster : ndarray of int64, shape (n,)
    level : ndarray of int64, shape (n,)
    area : ndarray of float64, shape (n,)
        Signed: negative for a hole.
    room : ndarray of int64, shape (n,)
        At least the number of points of each curve as a closed ring.
    """

    arc: Ints
    cluster: Ints
    level: Ints
    area: Floats
    room: Ints


@dataclass(frozen=True)
class LevelParts:
    """The largest part of each level, sorted by cluster, then level.

    Attributes
    ----------
    curve : ndarray of int64, shape (k,)
        Its outline.
    holes : ndarray of float64, shape (k,)
        The area of its holes, or of all holes of the level if that is enough to choose.
    may_have_holes : ndarray of bool, shape (k,)
        Whether it may have holes.
    """

    curve: Ints
    holes: Floats
    may_have_holes: Flags


def trace_curves(outlines: Outlines, arcs: Arcs, alive: Flags) -> LevelCurves:
    """Trace the curves of sound clusters, and compute their signed areas. Changes `alive`."""
    count = len(arcs.segment)
    arc, room, area = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count)
    vertices = outlines.vertex_offsets()
    clusters = len(vertices) - 1
    n = _trace(
        outlines.edges,
        outlines.ring,
        outlines.first,
        outlines.cluster,
        vertices,
        arcs.segment,
        arcs.points,
        arcs.crossings,
        arcs.end,
        arcs.bends,
        arcs.next_arc,
        alive,
        np.empty((clusters, 2)),
        np.empty(len(outlines.edges) + clusters),
        arc,
        room,
        area,
    )
    arc = arc[:n]
    cluster = outlines.cluster[outlines.ring[arcs.segment[arc]]].astype(np.int64)
    level = arcs.level[arc].astype(np.int64)
    order = np.lexsort((level, cluster))
    order = order[arcs.sound[cluster[order]]]
    return LevelCurves(arc[order], cluster[order], level[order], area[order], room[order])


@compiled
def _trace(
    edges: Floats,
    ring: ShortInts,
    first: ShortInts,
    cluster: ShortInts,
    vertices: Ints,
    segment: ShortInts,
    points: Floats,
    crossings: int,
    end: ShortInts,
    bends: ShortInts,
    next_arc: ShortInts,
    alive: Flags,
    centre: Floats,
    swept: Floats,
    arc: Ints,
    room: Ints,
    area: Floats,
) -> int:
    # Prefix sums of twice the area between the segments and the centre: an arc takes constant time, however
    # many vertices it has. Each cluster has one more than segments.
    for c in range(len(vertices) - 1):
        x0 = y0 = 0.0
        low, high = vertices[c], vertices[c + 1]
        for s in range(low, high):
            x0 += edges[s, 0] / (high - low)
            y0 += edges[s, 1] / (high - low)
        total = 0.0
        for s in range(low, high):
            swept[s + c] = total
            total += (edges[s, 0] - x0) * (edges[s, 3] - y0) - (edges[s, 2] - x0) * (edges[s, 1] - y0)
        swept[high + c] = total
        centre[c, 0], centre[c, 1] = x0, y0

    n = 0
    for begin in range(len(segment)):
        if not alive[begin]:
            continue
        c = cluster[ring[segment[begin]]]
        x0, y0 = centre[c, 0], centre[c, 1]
        twice = 0.0
        size = 1
        a = begin
        while alive[a]:
            alive[a] = False
            f = end[a]
            site, end_site = a - crossings, f - crossings
            if a < 2 * crossings:
                site = a // 2
            if f < 2 * crossings:
                end_site = f // 2
            px, py = points[site, 0] - x0, points[site, 1] - y0
            qx, qy = points[end_site, 0] - x0, points[end_site, 1] - y0
            if bends[a] == 0:
                twice += px * qy - qx * py
            else:
                s, t = segment[a], segment[f]
                twice += px * (edges[s, 3] - y0) - (edges[s, 2] - x0) * py
                twice += swept[t + c] - swept[s + 1 + c]
                if t <= s:
                    r = ring[s]
                    twice += swept[first[r + 1] + c] - swept[first[r] + c]
                twice += (edges[t, 0] - x0) * qy - qx * (edges[t, 1] - y0)
            size += 1 + bends[a]
            a = int(next_arc[a])
        arc[n], room[n], area[n] = begin, size, 0.5 * twice
        n += 1
    return n


def select_curves(curves: LevelCurves, chosen: Flags) -> LevelCurves:
    """Return some of the curves."""
    return LevelCurves(
        curves.arc[chosen],
        curves.cluster[chosen],
        curves.level[chosen],
        curves.area[chosen],
        curves.room[chosen],
    )


def adds_up(curves: LevelCurves, area: Floats, marks: Ints) -> Flags:
    """Return whether the levels of each cluster shrink, and all together are as large as all its marks.

    Parameters
    ----------
    curves : LevelCurves
    area : ndarray of float64, shape (c,)
        The sum of the areas of all marks of a cluster.
    marks : ndarray of int64, shape (c,)
        The number of marks of each cluster.
    """
    slots = offsets_of(marks + 1)
    valid = (curves.level >= 1) & (curves.level <= marks[curves.cluster])
    slot = slots[curves.cluster] + curves.level - 1
    # After the last level of each cluster is one without an area.
    sums = np.bincount(slot[valid], weights=curves.area[valid], minlength=slots[-1])
    slack = 1e-9 * area
    owner = np.repeat(np.arange(len(marks)), marks)
    place = positions_of(slots[:-1], marks)
    right = np.abs(np.bincount(owner, weights=sums[place], minlength=len(marks)) - area) <= slack
    right[owner[~(sums[place] >= sums[place + 1] - slack[owner])]] = False
    right[curves.cluster[~valid]] = False
    return right


def largest_parts(outlines: Outlines, arcs: Arcs, curves: LevelCurves) -> LevelParts:
    """Choose the largest part of each level by area without holes, the leftmost on ties.

    Levels without an outline are omitted.
    """
    count = len(curves.arc)
    begins = np.ones(count, np.bool_)
    begins[1:] = (curves.cluster[1:] != curves.cluster[:-1]) | (curves.level[1:] != curves.level[:-1])
    group, starts = np.cumsum(begins) - 1, np.flatnonzero(begins)
    holes = np.bincount(group, weights=-np.minimum(curves.area, 0.0), minlength=len(starts))
    has_holes = np.zeros(len(starts), np.bool_)
    has_holes[group[curves.area < 0.0]] = True
    best, second = _largest_two(curves.area, group, starts)
    largest = curves.area[best]
    owner = curves.cluster[starts]
    slack = _TIE * largest + _ROUNDING * outlines.area[owner]
    present = largest > 0.0
    doubtful = np.flatnonzero(present & ~(second < largest - holes - slack))
    if len(doubtful):
        sizes = np.diff(np.append(starts, count))[doubtful]
        members = positions_of(starts[doubtful], sizes)
        rings = write_curves(outlines, arcs, curves.arc[members], curves.room[members], measure_only=False)
        lowest = np.minimum.reduceat(rings.y, rings.offsets[:-1])
        bounds = offsets_of(sizes)
        net = curves.area[members]
        for k in np.flatnonzero(has_holes[doubtful]).tolist():
            _subtract_holes(net[bounds[k] : bounds[k + 1]], rings, int(bounds[k]))
        part = np.repeat(np.arange(len(doubtful)), sizes)
        chosen, second = _largest_two(net, part, bounds[:-1])
        # On a tie, the leftmost, then the lowest, of all that are as large.
        least = net[chosen] - slack[doubtful]
        tied = (second >= least)[part] & (net > 0.0) & (net >= least[part])
        tied[chosen] = True
        candidates = np.flatnonzero(tied)
        order = np.lexsort((lowest[candidates], rings.x[rings.offsets[candidates]], part[candidates]))
        candidates = candidates[order]
        heads = np.ones(len(candidates), np.bool_)
        heads[1:] = part[candidates][1:] != part[candidates][:-1]
        chosen = candidates[heads]
        best[doubtful] = members[chosen]
        holes[doubtful] = curves.area[members[chosen]] - net[chosen]
    return LevelParts(best[present], holes[present].astype(np.float64, copy=False), has_holes[present])


def _largest_two(areas: Floats, group: Ints, starts: Ints) -> tuple[Ints, Floats]:
    """Return the first of the largest areas of each group, and the second largest area, at least 0."""
    order = np.lexsort((-areas, group))
    best = order[starts]
    follower = np.minimum(starts + 1, len(areas) - 1)
    is_alone = np.diff(np.append(starts, len(areas))) == 1
    return best, np.where(is_alone, 0.0, np.maximum(areas[order[follower]], 0.0))


def _subtract_holes(net: Floats, rings: Rings, first: int) -> None:
    """Subtract each hole of a level from the smallest outline around it.

    Parameters
    ----------
    net : ndarray of float64, shape (m,)
        The signed areas of the curves of the level, changed in place.
    rings : Rings
        Ring `first` is that of the first curve.
    first : int
    """
    areas = net.copy()
    by_size = np.argsort(areas, kind="stable")
    for hole in np.flatnonzero(areas < 0.0).tolist():
        px, py = middle_of_longest(*_points(rings, first + hole))
        for outline in by_size[np.searchsorted(areas[by_size], -areas[hole], side="right") :].tolist():
            if is_inside(px, py, *_points(rings, first + outline)):
                net[outline] += areas[hole]
                break


def _points(rings: Rings, ring: int) -> tuple[Floats, Floats]:
    begin, stop = rings.offsets[ring], rings.offsets[ring + 1]
    return rings.x[begin:stop], rings.y[begin:stop]
