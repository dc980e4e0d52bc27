"""Start runs as separate processes, for tests that kill or stop them or take away their resources."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from exports import ROOT, drawing, export_row, export_text, square
from log_lines import as_on_terminal

from polyframe.store.output import WORK

#: About the size of one subject of `small_export`.
PARTITION_BYTES = 300
#: So that processes need not load compiled loops.
ENGINE = ("--engine", "shapely")
#: Arguments of small runs of this process.
OPTIONS: dict[str, Any] = {"engine": "shapely", "jobs": 1}

Process = subprocess.Popen[str]


def small_export(path: Path, subjects: int = 4) -> Path:
    """Write an export: four volunteers outline one object of each subject, and a fifth draws elsewhere."""
    rows = [
        export_row(5 * (subject - 1) + volunteer, drawing(square(shift, 0)), subject_ids=subject)
        for subject in range(1, subjects + 1)
        for volunteer, shift in enumerate((0, 1, 2, 4, 50))
    ]
    path.write_text(export_text(rows), encoding="utf-8")
    return path


def start(*arguments: object, before: Sequence[str] = (), **faults: Any) -> Process:
    """Start the command line in a new process group; for `faults` see `fault_injection`."""
    faults = {"partition_bytes": PARTITION_BYTES} | faults
    paths = [str(ROOT), str(ROOT / "tests" / "support"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        [
            *before,
            sys.executable,
            "-c",
            "import fault_injection; fault_injection.main()",
            *map(str, arguments),
        ],
        env={**os.environ, "FAULTS": json.dumps(faults), "PYTHONPATH": os.pathsep.join(paths)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def outcome(process: Process, seconds: float = 120) -> tuple[int, str]:
    """Wait for the end of a process; return its exit code and its standard error."""
    _, errors = process.communicate(timeout=seconds)
    return process.returncode, as_on_terminal(errors)


def error_line(errors: str) -> str:
    """Return the only error line; it is the last line, after notes."""
    *notes, line = errors.splitlines()
    assert line.startswith("polyframe: error: "), errors
    assert all(note.startswith("polyframe: ") and "error:" not in note for note in notes), errors
    return line


def wait_for(condition: Callable[[], Any], seconds: float = 60, process: Process | None = None) -> Any:
    """Wait until a condition is true, and return its value; fail at once if the process has ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        if process is not None and process.poll() is not None:
            raise AssertionError(f"the process has ended: {outcome(process)}")
        time.sleep(0.02)
    raise AssertionError(f"still not true after {seconds} s")


def begun(out: Path, partition: str) -> Callable[[], bool]:
    """Return a condition: whether a worker has begun with a partition."""
    return (out / WORK / "started" / partition).exists


def part_files(folder: Path) -> dict[str, bytes]:
    """Return all parts below a folder. Unlike manifests, they contain neither times nor names of machines."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.parquet")}
