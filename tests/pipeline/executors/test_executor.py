"""Tasks are sent to a cluster in windows."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from losing_executor import Future, LosingExecutor

from polyframe.pipeline.executors.executor import cluster_window, run_tasks


class SmallWindow(LosingExecutor):
    """Takes few tasks at a time, and after some more: workers have joined."""

    most = 0

    def window(self) -> int:
        return 3 if len(self.names) < 6 else 5

    def submit(self, function: Callable[[Any], Any], task: Any, name: str) -> Future:
        future = super().submit(function, task, name)
        self.most = max(self.most, len(self.submitted))
        return future


@pytest.mark.parametrize("number", [0, 2, 3, 40])
def test_tasks_are_made_and_sent_in_windows(number: int) -> None:
    executor, made, completed = SmallWindow([]), 0, 0

    def tasks() -> Iterator[tuple[str, int]]:
        nonlocal made
        for task in range(number):
            made += 1
            assert made - completed <= 6
            yield f"task-{task}", task

    results = {}
    for name, task, future in run_tasks(executor, abs, tasks()):
        completed += 1
        assert name == f"task-{task}"
        results[task] = future.result()
    assert results == {task: task for task in range(number)}
    assert executor.most == min(number, 5)


def test_the_window_of_a_cluster() -> None:
    assert cluster_window(0) == cluster_window(250) == 1000
    assert cluster_window(2000) == 8000
