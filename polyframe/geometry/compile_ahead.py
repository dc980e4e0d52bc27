"""Compile the loops of the compiled engine in separate processes, announced, before they are needed.

Compiling them all takes 15 to 20 s of processor time, once per installation. Two processes compile into one
cache, beside whatever this process does meanwhile. If that is impossible, this process compiles by itself.
"""

import contextlib
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from polyframe.core.callbacks import Say
from polyframe.core.notes import Information, show
from polyframe.core.plurals import counted
from polyframe.geometry.compiled import numba_jit
from polyframe.geometry.compiled.numba_jit import load
from polyframe.geometry.compiled.purposes import EVERYTHING, Purpose, serves

_PROCESSES: Final = 2
#: Seconds for which an idle wait lets signals through.
_POLL_SECONDS: Final = 0.1
_ROOT: Final = str(Path(__file__).parents[2])
_NO_CACHE: Final = (
    "compiled functions cannot be cached, since no folder for them can be written: every process compiles "
    "them again; set the environment variable NUMBA_CACHE_DIR to a folder that can be written"
)


@dataclass(frozen=True)
class _Compilation:
    """Functions that are compiled in other processes.

    Attributes
    ----------
    problem : str
        Why they are not; empty if there is no reason.
    total, processes : int
        Numbers of functions and of processes.
    finished : queue of str
        The name of each function that is compiled, and None for each process that has ended.
    started : float
        When that began, by the monotonic clock.
    """

    problem: str
    total: int
    processes: int
    finished: "queue.SimpleQueue[str | None]"
    started: float


def ensure_compiled(say: Say = show, purposes: Collection[Purpose] = EVERYTHING) -> None:
    """Compile the functions that are not in the cache, and wait for them."""
    with compile_ahead(say, purposes) as wait:
        wait()


@contextlib.contextmanager
def compile_ahead(
    say: Say = show, purposes: Collection[Purpose] = EVERYTHING
) -> Iterator[Callable[[], None]]:
    """Load the compiled functions beside the body, and compile those that are not in the cache.

    Those are compiled in processes that end with the body.

    Parameters
    ----------
    say : callable
        Receives that functions are compiled, how many of them are, and why that failed.
    purposes : collection of str
        What the functions are needed for; others are compiled when they are called.

    Yields
    ------
    callable
        Waits until all are compiled; only it calls `say`.
    """
    with contextlib.ExitStack() as processes, ThreadPoolExecutor(1) as thread:
        started = thread.submit(_start, processes, purposes)
        with numba_jit.announcing(say):
            yield lambda: _wait(started.result(), say)


def _start(processes: contextlib.ExitStack, purposes: Collection[Purpose]) -> "_Compilation":
    """Load the compiled functions, or start processes that compile, and end with a context."""
    names, problem = uncached_functions(purposes)
    todo: queue.SimpleQueue[str] = queue.SimpleQueue()
    finished: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    for name in names:
        todo.put(name)
    count = 0
    for _ in names[:_PROCESSES]:
        process = _start_process()
        if process:
            count += 1
            feeder = threading.Thread(target=_feed, args=(process, todo, finished), daemon=True)
            processes.callback(_end, process, feeder)
            feeder.start()
    if not names and not problem:
        # Otherwise the first call would wait for the disk.
        load("precompile").sample_calls(purposes)
    return _Compilation(problem, len(names), count, finished, time.monotonic())


def _end(process: "subprocess.Popen[str]", feeder: threading.Thread) -> None:
    process.kill()
    feeder.join()
    with process:  # closes its pipes
        pass


def uncached_functions(purposes: Collection[Purpose] = EVERYTHING) -> tuple[list[str], str]:
    """Return the entry points for some purposes that are neither compiled nor in the cache.

    The first ones take longest. If there is no cache, there are no names, but the problem.
    """
    numba_jit.compile_loops()
    numba_jit.load_all()
    functions = {
        name: dispatcher
        for name, dispatcher in numba_jit.entry_points.items()
        if not getattr(dispatcher, "overloads", True) and serves(name, purposes)
    }
    missing = [name for name, dispatcher in functions.items() if not numba_jit.is_cached(dispatcher)]
    if not all(numba_jit.is_writable(functions[name]) for name in missing):
        return [], _NO_CACHE
    return sorted(missing, key=lambda name: -_weight(functions[name])), ""


def _weight(dispatcher: Any) -> int:
    """Return about how long an entry point compiles: by the size of its sources."""
    return sum(size for _, _, size in numba_jit.cache_file(dispatcher)._source_stamp)


def _start_process() -> "subprocess.Popen[str] | None":
    """Start a process that compiles; None if that is impossible."""
    if not sys.executable or getattr(sys, "frozen", False):
        # Embedded, or the executable is not Python.
        return None
    path = os.pathsep.join(filter(None, [_ROOT, os.environ.get("PYTHONPATH")]))
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", f"{numba_jit.__package__}.precompile"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
        )
    except OSError:
        return None


def _feed(
    process: "subprocess.Popen[str]",
    todo: "queue.SimpleQueue[str]",
    finished: "queue.SimpleQueue[str | None]",
) -> None:
    """Send a process one name after the other, and report each as finished; None reports its end.

    It gets no more names if it cannot put one into the cache, since it would compile in vain.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(queue.Empty, OSError, ValueError):
        while True:
            name = todo.get_nowait()
            process.stdin.write(f"{name}\n")
            process.stdin.flush()
            if process.stdout.readline().strip() != name:
                break
            finished.put(name)
    with contextlib.suppress(OSError):
        process.stdin.close()  # which ends it
    finished.put(None)
    process.wait()


def _wait(compilation: "_Compilation", say: Say) -> None:
    """Wait until all functions are compiled, or all processes have ended."""
    if compilation.problem:
        say(compilation.problem)
    total, running, done = compilation.total, compilation.processes, 0
    of_functions = counted(total, "function")
    if total:
        say(
            Information(
                f"compiling the fast engine, once per installation: 0 of {counted(total, 'function')}"
            )
        )
    while running:
        with contextlib.suppress(queue.Empty):
            if compilation.finished.get(timeout=_POLL_SECONDS) is None:
                running -= 1
                continue
            done += 1
            seconds = time.monotonic() - compilation.started
            say(Information(f"compiling the fast engine: {done} of {of_functions}, {seconds:.0f} s"))
    if lost := total - done:
        say(
            Information(
                f"{counted(lost, 'function')} could not be compiled in a separate process: this process "
                f"compiles {'it' if lost == 1 else 'them'} when needed"
            )
        )
