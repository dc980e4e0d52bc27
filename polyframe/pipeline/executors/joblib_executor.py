"""Run functions in this process, or in threads or processes that joblib starts on this machine."""

import contextlib
import functools
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, Self

from polyframe.core.errors import PolyframeError
from polyframe.core.task_reports import TaskReport, read_report, reporting_to
from polyframe.pipeline.executors.executor import Future, Result, Task, WorkerLost

#: Up to this number of tasks, the workers are threads of this process.
_TASKS_FOR_THREADS: Final = 32
#: Seconds between two checks of a worker whether its caller is alive.
_POLL_SECONDS: Final = 0.2

#: Hash of the secret in the environment of the workers that joblib keeps.
_key_of_workers: int | None = None


@dataclass(eq=False)
class _Future(Generic[Result]):
    """A task, and what became of it."""

    function: Callable[[Any], Result]
    task: Any
    name: str
    values: tuple[Result, ...] = ()

    def result(self) -> Result:
        if not self.values:
            raise WorkerLost
        return self.values[0]


class JoblibExecutor:
    """Runs tasks on this machine, in the order in which they were submitted.

    Parameters
    ----------
    jobs : int
        Number of workers; 0 means one for each processor. With 1, or for a single task, there are none, and
        tasks run in this process, unless a worker was killed before.
    marks : Path, optional
        An existing folder, for a file that exists while a worker runs the task of this name, and contains how
        far the task has come. If a worker is killed, it shows which tasks it was running; without it, all
        unfinished ones count as lost.
    key : bytes
        The secret that the environment of the workers must contain; empty if they need none.
    """

    def __init__(self, jobs: int, marks: Path | None = None, key: bytes = b"") -> None:
        self._jobs, self._marks, self._key = jobs, marks, key
        self._submitted: dict[str, _Future[Any]] = {}
        self._broken = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._submitted.clear()

    def submit(self, function: Callable[[Task], Result], task: Task, name: str) -> Future[Result]:
        """Run a function on a worker as soon as somebody waits for the result, see `Executor`."""
        future = self._submitted[name] = _Future(function, task, name)
        return future

    def window(self) -> int:
        """Return no limit: tasks are in this process until a worker is free, see `Executor`."""
        return sys.maxsize

    def as_completed(self) -> Iterator[Future[object]]:
        """Run the submitted tasks, and yield their futures as they complete, see `Executor`."""
        while self._submitted:
            in_process = self._jobs == 1 or len(self._submitted) == 1
            # A task that killed a worker must not run in this process.
            yield from self._in_workers() if self._broken or not in_process else self._in_process()

    def reports(self) -> Mapping[str, TaskReport]:
        """Return what the tasks have reported that run now, see `Executor`."""
        if self._marks is None:
            return {}
        reports = {mark.name: read_report(mark) for mark in _in_order(self._marks)}
        return {name: report for name, report in reports.items() if report is not None}

    def _in_process(self) -> Iterator[Future[object]]:
        for future in list(self._submitted.values()):
            future.values = (_call(future.function, future.task, self._mark_of(future.name)),)
            yield self._submitted.pop(future.name)

    def _in_workers(self) -> Iterator[Future[object]]:
        """Run the submitted tasks in workers, until all are completed or a worker is killed."""
        _stop_workers_with_other_key(self._key)
        futures = list(self._submitted.values())
        try:
            for name, value in self._named_results(futures):
                future = self._submitted.pop(name)
                future.values = (value,)
                yield future
        except BrokenExecutor:
            lost = [future for future in self._submitted.values() if self._may_have_run(future.name)]
            if not lost:
                raise PolyframeError("the workers could not be started; try --jobs 1") from None
            self._broken = True
            for future in lost:
                yield self._submitted.pop(future.name)

    def _named_results(self, futures: list[_Future[Any]]) -> Iterator[tuple[str, Any]]:
        import joblib

        # At least two, since joblib would run a single task in this process.
        workers = max(min(self._jobs or joblib.cpu_count(), len(futures)), 2 if self._broken else 1)
        # Nearly all work is done without the GIL, so threads are efficient, and they start at once. Processes
        # take a second to start, which pays off with many tasks. This is only a hint: a backend that the
        # caller has chosen has priority.
        few = len(futures) <= _TASKS_FOR_THREADS and not self._broken
        # Otherwise Polars would start a thread for each processor in every worker.
        with _environment("POLARS_MAX_THREADS", "1"):
            parallel = _parallel(workers, "threads" if few else "processes")
            calls = (
                joblib.delayed(_call_in_worker)(
                    f.function, f.task, f.name, self._mark_of(f.name), os.getpid()
                )
                for f in futures
            )
            with contextlib.closing(parallel(calls)) as results:
                yield from results

    def _mark_of(self, name: str) -> Path | None:
        return None if self._marks is None else self._marks / name

    def _may_have_run(self, name: str) -> bool:
        mark = self._mark_of(name)
        return mark is None or mark.exists()


def _stop_workers_with_other_key(key: bytes) -> None:
    """Stop the worker processes that joblib keeps from an earlier run with another secret."""
    global _key_of_workers
    if key and hash(key) != _key_of_workers:
        from joblib.externals.loky import get_reusable_executor

        get_reusable_executor(reuse=True).shutdown(wait=True)
        _key_of_workers = hash(key)


def _parallel(workers: int, hint: str) -> Any:
    """Return joblib's `Parallel` with the caller's backend, or with loky if that one is not usable."""
    import joblib

    options = {"n_jobs": workers, "return_as": "generator_unordered", "batch_size": 1}
    try:
        return joblib.Parallel(prefer=hint, **options)
    except ValueError as error:
        # For example `multiprocessing`, which also forks, and the threads of Polars do not survive a fork.
        unusable = error
    try:
        parallel = joblib.Parallel(backend="loky", **options)
    except ValueError as error:
        raise PolyframeError(
            f"joblib cannot use its backend ({error}): use another backend, or jobs=1"
        ) from None
    warnings.warn(f"joblib: {unusable}; loky is used instead", RuntimeWarning, stacklevel=2)
    return parallel


def _call_in_worker(
    function: Callable[[Any], Result], task: Any, name: str, mark: Path | None, caller: int
) -> tuple[str, Result]:
    if os.getpid() != caller:
        _exit_when_caller_dies(caller)
    return name, _call(function, task, mark)


def _call(function: Callable[[Any], Result], task: Any, mark: Path | None) -> Result:
    if mark is None:
        return function(task)
    mark.touch()
    with reporting_to(mark):
        result = function(task)
    # On Windows a file cannot be removed while somebody reads it. It then only means that the task has begun.
    with contextlib.suppress(PermissionError):
        mark.unlink(missing_ok=True)
    return result


def _in_order(folder: Path) -> list[Path]:
    """Return the files of a folder by their names, which is the order in which tasks begin."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return sorted(map(Path, entries))
    return []


@functools.cache
def _exit_when_caller_dies(caller: int) -> None:
    """End this worker when the process that called it has ended, and only then.

    Ctrl-C in a terminal reaches the workers too, but the caller decides. If the caller was killed, its
    workers must stop writing: their parts must not mix with those of the next run.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()
    if parent != caller and multiprocessing.current_process().name.startswith("Loky"):
        # The caller has ended already. Workers of other backends need not be its children.
        os._exit(1)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
