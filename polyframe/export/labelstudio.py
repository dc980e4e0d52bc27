"""Export averaged polygons or one contour level as pre-annotations for Label Studio."""

import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from polyframe import __version__
from polyframe.core.callbacks import Say
from polyframe.export.cluster_shapes import Shape
from polyframe.export.export_inputs import ImageExport, image_export
from polyframe.export.export_options import ExportOptions
from polyframe.export.exported_file import Exported
from polyframe.export.exported_images import ImageShapes
from polyframe.export.image_bounds import clip_to_image, why_omitted
from polyframe.store.reading import OutputTables

#: The names of the polygons and the image in the labelling configuration.
LABEL: Final = "label"
IMAGE: Final = "image"
_META: Final = ("tool", "cluster_label", "clusters_count", "consensus", "expected_iou", "level")
#: The clusters in the data of a task, which Label Studio exports unchanged: by the ids of their results. They
#: show which polygons somebody removed, and for which marks a polygon was corrected.
CLUSTERS: Final = "clusters"
SIZE: Final = "image_size"
_IDENTITY: Final = ("tool", "cluster_label", "members")


def write(tables: OutputTables, path: Path, options: ExportOptions, say: Say) -> list[Exported]:
    """Write one JSON file with a task for every image that volunteers looked at.

    Parameters
    ----------
    tables : OutputTables
        Of the output directory.
    path : Path
        The file to write.
    options : ExportOptions
        Those for `labelstudio`.
    say : callable
        Receives notes about what is omitted.
    """
    n_tasks = 0
    with image_export(
        tables, path, options, say, needs_sizes=False, guesses_sizes=False, members=True
    ) as export:
        export.file.write("[")
        for image, size in export.images():
            export.file.write(",\n" if n_tasks else "\n")
            export.file.write(json.dumps(_task(image, size, export)))
            n_tasks += 1
        export.file.write("\n]\n")
    return [Exported(path, n_tasks, "tasks")]


def _task(image: ImageShapes, size: tuple[int, int], export: ImageExport) -> dict[str, Any]:
    results: list[dict[str, Any]] = []
    clusters: dict[str, dict[str, Any]] = {}
    for shape in image.shapes:
        of_shape = _results(shape, size, export.categories.of(shape.properties).name)
        results += of_shape
        identity = {key: shape.properties[key] for key in _IDENTITY if key in shape.properties}
        clusters |= {result["id"]: identity for result in of_shape}
        if not of_shape:
            export.omissions.add(why_omitted(shape.points), shape.properties)
    prediction: dict[str, Any] = {"model_version": f"polyframe {__version__}", "result": results}
    if results:
        prediction["score"] = float(np.mean([result["score"] for result in results]))
    data = {IMAGE: export.name_of(image), "subject_id": image.subject_id, "frame": image.frame}
    if image.shapes:
        data |= {SIZE: list(size), CLUSTERS: clusters}
    return {"data": data, "predictions": [prediction]}


def _results(shape: Shape, size: tuple[int, int], label: str) -> list[dict[str, Any]]:
    """Return a polygon for each part of a shape within its image, in percent of the image size."""
    properties = shape.properties
    name = f"{properties['tool']}-{properties['cluster_label']}"
    name += f"-{properties['level']}" if "level" in properties else ""
    return [
        {
            "id": f"{name}-{number}" if number else name,
            "type": "polygonlabels",
            "from_name": LABEL,
            "to_name": IMAGE,
            "original_width": size[0],
            "original_height": size[1],
            "image_rotation": 0,
            # Label Studio closes the ring, so the last point would be a duplicate.
            "value": {
                "points": (100 * part[:-1] / size).tolist(),
                "closed": True,
                "polygonlabels": [label],
            },
            "score": properties["consensus"],
            "meta": {key: properties[key] for key in _META if key in properties},
        }
        for number, part in enumerate(clip_to_image(shape.points, size))
    ]
