"""Rows sorted into partitions on disk, in memory that does not grow with them or with the partitions.

Rows come in batches; some megabytes of them at a time are sorted by partition and written as one file, a
*run*, with one Arrow record batch for each partition that has rows in it. A partition is then read by taking
its batch out of every run. No file is open for a partition, so there may be any number of them.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from polyframe.core.arrays import Flags, Ints
from polyframe.core.atomic_files import cannot_write
from polyframe.core.errors import PolyframeError
from polyframe.core.ragged import runs_of_equal

#: How much of the rows is held in memory before it is written.
_RUN_BYTES: Final = 64_000_000


@dataclass(frozen=True)
class Slices:
    """Where the rows of one partition are.

    Attributes
    ----------
    batches : tuple of (Path, int)
        A file and the number of a batch in it, in the order in which the rows came.
    """

    batches: tuple[tuple[Path, int], ...]


@dataclass(frozen=True)
class Shuffled:
    """Rows on disk.

    Attributes
    ----------
    partitions : tuple of Slices or None
        By the number of the partition; None where it was not wanted.
    bytes : int
        What is on disk.
    """

    partitions: tuple[Slices | None, ...]
    bytes: int


def shuffle(rows: pl.LazyFrame, first_subjects: Sequence[int], wanted: Flags, folder: Path) -> Shuffled:
    """Write rows to disk, told apart by ranges of subjects.

    Parameters
    ----------
    rows : polars.LazyFrame
        With a column `subject_id` (i64).
    first_subjects : sequence of int
        The first subject of each partition but the first, increasing. Rows without a subject go into the
        first partition.
    wanted : (n_partitions,) bool
        Partitions whose rows are written; the others are passed over.
    folder : Path
        Where the files go; made.

    Raises
    ------
    PolyframeError
        Where they cannot be written.
    """
    if not wanted.any():
        return Shuffled((None,) * len(wanted), 0)
    borders = np.asarray(first_subjects, np.int64)
    folder.mkdir(parents=True, exist_ok=True)
    batches: list[list[tuple[Path, int]]] = [[] for _ in wanted]
    held: list[pl.DataFrame] = []
    held_bytes = n_runs = total = 0
    failures: list[Exception] = []

    def write() -> None:
        nonlocal held_bytes, n_runs, total
        if not held:
            return
        path = folder / f"{n_runs:05d}.arrow"
        for position, partition in enumerate(_write_run(pl.concat(held), borders, path)):
            batches[partition].append((path, position))
        total += path.stat().st_size
        n_runs += 1
        held.clear()
        held_bytes = 0

    def take(batch: pl.DataFrame) -> bool:
        nonlocal held_bytes
        try:
            if not wanted.all():
                batch = batch.filter(wanted[_partition_of(batch, borders)])
            if batch.height:
                held.append(batch)
                held_bytes += int(batch.estimated_size())
            if held_bytes >= _RUN_BYTES:
                write()
        except Exception as error:
            # So that it arrives as it is, whatever Polars makes of errors in a callback.
            failures.append(error)
        return bool(failures)

    rows.sink_batches(take, maintain_order=True, engine="streaming")
    if failures:
        raise failures[0]
    write()
    slices = (Slices(tuple(found)) if needed else None for found, needed in zip(batches, wanted, strict=True))
    return Shuffled(tuple(slices), total)


def read_slices(slices: Slices, schema: pl.Schema) -> pl.DataFrame:
    """Read the rows of a partition.

    Parameters
    ----------
    slices : Slices
        Where they are.
    schema : polars.Schema
        Their columns, for a partition without rows.

    Raises
    ------
    PolyframeError
        Where a file is missing or damaged.
    """
    import pyarrow as pa

    found: list[Any] = []
    for path, position in slices.batches:
        try:
            with pa.memory_map(str(path)) as file:
                found.append(pa.ipc.open_file(file).get_batch(position))
        except (OSError, pa.ArrowException) as error:
            reason = str(error).splitlines()[0]
            raise PolyframeError(f"{path}: vanished or was damaged ({reason}); run again") from None
    if not found:
        return pl.DataFrame(schema=schema)
    frame = pl.from_arrow(pa.Table.from_batches(found))
    assert isinstance(frame, pl.DataFrame)
    return frame


def _partition_of(rows: pl.DataFrame, borders: Ints) -> Ints:
    subjects = rows["subject_id"].fill_null(np.iinfo(np.int64).min).to_numpy()
    return np.searchsorted(borders, subjects, side="right")


def _write_run(rows: pl.DataFrame, borders: Ints, path: Path) -> list[int]:
    """Write rows sorted by partition; return the partition of each batch."""
    import pyarrow as pa

    partition = _partition_of(rows, borders)
    if np.any(partition[1:] < partition[:-1]):
        order = np.argsort(partition, kind="stable")
        rows, partition = rows[order], partition[order]
    table = rows.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    (whole,) = table.combine_chunks().to_batches()
    offsets = runs_of_equal(partition).tolist()
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    try:
        with (
            pa.OSFile(str(path), "wb") as file,
            pa.ipc.new_file(file, whole.schema, options=options) as run,
        ):
            for begin, end in itertools.pairwise(offsets):
                run.write_batch(whole.slice(begin, end - begin))
    except OSError as error:
        raise PolyframeError(cannot_write(path, error)) from None
    return [int(partition[begin]) for begin in offsets[:-1]]
