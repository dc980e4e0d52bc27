"""Compute contours and averages with the compiled depth walk: the engine `compiled`.

Clusters that the walk cannot verify are computed by GEOS instead: see `exact_contours`, `averages` and
`majority_outlines`.
"""

from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from polyframe.core.arrays import Flags, Ints
from polyframe.core.ragged import offsets_of
from polyframe.geometry.averages import cluster_intersections, cluster_unions
from polyframe.geometry.compiled.depth_walk import KnownCrossings, walk_contours
from polyframe.geometry.duplicate_outlines import keep_two_copies
from polyframe.geometry.exact_contours import ContourLevels, cluster_contour_rings
from polyframe.geometry.level_rings import LevelRings, replace_clusters
from polyframe.geometry.majority_outlines import MajorityMarks, level_with_geos, majority_marks

#: A union or intersection of a cluster with more marks times vertices is computed by GEOS, which needs no
#: memory for the crossings of all pairs of marks.
_MOST_WALKED = 1 << 28


def compiled_cluster_contours(polygons: NDArray[Any], offsets: ArrayLike) -> ContourLevels:
    """Return the contours of many clusters, as `exact_contours.cluster_contours` does."""
    rings = compiled_contour_rings(polygons, offsets)
    return ContourLevels(rings.polygons(), rings.offsets)


def compiled_contour_rings(
    polygons: NDArray[Any],
    offsets: ArrayLike,
    max_levels: int | None = None,
    known: KnownCrossings | None = None,
) -> LevelRings:
    """Return the contours as flat rings, as `exact_contours.cluster_contour_rings` does.

    If crossings are known, they are not searched again.
    """
    walked = walk_contours(polygons, offsets, max_levels=max_levels, known=known)
    if np.all(walked.verified):
        return walked.rings
    members, starts, _ = _clusters(polygons, offsets, ~walked.verified)
    return replace_clusters(
        walked.rings, ~walked.verified, cluster_contour_rings(members, starts, max_levels)
    )


def compiled_cluster_unions(polygons: NDArray[Any], offsets: ArrayLike) -> NDArray[Any]:
    """Return `average_union` of each cluster, as `averages.cluster_unions` does."""
    return _averages(polygons, offsets, is_union=True)


def compiled_cluster_intersections(polygons: NDArray[Any], offsets: ArrayLike) -> NDArray[Any]:
    """Return `average_intersection` of each cluster, as `averages.cluster_intersections` does."""
    return _averages(polygons, offsets, is_union=False)


def compiled_cluster_majorities(
    polygons: NDArray[Any], offsets: ArrayLike, medians: Ints, known: KnownCrossings | None = None
) -> NDArray[Any]:
    """Return `average_majority` of each cluster, as `majority_outlines.cluster_majorities` does.

    If crossings are known, they are not searched again.
    """

    def walked(marks: MajorityMarks) -> NDArray[Any]:
        crossings = None if known is None else (known[0], known[1][marks.members])
        walk = walk_contours(marks.polygons, marks.offsets, marks.levels, known=crossings, twice=marks.twice)
        outlines = np.full(len(marks.levels), shapely.Polygon(), dtype=object)
        outlines[np.diff(walk.offsets) > 0] = walk.polygons
        if not np.all(walk.verified):
            outlines[~walk.verified] = level_with_geos(marks.some(np.flatnonzero(~walk.verified)))
        return outlines

    return majority_marks(polygons, offsets, medians).outlines(walked)


def _averages(polygons: NDArray[Any], offsets: ArrayLike, *, is_union: bool) -> NDArray[Any]:
    polygons, starts = keep_two_copies(polygons, np.asarray(offsets, dtype=np.int64))
    counts = np.diff(starts)
    average = cluster_unions if is_union else cluster_intersections
    averages = np.full(len(counts), shapely.Polygon(), dtype=object)
    large = counts * np.diff(offsets_of(shapely.get_num_coordinates(polygons))[starts]) > _MOST_WALKED
    if np.any(large):
        members, begins, clusters = _clusters(polygons, starts, large)
        averages[clusters] = average(members, begins)
        members, begins, clusters = _clusters(polygons, starts, ~large)
        averages[clusters] = _averages(members, begins, is_union=is_union)
        return averages
    averages[counts == 1] = polygons[starts[:-1][counts == 1]]
    walk = walk_contours(polygons, starts, np.ones_like(counts) if is_union else counts)
    verified = walk.verified
    if not is_union:  # an intersection keeps its holes, and is empty if one of the marks is
        empty = shapely.is_missing(polygons) | shapely.is_empty(polygons)
        has_empty = np.add.reduceat(np.append(empty, False), starts)[:-1] > 0
        verified = verified & ~walk.may_have_holes & ~has_empty
    levels = np.diff(walk.offsets)
    walked = verified & (counts > 1)
    averages[walked & (levels > 0)] = walk.polygons[np.repeat(walked & (levels > 0), levels)]
    if not np.all(walked | (counts <= 1)):
        members, begins, lost = _clusters(polygons, starts, ~walked & (counts > 1))
        averages[lost] = average(members, begins)
    return averages


def _clusters(polygons: NDArray[Any], offsets: ArrayLike, chosen: Flags) -> tuple[NDArray[Any], Ints, Ints]:
    """Return the members of some clusters, their offsets, and the numbers of these clusters."""
    bounds = np.asarray(offsets, dtype=np.int64)
    counts = bounds[1:] - bounds[:-1]
    starts = offsets_of(counts[chosen])
    return polygons[np.repeat(chosen, counts)], starts, np.flatnonzero(chosen)
