"""Test the compiled sums over memberships against naive ones, one resample, mark and set at a time."""

import numpy as np
import pytest
from membership_blocks import together
from resampling import stability_of, weights_of

from polyframe.core.ragged import offsets_of
from polyframe.geometry.compiled import set_sums
from polyframe.geometry.compiled.set_sums import CompiledResampledAreas, add_others
from polyframe.geometry.majority import iou_others
from polyframe.geometry.memberships import MembershipBlock, pack_sets


@pytest.fixture(autouse=True, params=["compiled", "interpreted"])
def _loops(request, monkeypatch):
    if request.param == "interpreted":
        for name in ("_add_resamples", "_add_others", "_bit_count"):
            loop = getattr(set_sums, name)
            monkeypatch.setattr(set_sums, name, getattr(loop, "py_func", loop))


def block_of(rng, members, cluster):
    return MembershipBlock(
        rng.random(len(members)), pack_sets(members), np.full(len(members), cluster, dtype=np.int64)
    )


def random_members(rng, sets, marks):
    """Return random sets of at least one mark, as booleans."""
    members = rng.random((sets, marks)) < rng.random((sets, 1))
    members[np.arange(sets), rng.integers(0, marks, sets)] = True
    return members


@pytest.mark.parametrize("split", [False, True])
def test_resamples_against_the_naive_bootstrap(split):
    rng = np.random.default_rng(5)
    counts = [3, 1, 4, 5, 2, 8, 9, 16, 63, 64, 65, 70]
    offsets = offsets_of(counts)
    medians = offsets[:-1] + rng.integers(0, counts)
    seeds = rng.integers(0, 1 << 63, len(counts)).astype(np.uint64)
    members = [random_members(rng, 20, n) for n in counts]
    blocks = [block_of(rng, sets, k) for k, sets in enumerate(members)]
    resampled = CompiledResampledAreas(offsets, medians, seeds)
    for block in blocks if split else [together(blocks)]:
        resampled.add(block)
    computed = resampled.stability()
    for k, n in enumerate(counts):
        values = [computed.expected_iou[k], computed.area_low[k], computed.area_high[k]]
        if n < 3:
            assert np.all(np.isnan(values))
            continue
        weights = weights_of(n, int(seeds[k]))
        median = int(medians[k] - offsets[k])
        expected = stability_of(blocks[k].areas.tolist(), members[k].tolist(), median, weights)
        assert values == pytest.approx(expected, abs=1e-12)


def test_parts_of_a_cluster_are_added_up():
    rng = np.random.default_rng(2)
    block = block_of(rng, random_members(rng, 300, 9), 0)
    parts = [
        MembershipBlock(share * block.areas[rows], block.bits[rows], block.cluster[rows])
        for share, rows in ((2.0, slice(None)), (-1.0, slice(0, 100)), (-1.0, slice(100, None)))
    ]
    results = []
    for blocks in ([block], [*parts, block_of(rng, np.ones((0, 9)), 0)]):
        resampled = CompiledResampledAreas(np.array([0, 9]), np.array([3]), np.array([6], np.uint64))
        areas = sum(part.areas.sum() for part in resampled.watch(blocks))
        assert areas == pytest.approx(block.areas.sum())
        results.append(resampled.stability())
    assert results[0].expected_iou == pytest.approx(results[1].expected_iou, abs=1e-9)
    assert results[0].area_low == pytest.approx(results[1].area_low, abs=1e-9)


def test_identical_marks_are_sure():
    block = MembershipBlock(np.array([7.3]), pack_sets(np.ones((1, 5))), np.array([0]))
    resampled = CompiledResampledAreas(np.array([0, 5]), np.array([0]), np.array([1], np.uint64))
    resampled.add(block)
    result = resampled.stability()
    assert [result.expected_iou[0], result.area_low[0], result.area_high[0]] == [1.0, 7.3, 7.3]


def naive_iou(areas, members, area, mark, volunteer, median):
    """Return the IoU of a mark with the majority region of the others, from all sets of its cluster."""
    others = np.flatnonzero(volunteer != volunteer[mark])
    if not len(others):
        return np.nan
    shared = region = 0.0
    for size, row in zip(areas, members, strict=True):
        twice = 2 * int(row[others].sum())
        if twice > len(others) or (twice == len(others) and row[median]):
            region += size
            shared += size * row[mark]
    return min(max(shared / (area + region - shared), 0), 1)


@pytest.mark.parametrize("people", [2, 4, 1000])
def test_ious_with_others_against_naive_ones(people):
    rng = np.random.default_rng(people)
    counts = [1, 2, 3, 4, 9, 12, 63, 64, 65, 90]
    offsets = offsets_of(counts)
    members = [random_members(rng, 40, n) for n in counts]
    blocks = [block_of(rng, sets, k) for k, sets in enumerate(members)]
    volunteer = rng.integers(0, people, offsets[-1])
    volunteer[-90:-60] = 5000  # has a third of the marks of the last cluster
    areas = np.concatenate([block.areas @ sets for block, sets in zip(blocks, members, strict=True)])
    medians, expected = np.full(len(areas), -1), np.full(len(areas), np.nan)
    for k, n in enumerate(counts):
        own = volunteer[offsets[k] : offsets[k + 1]]
        chosen = {person: rng.permutation(np.flatnonzero(own != person))[:1] for person in own.tolist()}
        for mark in range(n):
            median = chosen[int(own[mark])]
            place = offsets[k] + mark
            if len(median):
                medians[place] = offsets[k] + median[0]
                expected[place] = naive_iou(
                    blocks[k].areas, members[k], areas[place], mark, own, int(median[0])
                )
    for some in (blocks, [together(blocks)]):
        computed = iou_others(some, offsets, areas, volunteer, medians, add_others)
        assert computed == pytest.approx(expected, abs=1e-12, nan_ok=True)
