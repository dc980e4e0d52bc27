"""The command line with something going wrong in it, for tests that start it as a process.

`python -c "import disturbed; disturbed.main()" run ...` with the environment variable DISTURBED: JSON with

partition_bytes   how much goes into a partition, so that small exports have several
backend           the joblib backend
pause             seconds by partition: how long a worker waits before it begins with it; "*" for all others
deaf              the same in compiled code that no signal gets through to
kill_worker       partitions (by prefix of the name) over which a worker kills itself; with "once" only the
                  first time, which a file in that folder tells
kill_at           the number of the change of a file name at which this process group is killed
vanish            a file that is removed after the first look at the export
backwards         the clocks go back by an hour whenever they are asked
"""

import contextlib
import ctypes
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
from polyframe.pipeline import partition_task, plan, run, workers
from polyframe.store import publishing

PLAN = json.loads(os.environ.get("DISTURBED", "{}"))
#: All ways in which a commit changes what stands under a name.
RENAMES = ((os, "link"), (os, "rename"), (os, "replace"), (os, "unlink"), (os, "rmdir"), (os, "mkdir"))

_in_worker, _here = workers._process, partition_task.process_partition


def in_worker(task: partition_task.PartitionTask, caller: int) -> partition_task.PartitionResult:
    workers.process_partition = here
    return _in_worker(task, caller)


def here(task: partition_task.PartitionTask) -> partition_task.PartitionResult:
    _disturb(task)
    return _here(task)


def _disturb(task: partition_task.PartitionTask) -> None:
    name = task.partition.name
    pauses = PLAN.get("pause", {})
    if name in pauses or "*" in pauses:
        task.marker.touch()
        time.sleep(pauses.get(name, pauses.get("*")))
    if name in PLAN.get("deaf", {}):
        task.marker.touch()
        _sleep_deaf(PLAN["deaf"][name])
    for killing in PLAN.get("kill_worker", ()):
        if name.startswith(killing):
            task.marker.touch()
            _kill_once(PLAN.get("once"), name)


def _sleep_deaf(seconds: float) -> None:
    # Unlike a sleep, which a signal cuts short, this waits on.
    waiting = threading.Thread(target=time.sleep, args=(seconds,), daemon=True)
    waiting.start()
    ctypes.CDLL(None).pthread_join(ctypes.c_ulong(waiting.ident or 0), None)


def _kill_once(folder: str | None, name: str) -> None:
    done = folder and Path(folder) / name
    if done and done.exists():
        return
    if done:
        done.touch()
    os.kill(os.getpid(), signal.SIGKILL)


def before_each_change(act: Callable[[], None]) -> list[tuple[Any, str, Any]]:
    """Call a function before each change of a file name; return what was there instead."""

    def wrapped(original: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            act()
            return original(*arguments, **options)

        return call

    places = [*RENAMES, (publishing, "_exchanged")]
    originals = [(place, name, getattr(place, name)) for place, name in places]
    for place, name, original in originals:
        setattr(place, name, wrapped(original))
    return originals


def _kill_at(number: int) -> None:
    left = number

    def count() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.killpg(0, signal.SIGKILL)

    before_each_change(count)


def _go_backwards() -> None:
    now = [2e9]

    def clock() -> float:
        now[0] -= 3600
        return now[0]

    time.time = clock  # type: ignore[assignment]
    # Of the steady clock only what the package itself asks: others wait by it.
    run.time = types.SimpleNamespace(monotonic=clock)  # type: ignore[assignment]


def main() -> None:
    workers._process, workers.process_partition = in_worker, here
    plan._MEGABYTE = PLAN.get("partition_bytes", 1_000_000)  # type: ignore[misc]
    if "kill_at" in PLAN:
        _kill_at(PLAN["kill_at"])
    if "backwards" in PLAN:
        _go_backwards()
    if "vanish" in PLAN:
        first_look = run.scan_export

        def scan_export(*arguments: Any) -> Any:
            found = first_look(*arguments)
            Path(PLAN["vanish"]).unlink()
            return found

        run.scan_export = scan_export
    sys.argv[0] = "polyframe"
    backend = PLAN.get("backend")
    with joblib.parallel_config(backend=backend) if backend else contextlib.nullcontext():
        app.main()
