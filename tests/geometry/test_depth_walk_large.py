"""Test the depth walk on large clusters, in which rounding affects on which side of an edge a corner is."""

from dataclasses import fields

import numpy as np
import pytest
import shapely
from exact_oracle import Overlay, marks_of
from near_contacts import near_contacts
from shapely import box
from stacks import as_array

pytest.importorskip("numba", reason="the depth walk needs the extra `fast` (numba)")

from polyframe.geometry.compiled import chosen_levels, level_events
from polyframe.geometry.compiled.depth_walk import walk_contours
from polyframe.geometry.compiled.group_crossings import find_group_crossings
from polyframe.geometry.exact_contours import cluster_contours
from polyframe.geometry.level_rings import LevelRings

#: Reduced from 400 marks in hundredths of a pixel: three edges nearly through (403.21, 107.93).
MEETING = np.array(
    [
        shapely.Polygon([(375.67, 70.16), (403.21, 106.57), (403.21, 108.35)]),
        shapely.Polygon([(420.89, 131.91), (403.95, 108.3), (402.93, 107.79)]),
        shapely.Polygon([(402.58, 106.67000000000002), (406.02, 113.55), (426.67, 140.39)]),
    ],
    dtype=object,
)


def test_three_edges_through_nearly_one_point():
    expected = [float(max(level)) for level in Overlay(marks_of(MEETING)).contour_areas]
    walked = walk_contours(MEETING, [0, 3])
    assert walked.verified.tolist() == [True]
    assert walked.areas == pytest.approx(expected[:2], rel=1e-9)
    assert expected[2] < 1e-20
    assert shapely.area(cluster_contours(MEETING, [0, 3]).polygons) == pytest.approx(walked.areas, rel=1e-9)


def test_a_hole_without_an_area_is_dropped():
    # As the repair of a drawing that crosses itself leaves it.
    hole = [(3, 3), (4, 4), (5, 5 + 1e-15)]
    marks = as_array([shapely.Polygon(box(0, 0, 9, 9).exterior, [hole]), box(2, 2, 12, 4)])
    walked = walk_contours(marks, [0, 2])
    assert walked.verified.tolist() == [True]
    np.testing.assert_allclose(walked.areas, [87, 14], rtol=1e-12)


#: Clusters with a contour that crossed itself by a rounding step; three of them also after it was buffered.
BY_ONE_STEP = [978, 994, 1034, 1382, 1850, 2211, 2453]


@pytest.mark.parametrize("seeds", [BY_ONE_STEP, range(3000, 3200)], ids=["invalid before", "others"])
def test_contours_of_outlines_that_nearly_touch_are_valid(seeds):
    clusters = [near_contacts(seed) for seed in seeds]
    marks = as_array([mark for cluster in clusters for mark in cluster])
    offsets = np.cumsum([0, *map(len, clusters)])
    expected = walk_contours(marks, offsets)
    assert np.all(expected.verified)
    assert np.all(shapely.is_valid(expected.polygons))
    known = find_group_crossings(marks, offsets), np.arange(len(marks))
    walked = walk_contours(marks, offsets, known=known)
    assert np.array_equal(shapely.to_wkb(walked.polygons), shapely.to_wkb(expected.polygons))
    if seeds is BY_ONE_STEP:
        for cluster in clusters:
            levels = walk_contours(as_array(cluster), [0, len(cluster)], None, len(cluster) - 1, enormous=0)
            assert np.all(shapely.is_valid(levels.polygons))


def assert_same_levels_if_enormous(marks, most, monkeypatch):
    """Walk a cluster, and again as if it were enormous; the levels must be the same to the last bit."""
    expected = walk_contours(marks, [0, len(marks)], max_levels=most)
    monkeypatch.setattr(level_events, "_BLOCK", 2000)
    monkeypatch.setattr(chosen_levels, "_TRACED", 2000)
    walked = walk_contours(marks, [0, len(marks)], max_levels=most, enormous=0)
    assert expected.verified.tolist() == walked.verified.tolist() == [True]
    for field in fields(LevelRings):
        np.testing.assert_array_equal(
            getattr(walked.rings, field.name), getattr(expected.rings, field.name), err_msg=field.name
        )


@pytest.mark.parametrize("snap", [0, 0.5, 2, 5, 10])
@pytest.mark.parametrize("most", [1, 7, 39])
def test_chosen_levels_of_an_enormous_cluster(make_cluster, monkeypatch, snap, most):
    assert_same_levels_if_enormous(make_cluster(40, vertices=25, seed=5, snap=snap), most, monkeypatch)


@pytest.mark.parametrize("seed", range(12))
def test_chosen_levels_of_squares_that_share_edges(monkeypatch, seed):
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, 12, (30, 2))
    sides = rng.integers(1, 9, (30, 2))
    marks = as_array([box(*low, *(low + side)) for low, side in zip(corners, sides, strict=True)])
    assert_same_levels_if_enormous(marks, 5, monkeypatch)


def test_chosen_levels_with_holes_and_marks_apart(make_cluster, monkeypatch):
    rings = [mark.difference(box(290, 290, 310 + k, 310)) for k, mark in enumerate(make_cluster(12))]
    apart = [box(1000, 0, 1001, 1), box(500, 500, 900, 900), box(600, 600, 700, 700)]
    assert_same_levels_if_enormous(as_array([*rings, *apart]), 4, monkeypatch)


def test_an_enormous_cluster_in_which_hardly_any_point_is_in_all_marks(monkeypatch):
    # No centre is in the highest level, so that it is only known after the first search.
    marks = as_array([box(k, 0, k + 10, 10 + k / 9) for k in range(12)] + [box(0, -50, 30, 0.5)])
    assert_same_levels_if_enormous(marks, 4, monkeypatch)


def test_highest_levels_without_an_area_are_not_counted(monkeypatch):
    # The last two marks overlap the others by less than what rounding can cause.
    slivers = [shapely.Polygon([(9 - 1e-15, 4), (12, 3), (12, 5 + k)]) for k in range(2)]
    marks = as_array([box(0, 0, 9, 9 + k) for k in range(10)] + slivers)
    assert_same_levels_if_enormous(marks, 4, monkeypatch)


def assert_same_level_if_enormous(marks, level, monkeypatch):
    """Walk one level of a cluster, and again as if the cluster were enormous."""
    arrays = marks, [0, len(marks)], np.array([level])
    expected = walk_contours(*arrays)
    monkeypatch.setattr(level_events, "_BLOCK", 2000)
    walked = walk_contours(*arrays, enormous=0)
    assert expected.verified.tolist() == walked.verified.tolist() == [True]
    for field in fields(LevelRings):
        np.testing.assert_array_equal(
            getattr(walked.rings, field.name), getattr(expected.rings, field.name), err_msg=field.name
        )
    return len(walked.areas)


@pytest.mark.parametrize("snap", [0, 0.5, 5])
def test_one_level_of_an_enormous_cluster(make_cluster, monkeypatch, snap):
    marks = make_cluster(20, vertices=25, seed=5, snap=snap)
    twice = as_array([*marks, marks[7]])
    for level in (1, 11, 20):
        assert assert_same_level_if_enormous(marks, level, monkeypatch) == 1
    assert assert_same_level_if_enormous(twice, 11, monkeypatch) == 1


def test_a_level_that_an_enormous_cluster_does_not_have(monkeypatch):
    apart = as_array([box(2 * k, 0, 2 * k + 1, 1) for k in range(6)])
    assert assert_same_level_if_enormous(apart, 1, monkeypatch) == 1
    assert assert_same_level_if_enormous(apart, 4, monkeypatch) == 0
    touching = as_array([box(k, 0, k + 1, 1) for k in range(6)])
    assert assert_same_level_if_enormous(touching, 2, monkeypatch) == 0
    sliver = shapely.Polygon([(9 - 1e-15, 4), (12, 3), (12, 5)])
    assert assert_same_level_if_enormous(as_array([box(0, 0, 9, 9), sliver]), 2, monkeypatch) == 0


@pytest.mark.slow
def test_hundreds_of_marks(make_cluster):
    marks = make_cluster(450, vertices=60, seed=2, snap=0.05)
    walked = walk_contours(marks, [0, len(marks)])
    assert walked.verified.tolist() == [True]
    assert np.all(shapely.is_valid(walked.polygons))
    assert walked.areas.sum() == pytest.approx(shapely.area(marks).sum(), rel=1e-5)

    # Random points are in as many levels as marks, except in small parts, which levels do not include.
    x, y = np.random.default_rng(0).uniform(180, 420, (2, 3000))
    depths, levels = np.zeros(len(x), np.int64), np.zeros(len(x), np.int64)
    for polygons, counts in ((marks, depths), (walked.polygons, levels)):
        shapely.prepare(polygons)
        for polygon in polygons:
            counts += shapely.contains_xy(polygon, x, y)
    assert np.mean(depths != levels) < 0.01
    assert np.max(np.abs(depths - levels)) <= 1
