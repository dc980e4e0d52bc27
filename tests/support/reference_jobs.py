"""Run jobs of the reference tool in a Python that has it."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from exports import ROOT


def run_jobs(python: str, export: Path, folder: Path, jobs: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Run jobs, see `run_reference.py`; return the errors of those that failed, by name."""
    script = ROOT / "tests" / "support" / "run_reference.py"
    done = subprocess.run(
        [python, str(script), str(export), str(folder)],
        input=json.dumps(list(jobs)),
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": ""},
    )
    failed: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return failed
