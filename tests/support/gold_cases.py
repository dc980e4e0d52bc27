"""A small project and the outlines of its expert, as a classification export, GeoJSON and COCO.

Of three subjects, the expert looked at 1 and 2. On subject 1 the expert outlined two squares, on 2 nothing.
Volunteers outlined the first square (10 wide instead of 8, from the same corner), and one on each other
subject.
"""

import json
from pathlib import Path
from typing import Any

from exports import Cell, drawing, export_row, export_text, square

SUBJECTS = (1, 2, 3)
GOLD_SQUARES = ((0, 0, 8), (40, 0, 8))


def volunteer_rows() -> list[dict[str, Cell]]:
    """Return three classifications of each subject, the last one without a mark."""
    rows = []
    for subject in SUBJECTS:
        for volunteer in (1, 2, 3):
            marks = [] if volunteer == 3 else [square(0, 0)]
            number = 10 * subject + volunteer
            row = export_row(number, drawing(*marks), subject_ids=subject, user_name=f"volunteer{volunteer}")
            rows.append(row | {"user_id": volunteer})
    return rows


def expert_rows(**cells: Cell) -> list[dict[str, Cell]]:
    """Return the classifications of the expert."""
    expert: dict[str, Cell] = {"user_name": "the expert", "user_id": 99} | cells
    marks = [square(x, y, side) for x, y, side in GOLD_SQUARES]
    return [
        export_row(501, drawing(*marks), subject_ids=1, **expert),
        export_row(502, drawing(), subject_ids=2, **expert),
    ]


def write_rows(path: Path, rows: list[dict[str, Cell]]) -> Path:
    """Write an export."""
    path.write_text(export_text(rows), encoding="utf-8")
    return path


def corners(x: float, y: float, side: float) -> list[list[float]]:
    """Return the closed outline of a square."""
    return [[x, y], [x + side, y], [x + side, y + side], [x, y + side], [x, y]]


def feature(geometry: Any, **properties: Any) -> dict[str, Any]:
    """Return a feature of GeoJSON; a list is the coordinates of a polygon."""
    if isinstance(geometry, list):
        geometry = {"type": "Polygon", "coordinates": geometry}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def geojson(*features: Any, path: Path) -> Path:
    """Write a FeatureCollection."""
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return path


def expert_geojson(path: Path, **more: Any) -> Path:
    """Write the outlines of the expert as GeoJSON."""
    squares = [feature([corners(*gold)], subject_id=1, **more) for gold in GOLD_SQUARES]
    return geojson(*squares, feature(None, subject_id=2, **more), path=path)


def coco(images: Any, annotations: Any, *categories: str, path: Path) -> Path:
    """Write a COCO file; categories are numbered from 1."""
    listed = [{"id": number, "name": name} for number, name in enumerate(categories, start=1)]
    content = {"images": images, "annotations": annotations, "categories": listed}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def annotation(number: int, segmentation: Any, **more: Any) -> dict[str, Any]:
    """Return an annotation of COCO on image 1."""
    return {"id": number, "image_id": 1, "category_id": 1, "iscrowd": 0, "segmentation": segmentation} | more


def flat(x: float, y: float, side: float) -> list[float]:
    """Return the corners of a square as COCO has them."""
    return [value for point in corners(x, y, side)[:-1] for value in point]


def expert_coco(path: Path, category: str = "T0_toolIndex0") -> Path:
    """Write the outlines of the expert as COCO."""
    images = [{"id": 1, "file_name": "a/1-0.png"}, {"id": 2, "file_name": "picture_2.jpg"}]
    annotations = [annotation(k, [flat(*gold)]) for k, gold in enumerate(GOLD_SQUARES)]
    return coco(images, annotations, category, path=path)
