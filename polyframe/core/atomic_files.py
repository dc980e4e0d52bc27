"""Files beside the tables, such as exports and reports: written whole or not at all."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from polyframe.core.errors import PolyframeError


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[IO[str]]:
    """Open a text file to write; it takes its place when all is written, and its folder is made.

    Raises
    ------
    PolyframeError
        Where it cannot be written, for instance because the disk is full.
    """
    with placed_whole(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        yield file


@contextlib.contextmanager
def placed_whole(path: Path, *, durably: bool = True) -> Iterator[Path]:
    """Name a file to write that takes its place when all is written; its folder is made.

    Parameters
    ----------
    path : Path
        Where it is a link, the file takes the place of the link; what it leads to stays as it is.
    durably : bool
        Whether it must be whole after a power cut too.

    Raises
    ------
    PolyframeError
        Where it cannot be written, for instance because the disk is full.
    """
    check_place(path)
    temporary = path.with_name(f".{path.name}.tmp")
    made = [folder for folder in path.parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        make_empty(temporary)
        yield temporary
        if durably:
            replace_durably(temporary, path)
        else:
            temporary.replace(path)
    except OSError as error:
        raise PolyframeError(cannot_write(path, error)) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        # Nothing is left behind where nothing was written; a folder with something in it stays.
        with contextlib.suppress(OSError):
            for folder in made:
                folder.rmdir()


def check_place(path: Path) -> None:
    """Check that a file can go to a place: nothing is there, or a file, which is replaced.

    Raises
    ------
    PolyframeError
        Where a directory is there, or a device or a pipe.
    """
    if path.is_dir():
        raise PolyframeError(f"{path}: is a directory; name a file to write")
    if path.exists() and not path.is_file():
        raise PolyframeError(f"{path}: is a device or a pipe, which a file cannot replace; name a file")


def make_empty(temporary: Path) -> None:
    """Make an empty file to write to, in the place of one that was left there, or of a link to elsewhere."""
    temporary.unlink(missing_ok=True)
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))


def cannot_write(path: Path, error: OSError) -> str:
    """Return the message for a file that cannot be written, and what to do about it."""
    told = os.strerror(error.errno) if error.errno else str(error).splitlines()[0]
    if isinstance(error, FileExistsError) and error.filename:
        # What is to be a folder on the way.
        told = f"{error.filename} is a file"
    full = error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None))
    advice = "free some space, then try again" if full else "name another place"
    return f"{path}: cannot be written ({told}); {advice}"


def replace_durably(temporary: Path, path: Path) -> None:
    """Put a finished file in the place of another, so that a power cut leaves the one or the other."""
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    temporary.replace(path)


def sync_folder(folder: Path) -> None:
    """Make sure that renamed files keep their new names after a power cut, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
