"""Remember how the command that is running was called: its name, and the form of what it prints."""

import itertools
import os
import time
import typing
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from polyframe.core.environment import variable_of

LogFormat = Literal["text", "json"]
ProgressForm = Literal["auto", "on", "off"]

LOG_FORMATS: Final[tuple[str, ...]] = typing.get_args(LogFormat)
PROGRESS_FORMS: Final[tuple[str, ...]] = typing.get_args(ProgressForm)


@dataclass
class Invocation:
    """One call of the command line.

    Attributes
    ----------
    command : str
        The name of the command; empty as long as it is not known.
    log_format : {"text", "json"} or None
        The form of the lines on standard error; None if nobody has chosen it.
    progress : {"auto", "on", "off"}
        When progress is shown.
    as_json : bool
        Whether the result, or the error, is printed as a JSON object on standard output.
    started : float
        The monotonic clock at the beginning.
    notes : list of str
        All notes so far, also those that `--quiet` hides.
    variables : list of str
        Notes about environment variables, which are printed before other notes.
    """

    command: str = ""
    log_format: LogFormat | None = None
    progress: ProgressForm = "auto"
    as_json: bool = False
    started: float = field(default_factory=time.monotonic)
    notes: list[str] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)


def begin(command: str, arguments: Sequence[str]) -> None:
    """Begin a call: read from its arguments, or else from the environment, what errors depend on.

    Click reads the arguments too, and refuses those that are wrong. This comes first, so that the message of
    a wrong call already has the form that was asked for.
    """
    global _current
    options = list(itertools.takewhile(lambda argument: argument != "--", arguments))
    _current = Invocation(
        command,
        typing.cast("LogFormat | None", _chosen("--log-format", options, LOG_FORMATS)),
        typing.cast("ProgressForm", _chosen("--progress", options, PROGRESS_FORMS) or "auto"),
        "--json" in options,
    )


def current() -> Invocation:
    """Return the call that is running."""
    return _current


def _chosen(flag: str, arguments: Sequence[str], choices: Sequence[str]) -> str | None:
    """Return the valid value of an option, the last one if it is repeated."""
    value = os.environ.get(variable_of(flag))
    for argument, next_argument in itertools.pairwise([*arguments, ""]):
        if argument == flag:
            value = next_argument
        elif argument.startswith(f"{flag}="):
            value = argument.partition("=")[2]
    return value if value in choices else None


_current = Invocation()
