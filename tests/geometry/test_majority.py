"""Test majority regions against the regions themselves, made by GEOS from faces, and against hand cases."""

import importlib.util
import itertools

import numpy as np
import pytest
import shapely
from area_cases import star
from shapely import box
from shapely.affinity import translate

from polyframe.core.ragged import offsets_of
from polyframe.geometry.averages import median_and_consensus
from polyframe.geometry.candidate_pairs import all_pairs
from polyframe.geometry.engines import engine_named
from polyframe.geometry.majority import (
    iou_others,
    iou_with_majority,
    is_covered_by_majority,
    majority_areas,
    medians_of_others,
)
from polyframe.geometry.memberships import MembershipBlock, pack_sets

ENGINES = ["shapely", "compiled"] if importlib.util.find_spec("numba") else ["shapely"]


def sets(areas_by_set, marks):
    """Return a block of one cluster."""
    members = np.zeros((len(areas_by_set), marks), dtype=np.bool_)
    for row, chosen in zip(members, areas_by_set, strict=True):
        row[list(chosen)] = True
    areas = np.array(list(areas_by_set.values()), dtype=np.float64)
    return MembershipBlock(areas, pack_sets(members), np.zeros(len(areas), dtype=np.int64))


def distance(one, other):
    return 1 - shapely.area(shapely.intersection(one, other)) / shapely.area(shapely.union(one, other))


def median_of(marks):
    """Return the place of the mark with the least summed distance, the first on ties."""
    sums = [sum(distance(one, other) for other in marks) for one in marks]
    return next(place for place, one in enumerate(sums) if one <= min(sums) + 1e-12)


def region_of(marks):
    """Return the majority region of some marks as a geometry."""
    lines = shapely.node(shapely.multilinestrings(shapely.get_rings(marks)))
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(lines)))
    inside = shapely.point_on_surface(faces)
    members = np.stack([shapely.contains_properly(mark, inside) for mark in marks])
    twice = 2 * members.sum(axis=0)
    chosen = (twice > len(marks)) | ((twice == len(marks)) & members[median_of(marks)])
    return shapely.union_all(faces[chosen])


def drawn(rng, count):
    return np.array(
        [translate(star(rng, 40, radius=30), *rng.normal(0, 3, 2)) for _ in range(count)], dtype=object
    )


def medians_and_pairs(marks, offsets):
    left, right = all_pairs(offsets)
    distances = np.array([distance(marks[i], marks[j]) for i, j in zip(left, right, strict=True)])
    return median_and_consensus(offsets, left, right, distances)[0], (left, right, distances)


@pytest.mark.parametrize("engine", ENGINES)
def test_areas_and_ious_against_the_region_as_a_geometry(engine):
    rng = np.random.default_rng(11)
    clusters = [drawn(rng, count) for count in (1, 2, 3, 4, 7, 8)]
    marks, offsets = np.concatenate(clusters), offsets_of([len(one) for one in clusters])
    areas = shapely.area(marks)
    medians, _ = medians_and_pairs(marks, offsets)
    blocks = list(engine_named(engine).memberships(marks, offsets))
    regions = [region_of(one) for one in clusters]
    expected = [1 - distance(mark, region_of(one)) for one in clusters for mark in one]
    assert majority_areas(blocks, offsets, medians) == pytest.approx(shapely.area(regions), rel=1e-9)
    assert iou_with_majority(blocks, offsets, areas, medians) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("engine", ENGINES)
def test_ious_with_others_against_the_region_as_a_geometry(engine):
    rng = np.random.default_rng(12)
    clusters = [drawn(rng, count) for count in (1, 2, 3, 4, 6, 9)]
    marks, offsets = np.concatenate(clusters), offsets_of([len(one) for one in clusters])
    volunteer = rng.integers(0, 6, len(marks))
    volunteer[-4:] = 77  # has four marks in the last cluster
    _, pairs = medians_and_pairs(marks, offsets)
    medians = medians_of_others(offsets, volunteer, *pairs)
    blocks = list(engine_named(engine).memberships(marks, offsets))
    add = engine_named(engine).add_others
    computed = iou_others(blocks, offsets, shapely.area(marks), volunteer, medians, add)
    for begin, end in itertools.pairwise(offsets.tolist()):
        for mark in range(begin, end):
            others = [k for k in range(begin, end) if volunteer[k] != volunteer[mark]]
            if not others:
                assert np.isnan(computed[mark])
                assert medians[mark] == -1
                continue
            assert medians[mark] == others[median_of(marks[others])]
            iou = 1 - distance(marks[mark], region_of(marks[others]))
            assert computed[mark] == pytest.approx(iou, abs=1e-9)


def test_ties_have_the_median_mark():
    block = sets({(0,): 5, (0, 1): 3, (1,): 2, (2, 3): 7, (0, 1, 2): 1, (1, 3): 4}, 4)
    offsets = np.array([0, 4])
    covered = [is_covered_by_majority(block, offsets, np.array([k])).tolist() for k in (0, 3)]
    assert covered[0] == [False, True, False, False, True, False]
    assert covered[1] == [False, False, False, True, True, True]
    assert majority_areas([block], offsets, np.array([0])).tolist() == [4]
    assert majority_areas([block], offsets, np.array([3])).tolist() == [12]


def test_one_mark_two_marks_and_marks_that_do_not_overlap():
    offsets = np.array([0, 1])
    assert majority_areas([sets({(0,): 5}, 1)], offsets, np.array([0])).tolist() == [5]
    two = [sets({(0,): 5, (0, 1): 3, (1,): 2}, 2)]
    areas = np.array([8.0, 5.0])
    for median in (0, 1):
        of_two = np.array([median])
        assert majority_areas(two, np.array([0, 2]), of_two).tolist() == [areas[median]]
        ious = iou_with_majority(two, np.array([0, 2]), areas, of_two)
        assert ious.tolist() == [1.0 if mark == median else 0.3 for mark in (0, 1)]
    apart, three = [sets({(0,): 5, (1,): 3, (2,): 2}, 3)], np.array([0, 3])
    assert majority_areas(apart, three, np.array([0])).tolist() == [0]
    assert iou_with_majority(apart, three, np.array([5.0, 3, 2]), np.array([0])).tolist() == [0, 0, 0]


def test_only_marks_of_other_volunteers_count():
    # Each of two volunteers drew two squares in the cluster.
    marks = np.array([box(0, 0, 4, 4), box(0, 0, 4, 2), box(0, 0, 4, 4), box(0, 0, 2, 4)], dtype=object)
    offsets, volunteer, areas = np.array([0, 4]), np.array([7, 7, 3, 3]), shapely.area(marks)
    _, pairs = medians_and_pairs(marks, offsets)
    medians = medians_of_others(offsets, volunteer, *pairs)
    assert medians.tolist() == [2, 2, 0, 0]
    blocks = list(engine_named("shapely").memberships(marks, offsets))
    # The median of two is the first on ties, the whole square.
    assert iou_others(blocks, offsets, areas, volunteer, medians).tolist() == [1, 0.5, 1, 0.5]
    alone = iou_others(blocks, offsets, areas, np.zeros(4, dtype=np.int64), np.full(4, -1))
    assert np.all(np.isnan(alone))


def test_partial_areas_in_several_blocks_are_added_up():
    rng = np.random.default_rng(2)
    marks = drawn(rng, 9)
    offsets, areas = np.array([0, 9]), shapely.area(marks)
    medians, pairs = medians_and_pairs(marks, offsets)
    (block,) = engine_named("shapely").memberships(marks, offsets)
    parts = [
        MembershipBlock(share * block.areas[rows], block.bits[rows], block.cluster[rows])
        for share, rows in ((2.0, slice(None)), (-1.0, slice(0, 20)), (-1.0, slice(20, None)))
    ]
    volunteer = np.arange(9) % 7
    others = medians_of_others(offsets, volunteer, *pairs)
    for function, more in (
        (majority_areas, (medians,)),
        (iou_with_majority, (areas, medians)),
        (iou_others, (areas, volunteer, others)),
    ):
        whole = function([block], offsets, *more)
        assert function(parts, offsets, *more) == pytest.approx(whole, abs=1e-9)


@pytest.mark.parametrize("volunteers", [1, 5, 1000])
def test_medians_of_others_against_matrices(volunteers):
    rng = np.random.default_rng(5)
    offsets = offsets_of([3, 1, 12, 5, 20])
    left, right = all_pairs(offsets)
    listed = rng.random(len(left)) < 0.8  # the others have distance 1
    left, right = left[listed], right[listed]
    distances = rng.random(len(left))
    distances[::7] = np.inf
    volunteer = rng.integers(0, volunteers, offsets[-1])
    medians = medians_of_others(offsets, volunteer, left, right, distances)
    table = np.ones((offsets[-1], offsets[-1]))
    np.fill_diagonal(table, 0)
    table[left, right] = table[right, left] = np.minimum(distances, 1)
    for begin, end in itertools.pairwise(offsets.tolist()):
        for mark in range(begin, end):
            others = np.array([k for k in range(begin, end) if volunteer[k] != volunteer[mark]], dtype=int)
            expected = others[np.argmin(table[np.ix_(others, others)].sum(axis=1))] if len(others) else -1
            assert medians[mark] == expected


def test_no_clusters():
    nothing, none = np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.int64)
    assert len(majority_areas([], nothing, none)) == 0
    assert len(iou_with_majority([], nothing, np.empty(0), none)) == 0
    assert len(medians_of_others(nothing, none, none, none, np.empty(0))) == 0
    assert len(iou_others([], nothing, np.empty(0), none, none)) == 0
