"""Cluster the marks of one partition with many settings, and count the clusters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from polyframe.consensus.clustering import cluster_members, core_marks
from polyframe.consensus.group_clusters import (
    LargeGroup,
    divided_by_size,
    labels_before_splits,
    split_small_groups,
)
from polyframe.consensus.marks import (
    Distances,
    GroupedMarks,
    distances_between,
    member_pairs,
    neighbour_distances,
)
from polyframe.consensus.tune.gold_counts import (
    GoldCounts,
    GoldReference,
    SettingClusters,
    added_up,
    compare_with_gold,
    judged_clusters,
    no_counts,
    with_medians,
)
from polyframe.consensus.tune.parse_grid import Combination, Grid
from polyframe.core.arrays import Floats, Ints
from polyframe.core.ragged import offsets_of, positions_of
from polyframe.geometry.averages import cluster_consensus
from polyframe.geometry.candidate_pairs import Pairs

#: The columns of the table that are counted for each setting.
COUNTED: Final = (
    "clusters",
    "clusters_kept",
    "groups_with_clusters",
    "clustered",
    "doubled_clusters",
    "merged_clusters",
)


_NO_CORES: Final = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Tally:
    """Counts of a partition; s settings, in the order of `Grid.combinations`.

    Attributes
    ----------
    groups, marks : int
        Groups and marks that took part.
    counts : mapping of str to (s,) int64
        By the names in `COUNTED`.
    largest : (s,) int64
        Marks in the largest cluster.
    consensus : tuple of s arrays of float64
        Consensus of each cluster above `min_threshold`.
    gold : GoldCounts
        Comparison with the outlines of an expert; zeros if there are none.
    n_gold : int or None
        Outlines of the expert; None if no expert is known.
    excluded_digests : tuple of str
        See `polyframe.consensus.marks.GroupedMarks`.
    """

    groups: int
    marks: int
    counts: Mapping[str, Ints]
    largest: Ints
    consensus: tuple[Floats, ...]
    gold: GoldCounts
    n_gold: int | None = None
    excluded_digests: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Clustering:
    """The clusters of one setting; n marks, m clustered marks, c clusters.

    Attributes
    ----------
    labels : (n,) int32
        The cluster of each mark within its group; -1 for an outlier.
    cluster : (n,) int32
        The cluster of each mark, numbered from 0 over all groups; -1 for an outlier.
    members, member_offsets : (m,) int64 and (c + 1,) int64
        The marks of each cluster.
    cores : (k,) int64
        Positions of the core marks, of clusters of DBSCAN that are not split.
    """

    labels: NDArray[np.int32]
    cluster: NDArray[np.int32]
    members: Ints
    member_offsets: Ints
    cores: Ints

    @property
    def sizes(self) -> Ints:
        """Marks in each cluster, (c,) int64."""
        return np.diff(self.member_offsets)


def count_settings(
    marks: GroupedMarks,
    grid: Grid,
    min_threshold: float,
    engine: str,
    reference: GoldReference | None = None,
) -> Tally:
    """Cluster marks with every setting, and count the clusters.

    Large groups are clustered one by one, in bounded memory.

    Parameters
    ----------
    marks : GroupedMarks
    grid : Grid
        The settings.
    min_threshold : float
        Share of the classifications above which a cluster is kept (fraction).
    engine : str
        See `polyframe.geometry.engines.engine_named`.
    reference : GoldReference, optional
        The outlines of an expert with which the averages are compared.
    """
    small, _, large = divided_by_size(marks)
    tallies = [_count_small_groups(small, grid, min_threshold, engine, reference)]
    tallies += [_count_large_group(marks, group, grid, min_threshold, engine, reference) for group in large]
    return Tally(
        sum(tally.groups for tally in tallies),
        sum(tally.marks for tally in tallies),
        {name: np.sum([tally.counts[name] for tally in tallies], axis=0) for name in COUNTED},
        np.max([tally.largest for tally in tallies], axis=0),
        tuple(
            np.concatenate(consensus)
            for consensus in zip(*(tally.consensus for tally in tallies), strict=True)
        ),
        added_up([tally.gold for tally in tallies]),
        None if reference is None else len(reference.gold.outlines.areas),
        marks.excluded_digests,
    )


def _count_small_groups(
    marks: GroupedMarks, grid: Grid, min_threshold: float, engine: str, reference: GoldReference | None
) -> Tally:
    """Cluster all groups together with every setting.

    The distances between neighbours are computed once, for the largest `eps`, and so are the distances within
    clusters, for all pairs that any setting puts into one cluster. The rest is cheap array arithmetic.
    """
    near = neighbour_distances(marks, 1.0 if "hdbscan" in grid.cluster_method else max(grid.eps), engine)
    before_splits = {
        setting: _clustering(marks, near, setting) for setting in replace(grid, split=("none",)).combinations
    }
    # Clusters of a smaller `eps` or a larger `min_samples` are mostly parts of others.
    widest_first = sorted(before_splits, key=lambda setting: (setting.min_samples, -(setting.eps or 0)))
    pairs = _pairs_in_any_clustering(marks, [before_splits[setting] for setting in widest_first])
    within = Distances(*pairs, distances_between(marks, pairs, near, engine))
    clusterings = {
        setting: _split(marks, before_splits[setting._replace(split="none")], within, setting, engine)
        for setting in grid.combinations
    }
    counts = {name: np.zeros(len(clusterings), np.int64) for name in COUNTED}
    largest = np.zeros(len(clusterings), np.int64)
    consensus = []
    judged: list[SettingClusters] = []
    group = marks.group
    smaller = _with_smaller_eps(grid)
    for k, (setting, clustering) in enumerate(clusterings.items()):
        sizes = clustering.sizes
        group_of_cluster = group[clustering.members[clustering.member_offsets[:-1]]]
        kept = sizes / marks.n_classifications[group_of_cluster] > min_threshold
        cluster_of_pair, distances = _pairs_within(clustering, within)
        consensus.append(cluster_consensus(sizes, cluster_of_pair, distances)[kept])
        # All pairs are listed except those of one classification.
        doubled = np.bincount(cluster_of_pair, minlength=len(sizes)) < sizes * (sizes - 1) // 2
        counts["clusters"][k] = len(sizes)
        counts["clusters_kept"][k] = kept.sum()
        counts["groups_with_clusters"][k] = len(np.unique(group_of_cluster))
        counts["clustered"][k] = len(clustering.members)
        counts["doubled_clusters"][k] = doubled.sum()
        if setting in smaller:
            counts["merged_clusters"][k] = _count_merges(clusterings[smaller[setting]], clustering)
        largest[k] = sizes.max(initial=0)
        if reference is not None:
            _, own, starts = judged_clusters(
                reference, marks, clustering.members, clustering.member_offsets, kept
            )
            judged.append(with_medians(marks, own, starts, within, engine))
    gold = no_counts(len(largest)) if reference is None else compare_with_gold(marks, judged, reference)
    return Tally(len(marks.group_offsets) - 1, len(marks.polygons), counts, largest, tuple(consensus), gold)


def _count_large_group(
    marks: GroupedMarks,
    positions: Ints,
    grid: Grid,
    min_threshold: float,
    engine: str,
    reference: GoldReference | None,
) -> Tally:
    """Cluster one group with every setting; each distance is computed once if they can be kept."""
    group = LargeGroup(marks, positions, engine)
    counts = {name: np.zeros(len(grid.combinations), np.int64) for name in COUNTED}
    largest = np.zeros(len(grid.combinations), np.int64)
    consensus = []
    judged: list[SettingClusters] = []
    n_classifications = marks.n_classifications[marks.group[positions[0]]]
    classification = group.outlines.classification
    smaller = _with_smaller_eps(grid)
    clusterings: dict[Combination, _Clustering] = {}
    for k, setting in enumerate(grid.combinations):
        clusters = group.clusters(setting.settings)
        members, offsets = cluster_members(clusters.labels, np.array([0, len(positions)]))
        clustering = _Clustering(
            clusters.labels, clusters.labels, members, offsets, np.flatnonzero(clusters.core)
        )
        sizes = clustering.sizes
        kept = sizes / n_classifications > min_threshold
        consensus.append(clusters.consensus[kept])
        drawn_by = np.column_stack([clusters.labels[members], classification[members]])
        volunteers = np.bincount(np.unique(drawn_by, axis=0)[:, 0], minlength=len(sizes))
        counts["clusters"][k] = len(sizes)
        counts["clusters_kept"][k] = kept.sum()
        counts["groups_with_clusters"][k] = len(sizes) > 0
        counts["clustered"][k] = len(members)
        counts["doubled_clusters"][k] = (volunteers < sizes).sum()
        if setting in smaller:
            counts["merged_clusters"][k] = _count_merges(clusterings[smaller[setting]], clustering)
        clusterings[setting] = clustering
        largest[k] = sizes.max(initial=0)
        if reference is not None:
            some, own, starts = judged_clusters(reference, marks, positions[members], offsets, kept)
            judged.append(SettingClusters(own, starts, positions[clusters.median[some]]))
    gold = no_counts(len(largest)) if reference is None else compare_with_gold(marks, judged, reference)
    return Tally(1, len(positions), counts, largest, tuple(consensus), gold)


def _clustering(marks: GroupedMarks, near: Distances, setting: Combination) -> _Clustering:
    """Return the clusters of one setting before any is split."""
    if setting.eps is None:
        return _clusters_of(marks, labels_before_splits(marks, near, setting.settings), _NO_CORES)
    close = near.distances <= setting.eps
    close_pairs = Distances(near.left[close], near.right[close], near.distances[close])
    labels = labels_before_splits(marks, close_pairs, setting.settings)
    cores = core_marks(len(labels), close_pairs.left, close_pairs.right, setting.min_samples)
    return _clusters_of(marks, labels, np.flatnonzero(cores))


def _split(
    marks: GroupedMarks, clustering: _Clustering, within: Distances, setting: Combination, engine: str
) -> _Clustering:
    if setting.split == "none":
        return clustering
    labels = split_small_groups(marks, clustering.labels, within, setting.min_samples, engine)
    return _clusters_of(marks, labels, _NO_CORES)


def _with_smaller_eps(grid: Grid) -> dict[Combination, Combination]:
    """Return for clusters of DBSCAN that are not split the setting with the next smaller `eps`."""
    smaller_eps = dict(zip(grid.eps[1:], grid.eps, strict=False))
    return {
        setting: setting._replace(eps=smaller_eps[setting.eps])
        for setting in grid.combinations
        if setting.eps in smaller_eps and setting.split == "none"
    }


def _clusters_of(marks: GroupedMarks, labels: NDArray[np.int32], cores: Ints) -> _Clustering:
    members, member_offsets = cluster_members(labels, marks.group_offsets)
    cluster = np.full(len(labels), -1, np.int32)
    cluster[members] = np.repeat(np.arange(len(member_offsets) - 1), np.diff(member_offsets))
    return _Clustering(labels, cluster, members, member_offsets, cores)


def _pairs_in_any_clustering(marks: GroupedMarks, clusterings: Sequence[_Clustering]) -> Pairs:
    """Return the pairs of different classifications that are in one cluster in any of the clusterings.

    To list few pairs twice, clusters that are part of a cluster of the first clustering are skipped.
    """
    n_marks = len(marks.polygons)
    listed = np.full(n_marks, -1, np.int32)
    pair_keys = []
    for clustering in clusterings:
        members, offsets = _not_part_of(listed, clustering)
        first, second = member_pairs(marks, members, offsets)
        pair_keys.append(members[first] * n_marks + members[second])
        if clustering is clusterings[0]:
            listed = clustering.cluster
    keys = np.unique(np.concatenate(pair_keys))
    return keys // max(n_marks, 1), keys % max(n_marks, 1)


def _not_part_of(cluster: NDArray[np.int32], clustering: _Clustering) -> tuple[Ints, Ints]:
    """Return members and offsets of the clusters that are not part of one cluster of another clustering."""
    if not len(clustering.members):
        return clustering.members, clustering.member_offsets
    other, starts = cluster[clustering.members], clustering.member_offsets[:-1]
    least, most = np.minimum.reduceat(other, starts), np.maximum.reduceat(other, starts)
    divided = np.flatnonzero((least < 0) | (least < most))
    sizes = clustering.sizes[divided]
    return clustering.members[positions_of(starts[divided], sizes)], offsets_of(sizes)


def _pairs_within(clustering: _Clustering, within: Distances) -> tuple[Ints, Floats]:
    """Return the cluster and the distance of each pair that is in one cluster."""
    left, right = clustering.cluster[within.left], clustering.cluster[within.right]
    together = np.flatnonzero((left == right) & (left >= 0))
    return left[together].astype(np.int64), within.distances[together]


def _count_merges(smaller: _Clustering, larger: _Clustering) -> int:
    """Count by how many the clusters of a smaller `eps` become fewer since they merge.

    With a larger `eps`, the cores of a cluster stay cores of one cluster, so any of them shows which.
    """
    clusters, first = np.unique(smaller.cluster[smaller.cores], return_index=True)
    merged = larger.cluster[smaller.cores[first]]
    return len(clusters) - len(np.unique(merged))
