"""Splits of a CSV file: one after another they have the rows of the file, with their numbers."""

import random
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from exports import export_row, export_text
from polars.testing import assert_frame_equal

import polyframe as pf
from polyframe.panoptes.classifications.census import merge_censuses, take_census
from polyframe.panoptes.classifications.csv_splits import (
    CsvSplit,
    cut_csv,
    open_csv_split,
    pieces_of,
    survey_piece,
)
from polyframe.panoptes.classifications.export_files import ExportFile
from polyframe.panoptes.classifications.parquet_splits import ParquetSplit
from polyframe.panoptes.classifications.sources import open_sources
from polyframe.panoptes.classifications.splits import WholeFiles, open_split, take_split_census

#: Line ends, quotes and commas within cells, and bytes of several lengths.
CELLS = ("plain", "two\nlines", "\n\n\n", 'a "quoted" word', '"', ",", "", "\r\n", "ä€😀", "x" * 300)


def cut(path: Path, piece_bytes: int) -> list[CsvSplit] | None:
    file = ExportFile(path, "export.csv", 0, path.stat().st_size, "csv")
    pieces = pieces_of(file, piece_bytes)
    return cut_csv(file, pieces, [survey_piece(piece) for piece in pieces])


@pytest.mark.parametrize("ending", ["", "\n", "\n\n\n", "\n \n", "\n\r\n"])
@pytest.mark.parametrize("piece_bytes", [600, 700, 1000, 10_000, 10**9])
def test_splits_have_the_rows_of_the_file(piece_bytes: int, ending: str, tmp_path: Path) -> None:
    chance = random.Random(piece_bytes)
    rows = [
        export_row(k, chance.choice(CELLS), user_name=chance.choice(CELLS), subject_ids=chance.randint(1, 9))
        for k in range(40)
    ]
    path = tmp_path / "export.csv"
    lines = export_text(rows).removesuffix("\n") + ending
    path.write_bytes(lines.encode())
    opened = open_sources([path], tmp_path / "work")
    assert opened.notes == ()
    splits = cut(path, piece_bytes)
    assert splits is not None
    assert len(splits) > 3 or piece_bytes > 5000
    frames = [open_csv_split(split, tmp_path) for split in splits]
    assert_frame_equal(pl.concat([frame.collect() for frame in frames]), opened.rows.collect())
    censuses = [take_split_census(split, "session", tmp_path) for split in splits]
    merged = merge_censuses(census.census for census in censuses if census is not None)
    assert_frame_equal(merged, take_census(opened.rows))


def rows_with(cell: str) -> str:
    """Return an export of 40 rows, with this text in place of a cell in the middle, and its quotes."""
    text = export_text([export_row(k, "[]", user_name="NAME" if k == 20 else "ada") for k in range(40)])
    assert text.count("NAME") == 1
    return text.replace("NAME", cell)


@pytest.mark.parametrize(
    "text",
    [
        rows_with('"'),
        rows_with('a "stray quote'),
        rows_with('"not closed, and\nmuch text'),
        export_text([export_row(k, "[]") for k in range(40)]) + '"the end is missing',
        export_text([export_row(k, "[]") for k in range(40)]).replace("\n", "\r"),
        "\r".join(export_text([export_row(k, "[]") for k in range(40)]).split("\n", 1)),
    ],
    ids=["quote", "within a cell", "over lines", "truncated", "returns", "return after the header"],
)
def test_malformed_files_are_not_cut(text: str, tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(text.encode())
    splits = cut(path, 1000)
    censuses = [take_split_census(split, "session", tmp_path) for split in splits or []]
    assert splits is None or None in censuses


def test_a_pair_of_stray_quotes_in_different_splits(tmp_path: Path) -> None:
    """Together they look like one long cell."""
    text = export_text([export_row(k, "[]", user_name=f"<{k}>") for k in range(40)])
    path = tmp_path / "export.csv"
    path.write_text(text.replace("<5>", 'a"b').replace("<35>", 'a"b'))
    splits = cut(path, 2000)
    assert splits is not None
    assert None in [take_split_census(split, "session", tmp_path) for split in splits]


def test_a_file_that_is_not_cut_at_each_piece(tmp_path: Path) -> None:
    """A piece within a row, or within the header, has no row end."""
    path = tmp_path / "export.csv"
    text = export_text([export_row(1, "[]"), export_row(2, "x" * 3000), export_row(3, "[]")])
    path.write_text(text)
    header = text.index("\n") + 1
    assert cut(path, header - 10) is None
    splits = cut(path, header + 50)
    assert splits is not None
    assert len(splits) < len(text) // (header + 50)
    assert [split.rows for split in splits] == [1, 1, 1]
    frames = [open_csv_split(split, tmp_path) for split in splits]
    assert_frame_equal(
        pl.concat([frame.collect() for frame in frames]), open_sources([path], tmp_path / "w").rows.collect()
    )


def test_a_file_without_rows_has_no_splits(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text(export_text([]))
    assert cut(path, 10_000) == []


def test_a_worker_that_does_not_see_the_file(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text(export_text([export_row(1, "[]"), export_row(2, "[]")]))
    (split,) = cut(path, 10_000) or []
    (tmp_path / "other").mkdir()
    path.write_text(export_text([export_row(1, "[]")]))
    with pytest.raises(
        pf.PolyframeError, match=r"^export\.csv: changed during the run; run the command again"
    ):
        open_csv_split(split, tmp_path)
    path.unlink()
    with pytest.raises(pf.PolyframeError, match=r"^export\.csv: cannot be read by a worker \(No such file"):
        open_csv_split(split, tmp_path / "other")


def test_a_worker_that_does_not_see_whole_files(tmp_path: Path) -> None:
    path, folder = tmp_path / "a.csv", tmp_path / "other"
    path.write_text(export_text([export_row(1, "[]")]))
    folder.mkdir()
    for kind in ("csv", "parquet"):
        file = ExportFile(path, "a.csv", 0, path.stat().st_size + 1, kind)  # type: ignore[arg-type]
        split = WholeFiles((file,)) if kind == "csv" else ParquetSplit(file, range(1), 0)
        with pytest.raises(
            pf.PolyframeError, match=r"^a\.csv: changed during the run; run the command again"
        ):
            open_split(split, folder)
        file = replace(file, place=tmp_path / "missing")
        with pytest.raises(pf.PolyframeError, match=r"^a\.csv: cannot be read by a worker \(No such file"):
            open_split(replace(split, **{"files": (file,)} if kind == "csv" else {"file": file}), folder)
