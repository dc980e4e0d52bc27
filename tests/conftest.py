"""What several tests share: the real project, and the reference tool in an environment of its own."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from polyframe import cli

ROOT = Path(__file__).parents[1]
REFERENCE = "panoptes_aggregation==5.3.1"


@pytest.fixture(scope="session")
def cat_project() -> Path:
    """The folder of a real project with published results; it is not part of the repository."""
    folder = ROOT.parent / "shared" / "cat-project"
    if not folder.is_dir():
        pytest.skip("the real project is missing: put it into ../shared/cat-project")
    return folder


@pytest.fixture(scope="session")
def reference_python() -> str:
    """A Python that has the reference tool: POLYFRAME_REFERENCE_PYTHON, or an environment made for it."""
    given = os.environ.get("POLYFRAME_REFERENCE_PYTHON")
    if given:
        return given
    folder = ROOT / ".venv-reference"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ready = folder / "ready"
    if not ready.exists():
        try:
            _make_reference_environment(folder, python)
        except (subprocess.CalledProcessError, OSError) as error:
            pytest.skip(f"the reference tool cannot be installed ({error}); set POLYFRAME_REFERENCE_PYTHON")
        ready.touch()
    return str(python)


def _make_reference_environment(folder: Path, python: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True, capture_output=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", REFERENCE], check=True, capture_output=True)


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


def square(x: float, y: float, side: float = 10, **more: Any) -> dict[str, Any]:
    """A mark of classifier 2.x: a square with its upper left corner at x, y."""
    path = {"pathX": [x, x + side, x + side, x], "pathY": [y, y, y + side, y + side]}
    return {"frame": 0, "toolIndex": 0, "toolType": "freehandLine", "details": []} | path | more


def drawing(*marks: Any, task: str = "T0") -> str:
    """An annotations cell with one drawing annotation."""
    return json.dumps([{"task": task, "task_label": "Draw", "taskType": "drawing", "value": list(marks)}])


def export_row(number: int, annotations: str | None, **cells: Cell) -> dict[str, Cell]:
    """One row of an export; `number` makes its id, its volunteer and its time."""
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
    """An export as text."""
    text = io.StringIO()
    writer = csv.DictWriter(text, HEADER, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


@dataclass(frozen=True)
class Done:
    """What a call of the command line gave."""

    code: int
    out: str
    err: str


@pytest.fixture
def polyframe(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Call the command line within this process."""

    def call(*arguments: object) -> Done:
        monkeypatch.setattr("sys.argv", ["polyframe", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return call


@pytest.fixture
def small_export(tmp_path: Path) -> Path:
    """Four volunteers outline one object of subject 1 and one of subject 2; a fifth draws elsewhere."""
    rows = [
        export_row(5 * (subject - 1) + place, drawing(square(shift, 0)), subject_ids=subject)
        for subject in (1, 2)
        for place, shift in enumerate((0, 1, 2, 1, 50))
    ]
    path = tmp_path / "small.csv"
    path.write_text(export_text(rows), encoding="utf-8")
    return path
