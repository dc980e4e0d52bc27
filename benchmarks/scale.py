"""Measure large exports: time, memory and disk of each stage, for exports of 1 and 10 GB.

    python benchmarks/scale.py                       # 1 and 10 GB, generated and removed again; 15 minutes
    python benchmarks/scale.py --gigabytes 0.1,0.2   # to see that it works

Each line is a new process with two workers. Memory is the sum over the process and all its descendants,
sampled every 20 ms from /proc: resident memory, and its anonymous part (without memory-mapped files, which
the system may drop). An export of several GB is a generated one of 1 GB, repeated with other subjects. Prints
a table and saves it as `results/scale.md`. Exit code 1 if the peak of the larger export is more than 15 %
above that of the smaller one, or a run does not work as expected.
"""

import argparse
import re
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import ours
import polars as pl
from inputs import EXAMPLE
from processes import ROOT, Done, run_process
from report import describe_machine
from targets import TARGETS, Target

import polyframe as pf
from polyframe.synthetic import SynthOptions, write_export

FOLDER = Path(__file__).resolve().parent
#: Average size of a subject: 15 volunteers, up to 3 objects, outlines of about 350 vertices.
BYTES_PER_SUBJECT = 162_000
GROWTH = 1.15
#: With larger exports, only the run and its repetition are measured, unless --all-steps.
ALL_STEPS_UP_TO = 5.0
#: Larger exports repeat a generated one of this size.
GENERATED_UP_TO = 2.0
_COMMAND = "from polyframe.cli.app import main; main()"
MOST_RESIDENT = 2000.0
_PARTITIONS = re.compile(r"\bpartitions? processed")


@dataclass(frozen=True)
class Line:
    """One measured command.

    Attributes
    ----------
    gigabytes : float
        Size of the export.
    name : str
        The command.
    done : Done
        Time and memory.
    output_mb, temporary_mb : float
        Size on disk of the output directory, and of temporary files during the run.
    partitions : str
        The printed line about partitions.
    is_before : bool
        Whether an earlier version was measured.
    """

    gigabytes: float
    name: str
    done: Done
    output_mb: float
    temporary_mb: float
    partitions: str
    is_before: bool = False


def main() -> int:
    """Measure all sizes."""
    arguments = _arguments()
    work = Path(arguments.folder)
    work.mkdir(parents=True, exist_ok=True)
    lines: list[Line] = []
    try:
        for tree in filter(None, (ROOT, arguments.before)):
            _compile(tree, work / "out", arguments.engine)
        for gigabytes in arguments.gigabytes:
            export = work / f"export-{gigabytes:g}.csv"
            if not export.exists():
                make_export(export, gigabytes)
            for line in _measure(export, work / "out", arguments, is_first=not lines):
                lines.append(line)
                print(_row(line), flush=True)
            if not arguments.keep:
                export.unlink()
    finally:
        shutil.rmtree(work / "out", ignore_errors=True)
        if not arguments.keep:
            shutil.rmtree(work, ignore_errors=True)
    problems = _problems(lines)
    text = _table(lines, arguments, problems)
    if not arguments.dry:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "scale.md").write_text(text, encoding="utf-8")
    print(text)
    return int(bool(problems))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--gigabytes", type=lambda text: [float(part) for part in text.split(",")], default=[1, 10]
    )
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--folder", default=str(FOLDER / "work" / "scale"))
    parser.add_argument("--keep", action="store_true", help="keep the exports, and use existing ones")
    parser.add_argument(
        "--all-steps", action="store_true", help="measure all stages of the largest export, too"
    )
    parser.add_argument(
        "--before", type=Path, help="the source tree of an earlier version, to run it on the first export"
    )
    parser.add_argument("--out", type=Path, default=FOLDER / "results", help="folder for scale.md")
    parser.add_argument("--dry", action="store_true", help="do not save the table")
    chosen = parser.parse_args()
    chosen.before = chosen.before and chosen.before.resolve()
    return chosen


def _compile(tree: Path, output: Path, engine: str) -> None:
    """Compile what the runs need: `auto` does not for a small export."""
    engine = ours.engines()[0] if engine == "auto" else engine
    shutil.rmtree(output, ignore_errors=True)
    arguments = ["run", str(EXAMPLE), "-o", str(output), "--engine", engine, "--quiet"]
    run_process([sys.executable, "-c", _COMMAND, *arguments], folder=tree)


def make_export(export: Path, gigabytes: float) -> None:
    """Generate an export, or repeat a generated one."""
    start = time.perf_counter()
    copies = 1 if gigabytes <= GENERATED_UP_TO else round(gigabytes)
    block = export if copies == 1 else export.with_name("block.csv")
    options = SynthOptions(
        subjects=round(gigabytes / copies * 1e9 / BYTES_PER_SUBJECT),
        volunteers=15,
        vertices=350,
        polygon_share=0.0,
        old_share=0.0,
        frames=1,
        seed=4,
    )
    rows = write_export(block, options).rows
    if copies > 1:
        repeat_export(block, export, copies)
        block.unlink()
    seconds = time.perf_counter() - start
    print(f"{rows * copies:,} rows, {export.stat().st_size / 1e9:.2f} GB, {seconds:.0f} s to generate")


def repeat_export(block: Path, export: Path, copies: int) -> None:
    """Write an export of `polyframe synth` several times, each time with other IDs."""
    ids = pl.scan_csv(block).select("classification_id", "subject_ids")
    first, last = (ids.select(at).collect().row(0) for at in (pl.all().min(), pl.all().max()))
    classifications, subjects = (end - start + 1 for start, end in zip(first, last, strict=True))
    with block.open("rb") as source, export.open("wb") as target:
        target.write(source.readline())
        header = source.tell()
        for copy in range(copies):
            source.seek(header)
            target.writelines(_shifted(source, copy * classifications, copy * subjects))


def _shifted(lines: Iterator[bytes], classifications: int, subjects: int) -> Iterator[bytes]:
    """Add to the IDs of classifications and subjects; images are named for their subject."""
    for line in lines:
        classification, _, rest = line.partition(b",")
        subject = line[line.rindex(b",") + 1 : -1]
        about_subject = rest.rindex(b',"{""' + subject)
        yield b"%d,%b%b" % (
            int(classification) + classifications,
            rest[:about_subject],
            rest[about_subject:].replace(subject, b"%d" % (int(subject) + subjects)),
        )


def _measure(export: Path, output: Path, arguments: argparse.Namespace, *, is_first: bool) -> list[Line]:
    """Measure a whole run, an unchanged run, another eps, and the single stages."""
    gigabytes = export.stat().st_size / 1e9
    jobs = ["--jobs", str(arguments.jobs)]
    flags = [*jobs, "--engine", arguments.engine]
    run = ["run", str(export), "-o", str(output), *flags]
    steps = {
        "run": run,
        "run, nothing new": run,
        "run, another eps": [*run, "--eps", "0.4"],
        "extract": ["extract", str(export), "-o", str(output), *jobs],
        "reduce": ["reduce", str(output), *flags],
        "contours": ["contours", str(output), *flags],
    }
    if gigabytes > ALL_STEPS_UP_TO and not arguments.all_steps:
        steps = {name: steps[name] for name in ("run", "run, nothing new")}
    cases = [(name, command, ROOT) for name, command in steps.items()]
    if arguments.before and is_first:
        cases.insert(0, ("run", run, arguments.before))
    lines = []
    for name, command, tree in cases:
        if name in ("run", "extract"):
            shutil.rmtree(output, ignore_errors=True)
        done = run_process([sys.executable, "-c", _COMMAND, *command], memory=True, folder=tree)
        partitions = next(line for line in done.output.splitlines() if _PARTITIONS.search(line))
        temporary = float(partitions.partition("; ")[2].split(" MB")[0] or 0)
        # The files of the folders are links to the parts in the store.
        files = {path.stat().st_ino: path.stat().st_size for path in output.rglob("*") if path.is_file()}
        size = sum(files.values()) / 1e6
        before = tree != ROOT
        lines.append(Line(gigabytes, name, done, size, temporary, partitions.partition(";")[0], before))
    shutil.rmtree(output)
    return lines


def _problems(lines: list[Line]) -> list[str]:
    problems = []
    for line in lines:
        if line.name == "run, nothing new" and not line.partitions.startswith("0 of"):
            problems.append(
                f"{line.gigabytes:.1f} GB: a run on an unchanged export rebuilt parts: {line.partitions}"
            )
        if line.done.peak_mb > MOST_RESIDENT:
            problems.append(f"{line.gigabytes:.1f} GB, {line.name}: {line.done.peak_mb:,.0f} MB resident")
    runs = [line for line in lines if line.name == "run" and not line.is_before]
    if len(runs) > 1 and runs[-1].done.peak_private_mb > GROWTH * runs[0].done.peak_private_mb:
        problems.append("the peak memory grows with the export by more than 15 %")
    return problems


def _row(line: Line) -> str:
    done = line.done
    name = f"{line.name} (before)" if line.is_before else line.name
    return (
        f"| {line.gigabytes:.2f} GB | {name} | {done.seconds:,.1f} s | {done.cpu_seconds:,.1f} s | "
        f"{done.peak_mb:,.0f} MB | {done.peak_private_mb:,.0f} MB | {line.output_mb:,.0f} MB | "
        f"{line.temporary_mb:,.0f} MB | {line.partitions} |"
    )


def _targets(lines: list[Line]) -> list[str]:
    """Return a table of the targets that apply to the measured sizes."""
    before = [line for line in lines if line.is_before]
    rows = ["| target | | | met |", "|---|--:|--:|---|"]
    for line in lines:
        size = f"{round(line.gigabytes)} GB"
        if line.name != "run" or line.is_before or f"{size}, elapsed" not in TARGETS:
            continue
        elapsed, memory = TARGETS[f"{size}, elapsed"], TARGETS[f"{size}, memory"]
        amounts = (
            ("elapsed", line.done.seconds, _adjusted(elapsed, before[0] if before else None), "s"),
            ("resident memory", line.done.peak_mb, memory.most, "MB"),
        )
        for name, amount, most, unit in amounts:
            met = "yes" if amount <= most else "**no**"
            rows.append(f"| {size}, {name} | {amount:,.1f} {unit} | ≤ {most:,.0f} {unit} | {met} |")
    if len(rows) == 2:
        return []
    if before:
        rows += ["", "Targets in seconds are adjusted to this machine by the time of the earlier version."]
    return rows


def _adjusted(target: Target, before: Line | None) -> float:
    """Adjust a target to this machine, by the time of the earlier version for 1 GB here and there."""
    there = TARGETS["1 GB, elapsed"].before
    return target.most * before.done.seconds / there if before else target.most


def _table(lines: list[Line], arguments: argparse.Namespace, problems: list[str]) -> str:
    machine = describe_machine()
    description = f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']:.0f} GB memory"
    head = [
        "# Large exports",
        "",
        f"{description}; polyframe {pf.__version__} (commit {machine['commit']}), {arguments.jobs} workers, "
        f"measured {machine['measured']}. Each line is a new process; its memory is the largest sum over it "
        "and its descendants.",
        "",
        "| export | command | time | processor time | resident | anonymous | output | temporary | |",
        "|--:|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    summary = [f"- **{problem}**" for problem in problems] or ["No problems."]
    return "\n".join([*head, *map(_row, lines), "", *_targets(lines), "", *summary, ""])


if __name__ == "__main__":
    sys.exit(main())
