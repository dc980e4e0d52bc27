"""Averaged polygons or one level of the contours as pre-annotations for Label Studio."""

import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from polyframe import __version__
from polyframe.core.atomic_files import written_whole
from polyframe.core.callbacks import Say
from polyframe.export.cluster_shapes import Drawn, Shape, images
from polyframe.export.export_options import ExportOptions
from polyframe.export.exported_file import Exported
from polyframe.export.image_bounds import image_name, image_sizes, why_left_out, within_image
from polyframe.export.omissions import LeftOut
from polyframe.store.opened import opened

#: What the polygons and the image are called in the labelling configuration.
LABEL: Final = "label"
IMAGE: Final = "image"
_TOLD: Final = ("tool", "cluster_label", "clusters_count", "consensus", "level")


def write(output: Path, path: Path, options: ExportOptions, say: Say) -> list[Exported]:
    """Write one JSON file of tasks: every image on which anything was drawn, with its polygons.

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
    n_tasks = 0
    left_out = LeftOut()
    with written_whole(path) as file, opened(output) as found:
        file.write("[")
        for image in images(found, options, left_out):
            file.write(",\n" if n_tasks else "\n")
            file.write(json.dumps(_task(image, sizes.of(image), image_name(image, options), left_out)))
            n_tasks += 1
        file.write("\n]\n")
    sizes.tell(say)
    left_out.tell(say)
    return [Exported(path, n_tasks, "tasks")]


def _task(image: Drawn, size: tuple[int, int], name: str, left_out: LeftOut) -> dict[str, Any]:
    results: list[dict[str, Any]] = []
    for shape in image.shapes:
        of_shape = _results(shape, size)
        results += of_shape
        if not of_shape:
            left_out.add(why_left_out(shape.points), shape.told)
    prediction: dict[str, Any] = {"model_version": f"polyframe {__version__}", "result": results}
    if results:
        prediction["score"] = float(np.mean([result["score"] for result in results]))
    return {
        "data": {IMAGE: name, "subject_id": image.subject_id, "frame": image.frame},
        "predictions": [prediction],
    }


def _results(shape: Shape, size: tuple[int, int]) -> list[dict[str, Any]]:
    """Return a polygon for each part of a shape within its image, in percent of the image's size."""
    told = shape.told
    name = f"{told['tool']}-{told['cluster_label']}" + (f"-{told['level']}" if "level" in told else "")
    return [
        {
            "id": f"{name}-{number}" if number else name,
            "type": "polygonlabels",
            "from_name": LABEL,
            "to_name": IMAGE,
            "original_width": size[0],
            "original_height": size[1],
            "image_rotation": 0,
            # Closed by what reads it; the last point would stand twice.
            "value": {
                "points": (100 * part[:-1] / size).tolist(),
                "closed": True,
                "polygonlabels": [told["tool"]],
            },
            "score": told["consensus"],
            "meta": {key: told[key] for key in _TOLD if key in told},
        }
        for number, part in enumerate(within_image(shape.points, size))
    ]
