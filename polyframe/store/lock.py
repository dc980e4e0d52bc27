"""One run at a time in an output directory: a lock that the system lifts when its holder dies."""

import contextlib
import errno
import json
import os
import platform
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

from polyframe.core.errors import PolyframeError

_TRIES: Final = 20
#: What file systems answer that have no locks: Lustre without `-o flock`, some NFS, SMB and FUSE.
_NO_LOCKS: Final = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL)
#: Never through a link, and never waiting for the other end of a pipe.
_OPEN_FLAGS: Final = (
    os.O_RDWR
    | os.O_CREAT
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)
#: Seconds until a lock that a dead process left is taken over, where the file system has no locks.
_LONGEST_TAKEOVER: Final = 0.5
#: Windows keeps others from reading the byte that is locked, which is the first.
_LOCKED_BYTES: Final = 1
_LONGEST_RECORD: Final = 4096
_RECORD_BEGINS: Final = '{"pid":'


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
    OSError
        Where the file cannot be opened or locked for another reason.

    Notes
    -----
    The lock is one of the operating system's on an open file (`flock`, `LockFileEx`), not the file's being
    there: what a dead process left behind does not block, and no clock is asked. On a file system without
    locks a second file stands for it (`soft_lock_of`), whose being there is the lock: that of a dead process
    of this computer is taken over; whether one of another computer is alive cannot be told from here.
    """
    with contextlib.ExitStack() as held:
        file, soft = _open_locked(path, output, held)
        record = {"pid": os.getpid(), "host": platform.node(), "lock": "file" if soft else "system"}
        if not _is_ours(file):
            raise PolyframeError(f"{path}: was not written by polyframe; move it elsewhere, then run again")
        try:
            file.seek(0)
            file.truncate()
            file.write(" " * _LOCKED_BYTES + json.dumps(record))
            file.flush()
            yield
        finally:
            _remove(path, file)


def soft_lock_of(path: Path) -> Path:
    """Return the file that stands for a lock where the file system has none."""
    return path.with_name(f"{path.name}.held")


def holder_of(path: Path) -> str | None:
    """Name the process that holds a lock file, without taking or touching the lock; None where nobody does.

    Notes
    -----
    Linux lists the locks that are held. Elsewhere, and on file systems without locks, a lock counts as held
    while the process that it names is alive. One that names another computer cannot be judged from here, and
    the answer says so.
    """
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            return None
        record = _record(path)
    except PermissionError:
        # Windows lets nobody read what is locked.
        return "another process" if os.name == "nt" else None
    except OSError:
        return None
    if record is None:
        # Whoever locks it writes into it at once.
        return None
    pid, host, soft = record
    named = _named(pid, host)
    if host != platform.node():
        return f"{named} (if it is still alive there)"
    held = (soft_lock_of(path).exists() and _is_alive(pid)) if soft else _is_listed(status, pid)
    return named if held else None


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
        return _is_alive_on_windows(pid)
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _is_alive_on_windows(pid: int) -> bool:
    """Ask for the process by its number: a signal, even number 0, would end it there."""
    import ctypes

    may_be_waited_for, timed_out, access_denied = 0x00100000, 0x102, 5
    system: Any = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined,unused-ignore]
    system.OpenProcess.restype = ctypes.c_void_p
    handle = system.OpenProcess(may_be_waited_for, False, pid)
    if not handle:
        code: int = ctypes.get_last_error()  # type: ignore[attr-defined,unused-ignore]
        return code == access_denied
    try:
        return bool(system.WaitForSingleObject(ctypes.c_void_p(handle), 0) == timed_out)
    finally:
        system.CloseHandle(ctypes.c_void_p(handle))


def _open_locked(path: Path, output: Path, held: contextlib.ExitStack) -> tuple[IO[str], bool]:
    """Open and lock the file; also tell whether a second file had to be the lock."""
    for _ in range(_TRIES):
        with contextlib.ExitStack() as opened:
            file = opened.enter_context(_open(path))
            soft = not _lock(file, path, output)
            if soft:
                _hold_second_file(path, output, opened)
            if _is_in_place(file, path):
                held.push(opened.pop_all())
                return file, soft
    raise PolyframeError(f"{output}: other processes keep taking the lock {path.name}; try again")


def _open(path: Path) -> IO[str]:
    if path.is_symlink():
        raise PolyframeError(f"{path}: is a link; remove it")
    descriptor = os.open(path, _OPEN_FLAGS, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise PolyframeError(f"{path}: is no file; remove it")
    return os.fdopen(descriptor, "r+", encoding="utf-8", newline="\n")


def _lock(file: IO[str], path: Path, output: Path) -> bool:
    """Lock an open file; False where the file system has no locks.

    Raises
    ------
    PolyframeError
        Where another process holds it.
    """
    import filelock

    try:
        locked = filelock.lock_descriptor(file.fileno(), blocking=False)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return False
        raise
    if not locked:
        raise PolyframeError(f"{output}: {_holder(path)} is working on it; wait for it, or stop it first")
    return True


def _hold_second_file(path: Path, output: Path, opened: contextlib.ExitStack) -> None:
    """Hold the file that stands for the lock, where its file system has none.

    Raises
    ------
    PolyframeError
        Where another process holds it.
    """
    import filelock

    second = soft_lock_of(path)
    lock = filelock.SoftFileLock(second, thread_local=False)
    try:
        # What a dead process of this computer left goes at the first try, so that another one is needed.
        lock.acquire(timeout=_LONGEST_TAKEOVER, poll_interval=_LONGEST_TAKEOVER / 10)
    except filelock.Timeout:
        raise PolyframeError(
            f"{output}: {_holder(path)} is working on it; wait for it, or stop it first; where it is gone, "
            f"remove {second} (this file system has no locks)"
        ) from None
    opened.callback(lock.release)


def _remove(path: Path, file: IO[str]) -> None:
    # Before it is let go, so that nobody locks a file that is about to vanish.
    try:
        path.unlink()
    except PermissionError:
        # Windows keeps what is open, and with it the file of whoever locks it in this moment.
        file.close()
        with contextlib.suppress(OSError):
            path.unlink()
    except OSError:
        pass


def _is_ours(file: IO[str]) -> bool:
    """Tell whether a lock file holds what we write into it, or the beginning of that, or nothing."""
    try:
        begins = file.read(_LOCKED_BYTES + len(_RECORD_BEGINS)).strip()
    except UnicodeDecodeError:
        return False
    return begins.startswith(_RECORD_BEGINS) or _RECORD_BEGINS.startswith(begins)


def _is_in_place(file: IO[str], path: Path) -> bool:
    """Tell whether the locked file is still the one at its path: its last holder may have removed it."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.lstat())
    except FileNotFoundError:
        return False


def _holder(path: Path) -> str:
    try:
        record = _record(path)
    except OSError:
        record = None
    return _named(*record[:2]) if record else "another process"


def _named(pid: int, host: str) -> str:
    return f"process {pid} on {host[:64]}"


def _record(path: Path) -> tuple[int, str, bool] | None:
    """Return process, computer, and whether a second file is the lock; None where it is not written."""
    try:
        with path.open("rb", buffering=0) as file:
            try:
                content = file.read(_LONGEST_RECORD)
            except PermissionError:
                file.seek(_LOCKED_BYTES)
                content = file.read(_LONGEST_RECORD)
        told = json.loads(content or b"")
        return int(told["pid"]), str(told["host"]), told.get("lock") == "file"
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
