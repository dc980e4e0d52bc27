"""Check the objects that commands print with `--json`."""

import json
from typing import Any

from exports import Done

import polyframe as pf


def common_keys(command: str) -> dict[str, Any]:
    """Return what the object of each successful command without notes contains."""
    return {"command": command, "exit_code": 0, "polyframe_version": pf.__version__, "notes": []}


def result(done: Done) -> dict[str, Any]:
    """Return the only object on standard output."""
    assert done.out.count("\n") == 1
    parsed: dict[str, Any] = json.loads(done.out)
    return parsed
