"""Measure polyframe against panoptes_aggregation 5.3.1, side by side, in one command.

    python benchmarks/run.py                 # everything; the reference gets a smaller input where it is slow
    python benchmarks/run.py --full          # the same, the reference gets the whole input: hours
    python benchmarks/run.py --quick         # tiny input, to see that all of it works

See benchmarks/README.md.
"""

import argparse
import dataclasses
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import against_reference
import estimates
import first_runs
import kernels
import large_groups
import ours
import processor_time
import whole_runs
from floor import floor
from inputs import QUICK, Inputs, Sizes
from measuring import Bench
from processes import ROOT, ask_reference, reference_python
from report import Report, commit_of, describe_machine, plot

FOLDER = Path(__file__).resolve().parent

PARTS: dict[str, Callable[[Bench], None]] = {
    "processor": processor_time.processor,
    "first": first_runs.first,
    "estimates": estimates.estimates,
    "groups": large_groups.groups,
    "extract": against_reference.extract,
    "reference": against_reference.reference,
    "contours": kernels.contours,
    "scaling": whole_runs.scaling,
    "workers": whole_runs.workers,
    "memory": whole_runs.memory,
    "floor": floor,
    "kernels": kernels.kernels,
}


def main() -> int:
    """Run the chosen parts; return 1 if results differ or something failed, otherwise 0."""
    arguments = _arguments()
    sizes = _sizes(arguments)
    python = reference_python()
    setup = {"runs": arguments.runs, **({"size": "quick"} if arguments.quick else {})}
    if arguments.full:
        setup["size"] = "full"
    report = Report(setup, describe_machine(), ask_reference(python, {"mode": "versions"})[0])
    if arguments.before:
        report.setup["before"] = commit_of(arguments.before)
    inputs = Inputs(arguments.work, sizes)
    engines = [engine for engine in ours.engines() if engine in arguments.engines]
    if not engines:
        print(f"none of the engines {', '.join(arguments.engines)} can be used here", file=sys.stderr)
        return 2
    bench = Bench(inputs, sizes, engines, python, arguments.runs, report, arguments.quick, arguments.before)
    if "compiled" not in engines:
        report.notes.append("The extra `fast` was not measured: numba is missing, or --engines omits it.")
    print(report.described, flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that the input is removed
    try:
        for name in arguments.parts:
            print(f"\n{name}", flush=True)
            start = time.perf_counter()
            bench.attempt(name, lambda part=PARTS[name]: part(bench))
            print(f"  ({time.perf_counter() - start:.0f} s)", flush=True)
            report.save(arguments.out)
        plot(report, arguments.out / "ratios.png")
    finally:
        if not arguments.keep:
            inputs.remove()
    print(f"\n{report.markdown()}")
    missed = [f"{row.measure} {row.engine}".strip() for row in report.rows if row.met is False]
    if missed:
        print("below target: " + "; ".join(missed))
    for problem in report.problems:
        print(f"!!! {problem}", file=sys.stderr)
    return 1 if report.problems else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parts = ",".join(PARTS)
    parser.add_argument("--parts", default=parts, help=f"some of {parts}")
    parser.add_argument("--runs", type=int, help="how often the sides take turns (3; with --quick 1)")
    parser.add_argument(
        "--quick", action="store_true", help="tiny input: shows that it works, measures nothing"
    )
    parser.add_argument("--full", action="store_true", help="give the reference the whole input: hours")
    parser.add_argument("--subjects", type=int, help="subjects of the project (300)")
    parser.add_argument("--reference-subjects", type=int, help="how many of them the reference reduces (30)")
    parser.add_argument("--engines", default="compiled,shapely", help="some of compiled,shapely")
    parser.add_argument("--out", type=Path, help="where results.json, results.md and ratios.png go")
    parser.add_argument(
        "--before", type=Path, help="the source tree of an earlier version, to measure it in turns"
    )
    parser.add_argument("--work", type=Path, help="folder for generated input (benchmarks/work)")
    parser.add_argument("--keep", action="store_true", help="keep the generated input and output")
    arguments = parser.parse_args()
    arguments.parts, arguments.engines = arguments.parts.split(","), arguments.engines.split(",")
    for kind, known in (("parts", PARTS), ("engines", ours.LABELS)):
        unknown = [name for name in getattr(arguments, kind) if name not in known]
        if unknown:
            parser.error(f"--{kind}: {unknown[0]!r} is not one of {', '.join(known)}")
    arguments.runs = arguments.runs or (1 if arguments.quick else 3)
    # A quick run must not replace measured results.
    folder = FOLDER / ("results-quick" if arguments.quick else "results")
    arguments.out = (arguments.out or folder).resolve()
    arguments.work = (arguments.work or FOLDER / "work").resolve()
    if arguments.before:
        arguments.before = arguments.before.resolve()
        if not (arguments.before / "polyframe").is_dir():
            parser.error(f"--before: {arguments.before} is not a source tree of polyframe")
    return arguments


def _sizes(arguments: argparse.Namespace) -> Sizes:
    sizes = QUICK if arguments.quick else Sizes()
    if arguments.subjects:
        sizes = dataclasses.replace(sizes, subjects=arguments.subjects)
    subjects = arguments.reference_subjects or sizes.reference_subjects
    if arguments.full:
        subjects = sizes.subjects
    return dataclasses.replace(sizes, reference_subjects=min(subjects, sizes.subjects))


if __name__ == "__main__":
    if not (ROOT / "polyframe").is_dir():
        raise SystemExit("run this from a clone of polyframe")
    raise SystemExit(main())
