"""Splits of a CSV file: one after another they have the rows of the file, with their numbers."""

import random
from pathlib import Path

import polars as pl
import pytest
from exports import export_row, export_text
from polars.testing import assert_frame_equal

import polyframe as pf
from polyframe.panoptes.classifications.census import merge_censuses, take_census
from polyframe.panoptes.classifications.csv_splits import cut_csv, open_split
from polyframe.panoptes.classifications.sources import open_sources

#: Line ends, quotes and commas within cells, and bytes of several lengths.
CELLS = ("plain", "two\nlines", "\n\n\n", 'a "quoted" word', '"', ",", "", "\r\n", "ä€😀", "x" * 300)


@pytest.mark.parametrize("ending", ["", "\n", "\n\n\n", "\n \n"])
@pytest.mark.parametrize("split_bytes", [1, 200, 1000, 10_000, 10**9])
def test_splits_have_the_rows_of_the_file(split_bytes: int, ending: str, tmp_path: Path) -> None:
    chance = random.Random(split_bytes)
    rows = [
        export_row(k, chance.choice(CELLS), user_name=chance.choice(CELLS), subject_ids=chance.randint(1, 9))
        for k in range(40)
    ]
    path = tmp_path / "export.csv"
    lines = export_text(rows).removesuffix("\n") + ending
    path.write_bytes(lines.encode())
    whole = open_sources([path], tmp_path / "work").rows
    splits = cut_csv(path, "export.csv", 0, split_bytes)
    assert len(splits) > 1 or split_bytes > 5000
    frames = [open_split(split, tmp_path) for split in splits]
    assert_frame_equal(pl.concat([frame.collect() for frame in frames]), whole.collect())
    assert_frame_equal(merge_censuses([take_census(frame) for frame in frames]), take_census(whole))


def test_a_file_without_rows_has_no_splits(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text(export_text([]))
    assert cut_csv(path, "export.csv", 0, 100) == []


def test_a_worker_that_does_not_see_the_file(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text(export_text([export_row(1, "[]"), export_row(2, "[]")]))
    (split,) = cut_csv(path, "export.csv", 0, 10_000)
    path.write_text(export_text([export_row(1, "[]")]))
    with pytest.raises(
        pf.PolyframeError, match=r"^export\.csv: changed during the run; run the command again"
    ):
        open_split(split, tmp_path)
    path.unlink()
    with pytest.raises(pf.PolyframeError, match=r"^export\.csv: cannot be read by a worker \(No such file"):
        open_split(split, tmp_path)
