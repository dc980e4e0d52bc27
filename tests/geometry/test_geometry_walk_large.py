"""The depth walk where GEOS would take minutes: in large clusters, rounding decides somewhere what meets."""

import numpy as np
import pytest
import shapely
from shapely import box

pytest.importorskip("numba", reason="the depth walk needs the extra `fast` (numba)")

from polyframe.geometry import walk
from polyframe.geometry.contours import cluster_contours
from polyframe.geometry.polygonized import part_of_rings
from polyframe.geometry.walk import fast_cluster_contours, walk_contours

TIED = [box(1, 0, 2, 1), box(0, 1, 1, 2), box(2, 1, 3, 2), box(1, 2, 2, 3)]

#: What is left of 400 marks in hundredths of a pixel: three edges through (403.21, 107.93), but for rounding.
MEETING = np.array(
    [
        shapely.Polygon([(375.67, 70.16), (403.21, 106.57), (403.21, 108.35)]),
        shapely.Polygon([(420.89, 131.91), (403.95, 108.3), (402.93, 107.79)]),
        shapely.Polygon([(402.58, 106.67000000000002), (406.02, 113.55), (426.67, 140.39)]),
    ],
    dtype=object,
)


@pytest.fixture
def as_large(monkeypatch):
    """Take every cluster for a large one."""
    monkeypatch.setattr(walk, "_FEW", 0)


def array(marks):
    return np.array(list(marks), dtype=object)


def on_grid(rng, size):
    """A polygon of cells, or of corners, on a small grid."""
    cells = [box(x, y, x + 1, y + 1) for x, y in rng.integers(0, size, (rng.integers(2, 12), 2))]
    if rng.random() < 0.5:
        drawn = shapely.union_all(cells)
    else:
        drawn = shapely.convex_hull(shapely.multipoints(rng.integers(0, size + 1, (5, 2))))
    parts = [part for part in shapely.get_parts(drawn) if part.area]
    return max(parts, key=lambda part: part.area, default=box(0, 0, 1, 2))


@pytest.mark.usefixtures("as_large")
@pytest.mark.parametrize("scale", [1 / 3, 0.1])
def test_what_meets_within_rounding_meets(scale):
    # In thirds and tenths of a pixel, corners on slanted edges lie beside them by less than a rounding step.
    rng = np.random.default_rng(3)
    for _ in range(150):
        marks = array(on_grid(rng, 4) for _ in range(rng.integers(2, 6)))
        whole = walk_contours(marks, [0, len(marks)])
        parts = walk_contours(shapely.transform(marks, lambda points: points * scale), [0, len(marks)])
        assert (whole.proven[0], parts.proven[0]) == (True, True)
        np.testing.assert_allclose(parts.areas, whole.areas * scale**2, rtol=1e-9)


@pytest.mark.usefixtures("as_large")
def test_three_edges_through_one_point_but_for_rounding():
    exact = walk_contours(shapely.transform(MEETING, lambda points: np.round(points * 100)), [0, 3])
    found = walk_contours(MEETING, [0, 3])
    assert found.proven.tolist() == [True]
    np.testing.assert_allclose(found.areas, exact.areas / 1e4, rtol=1e-9)


def test_small_clusters_with_such_a_point_are_answered_by_geos():
    assert walk_contours(MEETING, [0, 3]).proven.tolist() == [False]
    expected = cluster_contours(MEETING, [0, 3]).polygons
    assert np.all(shapely.equals(fast_cluster_contours(MEETING, [0, 3]).polygons, expected))


@pytest.mark.usefixtures("as_large")
def test_a_level_of_equal_parts_is_settled_alone():
    marks = array([*TIED, box(-9, -9, 9, 9)])
    found = fast_cluster_contours(marks, [0, 5])
    assert (found.proven.tolist(), found.doubts.tolist()) == ([True], [1])
    expected = cluster_contours(marks, [0, 5]).polygons
    assert found.areas.tolist() == [324, 1]
    assert np.all(shapely.equals(found.polygons, expected))


@pytest.mark.usefixtures("as_large")
def test_a_stack_ends_where_a_level_in_doubt_has_no_area(monkeypatch):
    monkeypatch.setattr(walk, "part_of_rings", lambda rings: shapely.Polygon())
    marks = array([*TIED, box(-9, -9, 9, 9), box(20, 0, 21, 1)])
    found = walk_contours(marks, [0, 5, 6])
    assert found.areas.tolist() == [324, 1]
    assert found.offsets.tolist() == [0, 1, 2]


@pytest.mark.usefixtures("as_large")
def test_what_geos_refuses_is_not_proven(monkeypatch):
    monkeypatch.setattr(walk, "part_of_rings", lambda rings: None)
    found = walk_contours(array([*TIED, box(20, 0, 21, 1)]), [0, 4, 5])
    assert found.proven.tolist() == [False, True]
    assert found.offsets.tolist() == [0, 0, 1]


def test_the_part_that_rings_surround():
    def ring(x, y, size):
        return box(x, y, x + size, y + size).exterior

    # A square with a hole that holds an island, another that touches its corner, and one on top of it.
    rings = shapely.Polygon(ring(0, 0, 9), [ring(1, 1, 7), ring(2, 2, 5), ring(9, 9, 4)])
    assert part_of_rings(rings).equals(box(0, 0, 9, 9))
    assert part_of_rings(shapely.Polygon(ring(0, 0, 2), [ring(0, 0, 2)])).is_empty


def test_a_hole_without_an_area_is_left_out():
    # As the repair of a drawing that runs over itself leaves it.
    hole = [(3, 3), (4, 4), (5, 5 + 1e-15)]
    marks = array([shapely.Polygon(box(0, 0, 9, 9).exterior, [hole]), box(2, 2, 12, 4)])
    found = walk_contours(marks, [0, 2])
    assert found.proven.tolist() == [True]
    np.testing.assert_allclose(found.areas, [87, 14], rtol=1e-12)


@pytest.mark.slow
def test_hundreds_of_marks(make_cluster):
    marks = make_cluster(450, vertices=60, seed=2, snap=0.05)
    found = walk_contours(marks, [0, len(marks)])
    assert found.proven.tolist() == [True]
    assert np.all(shapely.is_valid(found.polygons))
    assert found.areas.sum() == pytest.approx(shapely.area(marks).sum(), rel=1e-5)

    # Points picked at random lie in as many levels as marks; but for crumbs, which levels leave out.
    x, y = np.random.default_rng(0).uniform(180, 420, (2, 3000))
    depths, levels = np.zeros(len(x), np.int64), np.zeros(len(x), np.int64)
    for polygons, counts in ((marks, depths), (found.polygons, levels)):
        shapely.prepare(polygons)
        for polygon in polygons:
            counts += shapely.contains_xy(polygon, x, y)
    assert np.mean(depths != levels) < 0.01
    assert np.max(np.abs(depths - levels)) <= 1
