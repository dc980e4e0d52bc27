"""Averaged polygons or one level of the contours as instance segmentation in the JSON of COCO."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import shapely

from polyframe import __version__
from polyframe.core.atomic_files import written_whole
from polyframe.core.callbacks import Say
from polyframe.export.cluster_shapes import Shape, images, table_of
from polyframe.export.export_options import ExportOptions
from polyframe.export.exported_file import Exported
from polyframe.export.image_bounds import image_name, image_sizes, why_left_out, within_image
from polyframe.export.omissions import LeftOut
from polyframe.store.opened import Opened, opened

#: What is told of an instance beside what COCO has.
_TOLD = ("subject_id", "frame", "tool", "cluster_label", "clusters_count", "consensus", "level")


def write(output: Path, path: Path, options: ExportOptions, say: Say) -> list[Exported]:
    """Write one file: every image on which anything was drawn, a category for each tool.

    Parameters
    ----------
    output : Path
        What a run wrote.
    path : Path
        The file to write.
    options : ExportOptions
        `level`, `classifications`, `image_size` and `image_name`.
    say : callable
        Told where the size of an image is a guess, and which shapes are left out.
    """
    sizes = image_sizes(options)
    n_annotations = 0
    left_out = LeftOut()
    with written_whole(path) as file, opened(output) as found:
        categories = _categories(found, options)
        head = {"description": f"polyframe {__version__}", "version": __version__}
        file.write(f'{{"info": {json.dumps(head)}, "licenses": [],\n"categories": ')
        file.write(json.dumps(list(categories.values())))
        # Twice through the parts, since the images stand before the annotations.
        file.write(',\n"images": [')
        for number, image in enumerate(images(found, options, left_out), start=1):
            width, height = sizes.of(image)
            told = {
                "id": number,
                "file_name": image_name(image, options),
                "width": width,
                "height": height,
                "subject_id": image.subject_id,
                "frame": image.frame,
            }
            file.write(f"{',' if number > 1 else ''}\n{json.dumps(told)}")
        file.write('\n],\n"annotations": [')
        for number, image in enumerate(images(found, options, LeftOut()), start=1):
            for shape in image.shapes:
                annotation = _annotation(shape, sizes.of(image))
                if annotation is None:
                    left_out.add(why_left_out(shape.points), shape.told)
                    continue
                n_annotations += 1
                category = categories[shape.told["tool"]]["id"]
                ids = {"id": n_annotations, "image_id": number, "category_id": category}
                file.write(f"{',' if n_annotations > 1 else ''}\n{json.dumps(ids | annotation)}")
        file.write("\n]}\n")
    sizes.tell(say)
    left_out.tell(say)
    return [Exported(path, n_annotations, "annotations")]


def _categories(found: Opened, options: ExportOptions) -> dict[str, dict[str, Any]]:
    """Return a category for each tool, numbered from 1 in the order of their names."""
    tools: set[tuple[str, str]] = set()
    for frames in found.partitions(**{table_of(options): ["tool", "task"]}):
        for frame in frames.values():
            tools |= set(frame.select("tool", "task").unique().iter_rows())
    return {
        tool: {"id": number, "name": tool, "supercategory": task}
        for number, (tool, task) in enumerate(sorted(tools), start=1)
    }


def _annotation(shape: Shape, size: tuple[int, int]) -> dict[str, Any] | None:
    parts = within_image(shape.points, size)
    if not parts:
        return None
    left, top, right, bottom = shapely.bounds(shapely.MultiLineString(parts)).tolist()
    return {
        # Without the last point, which repeats the first.
        "segmentation": [part[:-1].ravel().tolist() for part in parts],
        "area": float(sum(shapely.Polygon(part).area for part in parts)),
        "bbox": [left, top, right - left, bottom - top],
        "iscrowd": 0,
        "attributes": dict(_told(shape)),
    }


def _told(shape: Shape) -> Iterator[tuple[str, Any]]:
    return ((name, shape.told[name]) for name in _TOLD if name in shape.told)
