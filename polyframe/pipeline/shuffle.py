"""Sort rows into partitions on disk, in bounded memory.

Rows arrive in batches. Some megabytes at a time are sorted by partition and written as one file, a *run*,
with an Arrow record batch for each partition that has rows in it. To read a partition, its batches are
collected from all runs. Since a partition needs no open file, there may be any number of partitions.
"""

import itertools
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from polyframe.core.arrays import Flags, Ints
from polyframe.core.atomic_files import cannot_write
from polyframe.core.errors import PolyframeError, first_line
from polyframe.core.ragged import runs_of_equal
from polyframe.store.objects import Objects

#: Rows in memory are written when they reach this size.
_RUN_BYTES: Final = 64_000_000
#: The first runs are not compressed: they fit into the system's file cache, and compressing takes half of the
#: time of the shuffle. With more runs, the space on disk matters.
_UNCOMPRESSED_RUNS: Final = 16
#: The first bytes of a file in the format of Arrow; the columns and the batches follow.
_MAGIC: Final = b"ARROW1\0\0"


@dataclass(frozen=True)
class SentRun:
    """A run in the store of the output, for workers that do not see the files of this machine.

    Attributes
    ----------
    objects : Objects
        The store.
    key : str
        In the store.
    schema : bytes
        The columns, in the format of Arrow.
    """

    objects: Objects
    key: str
    schema: bytes

    def __str__(self) -> str:
        return str(self.objects.place_of(self.key))


@dataclass(frozen=True)
class Batch:
    """The rows of one partition in one run.

    Attributes
    ----------
    run : Path or SentRun
        The file.
    position : int
        The number of the batch.
    start, end : int
        Its bytes in the file.
    """

    run: Path | SentRun
    position: int
    start: int
    end: int


@dataclass(frozen=True)
class Slices:
    """The rows of one partition.

    Attributes
    ----------
    batches : tuple of Batch
        In the order of the rows.
    """

    batches: tuple[Batch, ...]


@dataclass(frozen=True)
class Shuffled:
    """Rows on disk.

    Attributes
    ----------
    partitions : tuple of Slices or None
        By the number of the partition; None if it was not requested.
    bytes : int
        Size on disk.
    """

    partitions: tuple[Slices | None, ...]
    bytes: int


def shuffle(
    rows: pl.LazyFrame,
    first_subjects: Sequence[int],
    needed: Flags,
    folder: Path,
    sent_to: tuple[Objects, str] | None = None,
    prefix: str = "",
) -> Shuffled:
    """Write rows to disk, sorted by partition.

    Parameters
    ----------
    rows : polars.LazyFrame
        With a column `subject_id` (i64).
    first_subjects : sequence of int
        The first subject of each partition but the first, increasing. Rows without a subject go into the
        first partition.
    needed : (n_partitions,) bool
        Partitions whose rows are written.
    folder : Path
        Folder of the files; created if missing.
    sent_to : tuple of (Objects, str), optional
        A store, and the first part of the keys, such as `rows/0123/`: the files are moved there.
    prefix : str
        Digits with which the names of the files begin.

    Raises
    ------
    PolyframeError
        If they cannot be written.
    """
    if not needed.any():
        return Shuffled((None,) * len(needed), 0)
    borders = np.asarray(first_subjects, np.int64)
    folder.mkdir(parents=True, exist_ok=True)
    batches: list[list[Batch]] = [[] for _ in needed]
    buffer: list[pl.DataFrame] = []
    buffer_bytes = n_runs = total = 0
    failures: list[Exception] = []

    def write() -> None:
        nonlocal buffer_bytes, n_runs, total
        if not buffer:
            return
        path = folder / f"{prefix}{n_runs:05d}.arrow"
        compression = None if n_runs < _UNCOMPRESSED_RUNS else "lz4"
        partitions, ends, schema = _write_run(pl.concat(buffer), borders, path, compression)
        total += path.stat().st_size
        run = path if sent_to is None else _sent(path, schema, *sent_to)
        for position, (partition, (start, end)) in enumerate(
            zip(partitions, itertools.pairwise(ends), strict=True)
        ):
            batches[partition].append(Batch(run, position, start, end))
        n_runs += 1
        buffer.clear()
        buffer_bytes = 0

    def take(batch: pl.DataFrame) -> bool:
        nonlocal buffer_bytes
        try:
            if not needed.all():
                batch = batch.filter(needed[_partition_of(batch, borders)])
            if batch.height:
                buffer.append(batch)
                buffer_bytes += int(batch.estimated_size())
            if buffer_bytes >= _RUN_BYTES:
                write()
        except Exception as error:
            # Raise it later: Polars would wrap an error of a callback.
            failures.append(error)
        return bool(failures)

    rows.sink_batches(take, maintain_order=True, engine="streaming")
    if failures:
        raise failures[0]
    write()
    slices = tuple(
        Slices(tuple(own)) if is_needed else None for own, is_needed in zip(batches, needed, strict=True)
    )
    return Shuffled(slices, total)


def read_slices(slices: Slices, schema: pl.Schema) -> pl.DataFrame:
    """Read the rows of a partition.

    Parameters
    ----------
    slices : Slices
    schema : polars.Schema
        Their columns, for a partition without rows.

    Raises
    ------
    PolyframeError
        If a file is missing or damaged.
    """
    import pyarrow as pa

    batches: list[Any] = []
    for batch in slices.batches:
        try:
            batches.append(_read_batch(batch))
        except (OSError, pa.ArrowException) as error:
            raise PolyframeError(
                f"{batch.run}: missing or damaged ({first_line(error)}). Run the command again."
            ) from None
    if not batches:
        return pl.DataFrame(schema=schema)
    frame = pl.from_arrow(pa.Table.from_batches(batches))
    assert isinstance(frame, pl.DataFrame)
    return frame


def _read_batch(batch: Batch) -> Any:
    import pyarrow as pa

    if isinstance(batch.run, Path):
        # Not mapped into memory: the rows would keep the file open.
        with pa.OSFile(str(batch.run)) as file:
            return pa.ipc.open_file(file).get_batch(batch.position)
    message = batch.run.objects.read_range(batch.run.key, batch.start, batch.end)
    schema = pa.ipc.read_schema(pa.py_buffer(batch.run.schema))
    return pa.ipc.read_record_batch(pa.ipc.read_message(message), schema)


def _sent(path: Path, schema: bytes, objects: Objects, prefix: str) -> SentRun:
    """Move a run into a store."""
    key = f"{prefix}{path.name}"
    with path.open("rb") as file, objects.writing(key) as sent:
        shutil.copyfileobj(file, sent)
    path.unlink()
    return SentRun(objects, key, schema)


def _partition_of(rows: pl.DataFrame, borders: Ints) -> Ints:
    subjects = rows["subject_id"].fill_null(np.iinfo(np.int64).min).to_numpy()
    return np.searchsorted(borders, subjects, side="right")


def _write_run(
    rows: pl.DataFrame, borders: Ints, path: Path, compression: str | None
) -> tuple[list[int], list[int], bytes]:
    """Write rows sorted by partition.

    Returns the partition of each batch, where the first one starts and each one ends, and the columns.
    """
    import pyarrow as pa

    partition = _partition_of(rows, borders)
    if np.any(partition[1:] < partition[:-1]):
        order = np.argsort(partition, kind="stable")
        rows, partition = rows[order], partition[order]
    table = rows.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    (whole,) = table.combine_chunks().to_batches()
    offsets = runs_of_equal(partition).tolist()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    schema: bytes = whole.schema.serialize().to_pybytes()
    # Arrow writes the beginning of a file with the first batch.
    ends = [len(_MAGIC) + len(schema)]
    try:
        with (
            pa.OSFile(str(path), "wb") as file,
            pa.ipc.new_file(file, whole.schema, options=options) as run,
        ):
            for begin, end in itertools.pairwise(offsets):
                run.write_batch(whole.slice(begin, end - begin))
                ends.append(file.tell())
    except OSError as error:
        raise cannot_write(path, error) from None
    return [int(partition[begin]) for begin in offsets[:-1]], ends, schema
