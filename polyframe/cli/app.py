"""Assemble the commands and turn errors into exit codes."""

import atexit
import contextlib
import gc
import io
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from polyframe import __version__
from polyframe.cli import completion
from polyframe.cli.console import print_error
from polyframe.cli.corrections_command import import_corrections
from polyframe.cli.demo_command import demo
from polyframe.cli.help import Group, error_message
from polyframe.cli.input_commands import config, synth
from polyframe.cli.invocation import begin
from polyframe.cli.load_command import load
from polyframe.cli.next_steps import first_steps
from polyframe.cli.output_commands import export, report, status, vacuum, validate
from polyframe.cli.pipeline_commands import contours, extract, reduce, run
from polyframe.cli.plot_command import plot
from polyframe.cli.progress import ProgressBar
from polyframe.cli.score_command import score
from polyframe.cli.signals import StoppedError, exit_now, stop_on_signal
from polyframe.cli.tune_command import tune
from polyframe.cli.worst_first_commands import subjects, volunteers
from polyframe.core.environment import DEBUG_VARIABLE
from polyframe.core.errors import PolyframeError, UsageError
from polyframe.core.extras import installed_engines
from polyframe.core.plurals import agreeing, counted

_SETTINGS: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
_HELP: Final = """Consensus polygons and agreement contours from the drawings of Zooniverse volunteers.

\b
Try it with an example project, up to the report:
  polyframe demo demo
In a checkout:
  polyframe run data/classifications.csv -c data/config.yaml -o out
  polyframe status out
With a synthetic export:
  polyframe synth toy
  polyframe run toy/classifications.csv -o toy-out

`polyframe COMMAND --help` shows the options of a command, with examples.
"""


def _print_version(ctx: click.Context, _parameter: click.Parameter, is_set: bool) -> None:
    if is_set and not ctx.resilient_parsing:
        click.echo(f"polyframe {__version__} (engines: {installed_engines()})")
        ctx.exit()


@click.group(cls=Group, help=_HELP, context_settings=_SETTINGS, invoke_without_command=True)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and the installed engines, then exit.",
)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Group the commands; without one, say how to begin."""
    if ctx.invoked_subcommand is None:
        for line in first_steps(Path()):
            click.echo(line)


cli.add("Begin", demo)
cli.add("Prepare", config, synth)
cli.add("Make tables", run, extract, reduce, contours)
cli.add("Inspect", status, validate, vacuum, plot, report, tune, score, volunteers, subjects)
cli.add("Export", export, load, import_corrections)
cli.add("Shell", completion.completion)


def main() -> None:
    """Run the command line; print errors as one line on standard error."""
    begin("", sys.argv[1:])
    _collect_less_garbage()
    _reopen_closed_streams()
    _escape_unencodable_output()
    try:
        with stop_on_signal(_remove_temporary_files, lambda code: print_error(_stop_message(), code)):
            cli(prog_name="polyframe", complete_var=completion.VARIABLE, standalone_mode=False)
    except (StoppedError, click.exceptions.Abort) as error:
        _remove_temporary_files()
        number = error.number if isinstance(error, StoppedError) else signal.SIGINT
        exit_now(number, lambda code: print_error(_stop_message(), code))
    except click.ClickException as error:
        _fail(error_message(error), error.exit_code)
    except UsageError as error:
        _fail(str(error), 2)
    except PolyframeError as error:
        _fail("; ".join([str(error), *getattr(error, "__notes__", [])]), 1)
    except BrokenPipeError:
        _discard_output()
        sys.exit(1)
    except OSError as error:
        file = f"{error.filename}: " if error.filename else ""
        _fail(f"{file}{error.strerror or error}", 1)
    except MemoryError:
        _fail("not enough memory; try a smaller --partition-size or fewer --jobs", 1)
    except BaseException as error:
        # A panic in the Rust code of Polars does not derive from Exception.
        is_bug = isinstance(error, Exception) or type(error).__name__ == "PanicException"
        if not is_bug or os.environ.get(DEBUG_VARIABLE):
            raise
        summary = f"{type(error).__name__}: {error}"
        _fail(f"internal error, please report it with the output of {DEBUG_VARIABLE}=1: {summary[:300]}", 1)


def _collect_less_garbage() -> None:
    """Look for reference cycles less often, and not at exit, which takes a quarter of a second."""
    gc.set_threshold(100_000, 20, 100)
    atexit.register(gc.freeze)


def _reopen_closed_streams() -> None:
    """Open closed standard streams on the null device, so that no other file gets their descriptors."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # `open` returns the lowest free descriptor, which is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _escape_unencodable_output() -> None:
    """Escape characters that the encoding of a stream lacks, for example in file names."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _remove_temporary_files() -> None:
    from polyframe.store import work_directory

    work_directory.abandon()


def _stop_message() -> str:
    """Describe what a stopped run has finished, and how to continue."""
    if ProgressBar.rows is None:
        return "stopped"
    done, total = ProgressBar.rows
    if not done:
        return "stopped; the output is unchanged; run the same command to continue"
    finished = f"{done} of {counted(total, 'row')} {agreeing(done, 'are finished')}"
    return f"stopped; {finished}; run the same command to continue"


def _fail(message: str, code: int) -> None:
    _end(lambda: print_error(message, code), code)


def _end(say: Callable[[], None], code: int) -> None:
    """Print the last words, and exit; a reader that has exited does not change the code."""
    try:
        say()
    except BrokenPipeError:
        _discard_output()
    sys.exit(code)


def _discard_output() -> None:
    """Discard what Python flushes at exit, since the reader, such as `head`, has exited."""
    null_device = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(null_device, stream.fileno())
