"""Test the intersection areas of both engines: by hand, and against GEOS."""

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import shapely
from area_cases import BY_HAND, DEGENERATE, FRAME, UNIT, scribble, star, zigzag
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from shapely import Polygon
from shapely.affinity import rotate, scale, translate

from polyframe.geometry.distances import pair_distances, shapely_intersection_areas
from polyframe.geometry.engines import engine_named

INSTALLED = ["shapely", "compiled"] if importlib.util.find_spec("numba") else ["shapely"]
each_engine = pytest.mark.parametrize(
    "engine",
    [
        "shapely",
        pytest.param(
            "compiled",
            marks=pytest.mark.skipif(len(INSTALLED) == 1, reason="numba is missing: the extra `fast`"),
        ),
    ],
)


def areas_of_all_pairs(polygons: list[Polygon | None], engine: str) -> NDArray[np.float64]:
    marks = np.array(polygons, dtype=object)
    return engine_named(engine).intersection_areas(marks, *np.triu_indices(len(marks)))


def assert_as_geos(polygons: list[Polygon], tolerance: float = 1e-12) -> None:
    """Compare all pairs, also of a polygon with itself: areas relative to the smaller one, and distances."""
    marks = np.array(polygons, dtype=object)
    assert np.all(shapely.is_valid(marks))
    left, right = np.triu_indices(len(marks))
    sizes, bounds = shapely.area(marks), shapely.bounds(marks)
    overlaid = shapely_intersection_areas(marks, left, right)
    known = np.zeros((len(marks), len(marks)))
    known[left, right] = overlaid
    distances = pair_distances(marks, sizes, bounds, left, right, lambda _, one, other: known[one, other])
    for engine in INSTALLED:
        intersection_areas = engine_named(engine).intersection_areas
        areas = intersection_areas(marks, left, right)
        assert np.all(np.abs(areas - overlaid) <= tolerance * np.minimum(sizes[left], sizes[right])), engine
        assert areas[left == right] == pytest.approx(sizes, rel=1e-13), engine
        assert np.array_equal(areas, intersection_areas(marks, right, left)), engine
        by_engine = pair_distances(marks, sizes, bounds, left, right, intersection_areas)
        assert by_engine == pytest.approx(distances, rel=0, abs=tolerance), engine


@each_engine
@pytest.mark.parametrize("case", BY_HAND.values(), ids=BY_HAND)
def test_areas_worked_by_hand(case: tuple[Polygon, Polygon, float], engine: str) -> None:
    one, other, area = case
    for turn in (0, 90, 180, 270):
        pair = [rotate(one, turn, origin=(0, 0)), rotate(other, turn, origin=(0, 0))]
        for marks in (pair, pair[::-1], [shapely.reverse(mark) for mark in pair]):
            assert areas_of_all_pairs(marks, engine)[1] == pytest.approx(area, rel=1e-13, abs=1e-14)


@each_engine
def test_no_pairs(engine: str) -> None:
    intersection_areas, none = engine_named(engine).intersection_areas, np.array([], dtype=np.int64)
    assert intersection_areas(np.array([], dtype=object), none, none).tolist() == []
    areas = intersection_areas(np.array([UNIT], dtype=object), none, none)
    assert (areas.dtype, areas.tolist()) == (np.float64, [])


@each_engine
@pytest.mark.filterwarnings("ignore:invalid value")
def test_polygons_without_an_area_share_none(engine: str) -> None:
    flat = [Polygon([(0, 0), (1, 0), (2, 0)]), Polygon([(0, 0), (0, 1), (0, 2)])]
    areas = areas_of_all_pairs([None, Polygon(), UNIT, *flat], engine)
    assert np.count_nonzero(areas) == 1
    assert areas.max() == 1


@each_engine
def test_a_small_mark_in_a_large_one_keeps_its_precision(engine: str) -> None:
    small = Polygon([(0, 0), (3e-6, 1e-6), (1e-6, 2e-6)])
    large = Polygon([(-1e6, -1e6), (1e6, -1e6), (0, 1e6)])
    assert areas_of_all_pairs([large, small], engine)[1] == pytest.approx(small.area, rel=1e-13)


@each_engine
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(-40, 40), st.integers(-1000, 1000), st.integers(-1000, 1000))
def test_scaling_and_moving(engine: str, seed: int, power: int, x: int, y: int) -> None:
    rng = np.random.default_rng(seed)
    marks = [shapely.set_precision(star(rng, 12), 2.0**-20) for _ in range(3)]
    areas = areas_of_all_pairs(marks, engine)
    factor = 2.0**power
    scaled = areas_of_all_pairs([scale(mark, factor, factor, origin=(0, 0)) for mark in marks], engine)
    assert np.array_equal(scaled, areas * factor**2)  # exact, for a power of two
    moved = areas_of_all_pairs([translate(mark, x, y) for mark in marks], engine)
    assert moved == pytest.approx(areas, rel=1e-13)
    mirrored = areas_of_all_pairs([scale(mark, -1, 1, origin=(0, 0)) for mark in marks], engine)
    assert mirrored == pytest.approx(areas, rel=1e-13)
    turned = areas_of_all_pairs([rotate(mark, 90, origin=(0, 0)) for mark in marks], engine)
    assert turned == pytest.approx(areas, rel=1e-12)


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("offset", [0, 1000])
def test_small_and_large_coordinates(size: float, offset: int) -> None:
    rng = np.random.default_rng(1)
    stars = [translate(star(rng, 40), *(rng.normal(0, 0.3, 2) + offset)) for _ in range(8)]
    assert_as_geos([scale(mark, size, size, origin=(0, 0)) for mark in stars])


@pytest.mark.parametrize("marks", DEGENERATE.values(), ids=DEGENERATE)
def test_degenerate_marks(marks: list[Polygon]) -> None:
    assert_as_geos(marks)
    assert_as_geos([rotate(mark, 90, origin=(0, 0)) for mark in marks])


@pytest.mark.parametrize("snap", [0, 1, 10])
def test_drawn_outlines(make_cluster: Callable[..., Any], snap: float) -> None:
    assert_as_geos(make_cluster(8, vertices=350, snap=snap))


def test_outlines_with_holes() -> None:
    rng = np.random.default_rng(3)
    marks = [star(rng, 60, 0.1, 2).difference(star(rng, 20, 0.4, 0.8)) for _ in range(6)]
    assert all(mark.interiors for mark in marks)
    assert_as_geos([*marks, UNIT, FRAME])


def test_long_strokes_that_are_nearly_parallel() -> None:
    assert_as_geos([zigzag(60, angle) for angle in (0, 1e-12, 1e-7, 1e-3, 30, 90)], 1e-11)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(5, 60), st.sampled_from([0.1, 0.9]))
def test_random_stars(seed: int, vertices: int, jitter: float) -> None:
    rng = np.random.default_rng(seed)
    assert_as_geos([star(rng, vertices, jitter) for _ in range(4)], tolerance=1e-10)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.integers(5, 120), st.booleans())
def test_random_scribbles(seed: int, vertices: int, snap: bool) -> None:
    """Test scribbles; if they are snapped to integers, many edges and vertices are the same."""
    rng = np.random.default_rng(seed)
    marks = [scribble(rng, vertices, snap) for _ in range(4)]
    assume(all(mark.area > 0.1 for mark in marks))
    assert_as_geos(marks, tolerance=1e-10)
