"""Make a small project in many parts, and check tables against its answers, which are worked out by hand."""

import datetime as dt
import json
import math
import struct
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import shapely
from exports import export_row, export_text, square
from resampling import seed_of, stability_of, weights_of

import polyframe as pf

SUBJECTS = range(1, 13)

#: Rows of the tables of `make_project`, in order; geometries and outlines as (left, top, right, bottom).
Rows = list[dict[str, Any]]


def make_project(folder: Path) -> Path:
    """Run polyframe on twelve subjects, each in its own partition, and return the output directory.

    Each subject has three squares, each shifted by one pixel, the last one by a volunteer without a name; an
    outlier with an unreadable time; and a classification without marks. Subject 12 has a reject.
    """
    rows = []
    for subject in SUBJECTS:
        left, number = 100 * subject, 10 * subject
        marks: list[list[dict[str, Any]]] = [[square(left + shift, 50)] for shift in range(3)]
        marks += [[], [square(left + 50, 50)]]
        if subject == 12:
            marks[3] = [square(0, 0, pathX=[1, 2], pathY=[1, 2])]
        for position, drawn in enumerate(marks):
            cells: dict[str, Any] = {"subject_ids": subject}
            if position == 2:
                cells |= {"user_name": None, "user_id": None}
            if position == 4:
                cells |= {"created_at": "in the evening"}
            # The text makes each subject as large as a partition.
            annotations = [
                {"task": "T0", "taskType": "drawing", "value": drawn},
                {"task": "T2", "taskType": "text", "value": "y" * 200_000},
            ]
            rows.append(export_row(number + position, json.dumps(annotations), **cells))
    export = folder / "export.csv"
    export.write_text(export_text(rows), encoding="utf-8")
    pf.run(export, folder / "out", jobs=1, partition_size=1)
    return folder / "out"


def _keys(subject: int) -> dict[str, Any]:
    return {"workflow_id": 7, "subject_id": subject, "task": "T0", "frame": 0, "tool": "T0_toolIndex0"}


#: Of two others, the region is the first one: the second square for the first, the first one for the rest.
IOU_OTHERS = [pytest.approx(9 / 11), pytest.approx(9 / 11), pytest.approx(8 / 12), None, None]


def expected_labels() -> Rows:
    """Return the labels in order of time, the one without a time last."""
    return [
        _keys(subject)
        | {
            "classification_id": 1000 + 10 * subject + position,
            "mark_index": 0,
            "created_at": None if position == 4 else _time(10 * subject + position),
            "user_name": None if position == 2 else f"volunteer{10 * subject + position}",
            "cluster_label": -1 if position == 4 else 0,
            "volunteer": None if position == 2 else f"volunteer{10 * subject + position}",
            "iou_others": IOU_OTHERS[position],
        }
        for subject in SUBJECTS
        for position in (0, 1, 2, 4)
    ]


def expected_extractions() -> Rows:
    """Return the marks as drawn, with those that cannot be used."""
    rows = []
    for subject in SUBJECTS:
        for position in (0, 1, 2, 4) if subject < 12 else (0, 1, 2, 3, 4):
            number, left = 10 * subject + position, 100 * subject + (50 if position == 4 else position)
            rows.append(
                _keys(subject)
                | {
                    "classification_id": 1000 + number,
                    "mark_index": 0,
                    "created_at": None if position == 4 else _time(number),
                    "volunteer": None if position == 2 else f"volunteer{number}",
                    "user_name": None if position == 2 else f"volunteer{number}",
                    "user_id": None if position == 2 else number,
                    "tool_type": "freehandLine",
                    "gold_standard": None,
                    "x": [1.0, 2.0] if position == 3 else [left, left + 10, left + 10, left],
                    "y": [1.0, 2.0] if position == 3 else [50, 50, 60, 60],
                    "details": None,
                }
            )
    return rows


def _time(number: int) -> dt.datetime:
    return dt.datetime(2026, 1, 1, 10, number // 60, number % 60, tzinfo=dt.UTC)


#: Overlaps of 9, 9 and 8 of 11, 11 and 12 columns.
CONSENSUS = (9 / 11 + 9 / 11 + 8 / 12) / 3


def expected_stability(subject: int) -> dict[str, Any]:
    """Return the stability: of twelve columns, two are in one square, two in two, and eight in all three."""
    columns = {(1, 0, 0): 1, (1, 1, 0): 1, (1, 1, 1): 8, (0, 1, 1): 1, (0, 0, 1): 1}
    weights = weights_of(3, seed_of([*_keys(subject).values(), 0]))
    expected_iou, low, high = stability_of([10.0 * n for n in columns.values()], list(columns), 1, weights)
    # Five volunteers classified the subject, three of them drew the square.
    marks_needed = round(3 * ((1 - expected_iou) / 0.05) ** 2, 5)
    return {
        "expected_iou": pytest.approx(expected_iou, abs=1e-12),
        "area_low": pytest.approx(low),
        "area_high": pytest.approx(high),
        "classifications_needed": max(1, math.ceil(marks_needed * 5 / 3)),
    }


def expected_reductions() -> Rows:
    """Return the reductions: the median is the square in the middle."""
    return [
        _keys(subject)
        | {
            "cluster_label": 0,
            "clusters_count": 3,
            "n_classifications": 5,
            "threshold": 0.6,
            "consensus": CONSENSUS,
            "average_type": "median",
            "area": 100.0,
            "outline": (100 * subject + 1, 50, 100 * subject + 11, 60),
            "geometry": (100 * subject + 1, 50, 100 * subject + 11, 60),
            "details_votes": None,
            **expected_stability(subject),
        }
        for subject in SUBJECTS
    ]


def expected_contours() -> Rows:
    """Return the contours: level 1 is 12 pixels wide, level 2 is 10, level 3 is 8."""
    return [
        _keys(subject)
        | {
            "cluster_label": 0,
            "clusters_count": 3,
            "consensus": CONSENSUS,
            "number_of_contours": 3,
            "contours_area": [120.0, 100.0, 80.0],
            "contours_level": [1, 2, 3],
            "outlines": [(100 * subject + k, 50, 100 * subject + 12 - k, 60) for k in range(3)],
            "geometry": (100 * subject, 50, 100 * subject + 12, 60),
        }
        for subject in SUBJECTS
    ]


def check_labels(rows: Rows) -> None:
    """Check the rows of the table `labels` as read by some library, in Python values."""
    assert rows == expected_labels()


def check_extractions(rows: Rows) -> None:
    """Check the rows of the table `extractions`."""
    assert rows == expected_extractions()


def check_reductions(rows: Rows) -> None:
    """Check the rows of the table `reductions`; geometries are WKB or Shapely's."""
    boxes = []
    for row in rows:
        rest = {name: value for name, value in row.items() if name not in ("clusters_x", "clusters_y")}
        geometry = rest["geometry"]
        assert _area(geometry) == row["area"] == 100
        boxes.append(
            rest | {"outline": _box(row["clusters_x"], row["clusters_y"]), "geometry": _bounds(geometry)}
        )
    assert boxes == [_approximate(row) for row in expected_reductions()]


def check_contours(rows: Rows) -> None:
    """Check the rows of the table `contours`; geometries are WKB or Shapely's."""
    boxes = []
    for row in rows:
        rest = {name: value for name, value in row.items() if name not in ("contours_x", "contours_y")}
        levels = zip(row["contours_x"], row["contours_y"], strict=True)
        geometry = rest["geometry"]
        assert _area(geometry) == row["contours_area"][0]
        boxes.append(rest | {"outlines": [_box(x, y) for x, y in levels], "geometry": _bounds(geometry)})
    assert boxes == [_approximate(row) for row in expected_contours()]


def _approximate(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"consensus": pytest.approx(row["consensus"], abs=1e-12)}


def _box(x: Sequence[float], y: Sequence[float]) -> tuple[float, ...]:
    """Return the bounds of an outline, which must be a closed rectangle."""
    points = list(zip(x, y, strict=True))
    assert points[0] == points[-1]
    bounds = (min(x), min(y), max(x), max(y))
    assert abs(shoelace(points)) == (bounds[2] - bounds[0]) * (bounds[3] - bounds[1])
    return bounds


def _points(geometry: Any) -> list[tuple[float, float]]:
    return wkb_points(geometry) if isinstance(geometry, bytes) else list(geometry.exterior.coords)


def _area(geometry: Any) -> float:
    return abs(shoelace(_points(geometry)))


def _bounds(geometry: Any) -> tuple[float, ...]:
    x, y = zip(*_points(geometry), strict=True)
    assert shapely.Polygon(_points(geometry)).is_valid
    return _box(x, y)


def shoelace(points: Sequence[tuple[float, float]]) -> float:
    """Return the signed area within a closed outline."""
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(points)) / 2


def wkb_points(wkb: bytes) -> list[tuple[float, float]]:
    """Parse a polygon without holes from well-known binary, by its definition."""
    order = "<" if wkb[0] == 1 else ">"
    kind, rings = struct.unpack_from(f"{order}II", wkb, 1)
    assert kind == 3
    if rings == 0:
        assert len(wkb) == 9
        return []
    assert rings == 1
    (count,) = struct.unpack_from(f"{order}I", wkb, 9)
    assert len(wkb) == 13 + 16 * count
    numbers = struct.unpack_from(f"{order}{2 * count}d", wkb, 13)
    return list(zip(numbers[::2], numbers[1::2], strict=True))
