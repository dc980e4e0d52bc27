"""Build small exports for tests row by row; define the result of a call of the command line."""

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

HEADER = (
    "classification_id",
    "user_name",
    "user_id",
    "user_ip",
    "workflow_id",
    "workflow_name",
    "workflow_version",
    "created_at",
    "gold_standard",
    "expert",
    "metadata",
    "annotations",
    "subject_data",
    "subject_ids",
)

Cell = str | int | None


def other_digits(text: str, zero: str = "\u0660") -> str:
    """Return a text with the digits of another script, by default Arabic; `\\d` matches them."""
    return text.translate({ord("0") + digit: ord(zero) + digit for digit in range(10)})


def square(x: float, y: float, side: float = 10, **more: Any) -> dict[str, Any]:
    """Return a mark of classifier 2.x: a square with its upper left corner at x, y."""
    path = {"pathX": [x, x + side, x + side, x], "pathY": [y, y, y + side, y + side]}
    return {"frame": 0, "toolIndex": 0, "toolType": "freehandLine", "details": []} | path | more


def drawing(*marks: Any, task: str = "T0") -> str:
    """Return an annotations cell with one drawing annotation."""
    return json.dumps([{"task": task, "task_label": "Draw", "taskType": "drawing", "value": list(marks)}])


def export_row(number: int, annotations: str | None, **cells: Cell) -> dict[str, Cell]:
    """Return a row of an export; its ID, volunteer and time are derived from `number`."""
    row: dict[str, Cell] = dict.fromkeys(HEADER)
    row |= {
        "classification_id": 1000 + number,
        "user_name": f"volunteer{number}",
        "user_id": number,
        "workflow_id": 7,
        "workflow_name": "Outline",
        "workflow_version": "3.1",
        "created_at": f"2026-01-01 10:{number // 60 % 60:02d}:{number % 60:02d} UTC",
        "metadata": "{}",
        "annotations": annotations,
        "subject_data": "{}",
        "subject_ids": 1,
    }
    return row | cells


def export_text(rows: Iterable[dict[str, Cell]]) -> str:
    """Return an export as text."""
    text = io.StringIO()
    writer = csv.DictWriter(text, HEADER, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


@dataclass(frozen=True)
class Done:
    """The result of a call of the command line."""

    code: int
    out: str
    err: str
