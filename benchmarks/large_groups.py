"""Measure processor time and memory of groups with very many marks; runs above a limit are stopped."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import ours
from inputs import Export
from measuring import BEFORE, Bench, median
from processes import ROOT, Done, LimitError, Limits, ProcessError, run_process
from report import Row

_STAGE_MEMORY = Path(__file__).with_name("stage_memory.py")

#: Runs above these limits are stopped. The earlier version shows its memory long before its end.
_LIMITS = Limits(seconds=300, resident_mb=5000)
_LIMITS_BEFORE = Limits(seconds=120, resident_mb=5000)
#: Runs that take longer are not repeated.
_LONG = 40.0


@dataclass(frozen=True)
class _Group:
    """One group with many marks.

    Attributes
    ----------
    name : str
    export : Export
    key : str
        Of its targets.
    flags : tuple of str
    """

    name: str
    export: Export
    key: str
    flags: tuple[str, ...] = ()

    @property
    def keywords(self) -> dict[str, str]:
        """The flags as keyword parameters."""
        names = [flag.removeprefix("--").replace("-", "_") for flag in self.flags[::2]]
        return dict(zip(names, self.flags[1::2], strict=True))


def groups(bench: Bench) -> None:
    """Measure whole runs on exports with one group each."""
    inputs = bench.inputs
    volunteers = f"{bench.sizes.group:,} volunteers"
    five, one, identical = inputs.group_of_five(), inputs.group_of_one(), inputs.identical()
    keep = ("--duplicate-marks", "keep")
    for group in (
        _Group(f"{five.marks:,} marks of {volunteers}, five objects", five, "5,000 marks"),
        _Group(f"{one.marks:,} marks of {volunteers}, one object", one, "5,000 marks of one object"),
        _Group(
            f"{identical.marks:,} identical marks of {volunteers}", identical, "100,000 identical marks", keep
        ),
    ):
        bench.attempt(group.name, lambda g=group: _measure(bench, g))
        bench.attempt(f"{group.name}, by stage", lambda g=group: _measure_stages(bench, g))


def _measure(bench: Bench, group: _Group) -> None:
    engine = bench.engines[0]
    done: list[Done] = []
    failure = ""
    while len(done) < bench.runs and not failure and not (done and done[0].seconds > _LONG):
        try:
            done.append(bench.whole("run", group.export, "group", engine, *group.flags, limits=_LIMITS))
        except LimitError as error:
            failure = str(error)
        except ProcessError as error:
            bench.report.notes.append(f"{group.name}: {error}")
            failure = "failed"
    note = f"{group.export.described}; one worker. "
    note += f"Stopped above {_LIMITS.seconds:,.0f} s or {_LIMITS.resident_mb:,.0f} MB. "
    note += f"Runs of more than {_LONG:.0f} s are not repeated."
    label = ours.LABELS[engine]
    rows = [
        (Row("groups", f"{group.name}: processor time", label), "", [one.cpu_seconds for one in done]),
        (
            Row("groups", f"{group.name}: resident memory", label, unit="MB"),
            ", memory",
            [one.peak_mb for one in done],
        ),
    ]
    for row, suffix, amounts in rows:
        row.failure, row.note, row.runs = failure, note, {"polyframe": amounts}
        row.ours = median(amounts) if amounts and not failure else None
        bench.add(bench.set_target(row, group.key + suffix))


def _measure_stages(bench: Bench, group: _Group) -> None:
    """Measure the memory of each stage, also of the earlier version."""
    if not Path("/proc/self/clear_refs").exists():
        return
    engine = bench.engines[0]
    peaks, failures = {"": dict[str, float]()}, {"": ""}
    for side, tree in {"": ROOT, **({BEFORE: bench.before} if bench.before else {})}.items():
        settings = {"engine": engine, "workflow_id": group.export.workflow_id, **group.keywords}
        job = json.dumps({"export": str(group.export.path), "settings": settings})
        peaks[side], failures[side] = {}, ""
        try:
            limits = _LIMITS_BEFORE if side else _LIMITS
            done = run_process([sys.executable, str(_STAGE_MEMORY)], text=job, folder=tree, limits=limits)
            stages = [json.loads(line) for line in done.output.splitlines() if line.startswith("{")]
            peaks[side] = {one["stage"]: one["peak_mb"] for one in stages}
        except ProcessError as error:
            failures[side] = str(error)
    for stage in peaks[""] or {"all stages": 0.0}:
        row = Row("groups", f"{group.name}: memory of {stage}", ours.LABELS[engine], unit="MB")
        row.ours, row.failure = peaks[""].get(stage), failures[""]
        row.note = "The largest resident memory while the stage ran, in one process."
        if BEFORE in peaks:
            row.against, row.theirs = BEFORE, peaks[BEFORE].get(stage)
            row.note += f" Before: {failures[BEFORE]}." if failures[BEFORE] else ""
        bench.add(row)
