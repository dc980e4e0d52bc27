"""Count and sort the rows of a large export on the workers of a cluster."""

import tempfile
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path
from typing import Final

import polars as pl

from polyframe.core.arrays import Flags
from polyframe.core.callbacks import Say
from polyframe.core.choices import Visitors
from polyframe.core.errors import PolyframeError
from polyframe.panoptes.classifications.census import merge_censuses
from polyframe.panoptes.classifications.csv_splits import CsvSplit, cut_csv, pieces_of, survey_piece
from polyframe.panoptes.classifications.export_files import (
    ExportFile,
    describe_files,
    why_not_readable,
    why_not_shared,
)
from polyframe.panoptes.classifications.row_checks import used_rows
from polyframe.panoptes.classifications.scan_export import CountedRows
from polyframe.panoptes.classifications.sources import Source, source_names
from polyframe.panoptes.classifications.splits import (
    Split,
    SplitCensus,
    WholeFiles,
    bytes_of_rows,
    can_be_cut,
    in_groups,
    open_split,
    take_split_census,
)
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
    split: Split
    visitors: Visitors


@dataclass(frozen=True)
class _Sorting:
    split: Split
    selection: Selection
    visitors: Visitors
    first_subjects: Sequence[int]
    needed: Flags
    folder: Path | None
    sent_to: tuple[Objects, str] | None
    prefix: str


@dataclass(frozen=True)
class _FirstRows:
    split: Split
    selection: Selection
    visitors: Visitors
    most: int


class RowsOnWorkers:
    """Counts the rows of an export on workers, and sorts them there into partitions.

    The workers must be able to read its files under the same paths or addresses, with what is in their own
    environment.

    Parameters
    ----------
    executor : Executor
        Runs the work.
    visitors : {"session", "name"}
        The setting.
    say : callable
        Receives a note if the workers cannot read the export.
    """

    def __init__(self, executor: Executor, visitors: Visitors, say: Say) -> None:
        self._executor, self._visitors, self._say = executor, visitors, say
        self._splits: list[Split] = []

    def count(self, sources: Sequence[Source]) -> CountedRows | None:
        """Count the rows of an export; return None if the caller must do it.

        Parameters
        ----------
        sources : sequence of Path, Address or FrameSource
            The files of the export.
        """
        names = source_names(sources)
        files = describe_files(sources, names)
        if files is None or sum(map(bytes_of_rows, files)) <= _SPLIT_BYTES:
            return None
        problem = why_not_shared(files)
        if problem is None:
            (problem,) = self._run(why_not_readable, [files], "files")
        if problem is not None:
            self._say(f"the workers {problem}, so its rows are sorted by this process")
            return None
        found = self._take_censuses(self._cut(files))
        self._splits = [census.split for census in found]
        notes = dict(sorted(note for census in found for note in census.notes))
        census = merge_censuses(census.census for census in found)
        return CountedRows(census, tuple(notes.values()), names)

    def first_rows(self, selection: Selection, most: int) -> pl.LazyFrame:
        """Return some of the rows that are used, after `count` has counted them.

        Parameters
        ----------
        selection : Selection
            The rows that are used.
        most : int
            How many rows are wanted; all if there are fewer.
        """
        rows: list[pl.DataFrame] = []
        left = most
        for split in self._splits:
            rows += self._run(_read_first, [_FirstRows(split, selection, self._visitors, left)], "first")
            left -= rows[-1].height
            if not left:
                break
        return pl.concat(rows).lazy()

    def _cut(self, files: Sequence[ExportFile]) -> list[Split]:
        """Return splits with the rows of the files, in their order."""
        pieces = {
            file.source: pieces_of(file, _SPLIT_BYTES) for file in files if can_be_cut(file, _SPLIT_BYTES)
        }
        surveyed = iter(self._run(survey_piece, list(chain.from_iterable(pieces.values())), "survey"))
        cut: dict[int, list[CsvSplit] | None] = {
            source: cut_csv(files[source], own, [next(surveyed) for _ in own])
            for source, own in pieces.items()
        }
        splits: list[Split] = []
        for own_splits, group in groupby(files, lambda file: cut.get(file.source)):
            splits += in_groups(list(group), _SPLIT_BYTES) if own_splits is None else own_splits
        return splits

    def _take_censuses(self, splits: Sequence[Split]) -> list[SplitCensus]:
        """Count the rows of splits; files that turn out to be malformed are read as a whole."""
        found = self._run(_take_census, [_Census(split, self._visitors) for split in splits], "census")
        malformed = {
            split.file.source: split.file
            for split, census in zip(splits, found, strict=True)
            if census is None and isinstance(split, CsvSplit)
        }
        whole = [_Census(WholeFiles((file,)), self._visitors) for file in malformed.values()]
        repaired = self._run(_take_census, whole, "whole")
        return [
            census
            for census in (*found, *repaired)
            if census is not None
            and not (isinstance(census.split, CsvSplit) and census.split.file.source in malformed)
        ]

    def shuffle(
        self,
        selection: Selection,
        first_subjects: Sequence[int],
        needed: Flags,
        folder: Path,
        sent_to: tuple[Objects, str] | None,
    ) -> Shuffled:
        """Sort the rows into partitions, after `count` has counted them.

        Parameters
        ----------
        selection : Selection
            The rows that are used.
        first_subjects, needed, folder, sent_to
            As for `polyframe.pipeline.shuffle.shuffle`.
        """
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


def _take_census(task: _Census) -> SplitCensus | None:
    """Count the rows of a split; None if its file has to be read as a whole."""
    with _temporary_folder() as folder:
        return take_split_census(task.split, task.visitors, Path(folder))


def _read_first(task: _FirstRows) -> pl.DataFrame:
    """Read the first rows of a split that are used."""
    with _temporary_folder() as folder:
        rows = used_rows(open_split(task.split, Path(folder)), task.selection, task.visitors)
        return rows.head(task.most).collect(engine="streaming")


def _temporary_folder() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="polyframe-")


def _sort(task: _Sorting) -> Shuffled:
    """Sort the rows of a split.

    No other attempt writes to the same files: a worker that is believed dead may go on while others already
    read the rows of the next attempt, whose batches may have other places.
    """
    prefix = f"{task.prefix}{uuid.uuid4().int:039d}"
    with _temporary_folder() as temporary:
        rows = used_rows(open_split(task.split, Path(temporary)), task.selection, task.visitors)
        folder = task.folder or Path(temporary) / "rows"
        # Most splits are small enough for one run.
        return shuffle(
            rows, task.first_subjects, task.needed, folder, task.sent_to, prefix, run_bytes=MOST_RUN_BYTES
        )
