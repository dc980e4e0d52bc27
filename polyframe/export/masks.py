"""Averaged polygons or one level of the contours as pictures of labels: what each pixel belongs to."""

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from polyframe.core.atomic_files import placed_whole, written_whole
from polyframe.core.callbacks import Say
from polyframe.core.errors import PolyframeError
from polyframe.core.png import png
from polyframe.export.cluster_shapes import Drawn, Shape, images
from polyframe.export.export_options import ExportOptions
from polyframe.export.exported_file import Exported
from polyframe.export.image_bounds import image_sizes, why_left_out, within_image
from polyframe.export.omissions import COVERED, NO_PIXEL, LeftOut
from polyframe.export.polygon_fill import fill
from polyframe.store.opened import opened

#: Tells what the values in the pictures stand for, a line for each.
KEY_FILE: Final = "labels.jsonl"
_MOST_PIXELS: Final = 1 << 28
_TOLD: Final = ("subject_id", "frame", "tool", "cluster_label", "clusters_count", "consensus", "level")


def write(output: Path, path: Path, options: ExportOptions, say: Say) -> list[Exported]:
    """Write a PNG for each image on which anything was drawn, and what its values mean.

    Parameters
    ----------
    output : Path
        What a run wrote.
    path : Path
        The folder for the pictures `<subject_id>-<frame>.png`; made where it does not exist.
    options : ExportOptions
        `level`, `classifications` and `image_size`.
    say : callable
        Told where the size of an image is a guess, and which shapes no pixel shows.
    """
    if path.is_file():
        raise PolyframeError(f"{path}: is a file; name a folder for the pictures")
    sizes = image_sizes(options)
    n_images = n_labels = 0
    left_out = LeftOut()
    with written_whole(path / KEY_FILE) as file, opened(output) as found:
        for image in images(found, options, left_out):
            name = f"{image.subject_id}-{image.frame}.png"
            picture, pixels = _picture(image, sizes.of(image), path / name, left_out)
            with placed_whole(path / name, durably=False) as temporary:
                temporary.write_bytes(png(picture))
            n_images += 1
            for number, shape in enumerate(image.shapes):
                told = {key: shape.told[key] for key in _TOLD if key in shape.told}
                counted = {"file": name, "value": number + 1, "pixels": pixels[number]}
                file.write(f"{json.dumps(counted | told)}\n")
                n_labels += 1
    sizes.tell(say)
    left_out.tell(say)
    return [Exported(path, n_images, "pictures"), Exported(path / KEY_FILE, n_labels, "labels")]


def _picture(
    image: Drawn, size: tuple[int, int], path: Path, left_out: LeftOut
) -> tuple[NDArray[Any], list[int]]:
    """Return a picture of labels from 1, 0 where nothing is; and how many pixels each label has."""
    width, height = size
    if width * height > _MOST_PIXELS:
        raise PolyframeError(f"{path}: {width} x {height} pixels are too many; give --image-size")
    n = len(image.shapes)
    if n > np.iinfo(np.uint16).max:
        raise PolyframeError(f"{path}: {n} shapes are more than 16 bits can tell apart")
    picture = np.zeros((height, width), np.uint8 if n <= np.iinfo(np.uint8).max else np.uint16)
    painted = [0] * n
    # The largest first, so that none hides behind another that is larger.
    for number in sorted(range(n), key=lambda number: (-image.shapes[number].told["area"], number)):
        painted[number] = fill(picture, image.shapes[number].points, number + 1)
    pixels: list[int] = np.bincount(picture.ravel(), minlength=n + 1)[1:].tolist()
    for shape, number, seen in zip(image.shapes, painted, pixels, strict=True):
        if not seen:
            left_out.add(COVERED if number else _why_no_pixel(shape, size), shape.told)
    return picture, pixels


def _why_no_pixel(shape: Shape, size: tuple[int, int]) -> str:
    return NO_PIXEL if within_image(shape.points, size) else why_left_out(shape.points)
