"""Test intersection areas by crossings of outlines; `test_areas_of_engines` has the tests of all engines."""

import numpy as np
import pytest
import shapely
from area_cases import BY_HAND, FRAME, UNIT, scribble, star
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shapely import Polygon
from shapely.affinity import rotate, scale, translate

from polyframe.geometry import crossing_areas
from polyframe.geometry.candidate_pairs import all_pairs
from polyframe.geometry.crossing_areas import crossing_intersection_areas
from polyframe.geometry.distances import shapely_intersection_areas


def areas_of_all_pairs(polygons, engine=crossing_intersection_areas):
    marks = np.array(polygons, dtype=object)
    return engine(marks, *np.triu_indices(len(marks)))


@pytest.fixture
def without_geos(monkeypatch):
    """Fail if the area of a pair is left to GEOS."""

    def none(_polygons, left, _right):
        assert not len(left)
        return np.empty(0)

    monkeypatch.setattr(crossing_areas, "shapely_intersection_areas", none)


def test_pairs_of_single_parts_are_not_left_to_geos(without_geos):
    for name, (one, other, area) in BY_HAND.items():
        if name != "two columns and a beam":
            assert areas_of_all_pairs([one, other])[1] == pytest.approx(area, rel=1e-13, abs=1e-14), name


def test_several_parts_are_left_to_geos():
    one, other, area = BY_HAND["two columns and a beam"]
    assert areas_of_all_pairs([one, other])[1] == area


def test_areas_of_several_parts_only_are_not_rounded():
    parts = shapely.MultiPolygon([shapely.box(0, 0, 0.5, 0.5), shapely.box(1, 0, 1.25, 1)])
    assert areas_of_all_pairs([parts, shapely.affinity.translate(parts, 0.25, 0)]).tolist() == [
        0.5,
        0.125,
        0.5,
    ]


def test_points_that_are_repeated():
    marks = [Polygon([(0, 0), (0, 0), (4, 0), (4, 0), (4, 3), (0, 3), (0, 3)]), UNIT]
    assert areas_of_all_pairs(marks).tolist() == [12, 1, 1]


@pytest.mark.parametrize("snap", [0, 1, 10])
def test_drawn_outlines(make_cluster, snap, without_geos):
    marks = make_cluster(8, vertices=350, snap=snap)
    assert np.all(areas_of_all_pairs(marks) > 0)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.floats(0, 7), st.floats(1e-3, 1e3))
def test_shared_edges_and_vertices_off_the_grid(seed, angle, size):
    """Test scribbles with common edges that rotation moves off the grid: differences are rounded."""
    rng = np.random.default_rng(seed)
    marks = [scribble(rng, 30, True) for _ in range(4)]
    assume(all(mark.area > 0.1 for mark in marks))
    turned = [scale(rotate(mark, angle, origin=(0.1, 0.2)), size, size, origin=(0, 0)) for mark in marks]
    assume(all(mark.is_valid for mark in turned))
    expected = areas_of_all_pairs(marks, shapely_intersection_areas) * size**2
    largest = max(mark.area for mark in marks) * size**2
    assert areas_of_all_pairs(turned) == pytest.approx(expected, abs=1e-10 * largest)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(-1000, 1000), st.integers(-1000, 1000))
def test_moves_on_a_grid_change_nothing(seed, x, y):
    rng = np.random.default_rng(seed)
    marks = [shapely.set_precision(star(rng, 12), 2.0**-20) for _ in range(3)]
    moved = areas_of_all_pairs([translate(mark, x, y) for mark in marks])
    assert np.array_equal(moved, areas_of_all_pairs(marks))


def test_tiny_outlines_far_away_keep_their_precision(without_geos):
    rng = np.random.default_rng(2)
    near = [
        shapely.set_precision(translate(star(rng, 30, radius=1e-3), *rng.normal(0, 2e-4, 2)), 2.0**-30)
        for _ in range(8)
    ]
    far = [translate(mark, 1e6, -1e6) for mark in near]
    assert np.array_equal(areas_of_all_pairs(far), areas_of_all_pairs(near))


@pytest.mark.parametrize("size", [50, 2000, 100_000])
def test_the_area_of_a_pair_depends_on_that_pair_alone(make_cluster, monkeypatch, size):
    marks = np.concatenate(
        [
            make_cluster(5, seed=1),
            [None, FRAME],
            make_cluster(5, seed=2),
            make_cluster(9, vertices=30, snap=9),
        ]
    )
    left, right = all_pairs([0, len(marks)])
    areas = crossing_intersection_areas(marks, left, right)
    monkeypatch.setattr(crossing_areas, "_CHUNK_VERTICES", size)
    monkeypatch.setattr(crossing_areas, "_CHUNK_EDGES", size)
    assert np.array_equal(crossing_intersection_areas(marks, left, right), areas)
    shuffled = np.random.default_rng(0).permutation(len(left))
    assert np.array_equal(
        crossing_intersection_areas(marks, left[shuffled], right[shuffled]), areas[shuffled]
    )
    one_by_one = [
        crossing_intersection_areas(marks[[i, j]], np.array([0]), np.array([1]))[0]
        for i, j in zip(left.tolist(), right.tolist(), strict=True)
    ]
    assert areas.tolist() == one_by_one
    within = (left >= 7) & (right < 12)  # the second cluster alone
    alone = crossing_intersection_areas(marks[7:12], left[within] - 7, right[within] - 7)
    assert np.array_equal(alone, areas[within])


def test_equal_marks_have_equal_areas_with_others(make_cluster):
    marks = make_cluster(6)
    twice = np.concatenate([marks, marks])
    left, right = all_pairs([0, len(twice)])
    areas = np.zeros((len(twice), len(twice)))
    areas[left, right] = areas[right, left] = crossing_intersection_areas(twice, left, right)
    others = ~np.eye(6, dtype=bool)
    assert np.array_equal(areas[:6, :6][others], areas[6:, :6][others])
    assert np.array_equal(areas[:6, 6:][others], areas[6:, :6][others])


def test_pairs_that_rounding_leaves_open_are_left_to_geos(monkeypatch):
    # The first vertex of the second is on an edge of the first except for rounding, with inexact differences.
    marks = [Polygon([(0.1, 0.1), (0.7, 0.3), (0.2, 0.9)]), Polygon([(0.4, 0.2), (1e9 + 0.1, 1), (0.3, 0.8)])]
    calls = []

    def counted(polygons, left, right):
        calls.append(len(left))
        return shapely_intersection_areas(polygons, left, right)

    monkeypatch.setattr(crossing_areas, "shapely_intersection_areas", counted)
    monkeypatch.setattr("polyframe.geometry.exact_sides._known_product", lambda a, *_: a != a)
    areas = areas_of_all_pairs(marks)
    monkeypatch.undo()
    assert areas == pytest.approx(areas_of_all_pairs(marks, shapely_intersection_areas), rel=1e-12)
