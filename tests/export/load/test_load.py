"""Load tables into DuckDB through the command and the function, and compare with the Parquet files."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pytest
from exports import ROOT, Done

import polyframe as pf
from polyframe.core.tables import TABLES

Call = Callable[..., Done]


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("example") / "out"
    pf.run(ROOT / "data" / "classifications.csv", out, ROOT / "data" / "config.yaml", say=str)
    return out


def table_in(database: Path, name: str) -> pl.DataFrame:
    """Read a table of a database as its Parquet files have it."""
    table = TABLES[name]
    shape = "* REPLACE (ST_AsWKB(geometry) AS geometry)" if table.geometry else "*"
    with duckdb.connect(str(database), read_only=True) as connection:
        frame = connection.sql(f"SELECT {shape} FROM {name}").pl()
    return table.conform(frame)


def test_tables_in_duckdb_have_the_rows_of_the_files(example: Path, tmp_path: Path, polyframe: Call) -> None:
    database = tmp_path / "project.duckdb"
    done = polyframe("load", str(example), "--to", f"duckdb:///{database}")
    assert done.code == 0, done.err
    assert "labels           1 of 1 part inserted: 232 rows inserted, 0 rows deleted" in done.out
    for name in TABLES:
        assert table_in(database, name).equals(pl.read_parquet(example / name / "*.parquet")), name
    again = pf.load(example, f"duckdb:///{database}")
    assert {
        (table.parts_inserted, table.rows_inserted, table.rows_deleted) for table in again.tables.values()
    } == {(0, 0, 0)}
