"""Test headers with blanks and byte order marks, and lines that end in a carriage return only."""

import gzip
from pathlib import Path

import polars as pl
import pytest
from exports import ROOT

import polyframe as pf
from polyframe.panoptes.classifications.line_endings import ends_lines_with_returns, write_with_feeds

EXPORT = (ROOT / "data" / "classifications.csv").read_bytes()
HEADER, ROWS = EXPORT.split(b"\n", 1)
MARK = b"\xef\xbb\xbf"

FILES = {
    "blanks": HEADER.replace(b",", b" , ") + b"\n" + ROWS,
    "in quotes": b",".join(b'" %s"' % name for name in HEADER.split(b",")) + b"\n" + ROWS,
    "mark": MARK + EXPORT,
    "two marks": MARK + MARK + EXPORT,
    "mark and blank": MARK + b" " + EXPORT,
    "mark within": EXPORT.replace(b"user_name", MARK + b"user_name", 1),
    "returns": EXPORT.replace(b"\n", b"\r"),
    "returns, packed": gzip.compress(EXPORT.replace(b"\n", b"\r")),
    "both": EXPORT.replace(b"\n", b"\r\n"),
}


@pytest.fixture(scope="module")
def expected() -> pf.Extraction:
    return pf.extract(ROOT / "data" / "classifications.csv")


@pytest.mark.parametrize("kind", FILES)
def test_all_rows_are_read(kind: str, expected: pf.Extraction, tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    file.write_bytes(FILES[kind])
    extraction = pf.extract(file)
    assert extraction.extractions.equals(expected.extractions)
    assert extraction.classifications.equals(expected.classifications)


@pytest.mark.parametrize("kind", ["blanks", "two marks", "returns"])
def test_all_complete_rows_of_a_truncated_file_are_read(
    kind: str, expected: pf.Extraction, tmp_path: Path
) -> None:
    file = tmp_path / "export.csv"
    file.write_bytes(FILES[kind][:-2000])
    notes: list[str] = []
    extraction = pf.extract(file, say=notes.append)
    assert any("malformed CSV; read line by line" in note for note in notes)
    assert expected.classifications.height - extraction.classifications.height in (1, 2)


def test_column_names_in_parquet(expected: pf.Extraction, tmp_path: Path) -> None:
    frame = pl.read_csv(ROOT / "data" / "classifications.csv", infer_schema=False)
    frame.rename(lambda name: f" \ufeff{name} ").write_parquet(tmp_path / "export.parquet")
    assert pf.extract(tmp_path / "export.parquet").extractions.equals(expected.extractions)


def test_a_name_without_blanks_takes_precedence(expected: pf.Extraction) -> None:
    frame = pl.read_csv(ROOT / "data" / "classifications.csv", infer_schema=False)
    doubled = frame.select(pl.lit("x").alias(" annotations"), pl.all())
    assert pf.extract(doubled).extractions.equals(expected.extractions)


def test_a_similar_column_does_not_replace_a_missing_one(tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    file.write_bytes(HEADER.replace(b",subject_ids", b", subject_id") + b"\n" + ROWS)
    with pytest.raises(pf.PolyframeError, match="missing column subject_ids; did you mean 'subject_id'"):
        pf.extract(file)


def test_only_column_names_with_any_line_end(tmp_path: Path) -> None:
    for end in (b"", b"\n", b"\r", b"\r\n"):
        (tmp_path / "export.csv").write_bytes(HEADER + end)
        with pytest.raises(pf.PolyframeError, match="contains no classifications, only column names"):
            pf.extract(tmp_path / "export.csv")


@pytest.mark.parametrize(
    ("content", "alone", "lines"),
    [
        (b"a,b\r1,2\r", True, b"a,b\n1,2\n"),
        (b"a,b\r1,2\r\n3,4\n", True, b"a,b\n1,2\n3,4\n"),
        (b"a,b\r", True, b"a,b\n"),
        (b"a,b\r\n1,2\r", False, b""),
        (b"a,b\n1,\r2\n", False, b""),
        (b"a,b", False, b""),
        (b"", False, b""),
        # Blocks of a megabyte end within and after the line end.
        (b"a" * ((1 << 20) - 1) + b"\r\nb", False, b""),
        (b"a" * ((1 << 20) - 1) + b"\rb\r", True, b"a" * ((1 << 20) - 1) + b"\nb\n"),
        (b"a\r" + b"b" * ((1 << 20) - 3) + b"\r\nc", True, b"a\n" + b"b" * ((1 << 20) - 3) + b"\nc"),
    ],
    ids=lambda value: str(value[:9]) if isinstance(value, bytes) else str(value),
)
def test_line_ends(content: bytes, alone: bool, lines: bytes, tmp_path: Path) -> None:
    file = tmp_path / "some.csv"
    file.write_bytes(content)
    assert ends_lines_with_returns(file, "csv") is alone
    if alone:
        assert write_with_feeds(file, "csv", tmp_path / "copy.csv", "some.csv").read_bytes() == lines


def test_a_damaged_file_with_carriage_returns_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "export.csv.gz"
    file.write_bytes(FILES["returns, packed"][:-2000])
    with pytest.raises(
        pf.PolyframeError, match=r"export\.csv\.gz: the gzip file is truncated; download it again"
    ):
        pf.extract(file)
