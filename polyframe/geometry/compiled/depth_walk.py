"""Compute contours, unions and intersections of many clusters by walking along outlines, exactly.

Every outline runs with its interior on the left. Its depth, the number of *other* marks that contain a point
of it, changes by one where it crosses another outline. So the curves that bound the levels are followed along
the outlines, from one outline to the other at each crossing, and no face is built. Every decision is exact
for the coordinates as they are (`predicates`): whether outlines cross, in which order along an outline,
whether they meet in a point or share an edge. Only areas and the coordinates of crossings are rounded.

Each cluster is verified: depths agree at crossings and around every outline, the areas of all curves add up
to those of all marks, and no level is larger than the one before.

Compiled if the compiled engine is in use, or else interpreted: the same numbers, some twenty times slower.

References
----------
M. de Berg, O. Cheong, M. van Kreveld and M. Overmars, "Computational Geometry: Algorithms and Applications",
3rd edition (2008), chapter 2: overlays of planar subdivisions.
K. Weiler and P. Atherton, "Hidden surface removal using polygon area sorting", SIGGRAPH 1977: clipping by
following outlines and changing to the other one at intersections.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import offsets_of
from polyframe.geometry.compiled.arcs import cut_into_arcs
from polyframe.geometry.compiled.crossings import find_crossings
from polyframe.geometry.compiled.degeneracies import resolve_contacts
from polyframe.geometry.compiled.level_curves import adds_up, trace_curves, write_levels
from polyframe.geometry.compiled.numba_jit import compiled
from polyframe.geometry.compiled.outlines import load_outlines
from polyframe.geometry.compiled.rings import room_for_all, with_room
from polyframe.geometry.duplicate_outlines import MANY_DUPLICATES, first_copies
from polyframe.geometry.polygon_parts import with_valid_outlines

#: Which levels to return: all, the first (the union), or that of all marks (the intersection).
LevelSelection = Literal["all", "first", "last"]


@dataclass(frozen=True)
class WalkedLevels:
    """The levels of many clusters.

    Attributes
    ----------
    polygons : ndarray of shapely.Polygon, shape (k,)
        Sorted by cluster, then level; without holes, anticlockwise from the leftmost vertex.
    offsets : ndarray of int64, shape (c + 1,)
        The levels of cluster i are `polygons[offsets[i]:offsets[i + 1]]`; none if it is not verified.
    areas : ndarray of float64, shape (k,)
        The area of each polygon.
    verified : ndarray of bool, shape (c,)
        Whether all checks of a cluster passed. False if an outline occurs many times, which is not tried.
    may_have_holes : ndarray of bool, shape (c,)
        Whether a level may have holes.
    """

    polygons: NDArray[Any]
    offsets: Ints
    areas: Floats
    verified: Flags
    may_have_holes: Flags


def walk_contours(
    polygons: NDArray[Any], offsets: ArrayLike, selection: LevelSelection = "all"
) -> WalkedLevels:
    """Return the largest part of some levels of each cluster, holes filled.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Valid, sorted by cluster. None and empty polygons are ignored.
    offsets : array_like of int, shape (c + 1,)
        Cluster i contains `polygons[offsets[i]:offsets[i + 1]]`.
    selection : {"all", "first", "last"}
        All levels, or at most one: the first, or the one in which all marks overlap.

    Returns
    -------
    WalkedLevels
    """
    starts = np.asarray(offsets, dtype=np.int64)
    real = ~shapely.is_missing(polygons) & ~shapely.is_empty(polygons)
    if not np.all(real):
        starts = offsets_of(real)[starts]
        polygons = polygons[real]
    coordinates, rings, ring_starts = _flat_rings(polygons)
    marks = starts[1:] - starts[:-1]
    walkable = np.ones(len(marks), dtype=np.bool_)
    if marks.max(initial=0) > MANY_DUPLICATES:
        owner = np.repeat(np.arange(len(marks)), marks)
        walkable[owner[first_copies(polygons, owner) != np.arange(len(polygons))]] = False
    with np.errstate(all="ignore"):  # as in compiled code
        points, sizes, counts, areas, verified, may_have_holes, has_close_points = _walk_clusters(
            coordinates, rings, ring_starts, starts, walkable, selection == "first", selection == "last"
        )
    outlines = shapely.from_ragged_array(
        shapely.GeometryType.POLYGON, points, (offsets_of(sizes), np.arange(len(sizes) + 1))
    )
    if np.any(has_close_points):
        rounded = np.flatnonzero(np.repeat(has_close_points, counts))
        outlines[rounded] = with_valid_outlines(outlines[rounded])
    return WalkedLevels(outlines, offsets_of(counts), areas, verified, may_have_holes)


def _flat_rings(polygons: NDArray[Any]) -> tuple[Floats, Ints, Ints]:
    """Return coordinates, the offsets of rings, and the offsets of the rings of polygons, exterior first."""
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
    coordinates: Floats,
    rings: Ints,
    ring_starts: Ints,
    starts: Ints,
    walkable: Flags,
    first: bool,
    last: bool,
) -> tuple[Floats, Ints, Ints, Floats, Flags, Flags, Flags]:
    """Walk one cluster after the other.

    Returns points; sizes of levels; for each cluster the number of levels; areas of levels; for each cluster
    whether it is verified, may have holes, and may have an outline that crosses itself by rounding.
    """
    clusters = len(starts) - 1
    points = np.empty((len(coordinates) + 16, 2))
    # No cluster has more levels than marks.
    sizes, areas = np.empty(len(ring_starts), np.int64), np.empty(len(ring_starts))
    counts = np.zeros(clusters, np.int64)
    verified, may_have_holes = np.zeros(clusters, np.bool_), np.zeros(clusters, np.bool_)
    has_close_points = np.zeros(clusters, np.bool_)
    n = k = 0
    for c in range(clusters):
        marks = starts[c + 1] - starts[c]
        if marks == 0:
            verified[c] = True
            continue
        if not walkable[c]:
            continue
        outlines = load_outlines(coordinates, rings, ring_starts[starts[c] : starts[c + 1] + 1])
        if not outlines.sound:
            continue
        arcs = cut_into_arcs(outlines, find_crossings(outlines))
        if not arcs.sound:
            continue
        alive = np.ones(len(arcs.node), np.bool_)
        if not resolve_contacts(outlines, arcs, alive):
            continue
        curves = trace_curves(outlines, arcs, alive)
        if not adds_up(curves, outlines.area, marks):
            continue
        levels = (1, 1) if first else (marks if last else 1, marks)
        points = with_room(points, n, room_for_all(arcs))
        counts[c], may_have_holes[c] = write_levels(
            outlines, arcs, curves, levels, points[n:], sizes[k:], areas[k:]
        )
        verified[c], has_close_points[c] = True, arcs.has_close_points
        for _ in range(counts[c]):
            n += sizes[k]
            k += 1
    return points[:n], sizes[:k], counts, areas[:k], verified, may_have_holes, has_close_points
