"""Describe the memberships of clusters: sets of marks, and the area that exactly these marks cover.

The memberships of a cluster are its planar arrangement, summed by set. Every area that depends only on which
marks cover a point is a sum over them: of a level, of a pair of marks, of the majority region.

A set is a row of 64-bit words: bit j of word k is for mark 64 k + j of the cluster, in the order of its
members.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.sorting import stable_order

Words = NDArray[np.uint64]

#: The number of marks that one word has a bit for.
WORD: Final = 64

#: Areas are complete to this fraction of the areas of all marks of a cluster.
ROUNDING: Final = 1e-9

#: Areas within this fraction of the areas of all marks are rounding errors. If there are many sets, the
#: limit is lower, so that all together are within the second fraction.
_NOTHING, _ALL_NOTHING = 2.0**-46, 1e-10


#: Bits of the hashes of sets, so that next to none of thousands are equal.
_LEAST_HASH: Final = 36


@dataclass(frozen=True)
class MembershipBlock:
    """Memberships of some clusters, sorted by cluster.

    Equal sets are summed, but a large cluster may be in several blocks, which are not: then a set may be in
    each of them, and its areas there, some of them negative, have to be added up. Everything that is linear
    in the areas needs nothing else than adding up over blocks.

    Attributes
    ----------
    areas : ndarray of float64, shape (f,)
    bits : ndarray of uint64, shape (f, w)
        The sets, none of them empty.
    cluster : ndarray of int64, shape (f,)
        Ascending.
    """

    areas: Floats
    bits: Words
    cluster: Ints

    def counts(self) -> Ints:
        """Return the number of marks in each set."""
        counts: Ints = np.bitwise_count(self.bits[:, 0]).astype(np.int64)
        for word in range(1, self.bits.shape[1]):
            counts += np.bitwise_count(self.bits[:, word])
        return counts

    def contains(self, marks: Ints) -> Flags:
        """Return whether each set contains a mark.

        Parameters
        ----------
        marks : ndarray of int64, shape (f,)
            One mark for each set, numbered within its cluster. A set does not contain marks that are
            negative, nor those that the words have no bit for.
        """
        possible = (marks >= 0) & (marks < WORD * self.bits.shape[1])
        mark = np.where(possible, marks, 0)
        several = self.bits.shape[1] > 1
        words = self.bits[np.arange(len(mark)), mark // WORD] if several else self.bits[:, 0]
        return np.asarray(possible & ((words >> (mark % WORD).astype(np.uint64)) & np.uint64(1) == 1))


def words_for(marks: int) -> int:
    """Return how many words a set of that many marks needs, at least 1."""
    return max(-(-marks // WORD), 1)


def merge_equal_sets(areas: Floats, bits: Words, cluster: Ints) -> MembershipBlock:
    """Add up the areas of equal sets of a cluster, in the order given, and drop the empty set.

    Parameters
    ----------
    areas : ndarray of float64, shape (k,)
    bits : ndarray of uint64, shape (k, w)
    cluster : ndarray of int64, shape (k,)
        Not negative.
    """
    filled = np.flatnonzero(bits.any(axis=1) if bits.shape[1] > 1 else bits[:, 0])
    areas, bits, cluster = areas[filled], bits.take(filled, axis=0), cluster[filled]
    # By cluster, then by a hash. If two sets have the same hash, some equal ones may not be neighbours: they
    # remain apart, which changes no sum.
    room = int(cluster.max(initial=0)).bit_length()
    width = 63 - len(cluster).bit_length()  # of keys that are sorted fast
    if width < room + _LEAST_HASH:
        width = 63
    keys = cluster << (width - room)
    keys |= (_hashes(bits) >> np.uint64(64 - width + room)).view(np.int64)
    order = stable_order(keys)
    bits, cluster = bits.take(order, axis=0), cluster[order]
    begins = np.ones(len(order), dtype=np.bool_)
    begins[1:] = cluster[1:] != cluster[:-1]
    for word in range(bits.shape[1]):
        begins[1:] |= bits[1:, word] != bits[:-1, word]
    first = np.flatnonzero(begins)
    sums = np.bincount(np.cumsum(begins) - 1, weights=areas[order], minlength=len(first))
    return MembershipBlock(sums.astype(np.float64, copy=False), bits.take(first, axis=0), cluster[first])


def drop_rounding_errors(block: MembershipBlock, totals: Floats) -> tuple[MembershipBlock, Ints]:
    """Drop sets with next to no area, of clusters of which the block contains everything.

    Parameters
    ----------
    block : MembershipBlock
    totals : ndarray of float64, shape (c,)
        The areas of all marks of each cluster, or a little more.

    Returns
    -------
    block : MembershipBlock
    wrong : ndarray of int64
        Clusters that have a set with a negative area, so that something went wrong.
    """
    sets = np.bincount(block.cluster, minlength=len(totals))
    limits = np.minimum(_NOTHING, _ALL_NOTHING / np.maximum(sets, 1)) * totals
    has_area = block.areas > limits[block.cluster]
    kept, rest = np.flatnonzero(has_area), np.flatnonzero(~has_area)
    clusters = block.cluster[rest]
    wrong = np.unique(clusters[~(block.areas[rest] >= -ROUNDING * totals[clusters])])
    if not len(rest):
        return block, wrong
    return MembershipBlock(block.areas[kept], block.bits.take(kept, axis=0), block.cluster[kept]), wrong


def repeat_marks(block: MembershipBlock, distinct: Ints) -> MembershipBlock:
    """Return the memberships of clusters with duplicates, from those of their distinct marks.

    Parameters
    ----------
    block : MembershipBlock
        The memberships of the distinct marks of a single cluster.
    distinct : ndarray of int64, shape (n,)
        The number of each mark of the cluster among the distinct ones.
    """
    members = np.unpackbits(block.bits.astype("<u8").view(np.uint8), axis=1, bitorder="little")
    return MembershipBlock(block.areas, pack_sets(members.take(distinct, axis=1)), block.cluster)


def pack_sets(members: NDArray[Any]) -> Words:
    """Return sets of marks as words.

    Parameters
    ----------
    members : ndarray, shape (f, n)
        Whether each set contains each mark of its cluster.
    """
    words = np.zeros((len(members), 8 * words_for(members.shape[1])), dtype=np.uint8)
    packed = np.packbits(members.astype(np.bool_, copy=False), axis=1, bitorder="little")
    words[:, : packed.shape[1]] = packed
    return words.view("<u8").astype(np.uint64, copy=False)


def _hashes(bits: Words) -> Words:
    mixed = np.zeros(len(bits), dtype=np.uint64)
    for word in range(bits.shape[1]):
        # Every bit must change many others before the next word, or sets that differ in few marks of several
        # words have the same hash.
        mixed ^= mixed >> np.uint64(32)
        mixed = (mixed ^ bits[:, word]) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
        mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return mixed
