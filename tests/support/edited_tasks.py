"""A small project with corrections: its output, and files of edited polygons made from our exports."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import shapely
from exports import drawing, export_row, export_text, square

import polyframe as pf

SIZE = "100x80"
#: The upper left corners of the objects of each subject; each is a square of 10 pixels.
OBJECTS = {1: [(5, 5), (40, 30)], 2: [(60, 10)], 3: [(20, 20), (70, 60)]}
KEYS = ["subject_id", "cluster_label"]


def export_of_squares(path: Path, n_volunteers: int = 3, before: Sequence[tuple[int, int]] = ()) -> Path:
    """Write an export in which each volunteer draws each object, 1 pixel apart.

    Two others drew the objects `before` on subject 1, earlier.
    """
    early = [export_row(number, drawing(*(square(x, y) for x, y in before))) for number in range(2)]
    rows = early * bool(before) + [
        export_row(
            10 * subject + volunteer,
            drawing(*(square(x + volunteer, y) for x, y in corners)),
            subject_ids=subject,
        )
        for subject, corners in OBJECTS.items()
        for volunteer in range(n_volunteers)
    ]
    path.write_text(export_text(rows), encoding="utf-8")
    return path


def run(export: Path, out: Any, **settings: Any) -> None:
    pf.run(export, out, engine="shapely", jobs=1, **{"eps": 0.5, "max_shrink": "100%"} | settings)


def exported_tasks(out: Any, folder: Path, **options: Any) -> list[dict[str, Any]]:
    """Export tasks for Label Studio, and number them as it does."""
    path = folder / "tasks.json"
    pf.export(out, "labelstudio", path, image_size=SIZE, **options)
    tasks: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    for number, task in enumerate(tasks, 1):
        task["id"] = number
    return tasks


def complete(task: dict[str, Any], at: str = "2026-02-01T10:00:00Z", by: Any = 7) -> list[dict[str, Any]]:
    """Add an annotation that starts from the prediction, as the button Submit does; return its regions."""
    result: list[dict[str, Any]] = json.loads(json.dumps(task["predictions"][0]["result"]))
    annotation = {"id": 100 + task["id"], "result": result, "was_cancelled": False, "completed_by": by}
    task.setdefault("annotations", []).append(annotation | {"created_at": at, "updated_at": at})
    return result


def write(content: Any, path: Path) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def percents(points: Any) -> list[list[float]]:
    """Return points in percent of the image."""
    rows: list[list[float]] = (100 * np.array(points) / [100, 80]).tolist()
    return rows


def averages(out: Any, folder: Path, **options: Any) -> dict[tuple[int, int], shapely.Polygon]:
    """Return the polygons of a GeoJSON export, by subject and label."""
    path = folder / "averages.geojson"
    pf.export(out, "geojson", path, **options)
    features = json.loads(path.read_text(encoding="utf-8"))["features"]
    return {
        (feature["properties"]["subject_id"], feature["properties"]["cluster_label"]): shapely.geometry.shape(
            feature["geometry"]
        )
        for feature in features
    }


def table(out: Any) -> pl.DataFrame:
    return pf.scan(out, "corrections").collect()
