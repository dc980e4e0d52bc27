"""Define what the pipeline expects of workers, wherever they run."""

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)


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

    def as_completed(self) -> Iterator[Future[object]]:
        """Yield the submitted futures as they complete, also those that are submitted meanwhile.

        Raises
        ------
        PolyframeError
            If there are no workers any more.
        Exception
            An error of a function; the other tasks are cancelled.
        """
