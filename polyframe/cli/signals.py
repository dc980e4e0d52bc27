"""Ctrl-C and SIGTERM: a run ends within seconds, also while it computes in code that does not listen.

The first signal raises `StoppedError` where the main thread is. Compiled code may keep that thread from
noticing for minutes, and so may threads that work for it. So a second thread waits for signals too: when the
main thread has not come to its end a little later, it removes the temporary files and ends the process.
That is safe because part files appear whole or not at all.
"""

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final

#: Seconds that the main thread has for coming to its end.
_PATIENCE: Final = 2.0
_SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class StoppedError(BaseException):
    """A signal asked to stop; not to be caught as an error that the work made."""


@contextlib.contextmanager
def stop_on_signal(clean_up: Callable[[], None], say: Callable[[], None]) -> Iterator[None]:
    """Stop the body within seconds when a signal asks for it.

    Parameters
    ----------
    clean_up : callable
        Removes temporary files, where the body cannot be brought to do it itself.
    say : callable
        Says that the work was stopped, in that case.

    Raises
    ------
    StoppedError
        In the body.

    Notes
    -----
    Signals reach the main thread only: elsewhere the body just runs. Those that the parent process has
    switched off, as `nohup` does, stay switched off.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard, told = socket.socketpair()
    told.setblocking(False)
    ended = threading.Event()

    def watch() -> None:
        while numbers := heard.recv(16):
            for number in numbers:
                if number in _SIGNALS and not ended.wait(_PATIENCE):
                    clean_up()
                    exit_now(say)

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    wakeup = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    stop = _stop_once()
    for number in _SIGNALS:
        if before[number] not in (signal.SIG_IGN, None):
            signal.signal(number, stop)
    try:
        yield
    finally:
        ended.set()
        for number, handler in before.items():
            if handler not in (signal.SIG_IGN, None):
                signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)
        # This ends what the other thread reads.
        told.close()
        watching.join()
        heard.close()


def exit_now(say: Callable[[], None]) -> None:
    """End the process at once with exit code 1, without waiting for threads that still work."""
    if _ending.acquire(blocking=False):
        with contextlib.suppress(OSError, ValueError):
            say()
            for stream in (sys.stderr, sys.stdout):
                if stream is not None:  # closed by the caller
                    stream.flush()
        _remove_semaphores()
        os._exit(1)
    # The other thread is about to end the process.
    threading.Event().wait()


def _remove_semaphores() -> None:
    """Remove the named semaphores of pools of threads; Python warns of those that are left.

    A pool has them where new processes do not inherit those without names: everywhere but on Linux, and there
    from Python 3.14 on.
    """
    finalizers = getattr(sys.modules.get("multiprocessing.util"), "_finalizer_registry", {})
    for finalizer in list(finalizers.values()):
        # Others may wait for what still works.
        if getattr(getattr(finalizer, "_callback", None), "__qualname__", "") == "SemLock._cleanup":
            with contextlib.suppress(Exception):
                finalizer()


_ending: Final = threading.Lock()


def _stop_once() -> Callable[[int, FrameType | None], None]:
    """Return a handler that raises at the first signal only, so that none disturbs the cleaning up."""
    asked = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if not asked:
            asked = True
            raise StoppedError

    return stop
