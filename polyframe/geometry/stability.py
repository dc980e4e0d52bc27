"""Estimate how sure the majority region of each cluster is, by a bootstrap over its marks.

A resample of a cluster of n marks is n draws among them, with replacement. So each mark has a weight, the
number of times that it was drawn, and all weights together are n. The majority region of a resample is what
marks with more than half of the weight cover, or exactly half and the median mark of the whole cluster among
them, drawn or not. With all weights 1 this is the region of the cluster itself.

Weights are integers, so it is exact which sets are in a region. No region is built: areas are sums over
`memberships`, in an order that depends only on the cluster. Draws are hashes of a seed of the cluster and of
their own number, so they do not depend on other clusters, nor on the order in which clusters are processed.

Resamples differ in which volunteers were asked. An error that most volunteers make is in all of them, and is
not seen.

References
----------
B. Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7 (1979).

G. L. Steele, D. Lea and C. H. Flood, "Fast splittable pseudorandom number generators", OOPSLA (2014).
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyframe.core.arrays import Floats, Ints
from polyframe.core.estimation import AREA_QUANTILES, LEAST_MARKS, RESAMPLES, TARGET_IOU
from polyframe.core.ragged import offsets_of, positions_of, runs_of_equal
from polyframe.core.sorting import stable_order
from polyframe.geometry.majority import is_covered_by_majority
from polyframe.geometry.memberships import ROUNDING, MembershipBlock, Words

#: Rows of tables of weights in memory at the same time, 400 bytes each.
_TABLE_ROWS = 1 << 14

#: Sets whose areas are summed at the same time, about a kilobyte each, so that they stay in the caches.
_SETS = 1024

#: Sets whose areas are looked up together.
_GROUP = 8

#: The areas of so many sets are summed, and then these sums, one after the other.
_RUN = 256


@dataclass(frozen=True)
class Stability:
    """How sure the majority regions of some clusters are; NaN for clusters of fewer than `LEAST_MARKS`.

    Attributes
    ----------
    expected_iou : ndarray of float64, shape (c,)
        The mean IoU of the regions of the resamples with that of the cluster, 0..1. The IoU of two empty
        regions is 1, that of an empty one with another 0.
    area_low, area_high : ndarray of float64, shape (c,)
        The 2.5 % and 97.5 % quantiles of the areas of the regions of the resamples, interpolated linearly.
    """

    expected_iou: Floats
    area_low: Floats
    area_high: Floats


def stability(blocks: Iterable[MembershipBlock], offsets: Ints, medians: Ints, seeds: Words) -> Stability:
    """Return how sure the majority region of each cluster is.

    Parameters
    ----------
    blocks : iterable of MembershipBlock
        All of the clusters.
    offsets : ndarray of int64, shape (c + 1,)
        Cluster i has the marks `offsets[i]` to `offsets[i + 1] - 1`.
    medians : ndarray of int64, shape (c,)
        The median mark of each cluster.
    seeds : ndarray of uint64, shape (c,)
        What the draws of each cluster depend on.
    """
    resampled = ResampledAreas(offsets, medians, seeds)
    for block in blocks:
        resampled.add(block)
    return resampled.stability()


def classifications_needed(expected_iou: Floats, marks: Ints, classifications: Ints) -> Floats:
    """Return how many classifications the subject of each cluster needs for an expected IoU of `TARGET_IOU`.

    The error 1 - e of n marks shrinks with the square root of n, so n ((1 - e) / (1 - t))^2 marks have an
    error of 1 - t. Each mark takes as many classifications as before.

    Parameters
    ----------
    expected_iou : ndarray of float64, shape (c,)
    marks : ndarray of int64, shape (c,)
        Marks in each cluster.
    classifications : ndarray of int64, shape (c,)
        Classifications of the subject of each cluster, with marks or not.

    Returns
    -------
    ndarray of float64, shape (c,)
        Whole numbers from 1; NaN if the expected IoU is.
    """
    marks_needed = np.round(marks * ((1 - expected_iou) / (1 - TARGET_IOU)) ** 2, 6)
    needed: Floats = np.maximum(np.ceil(marks_needed * classifications / marks), 1.0)
    return needed


class ResampledAreas:
    """The areas of the majority regions of all resamples of some clusters, summed up block by block.

    Parameters
    ----------
    offsets, medians, seeds
        As for `stability`.
    """

    def __init__(self, offsets: Ints, medians: Ints, seeds: Words) -> None:
        self._offsets, self._medians, self._seeds = offsets, medians, seeds
        self._counts = np.diff(offsets)
        # Two rows for each cluster: what the region of a resample shares with that of the cluster, and the
        # rest of it. The last column is for a resample that covers everything.
        self._sums = np.zeros((2 * len(self._counts), RESAMPLES + 1))

    def watch(self, blocks: Iterable[MembershipBlock]) -> Iterator[MembershipBlock]:
        """Add each block, and yield it for another use, since all together may not fit into memory."""
        for block in blocks:
            self.add(block)
            yield block

    def add(self, block: MembershipBlock) -> None:
        """Add a block of memberships."""
        chosen = np.flatnonzero(self._counts[block.cluster] >= LEAST_MARKS)
        row = 2 * block.cluster + ~is_covered_by_majority(block, self._offsets, self._medians)
        chosen = chosen[stable_order(row[chosen])]
        cluster = block.cluster[chosen]
        sets = MembershipBlock(block.areas[chosen], block.bits.take(chosen, axis=0), cluster)
        has_median = sets.contains((self._medians - self._offsets[:-1])[cluster])
        needed = (self._counts[cluster] - has_median) // 2 + 1
        # Tables for 4 marks each are built fast, those for 8 marks have to be looked up less often.
        digit = 4 if sets.bits.shape[1] == 1 else 8
        row = row[chosen]
        runs = runs_of_equal(cluster)
        present = cluster[runs[:-1]]
        table_rows = np.cumsum(-(-self._counts[present] // digit) << digit)
        for low, high in itertools.pairwise(runs_of_equal(table_rows // _TABLE_ROWS).tolist()):
            some = present[low:high]
            tables = _weight_tables(self._counts[some], self._seeds[some], digit)
            number = np.repeat(np.arange(high - low), np.diff(runs[low : high + 1]))
            part = slice(int(runs[low]), int(runs[high]))
            self._add_up(row[part], sets.areas[part], sets.bits[part], needed[part], number, tables)

    def _add_up(
        self, row: Ints, areas: Floats, bits: Words, needed: Ints, number: Ints, tables: "_WeightTables"
    ) -> None:
        """Add the areas of some sets to all resamples whose regions contain them.

        Of eight sets of a row, the sums of all 256 subsets are computed. Those in the region of a resample
        are a byte, so that one sum is looked up instead of adding eight areas.

        Parameters
        ----------
        row : ndarray of int64, shape (f,)
            The row of the sums for each set, ascending.
        areas, bits
            Those of the sets.
        needed : ndarray of int64, shape (f,)
            The least weight of a set that is in the region.
        number : ndarray of int64, shape (f,)
            The cluster of each set among those of the tables.
        tables : _WeightTables
        """
        runs = runs_of_equal(row)
        groups = -(-np.diff(runs) // _GROUP)
        place = positions_of(_GROUP * offsets_of(groups)[:-1], np.diff(runs))
        count = _GROUP * int(groups.sum())

        def filled_up(values: NDArray[Any], dtype: Any) -> NDArray[Any]:
            padded = np.zeros((count, *values.shape[1:]), dtype=dtype)
            padded[place] = values
            return padded

        # The last group of a row is filled up with empty sets of no area.
        areas, bits = filled_up(areas, np.float64), filled_up(bits, np.uint64)
        number, needed = filled_up(number, np.int64), filled_up(needed, tables.weights.dtype)
        starts = np.flatnonzero(positions_of(0, groups) % (_RUN // _GROUP) == 0)
        ends = np.append(starts[1:], count // _GROUP)
        added = np.empty((len(starts), RESAMPLES + 1))
        for low, high in itertools.pairwise(runs_of_equal(starts * _GROUP // _SETS).tolist()):
            first, end = int(starts[low]), int(ends[high - 1])
            part = slice(_GROUP * first, _GROUP * end)
            covered = tables.of_sets(bits[part], number[part]) >= needed[part, None]
            subset = np.empty((end - first, RESAMPLES + 1), dtype=np.int64)
            subset[:, :RESAMPLES] = _packed(covered.view(np.uint8).reshape(-1, _GROUP, RESAMPLES))
            subset[:, RESAMPLES] = (1 << _GROUP) - 1
            subset += np.arange(0, (end - first) << _GROUP, 1 << _GROUP)[:, None]
            values = _sums_of_subsets(areas[part].reshape(-1, _GROUP)).take(subset)
            np.add.reduceat(values, starts[low:high] - first, axis=0, out=added[low:high])
        # Sums of the same row are added one after the other, so it does not matter where parts end.
        target = np.repeat(row[runs[:-1]], groups)[starts]
        turn = positions_of(0, np.diff(runs_of_equal(target)))
        for k in range(int(turn.max(initial=-1)) + 1):
            now = np.flatnonzero(turn == k)
            self._sums[target[now]] += added[now]

    def stability(self) -> Stability:
        """Return how sure the majority regions are, after all blocks were added."""
        shared, others = self._sums[::2], self._sums[1::2]
        region, everything = shared[:, RESAMPLES:], shared[:, RESAMPLES:] + others[:, RESAMPLES:]
        shared, others = shared[:, :RESAMPLES], others[:, :RESAMPLES]
        union = region + others
        # If a cluster is in several blocks, areas that cancel out leave rounding errors.
        has_area = union > ROUNDING * everything
        iou = np.divide(shared, union, out=np.ones_like(union), where=has_area)
        low, high = _quantiles_of_rows(np.maximum(shared + others, 0.0), AREA_QUANTILES)
        unknown = np.where(self._counts >= LEAST_MARKS, 0.0, np.nan)
        return Stability(np.clip(iou, 0.0, 1.0).mean(axis=1) + unknown, low + unknown, high + unknown)


def _quantiles_of_rows(values: Floats, shares: tuple[float, ...]) -> Floats:
    """Return the quantiles of each row, interpolated as by `numpy.quantile`.

    NumPy sorts the rows with vector instructions, but partitions columns, so this is five times as fast.
    """
    ordered = np.sort(values, axis=1)
    place = (values.shape[1] - 1) * np.array(shares)
    before = place.astype(np.int64)
    after = np.minimum(before + 1, values.shape[1] - 1)
    low, high = ordered[:, before].T, ordered[:, after].T
    share = (place - before)[:, None]
    # From the nearer one, so that the last bits are those of `numpy.quantile`, too.
    nearer_high, nearer_low = high - (high - low) * (1 - share), low + (high - low) * share
    return np.asarray(np.where(share >= 0.5, nearer_high, nearer_low))


def _packed(flags: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a byte for each 8 flags along axis 1; `numpy.packbits` is much slower along this axis."""
    packed: NDArray[np.uint8] = flags[:, _GROUP - 1].copy()
    for bit in range(_GROUP - 1)[::-1]:
        packed += packed
        packed |= flags[:, bit]
    return packed


def _sums_of_subsets(values: NDArray[Any]) -> NDArray[Any]:
    """Return the sums of all subsets of values along axis 1, in the order of their bits as numbers."""
    count = values.shape[1]
    sums = np.zeros((len(values), 1 << count, *values.shape[2:]), dtype=values.dtype)
    for bit in range(count):
        # The subsets with this bit and none above are those below it, and this value.
        np.add(sums[:, : 1 << bit], values[:, bit, None], out=sums[:, 1 << bit : 2 << bit])
    return sums


def resample_weights(counts: Ints, seeds: Words, first: Ints | None = None, rows: int | None = None) -> Ints:
    """Return how often each mark is drawn in each resample of its cluster.

    Draw d of a cluster of n marks in resample r has the number k = d * `RESAMPLES` + r, from 0. It draws the
    mark floor(h n / 2^32), if h is the upper half of the output k of SplitMix64 with the seed of the cluster.

    Parameters
    ----------
    counts : ndarray of int64, shape (c,)
        Marks in each cluster, below 2^32.
    seeds : ndarray of uint64, shape (c,)
    first : ndarray of int64, shape (c,), optional
        The row of the first mark of each cluster; by default, one cluster follows the other.
    rows : int, optional
        The number of rows.

    Returns
    -------
    ndarray of int64, shape (rows, `RESAMPLES`)
        0 in rows without a mark.
    """
    if first is None or rows is None:
        offsets = offsets_of(counts)
        first, rows = offsets[:-1], int(offsets[-1])
    resample = np.arange(RESAMPLES)
    state = (positions_of(0, counts)[:, None] * RESAMPLES + resample).astype(np.uint64)
    state += np.uint64(1)
    state *= np.uint64(0x9E3779B97F4A7C15)
    state += np.repeat(seeds, counts)[:, None]
    mix(state)
    state >>= np.uint64(32)
    state *= np.repeat(counts, counts).astype(np.uint64)[:, None]
    state >>= np.uint64(32)
    cell = state.astype(np.int64)
    cell += np.repeat(first, counts)[:, None]
    cell *= RESAMPLES
    cell += resample
    weights: Ints = np.bincount(cell.ravel(), minlength=rows * RESAMPLES).reshape(rows, RESAMPLES)
    return weights


def mix(states: Words) -> None:
    """Replace numbers by their hashes, those of SplitMix64."""
    states ^= states >> np.uint64(30)
    states *= np.uint64(0xBF58476D1CE4E5B9)
    states ^= states >> np.uint64(27)
    states *= np.uint64(0x94D049BB133111EB)
    states ^= states >> np.uint64(31)


@dataclass(frozen=True)
class _WeightTables:
    """The weights of all sets of a few consecutive marks, in each resample.

    Attributes
    ----------
    weights : ndarray of unsigned integers, shape (t, `RESAMPLES`)
        A table of 2^digit rows for each `digit` marks of a cluster. Row i of a table is for those of its
        marks that the bits of i say.
    first : ndarray of int64, shape (c + 1,)
        Cluster i has the rows `first[i]` to `first[i + 1] - 1`.
    digit : int
    """

    weights: NDArray[Any]
    first: Ints
    digit: int

    def of_sets(self, bits: Words, cluster: Ints) -> NDArray[Any]:
        """Return the weights of some sets, (f, `RESAMPLES`) unsigned integers."""
        texts = bits.astype("<u8", copy=False).view(np.uint8)
        begin, rows = self.first[:-1][cluster], np.diff(self.first)[cluster]
        mask = np.uint8((1 << self.digit) - 1)
        weights: NDArray[Any] = np.zeros((0, RESAMPLES), dtype=self.weights.dtype)
        for number in range(int(rows.max(initial=0)) >> self.digit):
            byte, shift = divmod(number * self.digit, 8)
            place = (number << self.digit) + ((texts[:, byte] >> np.uint8(shift)) & mask).astype(np.int64)
            # The first row of all is zero.
            found = self.weights.take(np.where(place < rows, begin + place, 0), axis=0)
            weights = np.add(weights, found, out=weights) if number else found
        return weights


def _weight_tables(counts: Ints, seeds: Words, digit: int) -> _WeightTables:
    """Return the tables of some clusters, none of them empty."""
    most = int(counts.max(initial=0))
    dtype = np.uint8 if most < 1 << 8 else np.uint16 if most < 1 << 16 else np.uint32
    tables = offsets_of(-(-counts // digit))
    weights = resample_weights(counts, seeds, digit * tables[:-1], digit * int(tables[-1]))
    of_sets = _sums_of_subsets(weights.astype(dtype).reshape(-1, digit, RESAMPLES))
    return _WeightTables(of_sets.reshape(-1, RESAMPLES), tables << digit, digit)
