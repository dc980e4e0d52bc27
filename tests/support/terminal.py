"""Run the command line on a pseudo-terminal."""

import os
import subprocess
import sys

from exports import ROOT


def on_terminal(*arguments: object, **variables: str) -> tuple[int, str]:
    """Run the command line with a terminal as standard output and error; return its exit code and text."""
    import pty  # not on Windows

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "polyframe", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "110", **variables},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    chunks = []
    while chunk := _read(ours):
        chunks.append(chunk)
    os.close(ours)
    return process.wait(timeout=60), b"".join(chunks).decode().replace("\r\n", "\n")


def _read(descriptor: int) -> bytes:
    """Return what a terminal shows next; nothing when the process has closed it."""
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux reports the end so
        return b""
