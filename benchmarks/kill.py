"""Kill runs at random moments, continue with the same command, and compare with uninterrupted runs.

    python benchmarks/kill.py --moments 50             # on a local disk
    python benchmarks/kill.py --moments 50 --place s3  # on an S3 server of this computer

SIGKILL is sent to the whole process group. Runs alternate between one worker, two threads and two processes
(more than 32 partitions), and between a first run into an empty directory and a run that replaces its tables
with those of another eps. After each kill, every table must be of one of the two settings, by
`polyframe.scan` and, on a local disk, by the footers of the files in its folder; at the end every part must
equal that of an uninterrupted run. Exit code 1 if one does not.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import places
import polars as pl
import pyarrow.parquet as pq

import polyframe as pf
from polyframe.core.tables import TABLES
from polyframe.store.output import WORK
from polyframe.synthetic import SynthOptions, write_export

#: Workers and partition size of each way; with more than 32 partitions, workers are processes.
WAYS = {"one worker": (1, 60_000), "two threads": (2, 120_000), "two processes": (2, 25_000)}
EPS = (0.5, 0.3)
_RUN = "from polyframe.cli import app; from polyframe.pipeline import plan; plan._MEGABYTE = {}; app.main()"


@dataclass
class Results:
    """Stages in which runs were killed, and differences."""

    stages: Counter[str] = field(default_factory=Counter)
    completed: int = 0
    differences: list[str] = field(default_factory=list)


def command(export: Path, out: Any, way: str, eps: float) -> list[str]:
    jobs, partition_bytes = WAYS[way]
    code = _RUN.format(partition_bytes)
    arguments = ["run", str(export), "-o", str(out), "--engine", "shapely", "--eps", str(eps), "--quiet"]
    return [sys.executable, "-c", code, *arguments, "--jobs", str(jobs), "--partition-size", "1"]


def scanned(out: Any) -> dict[str, pl.DataFrame | None]:
    """Return every table as readers see it; None if it is missing."""
    tables: dict[str, pl.DataFrame | None] = {}
    for table in TABLES:
        try:
            tables[table] = pf.scan(out, table).collect()
        except pf.PolyframeError:
            tables[table] = None
    return tables


def stage(out: Any) -> str:
    """Return the stage in which a run was killed, by the files that it left on a local disk."""
    if not isinstance(out, Path):
        return "any stage"
    work = out / WORK
    marks = {"folders": work / "next", "partitions": work / "rows", "census": work / "lock"}
    return next((name for name, path in marks.items() if path.exists()), "before or after the work")


def faults(out: Any, allowed: list[dict[str, pl.DataFrame | None]]) -> list[str]:
    """Return what is wrong with the tables after a kill."""
    problems = []
    for table in TABLES:
        parts = list((out / table).glob("*.parquet")) if isinstance(out, Path) else []
        footers = {pq.read_schema(part).metadata[b"polyframe"] for part in parts}
        if len({json.dumps(json.loads(text)["settings"]) for text in footers}) > 1:
            problems.append(f"{table}: parts of several settings")
    for table, frame in scanned(out).items():
        if frame is not None and not any(frame.equals(tables[table]) for tables in allowed):
            problems.append(f"{table}: neither the old nor the new table")
        if frame is None and len(allowed) == 2:
            problems.append(f"{table}: is missing")
    return problems


def kill_once(call: list[str], seconds: float) -> bool:
    """Start a run and kill all its processes after some seconds; return False if it ended before."""
    process = subprocess.Popen(call, start_new_session=True, stderr=subprocess.PIPE, text=True)
    try:
        _, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return True
    if process.returncode:
        raise RuntimeError(errors)
    return False


def chain(
    way: str,
    export: Path,
    place_named: Callable[[str], Any],
    numbers: random.Random,
    kills: int,
    results: Results,
    seconds: float,
) -> int:
    """Kill and continue a first run, then one that replaces it; return the number of kills."""
    out, done = place_named(f"out-{results.completed}"), 0
    for turn, eps in enumerate(EPS):
        expected = place_named(f"{way} {eps}")
        allowed = [scanned(place_named(f"{way} {EPS[k]}")) for k in range(turn + 1)]
        call = command(export, out, way, eps)
        while done < kills and kill_once(call, numbers.uniform(0, seconds)):
            done += 1
            results.stages[stage(out)] += 1
            results.differences += [f"{way}, kill {done}: {fault}" for fault in faults(out, allowed)]
        subprocess.run(call, check=True)
        results.completed += 1
        if places.parts_of(out) != places.parts_of(expected) or pf.status(out).not_current:
            results.differences.append(f"{way}, eps {eps}: differs from an uninterrupted run")
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moments", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--subjects", type=int, default=60)
    parser.add_argument("--place", choices=["local", "s3"], default="local")
    options = parser.parse_args()
    numbers, results = random.Random(options.seed), Results()
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="polyframe-kill-") as name,
        places.outputs(options.place, Path(name)) as place_named,
    ):
        folder = Path(name)
        # Killed runs leave temporary folders, which this one contains.
        os.environ["TMPDIR"] = name
        export = folder / "export.csv"
        write_export(export, SynthOptions(subjects=options.subjects, volunteers=8, seed=options.seed))
        seconds = {}
        for way in WAYS:
            for eps in EPS:
                started = time.monotonic()
                subprocess.run(command(export, place_named(f"{way} {eps}"), way, eps), check=True)
                seconds[way] = time.monotonic() - started
        remaining, ways = options.moments, list(WAYS)
        while remaining:
            way = ways.pop(0)
            ways.append(way)
            most = min(remaining, -(-options.moments // (2 * len(WAYS))))
            remaining -= chain(way, export, place_named, numbers, most, results, seconds[way])
        parts = {way: pf.status(place_named(f"{way} {EPS[0]}")).partitions for way in WAYS}
    print(f"{options.moments} kills in {time.monotonic() - began:.0f} s, {results.completed} runs completed")
    print(
        "an uninterrupted run: "
        + ", ".join(f"{way} {seconds[way]:.1f} s, {parts[way]} parts" for way in WAYS)
    )
    print("killed in: " + ", ".join(f"{name} {number}" for name, number in results.stages.most_common()))
    print(f"{len(results.differences)} differences")
    for fault in results.differences:
        print(f"  {fault}")
    sys.exit(bool(results.differences))


if __name__ == "__main__":
    main()
