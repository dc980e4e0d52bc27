"""Report how far a task has come, from inside its loops, in a small file that another process reads.

The worker that calls a task names the file, the task says which step begins, and a loop over pieces of its
work says which of them are finished. Without a file, as on the machines of a cluster, all that does nothing.
"""

import contextlib
import itertools
import time
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: Seconds between two reports of a loop: a report takes 20 microseconds on a local disk, but more elsewhere.
_PAUSE: Final = 0.1


@dataclass(frozen=True)
class TaskReport:
    """How far a task has come.

    Attributes
    ----------
    step : str
        One word for what it is doing.
    total : int
        How much there is to do in this step, in its units.
    share : float
        How much of that is done, from 0 to 1.
    """

    step: str
    total: int
    share: float


@dataclass
class _Task:
    """The task of this thread: where it reports, and which part of its step the innermost loop covers."""

    file: Path
    step: str = ""
    total: int = 0
    begin: float = 0.0
    end: float = 1.0
    share: float = 0.0
    reported: float = 0.0

    def report(self, share: float) -> None:
        """Report the share of the step that is done, unless the last report was a moment ago."""
        now = time.monotonic()
        if share > self.share and now - self.reported >= _PAUSE:
            self.share = share
            self.write(now)

    def write(self, now: float) -> None:
        self.reported = now
        # The file may be gone, or the disk full: that is no reason to stop the work.
        with contextlib.suppress(OSError), self.file.open("r+b", buffering=0) as file:
            # In one piece and always as long, so that a reader never sees half of it.
            file.write(f"{self.step} {self.total} {self.share:.6f}".ljust(_LENGTH).encode())


_LENGTH: Final = 80
_task: ContextVar[_Task | None] = ContextVar("task", default=None)


@contextlib.contextmanager
def reporting_to(file: Path) -> Iterator[None]:
    """Report what the body does to an existing file."""
    token = _task.set(_Task(file))
    try:
        yield
    finally:
        _task.reset(token)


def begin_step(step: str, total: int = 0) -> None:
    """Report that the task of this thread begins a step.

    Parameters
    ----------
    step : str
        One word.
    total : int
        How much there is to do, in units of the step.
    """
    task = _task.get()
    if task is not None:
        task.step, task.total, task.begin, task.end, task.share = step, total, 0.0, 1.0, 0.0
        task.write(time.monotonic())


def in_pieces(bounds: Sequence[int], step: str) -> Iterator[tuple[int, int]]:
    """Yield the pieces of some work between bounds, and report each one when the next is wanted.

    Loops may be nested: an inner one reports its share of the piece of the outer one.

    Parameters
    ----------
    bounds : sequence of int
        Ascending positions in the work, from its begin to its end.
    step : str
        The step of which this is the main loop. During others it reports nothing.
    """
    task = _task.get()
    if task is None or task.step != step:
        yield from itertools.pairwise(bounds)
        return
    begin, size = task.begin, task.end - task.begin
    scale = size / max(bounds[-1] - bounds[0], 1)
    for low, high in itertools.pairwise(bounds):
        task.begin, task.end = (begin + scale * (bound - bounds[0]) for bound in (low, high))
        task.report(task.begin)
        yield low, high
    task.begin, task.end = begin, begin + size
    task.report(task.end)


def read_report(file: Path) -> TaskReport | None:
    """Return what was reported to a file; None if that is nothing, or the file is gone."""
    try:
        step, total, share = file.read_text(encoding="ascii").split()
        return TaskReport(step, int(total), float(share))
    except (OSError, ValueError):
        return None
