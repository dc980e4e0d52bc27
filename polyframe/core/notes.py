"""Show notes to Python callers: as warnings if they may need action, otherwise in the log."""

import inspect
import os
import warnings
from pathlib import Path
from typing import Final

_PACKAGE: Final = str(Path(__file__).parents[1]) + os.sep


class PolyframeWarning(UserWarning):
    """A note about something chosen or skipped that may need action.

    Pass `say=` to a function to receive its notes instead, or silence them with
    `warnings.simplefilter("ignore", polyframe.PolyframeWarning)`.
    """


class Information(str):
    """A note that needs no action; the command line prints it like any other."""

    __slots__ = ()


def show(note: str) -> None:
    """Show a note: `Information` in the log named `polyframe` at level INFO, other notes as a warning.

    The warning points to the line outside of polyframe that called a public function.
    """
    if isinstance(note, Information):
        import logging  # late, since `polyframe --help` logs nothing

        logging.getLogger("polyframe").info(note)
    else:
        warnings.warn(note, PolyframeWarning, stacklevel=_callers_level())


def _callers_level() -> int:
    """Return the `stacklevel` that `show` must pass to point to the caller of a public function."""
    frame, level, callers = inspect.currentframe(), 0, 0
    while frame is not None:
        # Between frames of polyframe may be some of the standard library, such as those of contextlib.
        if frame.f_code.co_filename.startswith(_PACKAGE):
            callers = level + 1
        frame, level = frame.f_back, level + 1
    return callers
