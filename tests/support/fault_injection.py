"""Run the command line with injected faults, for tests that start it as a process.

`python -c "import fault_injection; fault_injection.main()" run ...`, with the environment variable FAULTS, a
JSON object with the keys below. Workers of a cluster read it before each task from the file that FAULTS_FILE
names, see `faulty_worker`.

partition_bytes   size of a partition, so that small exports have several
backend           the joblib backend
pause             seconds by partition: how long a worker waits before it begins with it; "*" for all others
ignore_signals    the same in compiled code that ignores signals
kill_worker       patterns of partitions, such as "00001*", over which a worker kills itself; with the folder
                  "once", only the first time, which a file in that folder records
kill_sorter       tasks of sorting that kill their worker the first time: "first" sorts rows into
                  super-partitions, "second" a super-partition into partitions; needs the folder "once"
most_pieces       most pieces of rows that are sorted in one level
deaths            a file that gets a line with the partition for each worker that is killed
kill_at           number of the change of a file name at which this process group is killed
delete            a file that is deleted after the export was scanned
clock_backwards   the clocks go back by an hour whenever they are read
"""

import contextlib
import ctypes
import fnmatch
import json
import os
import signal
import sys
import threading
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib

from polyframe.cli import app
from polyframe.pipeline import (
    partition_task,
    plan,
    process_tasks,
    rows_on_workers,
    run,
    sort_export,
    super_partitions,
)
from polyframe.store import view

#: All calls by which publishing changes file names.
RENAMES = ((os, "link"), (os, "rename"), (os, "replace"), (os, "unlink"), (os, "rmdir"), (os, "mkdir"))

_process_in_worker, _process_partition = process_tasks._process, partition_task.process_partition
_sort_split, _sort_super_partition = rows_on_workers._sort, super_partitions._sort_super_partition


def _faults() -> dict[str, Any]:
    file = os.environ.get("FAULTS_FILE")
    if file is None:
        text = os.environ.get("FAULTS", "{}")
    else:
        text = Path(file).read_text() if Path(file).exists() else "{}"
    faults: dict[str, Any] = json.loads(text)
    return faults


def process_in_worker(task: partition_task.PartitionTask) -> partition_task.PartitionResult:
    process_tasks.process_partition = process_partition
    return _process_in_worker(task)


def process_partition(task: partition_task.PartitionTask) -> partition_task.PartitionResult:
    _inject_faults(task)
    return _process_partition(task)


def _inject_faults(task: partition_task.PartitionTask) -> None:
    name, faults = task.partition.name, _faults()
    pauses = faults.get("pause", {})
    if name in pauses or "*" in pauses:
        time.sleep(pauses.get(name, pauses.get("*")))
    if name in faults.get("ignore_signals", {}):
        _sleep_ignoring_signals(faults["ignore_signals"][name])
    for pattern in faults.get("kill_worker", ()):
        if fnmatch.fnmatch(name, pattern):
            _kill_once(faults, name)


def sort_split(task: Any) -> Any:
    _kill_sorter("first")
    return _sort_split(task)


def sort_super_partition(task: Any) -> Any:
    _kill_sorter("second")
    return _sort_super_partition(task)


def _kill_sorter(level: str) -> None:
    faults = _faults()
    if level in faults.get("kill_sorter", ()):
        _kill_once(faults, level)


def _sleep_ignoring_signals(seconds: float) -> None:
    # A signal would interrupt a sleep, but not this.
    waiting = threading.Thread(target=time.sleep, args=(seconds,), daemon=True)
    waiting.start()
    ctypes.CDLL(None).pthread_join(ctypes.c_ulong(waiting.ident or 0), None)


def _kill_once(faults: dict[str, Any], name: str) -> None:
    done = Path(faults["once"]) / name if "once" in faults else None
    if done and done.exists():
        return
    if done:
        done.touch()
    if "deaths" in faults:
        with Path(faults["deaths"]).open("a") as deaths:
            deaths.write(f"{name}\n")
    os.kill(os.getpid(), signal.SIGKILL)


def before_each_change(act: Callable[[], None]) -> list[tuple[Any, str, Any]]:
    """Call a function before each change of a file name; return the functions that were replaced."""

    def wrapped(original: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            act()
            return original(*arguments, **options)

        return call

    functions = [*RENAMES, (view, "_exchanged")]
    originals = [(module, name, getattr(module, name)) for module, name in functions]
    for module, name, original in originals:
        setattr(module, name, wrapped(original))
    return originals


def _kill_at(number: int) -> None:
    remaining = number

    def count() -> None:
        nonlocal remaining
        remaining -= 1
        if remaining < 0:
            os.killpg(0, signal.SIGKILL)

    before_each_change(count)


def _turn_clocks_backwards() -> None:
    now = [2e9]

    def clock() -> float:
        now[0] -= 3600
        return now[0]

    time.time = clock  # type: ignore[assignment]
    # The monotonic clock changes only for the package itself: other code waits by it.
    run.time = types.SimpleNamespace(monotonic=clock)  # type: ignore[assignment]


def main() -> None:
    faults = _faults()
    process_tasks._process = process_in_worker
    process_tasks.process_partition = process_partition
    super_partitions._sort_super_partition = sort_super_partition
    if "most_pieces" in faults:
        sort_export.MOST_PIECES_ON_DISK = faults["most_pieces"]
    plan._MEGABYTE = faults.get("partition_bytes", 1_000_000)  # type: ignore[misc]
    if "kill_at" in faults:
        _kill_at(faults["kill_at"])
    if "clock_backwards" in faults:
        _turn_clocks_backwards()
    if "delete" in faults:
        original = run.scan_export

        def scan_export(*arguments: Any) -> Any:
            scan = original(*arguments)
            Path(faults["delete"]).unlink()
            return scan

        run.scan_export = scan_export
    sys.argv[0] = "polyframe"
    backend = faults.get("backend")
    with joblib.parallel_config(backend=backend) if backend else contextlib.nullcontext():
        app.main()
