"""One polygon for a cluster: union, intersection, median or last; and its consensus.

The functions named `average_...` take one cluster; those named `cluster_...` and `median_and_consensus`
take all clusters at once, as flat arrays sorted by cluster with offsets, and give the same results.
"""

import datetime
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from polyframe.geometry._isolation import apply_isolated
from polyframe.geometry.distances import checked_matrix
from polyframe.geometry.parts import fill_holes, largest_parts, polygon_array
from polyframe.geometry.repeated import without_third_copies

#: Summed distances closer than this are a tie, so that rounding in an engine does not choose the median.
_TIE = 1e-12


def average_union(polygons: Iterable[shapely.Polygon | None]) -> shapely.Polygon:
    """Return the largest part of the union of polygons, holes filled.

    Parameters
    ----------
    polygons : iterable of n shapely.Polygon
        Valid. None and empty polygons add nothing. A single polygon is returned as it is.

    Returns
    -------
    shapely.Polygon
        Empty where there is nothing to unite.
    """
    marks = _without_missing(polygons)
    union: shapely.Polygon = cluster_unions(marks, [0, len(marks)])[0]
    return union


def average_intersection(polygons: Iterable[shapely.Polygon | None]) -> shapely.Polygon:
    """Return what all polygons have in common; of several parts the largest.

    Parameters
    ----------
    polygons : iterable of n shapely.Polygon
        Valid. None is left out; an empty polygon makes the result empty. A single polygon is returned as it
        is.

    Returns
    -------
    shapely.Polygon
        Empty where the polygons have no area in common, or there are none.
    """
    marks = _without_missing(polygons)
    intersection: shapely.Polygon = cluster_intersections(marks, [0, len(marks)])[0]
    return intersection


def average_median(
    polygons: Iterable[shapely.Polygon | None], matrix: ArrayLike | Iterable[ArrayLike]
) -> shapely.Polygon:
    """Return the polygon with the least summed IoU distance to the others.

    Parameters
    ----------
    polygons : iterable of n shapely.Polygon
    matrix : array_like of float, shape (n, n)
        Their IoU distances, as `iou_distance_matrix` gives them. Infinite distances count as 1.

    Returns
    -------
    shapely.Polygon
        The first on ties (sums within 1e-12).

    Raises
    ------
    ValueError
        Where the matrix is no distance matrix, or not one of that many polygons.
    """
    marks = polygon_array(polygons)
    distances = checked_matrix(matrix)
    if len(marks) != len(distances):
        raise ValueError(f"{len(marks)} polygons, but a matrix of {len(distances)}")
    sums = distances.sum(axis=0)
    median: shapely.Polygon = marks[np.flatnonzero(sums <= sums.min() + _TIE)[0]]
    return median


def average_last(polygons: Iterable[shapely.Polygon | None], created_at: Iterable[Any]) -> shapely.Polygon:
    """Return the polygon that was drawn last.

    Parameters
    ----------
    polygons : iterable of n shapely.Polygon
    created_at : iterable of n times
        ISO strings, Zooniverse strings (`2025-01-30 09:48:51 UTC`), datetimes or NumPy datetimes. Times
        without a zone are UTC.

    Returns
    -------
    shapely.Polygon
        The first on ties.

    Raises
    ------
    ValueError
        Where there are no polygons, the lengths differ, or a time cannot be read (its index is named).
    """
    marks = polygon_array(polygons)
    times = [_as_utc(index, time) for index, time in enumerate(created_at)]
    if len(marks) != len(times) or not len(marks):
        raise ValueError(f"{len(marks)} polygons and {len(times)} times; both must be the same and not 0")
    last: shapely.Polygon = marks[times.index(max(times))]
    return last


def cluster_unions(polygons: NDArray[Any], offsets: ArrayLike) -> NDArray[Any]:
    """Return `average_union` of each cluster.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Sorted by cluster.
    offsets : array_like of int, shape (c + 1,)
        Cluster i holds `polygons[offsets[i]:offsets[i + 1]]`.

    Returns
    -------
    ndarray of shapely.Polygon, shape (c,)
        Empty where a cluster holds nothing, or GEOS can unite it in no way.
    """
    polygons, starts = without_third_copies(polygons, np.asarray(offsets, dtype=np.int64))
    counts = np.diff(starts)
    unions = _first_members(polygons, starts)
    several = np.flatnonzero(counts > 1)
    if len(several):
        together = np.full(len(counts), None, dtype=object)
        shapely.multipolygons(polygons, indices=np.repeat(np.arange(len(counts)), counts), out=together)
        unions[several] = fill_holes(largest_parts(_overlay(_unite, together[several])))
    return unions


def cluster_intersections(polygons: NDArray[Any], offsets: ArrayLike) -> NDArray[Any]:
    """Return `average_intersection` of each cluster.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Sorted by cluster.
    offsets : array_like of int, shape (c + 1,)
        Cluster i holds `polygons[offsets[i]:offsets[i + 1]]`.

    Returns
    -------
    ndarray of shapely.Polygon, shape (c,)
        Empty where the marks of a cluster have nothing in common, or GEOS can intersect them in no way.
    """
    polygons, starts = without_third_copies(polygons, np.asarray(offsets, dtype=np.int64))
    counts = np.diff(starts)
    common = _first_members(polygons, starts)
    for member in range(1, counts.max(initial=1)):  # the next member of every cluster at once
        larger = np.flatnonzero((counts > member) & ~shapely.is_empty(common))
        common[larger] = _overlay(shapely.intersection, common[larger], polygons[starts[larger] + member])
    return largest_parts(common)


def median_and_consensus(
    offsets: ArrayLike, left: NDArray[np.int64], right: NDArray[np.int64], distances: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the median mark and the consensus of each cluster.

    Parameters
    ----------
    offsets : array_like of int, shape (c + 1,)
        Cluster i holds the marks at positions `offsets[i]` to `offsets[i + 1] - 1`; no cluster is empty.
    left, right : ndarray of int64, shape (p,)
        Pairs within a cluster, each once. Those left out have distance 1: marks that do not overlap, and
        marks of one classification, of which a cluster can hold too many to list their pairs.
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

    # Each mark's distances are added in the order of the other mark, as the columns of a matrix would be:
    # first those to the marks before it. Pairs in order need no copies; there can be a hundred million.
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
    least = np.minimum.reduceat(sums, starts[:-1])
    medians = np.flatnonzero(sums <= least[cluster] + _TIE)
    medians = medians[np.unique(cluster[medians], return_index=True)[1]]

    return medians, cluster_consensus(counts, cluster[low], finite)


def cluster_consensus(
    counts: NDArray[np.int64], cluster: NDArray[np.int64], distances: NDArray[np.float64]
) -> NDArray[np.float64]:
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
    consensus: NDArray[np.float64] = 1.0 - totals / np.maximum(pairs, 1)
    return consensus


def _without_missing(polygons: Iterable[shapely.Polygon | None]) -> NDArray[Any]:
    marks = polygon_array(polygons)
    present: NDArray[Any] = marks[~shapely.is_missing(marks)]
    return present


def _first_members(polygons: NDArray[Any], starts: NDArray[np.int64]) -> NDArray[Any]:
    first = np.full(len(starts) - 1, shapely.Polygon(), dtype=object)
    filled = starts[1:] > starts[:-1]
    first[filled] = polygons[starts[:-1][filled]]
    return first


def _unite(collections: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(shapely.union_all(collections[:, None], axis=1))


def _overlay(function: Callable[..., NDArray[Any]], *arrays: NDArray[Any]) -> NDArray[Any]:
    """Overlay whole arrays; what GEOS refuses is made valid and tried again, and else becomes empty."""
    results: NDArray[Any] = apply_isolated(function, *arrays, failed=None)
    refused = np.flatnonzero(shapely.is_missing(results))
    if len(refused):
        repaired = (apply_isolated(shapely.make_valid, array[refused], failed=None) for array in arrays)
        results[refused] = apply_isolated(function, *repaired, failed=None)
        results[shapely.is_missing(results)] = shapely.Polygon()
    return results


def _as_utc(index: int, time: Any) -> datetime.datetime:
    try:
        if isinstance(time, np.datetime64):
            time = time.astype("datetime64[us]").item()
        elif isinstance(time, str):
            time = datetime.datetime.fromisoformat(time.strip().removesuffix("UTC").rstrip())
        if time.tzinfo is None:
            return time.replace(tzinfo=datetime.UTC)  # type: ignore[no-any-return]
        return time.astimezone(datetime.UTC)  # type: ignore[no-any-return]
    except (AttributeError, ValueError, TypeError) as error:
        raise ValueError(f"created_at {index}: {time!r} is no time") from error
