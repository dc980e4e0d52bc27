"""The marks that the volunteers of one subject draw, as numbers."""

from dataclasses import dataclass

import numpy as np

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import offsets_of
from polyframe.synthetic import outlines
from polyframe.synthetic.ground_truth import CELL, CRYSTAL, Scene
from polyframe.synthetic.random_numbers import DRAWING, stream, uniform, whole
from polyframe.synthetic.synth_options import SynthOptions
from polyframe.synthetic.volunteer_pool import Volunteers

FREEHAND = 0
POLYGON = 1
BEZIER = 2


@dataclass(frozen=True)
class Drawings:
    """The classifications of one subject and their marks.

    Attributes
    ----------
    volunteer : int64 array, shape (n_rows,)
        Who, as an index into `Volunteers`. The rows are in the order of time.
    turn : int64 array, shape (n_rows,)
        When, counted in rounds in which every subject is classified at most once; increasing.
    old : bool array, shape (n_rows,)
        From the older workflow version.
    chance : float64 array, shape (n_rows, 6)
        Numbers in [0, 1) for what else there is in a row.
    row, frame, tool : int64 arrays, shape (n_marks,)
        Row of each mark (increasing), its frame, and `FREEHAND`, `POLYGON` or `BEZIER`.
    x, y : int64 arrays
        Vertices of all marks, in hundredths of an image pixel.
    offset : int64 array, shape (n_marks + 1,)
        Mark i has the vertices from `offset[i]` up to `offset[i + 1]`.
    """

    volunteer: Ints
    turn: Ints
    old: Flags
    chance: Floats
    row: Ints
    frame: Ints
    tool: Ints
    x: Ints
    y: Ints
    offset: Ints


@dataclass(frozen=True)
class _Marks:
    """Some marks: their rows, frames and tools, how many vertices each has, and those vertices in pixels."""

    row: Ints
    frame: Ints
    tool: Ints
    count: Ints
    x: Floats
    y: Floats


def draw_subject(options: SynthOptions, scene: Scene, volunteers: Volunteers, number: int) -> Drawings:
    """Let volunteers classify subject `number`, counted from 0, whatever the number of subjects."""
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
    uses_bezier = old & (chance[:, 1] < options.bezier_share)
    is_cell = scene.kind == CELL

    parts = [
        _freehand(bits, options, scene, volunteers, volunteer, seen & is_cell & ~uses_bezier[:, None]),
        _bezier(bits, scene, volunteers, volunteer, seen & is_cell & uses_bezier[:, None]),
        _clicked(bits, scene, volunteers, volunteer, seen & (scene.kind == CRYSTAL)),
        _scribbles(bits, options, scene, np.flatnonzero(scribbles & draws)),
    ]
    return _in_rows(bits, parts, volunteer, turn, old, chance, scene, volunteers)


def _freehand(
    bits: np.random.PCG64,
    options: SynthOptions,
    scene: Scene,
    volunteers: Volunteers,
    volunteer: Ints,
    wanted: Flags,
) -> _Marks:
    row, thing = np.nonzero(wanted)
    person = volunteer[row]
    shape = outlines.hand_shape(bits, scene.shape[thing], volunteers.care[person], volunteers.bias[person])
    pace = options.vertices * volunteers.pace[person] * (0.9 + 0.2 * uniform(bits, len(row)))
    x, y, used = outlines.freehand(
        bits,
        scene.centre[thing],
        scene.radius[thing],
        shape,
        np.maximum(pace.astype(np.int64), 8),
        outlines.tremor_tape(options.seed, options.vertices),
    )
    used &= (np.arange(used.shape[1]) < 2) | (uniform(bits, len(row)) >= options.slips)[:, None]
    return _Marks(row, scene.frame[thing], np.full(len(row), FREEHAND), used.sum(axis=1), x[used], y[used])


def _scribbles(bits: np.random.PCG64, options: SynthOptions, scene: Scene, rows: Ints) -> _Marks:
    row = np.repeat(rows, 1 + whole(bits, 2, len(rows)))
    n_vertices = (options.vertices * (0.8 + 0.4 * uniform(bits, len(row)))).astype(np.int64)
    x, y, used = outlines.scribble(bits, scene.width, scene.height, np.maximum(n_vertices, 8))
    frame = whole(bits, scene.n_frames, len(row))
    return _Marks(row, frame, np.full(len(row), FREEHAND), used.sum(axis=1), x[used], y[used])


def _bezier(
    bits: np.random.PCG64,
    scene: Scene,
    volunteers: Volunteers,
    volunteer: Ints,
    wanted: Flags,
) -> _Marks:
    row, thing = np.nonzero(wanted)
    person = volunteer[row]
    shape = outlines.hand_shape(bits, scene.shape[thing], volunteers.care[person], volunteers.bias[person])
    points = outlines.bezier(bits, scene.centre[thing], scene.radius[thing], shape)
    return _from_points(points, row, scene.frame[thing], BEZIER)


def _clicked(
    bits: np.random.PCG64,
    scene: Scene,
    volunteers: Volunteers,
    volunteer: Ints,
    wanted: Flags,
) -> _Marks:
    row, thing = np.nonzero(wanted)
    corners = [scene.corners[i] for i in thing.tolist()]
    points = outlines.clicked(bits, scene.centre[thing], corners, volunteers.care[volunteer[row]])
    return _from_points(points, row, scene.frame[thing], POLYGON)


def _from_points(points: list[Floats], row: Ints, frame: Ints, tool: int) -> _Marks:
    flat = np.concatenate([np.empty((0, 2)), *points])
    count = np.array([len(p) for p in points], dtype=np.int64)
    return _Marks(row, frame, np.full(len(row), tool), count, flat[:, 0], flat[:, 1])


def _in_rows(
    bits: np.random.PCG64,
    parts: list[_Marks],
    volunteer: Ints,
    turn: Ints,
    old: Flags,
    chance: Floats,
    scene: Scene,
    volunteers: Volunteers,
) -> Drawings:
    """Put marks in the order of their rows, in any order within, on the screen pixels of who drew them."""
    row = np.concatenate([p.row for p in parts])
    count = np.concatenate([p.count for p in parts])
    order = np.lexsort((uniform(bits, len(row)), row))
    begin = (np.cumsum(count) - count)[order]
    new_begin = np.cumsum(count[order]) - count[order]
    vertex = np.arange(int(count.sum())) + np.repeat(begin - new_begin, count[order])

    row, count = row[order], count[order]
    scale = np.repeat((scene.width / volunteers.screen_width[volunteer])[row], count)
    x = _on_screen(np.concatenate([p.x for p in parts])[vertex], scale, scene.width)
    y = _on_screen(np.concatenate([p.y for p in parts])[vertex], scale, scene.height)
    # A hand that rests on a screen pixel adds no vertex.
    mark = np.repeat(np.arange(len(row)), count)
    moved = np.ones(len(x), dtype=np.bool_)
    moved[1:] = (np.diff(x) != 0) | (np.diff(y) != 0) | (np.diff(mark) != 0)
    offset = offsets_of(np.bincount(mark[moved], minlength=len(row)))
    return Drawings(
        volunteer=volunteer,
        turn=turn,
        old=old,
        chance=chance,
        row=row,
        frame=np.concatenate([p.frame for p in parts])[order],
        tool=np.concatenate([p.tool for p in parts])[order],
        x=x[moved],
        y=y[moved],
        offset=offset,
    )


def _on_screen(pixels: Floats, scale: Floats, most: int) -> Ints:
    """Move positions to whole screen pixels; return them in hundredths of an image pixel."""
    hundredths = np.rint(np.rint(pixels / scale) * scale * 100)
    return np.clip(hundredths, 0, 100 * most).astype(np.int64)
