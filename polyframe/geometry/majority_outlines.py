"""Compute the majority outline of clusters: the largest part of the majority region, holes filled.

The majority region is what more than half of the marks cover, or exactly half and the median mark among them
(see `majority`). It is a level: with an odd number n of marks, level n // 2 + 1 is more than half; with an
even number, the median mark counts twice, so that level n // 2 + 1 is more than half, or half and the median
mark among them.

References
----------
D. Gurari et al., "How to collect segmentations for biomedical images? A benchmark evaluating the performance
of experts, crowdsourced non-experts, and algorithms", IEEE Winter Conference on Applications of Computer
Vision (2015): pixel-wise majority vote.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from polyframe.core.arrays import Ints
from polyframe.core.ragged import offsets_of, positions_of
from polyframe.geometry.exact_contours import cluster_levels


@dataclass(frozen=True)
class MajorityMarks:
    """The marks of clusters, and the level that is the majority region of each.

    Attributes
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Sorted by cluster, none of them empty.
    members : ndarray of int64, shape (n,)
        The position of each of them in the array that they are from.
    offsets : ndarray of int64, shape (c + 1,)
        Cluster i contains `polygons[offsets[i]:offsets[i + 1]]`.
    levels : ndarray of int64, shape (c,)
        The level that is the majority region.
    twice : ndarray of int64, shape (c,)
        The position of the mark that counts twice: the median mark of an even number of marks; -1 if their
        number is odd.
    """

    polygons: NDArray[Any]
    members: Ints
    offsets: Ints
    levels: Ints
    twice: Ints

    @property
    def weights(self) -> Ints:
        """How often each mark counts, (n,) int64."""
        weights = np.ones(len(self.polygons), dtype=np.int64)
        weights[self.twice[self.twice >= 0]] = 2
        return weights

    def some(self, clusters: Ints) -> "MajorityMarks":
        """Return the marks of some clusters."""
        counts = np.diff(self.offsets)[clusters]
        rows, offsets = positions_of(self.offsets[clusters], counts), offsets_of(counts)
        twice = self.twice[clusters]
        moved = twice - self.offsets[clusters] + offsets[:-1]
        return MajorityMarks(
            self.polygons[rows],
            self.members[rows],
            offsets,
            self.levels[clusters],
            np.where(twice < 0, -1, moved),
        )

    def outlines(self, compute: Callable[["MajorityMarks"], NDArray[Any]]) -> NDArray[Any]:
        """Return the outline of each cluster.

        Of one mark it is the mark, and of two their median mark, both unchanged.

        Parameters
        ----------
        compute : callable
            Returns the outlines of clusters of at least three marks.
        """
        counts = np.diff(self.offsets)
        outlines = np.full(len(counts), shapely.Polygon(), dtype=object)
        outlines[counts == 1] = self.polygons[self.offsets[:-1][counts == 1]]
        outlines[counts == 2] = self.polygons[self.twice[counts == 2]]
        several = np.flatnonzero(counts > 2)
        if len(several):
            outlines[several] = compute(self.some(several))
        return outlines


def majority_marks(polygons: NDArray[Any], offsets: ArrayLike, medians: Ints) -> MajorityMarks:
    """Return the marks of clusters, and the level that is their majority region.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Valid, sorted by cluster. None and empty polygons are ignored.
    offsets : array_like of int, shape (c + 1,)
        Cluster i contains `polygons[offsets[i]:offsets[i + 1]]`.
    medians : ndarray of int64, shape (c,)
        The position in `polygons` of the median mark of each cluster, which is not empty. Of clusters without
        marks it is ignored.
    """
    present = ~shapely.is_missing(polygons) & ~shapely.is_empty(polygons)
    place = offsets_of(present)
    starts = place[np.asarray(offsets, dtype=np.int64)]
    counts = np.diff(starts)
    twice = np.full(len(counts), -1, dtype=np.int64)
    is_even = (counts > 0) & (counts % 2 == 0)
    twice[is_even] = place[medians[is_even]]
    return MajorityMarks(polygons[present], np.flatnonzero(present), starts, counts // 2 + 1, twice)


def cluster_majorities(polygons: NDArray[Any], offsets: ArrayLike, medians: Ints) -> NDArray[Any]:
    """Return `average_majority` of each cluster.

    Parameters
    ----------
    polygons, offsets, medians
        As for `majority_marks`.

    Returns
    -------
    ndarray of shapely.Polygon, shape (c,)
        The largest part (by area without holes, the leftmost on ties), with its holes filled; a single mark,
        or the median mark of two, unchanged. Empty if the region has no area, or a cluster no marks.

    Raises
    ------
    UsageError
        If a cluster is too large: before any work, since it would take hours.
    """
    return majority_marks(polygons, offsets, medians).outlines(level_with_geos)


def level_with_geos(marks: MajorityMarks) -> NDArray[Any]:
    """Return one level of each cluster, empty if it has no area, on the arrangement of its outlines."""
    return cluster_levels(marks.polygons, marks.offsets, marks.weights, marks.levels)
