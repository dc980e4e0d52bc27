"""Sort the rows of an export into partitions: here or on workers, in one level or in two."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from polyframe.core.callbacks import DetailedProgress
from polyframe.panoptes.classifications.row_checks import rows_schema
from polyframe.panoptes.classifications.scan_export import ExportScan
from polyframe.pipeline.executors.executor import Executor
from polyframe.pipeline.partitions import Partition
from polyframe.pipeline.rows_on_workers import RowsOnWorkers
from polyframe.pipeline.shuffle import LARGE_RUN_BYTES, RUN_BYTES, UNCOMPRESSED_RUNS, ranges_of, shuffle
from polyframe.pipeline.sorted_rows import RowFiles, SortedRows
from polyframe.pipeline.super_partitions import (
    MOST_PIECES_BETWEEN_MACHINES,
    MOST_PIECES_ON_DISK,
    sort_super_partitions,
    super_partitions,
)


def sort_export(
    export: ExportScan,
    partitions: Sequence[Partition],
    needed: Sequence[bool],
    files: RowFiles,
    executor: Executor,
    on_workers: RowsOnWorkers,
    disk: Path | None,
    progress: DetailedProgress,
) -> SortedRows:
    """Write the rows of partitions to files.

    Parameters
    ----------
    export : ExportScan
        The export.
    partitions : sequence of Partition
        All partitions.
    needed : sequence of bool
        Whether the rows of each one are needed.
    files : RowFiles
        A place that all workers see.
    executor : Executor
        Runs the second level.
    on_workers : RowsOnWorkers
        Has counted the rows if `export` does not have them.
    disk : Path or None
        A folder for temporary files of the workers, which run on this machine; None if they are elsewhere.
    progress : DetailedProgress
        Receives how many rows are sorted.

    Raises
    ------
    PolyframeError
        If the rows cannot be read or written.
    """
    firsts = [partition.first_subject for partition in partitions if partition.first_subject is not None]
    ranges = ranges_of(firsts, np.array(needed))
    row_bytes = int(export.subjects["bytes"].sum()) / max(int(export.subjects["rows"].sum()), 1)
    run_bytes, most = RUN_BYTES, MOST_PIECES_ON_DISK
    if disk is None:
        run_bytes, most = LARGE_RUN_BYTES, MOST_PIECES_BETWEEN_MACHINES
    rows = np.array([partition.rows for partition in partitions])
    supers = super_partitions(ranges, rows, row_bytes, run_bytes, most)
    # What goes to another machine is compressed, and so is what is written twice.
    is_local = isinstance(files.objects.place, Path)
    uncompressed = UNCOMPRESSED_RUNS if is_local and supers is None else 0
    first_level = supers or ranges
    if export.rows is None:
        done = on_workers.shuffle(export.selection, first_level, files, uncompressed)
    else:
        progress.begin("sorting the rows", int(rows.sum()))
        done = shuffle(
            export.rows, first_level, files, rows_schema(), RUN_BYTES, uncompressed, progress.advance
        )
    if supers is None:
        return done
    again = sort_super_partitions(done, ranges, supers, executor, disk, rows_schema(), progress)
    # At the end of the second level there are the files of both.
    return replace(again, bytes=done.bytes + again.bytes)
