"""Measure whole runs, each in a new process: extract, reduce, end to end, scaling, workers, memory."""

import os
from typing import Any

from compare import compare_contours, compare_extractions, compare_files, compare_reductions
from inputs import WORKFLOW_ID, Export
from measuring import Bench, median, take_turns
from ours import EPS, LABELS, MIN_SAMPLES
from processes import Done, ask_reference
from report import Row, number, seconds

REFERENCE = "reference"
AVERAGES = ("median", "union", "intersection", "last")


def extract(bench: Bench) -> None:
    """Measure the extraction of marks."""
    export, engine = bench.inputs.project(bench.sizes.subjects), bench.engines[0]
    bench.startup("extract", engine)
    files: dict[str, str] = {}
    worked: list[float] = []

    def theirs() -> float:
        answer, done = _reference(bench, export, "extract")
        files.update(answer["files"])
        worked.append(answer["seconds"]["extract"])
        return done.seconds

    sides = {REFERENCE: theirs, engine: lambda: bench.whole("extract", export, "ours", engine).seconds}
    taken = take_turns(bench.runs, sides)
    same = compare_extractions(bench.inputs.folder / files["extract"], bench.inputs.folder / "ours")
    row = _versus(taken, engine, worked, bench.startup("extract", engine))
    row.part, row.measure, row.least, row.note = "extract", "extract", 20, f"{export.described}; {same}."
    bench.add(row)


def reduce(bench: Bench) -> None:
    """Measure extraction and reduction, for each average."""
    for average in AVERAGES:
        measure = f"extract + reduce ({average})"
        targets = {"fast": 50, "without": 12} if average == "median" else {}
        bench.attempt(measure, lambda a=average, m=measure, t=targets: _chain(bench, "reduce", m, [a], t))


def end_to_end(bench: Bench) -> None:
    """Measure all tables; the reference uses a grid for contours of more than 9 marks."""
    _chain(bench, "end_to_end", "CSV to all tables", ["median", "contours"], {"fast": 120})


def scaling(bench: Bench) -> None:
    """Measure the time by number of subjects: whole runs, and the quadratic part of the reference."""
    engine, sizes = bench.engines[0], bench.sizes.scaling
    exports = {str(n): bench.inputs.project(n) for n in (1, *sizes)}
    bench.startup("run", engine)
    taken = take_turns(
        bench.runs,
        {
            name: lambda e=export: bench.whole("run", e, "ours", engine).seconds
            for name, export in exports.items()
        },
    )
    startup = median(taken["1"])
    times = [median(taken[str(n)]) for n in sizes]
    for n, time in zip(sizes, times, strict=True):
        bench.add(
            Row(
                "scaling",
                f"all tables, {n:,} subjects, {exports[str(n)].megabytes:,.0f} MB",
                LABELS[engine],
                ours=time,
                note=f"Start-up of {seconds(startup)} included.",
                runs={"polyframe": taken[str(n)]},
            )
        )
    for n, time in zip(sizes[1:], times[1:], strict=True):
        factor = n // sizes[0]
        bench.add(
            Row(
                "scaling",
                f"{factor} times the subjects: times the time, without start-up",
                LABELS[engine],
                ratio=(time - startup) / (times[0] - startup),
                most=17 if factor == 16 else None,
                note=f"Without start-up ({seconds(startup)}), which makes the ratio larger; with it "
                f"{sizes[-1] // sizes[0]} times the subjects take {number(times[-1] / times[0])} x the time.",
            )
        )
    bench.attempt("the reference's selection of rows", lambda: _reference_selection(bench))


def workers(bench: Bench) -> None:
    """Measure the same run with one worker and with two."""
    cores = os.cpu_count() or 1
    cases = [(bench.sizes.subjects, engine) for engine in bench.engines]
    cases.append((bench.sizes.scaling[-1], bench.engines[0]))
    for subjects, engine in dict.fromkeys(cases):
        export = bench.inputs.project(subjects)
        bench.startup("run", engine)
        taken = take_turns(
            bench.runs,
            {
                f"{n} worker": lambda n=n, e=export, g=engine: (
                    bench.whole("run", e, f"workers-{n}", g, jobs=n).seconds
                )
                for n in (1, 2)
            },
        )
        same = compare_files(bench.inputs.folder / "workers-1", bench.inputs.folder / "workers-2")
        one, two = (median(taken[f"{n} worker"]) for n in (1, 2))
        bench.add(
            Row(
                "workers",
                f"all tables, {subjects:,} subjects, {export.megabytes:,.0f} MB: two workers",
                LABELS[engine],
                "one worker",
                one,
                two,
                one / two,
                least=1.7 if cores >= 2 else None,
                note=f"{same}; {cores} cores",
                runs=taken,
            )
        )


def memory(bench: Bench) -> None:
    """Measure the peak memory of the whole process tree."""
    note = (
        "Sum over the process and all its descendants, sampled every 20 ms from /proc: anonymous memory "
        "(files mapped into memory, which the system may drop, are in the resident figure only)."
    )
    sizes, engine = bench.sizes.scaling, bench.engines[0]
    bench.startup("run", engine)
    private: dict[int, float] = {}
    cases = [(n, 1) for n in sizes] + [(sizes[-1], 2)]
    for n, jobs in cases:
        export = bench.inputs.project(n)
        done = bench.whole("run", export, "ours", engine, jobs=jobs, memory=True)
        if jobs == 1:
            private[n] = done.peak_private_mb
        measure = f"all tables, {n:,} subjects, {export.megabytes:,.0f} MB, {jobs} worker{'s' * (jobs > 1)}"
        bench.add(
            _memory_row(f"{measure} (resident {number(done.peak_mb)} MB)", LABELS[engine], done, None, note)
        )
    bench.add(
        Row(
            "memory",
            f"{sizes[-1] // sizes[0]} times the subjects: times the memory, 1 worker",
            LABELS[engine],
            ratio=private[sizes[-1]] / private[sizes[0]],
            note=note,
        )
    )
    for stage, steps, n in (("run", ["extract", "median"], sizes[0]), ("extract", ["extract"], sizes[1])):
        export = bench.inputs.project(n)
        flags = ["--no-contours"] if stage == "run" else []
        done = bench.whole(stage, export, "ours", engine, *flags, memory=True)
        _, theirs = _reference(bench, export, *steps, memory=True)
        bench.add(_memory_row(f"{' + '.join(steps)}, {n:,} subjects", LABELS[engine], done, theirs, note))


def _chain(bench: Bench, part: str, measure: str, steps: list[str], targets: dict[str, float]) -> None:
    """Compare extraction and further steps with the reference, which may get fewer subjects."""
    sizes = bench.sizes
    export = bench.inputs.project(sizes.subjects)
    smaller = bench.inputs.project(min(sizes.reference_subjects, sizes.subjects))
    factor = export.subjects / smaller.subjects
    flags = ["--average", steps[0], *([] if "contours" in steps else ["--no-contours"])]
    for engine in bench.engines:
        bench.startup("run", engine)
        bench.whole("run", bench.inputs.project(1), "ours", engine, *flags)  # compiles what these flags need
    files: dict[str, str] = {}
    each: list[dict[str, float]] = []
    worked: list[float] = []
    failures: dict[str, int] = {}
    cores: dict[str, float] = {}

    def theirs() -> float:
        answer, done = _reference(bench, smaller, "extract", *steps)
        files.update(answer["files"])
        each.append(answer["seconds"])
        failures.update(answer["failures"])
        cores[REFERENCE] = done.cpu_seconds / done.seconds
        working = sum(answer["seconds"].values())
        worked.append(working * factor)
        return done.seconds - working + working * factor

    def mine(engine: str) -> float:
        done = bench.whole("run", export, f"ours-{engine}", engine, *flags)
        cores[engine] = done.cpu_seconds / done.seconds
        return done.seconds

    sides: dict[str, Any] = {REFERENCE: theirs, **{e: lambda e=e: mine(e) for e in bench.engines}}
    taken = take_turns(bench.runs, sides)
    steps_text = ", ".join(f"{name} {seconds(median([s[name] for s in each]))}" for name in each[0])
    busy = ", ".join(f"{value:.2f} {LABELS.get(side, side)}" for side, value in cores.items())
    for engine in bench.engines:
        if factor > 1:
            bench.whole("run", smaller, f"ours-{engine}", engine, *flags)
        output = bench.inputs.folder / f"ours-{engine}"
        same = [compare_reductions(bench.inputs.folder / files[steps[0]], output)]
        if "contours" in steps:
            same.append(compare_contours(bench.inputs.folder / files["contours"], output))
        note = f"{export.described}; {'; '.join(same)}. "
        if factor > 1:
            note += (
                f"The reference had {smaller.subjects:,} of these subjects ({steps_text}); its working time, "
                f"not its start-up, is multiplied by {number(factor)}. "
            )
        if "contours" in steps:
            note += "All our contours are exact; the reference takes a grid above 9 marks. "
        for step in steps:
            if failures.get(step):
                note += f"Its {step} function fails on {failures[step]:,} clusters, which were skipped. "
        note += f"Cores kept busy by one worker: {busy}."
        row = _versus(taken, engine, worked, bench.startup("run", engine))
        row.part, row.measure, row.engine, row.note = part, measure, LABELS[engine], note
        row.least = targets.get(LABELS[engine])
        bench.add(row)


def _versus(taken: dict[str, list[float]], engine: str, worked: list[float], startup: float) -> Row:
    """Return a row that compares an engine with the reference, with and without start-up."""
    theirs, mine = median(taken[REFERENCE]), median(taken[engine])
    return Row(
        part="",
        measure="",
        against=REFERENCE,
        theirs=theirs,
        ours=mine,
        ratio=theirs / mine,
        # Not if the run is hardly longer than the start-up.
        working=median(worked) / (mine - startup) if mine > 1.1 * startup else None,
        runs={REFERENCE: taken[REFERENCE], "polyframe": taken[engine]},
        in_plot=True,
    )


def _reference(
    bench: Bench, export: Export, *steps: str, memory: bool = False
) -> tuple[dict[str, Any], Done]:
    """Run the reference in a new process."""
    _warm_reference(bench)
    return ask_reference(bench.reference, _job(bench, export, *steps), memory=memory)


def _warm_reference(bench: Bench) -> None:
    """Run the reference on one subject, so that its libraries are cached; note its start-up."""
    if not bench.reference_is_warm:
        bench.reference_is_warm = True
        job = _job(bench, bench.inputs.project(1), "extract")
        times = [ask_reference(bench.reference, job)[1].seconds for _ in range(4)]
        bench.report.notes.append(
            f"The reference's start-up, part of its whole runs: {seconds(median(times[1:]))}"
        )


def _job(bench: Bench, export: Export, *steps: str) -> dict[str, Any]:
    return {
        "mode": "run",
        "steps": steps,
        "export": str(export.path),
        "folder": str(bench.inputs.new_folder("theirs")),
        "workflow_id": WORKFLOW_ID,
        "workflow_version": export.workflow_version,
        "eps": EPS,
        "min_samples": MIN_SAMPLES,
    }


def _reference_selection(bench: Bench) -> None:
    export = bench.inputs.light(bench.sizes.selection)
    job = {**_job(bench, export), "mode": "selection", "copies": [1, 4, 16]}
    answers = [ask_reference(bench.reference, job)[0] for _ in range(bench.runs)]
    subjects = answers[0]["subjects"]
    times = [median([answer["seconds"][k] for answer in answers]) for k in range(len(subjects))]
    note = (
        "Its reduction without the work on each subject: only selecting a subject's rows from the whole "
        f"table, once for each subject. {export.rows / export.subjects:.1f} classifications a subject."
    )
    for n, time in zip(subjects, times, strict=True):
        bench.add(
            Row(
                "scaling",
                f"the reference's selection of rows, {n:,} subjects",
                "",
                REFERENCE,
                time,
                note=note,
            )
        )
    for n, time in zip(subjects[1:], times[1:], strict=True):
        measure = f"the reference's selection of rows, {n // subjects[0]} times the subjects: times the time"
        bench.add(Row("scaling", measure, "", REFERENCE, ratio=time / times[0], note=note))


def _memory_row(measure: str, label: str, mine: Done, theirs: Done | None, note: str) -> Row:
    row = Row("memory", measure, label, ours=mine.peak_private_mb, unit="MB", note=note)
    row.runs["resident"] = [mine.peak_mb]
    if theirs:
        row.against, row.theirs = REFERENCE, theirs.peak_private_mb
        row.ratio = theirs.peak_private_mb / mine.peak_private_mb
        row.runs["reference resident"] = [theirs.peak_mb]
    return row
