"""Measure large exports: time, memory and disk of each stage, for exports of 1 and 10 GB.

    python benchmarks/scale.py                  # 1 and 10 GB, generated and removed again; about an hour
    python benchmarks/scale.py --gigabytes 0.1  # to see that it works

Each line is a fresh process with two workers. Memory is the sum over the process and all its descendants,
looked at every 20 ms through /proc: resident memory, and the anonymous part of it (without mapped files,
which the system may drop). Prints a table and saves it as `results/scale.md`. Exit code 1 where the peak of
the larger export is more than 15 % above that of the smaller one, or a run does not do what it should.
"""

import argparse
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from processes import Done, run_process
from report import describe_machine

import polyframe as pf
from polyframe.synthetic import SynthOptions, write_export

FOLDER = Path(__file__).resolve().parent
#: What a subject weighs: 15 volunteers, up to 3 objects, outlines of about 350 vertices.
BYTES_PER_SUBJECT = 162_000
GROWTH = 1.15
#: Larger exports are only run, run again, and extracted: the other stages are what is left of a run.
ALL_STEPS_UP_TO = 5.0
_COMMAND = "from polyframe.cli.app import main; main()"
MOST_RESIDENT = 2000.0


@dataclass(frozen=True)
class Line:
    """One measured command.

    Attributes
    ----------
    gigabytes : float
        Size of the export.
    what : str
        Which command, on what.
    done : Done
        Time and memory.
    output_mb, temporary_mb : float
        On disk: the output directory afterwards, and temporary files on the way.
    told : str
        What the command said of its partitions.
    """

    gigabytes: float
    what: str
    done: Done
    output_mb: float
    temporary_mb: float
    told: str


def main() -> int:
    """Measure all sizes."""
    arguments = _arguments()
    work = Path(arguments.folder)
    work.mkdir(parents=True, exist_ok=True)
    lines: list[Line] = []
    try:
        for gigabytes in arguments.gigabytes:
            export = work / f"export-{gigabytes:g}.csv"
            if not export.exists():
                _generate(export, gigabytes)
            for line in _measure(export, work / "out", arguments.jobs, arguments.engine):
                lines.append(line)
                print(_row(line), flush=True)
            if not arguments.keep:
                export.unlink()
    finally:
        shutil.rmtree(work / "out", ignore_errors=True)
        if not arguments.keep:
            shutil.rmtree(work, ignore_errors=True)
    problems = _problems(lines)
    text = _table(lines, arguments.jobs, problems)
    (FOLDER / "results").mkdir(exist_ok=True)
    if not arguments.dry:
        (FOLDER / "results" / "scale.md").write_text(text, encoding="utf-8")
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
    parser.add_argument("--keep", action="store_true", help="keep the exports, and take those that are there")
    parser.add_argument("--dry", action="store_true", help="do not save the table")
    return parser.parse_args()


def _generate(export: Path, gigabytes: float) -> None:
    start = time.perf_counter()
    options = SynthOptions(
        subjects=round(gigabytes * 1e9 / BYTES_PER_SUBJECT),
        volunteers=15,
        vertices=350,
        polygon_share=0.0,
        old_share=0.0,
        frames=1,
        seed=4,
    )
    made = write_export(export, options)
    print(f"{made.rows:,} rows, {made.bytes / 1e9:.2f} GB, {time.perf_counter() - start:.0f} s to generate")


def _measure(export: Path, output: Path, jobs: int, engine: str) -> list[Line]:
    """Measure a whole run, the run after it with nothing new, another eps, and the stages one by one."""
    gigabytes = export.stat().st_size / 1e9
    flags = ["--jobs", str(jobs), "--engine", engine]
    steps = {
        "run": ["run", str(export), "-o", str(output), *flags],
        "run, nothing new": ["run", str(export), "-o", str(output), *flags],
        "run, another eps": ["run", str(export), "-o", str(output), *flags, "--eps", "0.4"],
        "extract": ["extract", str(export), "-o", str(output), "--jobs", str(jobs)],
        "reduce": ["reduce", str(output), *flags],
        "contours": ["contours", str(output), *flags],
    }
    if gigabytes > ALL_STEPS_UP_TO:
        steps = {what: steps[what] for what in ("run", "run, nothing new", "extract")}
    lines = []
    for what, arguments in steps.items():
        if what in ("run", "extract"):
            shutil.rmtree(output, ignore_errors=True)
        done = run_process([sys.executable, "-c", _COMMAND, *arguments], memory=True)
        told = next(line for line in done.output.splitlines() if "partitions processed" in line)
        temporary = float(told.partition("; ")[2].split(" MB")[0] or 0)
        size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file()) / 1e6
        lines.append(Line(gigabytes, what, done, size, temporary, told.partition(";")[0]))
    shutil.rmtree(output)
    return lines


def _problems(lines: list[Line]) -> list[str]:
    problems = []
    for line in lines:
        if line.what == "run, nothing new" and not line.told.startswith("0 of"):
            problems.append(f"{line.gigabytes:.1f} GB: a run on an unchanged export made parts: {line.told}")
        if line.done.peak_mb > MOST_RESIDENT:
            problems.append(f"{line.gigabytes:.1f} GB, {line.what}: {line.done.peak_mb:,.0f} MB resident")
    runs = [line for line in lines if line.what == "run"]
    if len(runs) > 1 and runs[-1].done.peak_private_mb > GROWTH * runs[0].done.peak_private_mb:
        problems.append("the peak memory grows with the export by more than 15 %")
    return problems


def _row(line: Line) -> str:
    done = line.done
    return (
        f"| {line.gigabytes:.2f} GB | {line.what} | {done.seconds:,.1f} s | {done.cpu_seconds:,.1f} s | "
        f"{done.peak_mb:,.0f} MB | {done.peak_private_mb:,.0f} MB | {line.output_mb:,.0f} MB | "
        f"{line.temporary_mb:,.0f} MB | {line.told} |"
    )


def _table(lines: list[Line], jobs: int, problems: list[str]) -> str:
    machine = describe_machine()
    named = f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']:.0f} GB memory"
    head = (
        "| export | command | time | processor time | resident | anonymous | output | temporary | |\n"
        "|--:|---|--:|--:|--:|--:|--:|--:|---|\n"
    )
    found = "\n".join(f"- **{problem}**" for problem in problems) or "Nothing was off."
    return (
        f"# Large exports\n\n{named}; polyframe {pf.__version__}, {jobs} workers. Each line is a fresh "
        "process; its memory is the largest sum over it and its descendants.\n\n"
        + head
        + "\n".join(map(_row, lines))
        + f"\n\n{found}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
