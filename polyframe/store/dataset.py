"""The output directory: where its tables are, and how to open them while runs replace them.

Layout of an output directory::

    OUT/polyframe.json                 the manifest: settings, accounting, partitions; tells that OUT is ours
    OUT/<table>/part-00000.parquet     the tables; parts in name order are sorted by the table's keys
    OUT/.polyframe-work/               what a run needs until it is done, see `polyframe.store.workplace`
"""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import polars as pl

from polyframe.core.errors import PolyframeError, UsageError, check_name, short_repr
from polyframe.core.forks import use_polars
from polyframe.core.local_paths import local_path
from polyframe.core.suggestions import nearest
from polyframe.core.tables import TABLES
from polyframe.store import commit
from polyframe.store.manifest import MANIFEST, Manifest, read_manifest, table_parts
from polyframe.store.own_files import is_system_file
from polyframe.store.parts import read_parts
from polyframe.store.stages import stage_of

WORK: Final = ".polyframe-work"

#: So many parts are kept open for a table that was opened; systems allow a thousand or less.
_MOST_OPEN: Final = 200
_TRIES: Final = 20
_PAUSE: Final = 0.02


def part_paths(output: Path, table: str, manifest: Manifest | None = None) -> list[Path]:
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
        One of `polyframe.core.tables.TABLES`, such as `"contours"`.

    Returns
    -------
    polars.LazyFrame
        Sorted by the table's keys; geometries as WKB. It is the table as it was when it was opened, also
        where a run has replaced it since (on Windows, and above 200 parts: collect it before a run ends).

    Raises
    ------
    UsageError
        Where there is no table of that name.
    PolyframeError
        Where the directory does not hold the table, or one of its parts is missing.
    """
    with _opened_parts(local_path(output, "output"), table) as parts:
        return pl.scan_parquet(parts, glob=False)


def read_table(output: Path, table: str) -> pl.DataFrame:
    """Read a table of an output directory.

    Raises
    ------
    UsageError, PolyframeError
        As from `scan`, and where a part is damaged.
    """
    try:
        with _opened_parts(output, table) as parts:
            return pl.read_parquet(parts, glob=False)
    except (pl.exceptions.PolarsError, OSError):
        # This names the part that is damaged.
        return read_parts(_existing_parts(output, table))


@contextlib.contextmanager
def _opened_parts(output: Path, table: str) -> Iterator[list[Any]]:
    """Open the parts of a table as one run left them; what is open stays, also when a run replaces it."""
    use_polars()
    with contextlib.ExitStack() as opened:
        yield _open_parts(output, table, opened)


def _open_parts(output: Path, table: str, opened: contextlib.ExitStack) -> list[Any]:
    for left in reversed(range(_TRIES)):
        state = last_change(output)
        paths = _existing_parts(output, table)
        with contextlib.suppress(OSError):
            parts = _open_all(paths, opened)
            if state == last_change(output):
                return parts
        missing = [path for path in paths if not path.is_file()]
        if missing and not left:
            raise PolyframeError(f"{missing[0]}: is missing; run `polyframe run` again")
        # A run puts other parts into place in this moment.
        opened.close()
        time.sleep(_PAUSE)
    raise PolyframeError(f"{output}: cannot be read, or is being replaced all the time; try again")


def _open_all(paths: list[Path], opened: contextlib.ExitStack) -> list[Any]:
    """Open files of one folder; name them where that many cannot be open at once."""
    if os.open not in os.supports_dir_fd or len(paths) > _MOST_OPEN:
        for path in paths:
            path.stat()
        return list(paths)
    folder = os.open(paths[0].parent, os.O_RDONLY)
    opened.callback(os.close, folder)

    def within(name: str, flags: int) -> int:
        return os.open(name, flags, dir_fd=folder)

    # Not by their paths: a folder that is replaced in this moment would give some parts of each.
    return [opened.enter_context(open(path.name, "rb", opener=within)) for path in paths]


def last_change(output: Path) -> list[tuple[int, ...] | None]:
    """Return what changes whenever a run puts tables into place."""
    return [_identity(path) for path in (output / MANIFEST, output / WORK / commit.DECIDED)]


def _identity(path: Path) -> tuple[int, ...] | None:
    with contextlib.suppress(OSError):
        found = path.stat()
        return found.st_ino, found.st_mtime_ns, found.st_size
    return None


def _existing_parts(output: Path, table: str) -> list[Path]:
    if not isinstance(table, str) or table not in TABLES:
        raise UsageError(f"no table {short_repr(table)}{nearest(table, TABLES)}")
    paths = part_paths(output, table)
    if not paths:
        read_manifest(output)
        raise PolyframeError(
            f"{output}: holds no table {table!r}; make it with `polyframe {stage_of(table)} {output}`"
        )
    return paths


def check_output(output: Path) -> None:
    """Check that an output directory is new, empty or ours.

    Raises
    ------
    PolyframeError
        Where it is a file, holds something that polyframe did not write, or its name cannot be used.
    """
    check_name(output)
    if not output.exists():
        return
    if not output.is_dir():
        raise PolyframeError(f"{output}: is a file; name a new or empty directory for the tables")
    if (output / MANIFEST).is_file() or commit.decided(output / WORK):
        return
    try:
        names = (entry.name for entry in output.iterdir())
        strangers = sorted(name for name in names if name != WORK and not is_system_file(name))
    except OSError as error:
        raise PolyframeError(f"{output}: cannot be read ({error.strerror})") from None
    if strangers:
        raise PolyframeError(
            f"{output}: already holds something else ({strangers[0]}); name a new or empty directory"
        )
