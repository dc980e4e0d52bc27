"""Counting and sorting the rows of an export on workers that die, or that cannot do it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from losing_executor import Future, LosingExecutor
from run_processes import small_export

import polyframe as pf
from polyframe.core.settings import Settings
from polyframe.panoptes.classifications.census import take_census
from polyframe.panoptes.classifications.row_checks import rows_schema
from polyframe.panoptes.classifications.sources import OpenedSources, open_sources
from polyframe.panoptes.classifications.version_selection import select
from polyframe.pipeline import rows_on_workers
from polyframe.pipeline.rows_on_workers import RowsOnWorkers
from polyframe.pipeline.shuffle import Shuffled, read_slices
from polyframe.store.objects import FolderObjects


class LosingFirst(LosingExecutor):
    """Loses the worker of each task the first time, or every time."""

    def __init__(self, every_time: bool = False) -> None:
        super().__init__([])
        self.every_time = every_time

    def submit(self, function: Callable[[Any], Any], task: Any, name: str) -> Future:
        future = super().submit(function, task, name)
        if self.every_time or self.names.count(name) == 1:
            future.call = None
        return future


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, OpenedSources]:
    monkeypatch.setattr(rows_on_workers, "_SPLIT_BYTES", 2000)
    path = small_export(tmp_path / "export.csv", 12)
    return path, open_sources([path], tmp_path / "work")


def test_splits_whose_worker_dies_are_tried_again(opened: tuple[Path, OpenedSources]) -> None:
    path, sources = opened
    executor = LosingFirst()
    census = RowsOnWorkers(executor, "session", lambda _: None).census([path], sources)
    assert census is not None
    assert census.equals(take_census(sources.rows))
    assert executor.names.count("census-0") == executor.names.count("census-3") == 2


def test_splits_whose_worker_always_dies(opened: tuple[Path, OpenedSources]) -> None:
    path, sources = opened
    with pytest.raises(pf.PolyframeError, match="a worker died every time while it read the export"):
        RowsOnWorkers(LosingFirst(every_time=True), "session", lambda _: None).census([path], sources)


def test_exports_that_are_not_split(
    opened: tuple[Path, OpenedSources], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, sources = opened
    notes: list[str] = []
    on_workers = RowsOnWorkers(LosingExecutor([]), "session", notes.append)
    parquet = tmp_path / "export.parquet"
    pl.read_csv(path, infer_schema=False).write_parquet(parquet)
    assert on_workers.census([parquet], open_sources([parquet], tmp_path / "work")) is None
    monkeypatch.setattr(rows_on_workers, "_size", lambda _: -1)
    assert on_workers.census([path], sources) is None
    assert notes == [f"the workers do not see {path}, so its rows are sorted by this process"]
    monkeypatch.setattr(rows_on_workers, "_SPLIT_BYTES", 10**9)
    assert on_workers.census([path], sources) is None
    assert len(notes) == 1
    # Then the rows are sorted here too.
    assert on_workers.shuffle(None, [], np.ones(1, bool), tmp_path, None) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("in_store", [False, True])
def test_a_worker_that_is_believed_dead_does_not_change_what_others_read(
    in_store: bool, opened: tuple[Path, OpenedSources], tmp_path: Path
) -> None:
    """It goes on while the next attempt is finished and used."""
    path, sources = opened
    executor = LosingExecutor([])
    on_workers = RowsOnWorkers(executor, "session", lambda _: None)
    census = on_workers.census([path], sources)
    assert census is not None
    chosen = select(census, Settings(), sources.names, None)
    store = FolderObjects(tmp_path / "store")
    sent_to = (store, "rows/7/") if in_store else None

    folder = tmp_path / ("store/rows/7" if in_store else "rows")

    def shuffled() -> tuple[Shuffled, list[bytes]]:
        done = on_workers.shuffle(chosen, [6], np.ones(2, bool), tmp_path / "rows", sent_to)
        assert done is not None
        return done, [(folder / name).read_bytes() for name in done.names]

    first, content = shuffled()
    second, _ = shuffled()
    assert not set(first.names) & set(second.names)
    assert [(folder / name).read_bytes() for name in first.names] == content
    rows = [read_slices(first.rows_of(partition), rows_schema()) for partition in (0, 1)]
    assert pl.concat(rows).height == chosen.rows_read - chosen.rows_filtered
