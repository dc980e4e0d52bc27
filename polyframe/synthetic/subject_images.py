"""Draw the images of synthetic subjects as PNG."""

import os
from typing import Final

import numpy as np
from numpy.typing import NDArray

from polyframe.core.arrays import Floats
from polyframe.core.errors import UsageError
from polyframe.core.png import png
from polyframe.synthetic.csv_rows import image_name
from polyframe.synthetic.ground_truth import CELL, Scene, make_scene, radius_at
from polyframe.synthetic.random_numbers import IMAGE, TURN, cosine, sine, stream, uniform
from polyframe.synthetic.synth_options import SynthOptions
from polyframe.synthetic.synthetic_export import make_directory, replacing

Image = NDArray[np.uint8]

#: The glow around objects fades within fewer pixels.
_GLOW: Final = 10.0
_DEEP: Final = np.array([14.0, 26.0, 44.0])
_LIGHT: Final = np.array([40.0, 74.0, 96.0])
_CELLS: Final = np.array([[96.0, 190.0, 140.0], [80.0, 170.0, 190.0], [150.0, 196.0, 110.0]])
_CRYSTALS: Final = np.array([[236.0, 176.0, 90.0], [226.0, 136.0, 120.0], [205.0, 160.0, 226.0]])


def subject_image(options: SynthOptions, subject_id: int, frame: int = 0) -> Image:
    """Return the image of one frame of a subject.

    Parameters
    ----------
    options : SynthOptions
        The options of the export.
    subject_id : int
        ID of a subject in the export.
    frame : int
        Counted from 0.

    Returns
    -------
    uint8 array, shape (height, width, 3)
        Red, green, blue; cells are rounded and have a nucleus, crystals have facets.

    Raises
    ------
    UsageError
        If the subject does not have the frame.
    """
    number = subject_id - options.first_subject
    scene = make_scene(options, max(number, 0))
    if not 0 <= number < options.subjects or not 0 <= frame < scene.n_frames:
        raise UsageError(f"the export contains no frame {frame} of subject {subject_id}")
    bits = stream(options.seed, IMAGE, 2 * number + frame)
    x, y = np.meshgrid(np.arange(scene.width) + 0.5, np.arange(scene.height) + 0.5)
    picture = _background(bits, x, y)
    for i in np.flatnonzero(scene.frame == frame).tolist():
        chance = uniform(bits, 4).tolist()
        is_cell = scene.kind[i] == CELL
        # Only the part that the object can change, which is a few percent of the image.
        part = _square(scene.centre[i], _reach_of_cell(scene, i) if is_cell else _reach_of_crystal(scene, i))
        dx, dy = x[part] - scene.centre[i, 0], y[part] - scene.centre[i, 1]
        (_draw_cell if is_cell else _draw_crystal)(picture[part], scene, i, dx, dy, chance)
    # Few distinct colours make small files.
    return (np.rint(np.clip(picture, 0, 255) / 4) * 4).clip(0, 255).astype(np.uint8)


def _background(bits: np.random.PCG64, x: Floats, y: Floats) -> Floats:
    height, width = x.shape
    chance = uniform(bits, 60, 4)
    along = (x / width - 0.3 - 0.4 * chance[0, 0]) ** 2 + (y / height - 0.3 - 0.4 * chance[0, 1]) ** 2
    light = 1 / (1 + 4 * along)
    picture: Floats = _DEEP + light[:, :, None] * (_LIGHT - _DEEP)
    for u, v, size, strength in chance[1:].tolist():
        # Dust: too small, soft and faint to be mistaken for an object.
        radius = 1 + 2.5 * size
        left, top = int(u * (width - 12)), int(v * (height - 12))
        part = (slice(top, top + 12), slice(left, left + 12))
        apart = (x[part] - left - 6) ** 2 + (y[part] - top - 6) ** 2
        picture[part] += (24 * strength * np.clip(radius + 0.5 - apart**0.5, 0, 1))[:, :, None]
    return picture


def _blend(picture: Floats, cover: Floats, colour: Floats) -> None:
    picture += cover[:, :, None] * (colour - picture)


def _square(centre: Floats, reach: float) -> tuple[slice, slice]:
    """Return the rows and columns of the pixels around a centre."""
    (left, top), (right, bottom) = np.floor(centre - reach).clip(0), np.ceil(centre + reach).clip(0)
    return slice(int(top), int(bottom)), slice(int(left), int(right))


def _reach_of_cell(scene: Scene, i: int) -> float:
    """Return the largest distance from the centre of a cell at which it changes the image."""
    angles = np.arange(TURN)
    return float((scene.radius[i] * radius_at(scene.shape[i], cosine(angles), sine(angles))).max()) + _GLOW


def _reach_of_crystal(scene: Scene, i: int) -> float:
    """Return the same for a crystal, whose facets are extended beyond their edges by the glow."""
    corners = scene.corners[i]
    edges = np.roll(corners, -1, axis=0) - corners
    heights = (corners[:, 0] * edges[:, 1] - corners[:, 1] * edges[:, 0]) / np.hypot(*edges.T)
    return float(np.hypot(*corners.T).max() * (1 + _GLOW / heights.min()))


def _draw_cell(picture: Floats, scene: Scene, i: int, dx: Floats, dy: Floats, chance: list[float]) -> None:
    apart = (dx * dx + dy * dy) ** 0.5
    angle = np.rint(np.arctan2(dy, dx) * (TURN / (2 * np.pi))).astype(np.int64)
    reach = scene.radius[i] * radius_at(scene.shape[i], cosine(angle), sine(angle))
    inside = reach - apart
    colour = _CELLS[int(chance[0] * len(_CELLS))]
    depth = np.clip(inside / scene.radius[i], 0, 1)
    _blend(picture, 0.30 * np.clip(1 + inside / 9, 0, 1) ** 2, colour * 0.7)
    _blend(picture, 0.80 * np.clip(inside + 0.5, 0, 1), (0.55 + 0.25 * depth)[:, :, None] * colour)
    _blend(picture, 0.85 * np.clip(2.2 - np.abs(inside - 1.7), 0, 1), colour * 1.2)
    shift = 0.16 * scene.radius[i]
    across = ((dx - shift * (2 * chance[1] - 1)) ** 2 + (dy - shift * (2 * chance[2] - 1)) ** 2) ** 0.5
    nucleus = scene.radius[i] * (0.22 + 0.1 * chance[3]) - across
    _blend(picture, 0.75 * np.clip(nucleus / 4, 0, 1), colour * 0.4)
    _blend(picture, 0.5 * np.clip((nucleus - scene.radius[i] * 0.12) / 6, 0, 1), colour * 0.25)


def _draw_crystal(picture: Floats, scene: Scene, i: int, dx: Floats, dy: Floats, chance: list[float]) -> None:
    colour = _CRYSTALS[int(chance[0] * len(_CRYSTALS))]
    corners = scene.corners[i]
    for j, (ax, ay) in enumerate(corners.tolist()):
        bx, by = corners[(j + 1) % len(corners)].tolist()
        side = ((bx - ax) ** 2 + (by - ay) ** 2) ** 0.5
        # A facet lies between two rays from the centre, on the inner side of the edge.
        facet = (ax * dy - ay * dx >= 0) & (dx * by - dy * bx > 0)
        inside = ((bx - ax) * (dy - ay) - (by - ay) * (dx - ax)) / side
        shade = 0.55 + 0.4 * (0.5 + 0.5 * (ax + bx - ay - by) / (2.83 * scene.radius[i]))
        _blend(picture, facet * 0.25 * np.clip(1 + inside / 7, 0, 1) ** 2, colour * 0.6)
        _blend(picture, facet * 0.92 * np.clip(inside + 0.5, 0, 1), colour * shade)
        _blend(picture, facet * 0.7 * np.clip(1.6 - np.abs(inside - 1.2), 0, 1), colour * 1.15)


def write_images(directory: str | os.PathLike[str], options: SynthOptions) -> int:
    """Write the images of all subjects as PNG files, with the names in the export; return their number.

    Parameters
    ----------
    directory : path
        Created if it does not exist.
    options : SynthOptions
        The options of the export.

    Raises
    ------
    PolyframeError
        If a file cannot be written.
    """
    directory = make_directory(directory)
    count = 0
    for subject_id in range(options.first_subject, options.first_subject + options.subjects):
        for frame in range(make_scene(options, subject_id - options.first_subject).n_frames):
            with replacing(directory / image_name(subject_id, frame), durable=False) as file:
                file.write(png(subject_image(options, subject_id, frame)))
            count += 1
    return count
