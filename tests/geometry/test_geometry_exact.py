"""Both engines against exact arithmetic, on outlines that are as hostile as can be."""

import importlib.util
import math
from fractions import Fraction

import numpy as np
import pytest
import shapely
from exact_oracle import Overlay, marks_of, snapped
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from shapely import box

from polyframe.geometry import polygons_from_paths
from polyframe.geometry.engines import engine_named

ENGINES = ["shapely", "sweep"] if importlib.util.find_spec("numba") else ["shapely"]
FRAME = box(0, 0, 9, 9).difference(box(2, 2, 7, 7))

#: Marks, and the areas of their contours worked by hand; several where parts are equally large.
BY_HAND = {
    "an edge in common is one part": ([box(0, 0, 1, 1), box(1, 0, 2, 1), box(9, 9, 10, 10)], [[2]]),
    "a point in common is two parts": ([box(0, 0, 1, 1), box(1, 1, 3, 3)], [[4]]),
    "a hole is filled": ([FRAME, box(2, 2, 6, 6)], [[81]]),
    "across a hole": ([FRAME, box(1, 1, 8, 8)], [[81], [49]]),
    "a hole that touches the outside is open": (
        [shapely.Polygon([(0, 0), (3, 0), (3, 3), (0, 3), (0, 2), (1, 2), (1, 1), (0, 1)])],
        [[8]],
    ),
    "a corner closes a ring": (
        [shapely.Polygon([(0, 0), (3, 0), (3, 2), (2, 2), (2, 1), (1, 1), (1, 3), (0, 3)]), box(1, 2, 3, 3)],
        [[9]],
    ),
    "corners are not joined": (
        [box(1, 0, 2, 1), box(0, 1, 1, 2), box(2, 1, 3, 2), box(1, 2, 2, 3)],
        [[1, 1, 1, 1]],
    ),
    "thirds": (
        [shapely.Polygon([(0, 0), (3, 1), (0, 1)]), box(0, 0, 1, 1)],
        [[Fraction(5, 3)], [Fraction(5, 6)]],
    ),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_the_oracle_itself(name):
    marks, areas = BY_HAND[name]
    assert Overlay(marks_of(marks)).contour_areas == areas


def test_the_oracle_draws_together_what_coincides_but_for_rounding():
    # (1/3, 1/3) is on the diagonal, its float beside the line from (0, 0) to (1, 1 + 2**-50) is not.
    marks = marks_of([shapely.Polygon([(0, 0), (1, 1 + 2.0**-50), (0, 1)]), box(0.5, 0.25, 0.75, 0.5)])
    assert len(Overlay(marks).contour_areas[0]) == 1
    joined = Overlay(snapped(marks, Fraction(1, 2**30)))
    assert joined.contour_areas == [[Fraction(1, 2)]]


def areas_of(engine, marks):
    """Contours, union and intersection."""
    offsets = np.array([0, len(marks)])
    return (
        shapely.area(engine.contours(marks, offsets).polygons),
        shapely.area(engine.unions(marks, offsets))[0],
        shapely.area(engine.intersections(marks, offsets))[0],
    )


def agree(found, expected, rounding):
    """Say whether areas are among those expected; levels may go on, or end, with next to nothing."""
    areas = np.zeros(max(len(found), len(expected)))
    areas[: len(found)] = found
    possible = [*expected, *([Fraction(0)] for _ in areas[len(expected) :])]
    return all(
        any(abs(area - float(one)) <= 1e-9 * one + rounding for one in ones)
        for area, ones in zip(areas, possible, strict=True)
    )


def as_expected(found, overlay, rounding):
    contours, union, common = found
    return (
        agree(contours, overlay.contour_areas, rounding)
        and agree([union], overlay.contour_areas[:1], rounding)
        and agree([common], [overlay.common_areas], rounding)
    )


def pairs_as_expected(engine, marks, rounding):
    left, right = np.triu_indices(len(marks), 1)
    areas = engine.intersection_areas(marks, left, right)
    exact = [
        Overlay(marks_of([marks[i], marks[j]])).area_from_depth(2) for i, j in zip(left, right, strict=True)
    ]
    return agree(areas, [[area] for area in exact], rounding)


def check(marks, overlays):
    """Check what both engines make of marks; at least one overlay must say the same."""
    extent = float(np.abs(shapely.total_bounds(marks)).max())
    results = [areas_of(engine_named(name), marks) for name in ENGINES]
    for found in results:
        assert agree(found[0], [[area] for area in results[0][0]], 1e-11 * extent**2)
        assert found[1:] == pytest.approx(results[0][1:], rel=1e-9, abs=1e-11 * extent**2)
    # What is thinner than the grid of the oracle is not for it to judge.
    assert any(as_expected(results[0], overlay(), 1e-9 * extent**2) for overlay in overlays)
    assert all(pairs_as_expected(engine_named(name), marks, 1e-13 * extent**2) for name in ENGINES)


def clusters(points, size=(2, 4)):
    """Draw clusters of paths whose vertices come from one small pool: repeated, shared, in line."""
    pool = st.lists(points, min_size=4, max_size=8, unique=True)
    return pool.flatmap(
        lambda corners: st.lists(
            st.lists(st.sampled_from(corners), min_size=3, max_size=6), min_size=size[0], max_size=size[1]
        )
    )


def polygons_of(paths):
    marks = polygons_from_paths(*([[point[i] for point in path] for path in paths] for i in (0, 1)))
    marks = np.array([mark for mark in marks if mark is not None], dtype=object)
    assume(len(marks) > 1)
    return marks


def check_repaired(marks):
    """Check marks with rounded vertices, which meet on any grid where they meet within rounding."""
    exponent = math.frexp(np.abs(shapely.total_bounds(marks)).max())[1]
    exact = marks_of(marks)
    check(marks, [lambda k=k: Overlay(snapped(exact, Fraction(2) ** (exponent - k))) for k in (39, 37)])


def bounded(examples):
    return settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])


small_grid = st.tuples(st.integers(0, 5), st.integers(0, 5))
larger_grid = st.tuples(st.integers(0, 20), st.integers(0, 20))


@pytest.mark.slow
@bounded(60)
@given(clusters(st.one_of(small_grid, larger_grid)))
def test_whole_numbers(paths):
    # Outlines that need no repair are exactly what was drawn.
    marks = polygons_of([path for path in paths if len(path) > 2 and shapely.Polygon(path).is_valid])
    overlay = Overlay(marks_of(marks))
    check(marks, [lambda: overlay])


@pytest.mark.slow
@bounded(60)
@given(clusters(st.one_of(small_grid, larger_grid)))
def test_repaired_outlines(paths):
    check_repaired(polygons_of(paths))


@pytest.mark.slow
@bounded(25)
@given(clusters(small_grid), st.sampled_from([0.1, 1 / 3, 0.01, 2.54]))
def test_fractions_of_a_pixel(paths, scale):
    check_repaired(polygons_of([[(x * scale, y * scale) for x, y in path] for path in paths]))


@pytest.mark.slow
@bounded(25)
@given(clusters(small_grid), st.sampled_from([0.02, 1e-4, 1e-6]), st.randoms(use_true_random=False))
def test_slivers(paths, width, random):
    nudge = [-width, 0, 0, width]
    check_repaired(
        polygons_of(
            [[(x + random.choice(nudge), y + random.choice(nudge)) for x, y in path] for path in paths]
        )
    )


@pytest.mark.slow
@bounded(40)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=9),
        min_size=2,
        max_size=4,
    )
)
def test_marks_made_of_cells(cells):
    # Shared edges, corners that touch, and holes.
    drawn = [shapely.union_all([box(x, y, x + 1, y + 1) for x, y in mark]) for mark in cells]
    marks = np.array([shapely.get_parts(mark)[0] for mark in drawn], dtype=object)
    overlay = Overlay(marks_of(marks))
    check(marks, [lambda: overlay])


#: Outlines as drawn, and the area of level 1 of the marks as repaired: where edges coincide but for rounding.
MEETING = {
    # Both have an edge on the line from (1, 15) to (14, 4), on either side of it: one part.
    "an edge through a rounded vertex": (
        [
            [(16, 11), (18, 8), (7, 15), (14, 4), (1, 15), (0, 3)],
            [(0, 3), (14, 4), (1, 15), (16, 11), (7, 15), (18, 8)],
        ],
        106.1186391928511,
    ),
}


@pytest.mark.parametrize("name", MEETING)
@pytest.mark.parametrize("engine", ENGINES)
def test_outlines_that_meet_but_for_rounding(name, engine):
    paths, area = MEETING[name]
    marks = polygons_from_paths(*([[point[i] for point in path] for path in paths] for i in (0, 1)))
    contours, union, _ = areas_of(engine_named(engine), marks)
    assert contours[0] == pytest.approx(float(area), rel=1e-9)
    assert union == pytest.approx(float(area), rel=1e-9)
