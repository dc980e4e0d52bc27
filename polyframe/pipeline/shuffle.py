"""Sort rows into ranges of subjects on disk, in bounded memory.

Rows arrive in batches. Some megabytes at a time are sorted by the number of their range and written as one
file, a *run*. Since a range needs no open file, there may be any number of ranges.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from polyframe.core.arrays import Flags, Ints, ShortInts
from polyframe.core.callbacks import Advance, no_advance
from polyframe.core.ragged import runs_of_equal
from polyframe.pipeline.sorted_rows import (
    RowFiles,
    SortedRows,
    arrow_table,
    join_sorted,
    pieces_of_file,
)

#: Rows in memory are written when they reach this size.
RUN_BYTES: Final = 64_000_000
#: Workers of a cluster sort more at a time, which takes about 0.6 GB more, so that pieces are larger.
LARGE_RUN_BYTES: Final = 256_000_000
#: The first runs need not be compressed: they fit into the system's file cache, and compressing takes half of
#: the time of the shuffle. With more runs, the space on disk matters.
UNCOMPRESSED_RUNS: Final = 16


@dataclass(frozen=True, eq=False)
class Ranges:
    """All subjects, cut into numbered ranges.

    Attributes
    ----------
    first_subjects : (n - 1,) int64
        The first subject of each range but the first, increasing. Rows without a subject belong to the first
        range.
    numbers : (n,) int32
        The number of each range, not decreasing; neighbours with the same number are one range. -1, between
        them, if its rows are not written.
    """

    first_subjects: Ints
    numbers: ShortInts

    def numbers_of(self, rows: pl.DataFrame) -> ShortInts:
        """Return the number of the range of each row."""
        subjects = rows["subject_id"].fill_null(np.iinfo(np.int64).min).to_numpy()
        return self.numbers[np.searchsorted(self.first_subjects, subjects, side="right")]


def ranges_of(first_subjects: Sequence[int], needed: Flags) -> Ranges:
    """Return a range for each partition.

    Parameters
    ----------
    first_subjects : sequence of int
        The first subject of each partition but the first, increasing.
    needed : (n_partitions,) bool
        Partitions whose rows are written.
    """
    numbers = np.where(needed, np.arange(len(needed)), -1).astype(np.int32)
    return Ranges(np.array(first_subjects, np.int64), numbers)


def write_ranges(ranges: Ranges, files: RowFiles, name: str) -> None:
    """Write ranges to a file, from which workers read them; neighbours with the same number become one."""
    offsets = runs_of_equal(ranges.numbers)
    firsts = [None, *ranges.first_subjects[offsets[1:-1] - 1].tolist()]
    columns = {"first_subject": firsts, "number": ranges.numbers[offsets[:-1]]}
    content = pl.DataFrame(columns, {"first_subject": pl.Int64, "number": pl.Int32}).write_ipc(None)
    with files.writing(name) as file:
        file.write(content.getvalue())


def read_ranges(files: RowFiles, name: str) -> Ranges:
    """Read ranges that `write_ranges` wrote."""
    frame = pl.read_ipc(files.read(name))
    return Ranges(frame["first_subject"][1:].to_numpy(), frame["number"].to_numpy())


class Sorter:
    """Sorts batches of rows, and writes them as runs.

    Parameters
    ----------
    ranges : Ranges
        The ranges into which rows are sorted.
    files : RowFiles
        Where runs are written.
    schema : polars.Schema
        The columns of the rows, with `subject_id` (i64).
    run_bytes : int
        Size of a run in memory.
    uncompressed_runs : int
        Number of runs, from the first, that are not compressed.
    """

    def __init__(
        self,
        ranges: Ranges,
        files: RowFiles,
        schema: pl.Schema,
        run_bytes: int = RUN_BYTES,
        uncompressed_runs: int = 0,
    ) -> None:
        self._ranges, self._files, self._schema = ranges, files, schema
        self._run_bytes, self._uncompressed_runs = run_bytes, uncompressed_runs
        self._drops_rows = bool((ranges.numbers < 0).any())
        self._buffer: list[pl.DataFrame] = []
        self._buffer_bytes = 0
        self._runs: list[SortedRows] = []

    def add(self, rows: pl.DataFrame) -> None:
        """Sort some rows.

        Raises
        ------
        PolyframeError
            If a run cannot be written.
        """
        if self._drops_rows:
            rows = rows.filter(self._ranges.numbers_of(rows) >= 0)
        if rows.height:
            self._buffer.append(rows)
            self._buffer_bytes += int(rows.estimated_size())
        if self._buffer_bytes >= self._run_bytes:
            self._write()

    def finish(self) -> SortedRows:
        """Write what is left, and return where all rows are; errors are those of `add`."""
        if self._buffer:
            self._write()
        return join_sorted(self._runs, self._files)

    def _write(self) -> None:
        """Write a run. The buffer is emptied, so that there are at most two copies of the rows in memory."""
        import pyarrow as pa

        rows = pl.concat(self._buffer).select(self._schema.names())
        assert rows.schema == self._schema
        self._buffer.clear()
        self._buffer_bytes = 0
        numbers = self._ranges.numbers_of(rows)
        if np.any(numbers[1:] < numbers[:-1]):
            order = np.argsort(numbers, kind="stable")
            rows, numbers = rows[order], numbers[order]
        table = arrow_table(rows.rechunk())
        del rows
        (whole,) = table.combine_chunks().to_batches()
        offsets = runs_of_equal(numbers)
        compression = None if len(self._runs) < self._uncompressed_runs else "lz4"
        options = pa.ipc.IpcWriteOptions(compression=compression)
        name = f"{len(self._runs):05d}.arrow"
        with self._files.writing(name) as file:
            with pa.ipc.new_stream(file, whole.schema, options=options) as stream:
                # Arrow writes the columns with the first batch.
                ends = [whole.schema.serialize().size]
                for begin, end in itertools.pairwise(offsets.tolist()):
                    stream.write_batch(whole.slice(begin, end - begin))
                    ends.append(file.tell())
            size = file.tell()
        pieces = pieces_of_file(0, np.array(ends))
        self._runs.append(SortedRows(self._files, (name,), pieces, numbers[offsets[:-1]], size))


def shuffle(
    rows: pl.LazyFrame,
    ranges: Ranges,
    files: RowFiles,
    schema: pl.Schema,
    run_bytes: int = RUN_BYTES,
    uncompressed_runs: int = 0,
    advance: Advance = no_advance,
) -> SortedRows:
    """Write rows to disk, sorted by the number of their range.

    Parameters
    ----------
    rows : polars.LazyFrame
        Not read if no range has a number.
    ranges, files, schema, run_bytes, uncompressed_runs
        As for `Sorter`.
    advance : callable
        Receives how many rows are sorted.

    Raises
    ------
    PolyframeError
        If they cannot be written.
    """
    sorter = Sorter(ranges, files, schema, run_bytes, uncompressed_runs)
    if (ranges.numbers < 0).all():
        return sorter.finish()
    failures: list[Exception] = []

    def take(batch: pl.DataFrame) -> bool:
        try:
            sorter.add(batch)
            advance(batch.height)
        except Exception as error:
            # Raise it later: Polars would wrap an error of a callback.
            failures.append(error)
        return bool(failures)

    rows.sink_batches(take, maintain_order=True, engine="streaming")
    if failures:
        raise failures[0]
    return sorter.finish()
