"""Test stability against a naive bootstrap, one resample and one set at a time, and against hand cases."""

import importlib.util

import numpy as np
import pytest
import shapely
from area_cases import star
from membership_blocks import together
from resampling import random_numbers, stability_of, weights_of
from shapely.affinity import translate

from polyframe.core.estimation import RESAMPLES
from polyframe.core.ragged import offsets_of
from polyframe.geometry import stability as module
from polyframe.geometry.averages import median_and_consensus
from polyframe.geometry.candidate_pairs import all_pairs
from polyframe.geometry.engines import engine_named
from polyframe.geometry.majority import majority_areas
from polyframe.geometry.memberships import MembershipBlock, pack_sets
from polyframe.geometry.stability import (
    ResampledAreas,
    Stability,
    classifications_needed,
    resample_weights,
    stability,
)

ENGINES = ["shapely", "compiled"] if importlib.util.find_spec("numba") else ["shapely"]


def random_sets(rng, count, marks, cluster=0):
    """Return a block of one cluster with random sets of all sizes, and these as booleans."""
    members = np.zeros((count, marks), dtype=np.bool_)
    for row in members:
        size = int(rng.integers(1, marks + 1))
        row[rng.permutation(marks)[:size]] = True
    return MembershipBlock(rng.random(count), pack_sets(members), np.full(count, cluster)), members


def values(result: Stability) -> np.ndarray:
    return np.stack([result.expected_iou, result.area_low, result.area_high], axis=1)


def seeds_of(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.uint64)


@pytest.mark.parametrize("marks", [3, 4, 5, 8, 9, 16, 63, 64, 65, 130])
def test_against_the_naive_bootstrap(marks):
    rng = np.random.default_rng(marks)
    block, members = random_sets(rng, 40, marks)
    for median in {0, marks // 2, marks - 1}:
        seed = int(rng.integers(1 << 63))
        computed = stability([block], np.array([0, marks]), np.array([median]), seeds_of(seed))
        expected = stability_of(block.areas.tolist(), members.tolist(), median, weights_of(marks, seed))
        assert values(computed)[0] == pytest.approx(expected, abs=1e-12)


def test_weights_are_those_of_splitmix64():
    # The first outputs for seed 0, from the reference implementation by S. Vigna.
    assert random_numbers(0, 2) == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]
    counts, seeds = np.array([3, 1, 10]), [0, 5, 2**64 - 1]
    weights = resample_weights(counts, seeds_of(*seeds))
    offsets = offsets_of(counts)
    for n, seed, begin in zip(counts.tolist(), seeds, offsets[:-1].tolist(), strict=True):
        assert weights[begin : begin + n].T.tolist() == weights_of(n, seed)


def test_weights_are_multinomial():
    clusters, n = 400, 6
    seeds = np.random.default_rng(3).integers(0, 1 << 63, clusters).astype(np.uint64)
    weights = resample_weights(np.full(clusters, n), seeds).reshape(clusters, n, RESAMPLES)
    assert np.all(weights.sum(axis=1) == n)
    # The standard errors are 0.0032 and 0.0044.
    assert weights.mean(axis=(0, 2)) == pytest.approx(1, abs=0.016)
    assert np.mean((weights - 1.0) ** 2, axis=(0, 2)) == pytest.approx(1 - 1 / n, abs=0.025)


def test_identical_marks_are_sure():
    block = MembershipBlock(np.array([7.3]), pack_sets(np.ones((1, 5))), np.array([0]))
    result = stability([block], np.array([0, 5]), np.array([0]), seeds_of(1))
    assert values(result).tolist() == [[1.0, 7.3, 7.3]]


def test_one_and_two_marks_have_no_stability():
    one = MembershipBlock(np.array([5.0]), pack_sets(np.ones((1, 1))), np.array([0]))
    two = MembershipBlock(np.array([5.0, 3.0]), pack_sets(np.array([[1, 0], [1, 1]])), np.array([1, 1]))
    result = stability([one, two], np.array([0, 1, 3]), np.array([0, 1]), seeds_of(1, 2))
    assert np.all(np.isnan(values(result)))


def test_three_marks_that_do_not_overlap():
    """The region is empty, and so are those of the resamples in which no mark is drawn twice."""
    areas = np.array([5.0, 3.0, 2.0])
    block = MembershipBlock(areas, pack_sets(np.eye(3)), np.zeros(3, dtype=np.int64))
    seeds = seeds_of(77)
    result = stability([block], np.array([0, 3]), np.array([0]), seeds)
    weights = resample_weights(np.array([3]), seeds)
    sizes = (areas[:, None] * (weights > 1)).sum(axis=0)
    assert 0 < (sizes == 0).sum() < RESAMPLES
    assert result.expected_iou[0] == pytest.approx(np.mean(sizes == 0))
    assert [result.area_low[0], result.area_high[0]] == np.quantile(sizes, [0.025, 0.975]).tolist()


def test_ties_have_the_median_mark_even_if_it_was_not_drawn():
    members = np.array([[1, 1, 0, 0], [0, 0, 1, 1]])
    areas, seeds = np.array([5.0, 7.0]), seeds_of(4)
    block = MembershipBlock(areas, pack_sets(members), np.zeros(2, dtype=np.int64))
    weights = resample_weights(np.array([4]), seeds)
    first = weights[:2].sum(axis=0)
    assert np.any((first == 2) & (weights[0] == 0))
    for median in range(4):
        wins = (first > 2) | ((first == 2) & (median < 2))
        result = stability([block], np.array([0, 4]), np.array([median]), seeds)
        # The full region is the set with the median mark.
        assert result.expected_iou[0] == pytest.approx(np.mean(wins == (median < 2)))
        sizes = np.where(wins, 5.0, 7.0)
        assert result.area_low[0] == np.quantile(sizes, 0.025)


def several_clusters(rng):
    """Return the sizes of clusters of 1 to 90 marks, their blocks, medians and seeds."""
    counts = np.array([4, 90, 1, 3, 2, 7, 70, 20])
    blocks = [random_sets(rng, 30 + 3 * int(n), int(n), k)[0] for k, n in enumerate(counts)]
    medians = offsets_of(counts)[:-1] + rng.integers(0, counts)
    return counts, blocks, medians, rng.integers(0, 1 << 63, len(counts)).astype(np.uint64)


def test_a_cluster_does_not_depend_on_others(monkeypatch):
    counts, blocks, medians, seeds = several_clusters(np.random.default_rng(8))
    offsets = offsets_of(counts)
    one_by_one = stability(blocks, offsets, medians, seeds)
    for k, block in enumerate(blocks):
        single = MembershipBlock(block.areas, block.bits, np.zeros_like(block.cluster))
        alone = stability([single], np.array([0, counts[k]]), medians[[k]] - offsets[k], seeds[[k]])
        assert values(alone).tobytes() == values(one_by_one)[[k]].tobytes()
    small = [block for block, n in zip(blocks, counts, strict=True) if n <= 64]
    large = [block for block, n in zip(blocks, counts, strict=True) if n > 64]
    for sets, rows in ((512, 1 << 14), (1, 1), (100, 700)):
        monkeypatch.setattr(module, "_SETS", sets)
        monkeypatch.setattr(module, "_TABLE_ROWS", rows)
        computed = values(stability([together(small), *large], offsets, medians, seeds))
        assert computed.tobytes() == values(one_by_one).tobytes()
        # With more words than they need, sets are looked up in other tables.
        everything = values(stability([together(blocks)], offsets, medians, seeds))
        assert everything.tobytes() == computed.tobytes()


def test_partial_areas_in_several_blocks_are_added_up():
    rng = np.random.default_rng(2)
    block, _ = random_sets(rng, 700, 9)
    whole = stability([block], np.array([0, 9]), np.array([3]), seeds_of(6))
    parts = [
        MembershipBlock(share * block.areas[rows], block.bits[rows], block.cluster[rows])
        for share, rows in ((2.0, slice(None)), (-1.0, slice(0, 300)), (-1.0, slice(300, None)))
    ]
    added = stability(parts, np.array([0, 9]), np.array([3]), seeds_of(6))
    assert values(added) == pytest.approx(values(whole), abs=1e-9)


def test_blocks_are_passed_on():
    counts, blocks, medians, seeds = several_clusters(np.random.default_rng(9))
    offsets = offsets_of(counts)
    resampled = ResampledAreas(offsets, medians, seeds)
    areas = majority_areas(resampled.watch(iter(blocks)), offsets, medians)
    assert areas.tolist() == majority_areas(blocks, offsets, medians).tolist()
    expected = stability(blocks, offsets, medians, seeds)
    assert values(resampled.stability()).tobytes() == values(expected).tobytes()


def drawn(rng, count):
    return [translate(star(rng, 40, radius=30), *rng.normal(0, 3, 2)) for _ in range(count)]


def test_engines_agree_and_more_marks_are_surer():
    rng = np.random.default_rng(21)
    counts = [3, 4, 5, 8, 12, 30]
    marks = np.array([mark for count in counts for mark in drawn(rng, count)], dtype=object)
    offsets = offsets_of(counts)
    left, right = all_pairs(offsets)
    shared = shapely.area(shapely.intersection(marks[left], marks[right]))
    union = shapely.area(marks)[left] + shapely.area(marks)[right] - shared
    medians, _ = median_and_consensus(offsets, left, right, 1 - shared / union)
    seeds = np.arange(len(counts)).astype(np.uint64)
    results = []
    for engine in map(engine_named, ENGINES):
        resampled = engine.resampled_areas(offsets, medians, seeds)
        for block in engine.memberships(marks, offsets):
            resampled.add(block)
        results.append(values(resampled.stability()))
    for result in results:
        assert result == pytest.approx(results[0], abs=1e-9, rel=1e-9)
    iou, low, high = results[0].T
    assert iou[0] < iou[-1] < 1
    assert np.all((low > 0) & (low <= high))


def test_no_clusters():
    none = np.empty(0, dtype=np.int64)
    result = stability([], np.zeros(1, dtype=np.int64), none, seeds_of())
    assert values(result).shape == (0, 3)
    assert len(resample_weights(none, seeds_of())) == 0


def test_classifications_needed():
    expected_iou = np.array([0.95, 0.9, 0.9, 1.0, 0.96, 0.0, np.nan])
    marks = np.array([4, 4, 3, 5, 10, 3, 1])
    classifications = np.array([4, 4, 6, 5, 11, 3, 8])
    # 10 * 0.8^2 = 6.4 marks, and 1.1 classifications for each.
    needed = [4, 16, 24, 1, 8, 1200, np.nan]
    assert classifications_needed(expected_iou, marks, classifications) == pytest.approx(needed, nan_ok=True)


@pytest.mark.parametrize("count", [1, 2, 5, 200])
def test_quantiles_are_those_of_numpy(count):
    rng = np.random.default_rng(count)
    values = np.round(rng.random((40, count)), 2) * 10.0 ** rng.integers(-9, 9, (40, 1))
    shares = (0.0, 0.025, 0.5, 0.975, 1.0)
    assert np.array_equal(module._quantiles_of_rows(values, shares), np.quantile(values, shares, axis=1))
