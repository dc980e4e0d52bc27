"""Test that files of all kinds give the same rows, and that errors have one line."""

import datetime
import gzip
import io
import os
import random
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from exports import drawing, export_row, export_text, square

from polyframe.core.errors import PolyframeError, UsageError
from polyframe.panoptes.classifications import csv_repair, parquet_files, sources
from polyframe.panoptes.classifications.columns import OPTIONAL, REQUIRED

TEXT = export_text(export_row(n, drawing(square(n, 0)), subject_ids=n % 3) for n in range(20)).encode()


def packed_with_zstd(content: bytes, path: Path) -> bytes:
    with pa.CompressedOutputStream(str(path), "zstd") as stream:
        stream.write(content)
    return path.read_bytes()


def read(tmp_path: Path, *paths: Path | str) -> pl.DataFrame:
    return sources.open_sources(sources.find_sources(paths), tmp_path / "work").rows.collect()


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "plain.csv"
    path.write_bytes(TEXT)
    return path


def test_columns_and_row_numbers(plain: Path, tmp_path: Path) -> None:
    rows = read(tmp_path, plain, plain.parent / ".." / plain.parent.name / "plain.csv")
    assert rows.columns == ["source", "row", *REQUIRED, *OPTIONAL]
    assert rows["row"].to_list() == list(range(1, 21))
    assert rows.schema["source"] == pl.UInt16
    assert set(rows.drop("source", "row").dtypes) == {pl.String}
    assert rows["gold_standard"].null_count() == 20


def variants(path: Path) -> dict[str, bytes]:
    middle = TEXT.index(b"\n", len(TEXT) // 2) + 1
    zstd = packed_with_zstd(TEXT, path)
    table = pl.read_csv(io.BytesIO(TEXT), infer_schema=False)
    parquet = io.BytesIO()
    table.write_parquet(parquet)
    return {
        "gzip": gzip.compress(TEXT),
        "gzip in members": gzip.compress(TEXT[:middle]) + gzip.compress(TEXT[middle:]),
        "gzip with zeros behind": gzip.compress(TEXT) + bytes(1000),
        "zstd": zstd,
        "zstd in frames": packed_with_zstd(TEXT[:middle], path) + packed_with_zstd(TEXT[middle:], path),
        "zstd with something to skip": b"\x50\x2a\x4d\x18\x04\0\0\0abcd" + zstd,
        "parquet": parquet.getvalue(),
        "other order of columns": table.select(reversed(table.columns)).write_csv().encode(),
        "byte order mark": b"\xef\xbb\xbf" + TEXT,
        "windows": TEXT.replace(b"\n", b"\r\n"),
    }


VARIANTS = (
    "gzip",
    "gzip in members",
    "gzip with zeros behind",
    "zstd",
    "zstd in frames",
    "zstd with something to skip",
    "parquet",
    "other order of columns",
    "byte order mark",
    "windows",
)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("through_a_pipe", [False, True])
def test_every_kind_of_file_gives_the_same_rows_whatever_its_name(
    variant: str, through_a_pipe: bool, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "other.csv"
    content = variants(path)[variant]
    path.write_bytes(content)
    name: Path | str = path
    if through_a_pipe:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        name = "-"
    work = tmp_path / "work"
    expected = sources.open_sources([plain], work).rows.collect()
    opened = sources.open_sources(sources.find_sources([name]), work)
    try:
        rows = opened.rows.collect()
    except OSError:
        assert variant == "gzip with zeros behind"
        opened = sources.repair_sources(sources.find_sources([name]), work)
        rows = opened.rows.collect()
    assert rows.equals(expected)
    assert opened.names == ("standard input" if through_a_pipe else str(path),)
    assert (opened.temporary_bytes > 0) >= through_a_pipe


def test_several_files_keep_their_order_and_their_row_numbers(plain: Path, tmp_path: Path) -> None:
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(TEXT))
    (tmp_path / "a.parquet").write_bytes(variants(tmp_path / "zstd")["parquet"])
    opened = sources.open_sources([tmp_path / "b.csv.gz", plain, tmp_path / "a.parquet"], tmp_path / "work")
    rows = opened.rows.select("source", "row").collect(engine="streaming")
    assert rows.rows() == [(source, row) for source in range(3) for row in range(1, 21)]
    counted = opened.rows.group_by("source").len().collect(engine="streaming").sort("source")
    assert counted.rows() == [(0, 20), (1, 20), (2, 20)]
    assert opened.names[1] == str(plain)


def test_several_files_are_read_one_after_another_even_if_order_does_not_matter(
    plain: Path, tmp_path: Path
) -> None:
    plan = (
        sources.open_sources([plain, plain], tmp_path / "work").rows.group_by("workflow_id").len().explain()
    )
    # With "false", Polars reads all files at once.
    assert "UNION[maintain_order: true]" in plan


def test_parquet_columns_of_other_types_become_text_as_in_the_csv(tmp_path: Path) -> None:
    table = pl.DataFrame(
        {
            "classification_id": pl.Series([1, 2], dtype=pl.Int32),
            "user_name": pl.Series(["a", ""], dtype=pl.Categorical),
            "user_id": [7.0, None],
            "workflow_id": pl.Series([7, 7], dtype=pl.UInt64),
            "workflow_version": ["3.10", "3.1"],
            "created_at": pl.Series(
                [datetime.datetime(2026, 1, 1, 10, 0, 5), None], dtype=pl.Datetime("us", "Europe/Berlin")
            ),
            "gold_standard": [True, None],
            "annotations": pl.Series([b"[]", b"[1]"], dtype=pl.Binary),
            "subject_ids": [5, 6],
            "metadata": [[1], [2]],
        }
    )
    table.write_parquet(tmp_path / "export.parquet")
    first, second = read(tmp_path, tmp_path / "export.parquet").drop("source", "row").rows(named=True)
    assert first.pop("created_at") == "2026-01-01 10:00:05 UTC"
    assert first == {
        "classification_id": "1",
        "user_name": "a",
        "workflow_id": "7",
        "workflow_version": "3.10",
        "annotations": "[]",
        "subject_ids": "5",
        "user_id": "7.0",
        "gold_standard": "true",
        "workflow_name": None,
        "metadata": None,
    }
    assert (second["user_name"], second["created_at"], second["gold_standard"]) == (None, None, None)
    table.with_columns(annotations=[[1], [2]]).write_parquet(tmp_path / "nested.parquet")
    with pytest.raises(
        PolyframeError, match=r"nested\.parquet: column annotations has type List.*expected text"
    ):
        read(tmp_path, tmp_path / "nested.parquet")


def test_large_row_groups_of_parquet_are_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_files, "_LARGEST_ROW_GROUP", 100)
    path = tmp_path / "export.parquet"
    path.write_bytes(variants(tmp_path / "zstd")["parquet"])
    opened = sources.open_sources([path], tmp_path / "work")
    assert opened.temporary_bytes > 0
    assert opened.rows.collect()["row"].to_list() == list(range(1, 21))


def test_patterns_are_sorted_and_existing_names_are_not_patterns(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "a[1].csv", ".hidden.csv"):
        (tmp_path / name).write_bytes(TEXT)
    (tmp_path / "folder.csv").mkdir()
    assert [path.name for path in sources.find_sources([tmp_path / "*.csv"])] == [
        "a.csv",
        "a[1].csv",
        "b.csv",
    ]
    assert sources.find_sources([tmp_path / "a[1].csv"]) == [tmp_path / "a[1].csv"]
    named = [tmp_path / "b.csv", f"{tmp_path}/*.csv", tmp_path / "folder.csv" / ".." / "b.csv"]
    assert [path.name for path in sources.find_sources(named)] == ["b.csv", "a.csv", "a[1].csv"]
    assert sources.repeats(named) == (f"{tmp_path / 'b.csv'}: given 3 times; read once",)
    assert sources.find_sources(["-", tmp_path / "a.csv"]) == [Path("-"), tmp_path / "a.csv"]
    with pytest.raises(PolyframeError, match=r"\*\.txt: matches no file"):
        sources.find_sources([tmp_path / "*.txt"])
    with pytest.raises(PolyframeError, match=r"no\.csv: no such file"):
        sources.find_sources([tmp_path / "no.csv"])
    with pytest.raises(UsageError, match="only once"):
        sources.find_sources(["-", "-"])
    with pytest.raises(UsageError, match="no export given"):
        sources.find_sources([])


def cut(content: bytes) -> bytes:
    return content[: len(content) * 9 // 10]


def damage(content: bytes) -> bytes:
    # As long as a block of zstd, to hit the start of one: other damage is undetected without checksums.
    place = len(content) * 3 // 4
    return content[:place] + b"\xff" * 150_000 + content[place + 150_000 :]


@pytest.mark.parametrize(("kind", "pack"), [("gzip", gzip.compress), ("zstd", None)])
@pytest.mark.parametrize(("spoil", "words"), [(cut, "is truncated"), (damage, "is damaged")])
def test_the_readable_part_of_a_damaged_compressed_file_is_used(
    kind: str,
    pack: Callable[[bytes], bytes] | None,
    spoil: Callable[[bytes], bytes],
    words: str,
    tmp_path: Path,
    plain: Path,
) -> None:
    chance = random.Random(1)
    text = export_text(
        export_row(n, "[]", user_name=f"{chance.getrandbits(2000):x}") for n in range(4000)
    ).encode()
    path = tmp_path / "spoiled"
    path.write_bytes(spoil(pack(text) if pack else packed_with_zstd(text, path)))
    opened = sources.open_sources([plain, path], tmp_path / "work")
    assert len(opened.notes) == 1
    assert opened.notes[0].startswith(f"{path}: the {kind} file {words} after row ")
    rows = opened.rows.filter(pl.col("source") == 1).collect()
    plain.write_bytes(text)
    whole = sources.open_sources([plain], tmp_path / "whole").rows.collect()
    assert 2000 < rows.height < 4000
    usable = rows.height - 1
    assert rows.drop("source").head(usable).equals(whole.drop("source").head(usable))


def test_only_malformed_files_are_repaired_and_once(plain: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.csv"
    lines = TEXT.splitlines(keepends=True)
    lines[9] = lines[9].replace(b"volunteer8", b'"volunteer8')
    broken.write_bytes(b"".join(lines))
    paths = [plain, broken]
    opened = sources.open_sources(paths, tmp_path / "work")
    assert opened.notes == (f"{broken}: malformed CSV; read line by line",)
    assert opened.rows.collect().group_by("source").len().sort("source").rows() == [(0, 20), (1, 20)]
    assert [folder.name for folder in (tmp_path / "work").iterdir()] == ["mended-1"]
    copies = {path: path.stat().st_mtime_ns for path in (tmp_path / "work").rglob("*")}
    again = sources.repair_sources(paths, tmp_path / "work")
    assert again.notes == opened.notes
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "work").rglob("*")} == copies


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_row_without_an_end_is_detected_before_polars_reads_it_and_costs_one_row(
    quote: str, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_repair, "LONGEST_ROW_BYTES", 100_000)
    assert sources.open_sources([plain], tmp_path / "w1").notes == ()
    lines = TEXT.splitlines(keepends=True)
    endless = b"1,a,1,," + quote.encode() + b"7" * 3_000_000 + b",more\n"
    path = tmp_path / "endless.csv"
    path.write_bytes(b"".join([*lines[:5], endless, *lines[5:]]))
    opened = sources.open_sources([path], tmp_path / "w2")
    assert opened.notes == (f"{path}: malformed CSV; read line by line",)
    rows = opened.rows.collect()
    assert rows.height == 21
    assert rows["row"].to_list() == list(range(1, 22))
    assert rows["workflow_id"].to_list().count("7") == 20
    assert rows["subject_ids"][4].startswith("[cut")
    assert rows["annotations"].str.len_bytes().max() < 1000


def test_a_row_that_starts_with_an_endless_cell_is_not_a_blank_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_repair, "LONGEST_ROW_BYTES", 1000)
    (tmp_path / "a.csv").write_bytes(b"m,a,b\n" + b"x" * 5000 + b",1,2\n\nx,1,2\n")
    csv_repair.repair_csv(tmp_path / "a.csv", "csv", tmp_path / "mended", ["a", "b"])
    rows = csv_repair.open_repaired(tmp_path / "mended").collect().rows()
    assert rows[1:] == [(2, None, None), (3, "1", "2")]
    assert rows[0][1].startswith("[cut")


def test_a_deleted_file_is_not_malformed(plain: Path, tmp_path: Path) -> None:
    second = tmp_path / "second.csv"
    second.write_bytes(TEXT)
    opened = sources.open_sources([plain, second], tmp_path / "work")
    second.unlink()
    with pytest.raises((OSError, pl.exceptions.PolarsError)):
        opened.rows.collect(engine="streaming")
    with pytest.raises(PolyframeError, match=r"second\.csv: no such file"):
        sources.repair_sources([plain, second], tmp_path / "work")


def parquet_without(column: str) -> bytes:
    target = io.BytesIO()
    pl.read_csv(io.BytesIO(TEXT), infer_schema=False).drop(column).write_parquet(target)
    return target.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (gzip.compress(b"", mtime=0), "is empty"),
        (b"PK\x03\x04rest", "zip archive"),
        (b"%PDF-1.7", "PDF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "is an Excel workbook; save it as CSV in UTF-8"),
        (b"ARROW1" + bytes(9), "is an Arrow file; write it as Parquet"),
        (b"BZh91AY", "bzip2"),
        (b"\x28\xb5\x2f\xfd" + b"\xff" * 99, "the zstd file is damaged; download it again"),
        (b"\x28\xb5\x2f\xfd", "the zstd file is truncated; download it again"),
        (TEXT.decode().encode("utf-16"), "not UTF-8"),
        (b"x" * 3_000_000, "not a classification export"),
        (TEXT.replace(b"annotations", b"anotations", 1), "annotations; did you mean 'anotations'"),
        (b"classification_id," + b"y" * 3_000_000 + b"\n", "missing columns"),
        (b"PAR1" + bytes(100), "the Parquet file is damaged"),
        (parquet_without("subject_ids"), "missing column subject_ids"),
    ],
)
def test_a_file_that_is_not_an_export_is_an_error_of_one_short_line(
    content: bytes, words: str, plain: Path, tmp_path: Path
) -> None:
    path = tmp_path / "other.csv"
    path.write_bytes(content)
    with pytest.raises(PolyframeError) as caught:
        read(tmp_path, plain, path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert words in message
    assert "\n" not in message
    assert len(message) < 2000


@pytest.mark.parametrize("ending", [".xlsx", ".XLSX", ".ods"])
def test_the_error_for_a_workbook_is_not_that_for_an_archive(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"export{ending}"
    path.write_bytes(b"PK\x03\x04rest")
    with pytest.raises(PolyframeError, match="is a workbook; save it as CSV in UTF-8"):
        sources.open_sources([path], tmp_path / "work")


def test_damaged_pages_of_parquet_are_an_error_when_they_are_read(tmp_path: Path) -> None:
    content = bytearray(variants(tmp_path / "zstd")["parquet"])
    content[4:400] = bytes(396)
    path = tmp_path / "export.parquet"
    path.write_bytes(content)
    with pytest.raises(PolyframeError, match="the Parquet file is damaged or incomplete"):
        sources.repair_sources([path], tmp_path / "work")


@pytest.mark.skipif(os.name == "nt", reason="named pipes as POSIX has them")
def test_a_named_pipe_is_read_as_a_file(plain: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(TEXT,))
    writer.start()
    rows = read(tmp_path, pipe)
    writer.join()
    assert rows.height == 20


@pytest.mark.usefixtures("without_root_rights")
def test_a_file_without_read_permission_is_an_error(plain: Path, tmp_path: Path) -> None:
    plain.chmod(0)
    with pytest.raises(PolyframeError, match="cannot be read"):
        read(tmp_path, plain)


@pytest.mark.parametrize(("one", "other"), [(6, 18), (3, 4), (5, 17)])
@pytest.mark.parametrize("before", [b"volunteer", b"7.12", b"2025-"])
def test_rows_between_two_stray_quotes_are_not_lost(
    before: bytes, one: int, other: int, tmp_path: Path
) -> None:
    cells = (b"%d", b"volunteer%d", b"7", b"7.12", b"2025-01-01 00:00:00 UTC", b'"[{""task"": 1}]"', b"5")
    header = b"classification_id,user_name,workflow_id,workflow_version,created_at,annotations,subject_ids\n"
    rows = [b",".join(cells) % (n, n) + b"\n" for n in range(20)]
    for row in (one, other):
        rows[row] = rows[row].replace(before, b'"' + before, 1)
    path = tmp_path / "export.csv"
    path.write_bytes(header + b"".join(rows))
    opened = sources.open_sources([path], tmp_path / "work")
    rows = opened.rows.collect()
    assert rows.height == 20
    assert rows["classification_id"].to_list() == [str(n) for n in range(20)]
    assert "read line by line" in opened.notes[0]


def test_cells_of_several_lines_are_well_formed(tmp_path: Path) -> None:
    header = b"classification_id,user_name,workflow_id,workflow_version,created_at,annotations,subject_ids\n"
    row = b'1,a,7,7.12,2025-01-01 00:00:00 UTC,"[\n{""task"":\n1}]",5'
    for end in (b"", b"\n", b"\r\n"):
        path = tmp_path / "export.csv"
        path.write_bytes(header + row + b"\n" + row + end)
        opened = sources.open_sources([path], tmp_path / "work")
        assert opened.notes == ()
        assert opened.rows.collect().height == 2
