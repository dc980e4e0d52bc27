"""Agreement contours: level k is the largest part of the region where at least k marks overlap, holes filled.

Areas that share an edge are one part, areas that touch in a point are two; what would meet but for rounding
meets (see `noding`). The `levels` are traced along the arcs of the `arrangement`, which tells the largest
part where no holes or ties are in the way; else GEOS polygonizes the level (`polygonized`). An outline that a
cluster holds many times is worked on once, and levels that are equal for that reason are one polygon. A
cluster in which a check fails is worked on again with a longer reach.
"""

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from polyframe.core.arrays import Flags, Ints
from polyframe.core.ragged import offsets_of, runs_of_equal
from polyframe.geometry.arrangement import Arrangement, build_arrangement
from polyframe.geometry.compiled.numba_jit import compile_loops
from polyframe.geometry.duplicate_outlines import first_copies
from polyframe.geometry.level_polygonizing import polygonize_levels
from polyframe.geometry.level_tracing import levels_of, ranked_depths, trace_levels
from polyframe.geometry.noding import REACH
from polyframe.geometry.polygon_parts import fill_holes, largest_with_area, with_valid_outlines

if TYPE_CHECKING:
    from polyframe.geometry.compiled.depth_walk import WalkedLevels

#: Clusters are worked on together up to this many vertices, which bounds the memory.
_CHUNK_VERTICES = 100_000

#: The areas of all levels add up to the areas of all marks, up to this fraction of them.
_AREA_TOLERANCE = 1e-9

#: A cluster of so many arcs takes seconds to walk along where that is interpreted.
_MOST_INTERPRETED = 50_000

#: How much longer the reach is where a check failed, and where that ends (a ten-thousandth of a pixel or so).
_LONGER, _LONGEST = 2.0**6, 2.0**-20


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
    offsets: Ints


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
    first_copy = first_copies(marks, cluster)
    kept, weights = np.unique(first_copy, return_counts=True)
    marks, cluster = marks[kept], cluster[kept]

    vertices = np.bincount(cluster, weights=shapely.get_num_coordinates(marks), minlength=count)
    chunks = runs_of_equal(np.cumsum(vertices) // _CHUNK_VERTICES)
    levels, sizes = [np.empty(0, dtype=object)], [np.empty(0, dtype=np.int64)]
    times = [np.empty(0, dtype=np.int64)]
    for first, end in itertools.pairwise(chunks.tolist()):
        taken = slice(*np.searchsorted(cluster, [first, end]))
        found, owner, equal = _contours_together(
            marks[taken], cluster[taken] - first, weights[taken], end - first
        )
        levels.append(found)
        times.append(equal)
        sizes.append(np.bincount(owner, weights=equal, minlength=end - first).astype(np.int64))
    # In normal form the same outline has the same vertices whatever the order of the marks.
    flat = shapely.orient_polygons(shapely.normalize(fill_holes(np.concatenate(levels))))
    return ContourLevels(np.repeat(flat, np.concatenate(times)), offsets_of(np.concatenate(sizes)))


def _contours_together(
    marks: NDArray[Any], cluster: Ints, weights: Ints, count: int, reach: float = REACH
) -> tuple[NDArray[Any], Ints, Ints]:
    """Return the largest part of every level that differs from the one before, sorted by cluster and level.

    Also returns the cluster of each, and how many equal levels it stands for.
    """
    arrangement, heights = ranked_depths(
        build_arrangement(marks, cluster, count, weights, reach), weights, count
    )
    levels = levels_of(arrangement)
    traced = trace_levels(arrangement, levels)
    parts, areas = traced.outlines.copy(), traced.areas
    wrong = traced.failed | (levels.level != _rank_within(levels.cluster) + 1)

    doubtful = shapely.is_missing(parts) & ~wrong
    if np.any(doubtful):
        found, owner, lost = polygonize_levels(arrangement, levels, doubtful)
        areas = np.where(
            doubtful, np.bincount(owner, weights=shapely.area(found), minlength=len(areas)), areas
        )
        wrong |= lost
        found, owner = largest_with_area(found, owner)
        parts[owner] = found

    failed = arrangement.failed.copy()
    failed[levels.cluster[wrong]] = True
    equal = heights(levels.cluster, levels.level)
    drawn = np.bincount(cluster, weights=shapely.area(marks) * weights, minlength=count)
    together = np.bincount(levels.cluster, weights=areas * equal, minlength=count)
    failed |= np.abs(together - drawn) > _AREA_TOLERANCE * drawn

    sound = ~failed[levels.cluster] & ~shapely.is_missing(parts)
    parts, owner, level, equal = parts[sound], levels.cluster[sound], levels.level[sound], equal[sound]
    # A level whose parts are all rounding ends the stack.
    unbroken = level == _rank_within(owner) + 1
    parts, owner, equal = parts[unbroken], owner[unbroken], equal[unbroken]

    rounded = np.isin(owner, _blurred_clusters(arrangement))
    parts[rounded] = with_valid_outlines(fill_holes(parts[rounded]))

    uncertain = arrangement.doubtful | failed
    uncertain[levels.cluster[traced.blurred]] = True
    if not np.any(uncertain):
        return parts, owner, equal
    walked = _walk_some(marks, cluster, weights, uncertain, np.bincount(arrangement.cluster, minlength=count))
    answered = walked.proven | ~failed
    kept = ~walked.proven[owner]
    parts = np.concatenate([parts[kept], walked.polygons])
    equal = np.concatenate([equal[kept], np.ones(len(walked.polygons), dtype=np.int64)])
    owner = np.concatenate([owner[kept], np.repeat(np.arange(count), np.diff(walked.offsets))])
    if not np.all(answered) and reach < _LONGEST:
        again = np.flatnonzero(~answered)
        there = ~answered[cluster]
        among_lost = np.searchsorted(again, cluster[there])
        found, of_lost, times = _contours_together(
            marks[there], among_lost, weights[there], len(again), reach * _LONGER
        )
        parts, equal = np.concatenate([parts, found]), np.concatenate([equal, times])
        owner = np.concatenate([owner, again[of_lost]])
    order = np.argsort(owner, kind="stable")
    return parts[order], owner[order], equal[order]


def _blurred_clusters(arrangement: Arrangement) -> Ints:
    half = np.flatnonzero(arrangement.blurred[arrangement.nodes])
    return np.unique(arrangement.cluster[half % max(len(arrangement.cluster), 1)])


def _walk_some(
    marks: NDArray[Any], cluster: Ints, weights: Ints, chosen: Flags, arcs: Ints
) -> "WalkedLevels":
    """Walk along the outlines of some clusters, given how many arcs they have; the others are not proven.

    Nor are those in which outlines stand for several marks, and large ones where numba is not installed.
    """
    count = len(chosen)
    walkable = chosen & (np.bincount(cluster, weights=weights > 1, minlength=count) == 0)
    large = walkable & (arcs > _MOST_INTERPRETED)
    if np.any(large) and not compile_loops():
        walkable &= ~large
    from polyframe.geometry.compiled.depth_walk import walk_contours  # late: few clusters need it

    there = walkable[cluster]
    walked = walk_contours(marks[there], np.searchsorted(cluster[there], np.arange(count + 1)))
    return replace(walked, proven=walked.proven & walkable)


def uncertain_parts(parts: NDArray[Any], owner: Ints, count: int) -> Flags:
    """Say of which geometries only rounding says what is one part.

    Parameters
    ----------
    parts : ndarray of shapely.Polygon, shape (p,)
        Of geometries that GEOS has made.
    owner : ndarray of int64, shape (p,)
        The geometry that each belongs to, ascending.
    count : int
        The number of geometries.

    Returns
    -------
    ndarray of bool, shape (count,)
    """
    filled = ~shapely.is_empty(parts)
    arrangement = build_arrangement(parts[filled], owner[filled], count)
    levels = levels_of(arrangement)
    uncertain = arrangement.doubtful | arrangement.failed
    traced = trace_levels(arrangement, levels)
    uncertain[levels.cluster[traced.blurred | traced.failed]] = True
    return uncertain


def _rank_within(owner: Ints) -> Ints:
    """Number the members of each run of equal owners from 0."""
    return np.arange(len(owner)) - np.searchsorted(owner, owner, side="left")
