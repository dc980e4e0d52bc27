"""Files of sorted rows: where the rows of a range are, in a folder or in a bucket."""

import pickle
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from s3_server import Bucket
from sorted_cases import SCHEMA, all_ranges, expected, files_in, in_batches, read, rows_of

import polyframe as pf
from polyframe.core.addresses import Address
from polyframe.core.local_paths import place_of
from polyframe.pipeline import sorted_rows
from polyframe.pipeline.executors.agreement import agreed_call, agreement_of_this_process
from polyframe.pipeline.shuffle import shuffle
from polyframe.pipeline.sorted_rows import (
    RowFiles,
    copy_into_one_file,
    join_sorted,
    read_pieces,
    read_slices,
)
from polyframe.store.objects import BucketObjects


def test_parts_of_an_export_are_joined(tmp_path: Path) -> None:
    """Also those without rows, and those with several runs."""
    rows, firsts = rows_of([5, 1, 9, None, 5, 9] * 20), [4, 8, 20]
    files = files_in(tmp_path / "rows")
    done = [
        copy_into_one_file(
            shuffle(in_batches(part, 9), all_ranges(firsts), files_in(tmp_path / str(k)), SCHEMA, 1),
            files,
            f"{k}.arrow",
        )
        for k, part in enumerate((rows[:0], rows[:50], rows[50:51], rows[51:]))
    ]
    joined = join_sorted(done, files)
    for number in range(4):
        assert read(joined, number).equals(expected(rows, firsts, number))
    sizes = [path.stat().st_size for path in (tmp_path / "rows").iterdir()]
    assert len(sizes) == 3
    assert joined.bytes == sum(one.bytes for one in done) == sum(sizes)
    assert read(join_sorted(done[:1], files), 1).is_empty()


def test_each_range_is_one_piece_of_a_copy(tmp_path: Path) -> None:
    rows = rows_of([5, 1, 9, 1, 5, 9] * 50)
    runs = shuffle(in_batches(rows, 7), all_ranges([4, 8]), files_in(tmp_path / "runs"), SCHEMA, 1)
    assert len(runs.pieces) > 100
    copy = copy_into_one_file(runs, files_in(tmp_path / "copy"), "1.arrow")
    assert copy.ranges.tolist() == [0, 1, 2]
    for number in range(3):
        assert read(copy, number).equals(read(runs, number))


def test_pieces_are_read_one_after_another(tmp_path: Path) -> None:
    rows = rows_of([5, 1] * 50)
    runs = shuffle(in_batches(rows, 20), all_ranges([4]), files_in(tmp_path), SCHEMA, 1)
    pieces = list(read_pieces(runs.rows_of(1), SCHEMA))
    assert len(pieces) > 1
    assert pl.concat(pieces).equals(read(runs, 1))


def test_files_in_a_bucket(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several pieces are read at a time, but not many bytes, and they stay in order."""
    monkeypatch.setattr(sorted_rows, "_BYTES_AT_ONCE", 3000)
    rows = rows_of([5, 1, 9, 1, 5, 9] * 50)
    local = shuffle(in_batches(rows, 20), all_ranges([4, 8]), files_in(tmp_path), SCHEMA, 1)
    address = place_of(f"{bucket.url}/project", "output", bucket.options)
    assert isinstance(address, Address)
    files = RowFiles(BucketObjects(address), "rows/7/")
    sent = shuffle(in_batches(rows, 20), all_ranges([4, 8]), files, SCHEMA, 1)
    assert len(files.objects.entries("rows/7/")) == len(list(tmp_path.iterdir())) > 1
    assert sent.bytes == local.bytes
    sent = pickle.loads(pickle.dumps(sent))
    for number in range(3):
        assert read(sent, number).equals(read(local, number))
    files.remove(["00001.arrow"])
    with pytest.raises(pf.PolyframeError, match=r"rows/7/00001\.arrow: missing or damaged \(.*\)\. Run"):
        read(sent, 1)


def test_a_range_is_sent_in_few_bytes(tmp_path: Path) -> None:
    """Those of its pieces; nothing of other ranges."""
    firsts = list(range(1, 400))
    lazy = in_batches(rows_of([*range(400)] * 20), 400)
    done = shuffle(lazy, all_ranges(firsts), files_in(tmp_path), SCHEMA, run_bytes=1)
    agreement = agreement_of_this_process(b"", None)
    assert len(done.pieces) >= 8000
    assert done.pieces.nbytes + done.ranges.nbytes == 24 * len(done.pieces)
    for number in (0, 399):
        slices = done.rows_of(number)
        assert len(slices.names) >= 20
        sent = agreed_call(agreement, read_slices, slices).pickled
        assert len(sent) < 48 * len(slices.names) + 1500


def test_a_range_without_rows(tmp_path: Path) -> None:
    done = shuffle(rows_of([1]).lazy(), all_ranges([5]), files_in(tmp_path), SCHEMA)
    assert done.rows_of(1).names == ()
    assert read(done, 1).schema == SCHEMA
    assert read(done, 1).is_empty()


def test_incompressible_rows(tmp_path: Path) -> None:
    """The rows do not need their file after they were read."""
    noise = np.random.default_rng(3).integers(1, 127, (400, 80)).astype(np.uint8)
    texts = [bytes(row).decode() for row in noise]
    rows = pl.DataFrame({"subject_id": [1] * 400, "row": range(400), "text": texts}, schema=SCHEMA)
    result = read(shuffle(rows.lazy(), all_ranges([]), files_in(tmp_path), SCHEMA), 0)
    for path in tmp_path.iterdir():
        path.unlink()
    assert result.equals(rows)


@pytest.mark.parametrize("damage", ["missing", "truncated", "empty", "foreign"])
def test_a_damaged_file_is_named(damage: str, tmp_path: Path) -> None:
    done = shuffle(rows_of([1, 2]).lazy(), all_ranges([2]), files_in(tmp_path), SCHEMA)
    (path,) = tmp_path.iterdir()
    if damage == "missing":
        path.unlink()
    else:
        whole = path.read_bytes()
        path.write_bytes({"truncated": whole[:-20], "empty": b"", "foreign": b"x" * 9999}[damage])
    with pytest.raises(pf.PolyframeError, match=r"00000\.arrow: missing or damaged"):
        read(done, 1)
