"""Inject faults into the workers of a cluster, for tests that kill them.

Workers load this module (`--preload`, or the first task). The environment variable FAULTS_FILE names a JSON
file, which is read before each task, so that one cluster serves tests with different faults: an object with
the keys `pause`, `kill_worker`, `kill_sorter`, `once` and `deaths` of `fault_injection`. Without the file,
there are no faults.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fault_injection

from polyframe.pipeline import process_tasks, rows_on_workers, super_partitions


def with_faults(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function of `fault_injection` that reads the file before each call."""

    def call(task: Any) -> Any:
        faults = Path(os.environ["FAULTS_FILE"])
        fault_injection.FAULTS = json.loads(faults.read_text()) if faults.exists() else {}
        return function(task)

    return call


process_tasks.process_partition = with_faults(fault_injection.process_partition)
rows_on_workers._sort = with_faults(fault_injection.sort_split)
super_partitions._sort_super_partition = with_faults(fault_injection.sort_super_partition)


def set_up() -> None:
    """Do nothing: a worker of Ray calls a function of this module to load it."""
