"""Export averaged polygons or one contour level as label images: each pixel has the number of its shape."""

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from polyframe.core.atomic_files import write_bytes
from polyframe.core.callbacks import Say
from polyframe.core.errors import PolyframeError
from polyframe.core.png import png
from polyframe.export.cluster_shapes import Shape
from polyframe.export.export_inputs import image_export
from polyframe.export.export_options import ExportOptions
from polyframe.export.exported_file import Exported
from polyframe.export.exported_images import ImageShapes
from polyframe.export.image_bounds import clip_to_image, why_omitted
from polyframe.export.image_names import file_of
from polyframe.export.omissions import COVERED, NO_PIXEL, Omissions
from polyframe.export.polygon_fill import fill

#: Describes the pixel values, one JSON object a line.
KEY_FILE: Final = "labels.jsonl"
_ENDING: Final = ".png"
_MOST_PIXELS: Final = 1 << 28
_LABEL_KEYS: Final = ("subject_id", "frame", "tool", "cluster_label", "clusters_count", "consensus", "level")


def write(output: Path, path: Path, options: ExportOptions, say: Say) -> list[Exported]:
    """Write a PNG for each image that volunteers looked at, and a file that describes the pixel values.

    Parameters
    ----------
    output : Path
        The output directory.
    path : Path
        The folder for the pictures, which have the names of their images with the ending `.png`; created if
        needed.
    options : ExportOptions
        Those for `masks`.
    say : callable
        Receives notes about guessed image sizes and what is omitted.
    """
    if path.is_file():
        raise PolyframeError(f"{path}: is a file; name a folder for the pictures")
    n_images = n_labels = 0
    with image_export(output, path / KEY_FILE, options, say, ending=_ENDING) as export:
        for image, size in export.images():
            name = str(file_of(export.name_of(image), _ENDING))
            picture, pixels = _picture(image, size, path / name, export.omissions)
            write_bytes(path / name, png(picture), durable=False)
            n_images += 1
            for number, shape in enumerate(image.shapes):
                keys = {key: shape.properties[key] for key in _LABEL_KEYS if key in shape.properties}
                label = {
                    "file": name,
                    "value": number + 1,
                    "pixels": pixels[number],
                    "label": export.categories.of(shape.properties).name,
                }
                export.file.write(f"{json.dumps(label | keys)}\n")
                n_labels += 1
    return [Exported(path, n_images, "pictures"), Exported(path / KEY_FILE, n_labels, "labels")]


def _picture(
    image: ImageShapes, size: tuple[int, int], path: Path, omissions: Omissions
) -> tuple[NDArray[Any], list[int]]:
    """Return an image of labels from 1 on a background of 0, and the number of pixels of each label."""
    width, height = size
    if width * height > _MOST_PIXELS:
        raise PolyframeError(f"{path}: {width} x {height} pixels are too many; give --image-size")
    n = len(image.shapes)
    if n > np.iinfo(np.uint16).max:
        raise PolyframeError(f"{path}: {n} shapes are too many for labels of 16 bits")
    picture = np.zeros((height, width), np.uint8 if n <= np.iinfo(np.uint8).max else np.uint16)
    painted = [0] * n
    # The largest first, so that it does not hide smaller ones.
    for number in sorted(range(n), key=lambda number: (-image.shapes[number].properties["area"], number)):
        painted[number] = fill(picture, image.shapes[number].points, number + 1)
    pixels: list[int] = np.bincount(picture.ravel(), minlength=n + 1)[1:].tolist()
    for shape, n_painted, n_visible in zip(image.shapes, painted, pixels, strict=True):
        if not n_visible:
            omissions.add(COVERED if n_painted else _why_no_pixel(shape, size), shape.properties)
    return picture, pixels


def _why_no_pixel(shape: Shape, size: tuple[int, int]) -> str:
    return NO_PIXEL if clip_to_image(shape.points, size) else why_omitted(shape.points)
