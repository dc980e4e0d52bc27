"""Sort rows into many partitions in two levels, so that nobody reads or remembers very many small pieces.

There is a piece for each partition and each file of rows, so in one level their number grows with the square
of the export. Therefore a large export is sorted into *super-partitions* first: consecutive partitions of
some gigabytes together. Then each super-partition is sorted into its partitions by a worker, on its own disk,
and becomes one file, in which each partition is one piece.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from polyframe.core.arrays import Ints
from polyframe.core.callbacks import NO_PROGRESS, DetailedProgress
from polyframe.pipeline.executors.executor import Executor
from polyframe.pipeline.executors.run_all import run_all
from polyframe.pipeline.shuffle import Ranges, Sorter
from polyframe.pipeline.sorted_rows import (
    RowFiles,
    Slices,
    SortedRows,
    copy_into_one_file,
    join_sorted,
    new_name,
    read_pieces,
)
from polyframe.store.objects import FolderObjects

#: Most pieces of one level. On this machine, a piece takes 0.15 ms of processor time to read, and the second
#: level 3 to 4 s for a gigabyte, so with partitions of 8 MB it pays off at 10 to 20 GB. These are 16 GB.
MOST_PIECES_ON_DISK: Final = 500_000
#: Between machines, a piece takes a request, hence some milliseconds.
MOST_PIECES_BETWEEN_MACHINES: Final = 10_000
#: Approximate size of a super-partition, unless there are more than `_MOST_SUPER_PARTITIONS`.
_SUPER_PARTITION_BYTES: Final = 4_000_000_000
_MOST_SUPER_PARTITIONS: Final = 1_000


def super_partitions(
    ranges: Ranges, rows: Ints, row_bytes: float, run_bytes: int, most: int
) -> Ranges | None:
    """Join partitions to super-partitions of about equal size.

    Parameters
    ----------
    ranges : Ranges
        One for each partition.
    rows : (n_partitions,) int
        The number of rows of each partition.
    row_bytes : float
        The average size of a row.
    run_bytes : int
        The size of a run.
    most : int
        The number of pieces that may be sorted in one level.

    Returns
    -------
    Ranges or None
        The number of its super-partition for each partition; None if one level is enough.
    """
    needed = ranges.numbers >= 0
    n_partitions, own_rows = int(needed.sum()), np.where(needed, rows, 0)
    total = int(own_rows.sum())
    n_runs = -(-total * row_bytes // run_bytes)
    if n_partitions * n_runs <= most:
        return None
    # At least as many as there are partitions in each one, so that all workers have some to do.
    number = int(max(n_partitions**0.5, total * row_bytes / _SUPER_PARTITION_BYTES))
    number = min(number, _MOST_SUPER_PARTITIONS)
    rows_before = np.cumsum(own_rows) - own_rows
    of_partition = np.minimum(rows_before * number // total, number - 1)
    return Ranges(ranges.first_subjects, np.where(needed, of_partition, -1).astype(np.int32))


@dataclass(frozen=True)
class _SuperPartition:
    rows: Slices
    ranges: Ranges
    files: RowFiles
    folder: Path | None
    schema: pl.Schema


def sort_super_partitions(
    rows: SortedRows,
    ranges: Ranges,
    of_partition: Ranges,
    executor: Executor,
    folder: Path | None,
    schema: pl.Schema,
    progress: DetailedProgress = NO_PROGRESS,
) -> SortedRows:
    """Sort the rows of super-partitions into partitions, on workers.

    Parameters
    ----------
    rows : SortedRows
        Sorted into super-partitions. The files are removed.
    ranges : Ranges
        One for each partition.
    of_partition : Ranges
        From `super_partitions`.
    executor : Executor
        Runs the work.
    folder : Path or None
        Where workers create folders for temporary files; by default, where the system has such files.
    schema : polars.Schema
        The columns of the rows.
    progress : DetailedProgress
        Receives how many super-partitions are sorted.

    Raises
    ------
    PolyframeError
        If the worker of a super-partition dies every time, or rows cannot be read or written.
    """
    tasks = [
        _SuperPartition(
            rows.rows_of(number), _ranges_within(ranges, of_partition, number), rows.files, folder, schema
        )
        for number in np.unique(rows.ranges).tolist()
    ]
    progress.begin("sorting the rows within pieces", len(tasks), "pieces")
    done = run_all(executor, _sort_super_partition, tasks, "sorted rows", advance=progress.advance)
    # Only now: until then, the worker of any super-partition may die.
    rows.files.remove(rows.names)
    return join_sorted(done, rows.files)


def _ranges_within(ranges: Ranges, of_partition: Ranges, number: int) -> Ranges:
    """Return the ranges of the partitions of a super-partition."""
    own = np.flatnonzero(of_partition.numbers == number)
    first, last = int(own[0]), int(own[-1])
    return Ranges(ranges.first_subjects[first:last], ranges.numbers[first : last + 1])


def _sort_super_partition(task: _SuperPartition) -> SortedRows:
    with tempfile.TemporaryDirectory(prefix="polyframe-", dir=task.folder) as folder:
        sorter = Sorter(task.ranges, RowFiles(FolderObjects(Path(folder))), task.schema)
        for rows in read_pieces(task.rows, task.schema):
            sorter.add(rows)
        return copy_into_one_file(sorter.finish(), task.files, new_name())
