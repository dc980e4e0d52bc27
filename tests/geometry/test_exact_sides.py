"""Test the sides of lines against rational numbers."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from polyframe.geometry.exact_sides import accurate_sides, sides_of_lines

whole = st.integers(-4, 4).map(float)
near_whole = st.builds(lambda number, steps: number + steps * 2.0**-50, whole, st.integers(-2, 2))
any_size = st.floats(-1e100, 1e100)


#: Fractions of a pixel, so that differences are rounded.
tenths = st.builds(
    lambda number, steps: number / 10 + steps * 2.0**-40, st.integers(-40, 40), st.integers(-1, 1)
)


def twice_the_area(ax, ay, bx, by, x, y):
    ax, ay, bx, by, x, y = map(Fraction, (ax, ay, bx, by, x, y))
    return (bx - ax) * (y - ay) - (by - ay) * (x - ax)


def exact_side(*numbers):
    side = twice_the_area(*numbers)
    return (side > 0) - (side < 0)


@given(st.one_of(*(st.tuples(*[number] * 6) for number in (whole, near_whole, tenths))))
def test_accurate_sides_are_accurate_next_to_a_line(numbers):
    (side,) = accurate_sides(*(np.array([number]) for number in numbers))
    exact = twice_the_area(*numbers)
    assert np.sign(side) == exact_side(*numbers)
    assert abs(Fraction(side) - exact) <= abs(exact) / 10**10


def test_accurate_sides_of_many_points():
    rng = np.random.default_rng(1)
    numbers = rng.integers(-9, 10, (6, 500)) / 10 + rng.choice([0, 1e-12], (6, 500))
    sides = accurate_sides(*numbers)
    assert np.sign(sides).tolist() == [exact_side(*row) for row in numbers.T.tolist()]


@given(st.one_of(*(st.tuples(*[number] * 6) for number in (whole, near_whole, any_size))))
def test_signs_are_exact_or_uncertain(numbers):
    sides = sides_of_lines(*(np.array([number]) for number in numbers))
    if not sides.uncertain[0]:
        assert np.sign(sides.side[0]) == exact_side(*numbers)


@given(st.tuples(*[whole] * 6))
def test_whole_pixels_are_certain(numbers):
    assert not sides_of_lines(*(np.array([number]) for number in numbers)).uncertain[0]


def test_the_ends_of_a_line_are_on_it():
    ends = np.array([0.1, 0.2, 1e9 + 0.3, 1e-9])
    for point in (ends[:2], ends[2:]):
        sides = sides_of_lines(*(np.array([number]) for number in (*ends, *point)))
        assert (sides.side[0], sides.uncertain[0]) == (0, False)
