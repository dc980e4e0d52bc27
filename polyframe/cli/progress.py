"""Show progress on standard error: a line that changes on a terminal, otherwise lines of the log."""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final

from polyframe.cli import log_lines
from polyframe.cli.invocation import current
from polyframe.core.callbacks import DetailedProgress, no_progress
from polyframe.core.durations import format_duration
from polyframe.core.plurals import counted

#: Progress in a log: at most one line in this many seconds, and for this share of the work; but a line after
#: the longest silence, as a sign of life.
_SECONDS: Final = 30.0
_SHARE: Final = 0.1
_LONGEST_SILENCE: Final = 600.0
#: Seconds between two drawings on a terminal.
_REDRAW: Final = 0.2
#: Work that takes less than this is over before anybody could read its progress.
_TOO_SHORT: Final = 0.5
_BAR: Final = 24
_NARROWEST: Final = 20
_USUAL_WIDTH: Final = 80


@dataclass
class State:
    """What is known about the progress of some work.

    Attributes
    ----------
    label : str
        What is counted, such as `rows`.
    step : str
        What is being done while nothing can be counted; empty otherwise.
    done, total : int
        Numbers of finished and of all rows, or whatever is counted; 0 of 0 before they are known.
    marks : int
        Marks that have been processed.
    began, updated : float
        When the step, or the counting, began; and when `done` was last updated.
    """

    label: str
    step: str = ""
    done: int = 0
    total: int = 0
    marks: int = 0
    began: float = 0.0
    updated: float = 0.0

    def seconds_left(self, now: float) -> int | None:
        """Return how long the rest takes at the average speed so far; None if that is not known."""
        if not 0 < self.done < self.total:
            return None
        at_update = (self.updated - self.began) * (self.total - self.done) / self.done
        # Between two updates it falls, and it is not known how long the present pieces of work exceed it.
        left = round(at_update - (now - self.updated))
        return left if left > 0 else None

    def details(self, now: float) -> str:
        """Return the marks and the time left, as the end of a sentence."""
        left = self.seconds_left(now)
        parts = [counted(self.marks, "mark")] if self.marks else []
        parts += [] if left is None else [f"about {_duration(left)} left"]
        return "".join(f", {part}" for part in parts)


def terminal_line(state: State, now: float, width: int) -> str:
    """Return the line that a terminal of so many columns shows."""
    elapsed = now - state.began
    so_far = f", {_duration(elapsed)} so far" if elapsed >= 1 else ""
    if state.step or not state.total:
        return f"{state.step or 'starting'}{so_far}"[:width]
    share = state.done / state.total
    finished = round(share * _BAR)
    bar = f"[{'#' * finished}{'-' * (_BAR - finished)}] "
    details = state.details(now) if state.done else so_far
    numbers = f"{int(share * 100):3} %  {state.done:,} of {state.total:,} {state.label}{details}"
    return f"{bar}{numbers}" if len(bar) + len(numbers) <= width else numbers[:width]


class ProgressBar(DetailedProgress):
    """Progress on standard error: a line that changes if that is a terminal, otherwise lines of the log.

    `--progress off` shows nothing, nor does `--quiet`, unless it comes with `--progress on`.
    """

    #: Processed rows and rows to process of the current run; None for other work.
    rows: ClassVar[tuple[int, int] | None] = None

    def __init__(self, quiet: bool, label: str = "rows", clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(no_progress)
        self._always = current().progress == "on"
        self._is_shown = self._always or (current().progress == "auto" and not quiet)
        self._clock = clock
        self._state = State(label, began=clock())
        #: The time and the share of the work when the last line was printed.
        self._last = (clock(), 0.0)
        self._line = _Line() if self._is_shown and _is_live() else None
        ProgressBar.rows = (0, 0) if label == "rows" else None

    def __enter__(self) -> "ProgressBar":
        if self._line is not None:
            self._line.start(self._text, self._clock() + (0 if self._always else _TOO_SHORT), self._clock)
        return self

    def begin(self, step: str) -> None:
        """Show what begins now."""
        self._state.step, self._state.began = step, self._clock()
        if self._is_shown and self._always and self._line is None:
            log_lines.print_line("INFO", step)

    def add_marks(self, number: int) -> None:
        """Count marks that have been processed; they are shown with the next rows."""
        self._state.marks += number

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` rows, or other steps, are finished."""
        state = self._state
        if not state.total:
            state.began = self._clock()
        state.step, state.done, state.total, state.updated = "", done, total, self._clock()
        if state.label == "rows":
            ProgressBar.rows = (done, total)
        if self._is_shown and self._line is None:
            self._log()

    def _text(self) -> str:
        return terminal_line(self._state, self._clock(), _terminal_width())

    def _log(self) -> None:
        state, now = self._state, self._clock()
        share = state.done / max(state.total, 1)
        since, step = now - self._last[0], share - self._last[1]
        is_next = step >= _SHARE - 1e-9 or (step > 0 and state.done == state.total)
        if not self._always:
            is_next = since >= _SECONDS and (is_next or since >= _LONGEST_SILENCE)
        if is_next:
            self._last = (now, share)
            log_lines.print_line(
                "INFO",
                f"{state.label}: {state.done:,} of {state.total:,} finished ({int(100 * share)} %)"
                f"{state.details(now)}",
                done=state.done,
                total=state.total,
                **({"marks": state.marks} if state.marks else {}),
            )

    def __exit__(self, *_: object) -> None:
        if self._line is not None:
            self._line.stop()


class _Line:
    """A line of a terminal that is drawn again and again, until the work is done; then it is erased."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._drawing = threading.Lock()
        self._shown = ""
        self._thread: threading.Thread | None = None

    def start(self, text: Callable[[], str], begin: float, clock: Callable[[], float]) -> None:
        """Draw the line from some time on, in a thread: most of the work calls nothing while it runs."""

        def draw() -> None:
            while not self._stopped.wait(_REDRAW):
                if clock() >= begin:
                    self._write(text())

        if clock() >= begin:
            self._write(text())
        log_lines.before_lines = self._erase
        self._thread = threading.Thread(target=draw, name="polyframe-progress", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Erase the line, and draw it no more."""
        self._stopped.set()
        log_lines.before_lines = None
        if self._thread is not None:
            self._thread.join(1)
        self._erase()

    def _erase(self) -> None:
        self._write("")

    def _write(self, text: str) -> None:
        # The terminal may be closed, for example with the window of a connection.
        with self._drawing, contextlib.suppress(OSError, ValueError):
            if text != self._shown:
                # Spaces erase the rest on every terminal; the codes for that are not known to all.
                end = "" if text else "\r"
                sys.stderr.write(f"\r{text.ljust(len(self._shown))}{end}")
                sys.stderr.flush()
            self._shown = text


def _duration(seconds: float) -> str:
    return format_duration(timedelta(seconds=seconds))


def _is_live() -> bool:
    return log_lines.log_format() is None and log_lines.is_terminal()


def _terminal_width() -> int:
    """Return the columns that a line can have; in the last one, some terminals begin the next line."""
    try:
        columns = os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):
        columns = 0
    return max((columns or _USUAL_WIDTH) - 1, _NARROWEST)
