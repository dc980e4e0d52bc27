"""Draw the marks of the volunteers of a subject: freehand outlines, polygons, Bezier curves, scribbles.

Functions that draw take one entry for each mark and are vectorised over the marks.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import offsets_of
from polyframe.synthetic.ground_truth import CELL, CRYSTAL, HARMONICS, MOST_CORNERS, Scene, radius_at
from polyframe.synthetic.random_numbers import (
    DRAWING,
    JITTER,
    TREMOR,
    TURN,
    bell_shaped,
    cosine,
    integers,
    sine,
    stream,
    uniform,
)
from polyframe.synthetic.synth_options import SynthOptions
from polyframe.synthetic.volunteer_pool import VolunteerPool

FREEHAND: Final = 0
POLYGON: Final = 1
BEZIER: Final = 2

#: Fraction of the freehand marks that contain a small loop.
_LOOPS: Final = 0.06
_BEZIER_CURVES: Final = 8
#: Variation of each harmonic by hand. The first shifts the outline; higher ones are smaller, since hands
#: follow bends rather than points.
_WOBBLE: Final = np.array([0.022, 0.028, 0.020, 0.016, 0.013, 0.010, 0.008, 0.006])


@dataclass(frozen=True)
class Drawings:
    """The classifications of a subject, sorted by time, and their marks, sorted by row.

    Mark i has the vertices `offset[i]` to `offset[i + 1]`.
    """

    volunteer: Ints  # of each row: index into `VolunteerPool`
    turn: Ints  # of each row: the round, in which a subject is classified at most once
    old: Flags  # of each row: whether it is from the older workflow version
    chance: Floats  # of each row: six numbers in [0, 1) that decide its other cells
    row: Ints  # of each mark
    frame: Ints  # of each mark
    tool: Ints  # of each mark: `FREEHAND`, `POLYGON` or `BEZIER`
    x: Ints  # of each vertex, in hundredths of an image pixel
    y: Ints
    offset: Ints


@dataclass(frozen=True)
class _Targets:
    """The object and the volunteer of each mark to draw."""

    row: Ints
    frame: Ints
    centre: Floats
    radius: Floats
    shape: Floats
    corners: list[Floats]
    pace: Floats
    care: Floats
    bias: Floats


@dataclass(frozen=True)
class _Marks:
    """Marks by row, frame and tool; `count` vertices each, in pixels."""

    row: Ints
    frame: Ints
    tool: int
    count: Ints
    x: Floats
    y: Floats


def draw_subject(options: SynthOptions, scene: Scene, volunteers: VolunteerPool, number: int) -> Drawings:
    """Let volunteers classify subject `number`, counted from 0; independent of the number of subjects."""
    bits = stream(options.seed, DRAWING, number)
    places = options.volunteers
    who = np.argsort(uniform(bits, options.pool_size), kind="stable")[:places]
    again = np.flatnonzero(uniform(bits, places) < options.repeats)
    volunteer = np.concatenate([who, who[again]])
    turn = np.concatenate([np.arange(places), places + again])
    old = turn < int(options.old_share * places + uniform(bits, 1)[0])
    n_rows = len(turn)
    chance = uniform(bits, n_rows, 6)

    scribbles = volunteers.scribbler[volunteer]
    draws = chance[:, 0] >= options.empty
    seen = (uniform(bits, n_rows, len(scene.kind)) < 0.95) & (draws & ~scribbles)[:, None]
    uses_bezier = (old & (chance[:, 1] < options.bezier_share))[:, None]

    def targets(selected: Flags) -> _Targets:
        row, thing = np.nonzero(selected)
        person = volunteer[row]
        return _Targets(
            row,
            scene.frame[thing],
            scene.centre[thing],
            scene.radius[thing],
            scene.shape[thing],
            [scene.corners[i] for i in thing.tolist()],
            volunteers.pace[person],
            volunteers.care[person],
            volunteers.bias[person],
        )

    cells = seen & (scene.kind == CELL)
    parts = [
        _freehand(bits, options, targets(cells & ~uses_bezier), number),
        _bezier(bits, targets(cells & uses_bezier)),
        _clicked(bits, targets(seen & (scene.kind == CRYSTAL))),
        _scribbles(bits, options, scene, np.flatnonzero(scribbles & draws)),
    ]
    row = np.concatenate([p.row for p in parts])
    frame = np.concatenate([p.frame for p in parts])
    count = np.concatenate([p.count for p in parts])
    tool = np.repeat([p.tool for p in parts], [len(p.row) for p in parts])
    pixel = scene.width / volunteers.screen_width[volunteer[row]]  # of the screen, in image pixels
    if options.jitter > 0:  # it is finer than most screens
        pixel = np.where(tool == FREEHAND, 0.01, pixel)
    # By row, in random order within a row.
    order = np.lexsort((uniform(bits, len(row)), row))
    begin = (np.cumsum(count) - count)[order]
    row, count = row[order], count[order]
    vertex = np.arange(int(count.sum())) + np.repeat(begin - (np.cumsum(count) - count), count)
    scale = np.repeat(pixel[order], count)
    x = _on_screen(np.concatenate([p.x for p in parts])[vertex], scale, scene.width)
    y = _on_screen(np.concatenate([p.y for p in parts])[vertex], scale, scene.height)
    # A hand that rests on a screen pixel adds no vertex.
    mark = np.repeat(np.arange(len(row)), count)
    moved = np.ones(len(x), dtype=np.bool_)
    moved[1:] = (np.diff(x) != 0) | (np.diff(y) != 0) | (np.diff(mark) != 0)
    offset = offsets_of(np.bincount(mark[moved], minlength=len(row)))
    return Drawings(volunteer, turn, old, chance, row, frame[order], tool[order], x[moved], y[moved], offset)


def _on_screen(pixels: Floats, scale: Floats, most: int) -> Ints:
    """Round positions to screen pixels; return them in hundredths of an image pixel."""
    hundredths = np.rint(np.rint(pixels / scale) * scale * 100)
    return np.clip(hundredths, 0, 100 * most).astype(np.int64)


def _hand_shape(bits: np.random.PCG64, targets: _Targets) -> Floats:
    """Return the shapes of cells as hands draw them, shape (n_marks, 2, HARMONICS)."""
    wobble = bell_shaped(bits, len(targets.row), 2, HARMONICS)
    drawn: Floats = targets.shape + wobble * _WOBBLE * targets.care[:, None, None]
    drawn[:, 0, 0] += targets.bias
    return drawn


def _freehand(bits: np.random.PCG64, options: SynthOptions, targets: _Targets, number: int) -> _Marks:
    """Draw cells freehand: many vertices, a trembling hand, ends that do not meet, small loops, jitter."""
    n = len(targets.row)
    shape = _hand_shape(bits, targets)
    pace = options.vertices * targets.pace * (0.9 + 0.2 * uniform(bits, n))
    n_vertices = np.maximum(pace.astype(np.int64), 8)
    tremor = _tremor(options.seed, options.vertices)

    start = integers(bits, TURN, n)
    direction = np.where(uniform(bits, n) < 0.6, 1, -1)
    # A third of the marks stop short, a few run past their start, the others end where they started.
    habit, amount = uniform(bits, n), uniform(bits, n)
    extent = np.where(habit < 0.35, 1 - 0.07 * amount, np.where(habit < 0.47, 1 + 0.03 * amount, 1.0))
    # The hand ends slightly further out or in than it started.
    drift = 0.02 * bell_shaped(bits, n)

    j = np.arange(int(n_vertices.max(initial=1)))
    part = j / (n_vertices[:, None] - 1)
    used = j < n_vertices[:, None]
    angle = start[:, None] + ((direction * extent * TURN)[:, None] * part).astype(np.int64)
    cos, sin = cosine(angle), sine(angle)
    reach = radius_at(shape, cos, sin) + drift[:, None] * (part - 0.5)
    reach *= targets.radius[:, None]
    offset = integers(bits, len(tremor), 2, n)
    x = targets.centre[:, 0, None] + reach * cos + tremor[(offset[0, :, None] + j) & (len(tremor) - 1)]
    y = targets.centre[:, 1, None] + reach * sin + tremor[(offset[1, :, None] + j) & (len(tremor) - 1)]

    chance = uniform(bits, n, 4)
    for i in np.flatnonzero(chance[:, 0] < _LOOPS).tolist():
        _add_loop(x[i], y[i], chance[i, 1:], float(targets.radius[i]), int(n_vertices[i]))
    if options.jitter > 0:  # a separate stream: everything else is as without jitter
        noise = bell_shaped(stream(options.seed, JITTER, number), 2, *x.shape)
        x, y = np.stack([x, y]) + options.jitter * targets.radius[:, None] * noise
    slips = uniform(bits, n) < options.slips
    used &= (np.arange(used.shape[1]) < 2) | ~slips[:, None]
    return _Marks(targets.row, targets.frame, FREEHAND, used.sum(axis=1), x[used], y[used])


def _add_loop(x: Floats, y: Floats, chance: Floats, radius: float, n_vertices: int) -> None:
    """Add a small loop to a mark, in place."""
    length = max(6, n_vertices // 16)
    first = int(chance[0] * max(1, n_vertices - length))
    turn = (np.arange(length) * TURN) // length
    tilt = int(chance[1] * TURN)
    size = radius * (0.05 + 0.07 * chance[2])
    x[first : first + length] += size * (cosine(turn + tilt) - cosine(np.asarray(tilt)))
    y[first : first + length] += size * (sine(turn + tilt) - sine(np.asarray(tilt)))


@cache
def _tremor(seed: int, vertices: int) -> Floats:
    """Return the tremor of a hand in pixels, step by step: smooth, about half a pixel; marks use pieces."""
    # The span grows with the number of vertices: a finer trace is not a shakier hand.
    n, span = 1 << 16, max(7, vertices // 36)
    steps = bell_shaped(stream(seed, TREMOR), n)
    total: Floats = np.zeros(n)
    for shift in range(span):
        total += np.roll(steps, shift)
    total *= 0.45 / span**0.5
    return total


def _scribbles(bits: np.random.PCG64, options: SynthOptions, scene: Scene, rows: Ints) -> _Marks:
    """Draw one or two scribbles in each row; they cross themselves many times."""
    row = np.repeat(rows, 1 + integers(bits, 2, len(rows)))
    n = len(row)
    n_vertices = np.maximum((options.vertices * (0.8 + 0.4 * uniform(bits, n))).astype(np.int64), 8)
    chance = uniform(bits, n, 6)
    speed = 2 + integers(bits, 7, n, 4)
    phase = integers(bits, TURN, n, 4)
    j = np.arange(int(n_vertices.max(initial=1)))
    angle = (j * TURN) // (n_vertices[:, None] - 1)
    size = min(scene.width, scene.height) * (0.05 + 0.08 * chance[:, 0])
    x, y = (
        side * (0.2 + 0.6 * chance[:, 1 + axis, None])
        + size[:, None] * cosine(speed[:, axis, None] * angle + phase[:, axis, None])
        + (size * chance[:, 3 + axis])[:, None]
        * cosine(speed[:, 2 + axis, None] * angle + phase[:, 2 + axis, None])
        for axis, side in enumerate((scene.width, scene.height))
    )
    used = j < n_vertices[:, None]
    return _Marks(row, integers(bits, scene.n_frames, n), FREEHAND, used.sum(axis=1), x[used], y[used])


def _clicked(bits: np.random.PCG64, targets: _Targets) -> _Marks:
    """Click the corners of crystals, from any corner, in either direction, sometimes missing one."""
    n_marks = len(targets.row)
    chance = uniform(bits, n_marks, 3).tolist()
    error = 2.2 * targets.care[:, None, None] * bell_shaped(bits, n_marks, MOST_CORNERS, 2)
    size = 1 + 0.02 * bell_shaped(bits, n_marks)
    marks = []
    for i, corners in enumerate(targets.corners):
        n = len(corners)
        begin, direction, miss = chance[i]
        order = (int(begin * n) + (1 if direction < 0.7 else -1) * np.arange(n)) % n
        points = targets.centre[i] + corners * size[i] + error[i, :n]
        marks.append(points[order[: n - 1] if n > 5 and miss < 0.08 else order])
    return _from_points(targets, POLYGON, marks)


def _bezier(bits: np.random.PCG64, targets: _Targets) -> _Marks:
    """Draw cells as closed chains of quadratic Bezier curves.

    Neighbouring curves share an end point. Most marks have an even number of control points, so that the
    first point closes the chain; the others end with a point near the first.
    """
    n = len(targets.row)
    shape = _hand_shape(bits, targets)
    n_points = 2 * _BEZIER_CURVES
    angle = integers(bits, TURN, n)[:, None] + np.arange(n_points) * TURN // n_points
    cos, sin = cosine(angle), sine(angle)
    reach = targets.radius[:, None] * radius_at(shape, cos, sin)
    points = targets.centre[:, None, :] + np.stack([reach * cos, reach * sin], axis=2)
    ends = points[:, 0::2]
    # The control point with which the curve passes through the outline half way between its ends.
    points[:, 1::2] = 2 * points[:, 1::2] - (ends + np.roll(ends, -1, axis=1)) / 2
    open_ended = uniform(bits, n) < 0.25
    last = ends[:, 0] + 1.5 * bell_shaped(bits, n, 2)
    marks = [np.vstack([points[i], last[i]]) if open_ended[i] else points[i] for i in range(n)]
    return _from_points(targets, BEZIER, marks)


def _from_points(targets: _Targets, tool: int, points: list[Floats]) -> _Marks:
    flat = np.concatenate([np.empty((0, 2)), *points])
    count = np.array([len(p) for p in points], dtype=np.int64)
    return _Marks(targets.row, targets.frame, tool, count, flat[:, 0], flat[:, 1])
