"""Locate the files of an output directory.

Layout::

    OUT/polyframe.json                     the manifest: settings, accounting, partitions
    OUT/<table>/part-00000.parquet         the tables; parts in name order are sorted by the table's keys
    OUT/.volunteer_sums/part-*.parquet     sums of each partition, from which `volunteers` is merged
    OUT/.polyframe-work/                   files of a run in progress, removed at its end
        lock                               held by the process of the run
        lock.held                          the lock on a file system without locks
        next/<table>/part-00000.parquet    finished parts, which a later run reuses if this one dies
        commit.json                        the new manifest, while finished tables are published
        old/                               tables that were replaced
        started/                           a file for each partition that a worker has started
        rows/, sources/                    temporary files
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MANIFEST: Final = "polyframe.json"
WORK: Final = ".polyframe-work"
#: The name of the only part of a table that is merged from all partitions, in place of a partition's.
MERGED: Final = "00000"

#: Changes whenever a run publishes tables; see `Output.state`.
State = tuple[tuple[int, ...] | None, ...]


@dataclass(frozen=True)
class Output:
    """An output directory; the only object that knows where its files are.

    Attributes
    ----------
    path : Path
        The directory.
    """

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    @property
    def manifest(self) -> Path:
        """The manifest of the published tables."""
        return self.path / MANIFEST

    @property
    def work(self) -> Path:
        """The work directory of a run."""
        return self.path / WORK

    @property
    def lock(self) -> Path:
        """The file that a run locks."""
        return self.work / "lock"

    @property
    def decision(self) -> Path:
        """The new manifest while its tables are published."""
        return self.work / "commit.json"

    @property
    def finished(self) -> Path:
        """The folder of finished parts that are not published yet."""
        return self.work / "next"

    @property
    def replaced(self) -> Path:
        """The folder of tables that were replaced."""
        return self.work / "old"

    @property
    def started(self) -> Path:
        """The folder of files that name the partitions in progress."""
        return self.work / "started"

    @property
    def rows(self) -> Path:
        """The folder of the rows of the export, sorted into partitions."""
        return self.work / "rows"

    @property
    def sources(self) -> Path:
        """The folder of unpacked or repaired files of the export."""
        return self.work / "sources"

    def table(self, table: str) -> Path:
        """Return the folder of a published table."""
        return self.path / table

    def part(self, table: str, partition: str) -> Path:
        """Return the published part of a table and a partition."""
        return self.table(table) / part_name(partition)

    def finished_table(self, table: str) -> Path:
        """Return the folder of the finished parts of a table."""
        return self.finished / table

    def finished_part(self, table: str, partition: str) -> Path:
        """Return the finished part of a table and a partition."""
        return self.finished_table(table) / part_name(partition)

    def state(self) -> State:
        """Return a value that changes whenever a run publishes tables."""
        return _identity(self.manifest), _identity(self.decision)


def part_name(partition: str) -> str:
    """Return the file name of a partition's part, such as `part-00000.parquet`."""
    return f"part-{partition}.parquet"


def partition_of(name: str) -> str:
    """Return the partition of a part from its file name."""
    return name.removeprefix("part-").removesuffix(".parquet")


def _identity(path: Path) -> tuple[int, ...] | None:
    with contextlib.suppress(OSError):
        status = path.stat()
        return status.st_ino, status.st_mtime_ns, status.st_size
    return None
