"""Export averaged polygons or one contour level as masks: pixels have the number of their shape or class."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from polyframe.core.atomic_files import write_bytes
from polyframe.core.callbacks import Say
from polyframe.core.errors import PolyframeError
from polyframe.core.png import png
from polyframe.export.cluster_shapes import Shape
from polyframe.export.export_inputs import ImageExport, image_export
from polyframe.export.export_options import ExportOptions
from polyframe.export.exported_file import Exported
from polyframe.export.exported_images import ImageShapes
from polyframe.export.image_bounds import clip_to_image, why_omitted
from polyframe.export.image_names import file_of
from polyframe.export.omissions import COVERED, NO_PIXEL, Omissions
from polyframe.export.polygon_fill import fill
from polyframe.store.reading import OutputTables

#: Describe the pixel values, one JSON object a line: the shapes of each picture, or the classes of all.
SHAPES_FILE: Final = "labels.jsonl"
CLASSES_FILE: Final = "classes.jsonl"
BACKGROUND: Final = "background"
_ENDING: Final = ".png"
_MOST_PIXELS: Final = 1 << 28
_LABEL_KEYS: Final = ("subject_id", "frame", "tool", "cluster_label", "clusters_count", "consensus", "level")


def write(tables: OutputTables, path: Path, options: ExportOptions, say: Say) -> list[Exported]:
    """Write a PNG for each image that volunteers looked at, and a file that describes the pixel values.

    Parameters
    ----------
    tables : OutputTables
        Of the output directory.
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
    by_class = options.masks == "class"
    description = path / (CLASSES_FILE if by_class else SHAPES_FILE)
    # An earlier export of the other kind would describe other values.
    (path / (SHAPES_FILE if by_class else CLASSES_FILE)).unlink(missing_ok=True)
    n_images = n_labels = 0
    with image_export(tables, description, options, say, ending=_ENDING) as export:
        totals = _ClassTotals()
        for image, size in export.images():
            name = str(file_of(export.name_of(image), _ENDING))
            picture, pixels = _picture(image, size, path / name, export.omissions)
            if by_class:
                picture = _with_classes(picture, image, export)
                totals.add(picture)
            else:
                n_labels += _describe_shapes(name, image, pixels, export)
            write_bytes(path / name, png(picture), durable=False)
            n_images += 1
        if by_class:
            n_labels = _describe_classes(totals, export)
    return [Exported(path, n_images, "pictures"), Exported(description, n_labels, "labels")]


@dataclass
class _ClassTotals:
    """The number of pixels and of images of each class, by its value."""

    pixels: Counter[int] = field(default_factory=Counter)
    images: Counter[int] = field(default_factory=Counter)

    def add(self, picture: NDArray[Any]) -> None:
        """Add a picture."""
        pixels = np.bincount(picture.ravel())
        for value in np.flatnonzero(pixels).tolist():
            self.pixels[value] += int(pixels[value])
            self.images[value] += 1


def _with_classes(picture: NDArray[Any], image: ImageShapes, export: ImageExport) -> NDArray[Any]:
    """Return a picture with the number of the class instead of that of the shape."""
    numbers = [0, *(export.categories.of(shape.properties).number for shape in image.shapes)]
    # The same type for all pictures.
    dtype = _smallest_type(len(export.categories.by_tool))
    values: NDArray[Any] = np.array(numbers, dtype)
    classes: NDArray[Any] = values[picture]
    return classes


def _describe_shapes(name: str, image: ImageShapes, pixels: list[int], export: ImageExport) -> int:
    """Describe the pixel values of one picture; return their number."""
    for number, shape in enumerate(image.shapes):
        keys = {key: shape.properties[key] for key in _LABEL_KEYS if key in shape.properties}
        label = {
            "file": name,
            "value": number + 1,
            "pixels": pixels[number],
            "label": export.categories.of(shape.properties).name,
        }
        export.file.write(f"{json.dumps(label | keys)}\n")
    return len(image.shapes)


def _describe_classes(totals: _ClassTotals, export: ImageExport) -> int:
    """Describe the pixel values of all pictures; return their number."""
    categories = export.categories.by_tool.values()
    classes: list[dict[str, Any]] = [
        {"value": 0, "label": BACKGROUND},
        *({"value": one.number, "label": one.name, "tool": one.tool} for one in categories),
    ]
    for entry in classes:
        value = entry["value"]
        counts = {"images": totals.images[value], "pixels": totals.pixels[value]}
        export.file.write(f"{json.dumps(entry | counts)}\n")
    return len(classes)


def _smallest_type(largest: int) -> type[np.unsignedinteger[Any]]:
    """Return the type of pixels with values up to `largest`."""
    return np.uint8 if largest <= np.iinfo(np.uint8).max else np.uint16


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
    picture = np.zeros((height, width), _smallest_type(n))
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
