"""An executor that loses the workers of chosen tasks, without any processes."""

import fnmatch
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

from polyframe.pipeline.executors.executor import WorkerLost


class Future:
    def __init__(self, call: Callable[[], Any] | None) -> None:
        self.call = call

    def result(self) -> Any:
        if self.call is None:
            raise WorkerLost
        return self.call()


class LosingExecutor:
    """Runs tasks in this process; those whose names match a pattern lose their worker, every time."""

    def __init__(self, lost: Sequence[str], *_: Any) -> None:
        self.lost = lost
        self.submitted: list[Future] = []
        self.names: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, function: Callable[[Any], Any], task: Any, name: str) -> Future:
        is_lost = function.__name__ == "_process" and any(fnmatch.fnmatch(name, p) for p in self.lost)
        self.submitted.append(Future(None if is_lost else functools.partial(function, task)))
        self.names.append(name)
        return self.submitted[-1]

    def window(self) -> int:
        return 1000

    def reports(self) -> dict[str, Any]:
        return {}

    def as_completed(self) -> Iterator[Future]:
        while self.submitted:
            yield self.submitted.pop()
