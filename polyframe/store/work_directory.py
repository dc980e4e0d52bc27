"""Lock an output directory for one run, and clean its work directory up afterwards.

A run writes its parts into the work directory and publishes whole tables at the end, so if it fails or dies,
the old tables remain. Only files of polyframe are removed or replaced there, and links are never followed
(`polyframe.store.foreign_files`). There is no protection against links that are created during a run.
"""

import contextlib
import errno
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from polyframe.core.atomic_files import cannot_write
from polyframe.core.errors import PolyframeError, check_name
from polyframe.core.fork_guard import use_polars
from polyframe.store import publishing
from polyframe.store.foreign_files import (
    is_system_file,
    refuse_foreign_files,
    refuse_links,
    refuse_other_work,
    remove_own_files,
    return_foreign_files,
)
from polyframe.store.lock import exclusive
from polyframe.store.output import Output
from polyframe.store.part_files import stop_part_writers

_TRIES: Final = 20
_PAUSE: Final = 0.02
#: Seconds that a process waits at its end for parts that are being written.
_LONGEST_WRITE: Final = 2.0
_NO_SPACE: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
#: The outputs that runs of this process have locked, and folders to remove with them if they are empty.
_LOCKED: Final[dict[Output, list[Path]]] = {}


def check_output(path: Path) -> None:
    """Check that an output directory is new, empty or one of polyframe.

    Raises
    ------
    PolyframeError
        If it is a file, contains something that polyframe did not write, or its name cannot be used.
    """
    output = Output(path)
    check_name(path)
    if not path.exists():
        return
    if not path.is_dir():
        raise PolyframeError(f"{path}: is a file; name a new or empty directory for the tables")
    if output.manifest.is_file() or publishing.pending_manifest(output):
        return
    try:
        names = (entry.name for entry in path.iterdir())
        foreign = sorted(name for name in names if name != output.work.name and not is_system_file(name))
    except OSError as error:
        raise PolyframeError(f"{path}: cannot be read ({error.strerror})") from None
    if foreign:
        raise PolyframeError(
            f"{path}: already contains other files ({foreign[0]}); name a new or empty directory"
        )


@contextlib.contextmanager
def work_directory(path: Path, *, discard: bool = False) -> Iterator[Output]:
    """Lock an output directory for one run, and complete what a dead run had decided.

    At the end temporary files are removed. If the body fails, finished parts stay for the next run.

    Parameters
    ----------
    path : Path
        The output directory; created if missing.
    discard : bool
        Also remove finished parts of an earlier run.

    Raises
    ------
    PolyframeError
        If the directory cannot be written, another run works there, or a file of others is in the way.
    """
    use_polars()
    output = Output(path)
    refuse_other_work(output)
    # If finished parts stay for the next run, these folders do too.
    folders = [output.work] if path.exists() else [output.work, path]
    with contextlib.ExitStack() as locked:
        _lock(output, locked)
        try:
            refuse_links(output)
            refuse_foreign_files(output)
            if output.decision.exists() and publishing.pending_manifest(output) is None:
                raise PolyframeError(
                    f"{output.decision}: damaged, or written by another version of polyframe; "
                    "move it elsewhere, then run again"
                )
            with _cleaned(output, folders):
                publishing.complete(output)
                _remove_temporary(output)
                if discard:
                    remove_own_files(output, keep=lambda name: not _is_finished(output, name))
                output.started.mkdir()
                yield output
        except OSError as error:
            if _is_below(path, error.filename) or error.errno in _NO_SPACE:
                raise cannot_write(Path(error.filename or path), error) from None
            raise
        finally:
            locked.close()
            _remove_empty(folders)


def _is_below(folder: Path, name: object) -> bool:
    return isinstance(name, str) and Path(name).is_relative_to(folder)


def _lock(output: Output, locked: contextlib.ExitStack) -> None:
    for left in reversed(range(_TRIES)):
        try:
            output.work.mkdir(parents=True, exist_ok=True)
            locked.enter_context(exclusive(output.lock, output.path))
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
def _cleaned(output: Output, folders: list[Path]) -> Iterator[None]:
    """Remove temporary files at the end, and empty folders for finished parts."""
    _LOCKED[output] = folders
    try:
        yield
    finally:
        _clean(output)
        del _LOCKED[output]


def _clean(output: Output) -> None:
    _remove_temporary(output)
    for folder in (*output.finished.glob("*"), output.finished):
        with contextlib.suppress(OSError):
            folder.rmdir()


def abandon() -> None:
    """Remove the temporary files of all runs of this process, which is about to end.

    From then on no part is written in this process.
    """
    stop_part_writers(_LONGEST_WRITE)
    for output, folders in list(_LOCKED.items()):
        # Repeat it, since threads that still work may have written something in the meantime.
        for _ in range(_TRIES):
            _clean(output)
            with contextlib.suppress(OSError):
                output.lock.unlink()
            _remove_empty(folders)
            if not output.work.exists() or output.finished.exists():
                break


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _remove_temporary(output: Output) -> None:
    """Remove all files of polyframe except the lock and the finished parts."""
    return_foreign_files(output)
    lock, decision = output.lock.name, output.decision.name
    remove_own_files(
        output,
        keep=lambda name: name.startswith(lock) or name == decision or _is_finished(output, name),
    )


def _is_finished(output: Output, name: str) -> bool:
    """Tell whether a path in the work directory is a finished part, or a folder of such parts."""
    return name.split("/")[0] == output.finished.name and not name.endswith(".tmp")
