"""Agreement contours, unions and intersections of many clusters by walking along outlines; compiled.

Every outline runs with its interior on the left, and the number of *other* marks around a point of it changes
by one where it crosses another outline. So the curves that bound "at least k marks" are followed along the
outlines, changing outlines at each crossing, and no face is built. The walk of a cluster proves itself:
depths agree where outlines cross and come back to where they began, the areas of all curves add up to those
of all marks, and no level is larger than the one before. A cluster without proof, or with the same outline
many times, is handed to `contours` and `averages`, which stand on GEOS, and a small one also where two parts
are equally large, or where an area depends on whether curves meet that do so only as far as rounding can say:
so both engines answer alike. GEOS would take minutes and gigabytes for the outlines of hundreds of marks,
which hardly ever go without such a place: there what meets within rounding meets, and GEOS settles a level in
doubt alone, from its curves.

Needs the extra `fast` (numba).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from polyframe.geometry._compiled import compiled, compiled_inner
from polyframe.geometry.arcs import cut_into_arcs
from polyframe.geometry.averages import cluster_intersections, cluster_unions
from polyframe.geometry.contours import ContourLevels, cluster_contours
from polyframe.geometry.crossings import find_crossings
from polyframe.geometry.curves import adds_up, trace_curves, write_levels
from polyframe.geometry.outlines import load_outlines
from polyframe.geometry.polygonized import part_of_rings
from polyframe.geometry.repeated import MANY_REPEATS, first_of_each, without_third_copies
from polyframe.geometry.rings import room_for_all, with_room, with_room_for_sizes
from polyframe.geometry.touching import settle_touches
from polyframe.runs import offsets_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

#: Which levels are wanted: all, the first (union), or the one with all marks (intersection).
_ALL, _FIRST, _LAST = 0, 1, 2

#: Clusters of up to so many marks are handed over as they are, within a second or so.
_FEW = 40

#: Two readings of a level whose areas differ by less than this fraction are the same.
_SAME = 1e-10


@dataclass(frozen=True)
class WalkedContours(ContourLevels):
    """The contours of many clusters, with their areas.

    Attributes
    ----------
    areas : ndarray of float64, shape (k,)
        Of each polygon.
    proven : ndarray of bool, shape (c,)
        Whether the walk of a cluster proved itself; where not, GEOS has answered, or (`walk_contours`) there
        are no levels.
    doubts : ndarray of int64, shape (c,)
        How many levels of a proven cluster GEOS settled, from their curves.
    """

    areas: Floats
    proven: Flags
    doubts: Ints


def fast_cluster_contours(polygons: NDArray[Any], offsets: ArrayLike) -> WalkedContours:
    """Return the contours of many clusters, as `contours.cluster_contours` gives them.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Valid, sorted by cluster. None and empty polygons add nothing.
    offsets : array_like of int, shape (c + 1,)
        Cluster i holds `polygons[offsets[i]:offsets[i + 1]]`.

    Returns
    -------
    WalkedContours
        `proven` says which clusters were not handed over. The vertices are the same but for rounding.
    """
    walked = walk_contours(polygons, offsets)
    if np.all(walked.proven):
        return walked
    members, starts, lost = _clusters(polygons, offsets, ~walked.proven)
    answered = cluster_contours(members, starts)
    owner = np.repeat(np.arange(len(walked.proven)), np.diff(walked.offsets))
    owner = np.concatenate([owner, np.repeat(lost, np.diff(answered.offsets))])
    order = np.argsort(owner, kind="stable")
    return WalkedContours(
        polygons=np.concatenate([walked.polygons, answered.polygons])[order],
        offsets=np.searchsorted(owner[order], np.arange(len(walked.proven) + 1)),
        areas=np.concatenate([walked.areas, shapely.area(answered.polygons)])[order],
        proven=walked.proven,
        doubts=walked.doubts,
    )


def fast_cluster_unions(polygons: NDArray[Any], offsets: ArrayLike) -> NDArray[Any]:
    """Return `average_union` of each cluster, as `averages.cluster_unions` gives them.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Valid, sorted by cluster.
    offsets : array_like of int, shape (c + 1,)
        Cluster i holds `polygons[offsets[i]:offsets[i + 1]]`.

    Returns
    -------
    ndarray of shapely.Polygon, shape (c,)
        Empty where a cluster holds nothing.
    """
    return _averages(polygons, offsets, _FIRST)


def fast_cluster_intersections(polygons: NDArray[Any], offsets: ArrayLike) -> NDArray[Any]:
    """Return `average_intersection` of each cluster, as `averages.cluster_intersections` gives them.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Valid, sorted by cluster.
    offsets : array_like of int, shape (c + 1,)
        Cluster i holds `polygons[offsets[i]:offsets[i + 1]]`.

    Returns
    -------
    ndarray of shapely.Polygon, shape (c,)
        Empty where the marks of a cluster have no area in common.
    """
    return _averages(polygons, offsets, _LAST)


def walk_contours(polygons: NDArray[Any], offsets: ArrayLike) -> WalkedContours:
    """Return the contours of the clusters that the walk can prove.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Valid, sorted by cluster. None and empty polygons add nothing.
    offsets : array_like of int, shape (c + 1,)
        Cluster i holds `polygons[offsets[i]:offsets[i + 1]]`.

    Returns
    -------
    WalkedContours
        Without levels where `proven` is False.
    """
    levels, counts, areas, proven, _ = _walk(polygons, offsets, _ALL)
    doubts = np.zeros(len(counts), np.int64)
    if np.any(np.isnan(areas)):
        owner = np.repeat(np.arange(len(counts)), counts)
        kept = np.ones(len(levels), np.bool_)
        for level in np.flatnonzero(np.isnan(areas)):
            part = part_of_rings(levels[level])
            levels[level], areas[level] = part, shapely.area(part)
            doubts[owner[level]] += 1
            if part is None:
                proven[owner[level]] = False
            elif shapely.is_empty(part):  # the first level without an area is the end
                kept[level:] &= owner[level:] != owner[level]
        kept &= proven[owner]
        levels, areas, counts = levels[kept], areas[kept], np.bincount(owner[kept], minlength=len(counts))
        doubts[~proven] = 0
    return WalkedContours(levels, offsets_of(counts), areas, proven, doubts)


def _averages(polygons: NDArray[Any], offsets: ArrayLike, wanted: int) -> NDArray[Any]:
    polygons, starts = without_third_copies(polygons, np.asarray(offsets, dtype=np.int64))
    counts = np.diff(starts)
    averages = np.full(len(counts), shapely.Polygon(), dtype=object)
    averages[counts == 1] = polygons[starts[:-1][counts == 1]]
    rings, levels, areas, proven, holed = _walk(polygons, starts, wanted)
    proven[np.repeat(np.arange(len(counts)), levels)[np.isnan(areas)]] = False
    if wanted == _LAST:  # an empty mark has nothing in common with any; holes are part of what is in common
        empty = shapely.is_missing(polygons) | shapely.is_empty(polygons)
        proven = proven & ~holed & (np.add.reduceat(np.append(empty, False), starts)[:-1] == 0)
    walked = proven & (counts > 1)
    found = walked & (levels > 0)
    averages[found] = rings[np.repeat(found, levels)]
    if not np.all(walked | (counts <= 1)):
        members, begins, lost = _clusters(polygons, starts, ~walked & (counts > 1))
        answer = cluster_unions if wanted == _FIRST else cluster_intersections
        averages[lost] = answer(members, begins)
    return averages


def _clusters(polygons: NDArray[Any], offsets: ArrayLike, chosen: Flags) -> tuple[NDArray[Any], Ints, Ints]:
    """Return the members of some clusters, their offsets, and which clusters these are."""
    bounds = np.asarray(offsets, dtype=np.int64)
    counts = bounds[1:] - bounds[:-1]
    starts = offsets_of(counts[chosen])
    return polygons[np.repeat(chosen, counts)], starts, np.flatnonzero(chosen)


def _walk(
    polygons: NDArray[Any], offsets: ArrayLike, wanted: int
) -> tuple[NDArray[Any], Ints, Floats, Flags, Flags]:
    """Walk all clusters: the levels, how many of each, areas, which are proven, which may have holes.

    A level in doubt has no area, and all its curves as rings of one polygon, which need not be valid.
    """
    starts = np.asarray(offsets, dtype=np.int64)
    real = ~shapely.is_missing(polygons) & ~shapely.is_empty(polygons)
    if not np.all(real):
        starts = offsets_of(real)[starts]
        polygons = polygons[real]
    coordinates, rings, ring_starts = _flat_rings(polygons)
    marks = starts[1:] - starts[:-1]
    walkable = np.ones(len(marks), dtype=np.bool_)
    if marks.max(initial=0) > MANY_REPEATS:
        owner = np.repeat(np.arange(len(marks)), marks)
        walkable[owner[first_of_each(polygons, owner) != np.arange(len(polygons))]] = False
    points, sizes, level_rings, counts, areas, proven, holed = _walk_clusters(
        coordinates, rings, ring_starts, starts, walkable, wanted, _FEW
    )
    outlines = shapely.from_ragged_array(
        shapely.GeometryType.POLYGON,
        points,
        (offsets_of(sizes), offsets_of(level_rings)),
    )
    return outlines, counts, areas, proven, holed


def _flat_rings(polygons: NDArray[Any]) -> tuple[Floats, Ints, Ints]:
    """Return coordinates, where each ring begins, and the first ring of each polygon, its exterior."""
    coordinates, owner = shapely.get_coordinates(polygons, return_index=True)
    if not np.any(shapely.get_num_interior_rings(polygons)):
        sizes = np.bincount(owner, minlength=len(polygons))
        return coordinates, offsets_of(sizes), np.arange(len(polygons) + 1)
    rings, ring_owner = shapely.get_rings(polygons, return_index=True)
    sizes = shapely.get_num_coordinates(rings).astype(np.int64)
    return (
        coordinates,
        offsets_of(sizes),
        np.searchsorted(ring_owner, np.arange(len(polygons) + 1)),
    )


@compiled
def _walk_clusters(
    coordinates: Floats, rings: Ints, ring_starts: Ints, starts: Ints, walkable: Flags, wanted: int, few: int
) -> tuple[Floats, Ints, Ints, Ints, Floats, Flags, Flags]:
    """Walk one cluster after the other.

    Returns points, the sizes of rings, the rings and areas of levels; and for clusters how many levels they
    have, whether they are proven, and whether they may have holes.
    """
    clusters = len(starts) - 1
    points, sizes = np.empty((len(coordinates) + 16, 2)), np.empty(len(ring_starts), np.int64)
    # No cluster has more levels than marks.
    level_rings, areas = np.empty(len(ring_starts), np.int64), np.empty(len(ring_starts))
    counts = np.zeros(clusters, np.int64)
    proven, holed = np.zeros(clusters, np.bool_), np.zeros(clusters, np.bool_)
    n = m = k = 0
    for c in range(clusters):
        marks = starts[c + 1] - starts[c]
        if marks == 0:
            proven[c] = True
            continue
        if not walkable[c]:
            continue
        outlines = load_outlines(coordinates, rings, ring_starts[starts[c] : starts[c + 1] + 1])
        if not outlines.sound:
            continue
        arcs = cut_into_arcs(outlines, find_crossings(outlines))
        if not arcs.sound:
            continue
        alive, drawn = np.ones(len(arcs.node), np.bool_), arcs.following.copy()
        doubts = settle_touches(outlines, arcs, alive, marks <= few)
        curves = trace_curves(outlines, arcs, alive)
        if not adds_up(curves, outlines.area, marks):
            continue
        wanted_levels = (1, 1) if wanted == _FIRST else (marks if wanted == _LAST else 1, marks)
        points = with_room(points, n, room_for_all(arcs))
        sizes = with_room_for_sizes(sizes, m, len(curves.arc))
        room = points[n:], sizes[m:], level_rings[k:], areas[k:]
        found, holed[c] = write_levels(outlines, arcs, curves, doubts, wanted_levels, *room)
        if marks <= few and np.any(np.isnan(areas[k : k + found])):
            # Where rounding says that curves meet, they do or do not: it may be all the same.
            nowhere = np.zeros_like(doubts[0]), doubts[1]
            found, _ = write_levels(outlines, arcs, curves, nowhere, wanted_levels, *room)
            apart = areas[k : k + found].copy()
            arcs.following[:] = drawn
            alive[:] = True
            doubts = settle_touches(outlines, arcs, alive, False)
            curves = trace_curves(outlines, arcs, alive)
            if not adds_up(curves, outlines.area, marks):
                continue
            sizes = with_room_for_sizes(sizes, m, len(curves.arc))
            room = points[n:], sizes[m:], level_rings[k:], areas[k:]
            found, holed[c] = write_levels(outlines, arcs, curves, doubts, wanted_levels, *room)
            if not _agree(apart, areas[k : k + found]):
                continue
        proven[c], counts[c] = True, found
        for _ in range(found):
            for _ in range(level_rings[k]):
                n += sizes[m]
                m += 1
            k += 1
    return points[:n], sizes[:m], level_rings[:k], counts, areas[:k], proven, holed


@compiled_inner
def _agree(one: Floats, other: Floats) -> bool:
    """Say whether two readings of a cluster have the same levels, as far as areas tell; NaN is like none."""
    return len(one) == len(other) and bool(np.all(np.abs(one - other) <= _SAME * one))
