"""Run polyframe several times in one process, for the benchmark; executed in a new process, not imported.

Reads a job as JSON from standard input: `export`, `output`, and `runs`, the keyword parameters of
`polyframe.run` for each run. Prints the processor time of each run as JSON in the last line. The first run
imports libraries and loads compiled functions; the others only do the work. A run with `"estimates": false`
computes nothing from memberships: no `iou_others`, and not how sure outlines are.
"""

import json
import resource
import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import polyframe as pf


def main() -> None:
    """Run the job."""
    warnings.simplefilter("ignore", pf.PolyframeWarning)
    job = json.load(sys.stdin)
    taken = []
    for settings in job["runs"]:
        shutil.rmtree(job["output"], ignore_errors=True)
        has_estimates = settings.pop("estimates", True)
        before = _processor_seconds()
        if has_estimates:
            pf.run(job["export"], job["output"], **settings)
        else:
            with _without_estimates():
                pf.run(job["export"], job["output"], **settings)
        taken.append(_processor_seconds() - before)
    print()
    print(json.dumps(taken))


@contextmanager
def _without_estimates() -> Iterator[None]:
    """Replace all that follows from memberships by missing values."""
    # Earlier versions, which this script measures too, do not have these modules.
    import numpy as np

    from polyframe.consensus import reduce
    from polyframe.consensus.membership_figures import MembershipFigures
    from polyframe.geometry.stability import Stability

    def missing(clusters: Any, settings: Any) -> MembershipFigures:
        unknown = np.full(len(clusters.counts), np.nan)
        return MembershipFigures(np.full(len(clusters.members), np.nan), Stability(unknown, unknown, unknown))

    with patch.object(reduce, "membership_figures", missing):
        yield


def _processor_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    main()
