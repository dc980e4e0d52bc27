"""List the pairs of segments whose boxes overlap, for many clusters at once.

Each cluster has a grid. A segment is entered in the cells that its box covers, and the entries of a cell are
compared with each other: each with the first one after it, then each with the second one after it, and so on,
for all cells together. So most comparisons read whole arrays in order, of one byte per coordinate.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import offsets_of, positions_of, runs_of_equal
from polyframe.geometry.candidate_pairs import pair_with_runs

#: The side of a cell, as a multiple of the mean extent of a cluster's segments.
_CELL_SIZE = 5.0

#: Grid cells are so large that the boxes of a cluster fill at most so many cells per segment.
_CELLS_PER_SEGMENT = 12

#: Pairs of entries that are compared at a time, about 200 bytes each.
_PAIRS = 200_000

#: Entries are compared in whole arrays while at least this fraction of them has another one to compare with.
_DENSE = 0.2

#: Coordinates within a cell have so many steps, because they are compared as bytes.
_STEPS = 256

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class _Entries:
    """The entries of segments in the cells of grids, sorted by cell.

    Attributes
    ----------
    cell : ndarray of int64, shape (e,)
    segment : ndarray of int64, shape (e,)
    left, low, right, high : ndarray of uint8, shape (e,)
        The part of the segment's box that is in the cell, in steps from the corner of the cell.
    corner : ndarray of uint8, shape (e,)
        1 if the cell is in the first column of the segment's box, plus 2 if it is in the first row.
    """

    cell: Ints
    segment: Ints
    left: Bytes
    low: Bytes
    right: Bytes
    high: Bytes
    corner: Bytes


def overlapping_boxes(
    boxes: tuple[Floats, Floats, Floats, Floats], cluster: Ints
) -> Iterator[tuple[Ints, Ints]]:
    """Yield the pairs of boxes of a cluster that overlap or touch, or nearly so.

    Parameters
    ----------
    boxes : tuple of ndarray of float64, each of shape (n,)
        The left, low, right and high sides of the boxes; finite.
    cluster : ndarray of int64, shape (n,)
        Ascending.

    Yields
    ------
    i, j : ndarray of int64
        Each pair once. Among the pairs are some boxes that are apart by a small fraction of their size. In
        what order the pairs of a cluster come depends on no other cluster.
    """
    if not len(cluster):
        return
    entries = _enter(boxes, cluster)
    bounds = runs_of_equal(entries.cell)
    others = np.repeat(bounds[1:], np.diff(bounds)) - np.arange(1, len(entries.cell) + 1)
    for start, stop in itertools.pairwise(_chunks(others, cluster[entries.segment]).tolist()):
        yield from _compare(entries, others[start:stop], start)


def _enter(boxes: tuple[Floats, Floats, Floats, Floats], cluster: Ints) -> _Entries:
    left, low, right, high = boxes
    begins = runs_of_equal(cluster)[:-1]
    size = np.diff(np.append(begins, len(left)))
    x0, y0 = np.minimum.reduceat(left, begins), np.minimum.reduceat(low, begins)
    width, height = np.maximum.reduceat(right, begins) - x0, np.maximum.reduceat(high, begins) - y0
    side = _cell_sides(right - left, high - low, begins, size, np.sqrt(width * height / (4 * size)))
    columns, rows = (width / side).astype(np.int64) + 2, (height / side).astype(np.int64) + 2
    place = np.repeat(offsets_of(columns * rows)[:-1], size)
    columns, steps = np.repeat(columns, size), np.repeat(_STEPS / side, size)
    x0, y0 = np.repeat(x0, size), np.repeat(y0, size)
    # Rounding down keeps the order, so boxes that overlap still do.
    left, right = ((left - x0) * steps).astype(np.int64), ((right - x0) * steps).astype(np.int64)
    low, high = ((low - y0) * steps).astype(np.int64), ((high - y0) * steps).astype(np.int64)
    first_x, first_y = left // _STEPS, low // _STEPS
    wide, tall = right // _STEPS - first_x + 1, high // _STEPS - first_y + 1

    # Most segments are in a single cell. Of the others, each entry gets a part of the box.
    counts = wide * tall
    once, several = np.flatnonzero(counts == 1), np.flatnonzero(counts > 1)
    counts = counts[several]
    repeated = np.repeat(several, counts)
    row, column = np.divmod(positions_of(0, counts), np.repeat(wide[several], counts))
    is_first_x, is_last_x = column == 0, column + 1 == wide[repeated]
    is_first_y, is_last_y = row == 0, row + 1 == tall[repeated]
    cell = place + first_y * columns + first_x
    cell = np.concatenate([cell[once], cell[repeated] + row * columns[repeated] + column])
    bits = len(cell).bit_length()
    in_order = np.sort((cell << bits) | np.arange(len(cell)))
    order = in_order & ((1 << bits) - 1)

    left_in, right_in, low_in, high_in = (
        np.concatenate([within[once], np.where(at_border, within[repeated], otherwise)])[order]
        for within, at_border, otherwise in (
            ((left % _STEPS).astype(np.uint8), is_first_x, np.uint8(0)),
            ((right % _STEPS).astype(np.uint8), is_last_x, np.uint8(_STEPS - 1)),
            ((low % _STEPS).astype(np.uint8), is_first_y, np.uint8(0)),
            ((high % _STEPS).astype(np.uint8), is_last_y, np.uint8(_STEPS - 1)),
        )
    )
    corner = is_first_x.view(np.uint8) | (is_first_y.view(np.uint8) << 1)
    corner = np.concatenate([np.full(len(once), 3, dtype=np.uint8), corner])[order]
    segment = np.concatenate([once, repeated])[order]
    return _Entries(in_order >> bits, segment, left_in, low_in, right_in, high_in, corner)


def _cell_sides(wide: Floats, tall: Floats, begins: Ints, size: Ints, least: Floats) -> Floats:
    """Return the side of the cells of each cluster."""
    extent = np.add.reduceat(np.maximum(wide, tall), begins) / size
    side = np.maximum(_CELL_SIZE * extent, least)
    side[side == 0] = 1.0
    while True:  # long thin clusters and long segments must not fill too many cells
        own = np.repeat(side, size)
        filled = np.add.reduceat((wide / own + 1) * (tall / own + 1), begins)
        crowded = filled > _CELLS_PER_SEGMENT * size
        if not np.any(crowded):
            return side
        side[crowded] *= 1.5


def _chunks(others: Ints, cluster: Ints) -> Ints:
    """Return offsets of chunks of entries, by the number of entries that each is compared with.

    A chunk is several whole clusters, or a part of a large one that depends on that cluster only.
    """
    before = np.concatenate([[0], np.cumsum(others)])
    bounds = runs_of_equal(cluster)
    first = before[bounds[:-1]]
    is_large = before[bounds[1:]] - first > _PAIRS
    # Clusters in the same multiple of the size are together; a large one is alone.
    together = first // _PAIRS + 2 * np.cumsum(is_large) - is_large
    sizes = np.diff(bounds)
    within = np.where(np.repeat(is_large, sizes), (before[:-1] - np.repeat(first, sizes)) // _PAIRS, 0)
    changes = np.flatnonzero((np.diff(np.repeat(together, sizes)) != 0) | (np.diff(within) != 0)) + 1
    return np.concatenate([[0], changes, [len(others)]])


def _compare(entries: _Entries, others: Ints, start: int) -> Iterator[tuple[Ints, Ints]]:
    """Compare entries from `start` on, each with `others` entries after it, and yield what overlaps."""
    segment = entries.segment
    found_i, found_j = [], []
    steps, busy = 0, np.count_nonzero(others)
    while busy and busy >= _DENSE * len(others):
        steps += 1
        # Entries at the end have no others, so the comparison can end early.
        number = min(len(others), len(segment) - start - steps)
        here, there = slice(start, start + number), slice(start + steps, start + steps + number)
        overlap = (others[:number] >= steps) & _overlap(entries, here, there)
        position = np.flatnonzero(overlap) + start
        found_i.append(segment[position])
        found_j.append(segment[position + steps])
        busy = np.count_nonzero(others > steps)
    rest = np.flatnonzero(others > steps) + start
    one, other = pair_with_runs(rest, rest + steps + 1, rest + 1 + others[rest - start])
    close = np.flatnonzero(_overlap(entries, one, other))
    one, other = one[close], other[close]
    # In the order of whole arrays, whether or not they were used.
    order = np.argsort(other - one, kind="stable")
    found_i.append(segment[one[order]])
    found_j.append(segment[other[order]])
    yield np.concatenate(found_i), np.concatenate(found_j)


def _overlap(entries: _Entries, one: Any, other: Any) -> Flags:
    """Return which entries overlap their others.

    A pair that shares several cells counts in the one with the lower left corner of its overlap.
    """
    overlap = (entries.corner[one] | entries.corner[other]) == 3
    overlap &= entries.left[one] <= entries.right[other]
    overlap &= entries.left[other] <= entries.right[one]
    overlap &= entries.low[one] <= entries.high[other]
    overlap &= entries.low[other] <= entries.high[one]
    return np.asarray(overlap)
