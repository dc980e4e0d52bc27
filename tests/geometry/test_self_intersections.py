"""Test which outlines cross themselves too often to be repaired."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from polyframe.core.reasons import TOO_MANY_CROSSINGS
from polyframe.geometry import self_intersections
from polyframe.geometry.polygon_repair import path_problems, polygons_from_ragged
from polyframe.geometry.self_intersections import crosses_too_often, may_cross_often


def scribble(points, seed=0, size=1000.0):
    return np.random.default_rng(seed).uniform(0, size, (points, 2))


def wheel(points, step):
    """Return a star polygon: the corners of a regular polygon, `step` corners further each time."""
    angle = 2 * np.pi * step * np.arange(points) / points
    return np.column_stack([np.cos(angle), np.sin(angle)])


def comb(teeth, turn=0.0):
    x, y = np.arange(2 * teeth) / teeth, np.tile([0.0, 1.0], teeth)
    points = np.vstack([np.column_stack([x, y]), [[2, -1], [0, -1]]])
    return points @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])


def problems(points):
    codes = polygons_from_ragged(*points.T, [0, len(points)]).problems.tolist()
    assert path_problems(*points.T, [0, len(points)]).tolist() == codes
    return codes


@pytest.mark.parametrize("size", [1e-140, 1.0, 1e9])
def test_scribbles_are_repaired_up_to_a_limit(size):
    assert problems(scribble(200, size=size)) == [None]
    assert problems(scribble(600, size=size)) == [TOO_MANY_CROSSINGS]
    assert problems(scribble(100_000, size=size)) == [TOO_MANY_CROSSINGS]


@pytest.mark.slow
def test_valid_outlines_that_would_take_minutes_are_rejected():
    assert problems(comb(1_000, turn=0.7)) == [None]
    assert problems(comb(40_000)) == [None]
    assert problems(comb(40_000, turn=0.7)) == [TOO_MANY_CROSSINGS]


def test_touches_and_shared_stretches_are_not_crossings():
    square = np.array([[0.0, 0.0], [10, 0], [10, 10], [0, 10]])
    jitter = np.tile([[0.0, 0.0], [1, 0]], (300, 1))
    assert problems(np.vstack([jitter, square])) == [None]
    assert problems(np.vstack([np.repeat(square, 2_500, axis=0)])) == [None]
    assert not crosses_too_often(np.zeros((9_000, 2)))


def test_the_number_of_crossings_decides(monkeypatch):
    # Each of the 101 segments of this star crosses all but itself and its two neighbours.
    ring = np.vstack([wheel(101, 50), wheel(101, 50)[:1]])
    monkeypatch.setattr(self_intersections, "MOST_CROSSINGS", 101 * 98 // 2)
    assert not crosses_too_often(ring)
    monkeypatch.setattr(self_intersections, "MOST_CROSSINGS", 101 * 98 // 2 - 1)
    assert crosses_too_often(ring)
    monkeypatch.setattr(self_intersections, "_CHUNK", 500)  # a few segments at a time
    assert crosses_too_often(ring)
    monkeypatch.setattr(self_intersections, "MOST_CROSSINGS", 101 * 98 // 2)
    assert not crosses_too_often(ring)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=4, max_size=40))
def test_reversals_bound_the_number_of_crossings(points):
    points = np.array(points, dtype=np.float64)
    ring = np.vstack([points, points[:1]])
    segments = shapely.linestrings(np.stack([ring[:-1], ring[1:]], axis=1))
    crossings = len(shapely.STRtree(segments).query(segments, predicate="crosses")[0]) // 2
    before = self_intersections.MOST_CROSSINGS, self_intersections.FEW_POINTS
    try:
        self_intersections.MOST_CROSSINGS, self_intersections.FEW_POINTS = crossings - 1, 0
        starts, counts = np.array([0]), np.array([len(points)])
        assert crossings == 0 or may_cross_often(*points.T, starts, counts)[0]
    finally:
        self_intersections.MOST_CROSSINGS, self_intersections.FEW_POINTS = before


def test_ordinary_outlines_are_not_suspect(make_cluster):
    marks = make_cluster(20, vertices=200, snap=1)
    points, mark = shapely.get_coordinates(marks, return_index=True)
    counts = np.bincount(mark)
    assert not may_cross_often(*points.T, np.cumsum(counts) - counts, counts).any()
