"""Rows sorted into partitions on disk: each row once, in order, in its partition."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import polyframe as pf
from polyframe.pipeline import shuffle as module
from polyframe.pipeline.executors.agreement import agreed_call, agreement_of_this_process
from polyframe.pipeline.shuffle import Shuffled, join_shuffled, read_slices, shuffle
from polyframe.store.objects import FolderObjects

SCHEMA = pl.Schema({"subject_id": pl.Int64, "row": pl.UInt32, "text": pl.String})

#: Subjects in the order of the rows; None is unreadable.
subjects = st.lists(st.none() | st.integers(-3, 12), max_size=60)
borders = st.lists(st.integers(-2, 11), max_size=5, unique=True).map(sorted)


def rows_of(ids: list[int | None]) -> pl.DataFrame:
    texts = [None if k % 7 == 3 else f"row {k} " * (k % 5) for k in range(len(ids))]
    return pl.DataFrame({"subject_id": ids, "row": range(len(ids)), "text": texts}, schema=SCHEMA)


def expected(rows: pl.DataFrame, firsts: list[int], number: int) -> pl.DataFrame:
    """Return the rows of one partition, by checking every row."""
    number_of = [0 if s is None else sum(first <= s for first in firsts) for s in rows["subject_id"]]
    return rows.filter(pl.Series(number_of, dtype=pl.Int64) == number)


def everything(firsts: list[int]) -> np.ndarray:
    return np.ones(len(firsts) + 1, bool)


def read(done: Shuffled, number: int) -> pl.DataFrame:
    return read_slices(done.rows_of(number), SCHEMA)


@pytest.mark.parametrize("run_bytes", [1, 300, 64_000_000])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ids=subjects, firsts=borders, data=st.data())
def test_every_row_is_in_its_partition_once_and_in_order(
    run_bytes: int, ids: list[int | None], firsts: list[int], data: Any, tmp_path_factory: Any
) -> None:
    rows = rows_of(ids)
    needed = data.draw(st.lists(st.booleans(), min_size=len(firsts) + 1, max_size=len(firsts) + 1))
    folder = tmp_path_factory.mktemp("rows")
    # In several batches, as from several files.
    step = data.draw(st.integers(1, 60))
    lazy = pl.concat([rows[k : k + step].lazy() for k in range(0, max(len(ids), 1), step)])
    done = shuffle(lazy, firsts, np.array(needed), folder, run_bytes=run_bytes)
    for number, is_needed in enumerate(needed):
        if is_needed:
            assert read(done, number).equals(expected(rows, firsts, number))
        else:
            assert done.rows_of(number).names == ()
    assert done.bytes == sum(path.stat().st_size for path in folder.iterdir())


def test_rows_are_written_in_several_runs(tmp_path: Path) -> None:
    rows = rows_of([5, None, 1, 9] * 3)
    lazy = pl.concat([rows[k : k + 4].lazy() for k in (0, 4, 8)])
    done = shuffle(lazy, [4, 8], everything([4, 8]), tmp_path, run_bytes=1)
    assert len(list(tmp_path.iterdir())) > 1
    assert read(done, 0)["row"].to_list() == [1, 2, 5, 6, 9, 10]
    assert read(done, 1)["row"].to_list() == [0, 4, 8]
    assert read(done, 2)["row"].to_list() == [3, 7, 11]


def test_rows_sorted_by_subject_give_one_batch_per_partition(tmp_path: Path) -> None:
    done = shuffle(rows_of([1, 1, 5, 5, 9]).lazy(), [4, 8], everything([4, 8]), tmp_path)
    (path,) = tmp_path.iterdir()
    slices = [done.rows_of(partition) for partition in range(3)]
    assert [(one.place, one.names, one.batches["position"].tolist()) for one in slices] == [
        (tmp_path, (path.name,), [position]) for position in range(3)
    ]


def test_rows_are_not_read_if_no_partition_needs_them(tmp_path: Path) -> None:
    def never(_: pl.DataFrame) -> pl.DataFrame:
        raise AssertionError("the rows were read")

    lazy = rows_of([1, 2]).lazy().map_batches(never, schema=SCHEMA)
    done = shuffle(lazy, [2], np.zeros(2, bool), tmp_path / "rows")
    assert done.rows_of(0).names == done.rows_of(1).names == ()
    assert done.bytes == 0
    assert not (tmp_path / "rows").exists()
    with pytest.raises(AssertionError, match="the rows were read"):
        shuffle(lazy, [2], np.ones(2, bool), tmp_path / "rows")


def test_runs_in_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers read the bytes of their batches, also those of compressed runs; no file stays in the folder."""
    monkeypatch.setattr(module, "_UNCOMPRESSED_RUNS", 1)
    rows = rows_of([5, 1, 9, 1, 5, 9] * 50)
    lazy = pl.concat([rows[:100].lazy(), rows[100:].lazy()])
    local = shuffle(lazy, [4, 8], everything([4, 8]), tmp_path / "local", run_bytes=1)
    store = FolderObjects(tmp_path / "store")
    sent = shuffle(lazy, [4, 8], everything([4, 8]), tmp_path / "rows", (store, "rows/7/"), run_bytes=1)
    assert len(store.entries("rows/7/")) == len(list((tmp_path / "local").iterdir())) > 1
    assert list((tmp_path / "rows").iterdir()) == []
    assert sent.bytes == local.bytes
    sent = pickle.loads(pickle.dumps(sent))
    for partition in range(3):
        assert read(sent, partition).equals(read(local, partition))
    store.remove(["rows/7/00001.arrow"])
    with pytest.raises(pf.PolyframeError, match=r"rows/7/00001\.arrow: missing or damaged \(.*\)\. Run the"):
        read(sent, 1)


@pytest.mark.parametrize("in_store", [False, True])
def test_parts_of_an_export_are_joined(in_store: bool, tmp_path: Path) -> None:
    """Also those without rows, and those with several runs."""
    rows = rows_of([5, 1, 9, None, 5, 9] * 20)
    sent_to = (FolderObjects(tmp_path / "store"), "rows/7/") if in_store else None
    done = [
        shuffle(
            part.lazy(), [4, 8, 20], everything([4, 8, 20]), tmp_path / "rows", sent_to, prefix, run_bytes=1
        )
        for prefix, part in (("a", rows[:0]), ("b", rows[:50]), ("c", rows[50:51]), ("d", rows[51:]))
    ]
    joined = join_shuffled(done, tmp_path / "rows", sent_to)
    for partition in range(4):
        assert read(joined, partition).equals(expected(rows, [4, 8, 20], partition))
    assert joined.bytes == sum(one.bytes for one in done)
    nothing = join_shuffled(done[:1], tmp_path / "rows", sent_to)
    assert read(nothing, 1).is_empty()


def test_runs_grow_with_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the number of batches would grow with the square of the rows."""
    monkeypatch.setattr(module, "_RUNS_OF_ONE_SIZE", 4)
    monkeypatch.setattr(module, "MOST_RUN_BYTES", 8000)
    rows = pl.DataFrame({"subject_id": 1, "row": range(1000), "text": "a" * 88}, SCHEMA)
    lazy = pl.concat([rows[k : k + 1].lazy() for k in range(1000)])
    done = shuffle(lazy, [], everything([]), tmp_path, run_bytes=1000)
    slices = done.rows_of(0)
    sizes = [
        read_slices(type(slices)(slices.place, (name,), slices.batches[k : k + 1]), SCHEMA).height
        for k, name in enumerate(slices.names)
    ]
    # Of about 100 bytes each: four of the first size, then a quarter more each time, up to the largest.
    assert sizes[:5] == [10, 10, 10, 10, 10]
    assert sizes[5:-1] == sorted(sizes[5:-1])
    assert max(sizes) == 80
    assert sum(sizes) == 1000


def test_a_partition_is_sent_in_few_bytes(tmp_path: Path) -> None:
    """Those of a batch, and the columns only once; nothing of other partitions."""
    firsts = list(range(1, 400))
    rows = rows_of([*range(400)] * 20)
    lazy = pl.concat([rows[k : k + 400].lazy() for k in range(0, 8000, 400)])
    store = FolderObjects(tmp_path / "store")
    done = shuffle(lazy, firsts, everything(firsts), tmp_path / "rows", (store, "rows/"), run_bytes=1)
    agreement = agreement_of_this_process(b"", None)
    assert len(done.batches) >= 8000
    assert done.batches.nbytes + done.partitions.nbytes == 28 * len(done.batches)
    for partition in (0, 399):
        slices = done.rows_of(partition)
        assert len(slices.names) >= 20
        sent = agreed_call(agreement, read_slices, slices).pickled
        assert len(sent) < 48 * len(slices.names) + 2500


def test_a_partition_without_rows(tmp_path: Path) -> None:
    done = shuffle(rows_of([1]).lazy(), [5], everything([5]), tmp_path)
    assert done.rows_of(1).names == ()
    assert read(done, 1).schema == SCHEMA
    assert read(done, 1).is_empty()


def test_only_later_runs_are_compressed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_UNCOMPRESSED_RUNS", 1)
    rows = pl.DataFrame({"subject_id": [1, 2], "row": [0, 1], "text": ["a" * 10_000, "a" * 10_000]}, SCHEMA)
    lazy = pl.concat([rows[:1].lazy(), rows[1:].lazy()])
    done = shuffle(lazy, [2], everything([2]), tmp_path, run_bytes=1)
    first, second = sorted(tmp_path.iterdir())
    assert first.stat().st_size > 10_000 > 5_000 > second.stat().st_size
    assert pl.concat([read(done, 0), read(done, 1)]).equals(rows)


def test_incompressible_rows(tmp_path: Path) -> None:
    """The rows do not need their file after they were read."""
    noise = np.random.default_rng(3).integers(1, 127, (400, 80)).astype(np.uint8)
    texts = [bytes(row).decode() for row in noise]
    rows = pl.DataFrame({"subject_id": [1] * 400, "row": range(400), "text": texts}, schema=SCHEMA)
    result = read(shuffle(rows.lazy(), [], everything([]), tmp_path), 0)
    for path in tmp_path.iterdir():
        path.unlink()
    assert result.equals(rows)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("run_bytes", [1, 64_000_000])
def test_a_full_disk_names_the_file(run_bytes: int, tmp_path: Path) -> None:
    """Even if it becomes full within Polars' pass over the rows."""
    (tmp_path / "00000.arrow").symlink_to("/dev/full")
    with pytest.raises(pf.PolyframeError, match=r"00000\.arrow: cannot be written \(No space left"):
        shuffle(rows_of([1, 2]).lazy(), [2], everything([2]), tmp_path, run_bytes=run_bytes)


@pytest.mark.parametrize("damage", ["missing", "truncated", "empty", "foreign"])
def test_a_damaged_file_is_named(damage: str, tmp_path: Path) -> None:
    done = shuffle(rows_of([1, 2]).lazy(), [2], everything([2]), tmp_path)
    (path,) = tmp_path.iterdir()
    if damage == "missing":
        path.unlink()
    else:
        whole = path.read_bytes()
        path.write_bytes({"truncated": whole[:-20], "empty": b"", "foreign": b"x" * 999}[damage])
    with pytest.raises(pf.PolyframeError, match=r"00000\.arrow: missing or damaged"):
        read(done, 1)
