"""Know the steps of a partition task: what each one is called, and which share of the time it takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from polyframe.core.callbacks import Running
from polyframe.core.choices import EngineName
from polyframe.core.task_reports import TaskReport


@dataclass(frozen=True)
class _Step:
    """A step: what it does and counts, and its time for outlines of 250 vertices, by the engine."""

    doing: str
    unit: str
    shapely: float
    compiled: float

    def time(self, engine: EngineName) -> float:
        """Return its time with an engine."""
        return self.compiled if engine == "compiled" else self.shapely


#: In the order of the work. Only the ratios of the times matter.
_STEPS: Final = {
    "rows": _Step("reading", "rows", 0.1, 0.1),
    "cells": _Step("extracting marks", "rows", 1.6, 1.3),
    "outlines": _Step("checking outlines", "marks", 1.2, 1.2),
    "write-extract": _Step("writing extractions", "", 0.7, 0.6),
    "pairs": _Step("comparing marks", "pairs", 5.0, 1.0),
    "averages": _Step("averaging", "clusters", 5.0, 0.9),
    "write-reduce": _Step("writing reductions", "", 0.3, 0.2),
    "contours": _Step("drawing contours", "clusters", 18.0, 1.5),
    "write-contours": _Step("writing contours", "", 1.1, 0.7),
}
_STEPS_OF_STAGES: Final = {
    "extract": ("cells", "write-extract"),
    "reduce": ("pairs", "averages", "write-reduce"),
    "contours": ("pairs", "contours", "write-contours"),
}


@dataclass(frozen=True)
class TaskSteps:
    """The steps of a partition task.

    Attributes
    ----------
    rows : int
        The rows of the partition.
    stages : sequence of str
        Some of `extract`, `reduce` and `contours`.
    engine : str
        `shapely` or `compiled`.
    """

    rows: int
    stages: Sequence[str]
    engine: EngineName

    def share_done(self, report: TaskReport) -> float:
        """Return the share of the work that is done, from 0 to 1."""
        own = {"rows", "outlines", *(step for stage in self.stages for step in _STEPS_OF_STAGES[stage])}
        times = {name: step.time(self.engine) for name, step in _STEPS.items() if name in own}
        names = list(times)
        before = sum(times[name] for name in names[: names.index(report.step)])
        return (before + report.share * times[report.step]) / sum(times.values())


def running_tasks(reports: Mapping[str, TaskReport], tasks: Mapping[str, TaskSteps]) -> Running:
    """Return how far the tasks have come that run now.

    Parameters
    ----------
    reports : mapping of str to TaskReport
        By the name of the task, the one that began first at the start.
    tasks : mapping of str to TaskSteps
        All tasks that are not finished, or more.
    """
    # Looked up once: a task can finish while another thread asks.
    steps = ((tasks.get(name), report) for name, report in reports.items() if report.step in _STEPS)
    known = [(task, report) for task, report in steps if task is not None]
    rows = sum(task.rows * task.share_done(report) for task, report in known)
    return Running(rows, next((_doing(report) for _, report in known), ""))


def _doing(report: TaskReport) -> str:
    step = _STEPS[report.step]
    if not (step.unit and report.total):
        return step.doing
    return f"{step.doing}: {int(report.share * report.total):,} of {report.total:,} {step.unit}"
