"""Define the types of functions that report on a run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

#: Receives a note on what was chosen or skipped.
Say = Callable[[str], None]
#: Receives how much is done and how much there is in all, in rows unless the function says otherwise.
Progress = Callable[[int, int], None]
#: Receives how much more is done, such as the bytes of a block that was read.
Advance = Callable[[int], None]


def no_progress(_done: int, _of_all: int) -> None:
    """Ignore progress."""


def no_advance(_number: int) -> None:
    """Ignore how much more is done."""


@dataclass(frozen=True)
class Running:
    """How far the tasks have come that run now.

    Attributes
    ----------
    rows : float
        The share of their work that is done, in rows.
    doing : str
        What the task that began first is doing, such as `drawing contours: 120 of 7,300 clusters`; empty if
        that is not known.
    """

    rows: float = 0.0
    doing: str = ""


class DetailedProgress:
    """Progress that also says what a run is doing, and how far its tasks have come.

    This one passes only the rows on; a subclass shows the rest.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __call__(self, done: int, total: int) -> None:
        """Report that `done` of `total` rows, or other steps, are finished."""
        self._progress(done, total)

    def begin(self, step: str, total: int = 0, unit: str = "rows") -> None:
        """Report what begins now, before rows are processed.

        Parameters
        ----------
        step : str
            Such as `reading the export`.
        total : int
            How much there is to do; 0 if that is not known.
        unit : str
            What is counted; `bytes` are shown as megabytes.
        """

    def advance(self, number: int) -> None:
        """Report that so much more of the present step is done; from any thread."""

    def add_marks(self, number: int) -> None:
        """Report marks that have been processed, before the rows that contain them."""

    def watch(self, running: Callable[[], Running]) -> None:
        """Report where to ask, from any thread, how far the running tasks have come."""


#: Ignores all progress.
NO_PROGRESS: Final = DetailedProgress(no_progress)


def detailed(progress: Progress) -> DetailedProgress:
    """Return a function that receives progress as one that can receive its details."""
    return progress if isinstance(progress, DetailedProgress) else DetailedProgress(progress)
