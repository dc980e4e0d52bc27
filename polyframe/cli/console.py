"""Print notes, results and errors."""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from polyframe import __version__
from polyframe.cli.invocation import current
from polyframe.cli.log_lines import print_line
from polyframe.cli.next_steps import steps_after_run
from polyframe.cli.parameter_types import given_storage_options
from polyframe.core.errors import one_line
from polyframe.core.notes import Information

if TYPE_CHECKING:
    from polyframe.api import ImportedCorrections, Loaded, Summary, Vacuumed


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


def print_result(
    result: "ImportedCorrections | Loaded | Summary | Vacuumed", quiet: bool, as_json: bool
) -> None:
    """Print the result of a command as text; with `as_json`, all of its attributes, see `print_object`."""
    if as_json:
        print_object(result.to_dict())
    elif not quiet:
        click.echo(result)


def print_summary(summary: "Summary", quiet: bool, as_json: bool) -> None:
    """Print what a run has made, what it rejected and why, and, except for programs, what to do next."""
    print_result(summary, quiet, as_json)
    if quiet or as_json:
        return
    stores = given_storage_options(click.get_current_context())
    click.echo()
    for step in steps_after_run(summary.output, summary.stages, stores):
        click.echo("\n".join(step.lines()))


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
