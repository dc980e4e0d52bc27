"""Opening, choosing from, and splitting an export; repairing one that is not well formed."""

import csv
import io
from pathlib import Path

import polars as pl
import pytest
from exports import export_row, export_text
from hypothesis import given
from hypothesis import strategies as st

from polyframe.core.errors import PolyframeError, UsageError
from polyframe.core.settings import Settings
from polyframe.panoptes.classifications import column_parsers, csv_repair, selection, sources


def written(tmp_path: Path, *exported: dict[str, str | int | None]) -> Path:
    path = tmp_path / "export.csv"
    path.write_text(export_text(exported), encoding="utf-8")
    return path


def opened(path: Path) -> pl.LazyFrame:
    return sources.open_sources([path], path.parent / "work").rows


def chosen(path: Path, **values: object) -> selection.Selection:
    census = selection.take_census(opened(path))
    return selection.select(census, Settings().replace(values), (str(path),))


def test_versions_compare_as_versions_and_the_newest_is_the_default(tmp_path: Path) -> None:
    path = written(
        tmp_path, *(export_row(n, "[]", workflow_version=v) for n, v in enumerate(("3.2", "3.16", "2.9")))
    )
    found = chosen(path)
    assert found.versions == ("3.16",)
    assert (found.rows_read, found.rows_filtered) == (3, 2)
    assert "version 3.16, the newest of 2.9, 3.2, 3.16" in found.notes


@pytest.mark.parametrize(
    ("spec", "versions"),
    [
        ("3.2", ("3.2",)),
        ("3", ("3.2", "3.16")),
        ("2.9..3.2", ("2.9", "3.2")),
        ("..2", ("2.9",)),
        ("3.3..", ("3.16",)),
    ],
)
def test_versions_asked_for(spec: str, versions: tuple[str, ...], tmp_path: Path) -> None:
    path = written(
        tmp_path, *(export_row(n, "[]", workflow_version=v) for n, v in enumerate(("3.2", "3.16", "2.9")))
    )
    assert chosen(path, workflow_version=spec).versions == versions


def test_what_the_export_does_not_hold_is_answered_with_what_it_holds(tmp_path: Path) -> None:
    path = written(tmp_path, export_row(1, "[]"), export_row(2, "[]", workflow_id=9, workflow_name="Count"))
    with pytest.raises(
        PolyframeError, match=r"no workflow 5; it contains 7 \(Outline\) with 1 rows, 9 \(Count\)"
    ):
        chosen(path, workflow_id=5)
    with pytest.raises(PolyframeError, match=r"no version 4\.4; it has 3\.1"):
        chosen(path, workflow_id=7, workflow_version="4.4")
    with pytest.raises(UsageError, match="several workflows"):
        chosen(path)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12),
        (" 12 ", 12),
        ("12.0", 12),
        ("12.5", None),
        ("1e3", None),
        ("", None),
        ("9" * 30, None),
        ("-3", -3),
    ],
)
def test_whole_numbers(text: str, number: int | None) -> None:
    assert pl.DataFrame({"n": [text]}).select(column_parsers.integer("n")).item() == number


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2025-01-21 16:08:41 UTC", "2025-01-21 16:08:41.000000"),
        ("2025-01-21T16:08:41.123Z", "2025-01-21 16:08:41.123000"),
        ("2025-01-21 16:08:41", "2025-01-21 16:08:41.000000"),
        ("2025-01-21 16:08:41 +02:00", "2025-01-21 14:08:41.000000"),
        ("2025-01-21T16:08:41-0330", "2025-01-21 19:38:41.000000"),
        ("yesterday", None),
        ("2025-13-21 16:08:41 UTC", None),
    ],
)
def test_times(text: str, time: str | None) -> None:
    read = pl.DataFrame({"t": [text]}).select(column_parsers.timestamp("t"))["t"]
    assert read.dt.strftime("%Y-%m-%d %H:%M:%S%.6f").to_list() == [time]
    assert read.dtype == pl.Datetime("us", "UTC")


@pytest.mark.parametrize(
    ("text", "truth"), [("true", True), ("T", True), ("0", False), ("", None), ("maybe", None)]
)
def test_truth_values(text: str, truth: bool | None) -> None:
    assert pl.DataFrame({"b": [text]}).select(column_parsers.boolean("b")).item() is truth


def mended(tmp_path: Path, text: str) -> list[tuple[str | None, ...]]:
    path = tmp_path / "broken.csv"
    path.write_bytes(text.encode())
    csv_repair.repair_csv(path, "csv", tmp_path / "mended", ["a", "b", "c"])
    return csv_repair.open_repaired(tmp_path / "mended").drop(csv_repair.ROW_NUMBER).collect().rows()


@pytest.mark.parametrize(
    ("text", "rows_read"),
    [
        ('a,b,c\n1,2,3\n4,"5', [("1", "2", "3"), ("4", "5", None)]),
        ('a,b,c\n1,"2,3\n4,5,6\n', [("1", "2,3\n", None), ("4", "5", "6")]),
        ('a,b,c\n1,"2\n2",3\n', [("1", "2\n2", "3")]),
        ('a,b,c\n1,2"2,3\n4,5,6\n', [("1", '2"2', "3"), ("4", "5", "6")]),
        ("a,b,c\r\n1,2,3\r\n", [("1", "2", "3")]),
        ("\ufeffa,b,c\n1,2,3", [("1", "2", "3")]),
        ("a,b,c\n1\n1,2,3,4\n", [("1", None, None), ("1", "2", "3")]),
        ("c,b,a\n1,2,3\n", [("3", "2", "1")]),
    ],
)
def test_mending(text: str, rows_read: list[tuple[str | None, ...]], tmp_path: Path) -> None:
    assert mended(tmp_path, text) == rows_read


CELL = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs",), exclude_characters="\r\0"), max_size=8
)


@given(st.lists(st.tuples(CELL, CELL, CELL), max_size=8))
def test_mending_reads_well_formed_csv_as_it_is(
    tmp_path_factory: pytest.TempPathFactory, table: list[tuple[str, str, str]]
) -> None:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([("a", "b", "c"), *table])
    expected = [tuple(cell or None for cell in row) for row in table]
    assert mended(tmp_path_factory.mktemp("mend"), text.getvalue()) == expected
