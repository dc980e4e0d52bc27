"""Test the tolerant parser of malformed CSV."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyframe.panoptes.classifications import csv_repair


def repaired(tmp_path: Path, text: str) -> list[tuple[str | None, ...]]:
    path = tmp_path / "broken.csv"
    path.write_bytes(text.encode())
    csv_repair.repair_csv(path, "csv", tmp_path / "repaired", ["a", "b", "c"])
    return csv_repair.open_repaired(tmp_path / "repaired").drop(csv_repair.ROW_NUMBER).collect().rows()


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
        # A quote in the header that is closed in no row.
        ('a,b"x,c\n1,2,3\n4,5,6\n', [("1", "3"), ("4", "6")]),
    ],
)
def test_malformed_rows_are_repaired(
    text: str, rows_read: list[tuple[str | None, ...]], tmp_path: Path
) -> None:
    assert repaired(tmp_path, text) == rows_read


CELL = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs",), exclude_characters="\r\0"), max_size=8
)


@given(st.lists(st.tuples(CELL, CELL, CELL), max_size=8))
def test_well_formed_csv_is_unchanged(
    tmp_path_factory: pytest.TempPathFactory, table: list[tuple[str, str, str]]
) -> None:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([("a", "b", "c"), *table])
    expected = [tuple(cell or None for cell in row) for row in table]
    assert repaired(tmp_path_factory.mktemp("repair"), text.getvalue()) == expected
