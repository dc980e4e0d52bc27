"""List the pairs of marks that may be neighbours, by their bounding boxes and areas."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import offsets_of, positions_of, runs_of_equal

Pairs = tuple[Ints, Ints]

#: Pairs in memory at the same time, about 200 bytes each, whatever the size of a group.
_CHUNK = 1 << 20

#: Subtracted from the smallest useful IoU, so that rounding never loses a neighbour.
_MARGIN = 1e-9


def all_pairs(offsets: ArrayLike) -> Pairs:
    """Return every pair within each run.

    Parameters
    ----------
    offsets : array_like of int, shape (r + 1,)
        Run i contains the positions `offsets[i]` to `offsets[i + 1] - 1`.

    Returns
    -------
    left, right : ndarray of int64, shape (p,)
        Positions, left < right, ordered by (left, right). Runs with fewer than two positions have no pairs.
    """
    bounds = np.asarray(offsets, dtype=np.int64)
    ends = np.repeat(bounds[1:], np.diff(bounds))
    first = np.arange(bounds[0], bounds[-1]) if len(bounds) else np.empty(0, dtype=np.int64)
    return pair_with_runs(first, first + 1, ends)


def candidate_pairs(
    bounds: ArrayLike,
    areas: ArrayLike,
    group_offsets: ArrayLike,
    classification_codes: ArrayLike,
    eps: float,
) -> Pairs:
    """Return the pairs of marks whose IoU distance can be `eps` or less.

    The two marks are in the same group and of different classifications, and their intersection can be large
    enough: it is at most the smaller area, and at most the overlap of the boxes. With `eps` of 1 or more
    these are all pairs of different classifications in a group, because marks that do not overlap have
    distance 1. Pairs within a classification take no time, however many marks it has.

    Parameters
    ----------
    bounds : array_like of float, shape (n, 4)
        xmin, ymin, xmax, ymax of each mark, as `shapely.bounds` returns them, sorted by group.
    areas : array_like of float, shape (n,)
        Areas of the marks.
    group_offsets : array_like of int, shape (g + 1,)
        Group i contains the marks `group_offsets[i]` to `group_offsets[i + 1] - 1`.
    classification_codes : array_like, shape (n,)
        Equal values within a group mean the same classification.
    eps : float
        Largest distance of interest.

    Returns
    -------
    left, right : ndarray of int64, shape (p,)
        Positions of the marks, left < right, ordered by (left, right).
    """
    boxes = np.asarray(bounds, dtype=np.float64).reshape(-1, 4)
    sizes = np.asarray(areas, dtype=np.float64)
    groups = np.asarray(group_offsets, dtype=np.int64)
    _, codes = np.unique(np.asarray(classification_codes), return_inverse=True)
    least_iou = 1.0 - eps - _MARGIN

    if least_iou <= 0:
        order = np.arange(len(boxes))
        ends = np.repeat(groups[1:], np.diff(groups))
    else:
        order, ends = _by_left_edge(boxes, groups)
    candidates: list[Pairs] = []
    for first, second in _pairs_of_different(codes[order], ends):
        left, right = np.minimum(order[first], order[second]), np.maximum(order[first], order[second])
        if least_iou > 0:
            near = may_be_near(boxes, sizes, left, right, eps)
            left, right = left[near], right[near]
        candidates.append((left, right))
    left, right = _concatenate(candidates)
    if least_iou > 0:
        by_position = np.argsort(left * len(boxes) + right)
        left, right = left[by_position], right[by_position]
    return left, right


def pair_with_runs(first: Ints, starts: Ints, ends: Ints) -> Pairs:
    """Pair each number with all numbers of a run.

    Parameters
    ----------
    first, starts, ends : ndarray of int64, shape (n,)
        `first[i]` is paired with `starts[i]` to `ends[i] - 1`; with nothing if that run is empty.

    Returns
    -------
    first, second : ndarray of int64, shape (p,)
    """
    counts = np.maximum(ends - starts, 0)
    return np.repeat(first, counts), positions_of(starts, counts)


def box_overlaps(boxes: Floats, left: NDArray[Any], right: NDArray[Any]) -> Floats:
    """Return the area in which the boxes of each pair overlap.

    Parameters
    ----------
    boxes : ndarray of float64, shape (n, 4)
        xmin, ymin, xmax, ymax.
    left, right : ndarray of int, shape (p,)
        Positions in `boxes`.

    Returns
    -------
    ndarray of float64, shape (p,)
        0 if the boxes touch or are apart, or one of them is NaN (an empty polygon).
    """
    x_min, y_min, x_max, y_max = np.ascontiguousarray(boxes.T)
    width = np.minimum(x_max[left], x_max[right]) - np.maximum(x_min[left], x_min[right])
    height = np.minimum(y_max[left], y_max[right]) - np.maximum(y_min[left], y_min[right])
    # `fmax` ignores NaN.
    overlaps: Floats = np.fmax(width, 0.0) * np.fmax(height, 0.0)
    return overlaps


def may_be_near(boxes: Floats, areas: Floats, left: NDArray[Any], right: NDArray[Any], eps: float) -> Flags:
    """Return which pairs can have an IoU distance of `eps` or less, by their boxes and areas.

    Parameters
    ----------
    boxes : ndarray of float64, shape (n, 4)
        xmin, ymin, xmax, ymax.
    areas : ndarray of float64, shape (n,)
    left, right : ndarray of int, shape (p,)
        Positions in `boxes` and `areas`.
    eps : float

    Returns
    -------
    ndarray of bool, shape (p,)
        All of them if `eps` is 1 or more.
    """
    least_iou = 1.0 - eps - _MARGIN
    if least_iou <= 0:
        return np.ones(len(left), dtype=np.bool_)
    a, b = areas[left], areas[right]
    shared = np.minimum(np.minimum(a, b), box_overlaps(boxes, left, right))
    iou: Floats = np.divide(shared, a + b - shared, out=np.zeros_like(shared), where=shared > 0)
    return np.asarray(iou >= least_iou)


def _by_left_edge(boxes: Floats, groups: Ints) -> tuple[Ints, Ints]:
    """Order the marks of each group by their left edge.

    Also returns, for each mark in that order, the end of the run of marks whose left edge is not beyond its
    right edge: only marks after it and before that end can overlap it. One sort of all edges, left before
    right on ties, gives both (a plane sweep).
    """
    count = len(boxes)
    group = np.repeat(np.arange(len(groups) - 1), np.diff(groups))
    edges = np.concatenate([boxes[:, 0], boxes[:, 2]])
    is_right = np.repeat([False, True], count)
    by_edge = np.lexsort((is_right, edges, np.concatenate([group, group])))
    order = by_edge[by_edge < count]
    lefts_before = np.cumsum(by_edge < count)
    ends = np.empty(count, dtype=np.int64)
    ends[by_edge[by_edge >= count] - count] = lefts_before[by_edge >= count]
    return order, ends[order]


def _pairs_of_different(codes: Ints, ends: Ints) -> Iterator[Pairs]:
    """Pair each position i with those of i + 1 ... `ends[i]` - 1 that have another code, in chunks.

    Between the runs of a code are gaps, and i is paired with the gaps behind its run, up to its end. So work
    and memory are proportional to the number of pairs, however often a code is repeated.
    """
    bounds = runs_of_equal(codes)
    begins, stops = bounds[:-1], bounds[1:]
    by_code = np.argsort(codes[begins], kind="stable")
    code = codes[begins][by_code]
    gap_starts = stops[by_code]
    gap_ends = np.full(len(code), len(codes))
    followed = np.flatnonzero(code[1:] == code[:-1])
    gap_ends[followed] = begins[by_code][followed + 1]

    gap_of_run = np.empty(len(code), dtype=np.int64)
    gap_of_run[by_code] = np.arange(len(code))
    first_gap = np.repeat(gap_of_run, stops - begins)
    stride = len(codes) + 1
    end_gap = np.searchsorted(code * stride + gap_starts, codes * stride + ends)

    some = np.flatnonzero(end_gap > first_gap)
    lengths = offsets_of(gap_ends - gap_starts)
    beyond = np.maximum(gap_ends[end_gap[some] - 1] - ends[some], 0)
    counts = lengths[end_gap[some]] - lengths[first_gap[some]] - beyond
    for start, end in itertools.pairwise(runs_of_equal(np.cumsum(counts) // _CHUNK)):
        part = some[start:end]
        position, gap = pair_with_runs(part, first_gap[part], end_gap[part])
        yield pair_with_runs(position, gap_starts[gap], np.minimum(gap_ends[gap], ends[position]))


def _concatenate(pairs: list[Pairs]) -> Pairs:
    none = np.empty(0, dtype=np.int64)
    left = np.concatenate([none, *(pair[0] for pair in pairs)])
    right = np.concatenate([none, *(pair[1] for pair in pairs)])
    return left, right
