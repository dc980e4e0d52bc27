"""Print notes, progress and summaries on the terminal."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import click

if TYPE_CHECKING:
    from polyframe.api import Summary


def say(quiet: bool) -> Callable[[str], None]:
    """Return a function that prints a note on standard error, or does nothing if `quiet`."""

    def say(note: str) -> None:
        if not quiet:
            click.echo(f"polyframe: {note}", err=True)

    return say


class ProgressBar:
    """A progress bar on standard error, shown only if that is a terminal."""

    #: Processed rows and rows to process of the current run; None for other work.
    rows: ClassVar[tuple[int, int] | None] = None

    def __init__(self, quiet: bool, label: str = "rows") -> None:
        self.label = label
        self.shown = not quiet and sys.stderr is not None and sys.stderr.isatty()
        self.bar: Any = None
        ProgressBar.rows = (0, 0) if label == "rows" else None

    def __enter__(self) -> "ProgressBar":
        return self

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` rows, or other steps, are finished."""
        if self.label == "rows":
            ProgressBar.rows = (done, total)
        if not self.shown:
            return
        if self.bar is None:
            self.bar = click.progressbar(length=total, label=self.label, file=sys.stderr)
            self.bar.__enter__()
        self.bar.update(done - self.bar.pos)

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.__exit__(None, None, None)


def print_summary(summary: "Summary", quiet: bool) -> None:
    """Print how many rows and marks were used, filtered out and rejected."""
    if not quiet:
        click.echo(summary)
