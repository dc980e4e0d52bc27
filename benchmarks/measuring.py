"""Run the parts of the benchmark: take turns, compute medians, measure start-up and report failures."""

import statistics
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import ours
from compare import ResultsDifferError
from inputs import Export, Inputs, Sizes
from processes import Done, ProcessError, run_process
from report import Report, Row, number, seconds

#: Calls of a function are repeated until they take this long in total.
_LEAST_SECONDS = 0.3


@dataclass
class Bench:
    """One call of the benchmark.

    Attributes
    ----------
    inputs, sizes : Inputs, Sizes
    engines : list of str
        Engines to measure.
    reference : str
        A Python with the reference tool.
    runs : int
        How often the sides take turns.
    report : Report
    quick : bool
        Whether the input is tiny; targets do not apply then.
    reference_is_warm : bool
        Whether the reference has run before, so that its libraries are cached.
    """

    inputs: Inputs
    sizes: Sizes
    engines: list[str]
    reference: str
    runs: int
    report: Report
    quick: bool = False
    reference_is_warm: bool = False
    _startups: dict[tuple[str, str], float] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Add a row to the report, and print it."""
        if self.quick:
            row.least = row.most = None
        self.report.rows.append(row)
        left = f"{seconds(row.ours, row.unit)} {row.engine}".strip() or "-"
        right = f" | {row.against} {seconds(row.theirs, row.unit)}".rstrip() if row.against else ""
        ratio = f" | ratio {number(row.ratio)}" if row.ratio is not None else ""
        if row.working is not None:
            ratio += f", {number(row.working)} without start-up"
        met = {None: "", True: f" ({row.target}: met)", False: f" ({row.target}: NOT MET)"}[row.met]
        print(f"  {row.measure}: {left}{right}{ratio}{met}", flush=True)

    def attempt(self, name: str, work: Callable[[], Any]) -> None:
        """Run a part; report an error and continue."""
        try:
            work()
        except ResultsDifferError as error:
            self._problem(f"RESULTS DIFFER in {name}: {error}")
        except ProcessError as error:
            self._problem(f"FAILED: {name}: {error}")
        except Exception as error:
            traceback.print_exc()
            self._problem(f"FAILED: {name}: {type(error).__name__}: {error}")

    def startup(self, stage: str, engine: str) -> float:
        """Return the time of a command on an export of one subject; this also warms the caches."""
        if (stage, engine) not in self._startups:
            export, output = self.inputs.project(1), self.inputs.folder / "startup"
            command = ours.command(stage, export, output, engine)
            times = [run_process(command).seconds for _ in range(1 + max(3, self.runs))]
            self._startups[stage, engine] = statistics.median(times[1:])
            self.report.notes.append(
                f"`polyframe {stage}`, {ours.LABELS[engine]}, on one subject takes "
                f"{seconds(self._startups[stage, engine])}: start-up, part of every whole run "
                f"(the very first call took {seconds(times[0])})"
            )
        return self._startups[stage, engine]

    def whole(self, stage: str, export: Export, name: str, engine: str, *flags: str, **options: Any) -> Done:
        """Run polyframe in a new process; its output directory is `name` in the work folder."""
        output = self.inputs.new_folder(name)
        command = ours.command(stage, export, output, engine, *flags, jobs=options.pop("jobs", 1))
        return run_process(command, **options)

    def _problem(self, text: str) -> None:
        print(f"\n!!! {text}\n", flush=True)
        self.report.problems.append(text)


def take_turns(runs: int, sides: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Run the sides in turns; return the seconds of each run."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(runs):
        for name, work in sides.items():
            taken[name].append(work())
    return taken


def median(values: list[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def seconds_of(function: Callable[..., Any], *arguments: Any) -> float:
    """Return the median time of the calls that fit into a third of a second."""
    times: list[float] = []
    while not times or (sum(times) < _LEAST_SECONDS and len(times) < 1000):
        start = time.perf_counter()
        function(*arguments)
        times.append(time.perf_counter() - start)
    return statistics.median(times)
