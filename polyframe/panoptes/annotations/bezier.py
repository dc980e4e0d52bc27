"""Convert the control points of quadratic Bezier curves to paths, for all marks of a partition at once."""

from typing import Final

import numpy as np

from polyframe.core.arrays import Floats, Ints
from polyframe.core.ragged import offsets_of, positions_of

#: Fewer control points than this are not a curve.
FEWEST_CONTROL_POINTS: Final = 3
POINTS_PER_CURVE: Final = 10


def bezier_paths(x: Floats, y: Floats, offsets: Ints) -> tuple[Floats, Floats, Ints]:
    """Return the paths of Bezier marks.

    The control points of a mark are consecutive quadratic curves; each starts at the end of the previous.
    An even number of points means that the path is closed: the first point is also the last. Every curve
    becomes 10 points at equally spaced parameters from 0 to 1, so a point where two curves meet appears
    twice.

    Parameters
    ----------
    x, y : ndarray of float64, shape (n_control_points,)
        Control points of all marks.
    offsets : ndarray of int64, shape (n_marks + 1,)
        Mark i has the points `offsets[i]` to `offsets[i + 1]`.

    Returns
    -------
    x, y : ndarray of float64, shape (n_points,)
    offsets : ndarray of int64, shape (n_marks + 1,)
        The paths in the same form. The path of a mark with fewer than three control points is empty.
    """
    n_control = np.diff(offsets)
    # Open or closed, a mark of n points has n // 2 curves: the closing point makes an even n odd.
    n_curves = np.where(n_control >= FEWEST_CONTROL_POINTS, n_control // 2, 0)
    curve_in_mark = positions_of(0, n_curves)
    start = np.repeat(offsets[:-1], n_curves)
    begin = start + 2 * curve_in_mark
    # Only the last curve of a closed mark reaches beyond its points: its end is the first point.
    end = start + (2 * curve_in_mark + 2) % np.repeat(n_control, n_curves)
    t = np.linspace(0.0, 1.0, POINTS_PER_CURVE)
    first, second, third = (1 - t) ** 2, 2 * t * (1 - t), t**2
    # Term by term rather than as a matrix product, whose order of summation depends on the processor.
    path_x, path_y = (
        (
            np.outer(flat[begin], first) + np.outer(flat[begin + 1], second) + np.outer(flat[end], third)
        ).ravel()
        for flat in (x, y)
    )
    return path_x, path_y, offsets_of(n_curves * POINTS_PER_CURVE)
