"""Arrow tables with 32-bit offsets contain the same values, and row groups have about the same size."""

import dataclasses
import itertools
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyframe.core.table_schema import Column, Table
from polyframe.core.tables import STORED_TABLES
from polyframe.store import arrow_tables
from polyframe.store.arrow_tables import arrow_schema, arrow_table, row_groups

TABLE = Table(
    "mixed",
    "row",
    (
        Column("number", pl.Int64, ""),
        Column("text", pl.String, "", nullable=True),
        Column("bytes", pl.Binary, ""),
        Column("flag", pl.Boolean, "", nullable=True),
        Column("time", pl.Datetime("us", "UTC"), "", nullable=True),
        Column("list", pl.List(pl.Float64), ""),
        Column("nested", pl.List(pl.List(pl.Float64)), ""),
        Column("levels", pl.List(pl.Int32), ""),
        Column("words", pl.List(pl.String), ""),
    ),
    ("number",),
    ("number",),
)
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
FLOATS = st.lists(st.floats(allow_nan=False), max_size=5)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "number": st.integers(-(2**63), 2**63 - 1),
            "text": st.none() | TEXT,
            "bytes": st.binary(max_size=20),
            "flag": st.none() | st.booleans(),
            "time": st.none() | st.datetimes(),
            "list": FLOATS,
            "nested": st.lists(FLOATS, max_size=3),
            "levels": st.lists(st.integers(-(2**31), 2**31 - 1), max_size=4),
            "words": st.lists(TEXT, max_size=3),
        }
    ),
    max_size=12,
)


def frame_of(rows: list[dict[str, Any]]) -> pl.DataFrame:
    local = {**TABLE.schema, "time": pl.Datetime("us")}
    return pl.DataFrame(rows, local).with_columns(pl.col("time").dt.replace_time_zone("UTC"))


@settings(max_examples=25)
@given(rows=ROWS, data=st.data())
def test_values_are_the_same(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    frame = frame_of(rows)
    start = data.draw(st.integers(0, len(rows)))
    end = data.draw(st.integers(start, len(rows)))
    arrow = arrow_table(frame[start:end], arrow_schema(TABLE))
    arrow.validate(full=True)
    assert arrow.schema.equals(arrow_schema(TABLE))
    assert arrow.to_pylist() == frame[start:end].to_dicts()
    back = pl.from_arrow(arrow)
    assert isinstance(back, pl.DataFrame)
    assert back.equals(frame[start:end])
    together = pl.concat([frame, frame[start:end]], rechunk=False)
    assert arrow_table(together, arrow_schema(TABLE)).to_pylist() == together.to_dicts()


@pytest.mark.parametrize("table", STORED_TABLES.values(), ids=lambda table: table.name)
def test_no_column_has_64_bit_offsets(table: Table) -> None:
    schema = arrow_schema(table)
    assert schema.names == list(table.schema)
    assert "large" not in str(schema)
    for field in schema:
        while pa.types.is_list(field.type):
            assert not field.nullable
            field = field.type.value_field
            assert (field.name, field.nullable) == ("element", False)
    empty = arrow_table(table.empty(), schema)
    assert (empty.num_rows, empty.schema) == (0, schema)


@pytest.mark.parametrize(
    ("name", "value"), [("number", None), ("bytes", None), ("list", None), ("list", [1.0, None])]
)
def test_a_missing_value_in_a_required_column_is_refused(name: str, value: Any) -> None:
    rows = frame_of([dict.fromkeys(TABLE.schema)]).with_columns(
        pl.lit(0, pl.Int64).alias("number"),
        pl.lit(b"").alias("bytes"),
        *(pl.lit([], dtype).alias(column) for column, dtype in TABLE.schema.items() if dtype.is_nested()),
    )
    arrow_table(rows, arrow_schema(TABLE))
    with pytest.raises(ValueError, match="missing, which is not nullable"):
        arrow_table(rows.with_columns(pl.lit(value, TABLE.schema[name]).alias(name)), arrow_schema(TABLE))


@pytest.mark.parametrize("column", ["text", "bytes", "list", "nested"])
def test_row_groups_have_about_the_same_size(column: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow_tables, "ROW_GROUP_BYTES", 10_000)
    sizes = np.random.default_rng(1).integers(1, 900, 100)
    values: dict[str, list[Any]] = {
        "text": ["x" * int(8 * size) for size in sizes],
        "bytes": [b"x" * int(8 * size) for size in sizes],
        "list": [[0.5] * int(size) for size in sizes],
        "nested": [[[0.5] * int(size - 1), [], [0.5]] for size in sizes],
    }
    frame = pl.DataFrame({column: values[column]}, {column: TABLE.schema[column]})
    offsets = row_groups(frame)
    in_groups = np.add.reduceat(8 * sizes, offsets[:-1])
    assert (offsets[0], offsets[-1]) == (0, 100)
    assert len(in_groups) == -(-int(8 * sizes.sum() + 100) // 10_000)
    assert in_groups.max() < 10_000 + 8 * 900
    assert in_groups.min() > 10_000 - 8 * 900 - 10_000 / len(in_groups)


def test_row_groups_of_few_and_of_no_rows() -> None:
    frame = pl.DataFrame({"number": [1, 2, 3]})
    assert row_groups(frame).tolist() == [0, 3]
    # Some readers need a row group.
    assert row_groups(frame[:0]).tolist() == [0, 0]


def test_one_schema_for_equal_tables() -> None:
    again = dataclasses.replace(TABLE, row="another row")
    assert arrow_schema(again).equals(arrow_schema(TABLE))


def test_a_subject_is_in_one_row_group_unless_it_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow_tables, "ROW_GROUP_BYTES", 1000)
    rows = np.repeat([3, 4, 7, 8, 9], [5, 4, 40, 6, 5])
    # A row has 8 bytes of the subject, 96 of the list, and 1.
    frame = pl.DataFrame({"subject_id": rows, "x": [[0.0] * 12] * len(rows)})
    groups = [rows[start:end].tolist() for start, end in itertools.pairwise(row_groups(frame))]
    assert sum(map(len, groups)) == len(rows)
    assert len(groups) >= 5
    for subject in (3, 4, 8, 9):
        assert sum(subject in group for group in groups) == 1
    assert sum(7 in group for group in groups) >= 4
    assert max(map(len, groups)) < 20
    # Rejects may have no subject, and volunteers have none.
    missing = frame.with_columns(subject_id=pl.lit(None, pl.Int64))
    assert row_groups(missing).tolist() == row_groups(frame.select("x", y=pl.lit(0))).tolist()
