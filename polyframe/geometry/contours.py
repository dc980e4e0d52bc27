"""Agreement contours: level k is the largest part of the region where at least k marks overlap, holes filled.

An arc of the arrangement with depths d and e < d on its two sides bounds the levels e + 1 to d. So the arcs
of a level are picked by their depths, and GEOS polygonizes them into the level's parts and holes. Every arc
is used as often as it bounds a level, which is once where no outlines share a stretch. Areas that share an
edge are one part, areas that touch in a point are two. Where a check fails, `faces.counted_levels` answers
for that cluster.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from polyframe.geometry.arrangement import Arrangement, Bools, Ints, arrange
from polyframe.geometry.faces import counted_levels
from polyframe.geometry.parts import fill_holes, have_area, polygon_array
from polyframe.geometry.shared import row_hashes
from polyframe.runs import offsets_of, positions_of, runs_of_equal

#: Clusters are worked on together up to this many vertices, which bounds the memory.
_CHUNK_VERTICES = 250_000

#: The areas of all levels add up to the areas of all marks, up to this fraction of them.
_AREA_TOLERANCE = 1e-9


@dataclass(frozen=True)
class ContourLevels:
    """The contours of many clusters.

    Attributes
    ----------
    polygons : ndarray of shapely.Polygon, shape (k,)
        Sorted by cluster, then level; without holes, anticlockwise from the leftmost vertex.
    offsets : ndarray of int64, shape (c + 1,)
        Levels 1, 2, ... of cluster i are `polygons[offsets[i]:offsets[i + 1]]`.
    """

    polygons: NDArray[Any]
    offsets: NDArray[np.int64]


def contours(polygons: Iterable[shapely.Polygon | None]) -> list[shapely.Polygon]:
    """Return the agreement contours of one cluster.

    Parameters
    ----------
    polygons : iterable of n shapely.Polygon
        Valid. None and empty polygons add nothing.

    Returns
    -------
    list of shapely.Polygon
        Level k at index k - 1, until no area is left: the largest part (holes excluded, the leftmost on ties)
        of the region where at least k polygons overlap, then its holes filled. At most n levels; none for
        no polygons.
    """
    marks = polygon_array(polygons)
    return list(cluster_contours(marks, [0, len(marks)]).polygons)


def cluster_contours(polygons: NDArray[Any], offsets: ArrayLike) -> ContourLevels:
    """Return the agreement contours of many clusters, each as `contours` gives them.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Sorted by cluster.
    offsets : array_like of int, shape (c + 1,)
        Cluster i holds `polygons[offsets[i]:offsets[i + 1]]`.

    Returns
    -------
    ContourLevels
    """
    starts = np.asarray(offsets, dtype=np.int64)
    count = len(starts) - 1
    cluster = np.repeat(np.arange(count), np.diff(starts))
    real = ~shapely.is_missing(polygons) & ~shapely.is_empty(polygons)
    marks, cluster = polygons[real], cluster[real]

    vertices = np.bincount(cluster, weights=shapely.get_num_coordinates(marks), minlength=count)
    chunks = runs_of_equal(np.cumsum(vertices) // _CHUNK_VERTICES)
    levels, sizes = [np.empty(0, dtype=object)], [np.empty(0, dtype=np.int64)]
    for first, end in itertools.pairwise(chunks.tolist()):
        taken = slice(*np.searchsorted(cluster, [first, end]))
        found, owner = _contours_together(marks[taken], cluster[taken] - first, end - first)
        levels.append(found)
        sizes.append(np.bincount(owner, minlength=end - first))
    # In normal form the same outline has the same vertices whatever the order of the marks.
    flat = shapely.orient_polygons(shapely.normalize(fill_holes(np.concatenate(levels))))
    return ContourLevels(flat, offsets_of(np.concatenate(sizes)))


def _contours_together(marks: NDArray[Any], cluster: Ints, count: int) -> tuple[NDArray[Any], Ints]:
    """Return the largest part of every level, sorted by cluster and level, and the cluster of each."""
    arrangement = arrange(marks, cluster, count)
    parts, owner, level, failed = _level_parts(arrangement)
    areas = shapely.area(parts)
    drawn = np.bincount(cluster, weights=shapely.area(marks), minlength=count)
    found = np.bincount(owner, weights=areas, minlength=count)
    failed |= np.abs(found - drawn) > _AREA_TOLERANCE * drawn

    solid = have_area(parts) & ~failed[owner]
    parts, owner, level, areas = parts[solid], owner[solid], level[solid], areas[solid]
    leftmost, lowest = shapely.bounds(parts)[:, :2].T
    order = np.lexsort((lowest, leftmost, -areas, level, owner))
    changes = np.diff(owner[order], prepend=-1) | np.diff(level[order], prepend=-1)
    largest = order[changes != 0]
    parts, owner, level = parts[largest], owner[largest], level[largest]
    # A level whose parts are all rounding ends the stack.
    unbroken = level == _rank_within(owner) + 1
    parts, owner = parts[unbroken], owner[unbroken]

    for lost in np.flatnonzero(failed):
        levels = counted_levels(marks[cluster == lost])
        levels = levels[np.logical_and.accumulate(have_area(levels))]
        at = np.searchsorted(owner, lost)
        parts, owner = np.insert(parts, at, levels), np.insert(owner, at, np.full(len(levels), lost))
    return parts, owner


def _level_parts(arrangement: Arrangement) -> tuple[NDArray[Any], Ints, Ints, Bools]:
    """Polygonize the arcs of every level; return the parts with their cluster and level, and what failed."""
    left, right, failed = arrangement.left, arrangement.right, arrangement.failed.copy()
    usable = np.flatnonzero(~failed[arrangement.cluster])
    bounded = np.abs(left - right)[usable]
    arc = np.repeat(usable, bounded)
    level = np.minimum(left, right)[arc] + 1 + positions_of(0, bounded)
    order = np.lexsort((level, arrangement.cluster[arc]))
    arc, level = arc[order], level[order]
    owner = arrangement.cluster[arc]
    changes = (np.diff(owner, prepend=-1) != 0) | (np.diff(level, prepend=-1) != 0)
    stack = np.cumsum(changes) - 1
    owner, level = owner[changes], level[changes]
    failed[owner[level != _rank_within(owner) + 1]] = True

    lines = np.full(len(owner), None, dtype=object)
    shapely.multilinestrings(arrangement.arcs[arc], indices=stack, out=lines)
    parts, part_stack = shapely.get_parts(shapely.polygonize(lines[:, None]), return_index=True)
    owner, level = owner[part_stack], level[part_stack]
    rings = shapely.get_exterior_ring(parts)
    half = _leaving_arc(arrangement, rings, owner)
    failed[owner[half < 0]] = True
    along = half % max(len(left), 1)
    inside_is_left = (left[along] > right[along]) == (half < len(left))
    inside = (half >= 0) & (inside_is_left == shapely.is_ccw(rings))
    return parts[inside], owner[inside], level[inside], failed


def _rank_within(owner: Ints) -> Ints:
    """Number the members of each run of equal owners from 0."""
    return np.arange(len(owner)) - np.searchsorted(owner, owner, side="left")


def _leaving_arc(arrangement: Arrangement, rings: NDArray[Any], owner: Ints) -> Ints:
    """Return with which row of `arrangement.ends` each ring begins; -1 where there is none.

    A polygonized ring begins at a node, so its first two points are those of an arc leaving that node.
    """
    coordinates, ring = shapely.get_coordinates(rings, return_index=True)
    first = np.searchsorted(ring, np.arange(len(rings)))
    wanted = np.column_stack([coordinates[first], coordinates[first + 1]]) + 0.0
    known = row_hashes(arrangement.ends, np.tile(arrangement.cluster, 2))
    order = np.argsort(known)
    found = order[np.minimum(np.searchsorted(known[order], row_hashes(wanted, owner)), len(order) - 1)]
    same = np.all(arrangement.ends[found] == wanted, axis=1)
    same &= arrangement.cluster[found % len(arrangement.arcs)] == owner
    return np.where(same, found, -1)
