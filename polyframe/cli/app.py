"""The command line: the commands together, and how they end."""

import contextlib
import io
import os
import sys
from typing import Final

import click

from polyframe import __version__
from polyframe.cli import completion
from polyframe.cli.console import ProgressBar
from polyframe.cli.help import Group, error_message
from polyframe.cli.input_commands import config, synth
from polyframe.cli.output_commands import export, report, status, validate
from polyframe.cli.pipeline_commands import contours, extract, reduce, run
from polyframe.cli.plot_command import plot
from polyframe.cli.signals import StoppedError, exit_now, stop_on_signal
from polyframe.cli.tune_command import tune
from polyframe.core.errors import PolyframeError, UsageError

_SHORT_HELP: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
_FIRST_STEPS: Final = """Consensus polygons and agreement contours from the drawings of Zooniverse volunteers.

\b
The first thing to do, in a checkout, and to see what came of it:
  polyframe run data/classifications.csv -c data/config.yaml -o out
  polyframe status out
With nothing at hand, on an export that is made up:
  polyframe synth toy
  polyframe run toy/classifications.csv -o toy-out

`polyframe COMMAND --help` shows the flags of a command, and examples.
"""


@click.group(cls=Group, help=_FIRST_STEPS, context_settings=_SHORT_HELP)
@click.version_option(__version__, prog_name="polyframe")
def cli() -> None:
    """Hold the commands together."""


cli.add("Before a run", config, synth)
cli.add("Make tables", run, extract, reduce, contours)
cli.add("Look at them", status, validate, plot, report, tune)
cli.add("Hand them on", export)
cli.add("In the shell", completion.completion)


def main() -> None:
    """Run the command line; errors end in one line on standard error."""
    _fill_closed_streams()
    _write_what_has_no_character()
    try:
        with stop_on_signal(_abandon, lambda: _print_error(_stopped())):
            cli(prog_name="polyframe", complete_var=completion.VARIABLE, standalone_mode=False)
    except (StoppedError, click.exceptions.Abort):
        _abandon()
        exit_now(lambda: _print_error(_stopped()))
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _fail(error_message(error), error.exit_code)
    except UsageError as error:
        _fail(str(error), 2)
    except PolyframeError as error:
        _fail("; ".join([str(error), *getattr(error, "__notes__", [])]), 1)
    except BrokenPipeError:
        # The reader, such as `head`, has gone. Python flushes both streams at the end: that goes nowhere.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(nowhere, stream.fileno())
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"{where}{error.strerror or error}", 1)
    except MemoryError:
        _fail("not enough memory; try a smaller --partition-size or fewer --jobs", 1)
    except BaseException as error:
        # A panic in the Rust code of Polars is no Exception.
        is_fault = isinstance(error, Exception) or type(error).__name__ == "PanicException"
        if not is_fault or os.environ.get("POLYFRAME_DEBUG"):
            raise
        what = f"{type(error).__name__}: {error}"
        _fail(f"internal error, please report it with the output of POLYFRAME_DEBUG=1: {what[:300]}", 1)


def _fill_closed_streams() -> None:
    """Put the null device where standard streams are closed, lest a file of ours takes the place of one."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _write_what_has_no_character() -> None:
    """Write what the encoding of a stream cannot express, as names of files may hold, by its number."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _abandon() -> None:
    from polyframe.store import workplace

    workplace.abandon()


def _stopped() -> str:
    """Return what is to be said of a run that was asked to stop."""
    if ProgressBar.partitions is None:
        return "stopped"
    done, of_all = ProgressBar.partitions
    if not done:
        return "stopped; the output is as it was; the same command goes on"
    return (
        f"stopped; {done} of {of_all} partitions are finished and kept; the same command goes on from there"
    )


def _fail(message: str, code: int) -> None:
    _print_error(message)
    sys.exit(code)


def _print_error(message: str) -> None:
    click.echo(f"polyframe: error: {' '.join(message.split())}", err=True)
