"""Rows sorted into ranges on disk: each row once, in order, in its range."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sorted_cases import (
    SCHEMA,
    all_ranges,
    borders,
    expected,
    files_in,
    in_batches,
    read,
    rows_of,
    subjects,
)

import polyframe as pf
from polyframe.pipeline.shuffle import Ranges, ranges_of, read_ranges, shuffle, write_ranges


@pytest.mark.parametrize("run_bytes", [1, 300, 64_000_000])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ids=subjects, firsts=borders, data=st.data())
def test_every_row_is_in_its_range_once_and_in_order(
    run_bytes: int, ids: list[int | None], firsts: list[int], data: Any, tmp_path_factory: Any
) -> None:
    rows = rows_of(ids)
    needed = data.draw(st.lists(st.booleans(), min_size=len(firsts) + 1, max_size=len(firsts) + 1))
    folder = tmp_path_factory.mktemp("rows")
    lazy = in_batches(rows, data.draw(st.integers(1, 60)))
    done = shuffle(lazy, ranges_of(firsts, np.array(needed)), files_in(folder), SCHEMA, run_bytes)
    for number, is_needed in enumerate(needed):
        if is_needed:
            assert read(done, number).equals(expected(rows, firsts, number))
        else:
            assert done.rows_of(number).names == ()
    assert done.bytes == sum(path.stat().st_size for path in folder.iterdir())


def test_rows_are_written_in_several_runs(tmp_path: Path) -> None:
    lazy = in_batches(rows_of([5, None, 1, 9] * 3), 4)
    done = shuffle(lazy, all_ranges([4, 8]), files_in(tmp_path), SCHEMA, run_bytes=1)
    assert len(list(tmp_path.iterdir())) > 1
    assert read(done, 0)["row"].to_list() == [1, 2, 5, 6, 9, 10]
    assert read(done, 1)["row"].to_list() == [0, 4, 8]
    assert read(done, 2)["row"].to_list() == [3, 7, 11]


def test_neighbours_with_the_same_number_are_one_range(tmp_path: Path) -> None:
    rows = rows_of([1, 9, 5, 1, 13])
    ranges = Ranges(np.array([4, 8, 12]), np.array([0, 0, -1, 1], np.int32))
    done = shuffle(rows.lazy(), ranges, files_in(tmp_path), SCHEMA)
    assert read(done, 0)["row"].to_list() == [0, 2, 3]
    assert read(done, 1)["row"].to_list() == [4]
    assert len(done.pieces) == 2


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ids=subjects, firsts=borders, data=st.data())
def test_workers_read_the_same_ranges(
    ids: list[int | None], firsts: list[int], data: Any, tmp_path_factory: Any
) -> None:
    increasing = data.draw(st.lists(st.integers(0, 2), min_size=len(firsts) + 1, max_size=len(firsts) + 1))
    needed = data.draw(st.lists(st.booleans(), min_size=len(firsts) + 1, max_size=len(firsts) + 1))
    numbers = np.where(needed, sorted(increasing), -1).astype(np.int32)
    ranges = Ranges(np.array(firsts, np.int64), numbers)
    files = files_in(tmp_path_factory.mktemp("rows"))
    write_ranges(ranges, files, "1.arrow")
    done = read_ranges(files, "1.arrow")
    rows = rows_of(ids)
    assert done.numbers_of(rows).tolist() == ranges.numbers_of(rows).tolist()
    assert np.all(done.numbers[1:] != done.numbers[:-1])


def test_rows_sorted_by_subject_give_one_piece_per_range(tmp_path: Path) -> None:
    done = shuffle(rows_of([1, 1, 5, 5, 9]).lazy(), all_ranges([4, 8]), files_in(tmp_path), SCHEMA)
    (path,) = tmp_path.iterdir()
    slices = [done.rows_of(number) for number in range(3)]
    assert [one.names for one in slices] == [(path.name,)] * 3
    ends = [one.pieces["end"].item() for one in slices]
    assert [one.pieces["start"].item() for one in slices][1:] == ends[:-1]


def test_rows_are_not_read_if_no_range_needs_them(tmp_path: Path) -> None:
    def never(_: pl.DataFrame) -> pl.DataFrame:
        raise AssertionError("the rows were read")

    lazy = rows_of([1, 2]).lazy().map_batches(never, schema=SCHEMA)
    files = files_in(tmp_path / "rows")
    done = shuffle(lazy, ranges_of([2], np.zeros(2, bool)), files, SCHEMA)
    assert done.rows_of(0).names == done.rows_of(1).names == ()
    assert done.bytes == 0
    assert not (tmp_path / "rows").exists()
    with pytest.raises(AssertionError, match="the rows were read"):
        shuffle(lazy, all_ranges([2]), files, SCHEMA)


def test_only_later_runs_are_compressed(tmp_path: Path) -> None:
    rows = pl.DataFrame({"subject_id": [1, 2], "row": [0, 1], "text": ["a" * 10_000, "a" * 10_000]}, SCHEMA)
    files = files_in(tmp_path)
    done = shuffle(in_batches(rows, 1), all_ranges([2]), files, SCHEMA, run_bytes=1, uncompressed_runs=1)
    first, second = sorted(tmp_path.iterdir())
    assert first.stat().st_size > 10_000 > 5_000 > second.stat().st_size
    assert pl.concat([read(done, 0), read(done, 1)]).equals(rows)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("run_bytes", [1, 64_000_000])
def test_a_full_disk_names_the_file(run_bytes: int, tmp_path: Path) -> None:
    """Even if it becomes full within Polars' pass over the rows."""
    (tmp_path / "00000.arrow").symlink_to("/dev/full")
    with pytest.raises(pf.PolyframeError, match=r"00000\.arrow: cannot be written \(No space left"):
        shuffle(rows_of([1, 2]).lazy(), all_ranges([2]), files_in(tmp_path), SCHEMA, run_bytes)
