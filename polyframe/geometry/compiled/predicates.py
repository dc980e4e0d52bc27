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
    count = int(np.int64(0))  # with the literal 0, what follows would be compiled twice
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
    # Common: equal vertices, or horizontal and vertical segments.
    if (ax == bx or cy == dy) and (ay == by or cx == dx):
        return 0.0
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
def compare_along(lines: Floats) -> int:
    """Return which of two lines crosses a third first, without perturbation: -1, 0 or 1.

    Parameters
    ----------
    lines : ndarray of float64, shape (3, 4)
        The third line, then the two that are compared, each as x, y, x, y of two points. None of them is
        parallel to the third line.
    """
    ax, ay, bx, by = lines[0, 0], lines[0, 1], lines[0, 2], lines[0, 3]
    # Both products of two expansions of at most 16 terms have at most 16 * 16 * 2 terms.
    expansions, counts, difference = np.empty((4, 16)), np.empty(4, np.int64), np.empty(1024)
    for i in range(2):
        px, py, qx, qy = lines[i + 1, 0], lines[i + 1, 1], lines[i + 1, 2], lines[i + 1, 3]
        # How far along the third line it is crossed, as a quotient of two expansions.
        counts[2 * i] = _cross_expansion(expansions[2 * i], ax, ay, bx, by, px, py, qx, qy)
        counts[2 * i + 1] = _cross_expansion(expansions[2 * i + 1], ax, ay, px, py, px, py, qx, qy)
    count = int(np.int64(0))
    for i in range(counts[1]):
        for j in range(counts[2]):
            count = _add_product(difference, count, expansions[1, i], expansions[2, j])
    for i in range(counts[3]):
        for j in range(counts[0]):
            count = _add_product(difference, count, -expansions[3, i], expansions[0, j])
    if count == 0:
        return 0
    sign = 1 if difference[count - 1] > 0.0 else -1
    return sign if (expansions[0, counts[0] - 1] > 0.0) == (expansions[2, counts[2] - 1] > 0.0) else -sign


@compiled_inner
def compare_perturbed(lines: Floats, on: int, j: int, k: int) -> int:
    """Break a tie of `compare_along` by the perturbations of the marks that the three lines belong to.

    Returns 0 only if two segments of one mark are in line, which no valid mark has.
    """
    ax, ay, bx, by = lines[0, 0], lines[0, 1], lines[0, 2], lines[0, 3]
    px, py, qx, qy = lines[1, 0], lines[1, 1], lines[1, 2], lines[1, 3]
    rx, ry, sx, sy = lines[2, 0], lines[2, 1], lines[2, 2], lines[2, 3]
    first = 1 if cross(ax, ay, bx, by, px, py, qx, qy) > 0.0 else -1
    second = 1 if cross(ax, ay, bx, by, rx, ry, sx, sy) > 0.0 else -1
    # A perturbation p of a mark changes the difference of the two places: by p x one / d1 for mark j, by
    # -p x other / d2 for mark k, and by minus the sum of both for the mark of the line itself. The cross
    # products d1 and d2 of the line with the others have the signs `first` and `second`.
    turn = cross(px, py, qx, qy, rx, ry, sx, sy)
    if j == k or (on < j and on < k):
        if turn != 0.0:
            sign = perturbation_cross(ax, ay, bx, by) * first * second
            sign = sign if turn < 0.0 else -sign
            return sign if on < j else -sign
        if j == k:
            return 0
    if j < k:
        return perturbation_cross(px, py, qx, qy) * first
    return -perturbation_cross(rx, ry, sx, sy) * second
