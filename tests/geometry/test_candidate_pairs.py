"""Test which pairs of marks are candidates for a distance."""

import itertools
import tracemalloc

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from polyframe.geometry import candidate_pairs as pairs_module
from polyframe.geometry.candidate_pairs import all_pairs, candidate_pairs


def as_list(pairs):
    return list(zip(pairs[0].tolist(), pairs[1].tolist(), strict=True))


def test_all_pairs_within_runs():
    assert as_list(all_pairs([0, 3, 3, 4, 6])) == [(0, 1), (0, 2), (1, 2), (4, 5)]
    assert as_list(all_pairs([0])) == as_list(all_pairs([0, 0])) == []
    assert as_list(all_pairs([2, 4])) == [(2, 3)]


@st.composite
def groups(draw):
    count = draw(st.integers(0, 12))
    corner = st.integers(0, 5)
    boxes = [
        (x, y, x + draw(st.integers(1, 4)), y + draw(st.integers(1, 4)))
        for x, y in (draw(st.tuples(corner, corner)) for _ in range(count))
    ]
    offsets = [0, *sorted(draw(st.lists(st.integers(0, count), max_size=3))), count]
    codes = draw(st.lists(st.integers(0, 3), min_size=count, max_size=count))
    return boxes, offsets, codes


@settings(max_examples=200)
@given(groups(), st.sampled_from([0.2, 0.5, 0.8, 0.99, 1.0, 1.5]))
def test_candidates_of_boxes_are_exactly_the_neighbours(group, eps):
    boxes, offsets, codes = group
    marks = [shapely.box(*box) for box in boxes]
    bounds, areas = np.array(boxes, dtype=float).reshape(-1, 4), shapely.area(marks)
    pairs = as_list(candidate_pairs(bounds, areas, offsets, codes, eps))
    expected = []
    for start, end in itertools.pairwise(offsets):
        for i, j in itertools.combinations(range(start, end), 2):
            # For boxes the bound is exact: the candidates are the neighbours.
            shared = marks[i].intersection(marks[j]).area
            distance = 1 - shared / (areas[i] + areas[j] - shared)
            if codes[i] != codes[j] and distance <= eps + 1e-9:
                expected.append((i, j))
    assert pairs == expected


def test_small_chunks_give_the_same_pairs(monkeypatch):
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 30, (60, 2))
    bounds = np.column_stack([corners, corners + rng.uniform(5, 10, (60, 2))])
    areas = np.prod(bounds[:, 2:] - bounds[:, :2], axis=1)
    arguments = (bounds, areas, [0, 25, 60], np.arange(60), 0.8)
    whole = as_list(candidate_pairs(*arguments))
    monkeypatch.setattr(pairs_module, "_CHUNK", 7)
    assert whole
    assert as_list(candidate_pairs(*arguments)) == whole


@pytest.mark.slow
def test_a_large_group_needs_little_memory():
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 1000, (20_000, 2))
    bounds = np.column_stack([corners, corners + rng.uniform(20, 40, (20_000, 2))])
    tracemalloc.start()
    left, _right = candidate_pairs(bounds, np.full(20_000, 600.0), [0, 20_000], np.arange(20_000), 0.5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(left) > 1000
    assert peak < 400e6  # all pairs would be 3.2 GB for the positions alone


@pytest.mark.parametrize("eps", [0.5, 1.0])
@pytest.mark.parametrize("others", [0, 3])
def test_only_pairs_of_different_classifications_are_compared(monkeypatch, eps, others):
    count, looked_at = 100_000, 0
    wanted = others * count + others * (others - 1) // 2
    pair_with_runs = pairs_module.pair_with_runs

    def counted(*arguments):
        nonlocal looked_at
        looked_at += np.maximum(arguments[2] - arguments[1], 0).sum()
        assert looked_at <= 2 * wanted + count  # all pairs would be 5e9
        return pair_with_runs(*arguments)

    monkeypatch.setattr(pairs_module, "pair_with_runs", counted)
    codes = np.random.default_rng(0).permutation([*[7] * count, *range(100, 100 + others)])
    bounds = np.tile([0.0, 0.0, 1.0, 1.0], (len(codes), 1))
    left, right = candidate_pairs(bounds, np.ones(len(codes)), [0, len(codes)], codes, eps)
    assert len(left) == wanted
    assert np.all(codes[left] != codes[right])


@pytest.mark.parametrize("eps", [0.5, 1.0])
def test_no_marks_have_no_pairs(eps):
    assert as_list(candidate_pairs(np.empty((0, 4)), [], [0], [], eps)) == []
    assert as_list(candidate_pairs(np.empty((0, 4)), [], [0, 0, 0], [], eps)) == []
