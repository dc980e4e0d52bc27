"""Run tasks on workers, and try those again whose worker dies."""

from collections.abc import Callable, Sequence
from typing import Final

from polyframe.core.callbacks import Advance, no_advance
from polyframe.core.errors import PolyframeError
from polyframe.pipeline.executors.executor import Executor, Result, Task, WorkerLost, run_tasks

#: Attempts for a task whose worker dies.
_TRIES: Final = 2


def run_all(
    executor: Executor,
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    doing: str,
    prefix: str = "",
    advance: Advance = no_advance,
) -> list[Result]:
    """Return the results of all tasks in their order.

    Parameters
    ----------
    executor : Executor
        On which nothing else runs.
    function : callable
        As for `Executor.submit`. A worker that is believed dead may go on, so two calls for the same task
        must not write the same files.
    tasks : sequence
        Its arguments.
    doing : str
        What a worker does, for the message if it dies every time, such as `read the export`.
    prefix : str
        With which the names of the tasks begin; their numbers follow. For workers of this machine, names are
        numbers: a run knows the files that it has to remove by them.
    advance : callable
        Receives how many tasks are finished.

    Raises
    ------
    PolyframeError
        If the worker of a task dies every time.
    """
    named = {f"{prefix}{number:05d}": task for number, task in enumerate(tasks)}
    results: dict[str, Result] = {}
    for _ in range(_TRIES):
        left = [(name, task) for name, task in named.items() if name not in results]
        for name, _task, future in run_tasks(executor, function, left):
            try:
                results[name] = future.result()
            except WorkerLost:
                continue
            advance(1)
        if len(results) == len(named):
            return [results[name] for name in named]
    raise PolyframeError(
        f"a worker died every time while it {doing}, most likely for lack of memory; give the workers more, "
        "or start fewer on each machine"
    )
