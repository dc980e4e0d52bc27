import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from polyframe.panoptes.annotations.bezier import bezier_paths

unhurried = hypothesis_settings(deadline=None)


def paths(*marks):
    points = np.array([p for mark in marks for p in mark], dtype=float).reshape(-1, 2)
    offsets = np.cumsum([0, *map(len, marks)])
    x, y, ends = bezier_paths(points[:, 0], points[:, 1], offsets)
    return [np.column_stack([x[a:b], y[a:b]]) for a, b in itertools.pairwise(ends)]


def de_casteljau(p, q, r, t):
    return (1 - t) * ((1 - t) * p + t * q) + t * ((1 - t) * q + t * r)


def test_a_single_curve_computed_by_hand():
    (path,) = paths([(0, 0), (9, 18), (18, 0)])
    # x = 18 t and y = 36 t (1 - t) with t in ninths
    np.testing.assert_allclose(path[:, 0], np.arange(10) * 2.0, atol=1e-12)
    np.testing.assert_allclose(path[:, 1], [36 * k * (9 - k) / 81 for k in range(10)], atol=1e-12)


def test_an_even_number_of_points_is_closed():
    (path,) = paths([(0, 0), (5, 9), (10, 0), (5, -9)])
    assert len(path) == 20
    np.testing.assert_array_equal(path[-1], [0, 0])
    np.testing.assert_array_equal(path[9], path[10])


def test_fewer_than_three_points_are_an_empty_path():
    triangle = [(0, 0), (1, 2), (2, 0)]
    empty, one, two, curve = paths([], [(7, 7)], [(7, 7), (8, 8)], triangle)
    assert len(empty) == len(one) == len(two) == 0
    np.testing.assert_array_equal(curve, paths(triangle)[0])


def test_no_marks():
    x, _, offsets = bezier_paths(np.empty(0), np.empty(0), np.array([0]))
    assert len(x) == 0
    assert offsets.tolist() == [0]


coordinates = st.floats(-1e4, 1e4)
marks = st.lists(
    st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=9), min_size=1, max_size=4
)


@unhurried
@given(marks)
def test_every_point_is_on_its_curve(drawn):
    for mark, path in zip(drawn, paths(*drawn), strict=True):
        control = [*mark, mark[0]] if len(mark) % 2 == 0 else mark
        curves = [control[i : i + 3] for i in range(0, len(control) - 2, 2)]
        assert len(path) == 10 * len(curves)
        for k, point in enumerate(path):
            p, q, r = map(np.array, curves[k // 10])
            assert point == pytest.approx(de_casteljau(p, q, r, (k % 10) / 9), abs=1e-9)


@unhurried
@given(marks)
def test_the_order_of_summation_is_fixed(drawn):
    """Each sum is three products and two additions, all rounded; a fused operation would round fewer."""
    t = [k * (1 / 9) for k in range(9)] + [1.0]
    for mark, path in zip(drawn, paths(*drawn), strict=True):
        control = [*mark, mark[0]] if len(mark) % 2 == 0 else mark
        for k, point in enumerate(path.tolist()):
            curve, s = control[2 * (k // 10) :][:3], t[k % 10]
            weights = ((1 - s) * (1 - s), 2 * s * (1 - s), s * s)
            exact = [(1 - Fraction(k % 10, 9)) ** 2, 2 * Fraction(k % 10, 9) * (1 - Fraction(k % 10, 9))]
            exact.append(1 - sum(exact))
            for axis, number in enumerate(point):
                p, q, r = (corner[axis] for corner in curve)
                assert number == p * weights[0] + q * weights[1] + r * weights[2]
                wanted = sum(Fraction(value) * weight for value, weight in zip((p, q, r), exact, strict=True))
                largest = Fraction(max(map(abs, (p, q, r))))
                # The second term is for subnormal numbers, which have fewer digits.
                assert abs(Fraction(number) - wanted) <= largest / 2**50 + Fraction(1, 2**1070)
