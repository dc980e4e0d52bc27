"""Inject faults into the workers of a cluster, for tests that kill them.

Workers load this module (`--preload`, or the first task). Before each task, `fault_injection` reads the
faults from the file that the environment variable FAULTS_FILE names, so that one cluster serves tests with
different faults. Without the file, there are none.
"""

import fault_injection

from polyframe.pipeline import process_tasks, rows_on_workers, super_partitions

process_tasks.process_partition = fault_injection.process_partition
rows_on_workers._sort = fault_injection.sort_split
super_partitions._sort_super_partition = fault_injection.sort_super_partition


def set_up() -> None:
    """Do nothing: a worker of Ray calls a function of this module to load it."""
