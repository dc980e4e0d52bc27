"""Cluster one large group in bounded memory: distances are computed in blocks of rows of their matrix.

The results are those of `clustering` and `averages`, to the last bit: distances are added in the same order.
Only if areas are computed for whole blocks (`AreaRows`), they differ by what rounding does.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyframe.consensus.clustering import cluster_members, labels_of_neighbours
from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.task_reports import in_pieces
from polyframe.geometry.averages import first_with_least_sum
from polyframe.geometry.candidate_pairs import Pairs, box_overlaps, may_be_near
from polyframe.geometry.distances import AreaRows, IntersectionAreas, iou_distances, pair_distances

#: Groups of at least so many marks are clustered one by one, here.
LARGE_GROUP = 400

#: Distances of a group are kept up to this many marks (8 bytes for each pair, in both directions).
MOST_KEPT = 8_000

#: Pairs in memory at the same time, about 200 bytes each.
_BLOCK = 1 << 19

#: If more than this share of the pairs have boxes that overlap, all areas of a block are computed at once.
_DENSE = 0.02

#: The share is estimated by the boxes of so many marks and those of all others.
_SAMPLE = 64


@dataclass(frozen=True)
class Outlines:
    """The outlines of one group; n marks.

    Attributes
    ----------
    polygons : (n,) array of shapely.Polygon
    areas : (n,) float64
    bounds : (n, 4) float64
    classification : (n,) int64
        Equal numbers mean the same classification, within which all distances are infinite.
    """

    polygons: NDArray[Any]
    areas: Floats
    bounds: Floats
    classification: Ints


@dataclass(frozen=True)
class GroupLabels:
    """The clusters of one group by DBSCAN; n marks.

    Attributes
    ----------
    labels : (n,) int32
        Cluster of each mark; -1 for an outlier.
    core : (n,) bool
        Which marks are cores of a cluster.
    """

    labels: NDArray[np.int32]
    core: Flags


class DistanceRows:
    """The IoU distances of a group, computed when they are needed, and kept if they are not too many.

    Parameters
    ----------
    outlines : Outlines
    intersection_areas : callable
        The function of the engine.
    area_rows : AreaRows, optional
        Computes the areas of all pairs of some rows, if that takes less time than those that are needed.
    """

    def __init__(
        self,
        outlines: Outlines,
        intersection_areas: IntersectionAreas,
        area_rows: AreaRows | None = None,
    ) -> None:
        self.outlines, self.intersection_areas = outlines, intersection_areas
        self.area_rows = area_rows
        self.count = len(outlines.polygons)
        shape = (self.count, self.count) if self.count <= MOST_KEPT else (0, 0)
        self._kept = np.full(shape, np.nan)

    def blocks(self) -> Iterator[tuple[int, int]]:
        """Yield the first row and the end of each block."""
        size = max(_BLOCK // max(self.count, 1), 1)
        for start in range(0, self.count, size):
            yield start, min(start + size, self.count)

    def block(self, start: int, needed: Flags) -> Floats:
        """Return the distances of some rows.

        Parameters
        ----------
        start : int
            The first row.
        needed : (r, n) bool
            Which distances are needed; if there are `area_rows`, only above the diagonal.

        Returns
        -------
        (r, n) float64
            The others may be NaN.
        """
        end = start + len(needed)
        rows = self._kept[start:end] if len(self._kept) else np.full(needed.shape, np.nan)
        known = self.outlines
        missing = needed & np.isnan(rows)
        if self.area_rows is not None:
            if np.any(missing):
                shared = self.area_rows.of_rows(start, end)
                distances = iou_distances(known.areas[start:end, None], known.areas, shared)
                above = np.arange(self.count) > np.arange(start, end)[:, None]
                rows[above] = distances[above]
            return rows
        row, column = np.nonzero(missing)
        rows[row, column] = pair_distances(
            known.polygons, known.areas, known.bounds, row + start, column, self.intersection_areas
        )
        return rows

    def matrix(self, marks: Ints, same_classification: float) -> Floats:
        """Return the distances of some marks, in both directions.

        Parameters
        ----------
        marks : (k,) int64
            Their positions, ascending.
        same_classification : float
            The distance of marks of one classification.

        Returns
        -------
        (k, k) float64
            With zeros on the diagonal.
        """
        matrix = np.full((len(marks), len(marks)), same_classification)
        codes = self.outlines.classification[marks]
        size = max(_BLOCK // max(len(marks), 1), 1)
        for start in range(0, len(marks), size):
            end = min(start + size, len(marks))
            row, column = np.nonzero(_pairs_of_different(codes, start, end))
            values = self.between(marks[row + start], marks[column])
            matrix[row + start, column] = matrix[column, row + start] = values
        np.fill_diagonal(matrix, 0.0)
        return matrix

    def between(self, left: Ints, right: Ints) -> Floats:
        """Return the distances of some pairs of marks, left <= right."""
        known, kept = self.outlines, bool(len(self._kept))
        values = self._kept[left, right] if kept else np.full(len(left), np.nan)
        missing = np.flatnonzero(np.isnan(values))
        left, right = left[missing], right[missing]
        if kept and self.area_rows is not None:
            for start, end in self.blocks():
                if np.any((left >= start) & (left < end)):
                    self.block(start, np.ones((end - start, self.count), np.bool_))
            values[missing] = self._kept[left, right]
            return values
        values[missing] = pair_distances(
            known.polygons, known.areas, known.bounds, left, right, self.intersection_areas
        )
        if kept:
            self._kept[left, right] = values[missing]
        return values

    def dbscan(self, eps: float, min_samples: int) -> GroupLabels:
        """Cluster the marks by DBSCAN.

        Parameters
        ----------
        eps, min_samples
            See `polyframe.consensus.clustering.cluster_labels`.

        Notes
        -----
        Besides the distances that are kept, memory grows with one bit for each pair.
        """
        count = self.count
        close = np.zeros((count, (count + 7) // 8), np.uint8)
        neighbours = np.ones(count, np.int64)
        for start, end in in_pieces([*(start for start, _ in self.blocks()), count], "pairs"):
            candidates = _candidates(self.outlines, start, end, eps)
            near = candidates & (self.block(start, candidates) <= eps)
            neighbours[start:end] += near.sum(axis=1)
            neighbours += near.sum(axis=0)
            close[start:end] = np.packbits(near, axis=1)

        def neighbour_pairs() -> Iterator[Pairs]:
            for start, end in self.blocks():
                row, column = np.nonzero(np.unpackbits(close[start:end], axis=1, count=count))
                yield row + start, column

        core = neighbours >= min_samples
        return GroupLabels(labels_of_neighbours(core, np.array([0, count]), neighbour_pairs), core)

    def median_and_consensus(self, labels: NDArray[np.int32]) -> tuple[Ints, Floats]:
        """Return the median mark and the consensus of each cluster.

        Parameters
        ----------
        labels : (n,) int32
            Cluster of each mark; -1 for an outlier.

        Returns
        -------
        median : (c,) int64
            Position of the mark with the least summed distance.
        consensus : (c,) float64
        """
        sums, consensus = _sums(self, labels)
        members, offsets = cluster_members(labels, np.array([0, self.count]))
        return members[first_with_least_sum(sums[members], offsets)], consensus


def is_dense(outlines: Outlines) -> bool:
    """Return whether the boxes of many pairs overlap, so that all pairs can be computed in less time."""
    count = len(outlines.polygons)
    sample = np.unique(np.linspace(0, count - 1, _SAMPLE).astype(np.int64))
    left, right = np.repeat(sample, count), np.tile(np.arange(count), len(sample))
    return bool(np.mean(box_overlaps(outlines.bounds, left, right) > 0) > _DENSE)


def _candidates(outlines: Outlines, start: int, end: int, eps: float) -> Flags:
    """Return which pairs of some rows can be neighbours, each pair once: above the diagonal."""
    candidates = _pairs_of_different(outlines.classification, start, end)
    row, column = np.nonzero(candidates)
    candidates[row, column] = may_be_near(outlines.bounds, outlines.areas, row + start, column, eps)
    return candidates


def _pairs_of_different(codes: NDArray[Any], start: int, end: int) -> Flags:
    different: Flags = codes[start:end, None] != codes
    different &= np.arange(len(codes)) > np.arange(start, end)[:, None]
    return different


def _sums(distances: DistanceRows, labels: NDArray[np.int32]) -> tuple[Floats, Floats]:
    """Return the summed distances of each mark to the others of its cluster, and each cluster's consensus.

    Each sum is added up one distance after the other, like those of `averages.median_and_consensus`.
    """
    sizes = np.bincount(labels[labels >= 0])
    sums, totals = np.zeros(distances.count), np.zeros(len(sizes))
    listed, listed_pairs = np.zeros(distances.count, np.int64), np.zeros(len(sizes), np.int64)
    for start, end in distances.blocks():
        needed = _pairs_of_different(distances.outlines.classification, start, end)
        needed &= (labels[start:end, None] == labels) & (labels >= 0)
        block = np.where(needed, distances.block(start, needed), 0.0)
        listed[start:end] += needed.sum(axis=1)
        listed += needed.sum(axis=0)
        for mark, row in zip(range(start, end), block, strict=True):
            cluster, rest = labels[mark], row[mark + 1 :]
            if cluster >= 0 and len(rest):
                sums[mark + 1 :] += rest
                sums[mark] = _add_up(sums[mark], rest)
                totals[cluster] = _add_up(totals[cluster], rest)
        of_row = labels[start:end]
        np.add.at(listed_pairs, of_row[of_row >= 0], needed.sum(axis=1)[of_row >= 0])
    clustered = labels >= 0
    # Pairs that are not listed are of one classification: infinite distances count as 1.
    sums[clustered] += (sizes - 1)[labels[clustered]] - listed[clustered]
    pairs = sizes * (sizes - 1) // 2
    totals += pairs - listed_pairs
    return sums, 1.0 - totals / np.maximum(pairs, 1)


def _add_up(total: float, numbers: Floats) -> float:
    """Add numbers to a total one by one (`numpy.sum` adds them pairwise)."""
    return float(np.add.accumulate(np.concatenate([[total], numbers]))[-1])
