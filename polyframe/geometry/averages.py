"""Compute one polygon for each cluster (union, intersection or median) and its consensus.

The functions process all clusters at once, as flat arrays sorted by cluster, with offsets. The functions of
`single_cluster` named `average_...` give the same results for one cluster.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import offsets_of, positions_of, runs_of_equal
from polyframe.geometry.compiled.numba_jit import load
from polyframe.geometry.duplicate_outlines import keep_two_copies
from polyframe.geometry.exact_contours import cluster_contours, uncertain_parts
from polyframe.geometry.isolate_failures import apply_isolated
from polyframe.geometry.polygon_parts import (
    TIE,
    extract_polygons,
    fill_holes,
    largest_parts,
    largest_with_area,
)

#: If the largest part is smaller than the union by at most this fraction, the union is one part.
_ROUNDING = 1e-9

#: With more marks times vertices than this, the depth walk of a cluster takes seconds if it is interpreted.
_MOST_INTERPRETED = 1_000_000


def cluster_unions(polygons: NDArray[Any], offsets: ArrayLike) -> NDArray[Any]:
    """Return `average_union` of each cluster.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Sorted by cluster.
    offsets : array_like of int, shape (c + 1,)
        Cluster i contains `polygons[offsets[i]:offsets[i + 1]]`.

    Returns
    -------
    ndarray of shapely.Polygon, shape (c,)
        Empty if a cluster has no marks, or if GEOS fails to unite them.
    """
    polygons, starts = keep_two_copies(polygons, np.asarray(offsets, dtype=np.int64))
    counts = np.diff(starts)
    unions = _first_members(polygons, starts)
    several = np.flatnonzero(counts > 1)
    if len(several):
        together = np.full(len(counts), None, dtype=object)
        shapely.multipolygons(polygons, indices=np.repeat(np.arange(len(counts)), counts), out=together)
        united = _overlay(_unite, together[several])
        largest = largest_parts(united)
        unions[several] = fill_holes(largest)
        whole = shapely.area(largest) >= (1 - _ROUNDING) * shapely.area(united)
        doubtful = several[~(whole & _are_one_part(polygons, starts, several))]
        if len(doubtful):
            members = positions_of(starts[:-1][doubtful], counts[doubtful])
            levels = cluster_contours(polygons[members], offsets_of(counts[doubtful]))
            unions[doubtful] = shapely.Polygon()
            filled = np.diff(levels.offsets) > 0
            unions[doubtful[filled]] = levels.polygons[levels.offsets[:-1][filled]]
    return unions


def cluster_intersections(polygons: NDArray[Any], offsets: ArrayLike) -> NDArray[Any]:
    """Return `average_intersection` of each cluster.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Sorted by cluster.
    offsets : array_like of int, shape (c + 1,)
        Cluster i contains `polygons[offsets[i]:offsets[i + 1]]`.

    Returns
    -------
    ndarray of shapely.Polygon, shape (c,)
        Empty if the marks of a cluster have no area in common, or if GEOS fails to intersect them.
    """
    polygons, starts = keep_two_copies(polygons, np.asarray(offsets, dtype=np.int64))
    counts = np.diff(starts)
    common = _first_members(polygons, starts)
    for member in range(1, counts.max(initial=1)):  # the next member of every cluster at once
        larger = np.flatnonzero((counts > member) & ~shapely.is_empty(common))
        common[larger] = _overlay(shapely.intersection, common[larger], polygons[starts[larger] + member])
    several = np.flatnonzero(counts > 1)
    common[several] = _largest_common_parts(common[several], polygons, starts, several)
    return largest_parts(common)


def median_and_consensus(
    offsets: ArrayLike, left: Ints, right: Ints, distances: Floats
) -> tuple[Ints, Floats]:
    """Return the median mark and the consensus of each cluster.

    Parameters
    ----------
    offsets : array_like of int, shape (c + 1,)
        Cluster i contains the marks at positions `offsets[i]` to `offsets[i + 1] - 1`; no cluster is empty.
    left, right : ndarray of int64, shape (p,)
        Pairs within a cluster, each once. Pairs that are not listed have distance 1: marks that do not
        overlap, and marks of one classification, whose pairs can be too many to list.
    distances : ndarray of float64, shape (p,)
        Their IoU distances. Infinite distances count as 1.

    Returns
    -------
    medians : ndarray of int64, shape (c,)
        Position of the mark with the least summed distance, the first on ties (sums within 1e-12).
    consensus : ndarray of float64, shape (c,)
        1 - mean distance; 1 for a cluster of one.
    """
    starts = np.asarray(offsets, dtype=np.int64)
    counts = np.diff(starts)
    if not len(counts):
        return np.empty(0, dtype=np.int64), np.empty(0)
    cluster = np.repeat(np.arange(len(counts)), counts)
    finite = np.where(np.isposinf(distances), 1.0, distances)

    # The distances of a mark are summed in the order of the other marks, like the columns of a matrix. Pairs
    # that are sorted already need no copies; there can be a hundred million of them.
    low, high = np.minimum(left, right), np.maximum(left, right)
    if np.any((low[1:] < low[:-1]) | ((low[1:] == low[:-1]) & (high[1:] < high[:-1]))):
        order = np.lexsort((high, low))
        low, high, finite = low[order], high[order], finite[order]
    sums = np.zeros(starts[-1])
    np.add.at(sums, high, finite)
    np.add.at(sums, low, finite)
    sums += (
        (counts - 1)[cluster]
        - np.bincount(low, minlength=starts[-1])
        - np.bincount(high, minlength=starts[-1])
    )
    return first_with_least_sum(sums, starts), cluster_consensus(counts, cluster[low], finite)


def first_with_least_sum(sums: Floats, offsets: Ints) -> Ints:
    """Return the median mark of each cluster, by the summed distances of the marks.

    Parameters
    ----------
    sums : (m,) float64
        Of each member, sorted by cluster.
    offsets : (c + 1,) int64
        Members of each cluster; no cluster is empty.

    Returns
    -------
    (c,) int64
        The first member with the least sum, or one that is larger by no more than 1e-12.
    """
    if len(offsets) < 2:
        return np.empty(0, dtype=np.int64)
    cluster = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    least = np.minimum.reduceat(sums, offsets[:-1])
    medians = np.flatnonzero(sums <= np.repeat(least + TIE, np.diff(offsets)))
    return medians[runs_of_equal(cluster[medians])[:-1]]


def cluster_consensus(counts: Ints, cluster: Ints, distances: Floats) -> Floats:
    """Return the consensus of each cluster: 1 - mean IoU distance of its pairs.

    Parameters
    ----------
    counts : (c,) int64
        Members of each cluster.
    cluster : (p,) int64
        The cluster of each pair of members; pairs that are not listed have distance 1.
    distances : (p,) float64
        Their distances, fractions.

    Returns
    -------
    (c,) float64
        0..1; 1.0 for a cluster of one.
    """
    pairs = counts * (counts - 1) // 2
    totals = np.bincount(cluster, weights=distances, minlength=len(counts))
    totals += pairs - np.bincount(cluster, minlength=len(counts))
    consensus: Floats = 1.0 - totals / np.maximum(pairs, 1)
    return consensus


def _first_members(polygons: NDArray[Any], starts: Ints) -> NDArray[Any]:
    first = np.full(len(starts) - 1, shapely.Polygon(), dtype=object)
    filled = starts[1:] > starts[:-1]
    first[filled] = polygons[starts[:-1][filled]]
    return first


def _are_one_part(polygons: NDArray[Any], starts: Ints, clusters: Ints) -> Flags:
    """Return for which clusters the union is certainly one part: those in which each mark overlaps the first.

    Two marks overlap if one contains an interior point of the other. If they only touch, rounding decides
    whether GEOS joins them.
    """
    counts = np.diff(starts)[clusters]
    members, first = positions_of(starts[:-1][clusters], counts), np.repeat(starts[:-1][clusters], counts)
    inside = shapely.point_on_surface(polygons[members])
    of_first = np.repeat(inside[offsets_of(counts)[:-1]], counts)
    overlaps = shapely.contains_properly(polygons[members], of_first)
    rest = np.flatnonzero(~overlaps)
    overlaps[rest] = shapely.contains_properly(polygons[first[rest]], inside[rest])
    return np.logical_and.reduceat(overlaps, offsets_of(counts)[:-1])


def _largest_common_parts(
    intersections: NDArray[Any], polygons: NDArray[Any], starts: Ints, clusters: Ints
) -> NDArray[Any]:
    """Return the largest part of each intersection that GEOS computed, the leftmost on ties.

    If rounding decides what is one part, the result of the depth walk is used instead, which is exact, except
    for large clusters: interpreted, it would take too long.
    """
    parts, owner = extract_polygons(intersections)
    largest, owners = largest_with_area(parts, owner)
    chosen = np.full(len(intersections), shapely.Polygon(), dtype=object)
    chosen[owners] = largest
    uncertain = uncertain_parts(parts, owner, len(intersections))
    counts = np.diff(starts)[clusters]
    vertices = offsets_of(shapely.get_num_coordinates(polygons))[starts]
    uncertain &= counts * np.diff(vertices)[clusters] <= _MOST_INTERPRETED
    if np.any(uncertain):
        counts = np.where(uncertain, counts, 0)
        members = positions_of(starts[:-1][clusters], counts)
        walked = load("depth_walk").walk_contours(polygons[members], offsets_of(counts), counts)
        exact = np.flatnonzero(uncertain & walked.verified & ~walked.may_have_holes)
        levels = np.diff(walked.offsets)
        chosen[exact] = shapely.Polygon()
        exact = exact[levels[exact] > 0]
        chosen[exact] = walked.polygons[walked.offsets[exact]]
    return chosen


def _unite(collections: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(shapely.union_all(collections[:, None], axis=1))


def _overlay(function: Callable[..., NDArray[Any]], *arrays: NDArray[Any]) -> NDArray[Any]:
    """Overlay whole arrays; if GEOS fails, try again after `make_valid`, or else return an empty polygon."""
    results: NDArray[Any] = apply_isolated(function, *arrays, failed=None)
    failures = np.flatnonzero(shapely.is_missing(results))
    if len(failures):
        repaired = (apply_isolated(shapely.make_valid, array[failures], failed=None) for array in arrays)
        results[failures] = apply_isolated(function, *repaired, failed=None)
        results[shapely.is_missing(results)] = shapely.Polygon()
    return results
