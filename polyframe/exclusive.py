"""One run at a time in an output directory: a lock that the system lifts when its holder dies."""

import contextlib
import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from polyframe._errors import PolyframeError

_TRIES = 20


@contextlib.contextmanager
def exclusive(path: Path, output: Path) -> Iterator[None]:
    """Hold a lock file while the body runs; it is removed at the end.

    Parameters
    ----------
    path : Path
        The lock file; its folder exists.
    output : Path
        What is locked, for the message.

    Raises
    ------
    PolyframeError
        Where another process holds it; the message names the process.

    Notes
    -----
    The lock is one of the operating system's on an open file (`flock`), not the file's being there: what a
    dead process left behind does not block, and no clock is asked.
    """
    file = _open_locked(path, output)
    try:
        file.seek(0)
        file.truncate()
        file.write(json.dumps({"pid": os.getpid(), "host": platform.node()}))
        file.flush()
        yield
    finally:
        # Before it is let go, so that nobody locks a file that is about to vanish.
        with contextlib.suppress(OSError):
            path.unlink()
        file.close()


def holder_of(path: Path) -> str | None:
    """Name the process that holds a lock file, without taking or touching the lock; None where nobody does.

    Notes
    -----
    Linux lists the locks that are held. Elsewhere a lock counts as held while the process that it names is
    alive. One that names another computer cannot be judged from here, and the answer says so.
    """
    try:
        with path.open(encoding="utf-8") as file:
            status, named = os.fstat(file.fileno()), _holder(file)
            file.seek(0)
            told = json.loads(file.read())
            pid, host = int(told["pid"]), told["host"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        # Whoever locks it writes into it at once.
        return None
    if host != platform.node():
        return f"{named} (if it is still alive there)"
    return named if _is_listed(status, pid) else None


def _is_listed(status: os.stat_result, pid: int) -> bool:
    """Tell whether a process of this computer holds a file locked."""
    try:
        listed = Path("/proc/locks").read_text(encoding="ascii")
    except (OSError, ValueError):
        return _is_alive(pid)
    number = str(status.st_ino)
    place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{number}"
    for fields in map(str.split, listed.splitlines()):
        if len(fields) > 5 and fields[1] == "FLOCK":
            # Layered file systems list the device below them, hence the second look by process.
            by_process = fields[4] == str(pid) and fields[5].rsplit(":", 1)[-1] == number
            if fields[5] == place or by_process:
                return True
    return False


def _is_alive(pid: int) -> bool:
    if os.name == "nt":
        # A signal ends the process there, even number 0; and a lock file of the dead is seldom left.
        return True
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _open_locked(path: Path, output: Path) -> IO[str]:
    for _ in range(_TRIES):
        file = path.open("a+", encoding="utf-8", newline="\n")
        if not _lock(file):
            holder = _holder(file)
            file.close()
            raise PolyframeError(f"{output}: {holder} is working on it; wait for it, or stop it first")
        if _is_in_place(file, path):
            return file
        file.close()
    raise PolyframeError(f"{output}: other processes keep taking the lock {path.name}; try again")


def _is_in_place(file: IO[str], path: Path) -> bool:
    """Tell whether the locked file is still the one at its path: its last holder may have removed it."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _holder(file: IO[str]) -> str:
    try:
        file.seek(0)
        told = json.loads(file.read())
        return f"process {int(told['pid'])} on {str(told['host'])[:64]}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _lock(file: IO[str]) -> bool:
    try:
        import fcntl
    except ImportError:
        return _lock_on_windows(file)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _lock_on_windows(file: IO[str]) -> bool:
    import msvcrt

    try:
        # Far behind the text, which others may then still read.
        os.lseek(file.fileno(), 1 << 30, os.SEEK_SET)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    except OSError:
        return False
    return True
