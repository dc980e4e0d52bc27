"""Lock an output for one run, and clean its work directory up afterwards.

A run writes its parts into the store and publishes a version at the end, so if it fails or dies, the old
version remains. In a local output only files of polyframe are removed or replaced, and links are never
followed (`polyframe.store.foreign_files`). There is no protection against links that are created during a
run. A bucket has no lock: of two runs, the first to publish wins. Its work directory is a temporary folder.
"""

import contextlib
import errno
import itertools
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from polyframe.core.atomic_files import cannot_write
from polyframe.core.errors import PolyframeError, check_name
from polyframe.core.fork_guard import use_polars
from polyframe.store import flat_layout
from polyframe.store.current_parts import missing_parts
from polyframe.store.foreign_files import (
    is_system_file,
    refuse_foreign_files,
    refuse_links,
    refuse_other_work,
    remove_own_files,
    return_foreign_files,
)
from polyframe.store.lock import exclusive
from polyframe.store.objects import FolderObjects
from polyframe.store.output import MANIFEST, STORE, WORK, Output, Work, is_own_key
from polyframe.store.part_files import stop_part_writers
from polyframe.store.versions import newest_manifest, version_numbers
from polyframe.store.view import refresh_view

_TRIES: Final = 20
_PAUSE: Final = 0.02
#: Seconds that a process waits at its end for parts that are being written.
_LONGEST_WRITE: Final = 2.0
_NO_SPACE: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
#: The work directories of runs of this process, with folders to remove at their end if they are empty.
_IN_USE: Final[dict[Work, list[Path]]] = {}


def check_output(output: Output) -> None:
    """Check that an output is new, empty or one of polyframe.

    Raises
    ------
    PolyframeError
        If it is a file, contains something that polyframe did not write, or its name cannot be used.
    """
    if version_numbers(output):
        return
    foreign = _foreign_in_bucket(output) if output.folder is None else _foreign_in_folder(output.folder)
    if foreign:
        raise PolyframeError(
            f"{output}: already contains other files ({foreign[0]}); name a new or empty directory"
        )


@contextlib.contextmanager
def work_directory(output: Output) -> Iterator[Work]:
    """Prepare an output for one run: lock a local one, and complete what a dead run left.

    At the end temporary files are removed. If the body fails, finished parts stay in the store for the next
    run.

    Parameters
    ----------
    output : Output
        A local directory is created if missing.

    Raises
    ------
    PolyframeError
        If the output cannot be written, another run works there, or a file of others is in the way.
    """
    use_polars()
    if output.folder is None:
        with _temporary_folder(output) as work:
            yield work
        return
    work, path = Work(output, output.folder / WORK), output.folder
    refuse_other_work(work)
    folders = [work.folder] if path.exists() else [work.folder, path / STORE, path]
    was_killed = work.folder.exists()
    with contextlib.ExitStack() as locked:
        _lock(work, locked)
        try:
            refuse_links(output)
            refuse_foreign_files(work)
            with _cleaned(work, folders):
                if was_killed:
                    _remove_unfinished(work)
                _complete_earlier(work)
                work.started.mkdir()
                yield work
        except OSError as error:
            if _is_below(path, error.filename) or error.errno in _NO_SPACE:
                raise cannot_write(Path(error.filename or path), error) from None
            raise
        finally:
            locked.close()
            _remove_empty(folders)


@contextlib.contextmanager
def _temporary_folder(output: Output) -> Iterator[Work]:
    """Make a folder of this computer for a run that writes to a bucket."""
    work = Work(output, Path(tempfile.mkdtemp(prefix="polyframe-")))
    work.started.mkdir()
    _IN_USE[work] = []
    try:
        yield work
    finally:
        shutil.rmtree(work.folder, ignore_errors=True)
        del _IN_USE[work]


def _complete_earlier(work: Work) -> None:
    """Make the store of an output of an earlier release, and complete the view of the newest version."""
    flat_layout.take_over(work.output)
    _remove_temporary(work)
    manifest = newest_manifest(work.output)
    # If a part is missing, the run may rebuild it, and shows all parts then.
    if manifest is not None and not missing_parts(work.output, manifest):
        refresh_view(work, manifest)


def _foreign_in_folder(path: Path) -> list[str]:
    check_name(path)
    if not path.exists():
        return []
    if not path.is_dir():
        raise PolyframeError(f"{path}: is a file; name a new or empty directory for the tables")
    if (path / MANIFEST).is_file():
        return []
    try:
        names = (entry.name for entry in path.iterdir())
        return sorted(name for name in names if name not in (WORK, STORE) and not is_system_file(name))
    except OSError as error:
        raise PolyframeError(f"{path}: cannot be read ({error.strerror})") from None


def _foreign_in_bucket(output: Output) -> list[str]:
    foreign = (key for key in output.objects.keys("") if not is_own_key(key))
    return list(itertools.islice(foreign, 1))


def _is_below(folder: Path, name: object) -> bool:
    return isinstance(name, str) and Path(name).is_relative_to(folder)


def _lock(work: Work, locked: contextlib.ExitStack) -> None:
    output = work.output
    for left in reversed(range(_TRIES)):
        try:
            work.folder.mkdir(parents=True, exist_ok=True)
            locked.enter_context(exclusive(work.lock, work.folder.parent))
            return
        except FileNotFoundError as error:
            # Another run removed the work directory at its end, at this moment.
            if not left:
                raise _unwritable(output, error) from None
            time.sleep(_PAUSE)
        except OSError as error:
            raise _unwritable(output, error) from None


def _unwritable(output: Output, error: OSError) -> PolyframeError:
    return PolyframeError(f"{output}: cannot be written ({error.strerror}); name another directory")


@contextlib.contextmanager
def _cleaned(work: Work, folders: list[Path]) -> Iterator[None]:
    """Remove temporary files at the end."""
    _IN_USE[work] = folders
    try:
        yield
    finally:
        _remove_temporary(work)
        # Of workers that were killed.
        _remove_unfinished(work)
        del _IN_USE[work]


def abandon() -> None:
    """Remove the temporary files of all runs of this process, which is about to end.

    From then on no part is written in this process.
    """
    stop_part_writers(_LONGEST_WRITE)
    for work, folders in list(_IN_USE.items()):
        if work.output.folder is None:
            shutil.rmtree(work.folder, ignore_errors=True)
            continue
        # Repeat it, since threads that still work may have written something in the meantime.
        for _ in range(_TRIES):
            _remove_temporary(work)
            _remove_unfinished(work)
            with contextlib.suppress(OSError):
                work.lock.unlink()
            _remove_empty(folders)
            if not work.folder.exists():
                break


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _remove_temporary(work: Work) -> None:
    """Remove all files of polyframe except the lock."""
    return_foreign_files(work)
    remove_own_files(work, keep=lambda name: name.startswith(work.lock.name))


def _remove_unfinished(work: Work) -> None:
    """Remove temporary files from the store of a local output, which this process has locked."""
    objects = work.output.objects
    if isinstance(objects, FolderObjects):
        objects.remove_unfinished()
