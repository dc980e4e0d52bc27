"""Test intersection areas of all pairs from crossings: by hand, against GEOS, and against the plane sweep."""

import numpy as np
import pytest
import shapely
from area_cases import BY_HAND, DEGENERATE, largest_part, scribble, star
from shapely import box
from shapely.affinity import rotate, translate
from stacks import as_array

pytest.importorskip("numba", reason="the engine `compiled` needs the extra `fast` (numba)")

from polyframe.geometry.compiled.area_rows import area_rows
from polyframe.geometry.compiled.intersection_areas import sweep_intersection_areas
from polyframe.geometry.distances import shapely_intersection_areas


def matrix(polygons, size=3):
    """The areas above the diagonal, computed in blocks of `size` rows."""
    marks = np.array(polygons, dtype=object)
    rows = area_rows(marks)
    starts = range(0, len(marks), size)
    return np.vstack([rows.of_rows(start, min(start + size, len(marks))) for start in starts])


def assert_agrees(polygons, expected=shapely_intersection_areas, tolerance=1e-12):
    marks = np.array(polygons, dtype=object)
    areas, (left, right) = matrix(marks), np.triu_indices(len(marks), 1)
    sizes = shapely.area(marks)
    error = np.abs(areas[left, right] - expected(marks, left, right))
    assert np.all(error <= tolerance * np.minimum(sizes[left], sizes[right]))
    assert not np.any(np.tril(areas))
    # Blocks change nothing.
    np.testing.assert_array_equal(matrix(marks, len(marks)), areas)


ONE_PART = {name: case for name, case in BY_HAND.items() if case[0].geom_type == "Polygon"}


@pytest.mark.parametrize("case", ONE_PART.values(), ids=ONE_PART)
def test_areas_worked_by_hand(case):
    one, other, area = case
    for turn in (0, 90, 180, 270):
        pair = [rotate(one, turn, origin=(0, 0)), rotate(other, turn, origin=(0, 0))]
        for polygons in (pair, pair[::-1]):
            assert matrix(polygons)[0, 1] == pytest.approx(area, rel=1e-13, abs=1e-13)


@pytest.mark.parametrize("polygons", DEGENERATE.values(), ids=DEGENERATE)
def test_degenerate_contacts(polygons):
    assert_agrees(polygons, sweep_intersection_areas)


@pytest.mark.parametrize("seed", range(4))
def test_squares_that_share_edges_and_corners(seed):
    rng = np.random.default_rng(seed)
    corners, sides = rng.integers(0, 8, (40, 2)), rng.integers(1, 6, (40, 2))
    assert_agrees([box(*low, *(low + side)) for low, side in zip(corners, sides, strict=True)])


@pytest.mark.parametrize("seed", range(4))
def test_stars_and_scribbles_with_holes_and_several_sizes(seed):
    rng = np.random.default_rng(seed)
    polygons = [star(rng, 40, radius=rng.uniform(0.01, 3)) for _ in range(15)]
    polygons += [scribble(rng, 30, snap) for snap in (0, 0.1, 0.1, 0.25)]
    polygons += [largest_part(star(rng, 30, radius=3).difference(star(rng, 20))) for _ in range(4)]
    assert_agrees(polygons)


@pytest.mark.parametrize("snap", [0, 1])
def test_marks_of_one_object(make_cluster, snap):
    marks = make_cluster(25, vertices=80, snap=snap)
    assert_agrees(marks, sweep_intersection_areas, 1e-13)
    # Far from the origin, coordinates have fewer digits, but nothing else is lost.
    far = np.array([translate(mark, 2.0**30, -(2.0**31)) for mark in marks], dtype=object)
    assert_agrees(far, sweep_intersection_areas, 1e-13)


def test_equal_outlines_have_equal_areas_with_others(make_cluster):
    marks = make_cluster(8, vertices=60, snap=2)
    areas = matrix(np.concatenate([marks, marks]))
    both = areas + areas.T
    np.testing.assert_array_equal(both[:8, 8:][~np.eye(8, dtype=bool)], both[:8, :8][~np.eye(8, dtype=bool)])
    assert np.diagonal(both[:8, 8:]) == pytest.approx(shapely.area(marks), rel=1e-14)


def test_marks_without_an_outline_have_no_area():
    marks = [None, box(0, 0, 2, 2), shapely.Polygon(), box(1, 1, 4, 4), None]
    areas = matrix(marks, 2)
    assert areas[1, 3] == 1.0
    assert np.count_nonzero(areas) == 1


def test_outlines_unfit_for_the_exact_predicates():
    assert area_rows(as_array([box(0, 0, 1, 1), box(0, 0, 1e70, 1)])) is None
    assert area_rows(np.array([box(0, 0, 1, 1), shapely.MultiPolygon([box(2, 2, 3, 3)])])) is None
    assert area_rows(np.array([None, shapely.Polygon()])) is None
