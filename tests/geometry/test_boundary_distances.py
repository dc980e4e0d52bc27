"""The distance between boundaries: shapes whose integral is known, and a naive sum."""

import math

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from polyframe.geometry.boundary_distances import POINTS, boundary_distances


def distance(one: shapely.Geometry, other: shapely.Geometry) -> float:
    (value,) = boundary_distances(np.array([one]), np.array([other]))
    return float(value)


def test_a_square_within_a_square() -> None:
    """Every point of the inner boundary is 5 from the outer one.

    Of the outer one, half of each side is 5 from the inner one; at t from there, it is sqrt(25 + t^2).
    """
    corner = (5 * math.sqrt(50) + 25 * math.asinh(1)) / 2  # the integral of sqrt(25 + t^2) from 0 to 5
    expected = (40 * 5 + 4 * (10 * 5 + 2 * corner)) / (40 + 80)
    assert distance(shapely.box(5, 5, 15, 15), shapely.box(0, 0, 20, 20)) == pytest.approx(expected, rel=1e-3)


def test_equal_regions_and_regions_without_an_area() -> None:
    square = shapely.box(0, 0, 3, 3)
    assert distance(square, square) == 0
    assert math.isnan(distance(square, shapely.Polygon()))
    one, other = np.array([square, None, square]), np.array([None, square, square])
    assert np.isnan(boundary_distances(one, other)).tolist() == [True, True, False]
    assert boundary_distances(one[:0], other[:0]).tolist() == []


def test_the_boundary_includes_that_of_holes_and_all_parts() -> None:
    """Two discs 100 apart against one of them: half of the boundary is 98 to 102 away."""
    discs = [shapely.Point(x, 0).buffer(1, quad_segs=64) for x in (0, 100)]
    both = shapely.MultiPolygon(discs)
    far = np.mean([math.hypot(100 + math.cos(a), math.sin(a)) for a in np.arange(360) / 57.29578])
    assert distance(both, discs[0]) == pytest.approx((far - 1) / 3, rel=0.01)
    ring = shapely.Polygon(shapely.box(0, 0, 20, 20).exterior, [shapely.box(5, 5, 15, 15).exterior])
    # The hole is 5 from the outer boundary, which both have in common.
    assert distance(ring, shapely.box(0, 0, 20, 20)) == pytest.approx(40 * 5 / (80 + 40 + 80), rel=0.01)


@given(
    st.lists(
        st.tuples(*(st.floats(-9, 9) for _ in range(2)), *(st.floats(0.5, 9) for _ in range(4))),
        min_size=1,
        max_size=6,
    )
)
def test_many_pairs_equal_a_naive_sum_one_by_one(rows: list[tuple[float, ...]]) -> None:
    one = np.array([shapely.box(0, 0, row[2], row[3]) for row in rows])
    other = np.array([shapely.box(row[0], row[1], row[0] + row[4], row[1] + row[5]) for row in rows])
    naive = []
    for pair in zip(one, other, strict=True):
        total = 0.0
        for line, target in (pair, pair[::-1]):
            points = [line.exterior.interpolate((k + 0.5) / POINTS, normalized=True) for k in range(POINTS)]
            total += line.length * sum(point.distance(target.exterior) for point in points) / POINTS
        naive.append(total / (pair[0].length + pair[1].length))
    assert boundary_distances(one, other) == pytest.approx(naive, abs=1e-9)
    assert boundary_distances(other, one) == pytest.approx(naive, abs=1e-9)
