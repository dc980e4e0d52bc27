"""Measure large exports: time, memory and disk of each stage, for exports of 1 and 10 GB.

    python benchmarks/scale.py                  # 1 and 10 GB, generated and removed again; about an hour
    python benchmarks/scale.py --gigabytes 0.1  # to see that it works

Each line is a new process with two workers. Memory is the sum over the process and all its descendants,
sampled every 20 ms from /proc: resident memory, and its anonymous part (without memory-mapped files, which
the system may drop). Prints a table and saves it as `results/scale.md`. Exit code 1 if the peak of the larger
export is more than 15 % above that of the smaller one, or a run does not work as expected.
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
#: Average size of a subject: 15 volunteers, up to 3 objects, outlines of about 350 vertices.
BYTES_PER_SUBJECT = 162_000
GROWTH = 1.15
#: With larger exports, only run, the repeated run and extract are measured.
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
    name : str
        The command.
    done : Done
        Time and memory.
    output_mb, temporary_mb : float
        Size on disk of the output directory, and of temporary files during the run.
    partitions : str
        The printed line about partitions.
    """

    gigabytes: float
    name: str
    done: Done
    output_mb: float
    temporary_mb: float
    partitions: str


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
    parser.add_argument("--keep", action="store_true", help="keep the exports, and use existing ones")
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
    written = write_export(export, options)
    seconds = time.perf_counter() - start
    print(f"{written.rows:,} rows, {written.bytes / 1e9:.2f} GB, {seconds:.0f} s to generate")


def _measure(export: Path, output: Path, jobs: int, engine: str) -> list[Line]:
    """Measure a whole run, an unchanged run, another eps, and the single stages."""
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
        steps = {name: steps[name] for name in ("run", "run, nothing new", "extract")}
    lines = []
    for name, arguments in steps.items():
        if name in ("run", "extract"):
            shutil.rmtree(output, ignore_errors=True)
        done = run_process([sys.executable, "-c", _COMMAND, *arguments], memory=True)
        partitions = next(line for line in done.output.splitlines() if "partitions processed" in line)
        temporary = float(partitions.partition("; ")[2].split(" MB")[0] or 0)
        size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file()) / 1e6
        lines.append(Line(gigabytes, name, done, size, temporary, partitions.partition(";")[0]))
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
    runs = [line for line in lines if line.name == "run"]
    if len(runs) > 1 and runs[-1].done.peak_private_mb > GROWTH * runs[0].done.peak_private_mb:
        problems.append("the peak memory grows with the export by more than 15 %")
    return problems


def _row(line: Line) -> str:
    done = line.done
    return (
        f"| {line.gigabytes:.2f} GB | {line.name} | {done.seconds:,.1f} s | {done.cpu_seconds:,.1f} s | "
        f"{done.peak_mb:,.0f} MB | {done.peak_private_mb:,.0f} MB | {line.output_mb:,.0f} MB | "
        f"{line.temporary_mb:,.0f} MB | {line.partitions} |"
    )


def _table(lines: list[Line], jobs: int, problems: list[str]) -> str:
    machine = describe_machine()
    description = f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']:.0f} GB memory"
    head = (
        "| export | command | time | processor time | resident | anonymous | output | temporary | |\n"
        "|--:|---|--:|--:|--:|--:|--:|--:|---|\n"
    )
    summary = "\n".join(f"- **{problem}**" for problem in problems) or "No problems."
    return (
        f"# Large exports\n\n{description}; polyframe {pf.__version__}, {jobs} workers. Each line is a new "
        "process; its memory is the largest sum over it and its descendants.\n\n"
        + head
        + "\n".join(map(_row, lines))
        + f"\n\n{summary}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
