"""Test contours on a grid."""

import itertools
import platform

import contourpy
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import box

from polyframe.geometry import contours, raster_contours
from polyframe.geometry.raster import _coordinates, _count, _smooth, cluster_raster_contours


def test_raster_contours_are_close_to_exact_contours(make_cluster):
    # The line of level k runs between grid points, up to one step outside the exact contour.
    marks = make_cluster(5)
    step = np.ptp(shapely.total_bounds(marks).reshape(2, 2), axis=0).max() / 399
    grid = raster_contours(marks, num_grid_points=400, smoothing="no_smoothing")
    for exact, level in zip(contours(marks), grid, strict=True):
        assert exact.buffer(-1.5 * step).difference(level).area < 1
        assert level.difference(exact.buffer(1.5 * step)).area < 1


def test_a_square_worked_by_hand():
    # Grid points at 0, 1, ... 4; inside are 1, 2, 3 (the edge does not count). The line at count 0 runs along
    # the points where the count is 0: through the edges, with the corners cut.
    (level,) = raster_contours([box(0, 0, 4, 4)], num_grid_points=5, smoothing="no_smoothing")
    assert level.area == pytest.approx(16 - 4 * 0.5)
    assert level.bounds == (0, 0, 4, 4)


def test_bytes_do_not_depend_on_how_contourpy_was_compiled(make_cluster, monkeypatch):
    """It rounds differently on other kinds of processors, here in a way that no compiler would."""
    original, random = contourpy.contour_generator, np.random.default_rng(1)

    class Generator:
        def __init__(self, **arguments):
            self.own = original(**arguments)

        def lines(self, level):
            return [line + random.uniform(-1e-12, 1e-12, line.shape) for line in self.own.lines(level)]

    marks = make_cluster(7)
    for smoothing in ("no_smoothing", "minimal_sides", "rounded"):
        expected = raster_contours(marks, 60, smoothing)
        with monkeypatch.context() as patch:
            patch.setattr(contourpy, "contour_generator", Generator)
            assert shapely.to_wkb(raster_contours(marks, 60, smoothing)).tolist() == (
                shapely.to_wkb(expected).tolist()
            )


def test_points_are_those_of_contourpy(make_cluster):
    marks = make_cluster(7)
    x, y = (np.linspace(low, high, 60) for low, high in shapely.total_bounds(marks).reshape(2, 2).T)
    counts = _count(marks, x, y)
    for level in range(counts.max()):
        own = contourpy.contour_generator(z=counts.astype(float)).lines(level)
        theirs = contourpy.contour_generator(x=x, y=y, z=counts.astype(float)).lines(level)
        for line, expected in zip(own, theirs, strict=True):
            points = _coordinates(line, level, x, y, counts)
            np.testing.assert_allclose(points, expected, rtol=1e-14)
            # On other processors contourpy fuses operations.
            if platform.machine() in ("x86_64", "AMD64"):
                assert points.tolist() == expected.tolist()


def test_smoothing():
    marks = [shapely.Point(0, 0).buffer(5), shapely.Point(1, 0).buffer(5)]
    plain, fewer, round_ = (
        raster_contours(marks, 60, smoothing) for smoothing in ("no_smoothing", "minimal_sides", "rounded")
    )
    for a, b, c in zip(plain, fewer, round_, strict=True):
        assert shapely.get_num_coordinates(b) < shapely.get_num_coordinates(a)
        assert shapely.get_num_coordinates(c) == shapely.get_num_coordinates(a)
        assert c.length < a.length
        assert shapely.area([b, c]) == pytest.approx(a.area, rel=0.02)


def test_simplifying_keeps_the_start_point():
    # At a scale of 0.001 all corners are within the tolerance, so that only the first one remains, and three
    # others that a polygon needs.
    octagon = np.array([(1, 0), (2, 0), (3, 1), (3, 2), (2, 3), (1, 3), (0, 2), (0, 1), (1, 0)])
    for size, corners in ((1.0, 8), (0.001, 4)):
        simple = shapely.get_coordinates(_smooth(shapely.Polygon(octagon * size), 50, "minimal_sides"))
        assert simple[0].tolist() == simple[-1].tolist() == [size, 0]
        assert len(simple) == corners + 1
    # A point on a straight edge is kept if the line begins there, and removed elsewhere.
    square = shapely.Polygon([(1, 0), (2, 0), (2, 1), (2, 2), (0, 2), (0, 0)])
    simple = shapely.get_coordinates(_smooth(square, 50, "minimal_sides"))
    assert simple.tolist() == [[1, 0], [2, 0], [2, 2], [0, 2], [0, 0], [1, 0]]


@pytest.mark.parametrize("smoothing", ["no_smoothing", "minimal_sides", "rounded"])
@pytest.mark.parametrize("points", [2, 3, 4])
def test_coarse_grids_do_not_raise(points, smoothing):
    sliver = shapely.Polygon([(0, 0), (9, 9), (9, 8.99)])
    for marks in ([], [None, shapely.Polygon()], [box(0, 0, 1, 1)], [sliver], [sliver, box(3, 0, 9, 1)]):
        for level in raster_contours(marks, points, smoothing):
            assert level.geom_type == "Polygon"
            assert level.area > 0


def test_invalid_settings_raise():
    with pytest.raises(ValueError, match=r"num_grid_points must be an integer from 2 to 10000 \(got 1\)"):
        raster_contours([box(0, 0, 1, 1)], num_grid_points=1)
    with pytest.raises(ValueError, match="smoothing: 'round' is not one of"):
        raster_contours([box(0, 0, 1, 1)], smoothing="round")


def test_many_clusters_equal_one_by_one(make_cluster):
    sizes = [3, 0, 1, 5]
    marks = np.concatenate([make_cluster(size, seed=k) for k, size in enumerate(sizes)])
    offsets = np.cumsum([0, *sizes])
    together = cluster_raster_contours(marks, offsets, 30, "rounded")
    alone = [raster_contours(marks[a:b], 30, "rounded") for a, b in itertools.pairwise(offsets)]
    assert np.diff(together.offsets).tolist() == [3, 0, 1, 5] == [len(levels) for levels in alone]
    for level, expected in zip(together.polygons, itertools.chain(*alone), strict=True):
        assert level.equals_exact(expected, 0)
    assert len(cluster_raster_contours(marks[:0], [0]).polygons) == 0


triangle = st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9)), min_size=3, max_size=3, unique=True)


@settings(max_examples=60, deadline=None)
@given(st.lists(triangle.map(shapely.Polygon), min_size=1, max_size=4), st.integers(2, 30))
def test_every_level_has_an_area(marks, points):
    marks = [mark for mark in marks if mark.is_valid]
    levels = raster_contours(marks, points, "no_smoothing")
    assert len(levels) <= len(marks)
    assert all(level.area > 0 for level in levels)
