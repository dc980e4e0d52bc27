"""Compute the majority region of clusters, and the IoU of marks with it, as sums over memberships.

The majority region is what more than half of the marks cover, or exactly half and the median mark among them.
So the region of one mark is the mark, and that of two is their median mark. Nothing of it is dropped, and no
hole is filled. No geometry is built: all areas are sums over `memberships`.

Marks are positions among the members of all clusters; mark i of a cluster is bit i - `offsets[cluster]` of
its sets.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import offsets_of, positions_of
from polyframe.geometry.averages import first_with_least_sum
from polyframe.geometry.memberships import WORD, MembershipBlock, Words


def is_covered_by_majority(block: MembershipBlock, offsets: Ints, medians: Ints) -> Flags:
    """Return which sets are in the majority region of their cluster.

    Parameters
    ----------
    block : MembershipBlock
    offsets : ndarray of int64, shape (c + 1,)
        Cluster i has the marks `offsets[i]` to `offsets[i + 1] - 1`.
    medians : ndarray of int64, shape (c,)
        The median mark of each cluster.

    Returns
    -------
    ndarray of bool, shape (f,)
    """
    return _is_majority(
        block.counts(), np.diff(offsets)[block.cluster], block, (medians - offsets[:-1])[block.cluster]
    )


def majority_areas(blocks: Iterable[MembershipBlock], offsets: Ints, medians: Ints) -> Floats:
    """Return the area of the majority region of each cluster.

    Parameters
    ----------
    blocks : iterable of MembershipBlock
        All of the clusters.
    offsets, medians
        As for `is_covered_by_majority`.

    Returns
    -------
    ndarray of float64, shape (c,)
        0 for a cluster without an area that enough marks cover, such as three marks that do not overlap.
    """
    areas = np.zeros(len(offsets) - 1)
    for block in blocks:
        inside = is_covered_by_majority(block, offsets, medians)
        _add_up(areas, block.cluster, np.where(inside, block.areas, 0.0))
    return np.maximum(areas, 0.0)


def iou_with_majority(
    blocks: Iterable[MembershipBlock], offsets: Ints, areas: Floats, medians: Ints
) -> Floats:
    """Return the IoU of each mark with the majority region of its cluster.

    Parameters
    ----------
    blocks : iterable of MembershipBlock
        All of the clusters.
    offsets, medians
        As for `is_covered_by_majority`.
    areas : ndarray of float64, shape (m,)
        The areas of all marks.

    Returns
    -------
    ndarray of float64, shape (m,)
        0..1.
    """
    region, shared = np.zeros(len(offsets) - 1), np.zeros(len(areas))
    for block in blocks:
        inside = _select(block, is_covered_by_majority(block, offsets, medians))
        _add_up(region, inside.cluster, inside.areas)
        _add_to_members(shared, inside, offsets)
    return _iou(areas, np.repeat(region, np.diff(offsets)), shared)


@dataclass(frozen=True)
class OtherMarks:
    """The marks of other volunteers in the cluster of each of m marks.

    Attributes
    ----------
    offsets : ndarray of int64, shape (c + 1,)
        Cluster i has the marks `offsets[i]` to `offsets[i + 1] - 1`.
    group : ndarray of int64, shape (m,)
        The volunteers of every cluster, numbered in ascending order of the clusters.
    count : ndarray of int64, shape (m,)
        How many marks of other volunteers there are.
    medians : ndarray of int64, shape (m,)
        The median mark of these, from `medians_of_others`.
    most_own : ndarray of int64, shape (c,)
        The largest number of marks of one volunteer in each cluster.
    masks : dict
        What `add_others` needs for each number of words, so that it is computed once.
    """

    offsets: Ints
    group: Ints
    count: Ints
    medians: Ints
    most_own: Ints
    masks: dict[int, Words] = field(default_factory=dict)


class AddOthers(Protocol):
    """A function that adds a block to the sums that `iou_others` needs."""

    def __call__(
        self, block: MembershipBlock, others: OtherMarks, always: Floats, region: Floats, shared: Floats, /
    ) -> None:
        """See `add_others`."""


def add_others(
    block: MembershipBlock, others: OtherMarks, always: Floats, region: Floats, shared: Floats
) -> None:
    """Add the areas of some sets to the sums that `iou_others` needs.

    Parameters
    ----------
    block : MembershipBlock
    others : OtherMarks
    always : ndarray of float64, shape (c,)
        The area that is in the regions of all marks of each cluster; added to in place.
    region : ndarray of float64, shape (m,)
        The area that is in the region of each mark, but not in those of all; added to in place.
    shared : ndarray of float64, shape (m,)
        The area of each mark that is in its region; added to in place.
    """
    offsets = others.offsets
    sizes, most_own = np.diff(offsets)[block.cluster], others.most_own[block.cluster]
    # Whether the others of a set are the majority is the same for all marks, unless they are about half.
    above_half = 2 * block.counts() - sizes
    inside = _select(block, above_half > most_own)
    _add_up(always, inside.cluster, inside.areas)
    _add_to_members(shared, inside, offsets)
    words = block.bits.shape[1]
    if words not in others.masks:
        others.masks[words] = _masks(offsets, others.group, words)
    masks = others.masks[words]
    for mark, part in _each_mark(_select(block, np.abs(above_half) <= most_own), offsets):
        rest = MembershipBlock(part.areas, part.bits & ~masks[others.group[mark]], part.cluster)
        medians = others.medians[mark] - offsets[part.cluster]
        covered = _is_majority(rest.counts(), others.count[mark], rest, medians)
        _add_up(region, mark[covered], part.areas[covered])
        covered &= part.contains(mark - offsets[part.cluster])
        _add_up(shared, mark[covered], part.areas[covered])


def iou_others(
    blocks: Iterable[MembershipBlock],
    offsets: Ints,
    areas: Floats,
    volunteer: Ints,
    medians: Ints,
    add: AddOthers = add_others,
) -> Floats:
    """Return the IoU of each mark with the majority region of its cluster's marks of other volunteers.

    Parameters
    ----------
    blocks : iterable of MembershipBlock
        All of the clusters.
    offsets : ndarray of int64, shape (c + 1,)
        Cluster i has the marks `offsets[i]` to `offsets[i + 1] - 1`.
    areas : ndarray of float64, shape (m,)
        The areas of all marks.
    volunteer : ndarray of int64, shape (m,)
        Who drew each mark, as a number.
    medians : ndarray of int64, shape (m,)
        The median mark among those of other volunteers, from `medians_of_others`.
    add : callable
        `add_others`, or the same compiled.

    Returns
    -------
    ndarray of float64, shape (m,)
        0..1; NaN if the cluster has no mark of another volunteer.
    """
    sizes = np.diff(offsets)
    group, own = _groups_of(offsets, volunteer)
    most_own = np.zeros(len(sizes), dtype=np.int64)
    some = np.flatnonzero(sizes)
    if len(some):
        most_own[some] = np.maximum.reduceat(own, offsets[some])
    others = OtherMarks(offsets, group, np.repeat(sizes, sizes) - own, medians, most_own)
    always, region, shared = np.zeros(len(sizes)), np.zeros(len(areas)), np.zeros(len(areas))
    for block in blocks:
        add(block, others, always, region, shared)
    region += np.repeat(always, sizes)
    return np.where(others.count > 0, _iou(areas, region, shared), np.nan)


def medians_of_others(offsets: Ints, volunteer: Ints, left: Ints, right: Ints, distances: Floats) -> Ints:
    """Return for each mark the median mark among those of other volunteers in its cluster.

    Parameters
    ----------
    offsets : ndarray of int64, shape (c + 1,)
        Cluster i has the marks `offsets[i]` to `offsets[i + 1] - 1`.
    volunteer : ndarray of int64, shape (m,)
        Who drew each mark, as a number.
    left, right : ndarray of int64, shape (p,)
        Pairs of marks within a cluster, each once. Pairs that are not listed have distance 1.
    distances : ndarray of float64, shape (p,)
        Their IoU distances. Infinite distances count as 1.

    Returns
    -------
    ndarray of int64, shape (m,)
        The mark with the least summed distance to the other ones of these, the first on ties (sums within
        1e-12); -1 if there are none.
    """
    sizes = np.diff(offsets)
    group, own = _groups_of(offsets, volunteer)
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    of_group = np.zeros(int(group.max(initial=-1)) + 1, dtype=np.int64)
    of_group[group] = cluster
    # How much nearer than 1 pairs are; the median mark has the greatest sum of these, too.
    near = np.where(np.isposinf(distances), 0.0, 1.0 - distances)
    near, one, other = np.tile(near, 2), np.concatenate([right, left]), np.concatenate([left, right])
    sums = np.bincount(one, near, len(group))
    # Each volunteer of a cluster has a cell for each of its marks: the sum without that volunteer's marks.
    members = sizes[of_group]
    cells = offsets_of(members)
    first = cells[:-1] - offsets[of_group]
    mark = positions_of(offsets[of_group], members)
    of_own = np.bincount(first[group[other]] + one, near, len(mark))
    rest = (of_own - sums[mark]).astype(np.float64)  # if there are no pairs, `bincount` returns integers
    rest[first[group] + np.arange(len(group))] = np.inf
    medians = mark[first_with_least_sum(rest, cells)]
    return np.where(own < sizes[cluster], medians[group], -1)


def _is_majority(counts: Ints, sizes: Ints, block: MembershipBlock, medians: Ints) -> Flags:
    """Return which sets are more than half of so many marks, or half of them with the median mark.

    `medians` are numbered within their clusters.
    """
    tied = 2 * counts == sizes
    return np.asarray((2 * counts > sizes) | (tied & block.contains(medians)))


def _add_up(sums: Floats, places: Ints, values: Floats) -> None:
    """Add values at places, which may repeat; much faster than `numpy.add.at` on a part of a long array."""
    if len(places):
        low = int(places.min())
        added = np.bincount(places - low, values)
        sums[low : low + len(added)] += added


def _iou(areas: Floats, region: Floats, shared: Floats) -> Floats:
    union = areas + region - shared
    iou = np.divide(shared, union, out=np.zeros_like(union), where=union > 0)
    return np.asarray(np.clip(iou, 0.0, 1.0))


def _select(block: MembershipBlock, chosen: Flags) -> MembershipBlock:
    if np.all(chosen):
        return block
    some = np.flatnonzero(chosen)
    return MembershipBlock(block.areas[some], block.bits.take(some, axis=0), block.cluster[some])


def _add_to_members(sums: Floats, block: MembershipBlock, offsets: Ints) -> None:
    """Add the area of each set to the sums of its marks, eight marks at a time."""
    if not len(block.areas):
        return
    first = int(block.cluster[0])
    place = 256 * (block.cluster - first)
    members = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little").T == 1
    sizes = np.diff(offsets)[first : int(block.cluster[-1]) + 1]
    texts = block.bits.astype("<u8", copy=False).view(np.uint8)
    for byte in range(-(-int(sizes.max()) // 8)):
        # The area of all sets with the same eight bits, of each cluster.
        areas = np.bincount(place + texts[:, byte], block.areas, 256 * len(sizes)).reshape(-1, 256)
        for bit, has_mark in enumerate(members):
            large = np.flatnonzero(sizes > 8 * byte + bit)
            values = areas[large][:, has_mark]
            while values.shape[1] > 1:  # always in this order, whatever the layout in memory
                half = values.shape[1] // 2
                values = values[:, :half] + values[:, half:]
            sums[offsets[first + large] + 8 * byte + bit] += values[:, 0]


def _each_mark(block: MembershipBlock, offsets: Ints) -> Iterator[tuple[Ints, MembershipBlock]]:
    """Yield the first mark of every cluster, then the second one, and so on, each with all sets of these."""
    sizes = np.diff(offsets)
    for number in range(int(sizes[block.cluster].max(initial=0))):
        if number:
            block = _select(block, sizes[block.cluster] > number)
        yield offsets[block.cluster] + number, block


def _groups_of(offsets: Ints, volunteer: Ints) -> tuple[Ints, Ints]:
    """Number the volunteers of every cluster, ascending with the clusters.

    Returns the number of each mark, and how many marks of its cluster have the same one.
    """
    cluster = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    order = np.lexsort((volunteer, cluster))
    begins = np.ones(len(order), dtype=np.bool_)
    begins[1:] = (cluster[order][1:] != cluster[order][:-1]) | (volunteer[order][1:] != volunteer[order][:-1])
    group = np.empty(len(order), dtype=np.int64)
    group[order] = np.cumsum(begins) - 1
    return group, np.bincount(group, minlength=1)[group] if len(group) else group


def _masks(offsets: Ints, group: Ints, words: int) -> Words:
    """Return the marks of each group as a set of the words of a block; marks beyond the words have no bit."""
    sizes = np.diff(offsets)
    number = np.arange(len(group)) - np.repeat(offsets[:-1], sizes)
    masks = np.zeros((int(group.max(initial=-1)) + 1, words), dtype=np.uint64)
    some = np.flatnonzero(number < WORD * words)
    bit = np.uint64(1) << (number[some] % WORD).astype(np.uint64)
    np.bitwise_or.at(masks, (group[some], number[some] // WORD), bit)
    return masks
