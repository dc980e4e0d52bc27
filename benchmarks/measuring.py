"""Run the parts of the benchmark: take turns, compute medians, measure start-up and report failures."""

import json
import math
import statistics
import sys
import time
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import ours
from compare import ResultsDifferError
from inputs import Export, Inputs, Sizes
from processes import ROOT, Done, ProcessError, run_process
from report import Report, Row, number, seconds
from targets import TARGETS

from polyframe.cli import app

#: The other side of rows that compare with an earlier version.
BEFORE = "before"
_SECOND_RUN = Path(__file__).with_name("second_run.py")
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
        Whether the input is tiny; targets do not apply then. This process does what needs no process of its
        own, since those of tiny inputs take most of their time to start.
    before : Path or None
        The source tree of an earlier version, which is measured too.
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
    before: Path | None = None
    reference_is_warm: bool = False
    _startups: dict[tuple[str, str], float] = field(default_factory=dict)
    _speeds: list[float] = field(default_factory=list)

    def add(self, row: Row) -> None:
        """Add a row to the report, and print it."""
        if self.quick:
            row.least = row.most = row.most_ours = None
        self.report.rows.append(row)
        left = f"{row.failure or seconds(row.ours, row.unit)} {row.engine}".strip() or "-"
        right = f" | {row.against} {seconds(row.theirs, row.unit)}".rstrip() if row.against else ""
        ratio = f" | ratio {number(row.ratio)}" if row.ratio is not None else ""
        if row.working is not None:
            ratio += f", {number(row.working)} without start-up"
        met = {None: "", True: f" ({row.target}: met)", False: f" ({row.target}: NOT MET)"}[row.met]
        print(f"  {row.measure}: {left}{right}{ratio}{met}", flush=True)

    def set_target(self, row: Row, key: str) -> Row:
        """Set the target of a row, and remember the speed of this machine for others."""
        set_target(row, key, self._speeds)
        before = TARGETS[key].before
        if row.against == BEFORE and row.theirs and before:
            self._speeds.append(row.theirs / before)
        return row

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
            times = [self._run(command).seconds for _ in range(1 if self.quick else 4)]
            self._startups[stage, engine] = statistics.median(times[1:] or times)
            self.report.notes.append(
                f"`polyframe {stage}`, {ours.LABELS[engine]}, on one subject takes "
                f"{seconds(self._startups[stage, engine])}: start-up, part of every whole run "
                f"(the very first call took {seconds(times[0])})"
            )
        return self._startups[stage, engine]

    def whole(
        self, stage: str, export: Export, name: str, engine: str, *flags: str, jobs: int = 1, **options: Any
    ) -> Done:
        """Run polyframe in a new process; its output directory is `name` in the work folder."""
        output = self.inputs.new_folder(name)
        return self._run(ours.command(stage, export, output, engine, *flags, jobs=jobs), **options)

    def in_one_process(
        self, export: Export, name: str, runs: list[dict[str, Any]], **options: Any
    ) -> tuple[list[float], Done]:
        """Run polyframe several times in a new process, with these settings; return the processor times."""
        job = {"export": str(export.path), "output": str(self.inputs.new_folder(name)), "runs": runs}
        if self.quick and _is_alone(options):
            from second_run import run_all  # not on Windows

            return run_all(job), Done(*[math.nan] * 4, "")
        done = run_process([sys.executable, str(_SECOND_RUN)], text=json.dumps(job), **options)
        return json.loads(done.output.splitlines()[-1]), done

    def _run(self, command: list[str], **options: Any) -> Done:
        """Run a command of polyframe in a new process; in this one if the input is tiny."""
        if self.quick and _is_alone(options):
            return _run_here(command)
        return run_process(command, **options)

    def _problem(self, text: str) -> None:
        print(f"\n!!! {text}\n", flush=True)
        self.report.problems.append(text)


def _is_alone(options: Mapping[str, Any]) -> bool:
    """Return whether a process has this version of polyframe, and is neither measured nor limited."""
    return options.keys() <= {"folder"} and options.get("folder", ROOT) == ROOT


def _run_here(command: Sequence[str]) -> Done:
    """Run a command of polyframe in this process."""
    cpu, start = time.process_time(), time.perf_counter()
    with patch.object(sys, "argv", ["polyframe", *command[3:]]):  # without `python -m polyframe`
        try:
            app.main()
        except SystemExit as end:
            if end.code:
                raise ProcessError(f"polyframe ended with {end.code}") from None
    return Done(time.perf_counter() - start, time.process_time() - cpu, math.nan, math.nan, "")


def set_target(row: Row, key: str, speeds: Sequence[float] = ()) -> Row:
    """Set the target of a row; an amount of time is adjusted to this machine if that is known.

    Parameters
    ----------
    row : Row
        If it compares with an earlier version, that gives the speed of this machine.
    key : str
    speeds : sequence of float
        How many times as long as there the earlier version took here, in other rows.
    """
    target = TARGETS[key]
    row.key, row.least, row.most, row.most_ours = key, target.least_ratio, target.most_ratio, target.most
    if target.most and row.unit == "s":
        if row.against == BEFORE and row.theirs and target.before:
            speeds = [row.theirs / target.before]
        if speeds:
            row.most_ours, row.adjusted_from = target.most * median(list(speeds)), target.most
    return row


def take_turns(
    runs: int, sides: dict[str, Callable[[], float]], once: Collection[str] = ()
) -> dict[str, list[float]]:
    """Run the sides in turns, some only in the first turn; return the seconds of each run."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(runs):
        for name, work in sides.items():
            if turn == 0 or name not in once:
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
