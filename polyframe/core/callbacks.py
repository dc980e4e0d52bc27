"""Types of the functions that report what a run does."""

from collections.abc import Callable

#: Receives a note: what was chosen or skipped.
Say = Callable[[str], None]
#: Receives the number of finished partitions and of all partitions.
Progress = Callable[[int, int], None]
