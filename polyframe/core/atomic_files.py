"""Write files atomically: a file is complete or absent, even after an error or a power cut.

The content is written to a temporary file in the same folder, which then replaces the file.
"""

import contextlib
import errno
import os
import uuid
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Final

from polyframe.core.errors import PolyframeError, first_line

#: What is checked before a file is moved into place, see `checked_before_replacing`.
_CHECKS: Final[ContextVar[tuple[Callable[[], None], ...]]] = ContextVar("checks", default=())


@contextlib.contextmanager
def checked_before_replacing(check: Callable[[], None]) -> Iterator[None]:
    """Call a function before each file that this thread writes in the body is moved into place.

    If it raises an error, for example because the data changed of which the file was made, the file is not
    moved: what was in its place stays.
    """
    token = _CHECKS.set((*_CHECKS.get(), check))
    try:
        yield
    finally:
        _CHECKS.reset(token)


@contextlib.contextmanager
def atomic_path(
    path: Path,
    *,
    create_folder: bool = True,
    durable: bool = True,
    sync_parent: bool = True,
    ending: str = "",
    unique: bool = False,
) -> Iterator[Path]:
    """Yield a temporary file that replaces `path` when the body is done.

    Parameters
    ----------
    path : Path
        The file to write. If it is a link, the link is replaced, not its target.
    create_folder : bool
        Whether a missing folder is created; otherwise it is an error.
    durable : bool
        Whether the file must survive a power cut.
    sync_parent : bool
        Whether its name must too. Many files of a folder can share one `sync_folder` at the end.
    ending : str
        Of the name of the temporary file, for libraries that judge a file by it, such as `.gpkg`.
    unique : bool
        Whether several processes may write the file at the same time; the last one wins. If one of them is
        killed, its temporary file stays.

    Raises
    ------
    PolyframeError
        If it cannot be written, for example because the disk is full. Then no file or folder is left behind.
    """
    check_place(path)
    number = f".{uuid.uuid4().hex}" if unique else ""
    temporary = path.with_name(f".{path.name}{number}.tmp{ending}")
    created = [folder for folder in path.parents if not folder.exists()]
    try:
        if create_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        _create_empty(temporary)
        yield temporary
        if durable:
            _sync_file(temporary)
        for check in _CHECKS.get():
            check()
        temporary.replace(path)
        if durable and sync_parent:
            sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        # Fails for folders that contain the file.
        with contextlib.suppress(OSError):
            for folder in created:
                folder.rmdir()


@contextlib.contextmanager
def atomic_text(path: Path, *, durable: bool = True) -> Iterator[IO[str]]:
    """Open a text file, in UTF-8, that replaces `path` when the body is done; see `atomic_path`."""
    with (
        atomic_path(path, durable=durable) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        yield file


def write_bytes(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write bytes to a file; see `atomic_path`."""
    with atomic_path(path, durable=durable) as temporary:
        temporary.write_bytes(content)


def check_place(path: Path) -> None:
    """Check that a path is free, or a file that can be replaced.

    Raises
    ------
    PolyframeError
        If it is a directory, a device or a pipe.
    """
    if path.is_dir():
        raise PolyframeError(f"{path}: is a directory; name a file to write")
    if path.exists() and not path.is_file():
        raise PolyframeError(f"{path}: is a device or a pipe, which a file cannot replace; name a file")


def cannot_write(path: Path, error: OSError) -> PolyframeError:
    """Return the error to raise if a file or folder cannot be written, with advice."""
    reason = os.strerror(error.errno) if error.errno else first_line(error)
    if isinstance(error, FileExistsError) and error.filename:
        # One of the folders above.
        reason = f"{error.filename} is a file"
    full = error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None))
    advice = "free some space, then try again" if full else "name another place"
    return PolyframeError(f"{path}: cannot be written ({reason}); {advice}")


def sync_folder(folder: Path) -> None:
    """Make the names of files in a folder survive a power cut, on systems that can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _create_empty(temporary: Path) -> None:
    """Create an empty file; an old one is removed, and a link is not followed."""
    temporary.unlink(missing_ok=True)
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))


def _sync_file(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
