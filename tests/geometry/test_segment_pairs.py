"""Test pairs of overlapping boxes against a comparison of all boxes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyframe.geometry import segment_pairs
from polyframe.geometry.segment_pairs import overlapping_boxes


def random_boxes(rng, count, grid, longest):
    """Return boxes of about half a unit, some of them long; on whole numbers if `grid`."""
    left, low = rng.uniform(0, 6, (2, count))
    wide, tall = rng.exponential(0.5, (2, count)) * np.where(rng.random((2, count)) < 0.1, longest, 1)
    boxes = left, low, left + wide, low + tall
    return tuple(np.round(side) for side in boxes) if grid else boxes


def listed(boxes, cluster):
    pairs = [np.column_stack(pair) for pair in overlapping_boxes(boxes, cluster)]
    return np.concatenate([np.empty((0, 2), dtype=np.int64), *pairs])


def overlapping(boxes, cluster, margin=0.0):
    left, low, right, high = boxes
    together = cluster[:, None] == cluster
    together &= (left[:, None] <= right + margin) & (left <= right[:, None] + margin)
    together &= (low[:, None] <= high + margin) & (low <= high[:, None] + margin)
    return {(i, j) for i, j in np.argwhere(together).tolist() if i < j}


@given(st.integers(0, 2**32), st.integers(0, 120), st.booleans(), st.sampled_from([1, 10, 300]))
@settings(deadline=None)
def test_all_pairs_that_overlap_and_few_others(seed, count, grid, longest):
    rng = np.random.default_rng(seed)
    boxes = random_boxes(rng, count, grid, longest)
    cluster = np.sort(rng.integers(0, 4, count))
    pairs = [tuple(sorted(pair)) for pair in listed(boxes, cluster).tolist()]
    assert len(set(pairs)) == len(pairs)
    assert overlapping(boxes, cluster) <= set(pairs)
    extent = max((side.max(initial=0) for side in boxes), default=0)
    assert set(pairs) <= overlapping(boxes, cluster, margin=0.05 * extent)


@pytest.mark.parametrize("size", [1, 7, 100])
def test_chunks_and_sparse_cells_give_the_same_pairs(size, monkeypatch):
    rng = np.random.default_rng(1)
    boxes, cluster = random_boxes(rng, 200, False, 10), np.sort(rng.integers(0, 5, 200))
    whole = listed(boxes, cluster)
    monkeypatch.setattr(segment_pairs, "_PAIRS", size)
    assert sorted(listed(boxes, cluster).tolist()) == sorted(whole.tolist())
    monkeypatch.setattr(segment_pairs, "_DENSE", 2.0)  # no comparison of whole arrays
    assert sorted(listed(boxes, cluster).tolist()) == sorted(whole.tolist())


@pytest.mark.parametrize("size", [1, 50, 400, 200_000])
def test_the_order_of_pairs_depends_on_the_cluster_alone(size, monkeypatch):
    monkeypatch.setattr(segment_pairs, "_PAIRS", size)
    rng = np.random.default_rng(2)
    boxes, cluster = random_boxes(rng, 300, False, 3), np.repeat([0, 1, 2, 5], [10, 150, 130, 10])
    together = listed(boxes, cluster)
    for number in (0, 1, 2, 5):
        members = np.flatnonzero(cluster == number)
        alone = listed(tuple(side[members] for side in boxes), cluster[members]) + members[0]
        assert np.array_equal(alone, together[cluster[together[:, 0]] == number])
