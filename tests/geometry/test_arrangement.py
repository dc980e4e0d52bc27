"""Test the depths beside arcs that several outlines share, against points tested one by one."""

import math

import numpy as np
import pytest
import shapely
from shapely import box
from slow_contours import lines_of

from polyframe.geometry import arrangement, contours
from polyframe.geometry.arrangement import build_arrangement

TRIANGLE = shapely.Polygon([(0, 0), (4, 0), (2, 3)])
CELLS = [box(x, y, x + 1, y + 1) for x in range(3) for y in range(3)]


def on_screens(make_cluster, count, seed, scales=(0.69, 0.98, 1.02)):
    """Return outlines as browsers report them: whole pixels of screens of several sizes, to two decimals."""
    marks = make_cluster(count, vertices=300, seed=seed)
    scale = np.random.default_rng(seed).choice(scales, count)
    snapped = [
        shapely.transform(mark, lambda points, s=s: np.round(np.round(points / s) * s, 2))
        for mark, s in zip(marks, scale, strict=True)
    ]
    repaired = [max(shapely.get_parts(mark.buffer(0)), key=shapely.area) for mark in snapped]
    return np.array(repaired, dtype=object)


def test_half_edges_around_a_node_are_sorted_by_angle():
    # Distinct directions to integer points, whose angles are far enough apart for any `arctan2`.
    grid = np.array([(x, y) for x in range(-9, 10) for y in range(-9, 10) if np.gcd(x, y) == 1], dtype=float)
    grid = np.random.default_rng(1).permutation(grid)
    order = arrangement._sort_by_angle(np.zeros(len(grid), dtype=np.int64), *grid.T)
    angles = [math.atan2(y, x) for x, y in grid]
    # Due west is last, as an angle of half a turn.
    assert order.tolist() == sorted(range(len(grid)), key=angles.__getitem__)
    # Two directions that differ, but have the same floating-point angle.
    near = np.array([(8, np.nextafter(7.0, 8)), (8, 7)])
    assert math.atan2(*near[0, ::-1]) == math.atan2(*near[1, ::-1])
    assert arrangement._sort_by_angle(np.zeros(2, dtype=np.int64), *near.T).tolist() == [1, 0]


def alone(marks):
    return build_arrangement(marks, np.zeros(len(marks), dtype=np.int64), 1)


def check_depths(marks, arrangement, least=1e-3):
    """Count the marks around points on both sides of the first segment of each long, isolated arc."""
    start, end = np.split(arrangement.ends[: len(arrangement.cluster)], 2, axis=1)
    length = np.hypot(*(end - start).T)
    near = shapely.STRtree(lines_of(arrangement)).query(
        shapely.points((start + end) / 2), predicate="dwithin", distance=1e-6
    )[0]
    long = (length > least) & (np.bincount(near, minlength=len(length)) == 1)
    assert np.mean(long) > 0.9
    middle, along = ((start + end) / 2)[long], ((end - start) / length[:, None])[long]
    aside = np.column_stack([-along[:, 1], along[:, 0]]) * 1e-7
    for depth, points in ((arrangement.left, middle + aside), (arrangement.right, middle - aside)):
        inside = sum(shapely.contains_xy(mark, points).astype(int) for mark in marks)
        assert depth[long].tolist() == inside.tolist()


@pytest.mark.parametrize("seed", range(6))
def test_outlines_drawn_on_screens(make_cluster, seed):
    # Vertices on slanted edges are beside them by a rounding step, so arcs nearly coincide.
    marks = on_screens(make_cluster, 13, seed)
    arrangement = alone(marks)
    assert not arrangement.failed.any()
    check_depths(marks, arrangement)
    by_length = np.abs(arrangement.left - arrangement.right) @ shapely.length(lines_of(arrangement))
    assert by_length == pytest.approx(shapely.length(marks).sum(), rel=1e-9)


SHARED = {
    "twice the same": [TRIANGLE, TRIANGLE],
    "twice the same, crossed": [TRIANGLE, TRIANGLE, box(1, -1, 3, 1), box(-1, 0.5, 5, 1.5)],
    "the same edge in both directions": [box(0, 0, 1, 1), box(1, 0, 2, 1)],
    "a part of an edge": [box(0, 0, 1, 3), box(1, 1, 2, 2), box(0.5, 1.2, 1.5, 1.7)],
    "cells": CELLS,
    "cells, a frame round them, and all of them": [*CELLS, box(0, 0, 3, 3), box(1, 0, 3, 3)],
    "a long edge over short ones": [box(0, 0, 3, 1), *CELLS[:4], box(0.5, 0.5, 2.5, 1.5)],
    "a crossing at a vertex": [box(0, 0, 2, 2), box(1, 1, 3, 3), shapely.Polygon([(0, 2), (2, 0), (3, 3)])],
}


@pytest.mark.parametrize("scale", [1, 1 / 3, 1e6, 1e-6])
@pytest.mark.parametrize("name", SHARED)
def test_shared_edges(name, scale):
    marks = shapely.transform(np.array(SHARED[name], dtype=object), lambda points: points * scale)
    arrangement = alone(marks)
    assert not arrangement.failed.any()
    unscaled = np.array(SHARED[name], dtype=object)
    if scale == 1:
        check_depths(unscaled, arrangement)
    levels = contours(marks)
    assert shapely.area(levels) == pytest.approx(shapely.area(contours(unscaled)) * scale**2, rel=1e-9)


def test_outlines_that_bend_at_the_same_point():
    # Both outlines bend at (1, 1), and neither continues the other.
    one = shapely.Polygon([(0, 0), (1, 1), (0, 2), (-1, 1)])
    other = shapely.Polygon([(2, 0), (3, 1), (2, 2), (1, 1)])
    arrangement = alone(np.array([one, other, one, box(0.25, 0.5, 1.75, 1.5)], dtype=object))
    assert not arrangement.failed.any()
    check_depths([one, other, one, box(0.25, 0.5, 1.75, 1.5)], arrangement)
