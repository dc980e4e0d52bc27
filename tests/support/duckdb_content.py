"""Read everything that `load` writes into a DuckDB database or a DuckLake."""

from typing import Any

import duckdb
import polars as pl

from polyframe.core.tables import PUBLIC_TABLES
from polyframe.export.load.loaded_tables import TARGET_TABLES


def content_of(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Return the rows, columns, keys and comments of all tables in the current schema."""
    here = "database_name = current_database() AND schema_name = current_schema()"
    comments = dict(
        connection.sql(f"SELECT table_name, comment FROM duckdb_tables() WHERE {here}").fetchall()
    )
    return {
        name: (
            comments[name],
            connection.sql(
                "SELECT column_name, data_type, is_nullable, comment FROM duckdb_columns() "
                f"WHERE {here} AND table_name = '{name}' ORDER BY column_index"
            ).fetchall(),
            connection.sql(
                "SELECT constraint_text FROM duckdb_constraints() "
                f"WHERE {here} AND table_name = '{name}' ORDER BY ALL"
            ).fetchall(),
            sorted(map(repr, rows_of(connection, name).rows())),
        )
        for name in comments
    }


def rows_of(connection: duckdb.DuckDBPyConnection, name: str) -> pl.DataFrame:
    """Return the rows of a table with the types and the order of its Parquet files."""
    table = TARGET_TABLES[name]
    shape = "* REPLACE (ST_AsWKB(geometry) AS geometry)" if table.geometry else "*"
    return table.conform(connection.sql(f"SELECT {shape} FROM {name}").pl())


def files_of(output: Any, name: str) -> pl.DataFrame:
    """Return the rows of the Parquet files of a table."""
    assert name in PUBLIC_TABLES
    return pl.read_parquet(output / name / "*.parquet")
