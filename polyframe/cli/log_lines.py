"""Print lines on standard error: for people on a terminal, elsewhere as log lines with time and level."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Literal

import click

from polyframe.cli.invocation import LogFormat, current
from polyframe.core.errors import one_line

Level = Literal["INFO", "WARNING", "ERROR"]

#: Called before each line, to erase the progress that a terminal shows.
before_lines: Callable[[], None] | None = None

_PREFIXES: Final = {"INFO": "polyframe: ", "WARNING": "polyframe: ", "ERROR": "polyframe: error: "}


def is_terminal() -> bool:
    """Return whether standard error is a terminal."""
    # It is None if the caller has closed it.
    return sys.stderr is not None and sys.stderr.isatty()


def log_format() -> LogFormat | None:
    """Return the form of log lines; None on a terminal, unless somebody has chosen a form."""
    return current().log_format or (None if is_terminal() else "text")


def print_line(level: Level, message: str, **numbers: int) -> None:
    """Print a message as one line on standard error.

    Parameters
    ----------
    level : {"INFO", "WARNING", "ERROR"}
        A warning may need action, an information does not.
    message : str
        What happened; line breaks become spaces.
    **numbers : int
        Figures in the message, which the JSON form has as fields of their own.
    """
    text = one_line(message)
    form = log_format()
    time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if form is None:
        text = _PREFIXES[level] + text
    elif form == "json":
        import json  # late, since most lines are text

        text = json.dumps({"time": time, "level": level, "message": text, **numbers})
    else:
        text = f"{time} {level} {text}"
    if before_lines is not None:
        before_lines()
    click.echo(text, err=True)
