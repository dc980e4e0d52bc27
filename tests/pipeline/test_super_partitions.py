"""Rows sorted in two levels: the same as in one, also if workers die."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from losing_executor import Future, LosingExecutor
from sorted_cases import SCHEMA, borders, expected, files_in, in_batches, read, rows_of, subjects

import polyframe as pf
from polyframe.pipeline import super_partitions as module
from polyframe.pipeline.shuffle import ranges_of, shuffle
from polyframe.pipeline.super_partitions import sort_super_partitions, super_partitions


class Losing(LosingExecutor):
    """Loses the worker of some tasks the first time, or every time, when their work is done."""

    def __init__(self, lost: list[str], every_time: bool = False) -> None:
        super().__init__([])
        self.lost_names, self.every_time = lost, every_time

    def submit(self, function: Any, task: Any, name: str) -> Future:
        future = super().submit(function, task, name)
        if name in self.lost_names and (self.every_time or self.names.count(name) == 1):
            function(task)
            future.call = None
        return future


@pytest.mark.parametrize("most", [1, 2, 1000])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ids=subjects, firsts=borders, data=st.data())
def test_every_row_is_in_its_partition_once_and_in_order(
    most: int, ids: list[int | None], firsts: list[int], data: Any, tmp_path_factory: Any
) -> None:
    needed = data.draw(st.lists(st.booleans(), min_size=len(firsts) + 1, max_size=len(firsts) + 1))
    rows, folder = rows_of(ids), tmp_path_factory.mktemp("rows")
    ranges = ranges_of(firsts, np.array(needed))
    counts = np.array([expected(rows, firsts, number).height for number in range(len(needed))])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_SUPER_PARTITION_BYTES", 100)
        patch.setattr(module, "_MOST_SUPER_PARTITIONS", most)
        supers = super_partitions(ranges, counts, row_bytes=40.0, run_bytes=300, most=0)
    if not counts[np.array(needed)].sum():
        assert supers is None
        return
    assert supers is not None
    lazy = in_batches(rows, data.draw(st.integers(1, 60)))
    first = shuffle(lazy, supers, files_in(folder), SCHEMA, data.draw(st.sampled_from([1, 300, 10_000])))
    done = sort_super_partitions(first, ranges, supers, Losing(["00001"]), folder, SCHEMA)
    for number, is_needed in enumerate(needed):
        partition = read(done, number)
        assert partition.equals(expected(rows, firsts, number) if is_needed else rows[:0])
    assert len(done.pieces) == np.count_nonzero(counts[np.array(needed)])
    # Nothing of the first level is left, nor temporary files.
    unused = {path.name for path in folder.iterdir()} - set(done.names)
    assert len(unused) == (len(done.names) > 1)


def test_super_partitions_are_of_about_equal_size() -> None:
    ranges = ranges_of(list(range(1, 10_000)), np.arange(10_000) % 10 > 0)
    rows = np.full(10_000, 100)
    supers = super_partitions(ranges, rows, 1e4, 64_000_000, most=1000)
    assert supers is not None
    assert np.all((supers.numbers < 0) == (np.arange(10_000) % 10 == 0))
    sizes = np.bincount(supers.numbers[supers.numbers >= 0])
    # 9,000 partitions of a megabyte: about as many as there are partitions in each one.
    assert len(sizes) == 94
    assert sizes.min() >= 94
    assert sizes.max() <= 97
    # With partitions of 100 MB, super-partitions of 4 GB.
    supers = super_partitions(ranges, rows, 1e6, 64_000_000, most=1000)
    assert supers is not None
    assert supers.numbers.max() + 1 == 225
    # Never very many: their number and that of the files limit the pieces.
    supers = super_partitions(ranges, rows, 1e9, 64_000_000, most=1000)
    assert supers is not None
    assert supers.numbers.max() + 1 == 1000


def test_one_level_for_few_pieces() -> None:
    ranges = ranges_of(list(range(1, 100)), np.ones(100, bool))
    rows = np.full(100, 10)
    # 1,000 rows of a kilobyte are 10 runs, each with a piece of all 100 partitions.
    assert super_partitions(ranges, rows, 1000.0, 100_000, most=1000) is None
    assert super_partitions(ranges, rows, 1000.0, 100_000, most=999) is not None
    nothing = ranges_of(list(range(1, 100)), np.zeros(100, bool))
    assert super_partitions(nothing, rows, 1000.0, 100_000, most=0) is None


def test_a_super_partition_whose_worker_always_dies(tmp_path: Path) -> None:
    rows = rows_of([1, 5, 9] * 10)
    ranges = ranges_of([4, 8], np.ones(3, bool))
    supers = super_partitions(ranges, np.full(3, 10), 4e9, 300, most=0)
    assert supers is not None
    first = shuffle(rows.lazy(), supers, files_in(tmp_path), SCHEMA)
    executor = Losing(["00001"], every_time=True)
    with pytest.raises(pf.PolyframeError, match="a worker died every time while it sorted rows, most likely"):
        sort_super_partitions(first, ranges, supers, executor, tmp_path, SCHEMA)
    assert executor.names.count("00000") == 1
    assert executor.names.count("00001") == 2
