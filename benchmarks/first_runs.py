"""Measure first runs, with nothing compiled yet: numba's cache is in an empty folder."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import ours
from inputs import EXAMPLE
from measuring import BEFORE, Bench, median, take_turns
from processes import ROOT, Done, run_process
from report import Row, seconds

from polyframe.core.choices import AverageType

#: The averages of the earlier version.
_AVERAGES_BEFORE = ("median", "union", "intersection", "last")


def first(bench: Bench) -> None:
    """Measure the first run of a small export, compiling everything, and the first run of a large export."""
    if "compiled" not in bench.engines:
        bench.report.notes.append("First runs were not measured: without numba nothing is compiled.")
        return
    bench.attempt("first run on data/", lambda: _small(bench))
    bench.attempt("compiling", lambda: _compiling(bench))
    bench.attempt("first large run", lambda: _large(bench))


def _small(bench: Bench) -> None:
    elapsed: list[float] = []

    def run(tree: Path) -> float:
        output, cache = bench.inputs.new_folder("first"), _empty_cache(bench)
        command = [sys.executable, "-m", "polyframe", "run", str(EXAMPLE), "--quiet"]
        command += ["--config", str(EXAMPLE.with_name("config.yaml")), "--output", str(output)]
        done = run_process(command, folder=tree, variables=cache)
        elapsed.append(done.seconds)
        return done.cpu_seconds

    taken = _both_versions(bench, run)
    row = _row("first run ever, on data/", taken)
    row.note = f"{bench.inputs.example().rows} rows, --engine auto; {seconds(elapsed[0])} elapsed."
    bench.add(bench.set_target(row, "first run on data/"))


def _compiling(bench: Bench) -> None:
    """Run with each average, cold and warm; the difference is the time to compile."""
    export = bench.inputs.example()
    elapsed: list[float] = []
    settings = ours.settings(export, "compiled")

    def run(tree: Path) -> float:
        cache = _empty_cache(bench)
        averages = get_args(AverageType) if tree == ROOT else _AVERAGES_BEFORE
        runs = [{**settings, "average_type": average} for average in averages]
        cold, warm = (
            bench.in_one_process(export, "first", runs, folder=tree, variables=cache)[1] for _ in range(2)
        )
        elapsed.append(cold.seconds - warm.seconds)
        return cold.cpu_seconds - warm.cpu_seconds

    taken = _both_versions(bench, run)
    row = _row("compiling everything", taken)
    row.note = (
        "One process runs with each average, first with an empty cache and then with the full one; the "
        f"difference. {seconds(elapsed[0])} elapsed."
    )
    bench.add(bench.set_target(row, "compiling"))


def _large(bench: Bench) -> None:
    export = bench.inputs.project(bench.sizes.subjects)
    cold: list[Done] = []
    warm: list[Done] = []
    for _ in range(bench.runs):
        cache = _empty_cache(bench)
        for done in (cold, warm):
            done.append(bench.whole("run", export, "first", "auto", jobs=0, variables=cache))
    times = {"cold": [done.seconds for done in cold], "warm": [done.seconds for done in warm]}
    longer = [one - other for one, other in zip(times["cold"], times["warm"], strict=True)]
    row = Row("first", f"first run of {export.megabytes:,.0f} MB: elapsed time beyond a warm run", "fast")
    row.ours, row.runs = median(longer), times
    elapsed = " and ".join(seconds(median([done.seconds for done in side])) for side in (cold, warm))
    processor = " and ".join(seconds(median([done.cpu_seconds for done in side])) for side in (cold, warm))
    row.note = (
        f"{export.described}; --engine auto, a worker per core. With an empty cache and with the full one: "
        f"{elapsed} elapsed, {processor} of processor time."
    )
    bench.add(bench.set_target(row, "first large run, elapsed"))


def _both_versions(bench: Bench, run: Callable[[Path], float]) -> dict[str, list[float]]:
    """Measure this version in turns with the earlier one, which runs once: it compiles for half a minute."""
    trees = {"polyframe": ROOT} | ({BEFORE: bench.before} if bench.before else {})
    return take_turns(
        bench.runs, {side: lambda t=tree: run(t) for side, tree in trees.items()}, once=[BEFORE]
    )


def _row(measure: str, taken: dict[str, list[float]]) -> Row:
    row = Row("first", f"{measure}: processor time", "fast", ours=median(taken["polyframe"]), runs=taken)
    if BEFORE in taken:
        row.against, row.theirs = BEFORE, taken[BEFORE][0]
        row.ratio = row.theirs / row.ours
    return row


def _empty_cache(bench: Bench) -> dict[str, str]:
    """Return the environment variable that gives numba an empty folder for compiled functions."""
    # Tiny inputs measure nothing, so nothing is compiled again.
    return {} if bench.quick else {"NUMBA_CACHE_DIR": str(bench.inputs.new_folder("numba-cache"))}
