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
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from polyframe.core.arrays import Flags, Ints, ShortInts
from polyframe.core.atomic_files import cannot_write
from polyframe.core.errors import PolyframeError, first_line
from polyframe.core.ragged import runs_of_equal
from polyframe.store.objects import Objects

#: Rows in memory are written when they reach this size.
RUN_BYTES: Final = 64_000_000
#: There is a batch for each run and partition, so their number would grow with the square of the rows. After
#: this number of runs, each one is as large as all before it divided by this number,
_RUNS_OF_ONE_SIZE: Final = 160
#: up to this size.
MOST_RUN_BYTES: Final = 256_000_000
#: The first runs are not compressed: they fit into the system's file cache, and compressing takes half of the
#: time of the shuffle. With more runs, the space on disk matters.
_UNCOMPRESSED_RUNS: Final = 16
#: The first bytes of a file in the format of Arrow; the columns and the batches follow.
_MAGIC: Final = b"ARROW1\0\0"

#: Where batches are, see `Shuffled`.
Batches: TypeAlias = npt.NDArray[np.void]
_BATCH: Final = np.dtype([("run", np.int32), ("position", np.int32), ("start", np.int64), ("end", np.int64)])


@dataclass(frozen=True)
class SentRuns:
    """Runs in the store of the output, for workers that do not see the files of this machine.

    Attributes
    ----------
    objects : Objects
        The store.
    prefix : str
        The first part of their keys; their names follow.
    schema : bytes
        The columns, in the format of Arrow.
    """

    objects: Objects
    prefix: str
    schema: bytes


@dataclass(frozen=True, eq=False)
class Slices:
    """The rows of one partition.

    Attributes
    ----------
    place : Path or SentRuns
        Where the runs are.
    names : tuple of str
        The run of each batch.
    batches : (n_batches,) structured
        Where the batches are in their runs, see `Shuffled`, in the order of the rows.
    """

    place: Path | SentRuns
    names: tuple[str, ...]
    batches: Batches


@dataclass(frozen=True, eq=False)
class Shuffled:
    """Rows on disk.

    There may be millions of batches, one for each run and each partition, so they are kept in one array.

    Attributes
    ----------
    place : Path or SentRuns
        Where the runs are.
    names : tuple of str
        Of the runs.
    batches : (n_batches,) structured
        By partition, and within it in the order of the rows: the number of the `run`, the `position` among
        its batches, and the `start` and `end` of its bytes.
    partitions : (n_batches,) int
        The partition of each batch, increasing.
    bytes : int
        Size on disk.
    """

    place: Path | SentRuns
    names: tuple[str, ...]
    batches: Batches
    partitions: ShortInts
    bytes: int

    def rows_of(self, partition: int) -> Slices:
        """Return the rows of a partition, by its number."""
        begin, end = np.searchsorted(self.partitions, np.array([partition, partition + 1], np.int32))
        batches = self.batches[begin:end]
        return Slices(self.place, tuple(self.names[run] for run in batches["run"].tolist()), batches)


def nothing_shuffled(folder: Path) -> Shuffled:
    """Return the result without any rows."""
    return Shuffled(folder, (), np.empty(0, _BATCH), np.empty(0, np.int32), 0)


def join_shuffled(
    shuffled: Sequence[Shuffled], folder: Path, sent_to: tuple[Objects, str] | None
) -> Shuffled:
    """Join the results for parts of an export, in the order of its rows.

    Parameters
    ----------
    shuffled : sequence of Shuffled
        With the runs in the same place; at least one.
    folder, sent_to
        As for `shuffle`.
    """
    names = tuple(itertools.chain.from_iterable(one.names for one in shuffled))
    partitions = [one.partitions for one in shuffled]
    batches: list[Batches] = []
    n_runs = 0
    for one in shuffled:
        own = one.batches.copy()
        own["run"] += n_runs
        batches.append(own)
        n_runs += len(one.names)
    place: Path | SentRuns = folder
    if sent_to is not None:
        # All have the same columns; those without rows do not know them.
        schemas = [one.place.schema for one in shuffled if isinstance(one.place, SentRuns)]
        place = SentRuns(*sent_to, next(filter(None, schemas), b""))
    return Shuffled(place, names, *_by_partition(partitions, batches), sum(one.bytes for one in shuffled))


def shuffle(
    rows: pl.LazyFrame,
    first_subjects: Sequence[int],
    needed: Flags,
    folder: Path,
    sent_to: tuple[Objects, str] | None = None,
    prefix: str = "",
    run_bytes: int = RUN_BYTES,
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
    run_bytes : int
        Size of the first runs.

    Raises
    ------
    PolyframeError
        If they cannot be written.
    """
    if not needed.any():
        return nothing_shuffled(folder)
    borders = np.asarray(first_subjects, np.int64)
    folder.mkdir(parents=True, exist_ok=True)
    names: list[str] = []
    partitions: list[ShortInts] = []
    batches: list[Batches] = []
    schema = b""
    buffer: list[pl.DataFrame] = []
    buffer_bytes = written_bytes = total = 0
    failures: list[Exception] = []

    def write() -> None:
        nonlocal buffer_bytes, written_bytes, total, schema
        if not buffer:
            return
        path = folder / f"{prefix}{len(names):05d}.arrow"
        compression = None if len(names) < _UNCOMPRESSED_RUNS else "lz4"
        own_partitions, ends, schema = _write_run(buffer, borders, path, compression)
        total += path.stat().st_size
        if sent_to is not None:
            _send(path, *sent_to)
        own = np.empty(len(own_partitions), _BATCH)
        own["run"], own["position"] = len(names), np.arange(len(own))
        own["start"], own["end"] = ends[:-1], ends[1:]
        names.append(path.name)
        partitions.append(own_partitions)
        batches.append(own)
        written_bytes += buffer_bytes
        buffer_bytes = 0

    def take(batch: pl.DataFrame) -> bool:
        nonlocal buffer_bytes
        try:
            if not needed.all():
                batch = batch.filter(needed[_partition_of(batch, borders)])
            if batch.height:
                buffer.append(batch)
                buffer_bytes += int(batch.estimated_size())
            if buffer_bytes >= max(run_bytes, min(written_bytes // _RUNS_OF_ONE_SIZE, MOST_RUN_BYTES)):
                write()
        except Exception as error:
            # Raise it later: Polars would wrap an error of a callback.
            failures.append(error)
        return bool(failures)

    rows.sink_batches(take, maintain_order=True, engine="streaming")
    if failures:
        raise failures[0]
    write()
    if not names:
        return nothing_shuffled(folder)
    place = folder if sent_to is None else SentRuns(*sent_to, schema)
    return Shuffled(place, tuple(names), *_by_partition(partitions, batches), total)


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
    for name, (_, position, start, end) in zip(slices.names, slices.batches.tolist(), strict=True):
        try:
            if isinstance(slices.place, Path):
                batches.append(_read_batch(slices.place / name, position))
            else:
                batches.append(_read_sent_batch(slices.place, name, start, end))
        except (OSError, pa.ArrowException) as error:
            raise PolyframeError(
                f"{_place_of(slices.place, name)}: missing or damaged ({first_line(error)}). Run the command "
                "again."
            ) from None
    if not batches:
        return pl.DataFrame(schema=schema)
    frame = pl.from_arrow(pa.Table.from_batches(batches))
    assert isinstance(frame, pl.DataFrame)
    return frame


def _read_batch(path: Path, position: int) -> Any:
    import pyarrow as pa

    # Not mapped into memory: the rows would keep the file open.
    with pa.OSFile(str(path)) as file:
        return pa.ipc.open_file(file).get_batch(position)


def _read_sent_batch(runs: SentRuns, name: str, start: int, end: int) -> Any:
    import pyarrow as pa

    message = runs.objects.read_range(f"{runs.prefix}{name}", start, end)
    schema = pa.ipc.read_schema(pa.py_buffer(runs.schema))
    return pa.ipc.read_record_batch(pa.ipc.read_message(message), schema)


def _place_of(runs: Path | SentRuns, name: str) -> str:
    return str(runs / name if isinstance(runs, Path) else runs.objects.place_of(f"{runs.prefix}{name}"))


def _send(path: Path, objects: Objects, prefix: str) -> None:
    """Move a run into a store."""
    with path.open("rb") as file, objects.writing(f"{prefix}{path.name}") as sent:
        shutil.copyfileobj(file, sent)
    path.unlink()


def _by_partition(partitions: list[ShortInts], batches: list[Batches]) -> tuple[Batches, ShortInts]:
    """Sort batches by their partitions, and return both. The lists are emptied to free memory."""
    all_partitions, all_batches = np.concatenate(partitions), np.concatenate(batches)
    partitions.clear()
    batches.clear()
    order = np.argsort(all_partitions, kind="stable")
    return all_batches[order], all_partitions[order]


def _partition_of(rows: pl.DataFrame, borders: Ints) -> Ints:
    subjects = rows["subject_id"].fill_null(np.iinfo(np.int64).min).to_numpy()
    return np.searchsorted(borders, subjects, side="right")


def _write_run(
    buffer: list[pl.DataFrame], borders: Ints, path: Path, compression: str | None
) -> tuple[ShortInts, Ints, bytes]:
    """Write rows sorted by partition.

    The buffer is emptied, so that there are at most two copies of the rows in memory.

    Returns the partition of each batch, where the first one starts and each one ends, and the columns.
    """
    import pyarrow as pa

    rows = pl.concat(buffer)
    buffer.clear()
    partition = _partition_of(rows, borders)
    if np.any(partition[1:] < partition[:-1]):
        order = np.argsort(partition, kind="stable")
        rows, partition = rows[order], partition[order]
    table = rows.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    del rows
    (whole,) = table.combine_chunks().to_batches()
    offsets = runs_of_equal(partition)
    options = pa.ipc.IpcWriteOptions(compression=compression)
    schema: bytes = whole.schema.serialize().to_pybytes()
    # Arrow writes the beginning of a file with the first batch.
    ends = [len(_MAGIC) + len(schema)]
    try:
        with (
            pa.OSFile(str(path), "wb") as file,
            pa.ipc.new_file(file, whole.schema, options=options) as run,
        ):
            for begin, end in itertools.pairwise(offsets.tolist()):
                run.write_batch(whole.slice(begin, end - begin))
                ends.append(file.tell())
    except OSError as error:
        raise cannot_write(path, error) from None
    return partition[offsets[:-1]].astype(np.int32), np.array(ends), schema
