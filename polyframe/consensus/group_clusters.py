"""Cluster the marks of all groups: small groups together, large ones one by one."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from polyframe.consensus.clustering import cluster_labels, cluster_members
from polyframe.consensus.large_groups import (
    LARGE_GROUP,
    DistanceRows,
    GroupClusters,
    Outlines,
    cluster_large_group,
    is_dense,
)
from polyframe.consensus.marks import GroupedMarks, distances_between, member_pairs, neighbour_distances
from polyframe.consensus.repeated_outlines import (
    cluster_repeated_outlines,
    distances_of_distinct,
    distinct_outlines,
)
from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import offsets_of
from polyframe.core.settings import Settings
from polyframe.geometry.averages import median_and_consensus
from polyframe.geometry.engines import engine_named


@dataclass(frozen=True)
class Clusters:
    """The clusters of some marks; n marks, m of them in one of c clusters.

    Attributes
    ----------
    marks : GroupedMarks
        All marks that took part.
    labels : (n,) int32
        Cluster of each mark within its group; -1 for an outlier.
    members : (m,) int64
        Positions of the clustered marks, sorted by cluster.
    member_offsets : (c + 1,) int64
        Members of each cluster; clusters are sorted by group and label.
    median : (c,) int64
        Position of the mark with the least summed distance.
    consensus : (c,) float64
        Fraction from 0 to 1.
    """

    marks: GroupedMarks
    labels: NDArray[np.int32]
    members: Ints
    member_offsets: Ints
    median: Ints
    consensus: Floats

    @cached_property
    def group(self) -> Ints:
        """The group of each cluster, (c,) int64."""
        return self.marks.group[self.members[self.member_offsets[:-1]]]

    @property
    def counts(self) -> Ints:
        """Marks in each cluster, (c,) int64."""
        return np.diff(self.member_offsets)

    @property
    def threshold(self) -> Floats:
        """Share of the subject's classifications in each cluster, (c,) float64."""
        return self.counts / self.marks.n_classifications[self.group]


def cluster_groups(marks: GroupedMarks, settings: Settings) -> Clusters:
    """Cluster the marks of each group, and compute the median mark and the consensus of each cluster.

    Parameters
    ----------
    marks : GroupedMarks
    settings : Settings
        `eps`, `min_samples` and `engine`.
    """
    small_marks, others, large = divided_by_size(marks)
    small = _cluster_small_groups(small_marks, settings)
    if not large:
        return small
    parts = [(others, small.labels, small.median, small.consensus)]
    for positions in large:
        group = LargeGroup(marks, positions, settings.engine)
        clusters = group.clusters(settings.eps, settings.min_samples)
        parts.append((positions, clusters.labels, clusters.median, clusters.consensus))
    return _merged(marks, parts)


def divided_by_size(marks: GroupedMarks) -> tuple[GroupedMarks, Ints, list[Ints]]:
    """Return the marks of small groups, their positions, and the positions of each large group's marks."""
    is_large = np.diff(marks.group_offsets) >= LARGE_GROUP
    if not np.any(is_large):
        return marks, np.arange(len(marks.polygons)), []
    others = np.flatnonzero(~is_large[marks.group])
    large = [np.arange(*marks.group_offsets[group : group + 2]) for group in np.flatnonzero(is_large)]
    return _selected_groups(marks, ~is_large, others), others, large


class LargeGroup:
    """One large group, of which each distance is computed once if they can be kept.

    Parameters
    ----------
    marks : GroupedMarks
    positions : (n,) int64
        The marks of the group.
    engine : str
        See `polyframe.geometry.engines.engine_named`.
    """

    def __init__(self, marks: GroupedMarks, positions: Ints, engine: str) -> None:
        self.outlines = Outlines(
            marks.polygons[positions],
            marks.areas[positions],
            marks.bounds[positions],
            np.unique(marks.classification[positions], return_inverse=True)[1],
        )
        self._engine = engine_named(engine)
        areas = self._engine.intersection_areas
        self._distinct = distinct_outlines(self.outlines)
        self._distances: DistanceRows | None = None
        self._distances_once: DistanceRows | None = None
        if self._distinct is not None:
            self._distances_once = distances_of_distinct(self.outlines, self._distinct, areas)

    def clusters(self, eps: float, min_samples: int) -> GroupClusters:
        """Return the clusters of the group."""
        if self._distinct is not None and self._distances_once is not None:
            clusters = cluster_repeated_outlines(
                self.outlines, self._distinct, self._distances_once, eps, min_samples
            )
            if clusters is not None:
                return clusters
        if self._distances is None:
            rows = self._engine.area_rows(self.outlines.polygons) if is_dense(self.outlines) else None
            self._distances = DistanceRows(self.outlines, self._engine.intersection_areas, rows)
        return cluster_large_group(self._distances, eps, min_samples)


def _cluster_small_groups(marks: GroupedMarks, settings: Settings) -> Clusters:
    near = neighbour_distances(marks, settings.eps, settings.engine)
    labels = cluster_labels(
        marks.group_offsets,
        near.left,
        near.right,
        near.distances,
        eps=settings.eps,
        min_samples=settings.min_samples,
    )
    members, member_offsets = cluster_members(labels, marks.group_offsets)
    first, second = member_pairs(marks, members, member_offsets)
    within = distances_between(marks, (members[first], members[second]), near, settings.engine)
    median, consensus = median_and_consensus(member_offsets, first, second, within)
    return Clusters(marks, labels, members, member_offsets, members[median], consensus)


def _selected_groups(marks: GroupedMarks, groups: Flags, positions: Ints) -> GroupedMarks:
    return replace(
        marks,
        keys=marks.keys[positions],
        polygons=marks.polygons[positions],
        areas=marks.areas[positions],
        bounds=marks.bounds[positions],
        group_offsets=offsets_of(np.diff(marks.group_offsets)[groups]),
        n_classifications=marks.n_classifications[groups],
    )


def _merged(marks: GroupedMarks, parts: list[tuple[Ints, NDArray[np.int32], Ints, Floats]]) -> Clusters:
    """Return the clusters of several groups together.

    Each part has the positions of its marks, their labels, and the medians and consensus of its clusters.
    """
    labels = np.full(len(marks.polygons), -1, np.int32)
    for positions, part_labels, _, _ in parts:
        labels[positions] = part_labels
    members, offsets = cluster_members(labels, marks.group_offsets)
    cluster_of = np.zeros(len(labels), np.int64)
    cluster_of[members] = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    median, consensus = np.zeros(len(offsets) - 1, np.int64), np.zeros(len(offsets) - 1)
    for positions, _, part_median, part_consensus in parts:
        medians = positions[part_median]
        median[cluster_of[medians]] = medians
        consensus[cluster_of[medians]] = part_consensus
    return Clusters(marks, labels, members, offsets, median, consensus)
