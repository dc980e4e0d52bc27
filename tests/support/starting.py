"""Runs as processes of their own, for tests that kill, stop or starve them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from exports import ROOT, drawing, export_row, export_text, square

from polyframe.store.output import WORK

#: About one subject of the exports made here.
PARTITION_BYTES = 300
#: No compiled loops to load in every process.
ENGINE = ("--engine", "shapely")

Process = subprocess.Popen[str]


def small_export(path: Path, subjects: int = 4) -> Path:
    """Four volunteers outline one object of each subject; a fifth draws elsewhere."""
    rows = [
        export_row(5 * (subject - 1) + place, drawing(square(shift, 0)), subject_ids=subject)
        for subject in range(1, subjects + 1)
        for place, shift in enumerate((0, 1, 2, 4, 50))
    ]
    path.write_text(export_text(rows), encoding="utf-8")
    return path


def start(*arguments: object, before: Sequence[str] = (), **plan: Any) -> Process:
    """Start the command line in a process group of its own; `plan` as in `disturbed`."""
    plan = {"partition_bytes": PARTITION_BYTES} | plan
    places = [str(ROOT), str(ROOT / "tests" / "support"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        [*before, sys.executable, "-c", "import disturbed; disturbed.main()", *map(str, arguments)],
        env={**os.environ, "DISTURBED": json.dumps(plan), "PYTHONPATH": os.pathsep.join(places)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def outcome(process: Process, seconds: float = 120) -> tuple[int, str]:
    """Wait for the end of a process; return its exit code and what it said of what went wrong."""
    _, told = process.communicate(timeout=seconds)
    return process.returncode, told


def error_line(told: str) -> str:
    """The one line that tells what is wrong; notes may stand before it, nothing else."""
    *notes, line = told.splitlines()
    assert line.startswith("polyframe: error: "), told
    assert all(note.startswith("polyframe: ") and "error:" not in note for note in notes), told
    return line


def wait_for(there: Callable[[], Any], seconds: float = 60) -> Any:
    """Wait until something is there; return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = there()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come")


def begun(out: Path, partition: str) -> Callable[[], bool]:
    """Tell whether a worker has begun with a partition."""
    return (out / WORK / "started" / partition).exists


def files(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def tables_of(out: Path) -> dict[str, bytes]:
    """All files of an output directory but those that a run keeps for the next one."""
    return {name: content for name, content in files(out).items() if not name.startswith(WORK)}


def leftovers(out: Path) -> list[str]:
    """What a run has left behind that is no finished part."""
    return [name for name in files(out / WORK) if not (name.startswith("next/") and "/part-" in name)]
