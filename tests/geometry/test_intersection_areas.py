"""Test intersection areas by plane sweep; `test_areas_of_engines` has the tests of all engines."""

import threading

import numpy as np
import pytest
import shapely
from area_cases import FRAME, UNIT, star, zigzag
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Polygon
from shapely.affinity import translate

pytest.importorskip("numba", reason="the engine `compiled` needs the extra `fast` (numba)")

from polyframe.geometry.candidate_pairs import all_pairs
from polyframe.geometry.compiled import intersection_areas as areas_module
from polyframe.geometry.compiled.intersection_areas import sweep_intersection_areas
from polyframe.geometry.compiled.slab_decomposition import PolygonRings, rings_of, sides_of, slabs_of
from polyframe.geometry.distances import shapely_intersection_areas


def areas_of_all_pairs(polygons, engine=sweep_intersection_areas):
    marks = np.array(polygons, dtype=object)
    return engine(marks, *np.triu_indices(len(marks)))


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
