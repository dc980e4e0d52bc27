"""Export averaged polygons or one contour level as COCO instance segmentation."""

import json
from pathlib import Path
from typing import Any, Final

import shapely

from polyframe import __version__
from polyframe.core.callbacks import Say
from polyframe.export.categories import Category
from polyframe.export.cluster_shapes import Shape
from polyframe.export.export_inputs import image_export
from polyframe.export.export_options import ExportOptions
from polyframe.export.exported_file import Exported
from polyframe.export.image_bounds import clip_to_image, why_omitted
from polyframe.store.reading import OutputTables

#: Attributes of an annotation beside the fields of COCO.
_ATTRIBUTES: Final = (
    *("subject_id", "frame", "tool", "cluster_label", "clusters_count", "consensus", "level", "members"),
)
#: A list beside those of COCO: the `members` of the exported clusters by image. If it is still in an edited
#: file, it shows which polygons somebody removed.
EXPORTED: Final = "polyframe_clusters"


def write(tables: OutputTables, path: Path, options: ExportOptions, say: Say) -> list[Exported]:
    """Write one file with every image that volunteers looked at, and a category for each tool.

    Parameters
    ----------
    tables : OutputTables
        Of the output directory.
    path : Path
        The file to write.
    options : ExportOptions
        Those for `coco`.
    say : callable
        Receives notes about guessed image sizes and what is omitted.
    """
    n_annotations = 0
    exported: dict[int, list[str]] = {}
    with image_export(tables, path, options, say, members=True) as export:
        file = export.file
        categories = [_category(category) for category in export.categories.by_tool.values()]
        info = {"description": f"polyframe {__version__}", "version": __version__}
        file.write(f'{{"info": {json.dumps(info)}, "licenses": [],\n"categories": ')
        file.write(json.dumps(categories))
        # Two passes through the parts, since the images precede the annotations.
        file.write(',\n"images": [')
        for number, (image, (width, height)) in enumerate(export.images(step="listing the images"), start=1):
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
                annotation = _annotation(shape, size, options)
                if annotation is None:
                    export.omissions.add(why_omitted(shape.points), shape.properties)
                    continue
                n_annotations += 1
                if "members" in shape.properties:
                    exported.setdefault(number, []).append(shape.properties["members"])
                category = export.categories.of(shape.properties).number
                ids = {"id": n_annotations, "image_id": number, "category_id": category}
                file.write(f"{',' if n_annotations > 1 else ''}\n{json.dumps(ids | annotation)}")
        file.write(f'\n],\n"{EXPORTED}": {json.dumps(exported)}}}\n')
    return [Exported(path, n_annotations, "annotations")]


def _category(category: Category) -> dict[str, Any]:
    """Return a category; `tool` is not a field of COCO, but names the tool to `polyframe score --gold`."""
    return {
        "id": category.number,
        "name": category.name,
        "supercategory": category.task,
        "tool": category.tool,
    }


def _annotation(shape: Shape, size: tuple[int, int], options: ExportOptions) -> dict[str, Any] | None:
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
        "score": properties[options.score or "consensus"],
        "attributes": {name: properties[name] for name in _ATTRIBUTES if name in properties},
    }
