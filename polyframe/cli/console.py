"""What commands say on the way and at the end."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import click

if TYPE_CHECKING:
    from polyframe.pipeline.result import Summary


def say(quiet: bool) -> Callable[[str], None]:
    """Return a function that prints a note on standard error, or does nothing where all is to be quiet."""

    def say(note: str) -> None:
        if not quiet:
            click.echo(f"polyframe: {note}", err=True)

    return say


class ProgressBar:
    """A progress bar on standard error, only where that is a terminal."""

    #: Those that are done, and all, of the run that is under way.
    partitions: ClassVar[tuple[int, int] | None] = None

    def __init__(self, quiet: bool, label: str = "partitions") -> None:
        self.label = label
        self.shown = not quiet and sys.stderr is not None and sys.stderr.isatty()
        self.bar: Any = None
        ProgressBar.partitions = (0, 0) if label == "partitions" else None

    def __enter__(self) -> "ProgressBar":
        return self

    def __call__(self, done: int, of_all: int) -> None:
        """Show how far the work is."""
        if self.label == "partitions":
            ProgressBar.partitions = (done, of_all)
        if not self.shown:
            return
        if self.bar is None:
            self.bar = click.progressbar(length=of_all, label=self.label, file=sys.stderr)
            self.bar.__enter__()
        self.bar.update(done - self.bar.pos)

    def advance(self, of_all: int) -> Callable[[int], None]:
        """Return a function that takes steps instead of how far it is."""
        done = 0

        def step(steps: int) -> None:
            nonlocal done
            done += steps
            self(done, of_all)

        return step

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.__exit__(None, None, None)


def print_summary(summary: "Summary", quiet: bool) -> None:
    """Print where every row and mark went."""
    if quiet:
        return
    from polyframe.pipeline.summary import summary_lines

    for line in summary_lines(summary):
        click.echo(line)
