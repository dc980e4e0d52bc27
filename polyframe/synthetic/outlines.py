"""How volunteers draw: freehand outlines, clicked polygons, Bezier curves, scribbles.

All functions take marks side by side (one row each) and are vectorised over them.
"""

from functools import cache
from typing import Final

import numpy as np

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.synthetic.ground_truth import HARMONICS, MOST_CORNERS, radius_at
from polyframe.synthetic.random_numbers import TREMOR, TURN, bell, cosine, sine, stream, uniform, whole

#: Fraction of the careful freehand marks with a little loop in them.
_LOOPS: Final = 0.06

_BEZIER_CURVES: Final = 8


def hand_shape(bits: np.random.PCG64, shape: Floats, care: Floats, bias: Floats) -> Floats:
    """Return the shapes of cells as hands draw them.

    Parameters
    ----------
    bits : PCG64
        Where chance comes from.
    shape : float64 array, shape (n_marks, 2, HARMONICS)
        The true shape of the cell of each mark.
    care, bias : float64 arrays, shape (n_marks,)
        See `polyframe.synthetic.volunteer_pool.Volunteers`.

    Returns
    -------
    float64 array, shape (n_marks, 2, HARMONICS)
    """
    wobble = bell(bits, len(shape), 2, HARMONICS)
    # The first harmonic shifts the outline; higher ones are smaller, as hands follow bends but not points.
    size = np.array([0.022, 0.028, 0.020, 0.016, 0.013, 0.010, 0.008, 0.006])
    drawn: Floats = shape + wobble * size * care[:, None, None]
    drawn[:, 0, 0] += bias
    return drawn


def freehand(
    bits: np.random.PCG64, centre: Floats, radius: Floats, shape: Floats, n_vertices: Ints, tremor: Floats
) -> tuple[Floats, Floats, Flags]:
    """Draw cells freehand: hundreds of vertices, a trembling hand, ends that do not meet, little loops.

    Parameters
    ----------
    bits : PCG64
        Where chance comes from.
    centre : float64 array, shape (n_marks, 2)
        In pixels.
    radius : float64 array, shape (n_marks,)
        In pixels.
    shape : float64 array, shape (n_marks, 2, HARMONICS)
        As from `hand_shape`.
    n_vertices : int64 array, shape (n_marks,)
        Vertices of each mark.
    tremor : float64 array
        As from `tremor_tape`.

    Returns
    -------
    x, y : float64 arrays, shape (n_marks, largest of n_vertices)
        In pixels.
    used : bool array, same shape
        False for the places beyond a mark's last vertex.
    """
    n = len(centre)
    start = whole(bits, TURN, n)
    direction = np.where(uniform(bits, n) < 0.6, 1, -1)
    # A third of the marks stop short, a few run past their start, the rest end where they started.
    habit, amount = uniform(bits, n), uniform(bits, n)
    extent = np.where(habit < 0.35, 1 - 0.07 * amount, np.where(habit < 0.47, 1 + 0.03 * amount, 1.0))
    # A hand that ends a little further out or in than it started.
    drift = 0.02 * bell(bits, n)

    j = np.arange(int(n_vertices.max(initial=1)))
    part = j / (n_vertices[:, None] - 1)
    used = j < n_vertices[:, None]
    angle = start[:, None] + ((direction * extent * TURN)[:, None] * part).astype(np.int64)
    cos, sin = cosine(angle), sine(angle)
    reach = radius_at(shape, cos, sin) + drift[:, None] * (part - 0.5)
    reach *= radius[:, None]
    offset = whole(bits, len(tremor), 2, n)
    x = centre[:, 0, None] + reach * cos + tremor[(offset[0, :, None] + j) & (len(tremor) - 1)]
    y = centre[:, 1, None] + reach * sin + tremor[(offset[1, :, None] + j) & (len(tremor) - 1)]

    chance = uniform(bits, n, 4)
    for i in np.flatnonzero(chance[:, 0] < _LOOPS).tolist():
        _add_loop(x[i], y[i], chance[i, 1:], float(radius[i]), int(n_vertices[i]))
    return x, y, used


def _add_loop(x: Floats, y: Floats, chance: Floats, radius: float, n_vertices: int) -> None:
    """Let the hand make one small loop, in place."""
    length = max(6, n_vertices // 16)
    first = int(chance[0] * max(1, n_vertices - length))
    turn = (np.arange(length) * TURN) // length
    tilt = int(chance[1] * TURN)
    size = radius * (0.05 + 0.07 * chance[2])
    x[first : first + length] += size * (cosine(turn + tilt) - cosine(np.asarray(tilt)))
    y[first : first + length] += size * (sine(turn + tilt) - sine(np.asarray(tilt)))


@cache
def tremor_tape(seed: int, vertices: int) -> Floats:
    """Return a hand's tremor in pixels, step by step: smooth, about half a pixel; marks take pieces of it."""
    # As long on the way whatever the number of vertices: a finer trace is not a shakier hand.
    n, span = 1 << 16, max(7, vertices // 36)
    steps = bell(stream(seed, TREMOR), n)
    total: Floats = np.zeros(n)
    for shift in range(span):
        total += np.roll(steps, shift)
    total *= 0.45 / span**0.5
    return total


def scribble(
    bits: np.random.PCG64, width: int, height: int, n_vertices: Ints
) -> tuple[Floats, Floats, Flags]:
    """Draw scribbles that cross themselves all over; parameters and results as for `freehand`."""
    n = len(n_vertices)
    chance = uniform(bits, n, 6)
    fast = 2 + whole(bits, 7, n, 4)
    phase = whole(bits, TURN, n, 4)
    j = np.arange(int(n_vertices.max(initial=1)))
    angle = (j * TURN) // (n_vertices[:, None] - 1)
    size = min(width, height) * (0.05 + 0.08 * chance[:, 0])
    xs, ys = (
        side * (0.2 + 0.6 * chance[:, 1 + axis, None])
        + size[:, None] * cosine(fast[:, axis, None] * angle + phase[:, axis, None])
        + (size * chance[:, 3 + axis])[:, None]
        * cosine(fast[:, 2 + axis, None] * angle + phase[:, 2 + axis, None])
        for axis, side in enumerate((width, height))
    )
    return xs, ys, j < n_vertices[:, None]


def clicked(bits: np.random.PCG64, centre: Floats, corners: list[Floats], care: Floats) -> list[Floats]:
    """Click the corners of crystals, starting anywhere, in either direction, sometimes missing one.

    Parameters
    ----------
    bits : PCG64
        Where chance comes from.
    centre : float64 array, shape (n_marks, 2)
        In pixels.
    corners : list of float64 arrays, shape (n_corners, 2)
        Relative to the centre; at most `MOST_CORNERS`.
    care : float64 array, shape (n_marks,)
        See `polyframe.synthetic.volunteer_pool.Volunteers`.

    Returns
    -------
    list of float64 arrays, shape (n_corners or n_corners - 1, 2)
        In pixels, not closed.
    """
    chance = uniform(bits, len(corners), 3).tolist()
    error = 2.2 * care[:, None, None] * bell(bits, len(corners), MOST_CORNERS, 2)
    size = 1 + 0.02 * bell(bits, len(corners))
    marks = []
    for i, true in enumerate(corners):
        n = len(true)
        begin, way, miss = chance[i]
        order = (int(begin * n) + (1 if way < 0.7 else -1) * np.arange(n)) % n
        points = centre[i] + true * size[i] + error[i, :n]
        marks.append(points[order[: n - 1] if n > 5 and miss < 0.08 else order])
    return marks


def bezier(bits: np.random.PCG64, centre: Floats, radius: Floats, shape: Floats) -> list[Floats]:
    """Draw cells as closed chains of quadratic Bezier curves.

    Parameters
    ----------
    bits, centre, radius, shape
        As for `freehand`.

    Returns
    -------
    list of float64 arrays, shape (n_points, 2)
        Control points in pixels; neighbouring curves share an end point. Most have an even number of points,
        which means that the first closes the chain; some end with a point of their own near the first.
    """
    n = len(centre)
    n_points = 2 * _BEZIER_CURVES
    angle = whole(bits, TURN, n)[:, None] + np.arange(n_points) * TURN // n_points
    cos, sin = cosine(angle), sine(angle)
    reach = radius[:, None] * radius_at(shape, cos, sin)
    points = centre[:, None, :] + np.stack([reach * cos, reach * sin], axis=2)
    ends = points[:, 0::2]
    # The control point that lets the curve pass the outline half way between its ends.
    points[:, 1::2] = 2 * points[:, 1::2] - (ends + np.roll(ends, -1, axis=1)) / 2
    open_ended = uniform(bits, n) < 0.25
    last = ends[:, 0] + 1.5 * bell(bits, n, 2)
    return [np.vstack([points[i], last[i]]) if open_ended[i] else points[i] for i in range(n)]
