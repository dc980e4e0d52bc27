"""Cluster the marks of all groups: small groups together, large ones one by one."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyframe.consensus.clustering import cluster_labels, cluster_members, number_by_first_mark
from polyframe.consensus.hdbscan_labels import (
    NOT_OVERLAPPING,
    OVERLAPPING,
    component_labels,
    hdbscan_labels,
    large_components,
)
from polyframe.consensus.large_groups import (
    LARGE_GROUP,
    DistanceRows,
    GroupLabels,
    Outlines,
    is_dense,
)
from polyframe.consensus.marks import (
    Distances,
    GroupedMarks,
    distances_between,
    member_pairs,
    neighbour_distances,
)
from polyframe.consensus.pairwise_matrices import MOST_IN_MATRIX, pairwise_matrices
from polyframe.consensus.repeated_outlines import RepeatedOutlines, distinct_outlines
from polyframe.consensus.split_doubled import NEVER_JOINED, doubled_clusters, split_labels
from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import offsets_of, positions_of
from polyframe.core.settings import Settings
from polyframe.core.task_reports import begin_step, in_pieces
from polyframe.geometry.averages import median_and_consensus
from polyframe.geometry.engines import GroupCrossings, engine_named


@dataclass(frozen=True)
class MemberDistances:
    """IoU distances within clusters: of each, those of all pairs of different classifications, or none.

    Attributes
    ----------
    first, second : (p,) int64
        Positions in `Clusters.members`, first < second, ordered by (first, second).
    distances : (p,) float64
        Fractions from 0 to 1.
    """

    first: Ints
    second: Ints
    distances: Floats


NO_DISTANCES: Final = MemberDistances(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))


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
    distances : MemberDistances
        Those within clusters, of small groups only.
    too_large : int
        Groups in which so many marks overlap that DBSCAN replaced HDBSCAN, or that a doubled cluster was not
        split.
    crossings : GroupCrossings or None
        The crossings of all marks, if the engine found them.
    """

    marks: GroupedMarks
    labels: NDArray[np.int32]
    members: Ints
    member_offsets: Ints
    median: Ints
    consensus: Floats
    distances: MemberDistances = NO_DISTANCES
    too_large: int = 0
    crossings: GroupCrossings | None = None

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
        `eps`, `min_samples`, `cluster_method`, `split` and `engine`.
    """
    small_marks, others, large = divided_by_size(marks)
    # The small groups together, then each large one.
    pairs = [_pairs_within(small_marks.group_offsets), *(_pairs_within([0, len(own)]) for own in large)]
    begin_step("pairs", sum(pairs))
    pieces = in_pieces(offsets_of(pairs).tolist(), "pairs")
    next(pieces)
    small = _cluster_small_groups(small_marks, settings)
    if not large:
        return small
    too_large = 0
    parts = [(others, small.labels, small.median, small.consensus)]
    for _, positions in zip(pieces, large, strict=True):
        clusters = LargeGroup(marks, positions, settings.engine).clusters(settings)
        parts.append((positions, clusters.labels, clusters.median, clusters.consensus))
        too_large += clusters.too_large
    merged = _merged(marks, parts)
    place = np.empty(len(marks.polygons), np.int64)
    place[merged.members] = np.arange(len(merged.members))
    members, within = place[others[small.members]], small.distances
    within = replace(within, first=members[within.first], second=members[within.second])
    return replace(merged, distances=within, too_large=too_large)


def _pairs_within(group_offsets: ArrayLike) -> int:
    """Return how many pairs of marks there are in groups."""
    sizes = np.diff(group_offsets)
    return int((sizes * (sizes - 1) // 2).sum())


def divided_by_size(marks: GroupedMarks) -> tuple[GroupedMarks, Ints, list[Ints]]:
    """Return the marks of small groups, their positions, and the positions of each large group's marks."""
    is_large = np.diff(marks.group_offsets) >= LARGE_GROUP
    if not np.any(is_large):
        return marks, np.arange(len(marks.polygons)), []
    others = np.flatnonzero(~is_large[marks.group])
    large = [np.arange(*marks.group_offsets[group : group + 2]) for group in np.flatnonzero(is_large)]
    return _selected_groups(marks, ~is_large, others), others, large


class GroupDistances(Protocol):
    """The IoU distances within a group."""

    def dbscan(self, eps: float, min_samples: int) -> GroupLabels | None:
        """Cluster the marks by DBSCAN; None if these distances are not exact enough."""

    def matrix(self, marks: Ints, same_classification: float) -> Floats:
        """Return the distances of some marks, in both directions."""

    def median_and_consensus(self, labels: NDArray[np.int32]) -> tuple[Ints, Floats]:
        """Return the median mark and the consensus of each cluster."""


@dataclass(frozen=True)
class GroupClusters:
    """The clusters of one large group; n marks, c clusters.

    Attributes
    ----------
    labels : (n,) int32
        Cluster of each mark; -1 for an outlier.
    median : (c,) int64
        Position of the mark with the least summed distance.
    consensus : (c,) float64
    core : (n,) bool
        Which marks are cores of a cluster; none if these are not the clusters of DBSCAN.
    too_large : bool
        Whether so many marks overlap that DBSCAN replaced HDBSCAN, or that a doubled cluster was not split.
    """

    labels: NDArray[np.int32]
    median: Ints
    consensus: Floats
    core: Flags
    too_large: bool


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
        distinct = distinct_outlines(self.outlines)
        self._repeated: RepeatedOutlines | None = None
        if distinct is not None:
            self._repeated = RepeatedOutlines(self.outlines, distinct, self._engine.intersection_areas)

    @cached_property
    def _distances(self) -> DistanceRows:
        rows = self._engine.area_rows(self.outlines.polygons) if is_dense(self.outlines) else None
        return DistanceRows(self.outlines, self._engine.intersection_areas, rows)

    def clusters(self, settings: Settings) -> GroupClusters:
        """Return the clusters of the group."""
        if self._repeated is not None:
            clusters = self._clusters(self._repeated, settings)
            if clusters is not None:
                return clusters
        clusters = self._clusters(self._distances, settings)
        assert clusters is not None
        return clusters

    def _clusters(self, distances: GroupDistances, settings: Settings) -> GroupClusters | None:
        offsets = np.array([0, len(self.outlines.polygons)])
        core = np.zeros(offsets[-1], np.bool_)
        labels, too_large = None, False
        if settings.cluster_method == "hdbscan":
            component = distances.dbscan(OVERLAPPING, 1)
            if component is None:
                return None
            large = large_components(component.labels, offsets, settings.min_samples)
            too_large = bool(np.any(np.diff(large[1]) > MOST_IN_MATRIX))
            if not too_large:
                matrices = _matrices(distances, *large, NOT_OVERLAPPING)
                numbers = component_labels(offsets[-1], matrices, settings.min_samples)
                labels = number_by_first_mark(numbers, offsets)
        if labels is None:
            found = distances.dbscan(settings.eps, settings.min_samples)
            if found is None:
                return None
            labels, core = found.labels, found.core
        if settings.split == "doubled":
            members, member_offsets = doubled_clusters(labels, offsets, self.outlines.classification)
            if np.any(np.diff(member_offsets) > MOST_IN_MATRIX):
                too_large = True
                members, member_offsets = _small_enough(members, member_offsets)
            matrices = _matrices(distances, members, member_offsets, NEVER_JOINED)
            labels = split_labels(labels, offsets, matrices, settings.min_samples)
        return GroupClusters(labels, *distances.median_and_consensus(labels), core, too_large)


def _matrices(
    distances: GroupDistances, members: Ints, member_offsets: Ints, same_classification: float
) -> Iterator[tuple[Ints, Floats]]:
    """Yield the marks of some sets, ascending, and the matrix of their distances."""
    for start, end in itertools.pairwise(member_offsets):
        yield members[start:end], distances.matrix(members[start:end], same_classification)


def _small_enough(members: Ints, member_offsets: Ints) -> tuple[Ints, Ints]:
    sizes = np.diff(member_offsets)
    kept = np.flatnonzero(sizes <= MOST_IN_MATRIX)
    return members[positions_of(member_offsets[kept], sizes[kept])], offsets_of(sizes[kept])


def _cluster_small_groups(marks: GroupedMarks, settings: Settings) -> Clusters:
    # HDBSCAN needs the distances of all marks that overlap.
    near = neighbour_distances(
        marks, 1.0 if settings.cluster_method == "hdbscan" else settings.eps, settings.engine
    )
    labels = labels_before_splits(marks, near, settings)
    if settings.split == "doubled":
        labels = split_small_groups(marks, labels, near, settings.min_samples, settings.engine)
    members, member_offsets = cluster_members(labels, marks.group_offsets)
    first, second = member_pairs(marks, members, member_offsets)
    within = distances_between(marks, (members[first], members[second]), near, settings.engine)
    median, consensus = median_and_consensus(member_offsets, first, second, within)
    known = MemberDistances(first, second, within)
    return Clusters(
        marks, labels, members, member_offsets, members[median], consensus, known, crossings=near.crossings
    )


def labels_before_splits(marks: GroupedMarks, near: Distances, settings: Settings) -> NDArray[np.int32]:
    """Cluster the marks of small groups; clusters are not split yet.

    Parameters
    ----------
    marks : GroupedMarks
    near : Distances
        Those up to `eps`; for HDBSCAN, those of all pairs of different classifications in a group.
    settings : Settings
        `cluster_method`, `eps` and `min_samples`.

    Returns
    -------
    (n,) int32
        Label of each mark within its group; -1 for an outlier.
    """
    if settings.cluster_method == "hdbscan":
        return hdbscan_labels(
            marks.group_offsets, near.left, near.right, near.distances, settings.min_samples
        )
    return cluster_labels(
        marks.group_offsets,
        near.left,
        near.right,
        near.distances,
        eps=settings.eps,
        min_samples=settings.min_samples,
    )


def split_small_groups(
    marks: GroupedMarks, labels: NDArray[np.int32], known: Distances, min_samples: int, engine: str
) -> NDArray[np.int32]:
    """Split the doubled clusters of small groups.

    Parameters
    ----------
    marks : GroupedMarks
    labels : (n,) int32
        From `labels_before_splits`.
    known : Distances
        Any; distances that are not among them are computed.
    min_samples : int
        The marks of smaller parts become outliers.
    engine : str
        See `polyframe.geometry.engines.engine_named`.

    Returns
    -------
    (n,) int32
    """
    members, offsets = doubled_clusters(labels, marks.group_offsets, marks.classification)
    first, second = member_pairs(marks, members, offsets)
    pairs = members[first], members[second]
    distances = distances_between(marks, pairs, known, engine)
    matrices = pairwise_matrices(members, offsets, pairs, distances, NEVER_JOINED)
    return split_labels(labels, marks.group_offsets, matrices, min_samples)


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
