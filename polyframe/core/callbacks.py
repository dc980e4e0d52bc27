"""Define the types of functions that report on a run."""

from collections.abc import Callable

#: Receives a note on what was chosen or skipped.
Say = Callable[[str], None]
#: Receives how much is done and how much there is in all, in rows unless the function says otherwise.
Progress = Callable[[int, int], None]


def no_progress(_done: int, _of_all: int) -> None:
    """Ignore progress."""
