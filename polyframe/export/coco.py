"""Export averaged polygons or one contour level as COCO instance segmentation."""

import json
from pathlib import Path
from typing import Any, Final

import shapely

from polyframe import __version__
from polyframe.core.callbacks import Say
from polyframe.export.cluster_shapes import Shape, table_of
from polyframe.export.export_inputs import image_export
from polyframe.export.export_options import ExportOptions
from polyframe.export.exported_file import Exported
from polyframe.export.image_bounds import clip_to_image, why_omitted
from polyframe.store.reading import OutputTables

#: Attributes of an annotation beside the fields of COCO.
_ATTRIBUTES: Final = ("subject_id", "frame", "tool", "cluster_label", "clusters_count", "consensus", "level")


def write(output: Path, path: Path, options: ExportOptions, say: Say) -> list[Exported]:
    """Write one file with every image that has marks, and a category for each tool.

    Parameters
    ----------
    output : Path
        The output directory.
    path : Path
        The file to write.
    options : ExportOptions
        `level`, `classifications`, `image_size` and `image_name`.
    say : callable
        Receives notes about guessed image sizes and omitted shapes.
    """
    n_annotations = 0
    with image_export(output, path, options, say) as export:
        file = export.file
        categories = _categories(export.tables, options)
        info = {"description": f"polyframe {__version__}", "version": __version__}
        file.write(f'{{"info": {json.dumps(info)}, "licenses": [],\n"categories": ')
        file.write(json.dumps(list(categories.values())))
        # Two passes through the parts, since the images precede the annotations.
        file.write(',\n"images": [')
        for number, (image, (width, height)) in enumerate(export.images(), start=1):
            entry = {
                "id": number,
                "file_name": export.name_of(image),
                "width": width,
                "height": height,
                "subject_id": image.subject_id,
                "frame": image.frame,
            }
            file.write(f"{',' if number > 1 else ''}\n{json.dumps(entry)}")
        file.write('\n],\n"annotations": [')
        for number, (image, size) in enumerate(export.images(again=True), start=1):
            for shape in image.shapes:
                annotation = _annotation(shape, size)
                if annotation is None:
                    export.omissions.add(why_omitted(shape.points), shape.properties)
                    continue
                n_annotations += 1
                category = categories[shape.properties["tool"]]["id"]
                ids = {"id": n_annotations, "image_id": number, "category_id": category}
                file.write(f"{',' if n_annotations > 1 else ''}\n{json.dumps(ids | annotation)}")
        file.write("\n]}\n")
    return [Exported(path, n_annotations, "annotations")]


def _categories(tables: OutputTables, options: ExportOptions) -> dict[str, dict[str, Any]]:
    """Return a category for each tool, numbered from 1 in alphabetical order."""
    tools: set[tuple[str, str]] = set()
    for frames in tables.partitions(**{table_of(options): ["tool", "task"]}):
        for frame in frames.values():
            tools |= set(frame.select("tool", "task").unique().iter_rows())
    return {
        tool: {"id": number, "name": tool, "supercategory": task}
        for number, (tool, task) in enumerate(sorted(tools), start=1)
    }


def _annotation(shape: Shape, size: tuple[int, int]) -> dict[str, Any] | None:
    parts = clip_to_image(shape.points, size)
    if not parts:
        return None
    left, top, right, bottom = shapely.bounds(shapely.MultiLineString(parts)).tolist()
    properties = shape.properties
    return {
        # Without the last point, which repeats the first.
        "segmentation": [part[:-1].ravel().tolist() for part in parts],
        "area": float(sum(shapely.Polygon(part).area for part in parts)),
        "bbox": [left, top, right - left, bottom - top],
        "iscrowd": 0,
        "attributes": {name: properties[name] for name in _ATTRIBUTES if name in properties},
    }
