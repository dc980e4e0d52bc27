"""Partitions shared between workers, by joblib; a worker that the system kills takes nothing else down."""

import contextlib
import functools
import multiprocessing
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from typing import Any, Final, TypeVar

from polyframe.consensus.anonymize import volunteers_key
from polyframe.core.callbacks import Say
from polyframe.core.errors import PolyframeError
from polyframe.pipeline.partition_task import PartitionResult, PartitionTask, process_partition

#: Up to so many partitions the workers are threads of this process.
_PARTITIONS_FOR_THREADS: Final = 32
#: Seconds between two looks of a worker at whether its caller lives.
_GLANCE: Final = 0.2

#: The hash of the secret in the environment of the workers that joblib keeps.
_key_of_workers: int | None = None

Split = Callable[[PartitionTask], list[PartitionTask]]
Task = TypeVar("Task")
Result = TypeVar("Result")


def process(tasks: Sequence[PartitionTask], jobs: int, split: Split, say: Say) -> Iterator[PartitionResult]:
    """Run tasks in this process or in workers; yield results as they come.

    Parameters
    ----------
    tasks : sequence of PartitionTask
        In any order.
    jobs : int
        Workers; 0 means one for each processor.
    split : callable
        Makes smaller tasks of one; the task alone where it cannot.
    say : callable
        Told when a worker was killed.

    Raises
    ------
    PolyframeError
        Where a partition cannot be finished. One that a worker was killed over is tried again by itself, then
        in pieces; only when that fails too it is named, after all others were finished.
    """
    if jobs == 1 or len(tasks) <= 1:
        yield from map(_in_memory, tasks)
        return
    import joblib

    _let_go_of_old_workers(volunteers_key(tasks[0].settings))
    workers = min(jobs or joblib.cpu_count(), len(tasks))
    pending = {task.partition.name: task for task in tasks}
    lost: list[PartitionTask] = []
    broken = False
    while pending:
        try:
            # A partition that is too much for a worker must not come into this process.
            for result in _in_workers(_process, list(pending.values()), workers, in_processes=broken):
                del pending[result.partition.name]
                yield result
        except BrokenExecutor:
            broken = True
            suspects = [task for task in pending.values() if task.marker.exists()]
            if not suspects:
                raise PolyframeError("the workers could not be started; try --jobs 1") from None
            for task in suspects:
                del pending[task.partition.name]
                say(f"a worker was killed by the system, perhaps over {_named(task)}; trying that alone")
                yield from _alone(task, split, say, lost)
    if lost:
        raise PolyframeError(
            f"{_named(lost[0])}: the system killed its worker every time, most likely for want of memory"
            f"{f' (and {len(lost) - 1} more)' * (len(lost) > 1)}; "
            "free memory, or try --jobs 1 or a smaller --partition-size"
        )


def _let_go_of_old_workers(key: bytes) -> None:
    """Let worker processes of earlier runs go, which joblib keeps, where they have another secret."""
    global _key_of_workers
    if key and hash(key) != _key_of_workers:
        from joblib.externals.loky import get_reusable_executor

        get_reusable_executor(reuse=True).shutdown(wait=True)
        _key_of_workers = hash(key)


def each(work: Callable[[Task], Result], tasks: Sequence[Task], jobs: int) -> Iterator[Result]:
    """Do a piece of work that writes nothing with each of some tasks; yield results as they come.

    Parameters
    ----------
    work : callable
        A function of a module, so that it can travel to other processes; and so can what it returns.
    tasks : sequence
        What it is called with.
    jobs : int
        Workers; 0 means one for each processor.

    Raises
    ------
    PolyframeError
        Where the system kills a worker.
    """
    if jobs == 1 or len(tasks) <= 1:
        yield from map(work, tasks)
        return
    import joblib

    try:
        workers = min(jobs or joblib.cpu_count(), len(tasks))
        yield from _in_workers(functools.partial(_do, work), tasks, workers)
    except BrokenExecutor:
        raise PolyframeError(
            "the system killed a worker, most likely for want of memory; free memory, or try --jobs 1"
        ) from None


def _alone(
    task: PartitionTask, split: Split, say: Say, lost: list[PartitionTask], again: bool = True
) -> Iterator[PartitionResult]:
    """Run one task in a worker of its own; where that is killed, its pieces, once."""
    try:
        yield from _in_workers(_process, [task], 2, in_processes=True)
    except BrokenExecutor:
        pieces = split(task) if again else [task]
        if len(pieces) < 2:
            lost.append(task)
            return
        say(f"killed again; {_named(task)} is split into {len(pieces)}")
        for piece in pieces:
            yield from _alone(piece, split, say, lost, again=False)


def _in_workers(
    work: Callable[[Task, int], Result], tasks: Sequence[Task], workers: int, *, in_processes: bool = False
) -> Iterator[Result]:
    import joblib

    # Each worker is one thread of work; Polars would start one thread for each processor in every worker.
    with _environment("POLARS_MAX_THREADS", "1"):
        # Nearly all the work is done without the GIL, so threads share it well, and they start at once. With
        # more of it, processes have won back the second that each takes to start. Only a hint: a backend that
        # the caller has chosen stays.
        few = len(tasks) <= _PARTITIONS_FOR_THREADS and not in_processes
        parallel = _parallel(workers, "threads" if few else "processes")
        results: Any = parallel(joblib.delayed(work)(task, os.getpid()) for task in tasks)
        with contextlib.closing(results):
            yield from results


def _parallel(workers: int, hint: str) -> Any:
    """Return how joblib shares work: by the backend of the caller, or by loky where that one is of no use."""
    import joblib

    options = {"n_jobs": workers, "return_as": "generator_unordered", "batch_size": 1}
    try:
        return joblib.Parallel(prefer=hint, **options)
    except ValueError as error:
        # `multiprocessing` is such a backend; besides, it forks, which the threads of Polars do not survive.
        refused = error
    try:
        parallel = joblib.Parallel(backend="loky", **options)
    except ValueError as error:
        raise PolyframeError(
            f"joblib cannot share the work: {error}; use another backend, or jobs=1"
        ) from None
    warnings.warn(f"joblib: {refused}; loky is used instead", RuntimeWarning, stacklevel=2)
    return parallel


def _process(task: PartitionTask, caller: int) -> PartitionResult:
    return _do(_in_memory, task, caller)


def _in_memory(task: PartitionTask) -> PartitionResult:
    """Process a partition; where memory is too small for it, the error names it."""
    try:
        return process_partition(task)
    except MemoryError:
        raise PolyframeError(
            f"{_named(task)}: not enough memory; free memory, or try --jobs 1 or a smaller --partition-size"
        ) from None


def _do(work: Callable[[Task], Result], task: Task, caller: int) -> Result:
    if os.getpid() != caller:
        _follow(caller)
    return work(task)


@functools.cache
def _follow(caller: int) -> None:
    """Let this worker end when the process that gave it work has ended, and only then.

    Ctrl-C in a terminal reaches the workers too; the caller decides. A caller that was killed can tell
    nobody, and what its workers still write must not get between the parts of the next run.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()
    if parent != caller and multiprocessing.current_process().name.startswith("Loky"):
        # The caller has ended already. Workers of other backends may never have been its children.
        os._exit(1)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_GLANCE)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _named(task: PartitionTask) -> str:
    first, following = task.partition.first_subject, task.partition.next_subject
    begin = "the first" if first is None else str(first)
    end = "the last" if following is None else f"before {following}"
    return f"partition {task.partition.name} (subjects from {begin} to {end})"


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
