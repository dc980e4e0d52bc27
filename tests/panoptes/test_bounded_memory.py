"""Test that decompression bombs, blank lines and endless rows are read in bounded time and memory."""

import gzip
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from exports import Done, drawing, export_row, export_text, square
from memory import run_in_new_process

from polyframe.core.errors import PolyframeError
from polyframe.panoptes.classifications import csv_repair, sources, version_selection
from polyframe.panoptes.classifications.compression import blocks

Call = Callable[..., Done]
HEADER, *ROWS = export_text(
    export_row(n, drawing(square(n, 0)), subject_ids=n, user_name=f"user {n}") for n in range(3)
).splitlines(keepends=True)
TEXT = "".join([HEADER, *ROWS]).encode()
MILLION = 1_000_000


def opened(path: Path, work: Path) -> sources.OpenedSources:
    return sources.open_sources(sources.find_sources([path]), work)


def read(path: Path, tmp_path: Path) -> list[tuple[int, str | None]]:
    """Return the numbers and names of the rows of a file."""
    rows = opened(path, tmp_path / f"work {path.name}").rows.collect()
    return rows.select("row", "user_name").rows()


@pytest.fixture(params=["by Polars", "line by line"])
def path(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a path for a file that is read by Polars, or by the tolerant parser."""
    if request.param == "line by line":
        monkeypatch.setattr(csv_repair, "_MOST_SHORT_ROWS", -1)
    return tmp_path / "export.csv"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("blank", [0, 1, 15, 16, 17, 1000, 200_000])
def test_blank_lines_are_not_rows_but_have_numbers(blank: int, end: str, path: Path, tmp_path: Path) -> None:
    text = HEADER + ROWS[0] + "\n" * blank + ROWS[1] + "\n" * blank + ROWS[2] + "\n" * blank
    expected = [(1, "user 0"), (2 + blank, "user 1"), (3 + 2 * blank, "user 2")]
    path.write_bytes(text.replace("\n", end).encode())
    assert read(path, tmp_path) == expected
    packed = path.with_suffix(".gz")
    packed.write_bytes(gzip.compress(text.replace("\n", end).encode()))
    assert read(packed, tmp_path) == expected


@pytest.mark.parametrize("blank", [1, 15, 16, 40, 900])
def test_blank_lines_within_a_cell_are_part_of_it(blank: int, path: Path, tmp_path: Path) -> None:
    name = "a" + "\n" * blank + "b"
    row = export_row(7, "[]", user_name=name)
    path.write_text(HEADER + ROWS[0] + export_text([row]).partition("\n")[2] + ROWS[1])
    assert read(path, tmp_path) == [(1, "user 0"), (2, name), (3, "user 1")]


@pytest.mark.parametrize(("more", "joined"), [(0, True), (1, False)])
@pytest.mark.parametrize("line", ["", "text"])
def test_a_row_of_more_than_a_thousand_lines_is_an_unclosed_quote(
    line: str, more: int, joined: bool, tmp_path: Path
) -> None:
    """A line and a thousand others are a row; with one more, each line is a row."""
    name = f"\n{line}" * (csv_repair._LONGEST_ROW_IN_LINES + more)
    assert name.count("\n") == 1000 + more
    path = tmp_path / "export.csv"
    row = export_row(7, "[]", user_name=name)
    path.write_text(HEADER + ROWS[0] + export_text([row]).partition("\n")[2] + ROWS[1])
    rows = read(path, tmp_path)
    assert rows[0] == (1, "user 0")
    if joined:
        assert rows[1:] == [(2, name), (3, "user 1")]
    else:
        # Its lines are the rows 2 to 1003; the next row follows.
        assert rows[-1] == (1004, "user 1")
        assert name not in [name_read for _, name_read in rows]


def test_the_tolerant_parser_also_joins_a_thousand_lines(tmp_path: Path) -> None:
    cell = "a" + "\n" * 1000 + "b"
    rows = [f'1,"{cell}"\n', f'3,"a\n{cell[1:]}"\n', "4,d\n"]
    (tmp_path / "a.csv").write_text("x,y\n" + "".join(rows))
    csv_repair.repair_csv(tmp_path / "a.csv", "csv", tmp_path / "mended", ["x", "y"])
    rows = csv_repair.open_repaired(tmp_path / "mended").collect()
    by_x = dict(rows.select("x", "y").rows())
    assert by_x["1"] == cell
    assert by_x["3"] == "a\n"
    assert by_x["4"] == "d"
    assert rows[csv_repair.ROW_NUMBER][-1] == 1 + 1002 + 1


def test_very_many_blank_lines_give_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_repair, "_MOST_SHORT_ROWS", 99)
    path = tmp_path / "export.csv"
    for blank, notes in ((99, ()), (100, (f"{path}: has 100 blank lines; read line by line",))):
        path.write_text(HEADER + ROWS[0] + "\n" * blank)
        rows = opened(path, tmp_path / f"work-{blank}")
        assert rows.notes == notes
        assert rows.rows.collect()["user_name"].to_list() == ["user 0"]


@pytest.mark.parametrize("quote", ["", '"'])
def test_the_number_of_unusable_lines_is_limited(
    quote: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, polyframe: Call
) -> None:
    for module in (csv_repair, version_selection):
        monkeypatch.setattr(module, "MOST_UNUSABLE_ROWS", 1000)
    path = tmp_path / "export.csv"
    path.write_text(HEADER + ROWS[0] + f"{quote}a\n" + "b\n" * 999)
    assert polyframe("run", path, "-o", tmp_path / "out", "--jobs", 1).code == 0
    path.write_text(HEADER + ROWS[0] + f"{quote}a\n" + "b\n" * 1000)
    done = polyframe("run", path, "-o", tmp_path / "out", "--jobs", 1)
    assert (done.code, len(done.err.splitlines())) == (1, 1)
    assert f"{path}: has more than 1,000 lines that are too short to be rows" in done.err
    path.write_text(HEADER + ROWS[0] + f"{quote}a{'-' * 30}\n" + f"b{'-' * 30}\n" * 1000)
    done = polyframe("run", path, "-o", tmp_path / "out", "--jobs", 1)
    assert (done.code, len(done.err.splitlines()[-1:])) == (1, 1)
    assert f"{path}: 1,001 rows have no readable subject_ids" in done.err


def newlines(path: Path) -> None:
    with gzip.open(path, "wb", compresslevel=9) as file:
        file.write(TEXT)
        for _ in range(100):
            file.write(b"\n" * MILLION)


def newlines_behind_a_quote(path: Path) -> None:
    with gzip.open(path, "wb", compresslevel=9) as file:
        file.write(TEXT + b'"')
        for _ in range(20):
            file.write(b"\n" * MILLION)


def newlines_in_zstd(path: Path) -> None:
    with pa.CompressedOutputStream(str(path), "zstd") as file:
        file.write(TEXT)
        for _ in range(50):
            file.write(b"\n" * MILLION)


def an_endless_line(path: Path) -> None:
    with gzip.open(path, "wb", compresslevel=9) as file:
        file.write(TEXT)
        for _ in range(250):
            file.write(b"a" * MILLION)


def many_members(path: Path) -> None:
    path.write_bytes(gzip.compress(TEXT) + gzip.compress(b"") * 200_000)


def zeros_behind(path: Path) -> None:
    with path.open("wb") as file:
        file.write(gzip.compress(TEXT))
        file.truncate(200 * MILLION)


BOMBS = (newlines, newlines_behind_a_quote, newlines_in_zstd, an_endless_line, many_members, zeros_behind)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="memory is asked for as POSIX has it")
@pytest.mark.parametrize("bomb", BOMBS)
def test_memory_does_not_grow_with_the_decompressed_size(
    bomb: Callable[[Path], None], tmp_path: Path
) -> None:
    """A file of some hundred kilobytes is a hundred megabytes decompressed; Polars would need 3.4 GB."""
    path = tmp_path / "export.csv"
    bomb(path)
    code = (
        "import sys\nimport memory\nimport polyframe as pf\n"
        "pf.run(sys.argv[1], sys.argv[2], jobs=1, engine='shapely')\n"
        "print(memory.peak_bytes())"
    )
    assert int(run_in_new_process(code, path, tmp_path / "out")) < 500 * MILLION
    assert pl.read_parquet(tmp_path / "out" / "classifications").height == 3


def unpacked(path: Path) -> tuple[bytes, list[str]]:
    damage: list[str] = []
    return b"".join(blocks(path, "gzip", damage)), damage


@pytest.mark.parametrize("zeros", [1, 2, 1000, 64 * 1024, 300_000])
def test_zeros_after_a_gzip_file_are_padding(zeros: int, tmp_path: Path) -> None:
    """As for `gzip` itself: tapes and disks pad blocks with zeros."""
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"first") + bytes(zeros))
    assert unpacked(path) == (b"first", [])
    path.write_bytes(gzip.compress(b"first") + bytes(zeros) + gzip.compress(b"second") + bytes(zeros))
    assert unpacked(path) == (b"firstsecond", [])


def test_other_bytes_are_not_padding(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    for behind in (b"\x00\x01\x02", b"  ", b"\x00 \x00"):
        path.write_bytes(gzip.compress(b"first") + behind)
        assert unpacked(path) == (b"first", ["the gzip file is damaged"])
    path.write_bytes(gzip.compress(b"first") + b"\x00\x1f\x8b")
    assert unpacked(path) == (b"first", ["the gzip file is truncated"])


def test_large_decompressed_blocks_are_split(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(bytes(10 * MILLION)))
    assert max(map(len, blocks(path, "gzip", []))) <= 64 * 1024


def test_the_number_of_rows_without_a_subject_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version_selection, "MOST_UNUSABLE_ROWS", 4)
    columns: dict[str, Any] = {"subject_id": [None, 1, None], "rows": [2, 9, 3]}
    with pytest.raises(PolyframeError, match=r"a\.csv: 5 rows have no readable subject_ids"):
        version_selection.select(pl.DataFrame(columns), None, ("a.csv",))  # type: ignore[arg-type]
