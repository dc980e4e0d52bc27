"""Process partitions on workers, and recover if a worker dies."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from polyframe.core.callbacks import DetailedProgress, Say
from polyframe.core.errors import PolyframeError
from polyframe.core.plurals import agreeing, counted
from polyframe.pipeline.executors.executor import Executor, Result, Task, WorkerLost, run_tasks
from polyframe.pipeline.join_pieces import Pieces, join_pieces, remove_pieces
from polyframe.pipeline.partition_task import PartitionResult, PartitionTask, process_partition
from polyframe.pipeline.partitions import Partition
from polyframe.pipeline.task_steps import TaskSteps, running_tasks

Split = Callable[[PartitionTask], list[PartitionTask]]


def process_partitions(
    partitions: Sequence[Partition],
    task_of: Callable[[Partition], PartitionTask],
    executor: Executor,
    split: Split,
    say: Say,
    progress: DetailedProgress,
) -> list[PartitionResult]:
    """Process partitions; if that ends early, a note of the error says what is kept.

    Parameters
    ----------
    partitions : sequence of Partition
        In any order.
    task_of : callable
        Returns the task of a partition; for a cluster, it is called shortly before the task is sent.
    executor, split, say
        As for `process`.
    progress : DetailedProgress
        Receives the numbers of rows processed and to process, and of marks processed; it can ask how far
        the tasks have come.
    """
    results: list[PartitionResult] = []
    done, rows = 0, sum(partition.rows for partition in partitions)
    unfinished: dict[str, TaskSteps] = {}

    def begun(partition: Partition) -> PartitionTask:
        task = task_of(partition)
        unfinished[partition.name] = TaskSteps(partition.rows, task.stages, task.settings.engine)
        return task

    progress(0, rows)
    progress.watch(lambda: running_tasks(executor.reports(), unfinished))
    try:
        for result in process(map(begun, partitions), executor, split, say):
            results.append(result)
            unfinished.pop(result.partition.name, None)
            done += result.partition.rows
            progress.add_marks(result.marks)
            progress(done, rows)
    except (PolyframeError, OSError, KeyboardInterrupt) as error:
        if results:
            finished = (
                f"{len(results)} of {counted(len(partitions), 'partition')} "
                f"{agreeing(len(results), 'are finished and kept')}"
            )
            error.add_note(f"{finished}; run the same command to continue")
        raise
    return results


def process(
    tasks: Iterable[PartitionTask], executor: Executor, split: Split, say: Say
) -> Iterator[PartitionResult]:
    """Process partitions on workers; yield results as they complete.

    Parameters
    ----------
    tasks : iterable of PartitionTask
        In any order. For a cluster, each one is taken shortly before it is sent.
    executor : Executor
        Runs them.
    split : callable
        Splits a task into smaller ones; returns only the task itself if that is impossible.
    say : callable
        Receives a note when a worker died.

    Raises
    ------
    PolyframeError
        If a partition cannot be finished. If its worker died, it is tried again when the others are finished,
        alone, and then in smaller and smaller pieces, whose parts are joined. The error names a piece that
        cannot be split and kills its worker.
    """
    suspects: list[PartitionTask] = []
    named = ((task.partition.name, task) for task in tasks)
    for _, task, future in run_tasks(executor, _process, named):
        try:
            result = future.result()
        except WorkerLost:
            suspects.append(task)
            say(f"a worker died, perhaps because of {_describe(task)}; it will be tried alone")
        else:
            yield result
    lost: list[PartitionTask] = []
    for task in suspects:
        try:
            yield _process_alone(task, executor, split, say)
        except _LostError as error:
            lost.append(error.task)
    if lost:
        raise PolyframeError(
            f"{_describe(lost[0])}: its worker died every time, most likely for lack of memory"
            f"{f' (and {len(lost) - 1} more)' * (len(lost) > 1)}: "
            "free memory, or try --jobs 1 or a smaller --partition-size"
        )


class _LostError(Exception):
    """A task that cannot be split and kills its worker."""

    def __init__(self, task: PartitionTask) -> None:
        self.task = task


def _process_alone(task: PartitionTask, executor: Executor, split: Split, say: Say) -> PartitionResult:
    """Process a partition while nothing else runs; if its worker dies, process its pieces and join them."""
    name = task.partition.name
    try:
        return _run_alone(_process, task, name, executor)
    except WorkerLost:
        results: list[PartitionResult] = []
    try:
        _process_pieces(task, executor, split, say, results)
        return _run_alone(join_pieces, Pieces(task, tuple(results)), name, executor)
    except WorkerLost:
        raise _LostError(task) from None
    finally:
        remove_pieces(task.output, results)


def _process_pieces(
    task: PartitionTask, executor: Executor, split: Split, say: Say, results: list[PartitionResult]
) -> None:
    """Process the pieces of a task in the order of their subjects; split those that kill their workers."""
    pieces = split(task)
    if len(pieces) < 2:
        raise _LostError(task)
    say(f"the worker died again: splitting {_describe(task)} into {len(pieces)}")
    for piece in pieces:
        try:
            results.append(_run_alone(_process, piece, piece.partition.name, executor))
        except WorkerLost:
            _process_pieces(piece, executor, split, say, results)


def _run_alone(function: Callable[[Task], Result], task: Task, name: str, executor: Executor) -> Result:
    future = executor.submit(function, task, name)
    for _ in executor.as_completed():
        pass
    return future.result()


def _process(task: PartitionTask) -> PartitionResult:
    """Process a partition; if memory is not enough, the error names it."""
    try:
        return process_partition(task)
    except MemoryError:
        raise PolyframeError(
            f"{_describe(task)}: not enough memory. Free memory, or try --jobs 1 or a smaller "
            "--partition-size"
        ) from None


def _describe(task: PartitionTask) -> str:
    first, after_last = task.partition.first_subject, task.partition.next_subject
    begin = "the first" if first is None else str(first)
    end = "the last" if after_last is None else f"before {after_last}"
    return f"partition {task.partition.name} (subjects from {begin} to {end})"
