"""Process partitions in parallel with joblib, and recover if the system kills a worker."""

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
from polyframe.pipeline.shuffle import Slices

#: Up to this number of partitions, the workers are threads of this process.
_PARTITIONS_FOR_THREADS: Final = 32
#: Seconds between two checks of a worker whether its caller is alive.
_POLL_SECONDS: Final = 0.2

#: Hash of the secret in the environment of the workers that joblib keeps.
_key_of_workers: int | None = None

Split = Callable[[PartitionTask], list[PartitionTask]]
Task = TypeVar("Task")
Result = TypeVar("Result")


def process(tasks: Sequence[PartitionTask], jobs: int, split: Split, say: Say) -> Iterator[PartitionResult]:
    """Run tasks in this process or in workers; yield results as they complete.

    Parameters
    ----------
    tasks : sequence of PartitionTask
        In any order.
    jobs : int
        Number of workers; 0 means one for each processor.
    split : callable
        Splits a task into smaller ones; returns only the task itself if that is impossible.
    say : callable
        Receives a note when a worker was killed.

    Raises
    ------
    PolyframeError
        If a partition cannot be finished. If its worker was killed, it is tried again alone, then in pieces;
        only if that fails too, and after all other partitions, the error names it.
    """
    if jobs == 1 or len(tasks) <= 1:
        yield from map(_in_memory, tasks)
        return
    import joblib

    if isinstance(tasks[0].source, Slices):
        _stop_workers_with_other_key(volunteers_key(tasks[0].settings))
    workers = min(jobs or joblib.cpu_count(), len(tasks))
    pending = {task.partition.name: task for task in tasks}
    lost: list[PartitionTask] = []
    broken = False
    while pending:
        try:
            # A partition that killed a worker must not run in this process.
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
                say(f"the system killed a worker, perhaps because of {_describe(task)}; trying it alone")
                yield from _retry_in_own_worker(task, split, say, lost)
    if lost:
        raise PolyframeError(
            f"{_describe(lost[0])}: the system killed its worker every time, most likely for lack of memory"
            f"{f' (and {len(lost) - 1} more)' * (len(lost) > 1)}: "
            "free memory, or try --jobs 1 or a smaller --partition-size"
        )


def _stop_workers_with_other_key(key: bytes) -> None:
    """Stop the worker processes that joblib keeps from an earlier run with another secret."""
    global _key_of_workers
    if key and hash(key) != _key_of_workers:
        from joblib.externals.loky import get_reusable_executor

        get_reusable_executor(reuse=True).shutdown(wait=True)
        _key_of_workers = hash(key)


def map_tasks(work: Callable[[Task], Result], tasks: Sequence[Task], jobs: int) -> Iterator[Result]:
    """Call a function that writes nothing with each task, in workers; yield results as they complete.

    Parameters
    ----------
    work : callable
        A function of a module; it and its results must be picklable.
    tasks : sequence
        Its arguments.
    jobs : int
        Number of workers; 0 means one for each processor.

    Raises
    ------
    PolyframeError
        If the system kills a worker.
    """
    if jobs == 1 or len(tasks) <= 1:
        yield from map(work, tasks)
        return
    import joblib

    try:
        workers = min(jobs or joblib.cpu_count(), len(tasks))
        yield from _in_workers(functools.partial(_run_in_worker, work), tasks, workers)
    except BrokenExecutor:
        raise PolyframeError(
            "the system killed a worker, most likely for lack of memory: free memory, or try --jobs 1"
        ) from None


def _retry_in_own_worker(
    task: PartitionTask, split: Split, say: Say, lost: list[PartitionTask], again: bool = True
) -> Iterator[PartitionResult]:
    """Run a task in its own worker; if that is killed, run its pieces."""
    try:
        yield from _in_workers(_process, [task], 2, in_processes=True)
    except BrokenExecutor:
        pieces = split(task) if again else [task]
        if len(pieces) < 2:
            lost.append(task)
            return
        say(f"killed again: splitting {_describe(task)} into {len(pieces)}")
        for piece in pieces:
            yield from _retry_in_own_worker(piece, split, say, lost, again=False)


def _in_workers(
    work: Callable[[Task, int], Result], tasks: Sequence[Task], workers: int, *, in_processes: bool = False
) -> Iterator[Result]:
    import joblib

    # Otherwise Polars would start a thread for each processor in every worker.
    with _environment("POLARS_MAX_THREADS", "1"):
        # Nearly all work is done without the GIL, so threads are efficient, and they start at once. Processes
        # take a second to start, which pays off with many partitions. This is only a hint: a backend that the
        # caller has chosen has priority.
        few = len(tasks) <= _PARTITIONS_FOR_THREADS and not in_processes
        parallel = _parallel(workers, "threads" if few else "processes")
        results: Any = parallel(joblib.delayed(work)(task, os.getpid()) for task in tasks)
        with contextlib.closing(results):
            yield from results


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


def _process(task: PartitionTask, caller: int) -> PartitionResult:
    return _run_in_worker(_in_memory, task, caller)


def _in_memory(task: PartitionTask) -> PartitionResult:
    """Process a partition; if memory is not enough, the error names it."""
    try:
        return process_partition(task)
    except MemoryError:
        raise PolyframeError(
            f"{_describe(task)}: not enough memory. Free memory, or try --jobs 1 or a smaller "
            "--partition-size"
        ) from None


def _run_in_worker(work: Callable[[Task], Result], task: Task, caller: int) -> Result:
    if os.getpid() != caller:
        _exit_when_caller_dies(caller)
    return work(task)


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


def _describe(task: PartitionTask) -> str:
    first, after_last = task.partition.first_subject, task.partition.next_subject
    begin = "the first" if first is None else str(first)
    end = "the last" if after_last is None else f"before {after_last}"
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
