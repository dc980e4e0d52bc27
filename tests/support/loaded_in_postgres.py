"""Read tables in PostgreSQL, and the same tables from Parquet files, to compare them."""

from pathlib import Path
from typing import Any

import polars as pl
import psycopg
from postgres_server import Database
from psycopg import sql
from shapely import Polygon, wkb

from polyframe.core.tables import PUBLIC_TABLES, TABLES
from polyframe.export.load.loaded_tables import TARGET_TABLES

Rows = list[tuple[Any, ...]]

#: The tables of an output directory with contours.
LOADED = sorted({*TABLES} - {"contours"} | {"contour_levels"})
RECORDS = "polyframe_loads"


def rows_in(connection: psycopg.Connection[Any], table: str, schema: str) -> Rows:
    """Return the rows of a table, with geometries as WKB, in an order of their own."""
    columns = [
        (name, kind)
        for name, kind in connection.execute(
            "SELECT column_name, udt_name FROM information_schema.columns "
            "WHERE (table_schema, table_name) = (%s, %s) ORDER BY ordinal_position",
            (schema, table),
        )
    ]
    selected = [
        sql.SQL("ST_AsBinary({})" if kind == "geometry" else "{}").format(sql.Identifier(name))
        for name, kind in columns
    ]
    query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(selected), sql.Identifier(schema, table))
    return sorted(connection.execute(query).fetchall(), key=repr)


def all_rows(database: Database, schema: str | None = None, user: str = "owner") -> dict[str, Rows]:
    """Return the rows of all tables of polyframe in a schema, by default that of `database`."""
    schema = schema or database.schema
    with database.connect(user) as connection:
        found = connection.execute(
            "SELECT table_name::text FROM information_schema.tables WHERE table_schema = %s", (schema,)
        ).fetchall()
        names = {name for (name,) in found} & {*TARGET_TABLES}
        return {name: rows_in(connection, name, schema) for name in sorted(names)}


def rows_of(out: Path) -> dict[str, Rows]:
    """Return the rows that PostgreSQL should have, from the Parquet files; levels are made one by one."""
    present = [name for name in PUBLIC_TABLES if (out / name).exists()]
    frames = {name: pl.read_parquet(out / name / "*.parquet") for name in present}
    rows = {name: frame.rows() for name, frame in frames.items() if name != "contours"}
    rows["contour_levels"] = [
        (
            *(row[name] for name in ("workflow_id", "subject_id", "task", "frame", "tool", "cluster_label")),
            *(row[name] for name in ("clusters_count", "consensus")),
            level,
            area,
            wkb.dumps(Polygon(zip(x, y, strict=True)), byte_order=1),
        )
        for row in frames["contours"].iter_rows(named=True)
        for level, area, x, y in zip(
            *(row[f"contours_{name}"] for name in ("level", "area", "x", "y")), strict=True
        )
    ]
    return {name: sorted(rows[name], key=repr) for name in sorted(rows)}
