"""Test which outlines cross themselves too often to be repaired."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from polyframe.core.reasons import TOO_MANY_CROSSINGS
from polyframe.geometry import self_intersections
from polyframe.geometry.polygon_repair import path_problems, polygons_from_ragged
from polyframe.geometry.self_intersections import (
    crosses_too_often,
    may_cross_often,
    too_many_crossings,
)


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


def stairs(steps, seed=0):
    """Return the outline of a random set of pixels whose rows are intervals, pixel edge by pixel edge."""
    rng = np.random.default_rng(seed)
    widths = 50 + np.cumsum(rng.integers(-1, 2, (2, steps)), axis=1)
    sides = [np.column_stack([np.repeat(w, 2), np.repeat(np.arange(steps + 1), 2)[1:-1]]) for w in widths]
    return np.vstack([[-1.0, 1.0] * sides[0], sides[1][::-1]]).astype(np.float64)


def blob(points, jitter, seed=0):
    rng = np.random.default_rng(seed)
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    shape = (1 + 0.1 * np.cos(3 * angle))[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return 500 + 100 * (shape + jitter * rng.normal(size=shape.shape))


def crowded(outlines):
    """Return which outlines cross too often, all at once, and how many were checked segment by segment."""
    starts = np.cumsum([0, *map(len, outlines)])
    checked = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            self_intersections,
            "crosses_too_often",
            lambda ring: checked.append(len(ring)) or crosses_too_often(ring),
        )
        rejected = too_many_crossings(*np.concatenate(outlines).T, starts[:-1], np.diff(starts))
    return rejected.tolist(), len(checked)


def crowded_one_by_one(outlines):
    """Return the same by the definition, without the grid."""
    return [
        bool(may_cross_often(*points.T, np.array([0]), np.array([len(points)]))[0])
        and crosses_too_often(np.vstack([points, points[:1]]))
        for points in outlines
    ]


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


def test_all_at_once_equals_one_by_one(monkeypatch):
    dense = np.repeat(blob(300, 0.05), 3, axis=0)
    spikes = np.vstack([blob(700, 0.004), [[500.0, 500.0], [5_000.0, 4_000.0]] * 40])
    resting = np.vstack([blob(400, 0.0), 600 + np.random.default_rng(1).normal(0, 1e-3, (600, 2))])
    hostile = [
        *(scribble(points, seed) for seed, points in enumerate((400, 501, 600, 700))),
        *(blob(points, jitter) for points in (600, 2_000, 5_000) for jitter in (0.0, 0.004, 0.05)),
        *(np.vstack([wheel(n, k), wheel(n, k)[:1]]) for n, k in ((501, 250), (601, 19), (2_001, 11))),
        *(comb(teeth, turn) for teeth in (300, 1_000, 1_300) for turn in (0.0, 0.7, np.pi / 2)),
        *(stairs(steps, steps) for steps in (200, 1_000)),
        *(dense, spikes, resting, np.zeros((900, 2)), np.tile([[0.0, 0.0], [1.0, 0.0]], (400, 1))),
    ]
    expected = crowded_one_by_one(hostile)
    assert crowded(hostile)[0] == expected
    assert 3 < sum(expected) < 15
    for points_at_once in (1, 3_000, 10**9):
        monkeypatch.setattr(self_intersections, "_POINTS_AT_ONCE", points_at_once)
        assert crowded(hostile)[0] == expected
    monkeypatch.setattr(self_intersections, "MOST_OVERLAPS", 1_000)
    assert crowded(hostile)[0] == crowded_one_by_one(hostile)


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=4, max_size=30),
        min_size=1,
        max_size=4,
    ),
    st.integers(-1, 12),
    st.integers(0, 60),
)
def test_all_at_once_equals_one_by_one_for_any_limits(outlines, most_crossings, most_overlaps):
    outlines = [np.array(points, dtype=np.float64) for points in outlines]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(self_intersections, "FEW_POINTS", 0)
        patch.setattr(self_intersections, "MOST_CROSSINGS", most_crossings)
        patch.setattr(self_intersections, "MOST_OVERLAPS", most_overlaps)
        assert crowded(outlines)[0] == crowded_one_by_one(outlines)


def test_stairs_and_jitter_are_not_checked_segment_by_segment():
    outlines = [stairs(steps, steps) for steps in (300, 600, 1_000)]
    outlines += [blob(points, 0.004, points) for points in (600, 1_000, 2_000)]
    assert crowded(outlines) == ([False] * 6, 0)
    starts = np.cumsum([0, *map(len, outlines)])
    assert may_cross_often(*np.concatenate(outlines).T, starts[:-1], np.diff(starts)).sum() > 3


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
