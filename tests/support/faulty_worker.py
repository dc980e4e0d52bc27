"""Inject faults into the workers of a cluster, for tests that kill them.

Workers load this module (`--preload`, or the first task). The environment variable FAULTS_FILE names a JSON
file, which is read before each partition, so that one cluster serves tests with different faults: an object
with the keys `pause`, `kill_worker` and `once` of `fault_injection`. Without the file there are no faults.
"""

import json
import os
from pathlib import Path

import fault_injection

from polyframe.pipeline import partition_task, process_tasks


def process_partition(task: partition_task.PartitionTask) -> partition_task.PartitionResult:
    faults = Path(os.environ["FAULTS_FILE"])
    fault_injection.FAULTS = json.loads(faults.read_text()) if faults.exists() else {}
    return fault_injection.process_partition(task)


process_tasks.process_partition = process_partition


def set_up() -> None:
    """Do nothing: a worker of Ray calls a function of this module to load it."""
