"""Measure the peak memory of this process and of the processes that it started."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_PROCESSES: Final = Path("/proc")


def peak_memory_bytes() -> int:
    """Return the peak resident memory of this process and of its running descendants, added up.

    They need not have had their peaks at the same time, so the sum is an upper bound: a computer or a
    container with this much memory is large enough.

    Returns
    -------
    int
        In bytes. Not on Linux: of this process alone, and 0 on Windows, which has another way to measure.
    """
    if (_PROCESSES / "self" / "status").exists():
        return sum(map(_peak_bytes, _with_descendants(os.getpid())))
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _with_descendants(process: int) -> Iterator[int]:
    """Yield a process, its children, their children, and so on."""
    yield process
    for thread in _threads(process):
        for child in _read(thread / "children").split():
            yield from _with_descendants(int(child))


def _peak_bytes(process: int) -> int:
    # Not `ru_maxrss` of `getrusage`, in which a new process begins with the peak of its parent.
    lines = _read(_PROCESSES / str(process) / "status").splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def _threads(process: int) -> list[Path]:
    """Return the folders of the threads of a process; none if it has ended."""
    try:
        return list((_PROCESSES / str(process) / "task").iterdir())
    except OSError:
        return []


def _read(path: Path) -> str:
    """Return the text of a file, empty if its process has ended meanwhile."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
