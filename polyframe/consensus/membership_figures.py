"""Compute what follows from the memberships of clusters: the IoU of each mark with the others, and stability.

Memberships are computed once, some clusters at a time. Each block of them is used for all figures and then
dropped, so the memory does not grow with the partition.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from polyframe.consensus.group_clusters import Clusters, MemberDistances
from polyframe.consensus.marks import Distances, GroupedMarks, distances_between, member_pairs
from polyframe.consensus.volunteers import person
from polyframe.core.arrays import Floats, Ints
from polyframe.core.estimation import MOST_MARKS
from polyframe.core.plurals import agreeing, counted
from polyframe.core.ragged import offsets_of, positions_of, runs_of_equal
from polyframe.core.settings import Settings
from polyframe.core.tables import GROUP_KEYS
from polyframe.core.task_reports import begin_step, in_pieces
from polyframe.geometry.engines import engine_named
from polyframe.geometry.majority import iou_others, medians_of_others
from polyframe.geometry.memberships import Words
from polyframe.geometry.stability import Stability, mix

#: Clusters are processed together up to so many pairs of marks. Each counts as at least `_LEAST_PAIRS`, since
#: the sums of its resamples take 3 kilobytes.
_MOST_PAIRS = 1 << 20
_LEAST_PAIRS = 64

_NONE_KNOWN: Final = Distances(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))


@dataclass(frozen=True)
class MembershipFigures:
    """What follows from the memberships of c clusters with m marks; NaN for clusters of over `MOST_MARKS`.

    Attributes
    ----------
    iou_others : (m,) float64
        The IoU of each member with the majority region of its cluster's marks of other volunteers, 0..1; NaN
        if there are none.
    stability : Stability
        Of the majority region of each cluster.
    """

    iou_others: Floats
    stability: Stability


def membership_figures(clusters: Clusters, settings: Settings) -> MembershipFigures:
    """Compute the figures of all clusters, those that `min_threshold` drops included.

    Parameters
    ----------
    clusters : Clusters
    settings : Settings
        `engine`, and `volunteers`: if it is `drop`, each classification counts as that of another volunteer,
        as it does for later stages, which do not know the volunteers.
    """
    people = _people(clusters.marks, are_known=settings.volunteers != "drop")
    seeds = cluster_seeds(clusters)
    iou = np.full(len(clusters.members), np.nan)
    expected_iou, area_low, area_high = np.full((3, len(clusters.counts)), np.nan)
    usable = np.flatnonzero(clusters.counts <= MOST_MARKS)
    pairs = np.cumsum(np.maximum(clusters.counts[usable] ** 2, _LEAST_PAIRS))
    begin_step("averages", len(usable))
    for low, high in in_pieces(runs_of_equal(pairs // _MOST_PAIRS).tolist(), "averages"):
        some = usable[low:high]
        places, iou_of_members, stability = _figures_of(clusters, some, people, seeds[some], settings.engine)
        iou[places] = iou_of_members
        expected_iou[some] = stability.expected_iou
        area_low[some], area_high[some] = stability.area_low, stability.area_high
    return MembershipFigures(iou, Stability(expected_iou, area_low, area_high))


def clusters_too_large(counts: Ints) -> int:
    """Return how many clusters have so many marks that they have no figures."""
    return int((counts > MOST_MARKS).sum())


def not_estimated_notes(n_clusters: int) -> tuple[str, ...]:
    """Return a note if clusters have so many marks that they have no figures."""
    if not n_clusters:
        return ()
    return (
        f"{counted(n_clusters, 'cluster')} {agreeing(n_clusters, 'have more than')} {MOST_MARKS} marks; for "
        "so many, iou_others, expected_iou, area_low, area_high and classifications_needed are not computed",
    )


def cluster_seeds(clusters: Clusters) -> Words:
    """Return the seed of each cluster: a hash of its group keys and its label, not of rows or positions.

    Parameters
    ----------
    clusters : Clusters

    Returns
    -------
    (c,) uint64
        From state 0, each key in turn is added, then 2^64 / golden ratio, and the state is hashed by `mix`.
        Instead of a text, its BLAKE2b digest of 8 bytes is added, little-endian.
    """
    first = clusters.members[clusters.member_offsets[:-1]]
    keys = clusters.marks.keys.select(GROUP_KEYS)[first].with_columns(
        pl.Series("cluster_label", clusters.labels[first])
    )
    state = np.zeros(len(first), dtype=np.uint64)
    for column in keys.iter_columns():
        is_text = column.dtype == pl.String
        state += _digests(column) if is_text else column.cast(pl.Int64).to_numpy().view(np.uint64)
        state += np.uint64(0x9E3779B97F4A7C15)
        mix(state)
    return state


def _digests(texts: pl.Series) -> Words:
    """Return a hash of each text that does not depend on the version of Polars, as its own hashes do."""
    different = texts.unique().sort()
    digests = [hashlib.blake2b(text.encode(), digest_size=8).digest() for text in different]
    numbers: Words = np.array([int.from_bytes(digest, "little") for digest in digests], dtype=np.uint64)
    return numbers.take(texts.rank("dense").cast(pl.Int64).to_numpy() - 1)


def _people(marks: GroupedMarks, *, are_known: bool) -> Ints:
    """Return who drew each mark, as a number; each classification without a known volunteer has its own."""
    classification = np.unique(marks.classification, return_inverse=True)[1]
    if not are_known:
        return classification
    return marks.keys.select(person(pl.lit(pl.Series(classification)))).to_series().to_numpy()


def _figures_of(
    clusters: Clusters, some: Ints, people: Ints, seeds: Words, engine: str
) -> tuple[Ints, Floats, Stability]:
    """Compute the figures of some clusters; return the places of their members, and the figures of these."""
    marks, counts = clusters.marks, clusters.counts[some]
    offsets, places = offsets_of(counts), positions_of(clusters.member_offsets[some], counts)
    members = clusters.members[places]
    medians = np.flatnonzero(members == np.repeat(clusters.median[some], counts))
    within = _distances_within(clusters, some, engine)
    others = medians_of_others(offsets, people[members], within.first, within.second, within.distances)
    crossings = None if clusters.crossings is None else (clusters.crossings, members)
    functions = engine_named(engine)
    blocks = functions.memberships(marks.polygons[members], offsets, crossings)
    resampled = functions.resampled_areas(offsets, medians, seeds)
    iou = iou_others(
        resampled.watch(blocks),
        offsets,
        marks.areas[members],
        people[members],
        others,
        functions.add_others,
    )
    return places, iou, resampled.stability()


def _distances_within(clusters: Clusters, some: Ints, engine: str) -> MemberDistances:
    """Return the distances within some clusters, with positions among the members of these.

    Only those of clusters without known distances are computed.
    """
    starts, counts, known = clusters.member_offsets[some], clusters.counts[some], clusters.distances
    offsets = offsets_of(counts)
    bounds = np.searchsorted(known.first, clusters.member_offsets)
    pairs = np.diff(bounds)[some]
    listed, shift = positions_of(bounds[some], pairs), np.repeat(offsets[:-1] - starts, pairs)
    first, second = known.first[listed] + shift, known.second[listed] + shift
    distances = known.distances[listed]
    unknown = np.flatnonzero((pairs == 0) & (counts > 1))
    if not len(unknown):
        return MemberDistances(first, second, distances)
    counts = counts[unknown]
    places = positions_of(offsets[unknown], counts)
    members = clusters.members[positions_of(starts[unknown], counts)]
    left, right = member_pairs(clusters.marks, members, offsets_of(counts))
    computed = distances_between(clusters.marks, (members[left], members[right]), _NONE_KNOWN, engine)
    return MemberDistances(
        np.concatenate([first, places[left]]),
        np.concatenate([second, places[right]]),
        np.concatenate([distances, computed]),
    )
