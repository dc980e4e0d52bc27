"""Measure the processor time of whole runs by kind of outline: whole processes, second runs, and start-up."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import ours
from inputs import Export
from measuring import BEFORE, Bench, median, take_turns
from processes import ROOT
from report import Row
from tables import compare_outputs


@dataclass(frozen=True)
class _Case:
    """Outlines of one kind, and how they are processed.

    Attributes
    ----------
    name : str
        Of the outlines.
    export : Export
    engine : str
    whole : str
        Key of the target of the whole process; empty if there is none.
    second, startup : str or None
        The same for the second run in one process, and for the difference, the start-up; None if a second run
        is not measured.
    """

    name: str
    export: Export
    engine: str
    whole: str = ""
    second: str | None = None
    startup: str = ""


def processor(bench: Bench) -> None:
    """Measure each kind of outline; the tables of both engines, and of both versions, must be the same."""
    cases = _cases(bench)
    for case in cases:
        name = f"{case.name}, {_label(case)}"
        bench.attempt(name, lambda c=case: _measure(bench, c))
    first, *others = cases
    for case in others:
        if case.name == first.name:
            outputs = [_output(bench, c) for c in (first, case)]
            bench.attempt("tables of both engines", lambda pair=outputs: compare_outputs(*pair))


def _cases(bench: Bench) -> list[_Case]:
    inputs, subjects, engine = bench.inputs, bench.sizes.subjects, bench.engines[0]
    synth, traced = inputs.project(subjects), inputs.traced()
    cases = [
        _Case("polyframe synth", synth, engine, "synth", "synth, second run", "synth, start-up"),
        _Case("jittered freehand", inputs.jittered(subjects), engine, "", "jittered, second run"),
        _Case("clicked polygons", inputs.clicked(), engine, "clicked"),
    ]
    if traced:
        cases.append(_Case("stair-shaped outlines of BU-BIL", traced, "auto", "bu-bil", ""))
    else:
        bench.report.notes.append("The outlines of BU-BIL were not measured: ../shared/bu-bil is missing.")
    if "shapely" in bench.engines:
        cases.append(_Case("polyframe synth", synth, "shapely", "synth, without numba"))
    return cases


def _label(case: _Case) -> str:
    return ours.LABELS.get(case.engine, case.engine)


def _output(bench: Bench, case: _Case, side: str = "") -> Path:
    return bench.inputs.folder / f"processor {case.name} {case.engine} {side}".strip().replace(" ", "-")


def _measure(bench: Bench, case: _Case) -> None:
    trees: dict[str, Path] = {"": ROOT} | ({BEFORE: bench.before} if bench.before else {})
    sides: dict[str, Callable[[], float]] = {}
    for side, tree in trees.items():
        # Compiles what this kind of run needs.
        bench.whole("run", bench.inputs.project(1), "startup", case.engine, folder=tree)
        name = _output(bench, case, side).name
        sides[f"whole {side}".strip()] = lambda n=name, t=tree: (
            bench.whole("run", case.export, n, case.engine, folder=t).cpu_seconds
        )
        if case.second is not None:
            runs = [ours.settings(case.export, case.engine)] * 2
            sides[f"second {side}".strip()] = lambda r=runs, t=tree: bench.in_one_process(
                case.export, "second", r, folder=t
            )[0][1]
    # The earlier version only sets the scale, so once must do.
    taken = take_turns(bench.runs, sides, once=[side for side in sides if side.endswith(BEFORE)])
    note = f"{case.export.described}. Processor time: user and system, of all processes."
    if bench.before:
        compared = compare_outputs(_output(bench, case, BEFORE), _output(bench, case))
        same = sum(table.is_identical for table in compared)
        note += f" Of {len(compared)} tables, {same} are identical to those before, the others to 1e-9."
    times = {side: median(seconds) for side, seconds in taken.items()}

    def add(measure: str, key: str, theirs: float | None, mine: float, runs: dict[str, list[float]]) -> None:
        row = Row("processor", f"{case.name}: {measure}", _label(case), ours=mine, note=note, runs=runs)
        if theirs is not None:
            row.against, row.theirs, row.ratio = BEFORE, theirs, theirs / mine
        bench.add(bench.set_target(row, key) if key else row)

    whole, whole_before = times["whole"], times.get(f"whole {BEFORE}")
    add(f"whole process, {case.export.megabytes:,.0f} MB", case.whole, whole_before, whole, taken)
    if case.second is not None:
        second, second_before = times["second"], times.get(f"second {BEFORE}")
        add("second run in one process", case.second, second_before, second, {})
        startup_before = whole_before - second_before if whole_before and second_before else None
        add("start-up: whole less second run", case.startup, startup_before, whole - second, {})
