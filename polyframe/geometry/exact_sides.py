"""Decide on which side of a line points are, exactly or not at all.

References
----------
J. R. Shewchuk, "Adaptive precision floating-point arithmetic and fast robust geometric predicates",
Discrete & Computational Geometry 18 (1997).
"""

import math
from typing import NamedTuple

import numpy as np

from polyframe.core.arrays import Flags, Floats

#: The relative error of a cross product of differences, as in the reference (3 + 16 u) u, rounded up.
_ROUNDING = 3.34e-16

#: Points are next to a line if the difference of the products is a smaller fraction of them.
_NEAR = 1e-5

#: Products below this may have lost digits to underflow.
_UNDERFLOW = 2.0**-900


class Sides(NamedTuple):
    """On which side of lines points are.

    `side` is positive on the left of a line, negative on its right: twice the area of a triangle, except for
    rounding. Its sign is exact (0 on the line) unless `uncertain`.
    """

    side: Floats
    uncertain: Flags


def sides_of_lines(ax: Floats, ay: Floats, bx: Floats, by: Floats, x: Floats, y: Floats) -> Sides:
    """Return on which side of the lines from a to b points are.

    All arguments are ndarrays of float64, shape (n,). If the rounded result does not show the side, the cross
    product is evaluated without rounding (two-products). That needs differences that are exact, as they are
    on whole pixels or near one another, or of points that are equal; the side is uncertain if they are not.
    """
    across, up, right, over = bx - ax, by - ay, x - ax, y - ay
    one, other = across * over, up * right
    side = one - other
    close = np.flatnonzero(np.abs(side) <= _ROUNDING * (np.abs(one) + np.abs(other)) + _UNDERFLOW)
    uncertain = np.zeros(len(side), dtype=np.bool_)
    if len(close):
        ax, ay, bx, by, x, y = (values[close] for values in (ax, ay, bx, by, x, y))
        across, lost_across = difference(bx, ax)
        up, lost_up = difference(by, ay)
        right, lost_right = difference(x, ax)
        over, lost_over = difference(y, ay)
        one, lost_one = product(across, over)
        other, lost_other = product(up, right)
        # Rounding keeps the order of two products, so the errors matter only if they are rounded to the same.
        exact_side = np.where(one == other, lost_one - lost_other, one - other)
        known = _known_product(across, over, lost_across, lost_over, one)
        known &= _known_product(up, right, lost_up, lost_right, other)
        end = ((right == 0) & (over == 0)) | ((x == bx) & (y == by))
        side[close] = np.where(end, 0.0, exact_side)
        uncertain[close] = ~(known | end)
    return Sides(side, uncertain)


def accurate_sides(ax: Floats, ay: Floats, bx: Floats, by: Floats, x: Floats, y: Floats) -> Floats:
    """Return on which side of the lines from a to b points are, also those that are next to the line.

    As `sides_of_lines`, but all signs are exact, and the relative error is below 1e-10. Next to a line, twice
    the area is added up without rounding, which takes about two microseconds for a point that is not on the
    pixel grid.
    """
    across, up, right, over = bx - ax, by - ay, x - ax, y - ay
    one, other = across * over, up * right
    side = one - other
    near = np.flatnonzero(np.abs(side) <= _NEAR * (np.abs(one) + np.abs(other)))
    if not len(near):
        return side
    ax, ay, bx, by, x, y = (values[near] for values in (ax, ay, bx, by, x, y))
    terms = [
        term
        for first, second, sign in (
            (difference(bx, ax), difference(y, ay), 1.0),
            (difference(by, ay), difference(x, ax), -1.0),
        )
        for factor in first
        for other_factor in second
        for term in product(sign * factor, other_factor)
    ]
    # The first of eight terms is the rounded product; often it is the only one.
    rounded = np.flatnonzero(np.any([term != 0 for k, term in enumerate(terms) if k % 8], axis=0))
    sums = terms[0] + terms[8]
    sums[rounded] = [math.fsum(row) for row in np.column_stack(terms)[rounded].tolist()]
    side[near] = sums
    return side


def is_left(side: Floats, by_x: Floats, by_y: Floats) -> Flags:
    """Return whether points are on the left, also those on the line, which move infinitesimally.

    A move along x changes the side by a positive multiple of `by_x`; if that is 0, one along y by `by_y`.
    """
    moved = np.where(by_x == 0, by_y, by_x)
    return np.where(side == 0, moved, side) > 0


def _known_product(a: Floats, b: Floats, lost_a: Floats, lost_b: Floats, product_: Floats) -> Flags:
    """Return whether a product of differences is exact, with its rounding error. Zero differences are."""
    exact = (lost_a == 0) & (lost_b == 0) & (np.abs(product_) > _UNDERFLOW)
    return np.asarray(exact | (a == 0) | (b == 0))


def difference(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Return a - b, rounded, and the rounding error."""
    rounded = a - b
    virtual = a - rounded
    return rounded, (a - (rounded + virtual)) + (virtual - b)


def product(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Return a * b, rounded, and the rounding error."""
    rounded = a * b
    wide_a, wide_b = 134217729.0 * a, 134217729.0 * b  # 2 ** 27 + 1
    high_a, high_b = wide_a - (wide_a - a), wide_b - (wide_b - b)
    low_a, low_b = a - high_a, b - high_b
    return rounded, low_a * low_b - (((rounded - high_a * high_b) - low_a * high_b) - high_a * low_b)
