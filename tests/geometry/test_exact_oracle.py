"""Test both engines against exact arithmetic, on outlines that are as degenerate as possible."""

import importlib.util
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
import shapely
from degenerate_clusters import MARKS_OF_CELLS, SMALL_GRID, bounded, clusters, nudged, polygons_of, scaled
from exact_oracle import Overlay, marks_of
from hypothesis import given
from hypothesis import strategies as st
from shapely import box

from polyframe.core.reasons import LARGEST_COORDINATE
from polyframe.geometry import polygons_from_paths
from polyframe.geometry.compiled.depth_walk import walk_contours
from polyframe.geometry.distances import pair_distances
from polyframe.geometry.engines import engine_named
from polyframe.geometry.polygon_parts import fill_holes

ENGINES = ["shapely", "sweep"] if importlib.util.find_spec("numba") else ["shapely"]
FRAME = box(0, 0, 9, 9).difference(box(2, 2, 7, 7))

#: Marks, and the areas of their contours worked by hand; several if parts are equally large.
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
def test_the_oracle_against_areas_worked_by_hand(name):
    marks, areas = BY_HAND[name]
    assert Overlay(marks_of(marks)).contour_areas == areas


def areas_of(engine, marks):
    """Return the areas of contours, union and intersection."""
    offsets = np.array([0, len(marks)])
    return (
        shapely.area(engine.contours(marks, offsets).polygons),
        shapely.area(engine.unions(marks, offsets))[0],
        shapely.area(engine.intersections(marks, offsets))[0],
    )


def agree(computed, expected, rounding):
    """Return whether areas are among those expected; levels with next to no area may be missing or added."""
    areas = np.zeros(max(len(computed), len(expected)))
    areas[: len(computed)] = computed
    possible = [*expected, *([Fraction(0)] for _ in areas[len(expected) :])]
    return all(
        any(abs(area - float(one)) <= 1e-9 * one + rounding for one in ones)
        for area, ones in zip(areas, possible, strict=True)
    )


def pairs_as_expected(engine, marks, rounding):
    left, right = np.triu_indices(len(marks), 1)
    areas = engine.intersection_areas(marks, left, right)
    exact = [
        Overlay(marks_of([marks[i], marks[j]])).area_from_depth(2) for i, j in zip(left, right, strict=True)
    ]
    return agree(areas, [[area] for area in exact], rounding)


def majorities_as_expected(engine, marks, rounding):
    """Compare majorities with a level of all marks, and a second copy of the median of an even number."""
    count = len(marks)
    if count < 3:
        return True
    medians = np.array([0, count - 1])
    computed = engine.majorities(
        np.tile(marks, 2), np.array([0, count, 2 * count]), medians + np.array([0, count])
    )
    expected = []
    for median in medians:
        weighted = [*marks, marks[median]] if count % 2 == 0 else marks
        levels = Overlay(marks_of(weighted)).contour_areas
        expected.append(levels[count // 2] if len(levels) > count // 2 else [Fraction(0)])
    return agree(shapely.area(fill_holes(computed)), expected, rounding)


def check(marks):
    """Check the results of both engines, for the exact coordinates of marks."""
    exact = Overlay(marks_of(marks))
    rounding = 1e-13 * float(np.abs(shapely.total_bounds(marks)).max()) ** 2
    for engine in map(engine_named, ENGINES):
        contours, union, common = areas_of(engine, marks)
        assert agree(contours, exact.contour_areas, rounding)
        assert agree([union], exact.contour_areas[:1], rounding)
        assert agree([common], [exact.common_areas], rounding)
        assert pairs_as_expected(engine, marks, rounding)
        assert majorities_as_expected(engine, marks, rounding)


larger_grid = st.tuples(st.integers(0, 20), st.integers(0, 20))


@pytest.mark.slow
@bounded(120)
@given(clusters(st.one_of(SMALL_GRID, larger_grid)))
def test_integer_coordinates(paths):
    # Outlines that need no repair have exactly the coordinates that were drawn.
    marks = polygons_of([path for path in paths if len(path) > 2 and shapely.Polygon(path).is_valid])
    check(marks)


@pytest.mark.slow
@bounded(120)
@given(clusters(st.one_of(SMALL_GRID, larger_grid)))
def test_repaired_outlines(paths):
    check(polygons_of(paths))


@pytest.mark.slow
@bounded(60)
@given(clusters(SMALL_GRID), st.sampled_from([0.1, 1 / 3, 0.01, 2.54]))
def test_fractions_of_a_pixel(paths, scale):
    check(polygons_of(scaled(paths, scale)))


@pytest.mark.slow
@bounded(60)
@given(clusters(SMALL_GRID), st.sampled_from([0.02, 1e-4, 1e-6]), st.randoms(use_true_random=False))
def test_slivers(paths, width, random):
    check(polygons_of(nudged(paths, width, random)))


@pytest.mark.slow
@bounded(40)
@given(MARKS_OF_CELLS)
def test_marks_made_of_cells(marks):
    check(marks)


#: Outlines as drawn, and the exact areas of the first level, for the repaired marks.
ISSUES = {
    # Both have an edge on the line from (1, 15) to (14, 4), on opposite sides of it. The other ends of these
    # edges are rounded, so that there is a gap between them.
    "edges that would coincide without rounding": (
        [
            [(16, 11), (18, 8), (7, 15), (14, 4), (1, 15), (0, 3)],
            [(0, 3), (14, 4), (1, 15), (16, 11), (7, 15), (18, 8)],
        ],
        [54.87142857142857],
    ),
    # The third is 1e-16 wide where it joins the first two.
    "slivers": (
        [
            [(2, 3), (2, 13), (2.02, 13), (2.02, 8)],
            [(0, 2), (10, 2.000001), (10, 2.000002), (5, 2.000002)],
            [(2, 2), (2, 12), (2.000000002, 12), (2.000000001, 7)],
        ],
        [0.1500100001],
    ),
}


@pytest.mark.parametrize("name", ISSUES)
@pytest.mark.parametrize("engine", ENGINES)
def test_clusters_on_which_engines_once_disagreed(name, engine):
    paths, areas = ISSUES[name]
    marks = polygons_from_paths(*([[point[i] for point in path] for path in paths] for i in (0, 1)))
    contours, union, _ = areas_of(engine_named(engine), marks)
    assert [contours[0], union] == pytest.approx([areas[0]] * 2, rel=1e-9)
    check(marks)


@pytest.mark.parametrize("engine", ENGINES)
def test_distances_at_the_largest_coordinates(engine):
    rng = np.random.default_rng(2)
    triangles = [shapely.Polygon(corners) for corners in rng.integers(0, 12, (40, 3, 2))]
    near = np.array([triangle for triangle in triangles if triangle.area], dtype=object)
    far_away = np.array([LARGEST_COORDINATE - 12, 12 - LARGEST_COORDINATE])
    far = shapely.transform(near, lambda points: points + far_away)
    left, right = np.arange(len(near) - 1), np.arange(1, len(near))
    distances = pair_distances(
        far, shapely.area(far), shapely.bounds(far), left, right, engine_named(engine).intersection_areas
    )
    exact = [
        1 - overlay.area_from_depth(2) / overlay.area_from_depth(1)
        for overlay in (Overlay(marks_of(near[i : i + 2])) for i in left)
    ]
    assert distances.tolist() == pytest.approx([float(distance) for distance in exact], abs=1e-12)
    assert sum(distance < 1 for distance in exact) > 0


def test_the_direction_of_an_outline_may_change_its_repair():
    # As in panoptes_aggregation, which repairs with `buffer(0)` too: another part may be the largest.
    ring = [(2, 4), (4, 2), (2, 0), (2, 4), (2, 0), (4, 4), (1, 4)]
    for path in (ring, ring[::-1]):
        (mark,) = polygons_from_paths([[x for x, _ in path]], [[y for _, y in path]])
        parts = shapely.get_parts(shapely.Polygon(path).buffer(0))
        assert mark.equals(parts[np.argmax(shapely.area(parts))])
    (mark,) = polygons_from_paths([[0, 2, 2, 0, 0.5]], [[0, 0, 1, 1, 0.5]])
    (turned,) = polygons_from_paths([[0.5, 0, 2, 2, 0]], [[0.5, 1, 1, 0, 0]])
    assert mark.equals(turned)  # an outline that needs no repair


@pytest.mark.parametrize("engine", ENGINES)
def test_outlines_with_necks_thinner_than_rounding_are_valid(engine):
    rng = np.random.default_rng(5)
    for _ in range(150):
        corners = rng.integers(0, 9, (6, 2))
        paths = [rng.permutation(corners) for _ in range(3)]
        marks = polygons_from_paths([path[:, 0] for path in paths], [path[:, 1] for path in paths])
        marks = marks[~shapely.is_missing(marks)]
        levels = engine_named(engine).contours(marks, np.array([0, len(marks)])).polygons
        assert np.all(shapely.is_valid(levels))


def test_interpreted_walks_give_the_same_results():
    marks = np.array([box(x, y, x + 2, y + 2) for x in range(3) for y in range(3)] + [FRAME], dtype=object)
    code = """
import sys
sys.modules["numba"] = None
import numpy as np, shapely
from polyframe.geometry.compiled.depth_walk import walk_contours
marks = shapely.from_wkb(sys.argv[1:])
walked = walk_contours(marks, [0, len(marks)])
majority = walk_contours(marks, [0, len(marks)], np.array([6]), twice=np.array([4]))
levels = [*walked.polygons, *majority.polygons]
print(walked.verified.all() and majority.verified.all(), [level.wkt for level in levels])
"""
    interpreted = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *shapely.to_wkb(marks, hex=True)],
        capture_output=True,
        text=True,
        check=True,
    )
    walked = walk_contours(marks, [0, len(marks)])
    majority = walk_contours(marks, [0, len(marks)], np.array([6]), twice=np.array([4]))
    levels = [*walked.polygons, *majority.polygons]
    assert majority.verified.all()
    assert interpreted.stdout == f"{walked.verified.all()} {[level.wkt for level in levels]}\n"
