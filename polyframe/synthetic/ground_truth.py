"""Generate the objects in the images of a subject: rounded cells and angular crystals."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from polyframe.core.arrays import Floats, Ints
from polyframe.core.errors import UsageError
from polyframe.synthetic.random_numbers import SCENE, TURN, cosine, integers, sine, stream, uniform
from polyframe.synthetic.synth_options import SynthOptions

#: Width and height of the images, in pixels.
SIZES: Final = ((640, 480), (600, 450), (512, 512), (480, 600))

#: Number of harmonics of the angle that a cell's radius is the sum of, including the zeroth.
HARMONICS: Final = 8

#: Largest number of corners of a crystal; the smallest is 5.
MOST_CORNERS: Final = 8

CELL: Final = 0
CRYSTAL: Final = 1


@dataclass(frozen=True)
class Scene:
    """The images of a subject and the objects in them."""

    width: int  # of every frame, in pixels
    height: int
    n_frames: int
    frame: Ints  # of each object
    kind: Ints  # of each object: `CELL` or `CRYSTAL`
    centre: Floats  # of each object: x, y in pixels
    radius: Floats  # of each object: mean radius in pixels
    shape: Floats  # of each cell: 2 x HARMONICS cosine and sine coefficients, as fractions of the mean radius
    corners: tuple[Floats, ...]  # of each crystal, relative to its centre, sorted by angle; empty for cells


@dataclass(frozen=True)
class TrueOutline:
    """The true outline of an object.

    Attributes
    ----------
    frame : int
        The frame of the object.
    tool : int
        Index of the tool to draw it with: 0 freehand, 1 polygon.
    x, y : float64 arrays
        The outline in image pixels, y down, not closed.
    """

    frame: int
    tool: int
    x: Floats
    y: Floats


def true_outlines(options: SynthOptions, subject_id: int) -> tuple[TrueOutline, ...]:
    """Return the true outlines of the objects of a subject, by frame; at least one is in frame 0.

    Parameters
    ----------
    options : SynthOptions
        The options of the export.
    subject_id : int
        ID of a subject in the export.

    Raises
    ------
    UsageError
        If the export does not contain the subject.
    """
    number = subject_id - options.first_subject
    if not 0 <= number < options.subjects:
        last = options.first_subject + options.subjects - 1
        raise UsageError(
            f"subject {subject_id} is not in the export, which contains {options.first_subject} to {last}"
        )
    scene = make_scene(options, number)
    angle = np.arange(0, TURN, TURN // 512)
    outlines = []
    for i in range(len(scene.kind)):
        if scene.kind[i] == CRYSTAL:
            points = scene.centre[i] + scene.corners[i]
        else:
            reach = scene.radius[i] * radius_at(scene.shape[i], cosine(angle), sine(angle))
            points = scene.centre[i] + np.stack([reach * cosine(angle), reach * sine(angle)], axis=1)
        outlines.append(TrueOutline(int(scene.frame[i]), int(scene.kind[i]), points[:, 0], points[:, 1]))
    return tuple(outlines)


def radius_at(shape: Floats, cos: Floats, sin: Floats) -> Floats:
    """Return the radius of cells in some directions, as a fraction of their mean radius.

    Parameters
    ----------
    shape : float64 array, shape (..., 2, HARMONICS)
        Cosine and sine coefficients.
    cos, sin : float64 arrays, shape (..., n)
        The directions.
    """
    # cos(k a) and sin(k a) by the Chebyshev recurrence: plain arithmetic, the same on every machine.
    total = shape[..., 0, 0, None] + shape[..., 0, 1, None] * cos + shape[..., 1, 1, None] * sin
    twice = 2 * cos
    cos_before: Floats | float = 1.0
    sin_before: Floats | float = 0.0
    cos_k, sin_k = cos, sin
    for k in range(2, HARMONICS):
        cos_k, cos_before = twice * cos_k - cos_before, cos_k
        sin_k, sin_before = twice * sin_k - sin_before, sin_k
        total += shape[..., 0, k, None] * cos_k
        total += shape[..., 1, k, None] * sin_k
    return total


def make_scene(options: SynthOptions, number: int) -> Scene:
    """Return the objects of subject `number`, counted from 0; independent of the number of subjects."""
    bits = stream(options.seed, SCENE, number)
    first = uniform(bits, 4)
    width, height = SIZES[int(first[0] * len(SIZES))]
    n_frames = 2 if options.frames == 2 and number % 3 == 2 else 1
    close_pair = bool(first[1] < options.close_pairs) and options.objects > 1
    counts = [1 + int(first[2] * options.objects), int(first[3] * (options.objects + 1))][:n_frames]
    counts[0] = max(counts[0], 2 if close_pair else 1)
    frame = np.repeat(np.arange(n_frames), counts)

    n = len(frame)
    kind = (uniform(bits, n) < options.polygon_share).astype(np.int64)
    if close_pair:
        kind[1] = kind[0]
    # The more objects, the smaller they are, or there is no room for them.
    room = min(width, height) * min(1.0, (4 / options.objects) ** 0.5)
    radius = room * np.where(kind == CELL, 0.115, 0.09) * (1 + 0.6 * uniform(bits, n))
    shape = np.zeros((n, 2, HARMONICS))
    shape[:, 0, 0] = 1
    for k, largest in ((2, 0.17), (3, 0.08), (4, 0.045), (5, 0.025)):
        shape[:, :, k] = largest * (2 * uniform(bits, n, 2) - 1)
    corners = tuple(_corners(bits, radius[i]) if kind[i] == CRYSTAL else np.empty((0, 2)) for i in range(n))
    reach = radius * np.where(kind == CELL, 1.0 + np.abs(shape[:, :, 1:]).sum(axis=(1, 2)) * 0.75, 1.0)

    keep, centre = _place(bits, width, height, frame, reach, close_pair)
    return Scene(
        width,
        height,
        n_frames,
        frame[keep],
        kind[keep],
        centre[keep],
        radius[keep],
        shape[keep],
        tuple(corners[i] for i in keep),
    )


def _corners(bits: np.random.PCG64, radius: float) -> Floats:
    n = 5 + int(integers(bits, MOST_CORNERS - 4, 1)[0])
    angle = (np.arange(n) * TURN + uniform(bits, n) * (0.45 * TURN)).astype(np.int64) // n
    angle += integers(bits, TURN, 1)
    reach = radius * (0.8 + 0.2 * uniform(bits, n))
    return np.stack([reach * cosine(angle), reach * sine(angle)], axis=1)


def _place(
    bits: np.random.PCG64, width: int, height: int, frame: Ints, reach: Floats, close_pair: bool
) -> tuple[list[int], Floats]:
    """Place objects one after the other; those for which there is no room are dropped."""
    tries = 40
    chance = uniform(bits, len(frame), tries, 2)
    centre = np.zeros((len(frame), 2))
    keep: list[int] = []
    for i in range(len(frame)):
        low = reach[i] + 6
        others = [j for j in keep if frame[j] == frame[i]]
        for t in range(tries):
            x, y = low + chance[i, t, 0] * (width - 2 * low), low + chance[i, t, 1] * (height - 2 * low)
            if close_pair and i == 1:
                # Beside the first object, slightly closer than the sum of their reaches: almost touching.
                angle = np.asarray(int(chance[i, t, 0] * TURN))
                apart = 0.88 * (reach[0] + reach[1])
                x, y = centre[0, 0] + apart * float(cosine(angle)), centre[0, 1] + apart * float(sine(angle))
                fits = low <= x <= width - low and low <= y <= height - low
            else:
                gaps = ((x - centre[j, 0]) ** 2 + (y - centre[j, 1]) ** 2 for j in others)
                fits = all(gap > (low + reach[j]) ** 2 for gap, j in zip(gaps, others, strict=True))
            if fits:
                centre[i] = x, y
                keep.append(i)
                break
    return keep, centre
