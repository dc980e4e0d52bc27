"""Compute agreement contours: level k is the largest part of the region where at least k marks overlap.

Areas that share an edge are one part; areas that touch in a point are two. Points that differ only by
rounding are the same (see `noding`). The levels of the planar arrangement of a cluster's outlines are traced
along their arcs (`level_tracing`); if holes or ties matter for which part is the largest, GEOS polygonizes
the level instead (`level_polygonizing`). If rounding decides what is one part, or a check fails, the cluster
is computed again by the depth walk, which is exact, or else with a larger tolerance.

An outline that a cluster contains many times is processed once, and its equal levels are one polygon.

References
----------
M. de Berg, O. Cheong, M. van Kreveld and M. Overmars, "Computational Geometry: Algorithms and Applications",
3rd edition (2008), chapter 2: overlays of planar subdivisions.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from polyframe.core.arrays import Flags, Ints
from polyframe.core.errors import UsageError
from polyframe.core.extras import install_command
from polyframe.core.ragged import offsets_of, runs_of_equal
from polyframe.core.task_reports import in_pieces
from polyframe.geometry.arrangement import Arrangement, build_arrangement
from polyframe.geometry.compiled.numba_jit import load
from polyframe.geometry.duplicate_outlines import MANY_DUPLICATES, first_copies
from polyframe.geometry.level_polygonizing import polygonize_levels
from polyframe.geometry.level_rings import LevelRings, rings_from_polygons
from polyframe.geometry.level_tracing import levels_of, ranked_depths, trace_levels
from polyframe.geometry.noding import SNAP_TOLERANCE
from polyframe.geometry.polygon_parts import fill_holes, largest_with_area, with_valid_outlines

if TYPE_CHECKING:
    from polyframe.geometry.compiled.depth_walk import WalkedLevels

#: Clusters are processed together up to this many vertices and crossings, to bound the memory and to stay in
#: the caches; two marks of a cluster are taken to cross four times.
_CHUNK_POINTS = 30_000

#: The arrangement of a cluster with more marks times vertices, different outlines only, would take hours and
#: many gigabytes: 1,150 marks of 300 vertices have more.
_MOST_ARRANGED = 3 << 27

#: The areas of all levels must add up to the areas of all marks, within this fraction.
_AREA_TOLERANCE = 1e-9

#: With more arcs than this, the depth walk of a cluster takes seconds if it is interpreted.
_MOST_INTERPRETED = 50_000

#: The factor by which the snap tolerance grows after a failed check, and where that ends (about a
#: ten-thousandth of a pixel).
_TOLERANCE_GROWTH, _LARGEST_TOLERANCE = 2.0**6, 2.0**-20

#: What GEOS is to compute, and what to choose instead for a cluster that is too large.
_FOR_CONTOURS = "exact contours", "--contour-method raster"
_FOR_MAJORITY = "a majority outline", "another --average"


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


@dataclass(frozen=True)
class _DistinctLevels:
    """The levels of many clusters, equal ones once, sorted by cluster and level.

    Attributes
    ----------
    polygons : ndarray of shapely.Polygon, shape (k,)
    cluster : ndarray of int64, shape (k,)
    repeats : ndarray of int64, shape (k,)
        How many equal levels each polygon represents.
    top : ndarray of int64, shape (k,)
        The number of the last of these levels.
    """

    polygons: NDArray[Any]
    cluster: Ints
    repeats: Ints
    top: Ints


_NO_LEVELS = _DistinctLevels(np.empty(0, dtype=object), *np.empty((3, 0), dtype=np.int64))


def cluster_contours(polygons: NDArray[Any], offsets: ArrayLike) -> ContourLevels:
    """Return the agreement contours of many clusters, each as `contours` returns them.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Valid, sorted by cluster. None and empty polygons are ignored.
    offsets : array_like of int, shape (c + 1,)
        Cluster i contains `polygons[offsets[i]:offsets[i + 1]]`.

    Returns
    -------
    ContourLevels

    Raises
    ------
    UsageError
        If a cluster is too large: before any work, since it would take hours.
    """
    starts = np.asarray(offsets, dtype=np.int64)
    levels = _levels_of_clusters(polygons, starts, np.ones(len(polygons), dtype=np.int64), _FOR_CONTOURS)
    sizes = np.bincount(levels.cluster, weights=levels.repeats, minlength=len(starts) - 1).astype(np.int64)
    return ContourLevels(np.repeat(_in_normal_form(levels.polygons), levels.repeats), offsets_of(sizes))


def cluster_levels(polygons: NDArray[Any], offsets: ArrayLike, weights: Ints, numbers: Ints) -> NDArray[Any]:
    """Return one level of each cluster, if marks have weights.

    Parameters
    ----------
    polygons, offsets
        As for `cluster_contours`.
    weights : ndarray of int64, shape (n,)
        How many marks each polygon counts as, at least 1.
    numbers : ndarray of int64, shape (c,)
        The number of the level of each cluster, from 1.

    Returns
    -------
    ndarray of shapely.Polygon, shape (c,)
        Like those of `cluster_contours`; empty if a cluster has no such level.

    Raises
    ------
    UsageError
        If a cluster is too large: before any work, since it would take hours.
    """
    starts = np.asarray(offsets, dtype=np.int64)
    levels = _levels_of_clusters(polygons, starts, weights, _FOR_MAJORITY, numbers)
    chosen = np.flatnonzero(_are_wanted(levels.cluster, levels.repeats, levels.top, numbers))
    outlines = np.full(len(numbers), shapely.Polygon(), dtype=object)
    outlines[levels.cluster[chosen]] = _in_normal_form(levels.polygons[chosen])
    return outlines


def _in_normal_form(polygons: NDArray[Any]) -> NDArray[Any]:
    """Return polygons without holes, with the same vertices whatever the order of the marks."""
    return np.asarray(shapely.orient_polygons(shapely.normalize(fill_holes(polygons))), dtype=object)


def _are_wanted(cluster: Ints, repeats: Ints, top: Ints, numbers: Ints) -> Flags:
    """Return which runs of equal levels contain the level of their cluster with a given number."""
    number = numbers[cluster]
    return np.asarray((top - repeats < number) & (number <= top))


def _levels_of_clusters(
    polygons: NDArray[Any],
    starts: Ints,
    weights: Ints,
    purpose: tuple[str, str],
    numbers: Ints | None = None,
) -> _DistinctLevels:
    """Return the levels of all clusters, some clusters at a time.

    If only one level of each cluster is needed, by its number, others may be missing. `_check_size` describes
    `purpose`.
    """
    count = len(starts) - 1
    cluster = np.repeat(np.arange(count), np.diff(starts))
    present = ~shapely.is_missing(polygons) & ~shapely.is_empty(polygons)
    marks, cluster, weights = polygons[present], cluster[present], weights[present]
    distinct, copy_of = np.unique(first_copies(marks, cluster), return_inverse=True)
    marks, cluster = marks[distinct], cluster[distinct]
    weights = np.bincount(copy_of, weights=weights, minlength=len(distinct)).astype(np.int64)

    points = np.bincount(cluster, weights=shapely.get_num_coordinates(marks), minlength=count)
    _check_size(np.bincount(cluster, minlength=count), points, *purpose)
    points += 2 * np.bincount(cluster, minlength=count) ** 2
    chunks = runs_of_equal(np.cumsum(points) // _CHUNK_POINTS)
    results = [_NO_LEVELS]
    for first, end in in_pieces(chunks.tolist(), "contours"):
        part = slice(*np.searchsorted(cluster, [first, end]))
        wanted = None if numbers is None else numbers[first:end]
        levels = _distinct_levels(marks[part], cluster[part] - first, weights[part], end - first, wanted)
        results.append(replace(levels, cluster=levels.cluster + first))
    return _combine(results)


def _check_size(marks: Ints, vertices: NDArray[Any], what: str, instead: str) -> None:
    """Raise a UsageError if a cluster is too large for what GEOS is to compute; say what to do instead."""
    too_large = np.flatnonzero(marks * vertices > _MOST_ARRANGED)
    if len(too_large):
        largest = too_large[np.argmax(marks[too_large] * vertices[too_large])]
        raise UsageError(
            f"a cluster of {marks[largest]:,} marks with {int(vertices[largest]):,} vertices is too large "
            f"for {what} with GEOS: choose --engine compiled ({install_command('fast')}), or {instead}"
        )


def cluster_contour_rings(
    polygons: NDArray[Any], offsets: ArrayLike, max_levels: int | None = None
) -> LevelRings:
    """Return `cluster_contours` as flat rings, of at most `max_levels` levels per cluster, evenly spaced."""
    levels = cluster_contours(polygons, offsets)
    return rings_from_polygons(levels.polygons, levels.offsets, max_levels)


def _distinct_levels(
    marks: NDArray[Any],
    cluster: Ints,
    weights: Ints,
    count: int,
    numbers: Ints | None,
    tolerance: float = SNAP_TOLERANCE,
) -> _DistinctLevels:
    """Return the largest part of every level that differs from the level before, or only of wanted ones."""
    levels, uncertain, failed, arcs = _levels_on_arrangement(
        marks, cluster, weights, count, numbers, tolerance
    )
    if not np.any(uncertain):
        return levels
    walked = _walk_some(marks, cluster, weights, uncertain, arcs)
    owner = np.repeat(np.arange(count), np.diff(walked.offsets))
    walked_levels = _DistinctLevels(
        walked.polygons, owner, np.ones(len(owner), dtype=np.int64), _rank_within(owner) + 1
    )
    results = [_select(levels, ~walked.verified[levels.cluster]), walked_levels]
    lost = np.flatnonzero(failed & ~walked.verified)
    if len(lost) and tolerance < _LARGEST_TOLERANCE:
        lost_marks = np.isin(cluster, lost)
        again = _distinct_levels(
            marks[lost_marks],
            np.searchsorted(lost, cluster[lost_marks]),
            weights[lost_marks],
            len(lost),
            None if numbers is None else numbers[lost],
            tolerance * _TOLERANCE_GROWTH,
        )
        results.append(replace(again, cluster=lost[again.cluster]))
    return _combine(results)


def _levels_on_arrangement(
    marks: NDArray[Any],
    cluster: Ints,
    weights: Ints,
    count: int,
    numbers: Ints | None,
    tolerance: float,
) -> tuple[_DistinctLevels, Flags, Flags, Ints]:
    """Return levels from the arrangement of the outlines, with the state of each cluster.

    Also returns for which clusters rounding decides what is one part or a check failed, for which a check
    failed (they have no levels), and the number of arcs of each cluster.
    """
    arrangement = build_arrangement(marks, cluster, count, weights, tolerance)
    arrangement, heights = ranked_depths(arrangement, weights, count)
    levels = levels_of(arrangement)
    repeats = heights(levels.cluster, levels.level)
    top = np.cumsum(repeats)
    top -= offsets_of(repeats)[np.searchsorted(levels.cluster, levels.cluster)]
    wanted = np.ones(len(repeats), dtype=np.bool_)
    if numbers is not None:
        wanted = _are_wanted(levels.cluster, repeats, top, numbers)
    traced = trace_levels(arrangement, levels, wanted)
    parts, areas = traced.outlines.copy(), traced.areas
    wrong = traced.failed | (levels.level != _rank_within(levels.cluster) + 1)

    doubtful = shapely.is_missing(parts) & ~wrong & wanted
    if np.any(doubtful):
        faces, owner, lost = polygonize_levels(arrangement, levels, doubtful)
        areas = np.where(
            doubtful, np.bincount(owner, weights=shapely.area(faces), minlength=len(areas)), areas
        )
        wrong |= lost
        faces, owner = largest_with_area(faces, owner)
        parts[owner] = faces

    failed = arrangement.failed.copy()
    failed[levels.cluster[wrong]] = True
    drawn = np.bincount(cluster, weights=shapely.area(marks) * weights, minlength=count)
    total = np.bincount(levels.cluster, weights=areas * repeats, minlength=count)
    failed |= np.abs(total - drawn) > _AREA_TOLERANCE * drawn

    usable = ~failed[levels.cluster] & ~shapely.is_missing(parts)
    if numbers is None:
        # A level whose parts are all within rounding is the end of its cluster's levels.
        usable[usable] = levels.level[usable] == _rank_within(levels.cluster[usable]) + 1
    parts, owner = parts[usable], levels.cluster[usable]
    rounded = np.isin(owner, _clusters_with_snapped_nodes(arrangement))
    parts[rounded] = with_valid_outlines(fill_holes(parts[rounded]))

    uncertain = arrangement.doubtful | failed
    uncertain[levels.cluster[traced.uncertain & wanted]] = True
    arcs = np.bincount(arrangement.cluster, minlength=count)
    return _DistinctLevels(parts, owner, repeats[usable], top[usable]), uncertain, failed, arcs


def _select(levels: _DistinctLevels, chosen: Flags) -> _DistinctLevels:
    return _DistinctLevels(
        levels.polygons[chosen], levels.cluster[chosen], levels.repeats[chosen], levels.top[chosen]
    )


def _combine(results: list[_DistinctLevels]) -> _DistinctLevels:
    """Return the levels of different clusters together, sorted by cluster."""
    cluster = np.concatenate([levels.cluster for levels in results])
    order = np.argsort(cluster, kind="stable")
    polygons = np.concatenate([levels.polygons for levels in results])[order]
    repeats = np.concatenate([levels.repeats for levels in results])[order]
    top = np.concatenate([levels.top for levels in results])[order]
    return _DistinctLevels(polygons, cluster[order], repeats, top)


def _clusters_with_snapped_nodes(arrangement: Arrangement) -> Ints:
    half_edges = np.flatnonzero(arrangement.snapped[arrangement.origin])
    return np.unique(arrangement.cluster[half_edges % max(len(arrangement.cluster), 1)])


def _walk_some(
    marks: NDArray[Any], cluster: Ints, weights: Ints, chosen: Flags, arcs: Ints
) -> "WalkedLevels":
    """Walk some clusters, of which the number of arcs is known; the others are not verified.

    Clusters with many duplicate outlines are not walked, nor are large ones: this engine never compiles, and
    its results do not depend on whether numba is installed.
    """
    count = len(chosen)
    copies = np.bincount(cluster, weights=weights - 1, minlength=count)
    walkable = chosen & (copies < MANY_DUPLICATES) & (arcs <= _MOST_INTERPRETED)
    selected = np.flatnonzero(walkable[cluster])
    selected = np.repeat(selected, weights[selected])
    walked: WalkedLevels = load("depth_walk").walk_contours(
        marks[selected], np.searchsorted(cluster[selected], np.arange(count + 1))
    )
    return replace(walked, verified=walked.verified & walkable)


def uncertain_parts(parts: NDArray[Any], owner: Ints, count: int) -> Flags:
    """Return for which geometries rounding decides what is one part.

    Parameters
    ----------
    parts : ndarray of shapely.Polygon, shape (p,)
        The parts of geometries that GEOS computed.
    owner : ndarray of int64, shape (p,)
        The geometry that each part belongs to, ascending.
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
    uncertain[levels.cluster[traced.uncertain | traced.failed]] = True
    return uncertain


def _rank_within(owner: Ints) -> Ints:
    """Number the members of each run of equal owners from 0."""
    return np.arange(len(owner)) - np.searchsorted(owner, owner, side="left")
