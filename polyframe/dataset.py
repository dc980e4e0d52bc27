"""The output directory: where its tables are, and who may write there.

Layout of an output directory::

    OUT/polyframe.json                 the manifest: settings, accounting, partitions; tells that OUT is ours
    OUT/<table>/part-00000.parquet     the tables; parts in name order are sorted by the table's keys
    OUT/.polyframe-work/               what a run needs until it is done, see below; removed at its end
        lock                           held while a run works here
        next/<table>/part-...          finished parts that wait for the others; a later run takes them over
        commit.json                    the new manifest while finished tables move into place
        rows/, sources/                temporary files

A run writes its parts below the work directory and moves whole tables into place at the end, so that a run
that fails or dies leaves what was there before.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import polars as pl

from polyframe import commit
from polyframe._errors import PolyframeError, UsageError
from polyframe.exclusive import exclusive
from polyframe.manifest import MANIFEST, read_manifest, table_parts
from polyframe.parts import read_parts
from polyframe.settings import nearest
from polyframe.tables import TABLES

WORK: Final = ".polyframe-work"


def part_paths(output: Path, table: str, manifest: dict[str, Any] | None = None) -> list[Path]:
    """Return the part files of a table in order, as the manifest names them; empty where there are none.

    Raises
    ------
    PolyframeError
        Where the manifest cannot be read.
    """
    decided = commit.decided(output / WORK)
    if not (manifest or decided or (output / MANIFEST).is_file()):
        return []
    told = manifest or decided or read_manifest(output)
    folder = commit.table_folder(output, output / WORK, table) if decided else output / table
    return [folder / name for name in table_parts(told, table)]


def scan(output: str | os.PathLike[str], table: str) -> pl.LazyFrame:
    """Open a table of an output directory.

    Parameters
    ----------
    output : path
        What a run wrote.
    table : str
        One of `polyframe.tables.TABLES`, such as `"contours"`.

    Returns
    -------
    polars.LazyFrame
        Sorted by the table's keys; geometries as WKB. Collect it before another run on the directory ends.

    Raises
    ------
    UsageError
        Where there is no table of that name.
    PolyframeError
        Where the directory does not hold the table, or one of its parts is missing.
    """
    paths = _existing_parts(Path(output), table)
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise PolyframeError(f"{missing[0]}: is missing; run `polyframe run` again")
    return pl.scan_parquet(paths, glob=False)


def read_table(output: Path, table: str) -> pl.DataFrame:
    """Read a table of an output directory.

    Raises
    ------
    UsageError, PolyframeError
        As from `scan`, and where a part is damaged.
    """
    return read_parts(_existing_parts(output, table))


def _existing_parts(output: Path, table: str) -> list[Path]:
    if table not in TABLES:
        raise UsageError(f"no table {table!r}{nearest(table, TABLES)}")
    paths = part_paths(output, table)
    if not paths:
        raise PolyframeError(
            f"{output}: holds no table {table!r}; make it with `polyframe run ... -o {output}`"
        )
    return paths


def check_output(output: Path) -> None:
    """Check that an output directory is new, empty or ours.

    Raises
    ------
    PolyframeError
        Where it is a file, or holds something that polyframe did not write.
    """
    if not output.exists():
        return
    if not output.is_dir():
        raise PolyframeError(f"{output}: is a file; expected a directory to write the tables into")
    if (output / MANIFEST).is_file() or commit.decided(output / WORK):
        return
    try:
        strangers = sorted(entry.name for entry in output.iterdir() if entry.name != WORK)
    except OSError as error:
        raise PolyframeError(f"{output}: cannot be read ({error.strerror})") from None
    if strangers:
        raise PolyframeError(
            f"{output}: already holds something else ({strangers[0]}); name a new or empty directory"
        )


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
        Where the directory cannot be written, or another run works there.
    """
    work = output / WORK
    made_output = not output.exists()
    try:
        work.mkdir(parents=True, exist_ok=True)
        lock = contextlib.ExitStack()
        lock.enter_context(exclusive(work / "lock", output))
    except OSError as error:
        raise PolyframeError(
            f"{output}: cannot be written ({error.strerror}); name another directory"
        ) from None
    try:
        with lock:
            commit.complete(output, work)
            _remove_temporary(work)
            if discard:
                shutil.rmtree(work / commit.NEXT, ignore_errors=True)
            (work / "started").mkdir()
            try:
                yield work
            finally:
                _remove_temporary(work)
    finally:
        # What is empty now was of no use; finished parts, if there are any, stay for the next run.
        for folder in (*(work / commit.NEXT).glob("*"), work / commit.NEXT, work, *[output] * made_output):
            with contextlib.suppress(OSError):
                folder.rmdir()


def _remove_temporary(work: Path) -> None:
    """Remove all but the lock and the finished parts."""
    for entry in work.iterdir():
        if entry.name in ("lock", commit.NEXT, commit.DECIDED):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                entry.unlink()
    for left in (work / commit.NEXT).glob("*/.*.tmp"):
        with contextlib.suppress(OSError):
            left.unlink()
