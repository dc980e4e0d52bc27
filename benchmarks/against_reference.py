"""Compare whole runs with the reference: extraction, extraction + reduction, and all tables."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compare import compare_contours, compare_extractions, compare_reductions
from inputs import WORKFLOW_ID, Export
from measuring import Bench, median, take_turns
from ours import EPS, LABELS, MIN_SAMPLES
from processes import Done, ask_reference
from report import Row, number, seconds

REFERENCE = "reference"
#: Measured once, with polyframe's own generator.
OTHER_AVERAGES = ("union", "intersection", "last")
#: Targets without the extra `fast`, or of the extraction.
_LEAST_EXTRACT, _LEAST_WITHOUT = 20, 12


@dataclass(frozen=True)
class Answer:
    """One run of the reference in a new process.

    Attributes
    ----------
    done : Done
    steps : dict of str to float
        Seconds of each step, without imports.
    files : dict of str to Path
        The table that each step wrote.
    failures : dict of str to int
        Clusters on which a step failed.
    """

    done: Done
    steps: dict[str, float]
    files: dict[str, Path]
    failures: dict[str, int]

    @property
    def startup(self) -> float:
        return self.done.seconds - sum(self.steps.values())


def extract(bench: Bench) -> None:
    """Measure the extraction of marks."""
    export, engine = bench.inputs.project(bench.sizes.subjects), bench.engines[0]
    startup = bench.startup("extract", engine)
    answers: list[Answer] = []

    def theirs() -> float:
        answers.append(run_reference(bench, export, ["extract"]))
        return answers[-1].done.seconds

    sides = {REFERENCE: theirs, engine: lambda: bench.whole("extract", export, "ours", engine).seconds}
    taken = take_turns(bench.runs, sides)
    same = compare_extractions(answers[-1].files["extract"], bench.inputs.folder / "ours")
    worked = median([answer.steps["extract"] for answer in answers])
    row = _versus(median(taken[REFERENCE]) - worked, worked, taken[engine], startup)
    row.part, row.measure, row.least = "extract", "extract", _LEAST_EXTRACT
    row.runs[REFERENCE], row.note, row.in_plot = taken[REFERENCE], f"{export.described}; {same}.", True
    bench.add(row)


def reference(bench: Bench) -> None:
    """Measure extraction + reduction, and all tables, on the outlines of two generators."""
    inputs = bench.inputs
    bench.attempt("polyframe synth", lambda: _chain(bench, "synth", inputs.project, bench.engines))
    bench.attempt("jittered", lambda: _chain(bench, "jittered", inputs.jittered, bench.engines[:1]))


def run_reference(
    bench: Bench, export: Export, steps: list[str], *, folder: str = "theirs", memory: bool = False
) -> Answer:
    """Run the reference in a new process; its tables are in a folder of this name."""
    _warm_reference(bench)
    answer, done = ask_reference(bench.reference, reference_job(bench, export, steps, folder), memory=memory)
    files = {step: bench.inputs.folder / path for step, path in answer["files"].items()}
    return Answer(done, answer["seconds"], files, answer["failures"])


def reference_job(bench: Bench, export: Export, steps: list[str], folder: str = "theirs") -> dict[str, Any]:
    """Return the job for `reference_side.py`."""
    return {
        "mode": "run",
        "steps": steps,
        "export": str(export.path),
        "folder": str(bench.inputs.new_folder(folder)),
        "workflow_id": WORKFLOW_ID,
        "workflow_version": export.workflow_version,
        "eps": EPS,
        "min_samples": MIN_SAMPLES,
    }


def _warm_reference(bench: Bench) -> None:
    """Run the reference on one subject, so that its libraries are cached; note its start-up."""
    if not bench.reference_is_warm:
        bench.reference_is_warm = True
        job = reference_job(bench, bench.inputs.project(1), ["extract"])
        times = [ask_reference(bench.reference, job)[1].seconds for _ in range(1 if bench.quick else 4)]
        bench.report.notes.append(
            f"The reference's start-up, part of its whole runs: {seconds(median(times[1:] or times))}"
        )


def _chain(bench: Bench, name: str, project: Callable[[int], Export], engines: list[str]) -> None:
    """Compare the chain of steps on the outlines of one generator; the reference may get fewer subjects.

    Only the first run of the reference makes contours, which take most of its time, and other averages. Only
    the first engine takes part in all turns.
    """
    sizes = bench.sizes
    export, smaller = project(sizes.subjects), project(min(sizes.reference_subjects, sizes.subjects))
    generator = {"synth": "polyframe synth", "jittered": "jittered freehand"}[name]
    others = OTHER_AVERAGES if name == "synth" else ()
    answers: list[Answer] = []

    def theirs() -> float:
        steps = ["extract", "median"] + ([] if answers else ["contours", *others])
        answers.append(run_reference(bench, smaller, steps, folder="theirs" if answers else "theirs-first"))
        return answers[-1].done.seconds

    sides: dict[str, Callable[[], float]] = {REFERENCE: theirs}
    for engine in engines:
        bench.startup("run", engine)
        bench.whole("run", bench.inputs.project(1), "ours", engine, *_flags(["median"]))  # compiles
        for steps in (["median"], ["median", "contours"]):
            sides[f"{engine} {steps[-1]}"] = lambda e=engine, s=steps: (
                bench.whole("run", export, "ours", e, *_flags(s)).seconds
            )
    once = [f"{engine} {step}" for engine in engines[1:] for step in ("median", "contours")]
    taken = take_turns(bench.runs, sides, once)
    for engine in engines:
        for part, measure, steps in (
            ("reduce", "extract + reduce", ["median"]),
            ("end_to_end", "all tables", ["median", "contours"]),
        ):
            row = _against_reference(bench, export, smaller, answers, steps, engine, taken)
            row.part, row.measure, row.in_plot = part, f"{measure}, {generator}", True
            if engine != engines[0]:
                row.note += " Measured once."
            if engine == "compiled":
                bench.set_target(row, f"{name}, {measure}")
            elif part == "reduce":
                row.least = _LEAST_WITHOUT
            bench.add(row)
        for average in others if engine == engines[0] else ():
            seconds_of_run = bench.whole("run", export, "ours", engine, *_flags([average])).seconds
            taken[f"{engine} {average}"] = [seconds_of_run]
            row = _against_reference(bench, export, smaller, answers, [average], engine, taken)
            row.part, row.measure = "reduce", f"extract + reduce ({average}), {generator}"
            row.note += " Measured once."
            bench.add(row)


def _flags(steps: list[str]) -> list[str]:
    return ["--average", steps[0], *([] if "contours" in steps else ["--no-contours"])]


def _against_reference(
    bench: Bench,
    export: Export,
    smaller: Export,
    answers: list[Answer],
    steps: list[str],
    engine: str,
    taken: dict[str, list[float]],
) -> Row:
    """Compare the results on the smaller export; return a row with the times on the whole one."""
    factor = export.subjects / smaller.subjects
    bench.whole("run", smaller, "ours-smaller", engine, *_flags(steps))
    output = bench.inputs.folder / "ours-smaller"
    same = [compare_reductions(answers[0].files[steps[0]], output)]
    if "contours" in steps:
        same.append(compare_contours(answers[0].files["contours"], output))
    by_step = {step: [answer.steps[step] for answer in answers if step in answer.steps] for step in steps}
    by_step = {"extract": [answer.steps["extract"] for answer in answers], **by_step}
    working = sum(median(times) for times in by_step.values())
    steps_text = ", ".join(f"{step} {seconds(median(times))}" for step, times in by_step.items())
    note = f"{export.described}; {'; '.join(same)}. "
    if factor > 1:
        note += (
            f"The reference had {smaller.subjects:,} of these subjects ({steps_text}); its working time, "
            f"not its start-up, is multiplied by {number(factor)}. "
        )
    if "contours" in steps:
        note += "It made contours once, on a grid above 9 marks; all our contours are exact. "
    for step in steps:
        failures = answers[0].failures.get(step)
        if failures:
            note += f"Its {step} function fails on {failures:,} clusters, which were skipped. "
    row = _versus(
        median([answer.startup for answer in answers]),
        working * factor,
        taken[f"{engine} {steps[-1]}"],
        bench.startup("run", engine),
    )
    row.engine, row.note = LABELS[engine], note.strip()
    row.runs |= {f"reference {step}": times for step, times in by_step.items()}
    return row


def _versus(their_startup: float, their_work: float, ours: list[float], our_startup: float) -> Row:
    """Return a row that compares polyframe with the reference, with and without start-up."""
    mine = median(ours)
    return Row(
        part="",
        measure="",
        against=REFERENCE,
        theirs=their_startup + their_work,
        ours=mine,
        ratio=(their_startup + their_work) / mine,
        # Not if the run is hardly longer than the start-up.
        working=their_work / (mine - our_startup) if mine > 1.1 * our_startup else None,
        runs={"polyframe": ours},
    )
