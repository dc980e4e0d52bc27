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
from polyframe.core.callbacks import DetailedProgress, Running, no_progress
from polyframe.core.durations import format_duration
from polyframe.core.plurals import counted

#: Progress in a log: at most one line in this many seconds, and for this share of the work; but a line after
#: the longest silence, as a sign of life.
_SECONDS: Final = 30.0
_SHARE: Final = 0.1
_LONGEST_SILENCE: Final = 600.0
#: Seconds between two drawings on a terminal, and between two looks whether a log needs a line.
_REDRAW: Final = 0.2
_LOOK: Final = 1.0
#: Work that takes less than this is over before anybody could read its progress.
_TOO_SHORT: Final = 0.5
#: Before this share of the work and these seconds, nobody knows how long the rest takes.
_LEAST_SHARE: Final = 0.02
_LEAST_SECONDS: Final = 1.0
_BAR: Final = 24
_NARROWEST: Final = 20
_USUAL_WIDTH: Final = 80
_MEGABYTE: Final = 1_000_000
#: Fewer megabytes are shown with a decimal.
_FEW_MEGABYTES: Final = 10
_NONE_RUNNING: Final = Running()


@dataclass
class State:
    """What is known about the progress of some work.

    Attributes
    ----------
    unit : str
        What is counted, such as `rows`.
    step : str
        What is being done before or after the main work; empty during that.
    done, total : int
        Numbers of finished and of all rows, or whatever is counted; a total of 0 is not known.
    marks : int
        Marks that have been processed.
    began, updated : float
        When the step, or the counting, began; and when `reached` was last updated.
    running : Running
        What tasks are doing that are not finished.
    reached : float
        How much is done, the work of unfinished tasks included; it never falls.
    """

    unit: str
    step: str = ""
    done: int = 0
    total: int = 0
    marks: int = 0
    began: float = 0.0
    updated: float = 0.0
    running: Running = _NONE_RUNNING
    reached: float = 0.0

    def update(self, now: float) -> None:
        """Note how much is done now."""
        reached = min(self.done + self.running.rows, self.total)
        if reached > self.reached:
            self.reached, self.updated = reached, now

    @property
    def share(self) -> float:
        """The share of the work that is done, from 0 to 1."""
        return self.reached / max(self.total, 1)

    @property
    def counts(self) -> str:
        """How much is finished, of how much if that is known."""
        if self.unit != "bytes" and not self.total:
            return f"{self.done:,} {self.unit}"
        if self.unit != "bytes":
            return f"{self.done:,} of {self.total:,} {self.unit}"
        decimals = 1 if max(self.done, self.total) < _FEW_MEGABYTES * _MEGABYTE else 0
        done, total = (f"{size / _MEGABYTE:,.{decimals}f}" for size in (self.done, self.total))
        return f"{done} of {total} MB" if self.total else f"{done} MB"

    def seconds_left(self, now: float) -> int | None:
        """Return how long the rest takes at the average speed so far; None if that is not known."""
        elapsed = self.updated - self.began
        if not (_LEAST_SHARE <= self.share < 1 and elapsed >= _LEAST_SECONDS):
            return None
        at_update = elapsed * (1 - self.share) / self.share
        # Between two updates it falls, and it is not known how long the present pieces of work exceed it.
        left = round(at_update - (now - self.updated))
        return left if left > 0 else None

    def details(self, now: float) -> list[str]:
        """Return the marks that have been processed, and the time left."""
        left = self.seconds_left(now)
        parts = [counted(self.marks, "mark")] if self.marks else []
        if left is not None:
            parts.append(f"about {_duration(left)} left{' for this step' * bool(self.step)}")
        return parts


def terminal_line(state: State, now: float, width: int) -> str:
    """Return the line that a terminal of so many columns shows."""
    elapsed = now - state.began
    so_far = [f"{_duration(elapsed)} so far"] if elapsed >= 1 else []
    if not state.total:
        read = [state.counts] if state.done else []
        return _fitting([state.step or "starting", *read, *so_far], width)
    finished = round(state.share * _BAR)
    bar = f"[{'#' * finished}{'-' * (_BAR - finished)}] "
    what = f"{state.step}: {state.counts}" if state.step else state.counts
    if not state.done and state.running.doing:
        what = state.running.doing
    details = state.details(now) if state.reached else so_far
    parts = [f"{int(state.share * 100):3} %  {what}", *details]
    line = ", ".join(parts)
    return f"{bar}{line}" if len(bar) + len(line) <= width else _fitting(parts, width)


def _fitting(parts: list[str], width: int) -> str:
    """Join parts with commas; if they are too long, without some: the first and the last matter most."""
    while len(parts) > 1 and len(", ".join(parts)) > width:
        del parts[-2 if len(parts) > 2 else -1]
    line = ", ".join(parts)
    while len(line) > width and " " in line:
        line = line.rpartition(" ")[0]
    return line[:width]


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
        self._clock, self._label = clock, label
        self._state = State(label, began=clock())
        self._running: Callable[[], Running] = lambda: _NONE_RUNNING
        self._changing = threading.RLock()
        #: The time and the share of the work when the last line was printed.
        self._last = (clock(), 0.0)
        self._line = _Line() if self._is_shown and _is_live() else None
        self._thread: _Repeating | None = None
        ProgressBar.rows = (0, 0) if label == "rows" else None

    def __enter__(self) -> "ProgressBar":
        if self._line is not None:
            log_lines.before_lines = self._line.erase
            begin = self._clock() + (0 if self._always else _TOO_SHORT)
            self._draw(begin)
            # Most of the work calls nothing while it runs.
            self._thread = _Repeating(lambda: self._draw(begin), _REDRAW)
        elif self._is_shown:
            self._thread = _Repeating(self._log, _LOOK)
        return self

    def begin(self, step: str, total: int = 0, unit: str = "rows") -> None:
        """Show what begins now, and how much of it there is."""
        with self._changing:
            self._running = lambda: _NONE_RUNNING
            self._state = State(unit, step, total=total, marks=self._state.marks, began=self._clock())
            self._last = (self._last[0], 0.0)
        if self._is_shown and self._always and self._line is None:
            log_lines.print_line("INFO", step)

    def advance(self, number: int) -> None:
        """Count what is done of a step."""
        with self._changing:
            self._state.done += number
            self._state.update(self._clock())

    def add_marks(self, number: int) -> None:
        """Count marks that have been processed; they are shown with the next rows."""
        self._state.marks += number

    def watch(self, running: Callable[[], Running]) -> None:
        """Show how far the running tasks have come."""
        self._running = running

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` rows, or other steps, are finished."""
        with self._changing:
            # Fewer than before: the next file, or another pass.
            if self._state.step or not self._state.total or done < self._state.done:
                self._state = State(self._label, marks=self._state.marks, began=self._clock())
                self._last = (self._last[0], 0.0)
            self._state.done, self._state.total = done, total
            # Otherwise a task that is finished would count twice.
            self._look()
        if self._label == "rows":
            ProgressBar.rows = (done, total)
        self._log_if_shown()

    def _look(self) -> State:
        """Ask the running tasks how far they are."""
        with self._changing:
            state = self._state
            if not state.step and state.total:
                running = self._running()
                if running.doing and not (state.running.doing or state.reached):
                    # The workers had to start, which takes seconds for processes, but only once.
                    state.began = self._clock()
                state.running = running
                state.update(self._clock())
            return state

    def _draw(self, begin: float) -> None:
        if self._line is not None and self._clock() >= begin:
            self._line.write(terminal_line(self._look(), self._clock(), _terminal_width()))

    def _log_if_shown(self) -> None:
        if self._is_shown and self._line is None:
            self._log()

    def _log(self) -> None:
        with self._changing:
            state, now = self._look(), self._clock()
            since, step = now - self._last[0], state.share - self._last[1]
            is_next = step >= _SHARE - 1e-9 or (step > 0 and state.share == 1)
            if not self._always:
                is_next = since >= _SECONDS and (is_next or since >= _LONGEST_SILENCE)
            if not is_next or not state.total:
                return
            self._last = (now, state.share)
            what = f"{state.step or state.unit}: {state.counts.removesuffix(f' {state.unit}')} finished"
            details = state.details(now)
            if not state.done and state.running.doing:
                details.insert(0, state.running.doing)
            log_lines.print_line(
                "INFO",
                ", ".join([f"{what} ({int(100 * state.share)} %)", *details]),
                done=state.done,
                total=state.total,
                **({"marks": state.marks} if state.marks else {}),
            )

    def __exit__(self, *_: object) -> None:
        log_lines.before_lines = None
        if self._thread is not None:
            self._thread.stop()
        if self._line is not None:
            self._line.erase()


class _Repeating:
    """A thread that calls a function again and again, until it is stopped."""

    def __init__(self, function: Callable[[], None], seconds: float) -> None:
        self._stopped = threading.Event()

        def run() -> None:
            while not self._stopped.wait(seconds):
                function()

        self._thread = threading.Thread(target=run, name="polyframe-progress", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Call it no more."""
        self._stopped.set()
        self._thread.join(1)


class _Line:
    """A line of a terminal that is drawn again and again."""

    def __init__(self) -> None:
        self._drawing = threading.Lock()
        self._shown = ""

    def erase(self) -> None:
        """Leave the line empty."""
        self.write("")

    def write(self, text: str) -> None:
        """Show one line in place of the one before."""
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
