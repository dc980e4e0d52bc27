"""Define what the pipeline expects of workers, wherever they run."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Protocol, TypeVar, cast

from polyframe.core.task_reports import TaskReport

Task = TypeVar("Task")
Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)

#: Number of tasks that wait or run at a time on a cluster, for each worker;
_TASKS_PER_WORKER: Final = 4
#: and at least, so that workers that join have some to do.
_LEAST_TASKS: Final = 1000


class WorkerLost(Exception):  # noqa: N818 - an event, which the pipeline recovers from
    """The worker of a task died before the task was finished, most likely for lack of memory."""


class Future(Protocol[Result_co]):
    """A task that an executor runs."""

    def result(self) -> Result_co:
        """Return the result of a completed task.

        Raises
        ------
        WorkerLost
            If its worker died.
        Exception
            Any error of the function, unless `as_completed` raised it already.
        """


class Executor(Protocol):
    """Runs functions on workers. It is a context manager: at its end, what still runs is cancelled."""

    def submit(self, function: Callable[[Task], Result], task: Task, name: str) -> Future[Result]:
        """Run a function on a worker.

        Parameters
        ----------
        function : callable
            A function of a module, which the worker imports.
        task : Any
            Its argument; it and the result are pickled.
        name : str
            Names the task; different for tasks that run at the same time.
        """

    def window(self) -> int:
        """Return how many tasks should wait or run at a time: those that are sent take memory here and there.

        Raises
        ------
        PolyframeError
            If the connection to the workers is lost.
        """

    def as_completed(self) -> Iterator[Future[object]]:
        """Yield the submitted futures as they complete, also those that are submitted meanwhile.

        Raises
        ------
        PolyframeError
            If there are no workers any more.
        Exception
            An error of a function; the other tasks are cancelled.
        """

    def reports(self) -> Mapping[str, TaskReport]:
        """Return how far the tasks have come that run now, by name, the one that began first at the start.

        Any thread may call it. Empty if that is not known: workers elsewhere send nothing but results.
        """


def cluster_window(n_workers: int) -> int:
    """Return the window of a cluster, see `Executor`."""
    return max(_LEAST_TASKS, _TASKS_PER_WORKER * n_workers)


def run_tasks(
    executor: Executor, function: Callable[[Task], Result], tasks: Iterable[tuple[str, Task]]
) -> Iterator[tuple[str, Task, Future[Result]]]:
    """Run a function for each task; yield names, tasks and futures as they complete.

    Parameters
    ----------
    executor : Executor
        On which nothing else runs.
    function : callable
        As for `Executor.submit`.
    tasks : iterable of (str, Any)
        The name and the argument of each one. It is only taken when it is sent, so that a generator need not
        keep all of them in memory.
    """
    waiting = iter(tasks)
    window = executor.window()
    submitted: dict[Future[Any], tuple[str, Task]] = {}

    def fill() -> None:
        for name, task in itertools.islice(waiting, max(window - len(submitted), 0)):
            submitted[executor.submit(function, task, name)] = name, task

    fill()
    for number, future in enumerate(executor.as_completed(), start=1):
        name, task = submitted.pop(future)
        if number % window == 0:
            window = executor.window()  # workers may have joined or left
        fill()
        yield name, task, cast("Future[Result]", future)
