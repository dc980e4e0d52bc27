"""Cluster the marks of all groups: small groups together, large ones one by one."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from polyframe.consensus.clustering import cluster_labels, cluster_members
from polyframe.consensus.large_groups import LARGE_GROUP, GroupClusters, Outlines, cluster_large_group
from polyframe.consensus.marks import GroupedMarks, distances_between, member_pairs, neighbour_distances
from polyframe.consensus.repeated_outlines import cluster_repeated_outlines, distinct_outlines
from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import offsets_of
from polyframe.core.settings import Settings
from polyframe.geometry.averages import median_and_consensus
from polyframe.geometry.engines import engine_named


@dataclass(frozen=True)
class ClusteredMarks:
    """The clusters of some groups; n marks, m of them in one of c clusters.

    Attributes
    ----------
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

    labels: NDArray[np.int32]
    members: Ints
    member_offsets: Ints
    median: Ints
    consensus: Floats


def cluster_groups(marks: GroupedMarks, settings: Settings) -> ClusteredMarks:
    """Cluster the marks of each group, and compute the median mark and the consensus of each cluster.

    Parameters
    ----------
    marks : GroupedMarks
    settings : Settings
        `eps`, `min_samples` and `engine`.
    """
    large = np.flatnonzero(np.diff(marks.group_offsets) >= LARGE_GROUP)
    if not len(large):
        return _cluster_small_groups(marks, settings)
    is_large = np.zeros(len(marks.group_offsets) - 1, np.bool_)
    is_large[large] = True
    others = np.flatnonzero(~is_large[marks.group])
    small = _cluster_small_groups(_selected_groups(marks, ~is_large, others), settings)
    parts = [(others, GroupClusters(small.labels, small.median, small.consensus))]
    for group in large:
        positions = np.arange(marks.group_offsets[group], marks.group_offsets[group + 1])
        parts.append((positions, _cluster_large_group(marks, positions, settings)))
    return _merged(marks, parts)


def _cluster_small_groups(marks: GroupedMarks, settings: Settings) -> ClusteredMarks:
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
    return ClusteredMarks(labels, members, member_offsets, members[median], consensus)


def _cluster_large_group(marks: GroupedMarks, positions: Ints, settings: Settings) -> GroupClusters:
    outlines = Outlines(
        marks.polygons[positions],
        marks.areas[positions],
        marks.bounds[positions],
        np.unique(marks.classification[positions], return_inverse=True)[1],
    )
    areas = engine_named(settings.engine).intersection_areas
    distinct = distinct_outlines(outlines)
    if distinct is not None:
        clusters = cluster_repeated_outlines(outlines, distinct, settings.eps, settings.min_samples, areas)
        if clusters is not None:
            return clusters
    return cluster_large_group(outlines, settings.eps, settings.min_samples, areas)


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


def _merged(marks: GroupedMarks, parts: list[tuple[Ints, GroupClusters]]) -> ClusteredMarks:
    """Return the clusters of several groups together, each with the positions of its marks."""
    labels = np.full(len(marks.polygons), -1, np.int32)
    for positions, clusters in parts:
        labels[positions] = clusters.labels
    members, offsets = cluster_members(labels, marks.group_offsets)
    cluster_of = np.zeros(len(labels), np.int64)
    cluster_of[members] = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    median, consensus = np.zeros(len(offsets) - 1, np.int64), np.zeros(len(offsets) - 1)
    for positions, clusters in parts:
        medians = positions[clusters.median]
        median[cluster_of[medians]] = medians
        consensus[cluster_of[medians]] = clusters.consensus
    return ClusteredMarks(labels, members, offsets, median, consensus)
