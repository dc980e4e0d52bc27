"""The work directory of an output directory: one run at a time, and nothing left of it but what is of use.

Layout::

    OUT/.polyframe-work/               what a run needs until it is done; removed at its end
        lock                           held while a run works here
        lock.held                      the lock where the file system has none
        next/<table>/part-...          finished parts that wait for the others; a later run takes them over
        commit.json                    the new manifest while finished tables move into place
        started/                       a file for each partition that a worker has begun with
        rows/, sources/, old/          temporary files

A run writes its parts below the work directory and moves whole tables into place at the end, so that a run
that fails or dies leaves what was there before. Only what has the form of our own files is removed or written
over, and nothing through a link (`polyframe.store.own_files`). Links that somebody creates there during a run
are not guarded against.
"""

import contextlib
import errno
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from polyframe.core.atomic_files import cannot_write
from polyframe.core.errors import PolyframeError
from polyframe.core.forks import use_polars
from polyframe.store import commit
from polyframe.store.dataset import WORK
from polyframe.store.lock import exclusive
from polyframe.store.own_files import (
    refuse_links,
    refuse_other_place,
    refuse_strangers,
    remove_own,
    return_strangers,
)
from polyframe.store.parts import no_more_parts

_TRIES: Final = 20
_PAUSE: Final = 0.02
#: Seconds that a part which is being written has to become whole, once the process is to end.
_LONGEST_WRITE: Final = 2.0
_NO_PLACE: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
#: Work directories that runs of this process hold, and folders that go with them where they stay empty.
_HELD: Final[dict[Path, list[Path]]] = {}


@contextlib.contextmanager
def work_directory(output: Path, *, discard: bool = False) -> Iterator[Path]:
    """Hold an output directory for one run: lock it, bring to an end what a dead run had decided.

    Yields the work directory. At the end its temporary files are removed; finished parts stay there where the
    body failed, so that the next run goes on from them.

    Parameters
    ----------
    output : Path
        The output directory; made where it is missing.
    discard : bool
        Also remove finished parts that an earlier run left.

    Raises
    ------
    PolyframeError
        Where the directory cannot be written, another run works there, or something is in the way that
        polyframe did not write.
    """
    use_polars()
    work = output / WORK
    refuse_other_place(work)
    # Finished parts, if there are any, stay for the next run, and then these folders do.
    folders = [work] if output.exists() else [work, output]
    with contextlib.ExitStack() as held:
        _lock(output, work, held)
        try:
            refuse_links(output)
            refuse_strangers(work)
            if (work / commit.DECIDED).exists() and commit.decided(work) is None:
                raise PolyframeError(
                    f"{work / commit.DECIDED}: was not written by this version of polyframe, or is damaged; "
                    "move it elsewhere, then run again"
                )
            with _cleaned(work, folders):
                commit.complete(output, work)
                _remove_temporary(work)
                if discard:
                    remove_own(work, keep=lambda name: not _is_finished(name))
                (work / "started").mkdir()
                yield work
        except OSError as error:
            if _is_below(output, error.filename) or error.errno in _NO_PLACE:
                raise PolyframeError(cannot_write(Path(error.filename or output), error)) from None
            raise
        finally:
            held.close()
            _remove_empty(folders)


def _is_below(folder: Path, name: object) -> bool:
    return isinstance(name, str) and Path(name).is_relative_to(folder)


def _lock(output: Path, work: Path, held: contextlib.ExitStack) -> None:
    for left in reversed(range(_TRIES)):
        try:
            work.mkdir(parents=True, exist_ok=True)
            held.enter_context(exclusive(work / "lock", output))
            return
        except FileNotFoundError as error:
            # A run that ends has removed the work directory in this moment.
            if not left:
                raise _unwritable(output, error) from None
            time.sleep(_PAUSE)
        except OSError as error:
            raise _unwritable(output, error) from None


def _unwritable(output: Path, error: OSError) -> PolyframeError:
    return PolyframeError(f"{output}: cannot be written ({error.strerror}); name another directory")


@contextlib.contextmanager
def _cleaned(work: Path, folders: list[Path]) -> Iterator[None]:
    """Remove temporary files at the end, and folders for finished parts that got none."""
    _HELD[work] = folders
    try:
        yield
    finally:
        _clean(work)
        del _HELD[work]


def _clean(work: Path) -> None:
    _remove_temporary(work)
    for folder in (*(work / commit.NEXT).glob("*"), work / commit.NEXT):
        with contextlib.suppress(OSError):
            folder.rmdir()


def abandon() -> None:
    """Remove the temporary files of all runs of this process, which is about to end in the midst of them.

    No part is written in this process from then on.
    """
    no_more_parts(_LONGEST_WRITE)
    for work, folders in list(_HELD.items()):
        # Again where threads that still work have put something there in the meantime.
        for _ in range(_TRIES):
            _clean(work)
            with contextlib.suppress(OSError):
                (work / "lock").unlink()
            _remove_empty(folders)
            if not work.exists() or (work / commit.NEXT).exists():
                break


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _remove_temporary(work: Path) -> None:
    """Remove all of ours but the lock and the finished parts."""
    return_strangers(work.parent, work)
    remove_own(work, keep=_is_kept)


def _is_kept(name: str) -> bool:
    return name.startswith("lock") or name == commit.DECIDED or _is_finished(name)


def _is_finished(name: str) -> bool:
    """Tell whether a file or folder of the work directory is a finished part, or has to do with them."""
    return name.split("/")[0] == commit.NEXT and not name.endswith(".tmp")
