"""Count how many clusters of each setting match the outlines of an expert."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely

from polyframe.consensus.group_clusters import Clusters
from polyframe.consensus.marks import Distances, GroupedMarks, distances_between, member_pairs
from polyframe.consensus.reduce import averaged_polygons
from polyframe.consensus.score.match_outlines import best_matches, overlapping_pairs
from polyframe.consensus.score.outlines import OUTLINE_SCHEMA, GoldOutlines, KeyedOutlines
from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import offsets_of, positions_of
from polyframe.core.settings import Settings
from polyframe.geometry.averages import median_and_consensus

#: The least IoU of a match, as `score` has it by default.
MIN_IOU: Final = 0.5


@dataclass(frozen=True)
class GoldReference:
    """The outlines of an expert, and how clusters become polygons.

    Attributes
    ----------
    gold : GoldOutlines
    settings : Settings
        `average_type` and `engine`.
    """

    gold: GoldOutlines
    settings: Settings


@dataclass(frozen=True)
class GoldCounts:
    """How well the averages of each setting agree with the outlines of an expert; s settings.

    Attributes
    ----------
    predicted, matched : (s,) int64
        Averages on images that the expert looked at, and those with a match.
    iou : (s,) float64
        The summed IoU of the matches.
    """

    predicted: Ints
    matched: Ints
    iou: Floats


@dataclass(frozen=True)
class SettingClusters:
    """The clusters of one setting that an expert can judge.

    Attributes
    ----------
    members, member_offsets : (m,) int64 and (c + 1,) int64
        Positions of the marks of each cluster.
    median : (c,) int64
        Position of the median mark of each.
    """

    members: Ints
    member_offsets: Ints
    median: Ints


def no_counts(n_settings: int) -> GoldCounts:
    """Return the counts of no clusters."""
    return GoldCounts(np.zeros(n_settings, np.int64), np.zeros(n_settings, np.int64), np.zeros(n_settings))


def added_up(counts: Sequence[GoldCounts]) -> GoldCounts:
    """Return the sums of some counts, of at least one."""
    return GoldCounts(
        np.sum([one.predicted for one in counts], axis=0),
        np.sum([one.matched for one in counts], axis=0),
        # Exact, so that the order of partitions does not matter.
        np.array([math.fsum(values) for values in zip(*(one.iou for one in counts), strict=True)]),
    )


def judged_clusters(
    reference: GoldReference, marks: GroupedMarks, members: Ints, offsets: Ints, kept: Flags
) -> tuple[Ints, Ints, Ints]:
    """Select the clusters above `min_threshold` on images and of tools that the expert looked at.

    Parameters
    ----------
    reference : GoldReference
    marks : GroupedMarks
    members, offsets : (m,) int64 and (c + 1,) int64
        The marks of each cluster.
    kept : (c,) bool
        Whether a cluster is above `min_threshold`.

    Returns
    -------
    clusters : (j,) int64
    members, offsets : (k,) int64 and (j + 1,) int64
        The marks of each of these clusters.
    """
    clusters = np.flatnonzero(kept)
    first = members[offsets[:-1][clusters]]
    clusters = clusters[reference.gold.covers(marks.keys.select(*OUTLINE_SCHEMA)[first])]
    counts = np.diff(offsets)[clusters]
    return clusters, members[positions_of(offsets[:-1][clusters], counts)], offsets_of(counts)


def with_medians(
    marks: GroupedMarks, members: Ints, offsets: Ints, known: Distances, engine: str
) -> SettingClusters:
    """Return clusters with their median marks, by distances that are known."""
    first, second = member_pairs(marks, members, offsets)
    within = distances_between(marks, (members[first], members[second]), known, engine)
    median, _ = median_and_consensus(offsets, first, second, within)
    return SettingClusters(members, offsets, members[median])


def compare_with_gold(
    marks: GroupedMarks, clusterings: Sequence[SettingClusters], reference: GoldReference
) -> GoldCounts:
    """Match the averages of each setting with the outlines of the expert.

    Each distinct cluster is averaged once, and compared once with the outlines near it.
    """
    members = np.concatenate([np.empty(0, np.int64), *(one.members for one in clusterings)])
    sizes = [np.diff(one.member_offsets) for one in clusterings]
    offsets = offsets_of(np.concatenate([np.empty(0, np.int64), *sizes]))
    if len(offsets) == 1:
        return no_counts(len(clusterings))
    median = np.concatenate([one.median for one in clusterings])
    first, distinct = _distinct_clusters(members, offsets, len(marks.polygons))
    averages = _averages(marks, members, offsets, median, first, reference.settings)
    pairs = overlapping_pairs(averages, reference.gold.outlines, MIN_IOU)
    counts = no_counts(len(clusterings))
    starts = offsets_of([len(one.median) for one in clusterings])
    for k in range(len(clusterings)):
        of_setting = np.zeros(len(first), np.bool_)
        of_setting[distinct[starts[k] : starts[k + 1]]] = True
        matches = best_matches(pairs.take(of_setting[pairs.scored]))
        counts.predicted[k] = starts[k + 1] - starts[k]
        counts.matched[k] = len(matches.iou)
        counts.iou[k] = matches.iou.sum()
    return counts


def _distinct_clusters(members: Ints, offsets: Ints, n_marks: int) -> tuple[Ints, Ints]:
    """Return the first of all clusters with the same members, and for each cluster which of these it equals.

    Two clusters are the same if two sums of random numbers of 64 bits, one for each mark, are.
    """
    numbers = np.random.Generator(np.random.PCG64(0)).integers(0, 2**64, (n_marks, 2), np.uint64)
    sums = np.add.reduceat(numbers[members], offsets[:-1], axis=0)
    _, first, distinct = np.unique(sums, axis=0, return_index=True, return_inverse=True)
    return first, distinct.reshape(-1)


def _averages(
    marks: GroupedMarks, members: Ints, offsets: Ints, median: Ints, chosen: Ints, settings: Settings
) -> KeyedOutlines:
    counts = np.diff(offsets)[chosen]
    own = members[positions_of(offsets[:-1][chosen], counts)]
    clusters = Clusters(
        marks,
        labels=np.zeros(len(marks.polygons), np.int32),
        members=own,
        member_offsets=offsets_of(counts),
        median=median[chosen],
        consensus=np.zeros(len(chosen)),
    )
    polygons = averaged_polygons(clusters, settings)
    keys = marks.keys.select(*OUTLINE_SCHEMA)[median[chosen]]
    return KeyedOutlines(keys, polygons, np.asarray(shapely.area(polygons), dtype=np.float64))
