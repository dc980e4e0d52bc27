"""Define the types of functions that report on a run."""

from collections.abc import Callable

#: Receives a note on what was chosen or skipped.
Say = Callable[[str], None]
#: Receives the number of finished partitions and the number of all partitions.
Progress = Callable[[int, int], None]


def no_progress(_done: int, _of_all: int) -> None:
    """Ignore progress."""
