"""Define the types of functions that report on a run."""

from collections.abc import Callable

#: Receives a note on what was chosen or skipped.
Say = Callable[[str], None]
#: Receives how much is done and how much there is in all, in rows unless the function says otherwise.
Progress = Callable[[int, int], None]


def no_progress(_done: int, _of_all: int) -> None:
    """Ignore progress."""


class DetailedProgress:
    """Progress that also says what a run is doing, and how many marks it has processed.

    This one passes only the rows on; a subclass shows the rest.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __call__(self, done: int, total: int) -> None:
        """Report that `done` of `total` rows, or other steps, are finished."""
        self._progress(done, total)

    def begin(self, step: str) -> None:
        """Report what begins now, such as `reading the export`, before rows can be counted."""

    def add_marks(self, number: int) -> None:
        """Report marks that have been processed, before the rows that contain them."""


def detailed(progress: Progress) -> DetailedProgress:
    """Return a function that receives progress as one that can receive its details."""
    return progress if isinstance(progress, DetailedProgress) else DetailedProgress(progress)
