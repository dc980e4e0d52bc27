"""Test the depth walk on large clusters, in which rounding affects on which side of an edge a corner is."""

import numpy as np
import pytest
import shapely
from exact_oracle import Overlay, marks_of
from shapely import box
from stacks import as_array

pytest.importorskip("numba", reason="the depth walk needs the extra `fast` (numba)")

from polyframe.geometry.compiled.depth_walk import walk_contours
from polyframe.geometry.exact_contours import cluster_contours

#: Reduced from 400 marks in hundredths of a pixel: three edges nearly through (403.21, 107.93).
MEETING = np.array(
    [
        shapely.Polygon([(375.67, 70.16), (403.21, 106.57), (403.21, 108.35)]),
        shapely.Polygon([(420.89, 131.91), (403.95, 108.3), (402.93, 107.79)]),
        shapely.Polygon([(402.58, 106.67000000000002), (406.02, 113.55), (426.67, 140.39)]),
    ],
    dtype=object,
)


def test_three_edges_through_nearly_one_point():
    expected = [float(max(level)) for level in Overlay(marks_of(MEETING)).contour_areas]
    walked = walk_contours(MEETING, [0, 3])
    assert walked.verified.tolist() == [True]
    assert walked.areas == pytest.approx(expected[:2], rel=1e-9)
    assert expected[2] < 1e-20
    assert shapely.area(cluster_contours(MEETING, [0, 3]).polygons) == pytest.approx(walked.areas, rel=1e-9)


def test_a_hole_without_an_area_is_dropped():
    # As the repair of a drawing that crosses itself leaves it.
    hole = [(3, 3), (4, 4), (5, 5 + 1e-15)]
    marks = as_array([shapely.Polygon(box(0, 0, 9, 9).exterior, [hole]), box(2, 2, 12, 4)])
    walked = walk_contours(marks, [0, 2])
    assert walked.verified.tolist() == [True]
    np.testing.assert_allclose(walked.areas, [87, 14], rtol=1e-12)


@pytest.mark.slow
def test_hundreds_of_marks(make_cluster):
    marks = make_cluster(450, vertices=60, seed=2, snap=0.05)
    walked = walk_contours(marks, [0, len(marks)])
    assert walked.verified.tolist() == [True]
    assert np.all(shapely.is_valid(walked.polygons))
    assert walked.areas.sum() == pytest.approx(shapely.area(marks).sum(), rel=1e-5)

    # Random points are in as many levels as marks, except in small parts, which levels do not include.
    x, y = np.random.default_rng(0).uniform(180, 420, (2, 3000))
    depths, levels = np.zeros(len(x), np.int64), np.zeros(len(x), np.int64)
    for polygons, counts in ((marks, depths), (walked.polygons, levels)):
        shapely.prepare(polygons)
        for polygon in polygons:
            counts += shapely.contains_xy(polygon, x, y)
    assert np.mean(depths != levels) < 0.01
    assert np.max(np.abs(depths - levels)) <= 1
