"""Measure whole runs, each in a new process: scaling, workers, memory."""

import os

from against_reference import REFERENCE, reference_job, run_reference
from compare import compare_files
from measuring import Bench, median, take_turns
from ours import LABELS
from processes import Done, ask_reference
from report import Row, number, seconds


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
    cores, engine = os.cpu_count() or 1, bench.engines[0]
    bench.startup("run", engine)
    for subjects in (bench.sizes.subjects, bench.sizes.scaling[-1]):
        export = bench.inputs.project(subjects)
        taken = take_turns(
            bench.runs,
            {
                f"{n} worker": lambda n=n, e=export: (
                    bench.whole("run", e, f"workers-{n}", engine, jobs=n).seconds
                )
                for n in (1, 2)
            },
        )
        same = compare_files(bench.inputs.folder / "workers-1", bench.inputs.folder / "workers-2")
        one, two = (median(taken[f"{n} worker"]) for n in (1, 2))
        row = Row(
            "workers",
            f"all tables, {subjects:,} subjects, {export.megabytes:,.0f} MB: two workers",
            LABELS[engine],
            "one worker",
            one,
            two,
            one / two,
            note=f"{same}; {cores} cores",
            runs=taken,
        )
        bench.add(bench.set_target(row, "two workers") if subjects == bench.sizes.scaling[-1] else row)


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
    few = bench.sizes.reference_subjects
    for stage, steps, n in (("run", ["extract", "median"], few), ("extract", ["extract"], sizes[1])):
        export = bench.inputs.project(n)
        flags = ["--no-contours"] if stage == "run" else []
        done = bench.whole(stage, export, "ours", engine, *flags, memory=True)
        theirs = run_reference(bench, export, steps, memory=True).done
        bench.add(_memory_row(f"{' + '.join(steps)}, {n:,} subjects", LABELS[engine], done, theirs, note))


def _reference_selection(bench: Bench) -> None:
    export = bench.inputs.light(bench.sizes.selection)
    job = {**reference_job(bench, export, []), "mode": "selection", "copies": [1, 4, 16]}
    answer, _ = ask_reference(bench.reference, job)
    subjects, times = answer["subjects"], answer["seconds"]
    note = (
        "Its reduction without the work on each subject: only selecting a subject's rows from the whole "
        f"table, once for each subject. {export.rows / export.subjects:.1f} classifications a subject. "
        "It ran once."
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
