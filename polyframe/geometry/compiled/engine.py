"""The compiled engine for contours, unions and intersections; needs the extra `fast` (numba).

It walks along outlines (see `walk`). A cluster in which the walk does not prove itself is handed to
`contours` and `averages`.
"""

from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from polyframe.core.arrays import Flags, Ints
from polyframe.core.ragged import offsets_of
from polyframe.geometry.averages import cluster_intersections, cluster_unions
from polyframe.geometry.compiled.depth_walk import LevelSelection, walk_contours
from polyframe.geometry.duplicate_outlines import without_third_copies
from polyframe.geometry.exact_contours import ContourLevels, cluster_contours


def compiled_cluster_contours(polygons: NDArray[Any], offsets: ArrayLike) -> ContourLevels:
    """Return the contours of many clusters, as `contours.cluster_contours` gives them.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Valid, sorted by cluster. None and empty polygons add nothing.
    offsets : array_like of int, shape (c + 1,)
        Cluster i holds `polygons[offsets[i]:offsets[i + 1]]`.

    Returns
    -------
    ContourLevels
        The vertices are the same but for rounding.
    """
    walked = walk_contours(polygons, offsets)
    if np.all(walked.proven):
        return ContourLevels(walked.polygons, walked.offsets)
    members, starts, lost = _clusters(polygons, offsets, ~walked.proven)
    answered = cluster_contours(members, starts)
    owner = np.repeat(np.arange(len(walked.proven)), np.diff(walked.offsets))
    owner = np.concatenate([owner, np.repeat(lost, np.diff(answered.offsets))])
    order = np.argsort(owner, kind="stable")
    return ContourLevels(
        np.concatenate([walked.polygons, answered.polygons])[order],
        np.searchsorted(owner[order], np.arange(len(walked.proven) + 1)),
    )


def compiled_cluster_unions(polygons: NDArray[Any], offsets: ArrayLike) -> NDArray[Any]:
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
    return _averages(polygons, offsets, "first")


def compiled_cluster_intersections(polygons: NDArray[Any], offsets: ArrayLike) -> NDArray[Any]:
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
    return _averages(polygons, offsets, "last")


def _averages(polygons: NDArray[Any], offsets: ArrayLike, selection: LevelSelection) -> NDArray[Any]:
    polygons, starts = without_third_copies(polygons, np.asarray(offsets, dtype=np.int64))
    counts = np.diff(starts)
    averages = np.full(len(counts), shapely.Polygon(), dtype=object)
    averages[counts == 1] = polygons[starts[:-1][counts == 1]]
    walk = walk_contours(polygons, starts, selection)
    proven = walk.proven
    if (
        selection == "last"
    ):  # an empty mark has nothing in common with any; holes are part of what is in common
        empty = shapely.is_missing(polygons) | shapely.is_empty(polygons)
        proven = proven & ~walk.holed & (np.add.reduceat(np.append(empty, False), starts)[:-1] == 0)
    levels = np.diff(walk.offsets)
    walked = proven & (counts > 1)
    averages[walked & (levels > 0)] = walk.polygons[np.repeat(walked & (levels > 0), levels)]
    if not np.all(walked | (counts <= 1)):
        members, begins, lost = _clusters(polygons, starts, ~walked & (counts > 1))
        answer = cluster_unions if selection == "first" else cluster_intersections
        averages[lost] = answer(members, begins)
    return averages


def _clusters(polygons: NDArray[Any], offsets: ArrayLike, chosen: Flags) -> tuple[NDArray[Any], Ints, Ints]:
    """Return the members of some clusters, their offsets, and which clusters these are."""
    bounds = np.asarray(offsets, dtype=np.int64)
    counts = bounds[1:] - bounds[:-1]
    starts = offsets_of(counts[chosen])
    return polygons[np.repeat(chosen, counts)], starts, np.flatnonzero(chosen)
