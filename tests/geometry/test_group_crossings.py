"""Test the crossings of groups: areas against GEOS, and the crossings of clusters against a new search."""

from dataclasses import replace

import numpy as np
import pytest
import shapely
from area_cases import BY_HAND, DEGENERATE, FRAME, UNIT, scribble, star
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shapely import MultiPolygon, Polygon, box
from shapely.affinity import rotate, scale, translate

pytest.importorskip("numba", reason="the compiled loops need the extra `fast` (numba)")

from polyframe.geometry.candidate_pairs import all_pairs
from polyframe.geometry.compiled import group_crossings
from polyframe.geometry.compiled.crossings import find_crossings
from polyframe.geometry.compiled.depth_walk import walk_contours
from polyframe.geometry.compiled.group_crossings import (
    find_group_crossings,
    large_area_rows,
    pair_intersection_areas,
)
from polyframe.geometry.compiled.intersection_areas import sweep_intersection_areas
from polyframe.geometry.compiled.outlines import load_outlines
from polyframe.geometry.crossing_areas import crossing_intersection_areas
from polyframe.geometry.distances import shapely_intersection_areas
from polyframe.geometry.polygon_parts import flat_rings


def as_array(polygons):
    return np.array(list(polygons), dtype=object)


def areas_of_pairs(marks, offsets):
    """Return all pairs within groups, and the areas that they share."""
    left, right = all_pairs(offsets)
    return left, right, find_group_crossings(marks, np.array(offsets)).intersection_areas(marks, left, right)


def assert_as_geos(marks, offsets, tolerance=1e-10):
    """Compare areas, relative to the smaller mark, also if the marks are in the reverse order."""
    for polygons in (as_array(marks), as_array(marks[::-1])):
        left, right, areas = areas_of_pairs(polygons, offsets)
        sizes = shapely.area(polygons)
        apart = np.abs(areas - shapely_intersection_areas(polygons, left, right))
        assert np.all(apart <= tolerance * np.minimum(sizes[left], sizes[right]))
        offsets = offsets[-1] - np.array(offsets)[::-1]


def assert_found_among(marks, offsets, members, starts):
    """Compare the crossings of clusters with those that are found in the clusters alone, and the contours."""
    crossings = find_group_crossings(marks, np.array(offsets))
    outlines = load_outlines(
        *flat_rings(marks[members]), np.array(starts), np.ones(len(starts) - 1, dtype=np.bool_)
    )
    known, found = crossings.among(outlines, members), find_crossings(outlines)
    for one, other in ((known.segments, found.segments), (known.touches, found.touches)):
        assert sorted(one.reshape(-1, 2).tolist()) == sorted(other.reshape(-1, 2).tolist())
    assert np.array_equal(known.touched, found.touched)
    assert np.array_equal(known.met, found.met)
    with_known = walk_contours(marks[members], starts, known=(crossings, members))
    alone = walk_contours(marks[members], starts)
    assert np.array_equal(with_known.verified, alone.verified)
    assert np.array_equal(with_known.areas, alone.areas)
    assert np.array_equal(with_known.rings.x, alone.rings.x)
    assert np.array_equal(with_known.rings.y, alone.rings.y)


@pytest.mark.parametrize("case", BY_HAND.values(), ids=BY_HAND)
def test_areas_worked_by_hand(case):
    one, other, area = case
    for turn in (0, 90):
        pair = [rotate(polygon, turn, origin=(0, 0)) for polygon in (one, other, other, one)]
        areas = areas_of_pairs(as_array(pair), [0, 2, 4])[2]
        assert areas == pytest.approx([area, area], rel=1e-13, abs=1e-14)


@pytest.mark.parametrize("marks", DEGENERATE.values(), ids=DEGENERATE)
def test_degenerate_marks(marks):
    assert_as_geos(marks, [0, len(marks)], tolerance=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.1, 0.9]), st.sampled_from([None, True, False]))
def test_random_groups(seed, jitter, snap):
    """Test stars and scribbles, some with holes; if they are snapped to integers, many edges are the same."""
    rng = np.random.default_rng(seed)
    if snap is None:
        marks = [star(rng, 40, jitter) for _ in range(7)]
    else:
        marks = [scribble(rng, 60, snap) for _ in range(7)]
    assume(all(mark.area > 0.1 for mark in marks))
    assert_as_geos(marks, [0, 4, 7])
    label = rng.integers(-1, 2, 7)
    clusters = [np.flatnonzero(label[:4] == k) for k in range(2)]
    clusters += [4 + np.flatnonzero(label[4:] == k) for k in range(2)]
    clusters = [cluster for cluster in clusters if len(cluster)]
    assume(clusters)
    starts = np.cumsum([0, *map(len, clusters)])
    assert_found_among(as_array(marks), [0, 4, 7], np.concatenate(clusters), starts)


def test_crossings_of_drawn_clusters(make_cluster):
    marks = np.concatenate([make_cluster(5, seed=1, snap=1.0), make_cluster(5, seed=2, snap=4.0)])
    assert_found_among(marks, [0, 10], np.array([0, 2, 4, 5, 7, 9, 1, 3, 6, 8]), [0, 6, 10])


def test_contacts_with_marks_of_other_clusters_do_not_count():
    """Each square shares edges and corners with one of its own cluster, and with one of the other."""
    marks = as_array([box(0, 0, 1, 1), box(1, 0, 2, 1), box(0, 1, 1, 2), box(1, 1, 2, 2), FRAME, UNIT])
    assert_found_among(marks, [0, 6], np.array([0, 1, 5, 2, 3]), [0, 3, 5])
    assert_found_among(marks, [0, 6], np.array([4, 0]), [0, 1, 2])


def test_the_area_of_a_pair_does_not_depend_on_the_other_marks(make_cluster):
    marks = make_cluster(6, seed=3)
    left, right, areas = areas_of_pairs(marks, [0, 6])
    for i, j, area in zip(left, right, areas, strict=True):
        assert areas_of_pairs(marks[[i, j]], [0, 2])[2][0] == area


def test_groups_without_crossings(make_cluster, monkeypatch):
    """Test groups that are too large, or contain more than polygons: they are swept, and searched again."""
    marks = np.concatenate(
        [make_cluster(4, seed=4), make_cluster(2, seed=5), [None, UNIT], [UNIT, Polygon()]]
    )
    offsets = np.array([0, 4, 6, 8, 10])
    monkeypatch.setattr(group_crossings, "_MOST_MARKS", 3)
    left, right, areas = areas_of_pairs(marks, offsets)
    crossings = find_group_crossings(marks, offsets)
    assert np.diff(crossings.first).astype(bool).tolist() == [False] * 4 + [True] * 2 + [False] * 4
    swept = sweep_intersection_areas(marks, left, right)
    assert areas == pytest.approx(swept, rel=1e-12)
    assert np.array_equal(areas[:6], swept[:6])
    alone = walk_contours(marks[:4], [0, 4])
    assert np.array_equal(
        walk_contours(marks[:4], [0, 4], known=(crossings, np.arange(4))).areas, alone.areas
    )


def test_no_group_with_crossings(make_cluster, monkeypatch):
    marks = make_cluster(4, seed=4)
    monkeypatch.setattr(group_crossings, "_MOST_MARKS", 3)
    left, right, areas = areas_of_pairs(marks, [0, 4])
    assert np.array_equal(areas, sweep_intersection_areas(marks, left, right))


def test_areas_outside_of_their_limits_are_computed_again(make_cluster, monkeypatch):
    marks = make_cluster(4, seed=6)
    monkeypatch.setattr(group_crossings, "find_crossings", in_other_directions)
    left, right, areas = areas_of_pairs(marks, [0, 4])
    assert np.array_equal(areas, crossing_intersection_areas(marks, left, right))


def test_areas_of_marks_with_holes_need_no_other_way(monkeypatch):
    """Holes and marks are inside each other, cross, and are apart; the first vertex is on either side."""
    monkeypatch.setattr(
        group_crossings, "crossing_intersection_areas", lambda *_: pytest.fail("computed again")
    )
    frames = [
        FRAME,
        translate(FRAME, 0.5, 0.25),
        translate(FRAME, 3.7, 3.1),
        scale(FRAME, 0.47, 0.51),
        box(3.25, 3.5, 4.25, 4.5),
    ]
    frames += [
        box(1.125, 4.375, 8.125, 5.625),
        box(-5, -5, 20, 20).difference(box(-1, -1, 10, 10)),
        translate(FRAME, 50, 0),
    ]
    assert_as_geos([*frames, *(rotate(frame, 31) for frame in frames)], [0, 16], tolerance=1e-12)


def test_ordinary_groups_need_no_functions_for_large_ones(make_cluster, monkeypatch):
    """Test marks of one group that is unfit for crossings."""
    monkeypatch.setattr(group_crossings, "sweep_intersection_areas", lambda *_: pytest.fail("swept"))
    marks = np.concatenate([make_cluster(3, seed=7), [MultiPolygon([UNIT, box(2, 0, 3, 1)]), None, UNIT]])
    left, right, areas = areas_of_pairs(marks, [0, 6])
    assert areas == pytest.approx(sweep_intersection_areas(marks, left, right), rel=1e-12)


@pytest.mark.parametrize("most", [0, 10])
def test_areas_of_pairs_in_any_order(most, make_cluster, monkeypatch):
    """Test pairs in both orders, several times, and of a mark with itself; also without the crossings."""
    monkeypatch.setattr(group_crossings, "_MOST_MARKS", most)
    rng = np.random.default_rng(8)
    # The first vertex of the triangles is their highest, and their lowest.
    others = [
        FRAME,
        Polygon([(5, 9), (1, 1), (8, 2)]),
        Polygon([(5, -9), (8, 2), (1, 1)]),
        box(250, 250, 350, 350),
    ]
    for marks in (np.concatenate([make_cluster(6, seed=8), others]), as_array([None, UNIT, Polygon(), UNIT])):
        left, right = rng.integers(0, len(marks), (2, 200))
        areas = pair_intersection_areas(marks, left, right)
        shared = shapely.area(shapely.intersection(marks[left], marks[right]))
        assert areas == pytest.approx(np.nan_to_num(shared), rel=1e-10, abs=1e-9)


def test_areas_are_computed_by_rows_only_for_many_marks(make_cluster, monkeypatch):
    marks = make_cluster(4, seed=9)
    assert large_area_rows(marks) is None
    monkeypatch.setattr(group_crossings, "_MOST_WORK", 4 * shapely.get_num_coordinates(marks).sum() - 1)
    rows = large_area_rows(marks)
    left, right = all_pairs([0, 4])
    assert rows.of_rows(0, 4)[left, right] == pytest.approx(pair_intersection_areas(marks, left, right))


def in_other_directions(outlines):
    """Find crossings, in which marks leave where they enter: then areas are those of unions."""
    crossings = find_crossings(outlines)
    return replace(crossings, segments=crossings.segments.reshape(-1, 2)[:, ::-1].ravel())


def test_no_marks():
    none = np.empty(0, dtype=np.int64)
    crossings = find_group_crossings(as_array([]), np.zeros(1, dtype=np.int64))
    assert crossings.intersection_areas(as_array([]), none, none).tolist() == []
