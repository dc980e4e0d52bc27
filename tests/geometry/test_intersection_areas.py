"""Test intersection areas by plane sweep: by hand, and against GEOS."""

import threading

import numpy as np
import pytest
import shapely
from area_cases import BY_HAND, DEGENERATE, FRAME, UNIT, scribble, star, zigzag
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shapely import Polygon
from shapely.affinity import rotate, scale, translate

pytest.importorskip("numba", reason="the engine `compiled` needs the extra `fast` (numba)")

from polyframe.geometry.candidate_pairs import all_pairs
from polyframe.geometry.compiled import intersection_areas as areas_module
from polyframe.geometry.compiled.intersection_areas import sweep_intersection_areas
from polyframe.geometry.compiled.slab_decomposition import PolygonRings, rings_of, sides_of, slabs_of
from polyframe.geometry.distances import pair_distances, shapely_intersection_areas


def areas_of_all_pairs(polygons, engine=sweep_intersection_areas):
    marks = np.array(polygons, dtype=object)
    return engine(marks, *np.triu_indices(len(marks)))


def assert_engines_agree(polygons, tolerance=1e-12):
    """Compare all pairs, also of a polygon with itself: areas relative to the smaller one, and distances."""
    marks = np.array(polygons, dtype=object)
    assert np.all(shapely.is_valid(marks))
    left, right = np.triu_indices(len(marks))
    sizes = shapely.area(marks)
    swept = sweep_intersection_areas(marks, left, right)
    overlaid = shapely_intersection_areas(marks, left, right)
    assert np.all(np.abs(swept - overlaid) <= tolerance * np.minimum(sizes[left], sizes[right]))
    assert swept[left == right] == pytest.approx(sizes, rel=1e-14)
    assert np.array_equal(swept, sweep_intersection_areas(marks, right, left))
    one, other = (
        pair_distances(marks, sizes, shapely.bounds(marks), left, right, engine)
        for engine in (sweep_intersection_areas, shapely_intersection_areas)
    )
    assert one == pytest.approx(other, rel=0, abs=tolerance)


@pytest.mark.parametrize("case", BY_HAND.values(), ids=BY_HAND)
def test_areas_worked_by_hand(case):
    one, other, area = case
    for turn in (0, 90, 180, 270):
        pair = [rotate(one, turn, origin=(0, 0)), rotate(other, turn, origin=(0, 0))]
        assert areas_of_all_pairs(pair)[1] == pytest.approx(area, rel=1e-13, abs=1e-14)


def test_no_pairs():
    none = np.array([], dtype=np.int64)
    assert sweep_intersection_areas(np.array([], dtype=object), none, none).tolist() == []
    areas = sweep_intersection_areas(np.array([UNIT], dtype=object), none, none)
    assert (areas.dtype, areas.tolist()) == (np.float64, [])


@pytest.mark.filterwarnings("ignore:invalid value")
def test_polygons_without_an_area_share_none():
    marks = [
        None,
        Polygon(),
        UNIT,
        Polygon([(0, 0), (1, 0), (2, 0)]),
        Polygon([(0, 0), (0, 1), (0, 2)]),
        Polygon([(0, 0), (np.nan, 1), (1, 0)]),
        Polygon([(0, 0), (np.inf, 0), (1, 1)]),
        shapely.LineString([(0, 0), (1, 1)]),
    ]
    areas = areas_of_all_pairs(marks)
    assert np.count_nonzero(areas) == 1
    assert areas.max() == 1


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("offset", [0, 1000])
def test_small_and_large_coordinates(size, offset):
    rng = np.random.default_rng(1)
    stars = [translate(star(rng, 40), *(rng.normal(0, 0.3, 2) + offset)) for _ in range(8)]
    assert_engines_agree([scale(mark, size, size, origin=(0, 0)) for mark in stars])


def test_tiny_outlines_far_away_keep_their_precision():
    # On a grid of 2 ** -30 a move by a million loses no digit, so the areas are those near the origin.
    rng = np.random.default_rng(2)
    near = [
        shapely.set_precision(translate(star(rng, 30, radius=1e-3), *rng.normal(0, 2e-4, 2)), 2.0**-30)
        for _ in range(8)
    ]
    far = [translate(mark, 1e6, -1e6) for mark in near]
    exact = areas_of_all_pairs(near, shapely_intersection_areas)
    assert areas_of_all_pairs(far) == pytest.approx(exact, rel=1e-12)


def test_a_small_mark_in_a_large_one_keeps_its_precision():
    small = Polygon([(0, 0), (3e-6, 1e-6), (1e-6, 2e-6)])
    large = Polygon([(-1e6, -1e6), (1e6, -1e6), (0, 1e6)])
    assert areas_of_all_pairs([large, small])[1] == pytest.approx(small.area, rel=1e-13)


@pytest.mark.parametrize("marks", DEGENERATE.values(), ids=DEGENERATE)
def test_degenerate_marks(marks):
    assert_engines_agree(marks)
    assert_engines_agree([rotate(mark, 90, origin=(0, 0)) for mark in marks])


@pytest.mark.parametrize("snap", [0, 1, 10])
def test_drawn_outlines(make_cluster, snap):
    assert_engines_agree(make_cluster(8, vertices=350, snap=snap))


def test_outlines_with_holes():
    rng = np.random.default_rng(3)
    marks = [star(rng, 60, 0.1, 2).difference(star(rng, 20, 0.4, 0.8)) for _ in range(6)]
    assert all(mark.interiors for mark in marks)
    assert_engines_agree(marks)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(5, 60), st.sampled_from([0.1, 0.9]))
def test_random_stars(seed, vertices, jitter):
    rng = np.random.default_rng(seed)
    assert_engines_agree([star(rng, vertices, jitter) for _ in range(4)], tolerance=1e-10)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(5, 120), st.booleans())
def test_random_scribbles(seed, vertices, snap):
    """Test scribbles; if they are snapped to integers, many edges and vertices are the same."""
    rng = np.random.default_rng(seed)
    marks = [scribble(rng, vertices, snap) for _ in range(4)]
    assume(all(mark.area > 0.1 for mark in marks))
    assert_engines_agree(marks, tolerance=1e-10)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(-40, 40), st.integers(-1000, 1000), st.integers(-1000, 1000))
def test_scaling_and_moving(seed, power, x, y):
    rng = np.random.default_rng(seed)
    marks = [shapely.set_precision(star(rng, 12), 2.0**-20) for _ in range(3)]
    areas = areas_of_all_pairs(marks)
    factor = 2.0**power
    scaled = areas_of_all_pairs([scale(mark, factor, factor, origin=(0, 0)) for mark in marks])
    assert np.array_equal(scaled, areas * factor**2)  # exact, for a power of two
    assert areas_of_all_pairs([translate(mark, x, y) for mark in marks]) == pytest.approx(areas, rel=1e-13)
    mirrored = areas_of_all_pairs([scale(mark, -1, 1, origin=(0, 0)) for mark in marks])
    assert mirrored == pytest.approx(areas, rel=1e-13)
    turned = areas_of_all_pairs([rotate(mark, 90, origin=(0, 0)) for mark in marks])
    assert turned == pytest.approx(areas, rel=1e-12)


def test_the_area_of_a_pair_depends_on_that_pair_alone(make_cluster, monkeypatch):
    marks = np.concatenate([make_cluster(5, seed=1), [None, FRAME], make_cluster(5, seed=2)])
    left, right = all_pairs([0, len(marks)])
    areas = sweep_intersection_areas(marks, left, right)
    shuffled = np.random.default_rng(0).permutation(len(left))
    assert np.array_equal(sweep_intersection_areas(marks, left[shuffled], right[shuffled]), areas[shuffled])
    assert areas[7] == sweep_intersection_areas(marks, left[[7]], right[[7]])[0]
    monkeypatch.setattr(areas_module, "_BLOCK", 200)
    assert np.array_equal(sweep_intersection_areas(marks, left, right), areas)


def test_memory_is_bounded(monkeypatch):
    marks = [zigzag(60, 0), zigzag(60, 0), zigzag(60, 90), zigzag(60, 30), UNIT, None]
    overlaid = areas_of_all_pairs(marks, shapely_intersection_areas)
    whole = areas_of_all_pairs(marks)
    assert whole == pytest.approx(overlaid, rel=1e-11)
    assert np.count_nonzero(whole) >= 11
    sizes = []

    def counted(rings, slabs):
        sides = sides_of(rings, slabs)
        sizes.append(len(sides.x))
        return sides

    monkeypatch.setattr(areas_module, "sides_of", counted)
    monkeypatch.setattr(areas_module, "_MOST_SIDES", 1000)
    assert slabs_of(rings_of(np.array(marks[:1]))).side_offsets[-1] > 5000
    assert areas_of_all_pairs(marks) == pytest.approx(whole, rel=1e-12)
    assert max(sizes) <= 1000


def test_slabs_of_a_frame():
    rings = rings_of(np.array([None, FRAME], dtype=object))
    slabs = slabs_of(rings)
    sides = sides_of(rings, slabs)
    assert slabs.number.tolist() == [0, 3]
    first = slabs.first[1]
    assert (slabs.y[first : first + 4] + slabs.origin[1, 1]).tolist() == [0, 2, 7, 9]
    assert slabs.side_offsets[first : first + 4].tolist() == [0, 2, 6, 8]
    assert (sides.x + slabs.origin[1, 0]).tolist() == [0, 9, 0, 2, 7, 9, 0, 9]
    assert not np.any(sides.slope)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=300), st.sampled_from([1.0, 30.0]))
@settings(deadline=None)
def test_ranks(numbers, bend):
    # With a large exponent, nearly all numbers are in one bucket.
    y = np.array([0, 1, *numbers]) ** bend
    xy = np.column_stack([np.arange(len(y)), y])
    slabs = slabs_of(PolygonRings(xy, np.array([0, len(y)]), np.array([0, 1])))
    expected, inverse = np.unique(y, return_inverse=True)
    assert np.array_equal(slabs.y[: slabs.number[0] + 1], expected)
    assert np.array_equal(slabs.rank, inverse)


def test_several_threads_at_the_same_time(make_cluster):
    marks = make_cluster(6)
    expected = areas_of_all_pairs(marks)
    results = [None] * 4

    def work(number):
        results[number] = areas_of_all_pairs(marks)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(areas, expected) for areas in results)
