"""Print notes, progress, results and errors."""

import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

import click

from polyframe import __version__
from polyframe.cli.invocation import current
from polyframe.cli.log_lines import is_terminal, log_format, print_line
from polyframe.core.errors import one_line
from polyframe.core.notes import Information

if TYPE_CHECKING:
    from polyframe.api import Loaded, Summary, Vacuumed

#: Progress in a log: at most one line in this many seconds, and for this share of the work; but a line after
#: the longest silence, as a sign of life.
_SECONDS: Final = 30.0
_SHARE: Final = 0.1
_LONGEST_SILENCE: Final = 600.0


def say(quiet: bool) -> Callable[[str], None]:
    """Return a function that prints a note on standard error; if `quiet`, it only remembers the note.

    Notes about environment variables are printed at once.
    """

    def say(note: str) -> None:
        current().notes.append(str(note))
        if not quiet:
            print_line("INFO" if isinstance(note, Information) else "WARNING", note)

    for note in current().variables:
        say(note)
    current().variables.clear()
    return say


class ProgressBar:
    """Progress on standard error: a bar if that is a terminal, otherwise lines of the log.

    `--progress off` shows nothing, nor does `--quiet`, unless it comes with `--progress on`.
    """

    #: Processed rows and rows to process of the current run; None for other work.
    rows: ClassVar[tuple[int, int] | None] = None

    def __init__(self, quiet: bool, label: str = "rows", clock: Callable[[], float] = time.monotonic) -> None:
        self.label = label
        self.shown = current().progress == "on" or (current().progress == "auto" and not quiet)
        self.bar: Any = None
        self._clock = clock
        #: The time and the share of the work when the last line was printed.
        self._last = (clock(), 0.0)
        ProgressBar.rows = (0, 0) if label == "rows" else None

    def __enter__(self) -> "ProgressBar":
        return self

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` rows, or other steps, are finished."""
        if self.label == "rows":
            ProgressBar.rows = (done, total)
        if not self.shown:
            return
        if log_format() is not None or not is_terminal():
            self._log(done, total)
            return
        if self.bar is None:
            self.bar = click.progressbar(length=total, label=self.label, file=sys.stderr)
            self.bar.__enter__()
        self.bar.update(done - self.bar.pos)

    def _log(self, done: int, total: int) -> None:
        now, share = self._clock(), done / max(total, 1)
        since, step = now - self._last[0], share - self._last[1]
        is_next = step >= _SHARE - 1e-9 or (step > 0 and done == total)
        if current().progress != "on":
            is_next = since >= _SECONDS and (is_next or since >= _LONGEST_SILENCE)
        if is_next:
            self._last = (now, share)
            message = f"{self.label}: {done:,} of {total:,} finished ({100 * done // max(total, 1)} %)"
            print_line("INFO", message, done=done, total=total)

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.__exit__(None, None, None)


def print_result(result: "Summary | Loaded | Vacuumed", quiet: bool, as_json: bool) -> None:
    """Print the result of a command as text; with `as_json`, all of its attributes, see `print_object`."""
    if as_json:
        print_object(result.to_dict())
    elif not quiet:
        click.echo(result)


def print_object(result: Mapping[str, Any], exit_code: int = 0) -> None:
    """Print a result as a JSON object on one line, which a collector of logs takes as one record.

    Its first keys are `command`, `exit_code` and `polyframe_version`; its last one is `notes`, with all notes
    of the command.
    """
    import json  # late, since most results are text

    call = current()
    first = {"command": call.command, "exit_code": exit_code, "polyframe_version": __version__}
    others = {key: value for key, value in result.items() if key != "notes"}
    click.echo(json.dumps(first | others | {"notes": call.notes}))


def print_error(message: str, exit_code: int) -> None:
    """Print an error as one line on standard error, and with `--json` as an object on standard output.

    Its keys: `command`, `exit_code`, `polyframe_version`, `error`, `seconds` and `notes`.
    """
    print_line("ERROR", message)
    if current().as_json:
        seconds = max(time.monotonic() - current().started, 0)
        print_object({"error": one_line(message), "seconds": seconds}, exit_code)
