"""Count and sort the rows of a large export on the workers of a cluster."""

import tempfile
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import polars as pl

from polyframe.core.arrays import Flags
from polyframe.core.callbacks import Say
from polyframe.core.choices import Visitors
from polyframe.core.errors import PolyframeError
from polyframe.panoptes.classifications.census import merge_censuses, take_census
from polyframe.panoptes.classifications.compression import file_kind
from polyframe.panoptes.classifications.csv_splits import CsvSplit, cut_csv, open_split
from polyframe.panoptes.classifications.row_checks import used_rows
from polyframe.panoptes.classifications.sources import OpenedSources, Source
from polyframe.panoptes.classifications.spooled_files import STANDARD_INPUT
from polyframe.panoptes.classifications.version_selection import Selection
from polyframe.pipeline.executors.executor import Executor, Result, Task, WorkerLost, run_tasks
from polyframe.pipeline.shuffle import (
    MOST_RUN_BYTES,
    Shuffled,
    join_shuffled,
    nothing_shuffled,
    shuffle,
)
from polyframe.store.objects import Objects

#: Smaller exports are counted and sorted by the process that runs the command.
_SPLIT_BYTES: Final = 256_000_000
#: Attempts for a split whose worker dies.
_TRIES: Final = 2


@dataclass(frozen=True)
class _Census:
    split: CsvSplit
    visitors: Visitors


@dataclass(frozen=True)
class _Sorting:
    split: CsvSplit
    selection: Selection
    visitors: Visitors
    first_subjects: Sequence[int]
    needed: Flags
    folder: Path | None
    sent_to: tuple[Objects, str] | None
    prefix: str


class RowsOnWorkers:
    """Counts the rows of an export on workers, and sorts them there into partitions.

    That is only possible for CSV files that are not compressed and that the workers see under the same path.

    Parameters
    ----------
    executor : Executor
        Runs the work.
    visitors : {"session", "name"}
        The setting.
    say : callable
        Receives a note if the workers do not see the export.
    """

    def __init__(self, executor: Executor, visitors: Visitors, say: Say) -> None:
        self._executor, self._visitors, self._say = executor, visitors, say
        self._splits: list[CsvSplit] = []

    def census(self, paths: Sequence[Source], opened: OpenedSources) -> pl.DataFrame | None:
        """Return the census of an export; None if the caller must take it.

        Parameters
        ----------
        paths : sequence of Path, Address or FrameSource
            The files of the export.
        opened : OpenedSources
            The same, opened by this process.
        """
        files = [path for path in paths if isinstance(path, Path) and path != STANDARD_INPUT]
        copied = len(files) < len(paths) or opened.notes or opened.temporary_bytes
        if copied or any(file_kind(file, str(file)) != "csv" for file in files):
            return None
        sizes = [file.stat().st_size for file in files]
        if sum(sizes) <= _SPLIT_BYTES:
            return None
        if self._run(_size, files, "size") != sizes:
            self._say(f"the workers do not see {opened.names[0]}, so its rows are sorted by this process")
            return None
        splits = [
            split
            for number, (file, name) in enumerate(zip(files, opened.names, strict=True))
            for split in cut_csv(file, name, number, _SPLIT_BYTES)
        ]
        censuses = self._run(_take_census, [_Census(split, self._visitors) for split in splits], "census")
        if not splits or any(census is None for census in censuses):
            return None
        self._splits = splits
        return merge_censuses(cast("list[pl.DataFrame]", censuses))

    def shuffle(
        self,
        selection: Selection,
        first_subjects: Sequence[int],
        needed: Flags,
        folder: Path,
        sent_to: tuple[Objects, str] | None,
    ) -> Shuffled | None:
        """Sort the rows into partitions; None if the caller must do it.

        Parameters
        ----------
        selection : Selection
            The rows that are used.
        first_subjects, needed, folder, sent_to
            As for `polyframe.pipeline.shuffle.shuffle`.
        """
        if not self._splits:
            return None
        if not needed.any():
            return nothing_shuffled(folder)
        own = folder if sent_to is None else None
        tasks = [
            _Sorting(split, selection, self._visitors, first_subjects, needed, own, sent_to, f"{number:05d}")
            for number, split in enumerate(self._splits)
        ]
        return join_shuffled(self._run(_sort, tasks, "rows"), folder, sent_to)

    def _run(self, function: Callable[[Task], Result], tasks: Sequence[Task], kind: str) -> list[Result]:
        """Return the results of all tasks in their order."""
        named = {f"{kind}-{number}": task for number, task in enumerate(tasks)}
        results: dict[str, Result] = {}
        for _ in range(_TRIES):
            left = [(name, task) for name, task in named.items() if name not in results]
            for name, _task, future in run_tasks(self._executor, function, left):
                try:
                    results[name] = future.result()
                except WorkerLost:
                    continue
            if len(results) == len(named):
                return [results[name] for name in named]
        raise PolyframeError(
            "a worker died every time while it read the export, most likely for lack of memory; give the "
            "workers more, or start fewer on each machine"
        )


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1


def _take_census(task: _Census) -> pl.DataFrame | None:
    """Count the rows of a split; None if Polars cannot read it."""
    with tempfile.TemporaryDirectory(prefix="polyframe-") as folder:
        try:
            return take_census(open_split(task.split, Path(folder)), task.visitors)
        except pl.exceptions.PolarsError:
            return None


def _sort(task: _Sorting) -> Shuffled:
    """Sort the rows of a split.

    No other attempt writes to the same files: a worker that is believed dead may go on while others already
    read the rows of the next attempt, whose batches may have other places.
    """
    prefix = f"{task.prefix}{uuid.uuid4().int:039d}"
    with tempfile.TemporaryDirectory(prefix="polyframe-") as temporary:
        rows = used_rows(open_split(task.split, Path(temporary)), task.selection, task.visitors)
        folder = task.folder or Path(temporary) / "rows"
        # A split is small enough for one run.
        return shuffle(
            rows, task.first_subjects, task.needed, folder, task.sent_to, prefix, run_bytes=MOST_RUN_BYTES
        )
