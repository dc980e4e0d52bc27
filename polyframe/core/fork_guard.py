"""Refuse to compute in a process that was forked after Polars had started threads.

A fork copies only one thread, so Polars would wait forever for the others:
https://docs.pola.rs/user-guide/misc/multiprocessing/
"""

import os
import sys
from pathlib import Path
from typing import Final

from polyframe.core.errors import PolyframeError

#: Prefixes of the names of the threads that Polars starts when it first computes.
_THREADS: Final = ("polars-0", "async-executor", "tokio-rt-worker")


class _Process:
    """The state of this process."""

    has_computed = False
    has_lost_threads = False


def use_polars() -> None:
    """Record that Polars computes in this process.

    Raises
    ------
    PolyframeError
        If the process was forked after Polars had computed.
    """
    if _Process.has_lost_threads:
        raise PolyframeError(
            "this process was forked from one in which Polars has threads, and they do not survive a fork; "
            "start processes with multiprocessing.get_context('spawn') or 'forkserver'"
        )
    _Process.has_computed = True


def _before_fork() -> None:
    _Process.has_computed = _Process.has_computed or _polars_has_threads()


def _in_child() -> None:
    _Process.has_lost_threads = _Process.has_lost_threads or _Process.has_computed


def _polars_has_threads() -> bool:
    if "polars" not in sys.modules:
        return False
    try:
        names = [
            (thread / "comm").read_text(encoding="utf-8", errors="replace")
            for thread in Path("/proc/self/task").iterdir()
        ]
    except OSError:
        # Without /proc, assume that it has.
        return True
    return any(name.startswith(_THREADS) for name in names)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_in_child)
