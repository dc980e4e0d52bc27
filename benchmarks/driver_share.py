"""Measure how much of a run on a cluster is done by the process that starts it, by stage.

    python benchmarks/driver_share.py                     # an export of 1 GB, generated; two workers of Dask
    python benchmarks/driver_share.py --gigabytes 0.05    # to see that it works

The share of the driver limits the speed-up: with a share of 1 %, a hundred workers are as fast as a thousand.
Starts a scheduler and workers as processes of this machine, warms them up with a small run, then runs into a
new directory in a new process. Prints the processor time of the driver, of the workers and of the scheduler
for each stage, and saves the table as `results/driver_share.md`. Needs Linux and the extra `dask`.
"""

import argparse
import contextlib
import functools
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ours
from inputs import EXAMPLE
from processes import ROOT
from report import describe_machine
from scale import make_export

import polyframe as pf
from polyframe.pipeline import run

FOLDER = Path(__file__).resolve().parent
#: The functions with which the stages of a run begin, in order, and what they begin.
STAGES = {
    "open_executor": "connect",
    "file_states": "count rows",
    "planned_partitions": "plan",
    "sort_export": "sort rows",
    "process_partitions": "process partitions",
    "kept_stages": "merge results",
    "publish": "publish",
}
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def main() -> None:
    """Start a cluster, and measure a run on it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--export", type=Path, help="an export, instead of a generated one")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=FOLDER / "results", help="folder for driver_share.md")
    parser.add_argument("--dry", action="store_true", help="do not save the table")
    parser.add_argument("--measure", nargs=3, metavar=("ADDRESS", "PIDS", "OUT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        address, pids, output = arguments.measure
        print(json.dumps(measure(arguments.export, address, json.loads(pids), Path(output))))
        return
    with tempfile.TemporaryDirectory() as folder:
        export = arguments.export or Path(folder) / "export.csv"
        if not export.exists():
            make_export(export, arguments.gigabytes)
        with cluster(Path(folder), arguments.workers) as (address, pids):
            # As in a standing cluster, the workers have imported the package and loaded compiled functions.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", pf.PolyframeWarning)
                pf.run(
                    EXAMPLE,
                    Path(folder) / "warm",
                    cluster=address,
                    engine="auto" if len(ours.engines()) == 1 else "compiled",
                )
            times = run_driver(export, address, pids, Path(folder) / "out")
        text = table(times, export.stat().st_size, arguments.workers)
    print(text)
    if not arguments.dry:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "driver_share.md").write_text(text, encoding="utf-8")


@contextlib.contextmanager
def cluster(folder: Path, workers: int) -> Iterator[tuple[str, dict[str, int]]]:
    """Run a scheduler and workers; yield its address for `--cluster`, and the process of each role."""
    file = folder / "scheduler.json"
    common = ["--scheduler-file", str(file), "--no-dashboard"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "POLARS_MAX_THREADS": "1"}
    processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(role: str, *options: str) -> None:
        processes[role] = subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{role}", *common, *options],
            env=environment,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    try:
        start("scheduler", "--host", "127.0.0.1", "--port", "0")
        while not (file.exists() and file.read_text().endswith("}")):
            time.sleep(0.1)
        start("worker", "--host", "127.0.0.1", "--nworkers", str(workers), "--nthreads", "1")
        address = json.loads(file.read_text())["address"].replace("tcp://", "dask://")
        yield address, {role: process.pid for role, process in processes.items()}
    finally:
        for process in reversed(processes.values()):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)


def run_driver(export: Path, address: str, pids: dict[str, int], output: Path) -> dict[str, Any]:
    """Run in a new process, and return its measurements."""
    command = [sys.executable, __file__, "--export", str(export)]
    command += ["--measure", address, json.dumps(pids), str(output)]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True, check=True
    )
    times: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return times


def measure(export: Path, address: str, pids: dict[str, int], output: Path) -> dict[str, Any]:
    """Return the processor time of driver, workers and scheduler from the start of each stage to the next."""
    marks = [("start", 0.0, 0.0, processor_time(pids["worker"]), processor_time(pids["scheduler"]))]
    start = time.perf_counter()

    def mark(stage: str) -> None:
        cluster_times = (processor_time(pids["worker"]), processor_time(pids["scheduler"]))
        marks.append((stage, time.perf_counter() - start, time.process_time(), *cluster_times))

    for name, stage in STAGES.items():
        setattr(run, name, _announced(getattr(run, name), functools.partial(mark, stage)))
    pf.run(export, output, cluster=address)
    mark("end")
    stages = {}
    for (name, *before), (_, *after) in itertools.pairwise(marks):
        stages[name] = [later - earlier for earlier, later in zip(before, after, strict=True)]
    return stages


def _announced(function: Callable[..., Any], announce: Callable[[], None]) -> Callable[..., Any]:
    """Return a function that announces its first call."""
    waiting = [announce]

    @functools.wraps(function)
    def announcing(*arguments: Any, **keywords: Any) -> Any:
        while waiting:
            waiting.pop()()
        return function(*arguments, **keywords)

    return announcing


def processor_time(pid: int) -> float:
    """Return the seconds of processor time of a process, of its descendants, and of those that ended."""
    total, pids = 0.0, [pid]
    while pids:
        one = pids.pop()
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15])) / _TICKS
            for children in Path(f"/proc/{one}/task").glob("*/children"):
                pids += map(int, children.read_text().split())
        except OSError:
            continue
    return total


def table(stages: dict[str, list[float]], size: int, workers: int) -> str:
    """Return the measurements as Markdown."""
    sums = [sum(column) for column in zip(*stages.values(), strict=True)]
    machine = describe_machine()
    lines = [
        "# The driver's share",
        "",
        f"{machine['cpu']}, {machine['cores']} cores; "
        f"polyframe {pf.__version__} (commit {machine['commit']}), "
        f"measured {machine['measured']}. Processor time of a run on an export of {size / 1e9:.2f} GB with "
        f"{workers} workers of Dask.",
        "Start-up is what the driver does before its first stage: imports, and reading the settings.",
        "",
        "| stage | elapsed | driver | workers | scheduler | driver's share |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, times in {**stages, "all": sums}.items():
        share = times[1] / max(sum(times[1:]), 1e-9)
        label = "start-up" if name == "start" else name
        seconds = " | ".join(f"{value:,.2f} s" for value in times)
        lines.append(f"| {label} | {seconds} | {100 * share:.1f} % |")
    startup = stages["start"][1] + stages["connect"][1]
    lines += ["", f"Without start-up and connecting: {100 * (sums[1] - startup) / sum(sums[1:]):.2f} %.", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
