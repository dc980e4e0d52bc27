"""Run polyframe several times in one process, for the benchmark; a new one, unless the input is tiny.

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
    taken = run_all(json.load(sys.stdin))
    print()
    print(json.dumps(taken))


def run_all(job: dict[str, Any]) -> list[float]:
    """Return the processor time of each run of a job."""
    warnings.simplefilter("ignore", pf.PolyframeWarning)
    taken = []
    for settings in job["runs"]:
        shutil.rmtree(job["output"], ignore_errors=True)
        keywords = dict(settings)
        has_estimates = keywords.pop("estimates", True)
        before = _processor_seconds()
        if has_estimates:
            pf.run(job["export"], job["output"], **keywords)
        else:
            with _without_estimates():
                pf.run(job["export"], job["output"], **keywords)
        taken.append(_processor_seconds() - before)
    return taken


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
