"""Test the sides of lines against rational numbers."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from polyframe.geometry.exact_sides import sides_of_lines

whole = st.integers(-4, 4).map(float)
near_whole = st.builds(lambda number, steps: number + steps * 2.0**-50, whole, st.integers(-2, 2))
any_size = st.floats(-1e100, 1e100)


def exact_side(ax, ay, bx, by, x, y):
    ax, ay, bx, by, x, y = map(Fraction, (ax, ay, bx, by, x, y))
    side = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
    return (side > 0) - (side < 0)


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
