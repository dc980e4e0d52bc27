"""Run polyframe several times in one process, for the benchmark; executed in a new process, not imported.

Reads a job as JSON from standard input: `export`, `output`, and `runs`, the keyword parameters of
`polyframe.run` for each run. Prints the processor time of each run as JSON in the last line. The first run
imports libraries and loads compiled functions; the others only do the work.
"""

import json
import resource
import shutil
import sys
import warnings

import polyframe as pf


def main() -> None:
    """Run the job."""
    warnings.simplefilter("ignore", pf.PolyframeWarning)
    job = json.load(sys.stdin)
    taken = []
    for settings in job["runs"]:
        shutil.rmtree(job["output"], ignore_errors=True)
        before = _processor_seconds()
        pf.run(job["export"], job["output"], **settings)
        taken.append(_processor_seconds() - before)
    print()
    print(json.dumps(taken))


def _processor_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    main()
