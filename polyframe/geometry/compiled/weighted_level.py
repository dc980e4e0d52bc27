"""Trace one level of clusters in which one mark may count twice (compiled).

The depth of an arc, the number of other marks that contain it, is larger by one inside the mark that counts
twice. An arc of that mark bounds two levels, every other arc one. So at a crossing a level curve may go
straight on along that mark, if both of its arcs bound the level; otherwise it changes to the other outline,
as the curves of all levels do (see `arcs`).
"""

import numpy as np

from polyframe.core.arrays import Flags, Floats, Ints, ShortInts
from polyframe.geometry.compiled.arcs import Arcs
from polyframe.geometry.compiled.degeneracies import resolve_contacts
from polyframe.geometry.compiled.level_curves import LevelCurves, select_curves, trace_curves
from polyframe.geometry.compiled.numba_jit import compiled
from polyframe.geometry.compiled.outlines import Outlines
from polyframe.geometry.compiled.windings import crosses_ray

#: Differences of areas that are rounding errors, as a fraction of the areas of all marks.
_ROUNDING = 1e-9


def trace_weighted_level(
    outlines: Outlines, arcs: Arcs, curves: LevelCurves, marks: Ints, levels: Ints, twice: Ints
) -> LevelCurves:
    """Return the curves of one level of each sound cluster. The arcs then lead along these curves only.

    The level must be between two levels that count every mark once, or its cluster is not sound.

    Parameters
    ----------
    outlines : Outlines
    arcs : Arcs
    curves : LevelCurves
        Those of all levels if every mark counts once.
    marks : ndarray of int64, shape (c,)
        The number of marks of each cluster.
    levels : ndarray of int64, shape (c,)
        The level of each cluster.
    twice : ndarray of int64, shape (c,)
        The mark of each cluster that counts twice, as in `outlines.mark`, or -1.
    """
    bounds = np.zeros(len(arcs.segment), np.bool_)
    _find_bounds(
        outlines.edges,
        outlines.ring,
        outlines.first,
        outlines.mark,
        outlines.cluster,
        outlines.offsets,
        arcs.segment,
        arcs.crossings,
        arcs.end,
        arcs.bends,
        arcs.level,
        levels,
        twice,
        arcs.sound,
        bounds,
    )
    _follow_bounds(
        outlines.ring,
        outlines.cluster,
        arcs.segment,
        arcs.crossings,
        levels,
        bounds,
        arcs.end,
        arcs.bends,
        arcs.level,
        arcs.next_arc,
        arcs.sound,
    )
    alive = resolve_contacts(outlines, arcs, marks)
    alive &= bounds
    weighted = trace_curves(outlines, arcs, alive)

    def total(of: LevelCurves, level: Ints) -> Floats:
        areas = np.where(of.level == level[of.cluster], of.area, 0.0)
        return np.bincount(of.cluster, weights=areas, minlength=len(marks)).astype(np.float64, copy=False)

    # Level 0 is everything.
    below = levels - (twice >= 0)
    most = np.where(below > 0, total(curves, below), np.inf)
    area, slack = total(weighted, levels), _ROUNDING * outlines.area
    is_possible = (area >= total(curves, levels) - slack) & (area <= most + slack)
    arcs.sound[~is_possible] = False
    return select_curves(weighted, arcs.sound[weighted.cluster])


@compiled
def _find_bounds(
    edges: Floats,
    ring: ShortInts,
    first: ShortInts,
    mark: ShortInts,
    cluster: ShortInts,
    offsets: Ints,
    segment: ShortInts,
    crossings: int,
    end: ShortInts,
    bends: ShortInts,
    level: ShortInts,
    levels: Ints,
    twice: Ints,
    sound: Flags,
    bounds: Flags,
) -> None:
    """Find the arcs that bound the level of their cluster, along each ring from its first vertex."""
    for start in range(len(segment)):
        f = end[start]
        if segment[f] > segment[start] or (segment[f] == segment[start] and bends[start] <= 0):
            continue  # only one arc of each ring contains its first vertex
        r = ring[segment[start]]
        c = cluster[r]
        if not sound[c]:
            continue
        own, double, wanted = mark[r], twice[c], levels[c]
        inside = 0
        if double >= 0 and double != own:
            px, py = edges[first[r], 0], edges[first[r], 1]
            for q in range(offsets[c], offsets[c + 1]):
                if mark[q] == double:
                    for s in range(first[q], first[q + 1]):
                        inside += crosses_ray(edges, s, px, py, mark[q], own)
        a = start
        while True:
            depth = level[a] - 1 + inside
            weight = 2 if own == double else 1
            bounds[a] = depth < wanted and wanted <= depth + weight
            a = end[a]
            if a < 2 * crossings and own != double and mark[ring[segment[a ^ 1]]] == double:
                inside += 1 - 2 * (a % 2)
            if a == start:
                break


@compiled
def _follow_bounds(
    ring: ShortInts,
    cluster: ShortInts,
    segment: ShortInts,
    crossings: int,
    levels: Ints,
    bounds: Flags,
    end: ShortInts,
    bends: ShortInts,
    level: ShortInts,
    next_arc: ShortInts,
    sound: Flags,
) -> None:
    """Link the arcs that bound the level; the others lead nowhere."""
    for e in range(len(segment)):
        c = cluster[ring[segment[e]]]
        if bounds[e]:
            f = end[e]
            if f < 2 * crossings and not bounds[f]:
                f = f ^ 1
            next_arc[e] = f
            level[e] = levels[c]
            if not bounds[f]:
                sound[c] = False
        else:
            end[e], bends[e], next_arc[e], level[e] = e, 0, e, 0
