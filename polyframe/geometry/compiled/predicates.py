"""Evaluate exact predicates (compiled).

They are the orientation test (orient2d), which says on which side of a line a point is, and the order of
crossings along a line.

The sign of an expression is taken from floating point if its error bound allows, or else from an expansion: a
sum of floating-point numbers that is exactly the value.

Outlines are often degenerate: a vertex on another outline, a shared edge. So each mark is infinitesimally
perturbed: moved to the right and, by far less, upwards, and far more than the marks after it (simulation of
simplicity). Then no vertex is on another mark's outline, no three outlines cross in one point, and a sign
that would be 0 is decided by the largest perturbation that changes it.

References
----------
J. R. Shewchuk, "Adaptive precision floating-point arithmetic and fast robust geometric predicates", Discrete
& Computational Geometry 18 (1997). H. Edelsbrunner and E. P. Mücke, "Simulation of simplicity", ACM
Transactions on Graphics 9 (1990).
"""

import numpy as np

from polyframe.core.arrays import Floats
from polyframe.geometry.compiled.numba_jit import compiled_inner

#: The error bound of a cross product of differences, as a fraction of the sum of its two absolute products.
CROSS_ERROR = 3.3306690738754716e-16

_SPLITTER = 134217729.0  # 2 ** 27 + 1


@compiled_inner
def two_sum(a: float, b: float) -> tuple[float, float]:
    """Return the rounded sum and its rounding error."""
    total = a + b
    virtual = total - a
    return total, (a - (total - virtual)) + (b - virtual)


@compiled_inner
def two_product(a: float, b: float) -> tuple[float, float]:
    """Return the rounded product and its rounding error."""
    product = a * b
    wide = _SPLITTER * a
    a_high = wide - (wide - a)
    a_low = a - a_high
    wide = _SPLITTER * b
    b_high = wide - (wide - b)
    b_low = b - b_high
    error = product - a_high * b_high
    error -= a_low * b_high
    error -= a_high * b_low
    return product, a_low * b_low - error


@compiled_inner
def _add(expansion: Floats, count: int, value: float) -> int:
    """Add a number to an expansion of `count` terms, smallest first; return the new count."""
    terms = 0
    for i in range(count):
        value, error = two_sum(value, expansion[i])
        if error != 0.0:
            expansion[terms] = error
            terms += 1
    if value != 0.0:
        expansion[terms] = value
        terms += 1
    return terms


@compiled_inner
def _add_product(expansion: Floats, count: int, a: float, b: float) -> int:
    product, error = two_product(a, b)
    if error != 0.0:
        count = _add(expansion, count, error)
    return _add(expansion, count, product)


@compiled_inner
def _cross_expansion(
    expansion: Floats,
    ax: float,
    ay: float,
    bx: float,
    by: float,
    cx: float,
    cy: float,
    dx: float,
    dy: float,
) -> int:
    """Write (b - a) x (d - c) as an expansion; return the number of its terms, at most 16."""
    count = 0
    for u, v in (
        (two_sum(bx, -ax), two_sum(dy, -cy)),
        (two_sum(-by, ay), two_sum(dx, -cx)),
    ):
        for i in range(2):
            for j in range(2):
                if u[i] != 0.0 and v[j] != 0.0:
                    count = _add_product(expansion, count, u[i], v[j])
    return count


@compiled_inner
def exact_cross(
    ax: float, ay: float, bx: float, by: float, cx: float, cy: float, dx: float, dy: float
) -> float:
    """Return (b - a) x (d - c) with an exact sign, from its expansion."""
    expansion = np.empty(16)
    count = _cross_expansion(expansion, ax, ay, bx, by, cx, cy, dx, dy)
    total = 0.0
    for i in range(count):
        total += expansion[i]
    return total


@compiled_inner
def cross(ax: float, ay: float, bx: float, by: float, cx: float, cy: float, dx: float, dy: float) -> float:
    """Return (b - a) x (d - c) with an exact sign and a rounded magnitude."""
    one = (bx - ax) * (dy - cy)
    other = (by - ay) * (dx - cx)
    difference = one - other
    if abs(difference) > CROSS_ERROR * (abs(one) + abs(other)):
        return difference
    return exact_cross(ax, ay, bx, by, cx, cy, dx, dy)


@compiled_inner
def perturbation_cross(ax: float, ay: float, bx: float, by: float) -> int:
    """Return the sign of p x (b - a) for a perturbation p: to the right and, by far less, upwards."""
    if by != ay:
        return 1 if by > ay else -1
    return -1 if bx > ax else 1


@compiled_inner
def perturbed_side(value: float, ax: float, ay: float, bx: float, by: float, line: int, point: int) -> int:
    """Return on which side of a -> b a perturbed point is, by its cross product: 1 left, -1 right, never 0.

    `line` and `point` are the marks that the line and the point belong to.
    """
    if value != 0.0:
        return 1 if value > 0.0 else -1
    side = -perturbation_cross(ax, ay, bx, by)
    return side if point < line else -side


@compiled_inner
def compare_along(line: Floats, one: Floats, other: Floats) -> int:
    """Return which of two lines crosses a third first, without perturbation: -1, 0 or 1.

    Each line is x, y, x, y of two points; `one` and `other` are not parallel to `line`.
    """
    ax, ay, bx, by = line[0], line[1], line[2], line[3]
    a1, d1, a2, d2 = np.empty(16), np.empty(16), np.empty(16), np.empty(16)
    na1 = _cross_expansion(a1, ax, ay, one[0], one[1], one[0], one[1], one[2], one[3])
    nd1 = _cross_expansion(d1, ax, ay, bx, by, one[0], one[1], one[2], one[3])
    na2 = _cross_expansion(a2, ax, ay, other[0], other[1], other[0], other[1], other[2], other[3])
    nd2 = _cross_expansion(d2, ax, ay, bx, by, other[0], other[1], other[2], other[3])
    difference = np.empty(1024)
    count = 0
    for i in range(na1):
        for j in range(nd2):
            count = _add_product(difference, count, a1[i], d2[j])
    for i in range(na2):
        for j in range(nd1):
            count = _add_product(difference, count, -a2[i], d1[j])
    if count == 0:
        return 0
    sign = 1 if difference[count - 1] > 0.0 else -1
    return sign if (d1[nd1 - 1] > 0.0) == (d2[nd2 - 1] > 0.0) else -sign


@compiled_inner
def compare_perturbed(line: Floats, one: Floats, other: Floats, marks: tuple[int, int, int]) -> int:
    """Break a tie of `compare_along` by the perturbations of the marks that the three lines belong to.

    Returns 0 only if two segments of one mark are in line, which no valid mark has.
    """
    on, j, k = marks
    d1 = cross(line[0], line[1], line[2], line[3], one[0], one[1], one[2], one[3])
    d2 = cross(line[0], line[1], line[2], line[3], other[0], other[1], other[2], other[3])
    first = 1 if d1 > 0.0 else -1
    second = 1 if d2 > 0.0 else -1
    # A perturbation p of a mark changes the difference of the two places: by p x one / d1 for mark j, by
    # -p x other / d2 for mark k, and by minus the sum of both for the mark of the line itself.
    turn = cross(one[0], one[1], one[2], one[3], other[0], other[1], other[2], other[3])
    if j == k or (on < j and on < k):
        if turn != 0.0:
            sign = perturbation_cross(line[0], line[1], line[2], line[3]) * first * second
            sign = sign if turn < 0.0 else -sign
            return sign if on < j else -sign
        if j == k:
            return 0
    if j < k:
        return perturbation_cross(one[0], one[1], one[2], one[3]) * first
    return -perturbation_cross(other[0], other[1], other[2], other[3]) * second
