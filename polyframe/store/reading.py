"""Read the tables of an output directory while runs may replace them.

Every reader compares `Output.state` before and after. If a run published other tables in between, the result
is not used: short readers try again (`read_unchanged`), long ones stop with an error (`check_unchanged`).
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import polars as pl

from polyframe.core.arrays import Ints
from polyframe.core.choices import TableName
from polyframe.core.errors import PolyframeError, UsageError, first_line, short_repr
from polyframe.core.fork_guard import use_polars
from polyframe.core.local_paths import local_path
from polyframe.core.suggestions import nearest
from polyframe.core.tables import TABLES
from polyframe.store import publishing
from polyframe.store.lock import holder_of
from polyframe.store.manifest import Manifest, read_manifest, table_parts
from polyframe.store.output import Output
from polyframe.store.part_files import read_parts
from polyframe.store.stages import stage_of

#: The most parts that stay open after `scan`; some systems allow fewer than a thousand open files.
_MOST_OPEN: Final = 200
_TRIES: Final = 20
_PAUSE: Final = 0.02

Result = TypeVar("Result")


@contextlib.contextmanager
def check_unchanged(output: Output, purpose: str) -> Iterator[None]:
    """Check that no run publishes other tables while the body reads them.

    Parameters
    ----------
    output : Output
        The output directory.
    purpose : str
        What the tables are read for, such as `export`, for the message.

    Raises
    ------
    PolyframeError
        If a run did.
    """
    state = output.state()
    try:
        yield
    finally:
        # Also if a part was missing: then this is why.
        if output.state() != state:
            holder = holder_of(output.lock) or "a run"
            raise PolyframeError(f"{output}: {holder} changed it during the {purpose}; {purpose} it again")


def read_unchanged(output: Output, read: Callable[[], Result | None]) -> Result | None:
    """Read until no run published other tables meanwhile; return None if it never succeeds.

    Parameters
    ----------
    output : Output
        The output directory.
    read : callable
        Called until it returns a result other than None, and no run changed the tables during the call.
    """
    for _ in range(_TRIES):
        state = output.state()
        result = read()
        if result is not None and output.state() == state:
            return result
        time.sleep(_PAUSE)
    return None


@contextlib.contextmanager
def explain_damage(output: str | os.PathLike[str]) -> Iterator[None]:
    """Turn errors of Polars and of the system into one line that names the directory and what to do.

    Parameters
    ----------
    output : path
        The output directory whose tables the body reads.

    Raises
    ------
    PolyframeError
        If the body raises such an error.
    """
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        raise PolyframeError(
            f"{output}: cannot be read ({first_line(error)}); see `polyframe validate {output}`"
        ) from None


@dataclass(frozen=True)
class OutputTables:
    """The tables of an output directory, to be read partition by partition.

    Attributes
    ----------
    output : Output
        The output directory.
    manifest : Manifest
        How the tables were made.
    """

    output: Output
    manifest: Manifest

    @property
    def path(self) -> Path:
        """The directory."""
        return self.output.path

    def contains(self, table: str) -> bool:
        """Tell whether there is a table."""
        return stage_of(table) in self.manifest.stages

    def partitions(
        self, subjects: Sequence[int] | None = None, /, **columns: list[str] | None
    ) -> Iterator[dict[str, pl.DataFrame]]:
        """Read some tables, one partition after another; a subject is never in two of them.

        Parameters
        ----------
        subjects : sequence of int, optional
            Skip partitions that can contain none of these.
        **columns
            Tables by name, each with the columns to read; None for all.

        Raises
        ------
        PolyframeError
            If a table is missing, or one of its parts is missing or damaged.
        """
        for table in columns:
            if not self.contains(table):
                raise PolyframeError(_no_table(self.output, table))
        parts = {table: part_paths(self.output, table, self.manifest) for table in columns}
        for table in parts:
            check_columns(self.output, table, parts[table])
        wanted = range(len(self.manifest.partitions)) if subjects is None else self.partition_of(subjects)
        for number, paths in enumerate(zip(*parts.values(), strict=True)):
            if number not in wanted:
                continue
            yield {
                table: _read_part(path, names)
                for path, (table, names) in zip(paths, columns.items(), strict=True)
            }

    def partition_of(self, subjects: Sequence[int]) -> Ints:
        """Return the number of the partition that contains each subject, if any does."""
        starts = [partition.first_subject for partition in self.manifest.partitions[1:]]
        return np.searchsorted(np.array(starts, np.int64), np.array(subjects, np.int64), side="right")


@contextlib.contextmanager
def open_tables(path: Path, purpose: str = "export") -> Iterator[OutputTables]:
    """Open the tables of an output directory; see `check_unchanged` for `purpose`.

    Raises
    ------
    PolyframeError
        If it is not a polyframe output directory, or a run changes it meanwhile.
    """
    use_polars()
    output = Output(path)
    with check_unchanged(output, purpose):
        yield OutputTables(output, current_manifest(output))


def current_manifest(output: Output) -> Manifest:
    """Return the manifest of the current tables, even while they are published.

    Raises
    ------
    PolyframeError
        If it is not a polyframe output directory, or its manifest is damaged.
    """
    return publishing.pending_manifest(output) or read_manifest(output.path)


def part_paths(output: Output, table: str, manifest: Manifest) -> list[Path]:
    """Return the current part files of a table in order; empty if there are none."""
    folder = publishing.table_folder(output, table)
    return [folder / name for name in table_parts(manifest, table)]


def scan(output: str | os.PathLike[str], table: TableName) -> pl.LazyFrame:
    """Open a table of an output directory.

    Parameters
    ----------
    output : path
        The output directory of a run.
    table : str
        One of `polyframe.core.tables.TABLES`, such as `"contours"`.

    Returns
    -------
    polars.LazyFrame
        Sorted by the table's keys; geometries as WKB. It is the table at the time of the call, even if a run
        replaces it later (on Windows, and with more than 200 parts, collect it before a run ends).

    Raises
    ------
    UsageError
        If there is no table of that name.
    PolyframeError
        If the directory does not contain the table, or one of its parts is missing.
    """
    with _open_parts(local_path(output, "output"), table) as parts:
        return pl.scan_parquet(parts, glob=False)


def read_table(output: Path, table: str) -> pl.DataFrame:
    """Read a table of an output directory.

    Raises
    ------
    UsageError, PolyframeError
        As from `scan`, and if a part is damaged.
    """
    try:
        with _open_parts(output, table) as parts:
            return pl.read_parquet(parts, glob=False)
    except (pl.exceptions.PolarsError, OSError):
        # The message of read_parts names the damaged part.
        return read_parts(_existing_parts(Output(output), table))


@contextlib.contextmanager
def _open_parts(path: Path, table: str) -> Iterator[list[Any]]:
    """Open the parts of a table as one run left them; open files stay readable if a run replaces them."""
    use_polars()
    output = Output(path)
    with contextlib.ExitStack() as files:

        def open_parts() -> list[Any] | None:
            files.close()
            with contextlib.suppress(OSError):
                return _open_all(_existing_parts(output, table), files)
            return None

        parts = read_unchanged(output, open_parts)
        if parts is None:
            missing = [path for path in _existing_parts(output, table) if not path.is_file()]
            if missing:
                raise PolyframeError(f"{missing[0]}: is missing; run `polyframe run` again")
            raise PolyframeError(f"{output}: cannot be read, or runs keep replacing it; try again")
        yield parts


def _open_all(paths: list[Path], files: contextlib.ExitStack) -> list[Any]:
    """Open the files of one folder; return their paths if there are too many to be open at once."""
    if os.open not in os.supports_dir_fd or len(paths) > _MOST_OPEN:
        for path in paths:
            path.stat()
        return list(paths)
    folder = os.open(paths[0].parent, os.O_RDONLY)
    files.callback(os.close, folder)

    def within(name: str, flags: int) -> int:
        return os.open(name, flags, dir_fd=folder)

    # Not by their paths: if the folder were replaced at this moment, that would give some parts of each.
    return [files.enter_context(open(path.name, "rb", opener=within)) for path in paths]


def _existing_parts(output: Output, table: str) -> list[Path]:
    if not isinstance(table, str) or table not in TABLES:
        raise UsageError(f"no table {short_repr(table)}{nearest(table, TABLES)}")
    paths = part_paths(output, table, current_manifest(output))
    if not paths:
        raise PolyframeError(_no_table(output, table))
    check_columns(output, table, paths)
    return paths


def check_columns(output: Output, table: str, paths: list[Path]) -> None:
    """Raise a PolyframeError if the parts of a table were written before it had all of its columns."""
    try:
        present = pl.read_parquet_schema(paths[0])
    except (pl.exceptions.PolarsError, OSError):
        return  # reading it says what is wrong
    missing = [column.name for column in TABLES[table].columns if column.name not in present]
    if missing:
        raise PolyframeError(
            f"{output}: its table {table!r} has no column {missing[0]!r}; rebuild it with "
            f"`polyframe {stage_of(table)} {output}`"
        )


def _no_table(output: Output, table: str) -> str:
    return f"{output}: has no table {table!r}; make it with `polyframe {stage_of(table)} {output}`"


def _read_part(path: Path, columns: list[str] | None) -> pl.DataFrame:
    if columns is None:
        return read_parts([path])
    try:
        return pl.read_parquet(path, columns=columns, glob=False)
    except (pl.exceptions.PolarsError, OSError):
        return read_parts([path]).select(columns)
