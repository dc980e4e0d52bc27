"""Load tables into a schema of PostgreSQL, with geometries of PostGIS."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from types import TracebackType
from typing import Any, Final, Self

import polars as pl
from psycopg import sql

from polyframe.core.errors import PolyframeError
from polyframe.core.notes import Information
from polyframe.core.plurals import agreeing, counted
from polyframe.core.table_schema import Table
from polyframe.export.load.loaded_tables import LOADS, OWN_COMMENT, TargetPart
from polyframe.export.load.postgres_address import parse_address
from polyframe.export.load.postgres_copy import copy_blocks
from polyframe.export.load.postgres_postgis import PostGIS, find_postgis
from polyframe.export.load.postgres_session import Session
from polyframe.export.load.postgres_tables import (
    BYTES,
    GEOMETRY,
    column_type,
    create_statements,
    index_statements,
    is_geometry,
)
from polyframe.export.load.sql_ranges import SUBJECT, deleting_conditions, has_subjects
from polyframe.export.load.target import ExistingTable, RecordedPart, ReplacedRows, TableChange

#: The widest range of subjects.
_LOWEST: Final = -(2**63)
_HIGHEST: Final = 2**63 - 1
#: The picture of the character NUL, which texts of PostgreSQL cannot contain.
_NUL: Final = "\0"
_NUL_PICTURE: Final = "\u2400"

_TABLES_NAMED: Final = """
    SELECT relname::text, coalesce(obj_description(c.oid, 'pg_class'), ''), pg_get_userbyid(relowner)::text,
        pg_has_role(relowner, 'USAGE') OR has_table_privilege(c.oid, 'SELECT')
            AND has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'DELETE'),
        array_agg(attname::text ORDER BY attnum),
        array_agg(regexp_replace(format_type(atttypid, atttypmod), '^.*[.]geometry', 'geometry')
            ORDER BY attnum)
    FROM pg_class c
        JOIN pg_namespace n ON n.oid = relnamespace
        JOIN pg_attribute ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped
    WHERE nspname = %s AND relname = ANY (%s) AND relkind IN ('r', 'p', 'v', 'm', 'f')
    GROUP BY c.oid
"""
#: Those of the owner come with the table.
_GRANTS: Final = """
    SELECT grantee = 0, pg_get_userbyid(grantee)::text, privilege_type, is_grantable
    FROM pg_class CROSS JOIN aclexplode(relacl)
    WHERE relnamespace = %s::regnamespace AND relname = %s AND grantee <> relowner
"""


def open_target(address: str) -> "PostgresTarget":
    """Open a schema of a database, such as `postgresql://ann@localhost/project?schema=shapes`.

    Raises
    ------
    UsageError, PolyframeError
        As from `parse_address` and `Session`.
    """
    session = Session(parse_address(address))
    try:
        return PostgresTarget(session)
    except BaseException:
        session.close()
        raise


class PostgresTarget:
    """A schema of PostgreSQL that is open for loading; see `polyframe.export.load.target.Target`.

    Parameters
    ----------
    session : Session
        Closed at the end.
    """

    nested_lists = False

    def __init__(self, session: Session) -> None:
        self.name = session.name
        self.notes: list[str] = []
        self._session = session
        self._postgis: PostGIS = find_postgis(session)
        #: Tables that an earlier load made without PostGIS.
        self._with_bytes: set[str] = set()
        #: New tables that lack their key and their indexes.
        self._without_indexes: dict[str, Table] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def commit(self, version: int) -> None:
        """Make the changes of all tables visible together."""
        for name in [*self._without_indexes]:
            self._add_indexes(name)
        self._session.commit()

    def column_types(self, table: Table) -> dict[str, str]:
        """Return the type of each column as PostgreSQL spells it."""
        geometry = BYTES if table.name in self._with_bytes else self._postgis.geometry
        return {column.name: column_type(column, geometry) for column in table.columns}

    def existing_tables(self, names: Collection[str]) -> dict[str, ExistingTable]:
        """Return those tables and views of the schema that have one of these names.

        Raises
        ------
        PolyframeError
            If one of our tables belongs to another role, and this one may not change it.
        """
        tables = {}
        for name, comment, owner, is_writable, columns, types in self._session.execute(
            _TABLES_NAMED, self._session.schema, [*names]
        ):
            is_own = comment.startswith(OWN_COMMENT)
            if is_own and not is_writable:
                raise PolyframeError(
                    f"{self.name}: the table {name} belongs to the role {owner}; load as {owner} or a member "
                    f"of it, or let {owner} grant SELECT, INSERT and DELETE"
                )
            tables[name] = ExistingTable(dict(zip(columns, types, strict=True)), is_own)
            if is_own and tables[name].columns.get("geometry") == BYTES and name not in self._with_bytes:
                self._with_bytes.add(name)
                if self._postgis.geometry == GEOMETRY:
                    self.notes.append(
                        f"the table {name} keeps its geometries as WKB (bytea), although there is PostGIS "
                        "now; drop the table and load again to convert them"
                    )
        return tables

    def recorded_parts(self) -> list[RecordedPart]:
        """Return the rows of `polyframe_loads`."""
        columns = sql.SQL(", ").join(map(sql.Identifier, LOADS.schema))
        statement = sql.SQL("SELECT {} FROM {}").format(columns, self._place(LOADS.name))
        return [RecordedPart(*row) for row in self._session.execute(statement)]

    def count_rows(self, table: Table, parts: Sequence[TargetPart]) -> list[int]:
        """Count the rows of a table in the range of subjects of each of some of its parts.

        Returns
        -------
        list of int
            -1 for a part with a row that somebody inserted or updated: another transaction wrote it than the
            record of the part.
        """
        counts = [self._count_sql(table, "{subject} BETWEEN low AND high" if has_subjects(table) else "true")]
        if has_subjects(table):
            counts.append(self._count_sql(table, "is_first AND {subject} IS NULL"))
        statement = sql.SQL(
            "SELECT coalesce({}, -1) FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::boolean[]) "
            "WITH ORDINALITY AS p (name, low, high, is_first, number) "
            'CROSS JOIN LATERAL (SELECT xmin FROM {} WHERE "table" = %s AND part = name LIMIT 1) record '
            "ORDER BY number"
        ).format(sql.SQL(" + ").join(counts), self._place(LOADS.name))
        firsts = [part.stored.first_subject for part in parts]
        followings = [part.stored.next_subject for part in parts]
        rows = self._session.execute(
            statement,
            [part.name for part in parts],
            [_LOWEST if first is None else first for first in firsts],
            [_HIGHEST if following is None else following - 1 for following in followings],
            [first is None for first in firsts],
            table.name,
        )
        return [count for (count,) in rows]

    def _count_sql(self, table: Table, condition: str) -> sql.Composed:
        """Return a query for the number of rows; null if one is not of the transaction of the record."""
        return sql.SQL(
            "(SELECT CASE WHEN coalesce(bool_and(loaded.xmin = record.xmin), true) THEN count(*) END "
            "FROM {} loaded WHERE {})"
        ).format(self._place(table.name), sql.SQL(condition).format(subject=sql.Identifier(SUBJECT)))

    def create_table(self, table: Table) -> None:
        """Create an empty table with its comments, replacing an existing one whose readers may read this one.

        The primary key and the indexes are added after the rows.
        """
        session, place = self._session, self._place(table.name)
        if not session.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", session.schema):
            session.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(session.schema)))
            self.notes.append(Information(f"created the schema {session.schema}"))
        if any(map(is_geometry, table.columns)):
            self._postgis, note = self._postgis.ready(session)
            self.notes += [note] if note and note not in self.notes else []
        grants = self._grants(table.name)
        self.drop_table(table.name)
        for statement in create_statements(place, table, self._postgis.geometry, self._postgis.schema):
            session.execute(statement)
        for grant in grants:
            session.execute(grant)
        self._with_bytes.discard(table.name)
        self._without_indexes[table.name] = table

    def drop_table(self, name: str) -> None:
        """Remove a table and its records."""
        existing = self.existing_tables([name, LOADS.name])
        if name in existing and existing[name].is_own:
            self._session.execute(sql.SQL("DROP TABLE {}").format(self._place(name)))
        if name != LOADS.name and LOADS.name in existing:
            self._delete_records(name, None)

    def replace_parts(self, change: TableChange, inserted: Callable[[], None]) -> ReplacedRows:
        """Delete and insert parts of one table and write their records."""
        session, table = self._session, change.table
        place = self._place(table.name)
        n_deleted = 0
        for condition in deleting_conditions(table, change.inserted):
            if table.name not in self._without_indexes:
                n_deleted += session.count(
                    sql.SQL("DELETE FROM {} WHERE {}").format(place, sql.SQL(condition))
                )
        columns = sql.SQL(", ").join(map(sql.Identifier, table.schema))
        copy = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(place, columns)
        records, texts_with_nul = [], Counter[str]()
        for part in change.inserted:
            rows = _without_nul(part.read().select(*table.schema), texts_with_nul)
            session.copy(copy, copy_blocks(rows))
            records.append((table.name, part.name, part.fingerprint, rows.height, change.workflow_id, None))
            inserted()
        self._delete_records(table.name, change.forgotten)
        self._insert_records(records)
        self.notes += [
            f"table {table.name}: {counted(count, 'text')} of the column {column} "
            f"{agreeing(count, 'contain')} the character NUL, which PostgreSQL refuses; {_NUL_PICTURE} "
            "(U+2400) was loaded in its place"
            for column, count in texts_with_nul.items()
        ]
        if table.name in self._without_indexes:
            self._add_indexes(table.name)
        return ReplacedRows(n_deleted, sum(record[3] for record in records))

    def _add_indexes(self, name: str) -> None:
        table = self._without_indexes.pop(name)
        for statement in index_statements(self._place(name), table, self._postgis.geometry):
            self._session.execute(statement)

    def _delete_records(self, table: str, parts: Collection[str] | None) -> None:
        """Delete the records of some parts of a table; None for all."""
        statement = 'DELETE FROM {} WHERE "table" = %s AND (%s::text[] IS NULL OR part = ANY (%s))'
        names = None if parts is None else [*parts]
        self._session.execute(sql.SQL(statement).format(self._place(LOADS.name)), table, names, names)

    def _insert_records(self, records: Sequence[tuple[Any, ...]]) -> None:
        columns = sql.SQL(", ").join(map(sql.Identifier, LOADS.schema))
        values = sql.SQL(", ").join(sql.Placeholder() * len(LOADS.columns))
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})")
        self._session.insert(statement.format(self._place(LOADS.name), columns, values), records)

    def _grants(self, name: str) -> list[sql.Composed]:
        """Return the statements that grant others what they may do with an existing table."""
        if name not in self.existing_tables([name]):
            return []
        schema = sql.Identifier(self._session.schema).as_string()
        return [
            sql.SQL("GRANT {} ON {} TO {}{}").format(
                sql.SQL(privilege),
                self._place(name),
                sql.SQL("PUBLIC") if is_public else sql.Identifier(role),
                sql.SQL(" WITH GRANT OPTION" if may_grant else ""),
            )
            for is_public, role, privilege, may_grant in self._session.execute(_GRANTS, schema, name)
        ]

    def _place(self, name: str) -> sql.Identifier:
        return sql.Identifier(self._session.schema, name)


def _without_nul(rows: pl.DataFrame, counts: Counter[str]) -> pl.DataFrame:
    """Replace the character NUL in texts, and add the texts that contain it to the counts by column."""
    found = rows.select(pl.col(pl.String).str.contains(_NUL, literal=True).sum())
    found_in = {column.name: column[0] for column in found if len(column) and column[0]}
    if not found_in:
        return rows
    counts.update(found_in)
    return rows.with_columns(pl.col(*found_in).str.replace_all(_NUL, _NUL_PICTURE, literal=True))
