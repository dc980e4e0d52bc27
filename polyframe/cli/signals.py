"""Stop a command within seconds on Ctrl-C and SIGTERM, even during long calls of compiled code.

The first signal raises `StoppedError` in the main thread. The exit code is 128 plus the number of the signal,
as in shells. Compiled code or a wait for worker threads can delay that for minutes, so a second thread
watches for signals too: if the main thread has not ended after 2 seconds, that thread removes the temporary
files and ends the process. Part files appear complete or not at all, so this is safe.
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

#: Seconds that the main thread gets to end by itself.
_PATIENCE: Final = 2.0
_SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class StoppedError(BaseException):
    """A signal raised to stop. Derives from BaseException, so that no handler of errors catches it.

    Attributes
    ----------
    number : int
        The number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def stop_on_signal(clean_up: Callable[[], None], say: Callable[[int], None]) -> Iterator[None]:
    """Stop the body within seconds of a signal.

    Parameters
    ----------
    clean_up : callable
        Removes temporary files if the body does not end in time.
    say : callable
        Prints that the work was stopped, in the same case; receives the exit code.

    Raises
    ------
    StoppedError
        In the body.

    Notes
    -----
    Python delivers signals to the main thread only; in any other thread the body runs without this
    protection. Signals that the parent process ignores, as `nohup` does, stay ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    ended = threading.Event()

    def watch() -> None:
        while numbers := receiver.recv(16):
            for number in numbers:
                if number in _SIGNALS and not ended.wait(_PATIENCE):
                    clean_up()
                    exit_now(number, say)

    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    wakeup = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    stop = _stop_once()
    for number in _SIGNALS:
        if handlers[number] not in (signal.SIG_IGN, None):
            signal.signal(number, stop)
    try:
        yield
    finally:
        ended.set()
        for number, handler in handlers.items():
            if handler not in (signal.SIG_IGN, None):
                signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)
        # Closing the sender ends the loop of the watcher.
        sender.close()
        watcher.join()
        receiver.close()


def exit_now(number: int, say: Callable[[int], None]) -> None:
    """End the process at once, without waiting for other threads.

    Parameters
    ----------
    number : int
        The signal that stopped it; the exit code is 128 more.
    say : callable
        Prints that the work was stopped; receives the exit code.
    """
    code = 128 + number
    if _ending.acquire(blocking=False):
        with contextlib.suppress(OSError, ValueError):
            say(code)
            for stream in (sys.stderr, sys.stdout):
                if stream is not None:  # closed by the caller
                    stream.flush()
        _remove_semaphores()
        os._exit(code)
    # Another thread is about to end the process.
    threading.Event().wait()


def _remove_semaphores() -> None:
    """Remove the named semaphores of thread pools; Python warns of those that remain.

    Pools have them if new processes cannot inherit unnamed ones: on every system but Linux, and on Linux
    since Python 3.14.
    """
    finalizers = getattr(sys.modules.get("multiprocessing.util"), "_finalizer_registry", {})
    for finalizer in list(finalizers.values()):
        # Other finalizers may wait for threads that are still running.
        if getattr(getattr(finalizer, "_callback", None), "__qualname__", "") == "SemLock._cleanup":
            with contextlib.suppress(Exception):
                finalizer()


_ending: Final = threading.Lock()


def _stop_once() -> Callable[[int, FrameType | None], None]:
    """Return a handler that raises at the first signal only, so that no other interrupts cleanup."""
    raised = False

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal raised
        if not raised:
            raised = True
            raise StoppedError(number)

    return stop
