"""Send rows of every type in the binary format, and read what the server understood."""

import datetime
import math
from typing import Any

import polars as pl
import pytest
from postgres_server import Database

from polyframe.core.table_schema import TIMESTAMP
from polyframe.core.tables import TABLES
from polyframe.export.load.loaded_tables import TARGET_TABLES
from polyframe.export.load.postgres_copy import copy_blocks
from polyframe.export.load.postgres_tables import BYTES, column_type


def sent(database: Database, rows: pl.DataFrame, **types: str) -> list[tuple[Any, ...]]:
    """Copy rows into a table with columns of some types, and return what it has then."""
    with database.connect() as connection:
        columns = ", ".join(f"{name} {kind}" for name, kind in types.items())
        connection.execute(f"CREATE TEMPORARY TABLE sent ({columns})")
        with connection.cursor() as cursor, cursor.copy("COPY sent FROM STDIN (FORMAT binary)") as copy:
            for block in copy_blocks(rows):
                copy.write(block)
        connection.execute("SET TIME ZONE 'UTC'")
        return connection.execute("SELECT * FROM sent").fetchall()


EXTREMES: dict[str, tuple[str, Any, list[Any]]] = {
    "i64": ("bigint", pl.Int64, [0, -1, 2**63 - 1, -(2**63), None]),
    "i32": ("integer", pl.Int32, [0, -1, 2**31 - 1, -(2**31), None]),
    "f64": ("double precision", pl.Float64, [-0.0, math.inf, -math.inf, 5e-324, None]),
    "flag": ("boolean", pl.Boolean, [True, False, True, False, None]),
    "text": ("text", pl.String, ["", "\u00fc\u2603\U0001f408", 'tab\t, quote" and \\ \n', "\\N", None]),
    "data": ("bytea", pl.Binary, [b"", b"\0\xff", b"x" * 3000, b"\\x", None]),
}


@pytest.mark.parametrize("name", EXTREMES)
def test_extreme_and_missing_values(name: str, database: Database) -> None:
    kind, dtype, values = EXTREMES[name]
    column = pl.Series(name, values, dtype)
    for part in (column, column.drop_nulls(), column.tail(1)):
        returned = [value for (value,) in sent(database, part.to_frame(), **{name: kind})]
        # Zero has a sign, which == ignores.
        assert list(map(repr, returned)) == list(map(repr, part.to_list()))


def test_not_a_number(database: Database) -> None:
    [(value, values)] = sent(
        database,
        pl.DataFrame({"f": [math.nan], "a": [[math.nan, 1.0]]}),
        f="double precision",
        a="double precision[]",
    )
    assert math.isnan(value)
    assert math.isnan(values[0])
    assert values[1] == 1


def test_times(database: Database) -> None:
    times = [
        datetime.datetime(*numbers, tzinfo=datetime.UTC)
        for numbers in (
            (1, 1, 1),
            (1969, 12, 31, 23, 59, 59, 999_999),
            (1999, 12, 31, 23, 59, 59, 1),
            (2000, 1, 1),
            (9999, 12, 31, 23, 59, 59, 999_999),
        )
    ]
    rows = pl.DataFrame({"at": pl.Series([*times, None], dtype=TIMESTAMP)})
    assert sent(database, rows, at="timestamptz") == [(time,) for time in [*times, None]]


def test_lists(database: Database) -> None:
    lists = [[], [1.5], [], [-0.0, math.inf, 3.0], [float(number) for number in range(1000)], []]
    rows = pl.DataFrame(
        {"subject_id": range(6), "x": pl.Series(lists, dtype=pl.List(pl.Float64)), "after": ["a"] * 6}
    )
    returned = sent(database, rows, subject_id="bigint", x="double precision[]", after="text")
    assert returned == list(zip(range(6), lists, ["a"] * 6, strict=True))


def test_columns_in_every_order_and_parts_of_frames(database: Database) -> None:
    numbers = pl.DataFrame(
        {
            "a": pl.Series([1, None, 3, 4], dtype=pl.Int32),
            "b": ["x", None, "", "yz"],
            "c": [b"1", b"", None, b"4"],
            "d": [[1.0], [], [2.0, 3.0], [4.0]],
            "e": [0.5, 1.5, 2.5, 3.5],
        }
    )
    kinds = {"a": "integer", "b": "text", "c": "bytea", "d": "double precision[]", "e": "double precision"}
    for names in ("abcde", "edcba", "cadbe", "bd", "e"):
        rows = numbers.select(*names)
        # Parts of a frame are not at the beginning of its memory.
        for part in (rows, rows[1:3], rows[3:], rows[:0]):
            assert sent(database, part, **{name: kinds[name] for name in names}) == part.rows()


def test_many_row_groups(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyframe.store.arrow_tables.ROW_GROUP_BYTES", 1000)
    rows = pl.DataFrame({"subject_id": range(2000), "text": ["x" * (number % 7) for number in range(2000)]})
    assert len(list(copy_blocks(rows))) > 10
    assert sent(database, rows, subject_id="bigint", text="text") == rows.rows()


def test_every_column_of_every_table_has_a_type() -> None:
    assert {*TARGET_TABLES} > {*TABLES}
    for table in TARGET_TABLES.values():
        if table.name != "contours":  # `contour_levels` takes its place
            assert all(column_type(column, BYTES) for column in table.columns)
