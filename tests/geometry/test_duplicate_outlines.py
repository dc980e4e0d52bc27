"""Test that many equal outlines in a cluster give the same results, quickly."""

import importlib.util
import itertools
import time

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import box
from slow_contours import areas_by_subsets
from stacks import FRAME, TRIANGLE, as_array, together

from polyframe.geometry import duplicate_outlines, exact_contours
from polyframe.geometry.averages import cluster_intersections, cluster_unions
from polyframe.geometry.duplicate_outlines import first_copies, have_many_copies, keep_two_copies
from polyframe.geometry.engines import engine_named
from polyframe.geometry.exact_contours import cluster_contours

needs_numba = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="numba is missing: the extra `fast`"
)
SAME = [TRIANGLE, shapely.Polygon([(2, 3), (4, 0), (0, 0)]), shapely.Polygon([(4, 0), (2, 3), (0, 0)])]


@pytest.fixture
def once(monkeypatch):
    """Do not repeat clusters in which a check fails, so that they have no contours."""
    monkeypatch.setattr(exact_contours, "_LARGEST_TOLERANCE", 0.0)


def test_first_copies(monkeypatch):
    monkeypatch.setattr(duplicate_outlines, "MANY_DUPLICATES", 2)
    other = box(0, 0, 4, 3)  # the box of the triangles
    marks, cluster = as_array([*SAME, other, *SAME[:2], other]), np.array([3] * 4 + [5] * 3)
    assert first_copies(marks, cluster).tolist() == [0, 0, 0, 3, 4, 5, 6]
    assert first_copies(marks, np.zeros(7, dtype=np.int64)).tolist() == [0, 0, 0, 3, 0, 0, 3]
    assert first_copies(marks[:0], cluster[:0]).tolist() == []
    assert have_many_copies(marks, cluster, 7).tolist() == [False] * 3 + [True] + [False] * 3
    assert have_many_copies(marks[:0], cluster[:0], 2).tolist() == [False, False]


def test_two_copies_remain(monkeypatch):
    monkeypatch.setattr(duplicate_outlines, "MANY_DUPLICATES", 2)
    other = box(0, 0, 1, 1)
    marks = as_array([other, *SAME, None, *SAME[:2], other, other])
    kept, offsets = keep_two_copies(marks, np.array([0, 1, 8, 9]))
    assert kept.tolist() == [other, *SAME[:2], None, other, other]
    assert offsets.tolist() == [0, 1, 5, 6]


@pytest.mark.slow
@pytest.mark.parametrize("snap", [0, 0.5, 2])
@pytest.mark.parametrize("engine", ["shapely", pytest.param("compiled", marks=needs_numba)])
def test_twenty_copies_of_each_outline_give_each_level_twenty_times(make_cluster, once, snap, engine):
    marks = make_cluster(6, seed=3, snap=snap)
    single = cluster_contours(marks, [0, 6]).polygons
    mixed = np.random.default_rng(0).permutation(np.repeat(marks, 20))
    repeated = engine_named(engine).contours(mixed, np.array([0, 120]))
    assert shapely.equals_exact(repeated.polygons, np.repeat(single, 20)).all()
    assert repeated.offsets.tolist() == [0, 120]
    chosen = engine_named(engine)
    for many, one in ((chosen.unions, cluster_unions), (chosen.intersections, cluster_intersections)):
        areas = shapely.area(many(mixed, np.array([0, 120])))
        assert areas == pytest.approx(shapely.area(one(marks, [0, 6])), rel=1e-9)


@pytest.mark.parametrize("snap", [0, 1])
def test_weights_give_the_same_levels_as_subsets_and_as_no_weights(make_cluster, once, monkeypatch, snap):
    first, second, third = make_cluster(3, seed=7, snap=snap)
    stacks = [
        [first] * 3 + [second] * 2 + [third],
        [*SAME, box(1, 0, 3, 9), box(1, 0, 3, 9)],
        [FRAME, FRAME, box(3, 3, 6, 6), box(2, 2, 7, 7), box(2, 2, 7, 7)],
        [box(0, 0, 4, 1)] * 3 + [box(0, 1, 4, 2)] * 2 + [box(0, 0, 4, 2)],
        [box(0, 0, 1, 1), box(1, 1, 3, 3)],
    ]
    marks, offsets = together(stacks)
    plain = cluster_contours(marks, offsets)
    monkeypatch.setattr(duplicate_outlines, "MANY_DUPLICATES", 1)
    weighted = cluster_contours(marks, offsets)
    assert weighted.offsets.tolist() == plain.offsets.tolist()
    assert shapely.equals_exact(weighted.polygons, plain.polygons).all()
    for stack, (start, end) in zip(stacks, itertools.pairwise(plain.offsets), strict=True):
        assert shapely.area(weighted.polygons[start:end]) == pytest.approx(areas_by_subsets(stack), rel=1e-9)


GRID = st.tuples(*[st.integers(0, 4)] * 2, *[st.integers(1, 3)] * 3)


@settings(max_examples=60, deadline=None)
@given(st.lists(GRID, min_size=1, max_size=5))
def test_boxes_on_a_grid_with_and_without_weights(boxes):
    # Outlines share edges and corners all the time, in both directions.
    marks = as_array(itertools.chain(*([box(x, y, x + w, y + h)] * n for x, y, w, h, n in boxes)))
    plain = cluster_contours(marks, [0, len(marks)]).polygons
    before = duplicate_outlines.MANY_DUPLICATES
    try:
        duplicate_outlines.MANY_DUPLICATES = 1
        weighted = cluster_contours(marks, [0, len(marks)]).polygons
    finally:
        duplicate_outlines.MANY_DUPLICATES = before
    assert len(plain) == len(weighted)
    assert shapely.equals_exact(plain, weighted).all()


@pytest.mark.parametrize("engine", ["shapely", pytest.param("compiled", marks=needs_numba)])
def test_thousands_of_copies_are_quick(engine, once):
    marks = as_array([*SAME, box(1, 0, 3, 9)] * 2_500)
    chosen = engine_named(engine)
    chosen.contours(marks[:3], np.array([0, 3]))  # compiled
    start = time.monotonic()
    contours = chosen.contours(marks, np.array([0, 10_000]))
    assert time.monotonic() - start < 10
    assert len(contours.polygons) == 10_000
    # The union of both, the boxes or a triangle, the triangles.
    assert len(set(shapely.to_wkb(contours.polygons))) == 3
