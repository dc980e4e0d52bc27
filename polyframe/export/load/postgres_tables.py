"""Write the statements that create tables of PostgreSQL: types, keys, indexes and comments."""

from typing import Any, Final

import polars as pl
from psycopg import sql

from polyframe.core.table_schema import TIMESTAMP, Column, Table
from polyframe.export.load.loaded_tables import primary_key, table_comment
from polyframe.export.load.sql_ranges import SUBJECT, has_subjects

#: The types as PostgreSQL spells them in its catalogue.
_TYPES: Final[dict[Any, str]] = {
    pl.Int64: "bigint",
    pl.Int32: "integer",
    pl.Float64: "double precision",
    pl.String: "text",
    pl.Boolean: "boolean",
    TIMESTAMP: "timestamp with time zone",
    pl.List(pl.Float64): "double precision[]",
}
#: Of geometries with PostGIS, all of which are polygons, in pixels and so without a reference system.
GEOMETRY: Final = "geometry(Polygon)"
#: Of geometries without PostGIS: WKB.
BYTES: Final = "bytea"


def column_type(column: Column, geometry: str) -> str:
    """Return the type of a column; `geometry` is that of geometries."""
    return geometry if is_geometry(column) else _TYPES[column.dtype]


def is_geometry(column: Column) -> bool:
    """Tell whether a column contains geometries."""
    return bool(column.dtype == pl.Binary)


def create_statements(
    place: sql.Identifier, table: Table, geometry: str, postgis_schema: str | None
) -> list[sql.Composed]:
    """Return the statements that create an empty table with its comments.

    Parameters
    ----------
    place : psycopg.sql.Identifier
        The schema and the name of the table.
    table : Table
    geometry : str
        `GEOMETRY` or `BYTES`.
    postgis_schema : str or None
        The schema of the type of geometries, which need not be in the search path.
    """
    columns = [
        sql.SQL("{} {}{}").format(
            sql.Identifier(column.name),
            _qualified(column_type(column, geometry), postgis_schema),
            sql.SQL("" if column.nullable else " NOT NULL"),
        )
        for column in table.columns
    ]
    comments = [
        sql.SQL("COMMENT ON COLUMN {}.{} IS {}").format(
            place, sql.Identifier(column.name), sql.Literal(_meaning(column, geometry))
        )
        for column in table.columns
    ]
    return [
        sql.SQL("CREATE TABLE {} ({})").format(place, sql.SQL(", ").join(columns)),
        sql.SQL("COMMENT ON TABLE {} IS {}").format(place, sql.Literal(table_comment(table))),
        *comments,
        # The server would read a large part of all coordinates to find the most frequent ones.
        *(
            sql.SQL("ALTER TABLE {} ALTER COLUMN {} SET STATISTICS 0").format(
                place, sql.Identifier(column.name)
            )
            for column in table.columns
            if isinstance(column.dtype, pl.List)
        ),
    ]


def index_statements(place: sql.Identifier, table: Table, geometry: str) -> list[sql.Composed]:
    """Return the statements that add the primary key and the indexes; faster after the rows than before.

    Parameters
    ----------
    place, table, geometry
        As for `create_statements`.
    """
    statements: list[sql.Composed] = []
    if key := primary_key(table):
        columns = sql.SQL(", ").join(map(sql.Identifier, key))
        statements.append(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY ({})").format(place, columns))
    if has_subjects(table):
        # A load deletes and counts rows by subject; keys begin with the workflow.
        statements.append(sql.SQL("CREATE INDEX ON {} ({})").format(place, sql.Identifier(SUBJECT)))
    if geometry == GEOMETRY:
        statements += [
            sql.SQL("CREATE INDEX ON {} USING gist ({})").format(place, sql.Identifier(column.name))
            for column in table.columns
            if is_geometry(column)
        ]
    return statements


def _meaning(column: Column, geometry: str) -> str:
    """Return the comment on a column; geometries of PostGIS are not WKB."""
    return column.meaning if geometry == BYTES else column.meaning.removesuffix(", WKB")


def _qualified(kind: str, postgis_schema: str | None) -> sql.Composable:
    if kind == GEOMETRY and postgis_schema is not None:
        return sql.SQL("{}.{}").format(sql.Identifier(postgis_schema), sql.SQL(kind))
    return sql.SQL(kind)
