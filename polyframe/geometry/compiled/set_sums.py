"""Sum up the areas of memberships, for the stability of clusters and the IoU of marks with others (compiled).

See `polyframe.geometry.stability` and `polyframe.geometry.majority`, whose results are the same up to the
rounding of sums.
"""

import numpy as np

from polyframe.core.arrays import Floats, Ints, ShortInts
from polyframe.core.estimation import LEAST_MARKS, RESAMPLES
from polyframe.geometry.compiled.numba_jit import compiled, compiled_inner
from polyframe.geometry.majority import OtherMarks
from polyframe.geometry.memberships import WORD, MembershipBlock, Words
from polyframe.geometry.stability import ResampledAreas

#: A table has a row for each set of so many consecutive marks.
_DIGIT = 4

_LEAST_MARKS, _RESAMPLES, _TABLE_ROWS, _WORD = LEAST_MARKS, RESAMPLES, 1 << _DIGIT, WORD

#: Those of SplitMix64. In compiled code, an unsigned integer that meets a signed one becomes a float.
_GOLDEN, _FIRST, _SECOND = (
    np.uint64(number) for number in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)
#: To count bits: the lower halves of all twos, fours and eights, and the lowest bits of all eights.
_HALVES = tuple(np.uint64(half) for half in (0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F))
_EIGHTS = np.uint64(0x0101010101010101)
_SHIFTS = tuple(np.uint64(shift) for shift in (1, 2, 4, 56))
_27, _30, _31, _32 = (np.uint64(shift) for shift in (27, 30, 31, 32))


class CompiledResampledAreas(ResampledAreas):
    """The areas of the majority regions of all resamples of some clusters, as `ResampledAreas`."""

    def add(self, block: MembershipBlock) -> None:
        """Add a block of memberships."""
        if not len(block.areas):
            return
        largest = int(self._counts[block.cluster].max())
        weights = np.zeros((-(-largest // _DIGIT) * _TABLE_ROWS, RESAMPLES + 1), dtype=np.int32)
        with np.errstate(all="ignore"):  # as in compiled code
            _add_resamples(
                block.areas,
                block.bits,
                block.cluster,
                self._offsets,
                self._medians,
                self._seeds,
                weights,
                np.zeros(RESAMPLES + 1, dtype=np.int32),
                self._sums,
            )


def add_others(
    block: MembershipBlock, others: OtherMarks, always: Floats, region: Floats, shared: Floats
) -> None:
    """Add a block to the sums that `iou_others` needs, as `majority.add_others` does."""
    with np.errstate(all="ignore"):
        _add_others(
            block.areas,
            block.bits,
            block.cluster,
            others.offsets,
            others.group,
            others.count,
            others.medians,
            others.most_own,
            np.zeros(int(others.group.max(initial=-1)) + 1, dtype=np.int32),
            np.zeros(len(others.group), dtype=np.int32),
            always,
            region,
            shared,
        )


@compiled
def _add_resamples(
    areas: Floats,
    bits: Words,
    cluster: Ints,
    offsets: Ints,
    medians: Ints,
    seeds: Words,
    weights: ShortInts,
    total: ShortInts,
    sums: Floats,
) -> None:
    """Add the areas of sets to those of all resamples whose regions contain them.

    The last column of weights is for a resample in which each mark is drawn once: it has the region of the
    cluster itself.
    """
    one = np.uint64(1)
    previous = -1
    for k in range(len(areas)):
        c = cluster[k]
        n = offsets[c + 1] - offsets[c]
        if n < _LEAST_MARKS:
            continue
        tables = (n + _DIGIT - 1) // _DIGIT
        if c != previous:
            previous = c
            for i in range(tables * _TABLE_ROWS):
                for r in range(_RESAMPLES + 1):
                    weights[i, r] = 0
            for m in range(n):
                row = (m >> 2) * _TABLE_ROWS + (1 << (m & 3))
                weights[row, _RESAMPLES] = 1
            # As `resample_weights` draws them.
            seed, size = seeds[c], np.uint64(n)
            for draw in range(n):
                for r in range(_RESAMPLES):
                    state = np.uint64(draw * _RESAMPLES + r + 1) * _GOLDEN + seed
                    state = (state ^ (state >> _30)) * _FIRST
                    state = (state ^ (state >> _27)) * _SECOND
                    state ^= state >> _31
                    m = int(((state >> _32) * size) >> _32)
                    weights[(m >> 2) * _TABLE_ROWS + (1 << (m & 3)), r] += 1
            for t in range(tables):
                for i in range(3, _TABLE_ROWS):
                    lowest = i & -i
                    if lowest != i:
                        row, rest = t * _TABLE_ROWS + i, t * _TABLE_ROWS + (i ^ lowest)
                        mark = t * _TABLE_ROWS + lowest
                        for r in range(_RESAMPLES + 1):
                            weights[row, r] = weights[rest, r] + weights[mark, r]

        # The row of no marks is 0.
        row = int(bits[k, 0] & np.uint64(_TABLE_ROWS - 1))
        for r in range(_RESAMPLES + 1):
            total[r] = weights[row, r]
        for t in range(1, tables):
            word = bits[k, (t * _DIGIT) >> 6]
            i = int((word >> np.uint64((t * _DIGIT) & 63)) & np.uint64(_TABLE_ROWS - 1))
            if i != 0:
                row = t * _TABLE_ROWS + i
                for r in range(_RESAMPLES + 1):
                    total[r] += weights[row, r]
        median = medians[c] - offsets[c]
        has_median = int((bits[k, median >> 6] >> np.uint64(median & 63)) & one)
        needed = np.int32((n - has_median) // 2 + 1)
        row = 2 * c
        if total[_RESAMPLES] < needed:
            row += 1
        area = areas[k]
        sums[row, _RESAMPLES] += area
        for r in range(_RESAMPLES):
            sums[row, r] += area if total[r] >= needed else 0.0


@compiled
def _add_others(
    areas: Floats,
    bits: Words,
    cluster: Ints,
    offsets: Ints,
    group: Ints,
    others: Ints,
    medians: Ints,
    most_own: Ints,
    of_group: ShortInts,
    inside: ShortInts,
    always: Floats,
    region: Floats,
    shared: Floats,
) -> None:
    """Add the areas of sets to the regions of the marks whose others they are the majority of."""
    one = np.uint64(1)
    for k in range(len(areas)):
        c = cluster[k]
        begin, end = offsets[c], offsets[c + 1]
        count = 0
        for word in range(bits.shape[1]):
            count += _bit_count(bits[k, word])
        above_half = 2 * count - (end - begin)
        if above_half < -most_own[c]:
            continue
        for word in range(bits.shape[1]):
            members, first = bits[k, word], begin + _WORD * word
            for mark in range(first, min(first + _WORD, end)):
                inside[mark] = int((members >> np.uint64(mark - first)) & one)
        area = areas[k]
        if above_half > most_own[c]:
            always[c] += area
            for mark in range(begin, end):
                shared[mark] += area if inside[mark] != 0 else 0.0
            continue
        if most_own[c] > 1:  # otherwise, each mark is the only one of its volunteer
            for mark in range(begin, end):
                of_group[group[mark]] += inside[mark]
        for mark in range(begin, end):
            own = of_group[group[mark]] if most_own[c] > 1 else inside[mark]
            above_half = 2 * (count - own) - others[mark]
            if above_half > 0 or (above_half == 0 and medians[mark] >= 0 and inside[medians[mark]] != 0):
                region[mark] += area
                shared[mark] += area if inside[mark] != 0 else 0.0
        if most_own[c] > 1:
            for mark in range(begin, end):
                of_group[group[mark]] = 0


@compiled_inner
def _bit_count(word: np.uint64) -> int:
    """Return how many bits of a word are 1: the bits of twos, fours and eights are added up in place."""
    word = word - ((word >> _SHIFTS[0]) & _HALVES[0])
    word = (word & _HALVES[1]) + ((word >> _SHIFTS[1]) & _HALVES[1])
    word = (word + (word >> _SHIFTS[2])) & _HALVES[2]
    return int((word * _EIGHTS) >> _SHIFTS[3])
