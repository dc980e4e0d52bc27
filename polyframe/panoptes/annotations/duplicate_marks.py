"""Find exact copies of marks: a volunteer's second click on the same outline is not a second opinion."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import offsets_of, positions_of

_Hashes = NDArray[np.uint64]

#: Odd multipliers with well distributed bits.
_FACTORS: Final = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)
_SHIFT: Final = np.uint64(29)


def possible_duplicates(rows: Ints, x: Floats, y: Floats, offsets: Ints) -> Ints:
    """Find the paths that share row, length and first point with another path; there are few.

    Parameters
    ----------
    rows : (n,) int64
        Row of each path.
    x, y, offsets
        As for `exact_duplicates`.

    Returns
    -------
    (m,) int64
        Indices, ascending; false positives are rare.
    """
    starts = offsets[:-1]
    hashes = _row_hash(rows, np.diff(offsets), x[starts].view(np.int64), y[starts].view(np.int64))
    in_order = np.sort(hashes)
    repeated = in_order[1:][in_order[1:] == in_order[:-1]]
    return np.flatnonzero(np.isin(hashes, repeated)) if len(repeated) else np.empty(0, np.int64)


def exact_duplicates(
    candidates: Ints,
    keys: tuple[Ints, ...],
    x: Floats,
    y: Floats,
    offsets: Ints,
) -> tuple[Ints, Ints]:
    """Find the paths with the same points in the same order as an earlier path.

    Parameters
    ----------
    candidates : (m,) int64
        Indices of the paths to compare, ascending; at least one.
    keys : tuple of (m,) int64
        Only paths with equal keys are copies, for example those of one classification and tool.
    x, y : (n_points,) float64
        Coordinates of all paths; not NaN, and no -0.
    offsets : (n + 1,) int64
        Path i has the points `offsets[i]` to `offsets[i + 1]`, at least one.

    Returns
    -------
    copies : (c,) int64
        Indices of the copies, ascending.
    firsts : (c,) int64
        Index of the first path that each is a copy of.
    """
    lengths = np.diff(offsets)[candidates]
    columns = (*keys, lengths, _path_hashes(x, y, offsets[candidates], lengths))
    order = np.lexsort(columns)
    is_first = np.ones(len(order), bool)
    is_first[1:] = np.any([column[order[1:]] != column[order[:-1]] for column in columns], axis=0)
    # `lexsort` is stable, so the first of each run is the first of all.
    firsts = order[np.maximum.accumulate(np.where(is_first, np.arange(len(order)), 0))]
    copies, firsts = candidates[order[~is_first]], candidates[firsts[~is_first]]
    certain = _are_equal(x, y, offsets, copies, firsts)
    copies, firsts = copies[certain], firsts[certain]
    ascending = np.argsort(copies)
    return copies[ascending], firsts[ascending]


def _row_hash(*columns: Ints) -> _Hashes:
    """Return a hash of each row of the columns."""
    mixed = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        mixed = (mixed ^ column.astype(np.uint64)) * _FACTORS[0]
        mixed ^= mixed >> _SHIFT
    return mixed


def _path_hashes(x: Floats, y: Floats, starts: Ints, lengths: Ints) -> _Hashes:
    """Return a hash of the points of each path that depends on their order."""
    index, place = positions_of(starts, lengths), positions_of(0, lengths)
    points = np.zeros(len(index), np.uint64)
    for factor, flat in zip(_FACTORS[1:], (x, y), strict=True):
        # Without the shift, the trailing zero bits of integers would stay zero.
        bits = flat[index].view(np.uint64) * factor
        points += (bits ^ (bits >> _SHIFT)) * factor
    powers = np.cumprod(np.full(int(lengths.max()), _FACTORS[0], np.uint64))
    hashes: _Hashes = np.add.reduceat(points * powers[place], offsets_of(lengths)[:-1])
    return hashes


def _are_equal(x: Floats, y: Floats, offsets: Ints, copies: Ints, firsts: Ints) -> Flags:
    """Compare paths of the same length point by point."""
    if not len(copies):
        return np.empty(0, np.bool_)
    lengths = np.diff(offsets)[copies]
    one, other = positions_of(offsets[copies], lengths), positions_of(offsets[firsts], lengths)
    equal = (x[one] == x[other]) & (y[one] == y[other])
    return np.asarray(np.logical_and.reduceat(equal, offsets_of(lengths)[:-1]))
