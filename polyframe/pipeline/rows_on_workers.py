"""Count and sort the rows of a large export on the workers of a cluster."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path
from typing import Final

import polars as pl

from polyframe.core.callbacks import NO_PROGRESS, DetailedProgress, Say
from polyframe.core.choices import Visitors
from polyframe.panoptes.classifications.census import merge_censuses
from polyframe.panoptes.classifications.csv_splits import cut_csv, pieces_of, survey_piece
from polyframe.panoptes.classifications.export_files import (
    ExportFile,
    describe_files,
    why_not_readable,
    why_not_shared,
)
from polyframe.panoptes.classifications.parquet_splits import RowGroup, cut_parquet, read_row_groups
from polyframe.panoptes.classifications.row_checks import rows_schema, used_rows
from polyframe.panoptes.classifications.scan_export import CountedRows
from polyframe.panoptes.classifications.sources import Source, source_names
from polyframe.panoptes.classifications.splits import (
    Part,
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
from polyframe.pipeline.executors.executor import Executor, Result, Task
from polyframe.pipeline.executors.run_all import run_all
from polyframe.pipeline.shuffle import LARGE_RUN_BYTES, Ranges, read_ranges, shuffle, write_ranges
from polyframe.pipeline.sorted_rows import RowFiles, SortedRows, copy_into_one_file, join_sorted, new_name
from polyframe.store.objects import FolderObjects

#: Smaller exports are counted and sorted by the process that runs the command.
_SPLIT_BYTES: Final = 256_000_000
#: Most files of sorted rows; if there are more splits, workers sort several into one file.
MOST_FILES: Final = 4_000


@dataclass(frozen=True)
class _Census:
    split: Split
    visitors: Visitors


@dataclass(frozen=True)
class _Sorting:
    splits: Sequence[Split]
    selection: Selection
    visitors: Visitors
    ranges: str
    files: RowFiles
    uncompressed_runs: int


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
    progress : DetailedProgress
        Receives how many pieces of the export are read and sorted.
    """

    def __init__(
        self,
        executor: Executor,
        visitors: Visitors,
        say: Say,
        progress: DetailedProgress = NO_PROGRESS,
    ) -> None:
        self._executor, self._visitors, self._say = executor, visitors, say
        self._progress = progress
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
        censuses = self._take_censuses(self._cut(files))
        self._splits = [census.split for census in censuses]
        notes = dict(sorted(note for census in censuses for note in census.notes))
        merged = merge_censuses(census.census for census in censuses)
        return CountedRows(merged, tuple(notes.values()), names)

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
        large = [file for file in files if can_be_cut(file, _SPLIT_BYTES)]
        cut = self._cut_csv([file for file in large if file.kind == "csv"])
        cut |= self._cut_parquet([file for file in large if file.kind == "parquet"])
        splits: list[Split] = []
        for parts, group in groupby(files, lambda file: cut.get(file.source)):
            splits += in_groups(list(group), _SPLIT_BYTES) if parts is None else parts
        return splits

    def _cut_csv(self, files: Sequence[ExportFile]) -> dict[int, Sequence[Part] | None]:
        """Return the splits of CSV files by the number of the file; None for one that is malformed."""
        pieces = {file.source: pieces_of(file, _SPLIT_BYTES) for file in files}
        self._progress.begin("reading the export", sum(map(len, pieces.values())), "pieces")
        surveyed = iter(self._run(survey_piece, list(chain.from_iterable(pieces.values())), "survey"))
        return {
            file.source: cut_csv(file, own, [next(surveyed) for _ in own])
            for file, own in zip(files, pieces.values(), strict=True)
        }

    def _cut_parquet(self, files: Sequence[ExportFile]) -> dict[int, Sequence[Part] | None]:
        """Return the splits of Parquet files by the number of the file."""
        groups = self._run(_read_row_groups, files, "groups")
        return {
            file.source: cut_parquet(file, own, _SPLIT_BYTES) for file, own in zip(files, groups, strict=True)
        }

    def _take_censuses(self, splits: Sequence[Split]) -> list[SplitCensus]:
        """Count the rows of splits; files that turn out to be malformed are read as a whole."""
        self._progress.begin("counting the rows", len(splits), "pieces")
        censuses = self._run(_take_census, [_Census(split, self._visitors) for split in splits], "census")
        malformed = {
            split.file.source: split.file
            for split, census in zip(splits, censuses, strict=True)
            if census is None and not isinstance(split, WholeFiles)
        }
        whole = [_Census(WholeFiles((file,)), self._visitors) for file in malformed.values()]
        repaired = self._run(_take_census, whole, "whole")
        return [
            census
            for census in (*censuses, *repaired)
            if census is not None
            and (isinstance(census.split, WholeFiles) or census.split.file.source not in malformed)
        ]

    def shuffle(
        self, selection: Selection, ranges: Ranges, files: RowFiles, uncompressed_runs: int
    ) -> SortedRows:
        """Sort the rows into ranges, after `count` has counted them.

        Parameters
        ----------
        selection : Selection
            The rows that are used.
        ranges, files, uncompressed_runs
            As for `polyframe.pipeline.shuffle.shuffle`.
        """
        if (ranges.numbers < 0).all():
            return join_sorted([], files)
        # Half a million ranges are megabytes, so tasks only name the file that contains them.
        stored = new_name()
        write_ranges(ranges, files, stored)
        at_once = -(-len(self._splits) // MOST_FILES)
        tasks = [
            _Sorting(
                self._splits[k : k + at_once], selection, self._visitors, stored, files, uncompressed_runs
            )
            for k in range(0, len(self._splits), at_once)
        ]
        self._progress.begin("sorting the rows", len(tasks), "pieces")
        done = self._run(_sort, tasks, "rows")
        files.remove([stored])
        return join_sorted(done, files)

    def _run(self, function: Callable[[Task], Result], tasks: Sequence[Task], kind: str) -> list[Result]:
        return run_all(self._executor, function, tasks, "read the export", f"{kind}-", self._progress.advance)


def _take_census(task: _Census) -> SplitCensus | None:
    """Count the rows of a split; None if its file has to be read as a whole."""
    with _temporary_folder() as folder:
        return take_split_census(task.split, task.visitors, Path(folder))


def _read_row_groups(file: ExportFile) -> list[RowGroup]:
    with _temporary_folder() as folder:
        return read_row_groups(file, Path(folder))


def _read_first(task: _FirstRows) -> pl.DataFrame:
    """Read the first rows of a split that are used."""
    with _temporary_folder() as folder:
        rows = used_rows(open_split(task.split, Path(folder)), task.selection, task.visitors)
        return rows.head(task.most).collect(engine="streaming")


def _temporary_folder() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="polyframe-")


def _sort(task: _Sorting) -> SortedRows:
    """Sort the rows of some splits."""
    ranges = read_ranges(task.files, task.ranges)
    with _temporary_folder() as folder:
        rows = []
        for number, split in enumerate(task.splits):
            own = Path(folder) / str(number)
            own.mkdir()
            rows.append(used_rows(open_split(split, own), task.selection, task.visitors))
        runs = RowFiles(FolderObjects(Path(folder) / "rows"))
        # Most splits are small enough for one run.
        done = shuffle(pl.concat(rows), ranges, runs, rows_schema(), LARGE_RUN_BYTES, task.uncompressed_runs)
        return copy_into_one_file(done, task.files, new_name())
