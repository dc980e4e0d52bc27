"""Measure time and memory of the stages of one export; executed in a new process, not imported.

Reads a job as JSON from standard input: `export`, and `settings`, keyword parameters of `polyframe.extract`.
Prints a line with a JSON object for each stage: `stage`, `cpu_seconds`, and `peak_mb`, the largest resident
memory while it ran, which includes what earlier stages still need. Needs Linux.
"""

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import polyframe as pf
from polyframe.consensus.contours import contours_table
from polyframe.consensus.reduce import cluster_marks, reduction_tables
from polyframe.core.settings import Settings


def main() -> None:
    """Run the job."""
    warnings.simplefilter("ignore", pf.PolyframeWarning)
    job = json.load(sys.stdin)
    chosen: dict[str, Any] = job["settings"]
    settings = Settings(engine=chosen["engine"])
    stage = _Stage("extract")
    found = pf.extract(job["export"], **chosen)
    stage = stage.ends("cluster")
    clusters = cluster_marks(found.extractions, found.classifications, settings)
    del found
    stage = stage.ends("reductions")
    reduction_tables(clusters, settings)
    stage = stage.ends("contours")
    contours_table(clusters, settings)
    stage.ends("")


class _Stage:
    """A stage that begins now."""

    def __init__(self, name: str) -> None:
        self._name, self._start = name, time.process_time()
        # Forgets the largest resident memory so far.
        Path("/proc/self/clear_refs").write_text("5")

    def ends(self, following: str) -> "_Stage":
        """Print the measures of this stage, and begin the next one."""
        lines = Path("/proc/self/status").read_text().splitlines()
        peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
        seconds = time.process_time() - self._start
        print(json.dumps({"stage": self._name, "cpu_seconds": seconds, "peak_mb": peak * 1024 / 1e6}))
        sys.stdout.flush()
        return _Stage(following)


if __name__ == "__main__":
    main()
