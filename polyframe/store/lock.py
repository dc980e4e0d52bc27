"""Lock an output directory for one run, with a lock that the system releases if the process dies."""

import contextlib
import errno
import os
import platform
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from polyframe.core.errors import PolyframeError

_TRIES: Final = 20
#: Errors of file systems without locks: Lustre without `-o flock`, some NFS, SMB and FUSE.
_NO_LOCKS: Final = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL)
#: Do not follow a link, and do not wait for the other end of a pipe.
_OPEN_FLAGS: Final = (
    os.O_RDWR
    | os.O_CREAT
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)
#: Seconds to wait until the lock of a dead process is replaced, on a file system without locks.
_LONGEST_TAKEOVER: Final = 0.5
#: The first byte is locked; on Windows others cannot read it.
_LOCKED_BYTES: Final = 1
_LONGEST_RECORD: Final = 4096
_RECORD_START: Final = '{"pid":'


class _Holder(msgspec.Struct, frozen=True):
    """The process that holds a lock: `lock` says whether the system or a second file is the lock."""

    pid: int
    host: str
    lock: str = "system"

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host[:64]}"


@contextlib.contextmanager
def exclusive(path: Path, output: Path) -> Iterator[None]:
    """Hold a lock file while the body runs; it is removed at the end.

    Parameters
    ----------
    path : Path
        The lock file, in an existing folder.
    output : Path
        The directory that is locked, for the message.

    Raises
    ------
    PolyframeError
        If another process holds it; the message names the process.
    OSError
        If the file cannot be opened or locked for another reason.

    Notes
    -----
    The operating system locks the open file (`flock`, `LockFileEx`), so the file of a dead process does not
    block others, and no clock is involved. On a file system without locks, the existence of a second file is
    the lock (`soft_lock_of`). That of a dead process of this computer is replaced; of a process on another
    computer it is not known whether it is alive.
    """
    with contextlib.ExitStack() as held:
        file, soft = _open_locked(path, output, held)
        holder = _Holder(os.getpid(), platform.node(), "file" if soft else "system")
        if not _is_ours(file):
            raise PolyframeError(f"{path}: was not written by polyframe; move it elsewhere, then run again")
        try:
            file.seek(0)
            file.truncate()
            file.write(" " * _LOCKED_BYTES + msgspec.json.encode(holder).decode())
            file.flush()
            yield
        finally:
            _remove(path, file)


def soft_lock_of(path: Path) -> Path:
    """Return the file that replaces a lock on a file system without locks."""
    return path.with_name(f"{path.name}.held")


def holder_of(path: Path) -> str | None:
    """Name the process that holds a lock file, without touching the lock; None if no process does.

    Notes
    -----
    Linux lists all locks. Elsewhere, and on file systems without locks, a lock counts as held while its
    process is alive. Of a process on another computer this is not known, and the result says so.
    """
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            return None
        holder = _read_holder(path)
    except PermissionError:
        # On Windows a locked file cannot be read.
        return "another process" if os.name == "nt" else None
    except OSError:
        return None
    if holder is None:
        # A process that locks the file writes into it at once.
        return None
    if holder.host != platform.node():
        return f"{holder} (if it is still alive there)"
    if holder.lock == "file":
        is_held = soft_lock_of(path).exists() and _is_alive(holder.pid)
    else:
        is_held = _is_listed(status, holder.pid)
    return str(holder) if is_held else None


def _is_listed(status: os.stat_result, pid: int) -> bool:
    """Tell whether a process of this computer has locked a file."""
    try:
        listed = Path("/proc/locks").read_text(encoding="ascii")
    except (OSError, ValueError):
        return _is_alive(pid)
    number = str(status.st_ino)
    device_and_inode = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{number}"
    for fields in map(str.split, listed.splitlines()):
        if len(fields) > 5 and fields[1] == "FLOCK":
            # Layered file systems list the device below them, hence the comparison by process.
            by_process = fields[4] == str(pid) and fields[5].rsplit(":", 1)[-1] == number
            if fields[5] == device_and_inode or by_process:
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
    """Look the process up by its number: on Windows a signal, even number 0, would end it."""
    import ctypes

    synchronize, timed_out, access_denied = 0x00100000, 0x102, 5
    system: Any = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined,unused-ignore]
    system.OpenProcess.restype = ctypes.c_void_p
    handle = system.OpenProcess(synchronize, False, pid)
    if not handle:
        code: int = ctypes.get_last_error()  # type: ignore[attr-defined,unused-ignore]
        return code == access_denied
    try:
        return bool(system.WaitForSingleObject(ctypes.c_void_p(handle), 0) == timed_out)
    finally:
        system.CloseHandle(ctypes.c_void_p(handle))


def _open_locked(path: Path, output: Path, held: contextlib.ExitStack) -> tuple[IO[str], bool]:
    """Open and lock the file; also return whether a second file is the lock."""
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
        raise PolyframeError(f"{path}: is not a file; remove it")
    return os.fdopen(descriptor, "r+", encoding="utf-8", newline="\n")


def _lock(file: IO[str], path: Path, output: Path) -> bool:
    """Lock an open file; return False if the file system has no locks.

    Raises
    ------
    PolyframeError
        If another process holds it.
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
    """Hold the file that replaces the lock on a file system without locks.

    Raises
    ------
    PolyframeError
        If another process holds it.
    """
    import filelock

    second = soft_lock_of(path)
    lock = filelock.SoftFileLock(second, thread_local=False)
    try:
        # The first try removes the file of a dead process of this computer, so a second one is needed.
        lock.acquire(timeout=_LONGEST_TAKEOVER, poll_interval=_LONGEST_TAKEOVER / 10)
    except filelock.Timeout:
        raise PolyframeError(
            f"{output}: {_holder(path)} is working on it; wait for it, or stop it first; if it is gone, "
            f"remove {second} (this file system has no locks)"
        ) from None
    opened.callback(lock.release)


def _remove(path: Path, file: IO[str]) -> None:
    # Before it is unlocked, so that nobody locks a file that is about to be removed.
    try:
        path.unlink()
    except PermissionError:
        # Windows does not remove open files, including that of a process which locks it at this moment.
        file.close()
        with contextlib.suppress(OSError):
            path.unlink()
    except OSError:
        pass


def _is_ours(file: IO[str]) -> bool:
    """Tell whether a lock file contains a record of ours, or the beginning of one, or nothing."""
    try:
        start = file.read(_LOCKED_BYTES + len(_RECORD_START)).strip()
    except UnicodeDecodeError:
        return False
    return start.startswith(_RECORD_START) or _RECORD_START.startswith(start)


def _is_in_place(file: IO[str], path: Path) -> bool:
    """Tell whether the locked file is still at its path; its last holder may have removed it."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.lstat())
    except FileNotFoundError:
        return False


def _holder(path: Path) -> str:
    try:
        return str(_read_holder(path) or "another process")
    except OSError:
        return "another process"


def _read_holder(path: Path) -> _Holder | None:
    """Return the holder of a lock file; None if the file does not contain one."""
    try:
        with path.open("rb", buffering=0) as file:
            try:
                content = file.read(_LONGEST_RECORD)
            except PermissionError:
                file.seek(_LOCKED_BYTES)
                content = file.read(_LONGEST_RECORD)
        return msgspec.json.decode(content or b"", type=_Holder)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return None
