"""Load tables into a DuckDB database."""

import contextlib
import dataclasses
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import duckdb
import polars as pl

from polyframe.core.errors import PolyframeError, UsageError, first_line
from polyframe.core.notes import Information
from polyframe.core.table_schema import Column, Table
from polyframe.export.load.duckdb_checksums import checksum_query
from polyframe.export.load.loaded_tables import (
    LOADS,
    OWN_COMMENT,
    TargetPart,
    primary_key,
    table_comment,
)
from polyframe.export.load.sql_ranges import deleting_conditions
from polyframe.export.load.target import ExistingTable, RecordedPart, ReplacedRows, TableChange
from polyframe.export.load.targets import without_password

#: Not with two slashes, after which an address has a host, and not with a prefix such as `md:`, by which
#: DuckDB chooses another kind of database.
_ADDRESS: Final = re.compile(r"duckdb:(?:///|(?!//))(?P<path>(?!\w{2,}:).+)", re.IGNORECASE | re.DOTALL)
#: Nothing is downloaded: GEOMETRY is a type of DuckDB itself since version 1.5.
_CONFIG: Final[dict[str, str | bool | int | float | list[str]]] = {"autoinstall_known_extensions": False}
_TYPES: Final = {
    pl.Int64: "BIGINT",
    pl.Int32: "INTEGER",
    pl.Float64: "DOUBLE",
    pl.String: "VARCHAR",
    pl.Boolean: "BOOLEAN",
    pl.Binary: "BLOB",
    pl.Datetime: "TIMESTAMP WITH TIME ZONE",
}
#: What to do about some errors, by a part of their text.
_ADVICE: Final = {
    "not a valid DuckDB database file": "; name another file, or remove this one",
    "Is a directory": "; name a file in it, such as duckdb:///project.duckdb",
    "Could not set lock": "; close the database there, and load again",
}
#: About how many bytes of rows are inserted together.
_BATCH_BYTES: Final = 64_000_000
#: The name under which rows are visible to SQL.
_ROWS: Final = "polyframe_rows"
#: Begins a checksum, since versions of DuckDB may differ in their function `hash`.
_VERSION: Final = f"DuckDB {duckdb.__version__}: "


def open_target(address: str) -> "DuckDBTarget":
    """Open or create a DuckDB database.

    Parameters
    ----------
    address : str
        `duckdb:///PATH`: three slashes before a relative path, four before an absolute one, as for
        SQLAlchemy; or `duckdb:PATH`.
    """
    # Before an @, any part can be of a password.
    name = "duckdb:..." if "@" in address else without_password(address)
    match = _ADDRESS.fullmatch(address)
    if match is None or match["path"].endswith("/") or match["path"] == ":memory:":
        raise UsageError(
            f"to: {name!r} names no database file; expected duckdb:///project.duckdb, or an absolute path "
            "with four slashes: duckdb:////data/project.duckdb"
        )
    path = Path(match["path"])
    if not path.parent.is_dir():
        raise PolyframeError(f"{path}: the folder {path.parent} does not exist; make it, or check the path")
    name = without_password(address)
    return DuckDBTarget(connect(str(path), name), name)


def connect(database: str, name: str) -> duckdb.DuckDBPyConnection:
    """Open a database, or one in memory (`:memory:`), so that DuckDB downloads and prints nothing.

    Parameters
    ----------
    database : str
        Its path.
    name : str
        The address for messages.
    """
    with explain_errors(name):
        connection = duckdb.connect(database, config=_CONFIG)
        connection.execute("SET enable_progress_bar = false")
    return connection


class DuckDBTarget:
    """A DuckDB database that is open for loading; see `polyframe.export.load.target.Target`.

    The records of what was loaded are written by `commit`.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        Its current schema receives the tables. It is closed at the end.
    name : str
        The address for messages.

    Attributes
    ----------
    has_keys : bool
        Whether tables can have primary keys.
    recorded_checksum : str
        An expression of SQL for what the checksum of a recorded part must be.
    checksums_begin : str
        How checksums begin; others cannot be compared.
    """

    nested_lists = True
    has_keys = True
    recorded_checksum = "checksum"
    checksums_begin = _VERSION

    def __init__(self, connection: Any, name: str) -> None:
        self.connection = connection
        self.name = name
        self.notes: list[str] = []
        self.checksums: dict[tuple[str, str], str] = {}
        self.forgotten: list[tuple[str, str]] = []
        self.records: list[tuple[str, str, str, int, int | None, str | None]] = []

    def __enter__(self) -> Self:
        self._execute("BEGIN")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Closing undoes what is not committed.
        self.connection.close()

    def commit(self, version: int) -> None:
        """Make the changes of all tables visible together."""
        self._write_records()
        self._execute("COMMIT")

    def column_types(self, table: Table) -> dict[str, str]:
        """Return the type of each column as DuckDB spells it."""
        return {column.name: _type_of(column) for column in table.columns}

    def existing_tables(self, names: Collection[str]) -> dict[str, ExistingTable]:
        """Return those tables and views of the current schema that have one of these names."""
        here = "database_name = current_database() AND schema_name = current_schema()"
        tables = self._execute(
            f"SELECT table_name, comment FROM duckdb_tables() WHERE {here} "
            f"UNION ALL SELECT view_name, NULL FROM duckdb_views() WHERE {here}"
        )
        columns = self._execute(
            f"SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE {here} "
            "ORDER BY table_name, column_index"
        )
        return {
            name: ExistingTable(
                {column: kind for table, column, kind in columns if table == name},
                (comment or "").startswith(OWN_COMMENT),
            )
            for name, comment in tables
            if name in names
        }

    def recorded_parts(self) -> list[RecordedPart]:
        """Return the rows of `polyframe_loads`; without fingerprints if checksums cannot be compared."""
        names = ", ".join(_quoted(column.name) for column in LOADS.columns)
        rows = self._execute(f"SELECT {names}, {self.recorded_checksum} FROM {LOADS.name}")
        records = [RecordedPart(*row) for *row, _ in rows]
        self.checksums = {
            (record.table, record.part): row[-1] for record, row in zip(records, rows, strict=True)
        }
        comparable = [(record.checksum or "").startswith(self.checksums_begin) for record in records]
        if all(comparable):
            return records
        self.notes.append(
            Information(
                "another version of DuckDB loaded these tables, whose checksums DuckDB "
                f"{duckdb.__version__} cannot compare; they are loaded again"
            )
        )
        return [
            record if same else dataclasses.replace(record, fingerprint="")
            for record, same in zip(records, comparable, strict=True)
        ]

    def count_rows(self, table: Table, parts: Sequence[TargetPart]) -> list[int]:
        """Count the rows of a table in the range of each of some of its parts; -1 if the checksum differs."""
        checksums = self._checksums(table.name, table, parts)
        return [
            count if checksum == self.checksums[table.name, part.name] else -1
            for part, (count, checksum) in zip(parts, checksums, strict=True)
        ]

    def row_hash(self, table: Table) -> str:
        """Return an expression of SQL for the hash of a row, which differs if somebody changed the row."""
        return f"hash({', '.join(_quoted(column.name) for column in table.columns)})"

    def _checksums(self, source: str, table: Table, parts: Sequence[TargetPart]) -> list[tuple[int, str]]:
        """Return the number of rows and the checksum of each of some parts, see `checksum_query`."""
        checksums = [(0, f"{self.checksums_begin}0")] * len(parts)
        query = checksum_query(source, table, self.row_hash(table), parts)
        for number, count, checksum in self._execute(query):
            checksums[number] = count, f"{self.checksums_begin}{checksum}"
        return checksums

    def create_table(self, table: Table) -> None:
        """Create an empty table with its primary key and comments, replacing an existing one."""
        columns = [
            f"{_quoted(column.name)} {_type_of(column)}{'' if column.nullable else ' NOT NULL'}"
            for column in table.columns
        ]
        if self.has_keys and (key := primary_key(table)):
            columns.append(f"PRIMARY KEY ({', '.join(map(_quoted, key))})")
        self.drop_table(table.name)
        self._execute(f"CREATE TABLE {table.name} ({', '.join(columns)})")
        self._execute(f"COMMENT ON TABLE {table.name} IS {literal(table_comment(table))}")
        for column in table.columns:
            meaning = literal(column.meaning.removesuffix(", WKB"))
            self._execute(f"COMMENT ON COLUMN {table.name}.{_quoted(column.name)} IS {meaning}")

    def drop_table(self, name: str) -> None:
        """Remove a table and its records."""
        self._execute(f"DROP TABLE IF EXISTS {_quoted(name)}")
        if name != LOADS.name and LOADS.name in self.existing_tables([LOADS.name]):
            self._execute(f'DELETE FROM {LOADS.name} WHERE "table" = {literal(name)}')

    def replace_parts(self, change: TableChange, inserted: Callable[[], None]) -> ReplacedRows:
        """Delete and insert parts of one table and write their records."""
        table = change.table
        n_deleted = sum(
            self._count(f"DELETE FROM {table.name} WHERE {condition}")
            for condition in deleting_conditions(table, change.inserted)
        )
        n_inserted = 0
        for batch in _batches(change.inserted):
            with self._visible(pl.concat([rows for _, rows in batch], rechunk=False)):
                n_inserted += self._count(f"INSERT INTO {table.name} BY NAME {_selected(table)}")
                checksums = self.new_checksums(table, [part for part, _ in batch])
            for (part, rows), checksum in zip(batch, checksums, strict=True):
                self.records.append(
                    (table.name, part.name, part.fingerprint, rows.height, change.workflow_id, checksum)
                )
                inserted()
        self.forgotten += [(table.name, name) for name in change.forgotten]
        return ReplacedRows(n_deleted, n_inserted)

    def new_checksums(self, table: Table, parts: Sequence[TargetPart]) -> Sequence[str | None]:
        """Return the checksums to record for parts whose rows are visible."""
        return [checksum for _, checksum in self._checksums(f"({_selected(table)})", table, parts)]

    def _write_records(self) -> None:
        """Write the records of all tables at once, since each insertion makes a file in a DuckLake."""
        keys = {name: LOADS.schema[name] for name in LOADS.key}
        with self._visible(pl.DataFrame(self.forgotten, schema=keys, orient="row")):
            self._execute(f'DELETE FROM {LOADS.name} WHERE ("table", part) IN (FROM {_ROWS})')
        with self._visible(pl.DataFrame(self.records, schema=LOADS.schema, orient="row")):
            self._execute(f"INSERT INTO {LOADS.name} BY NAME FROM {_ROWS}")

    @contextlib.contextmanager
    def _visible(self, frame: pl.DataFrame) -> Iterator[None]:
        """Show a frame to SQL as a view, without a copy."""
        self.connection.register(_ROWS, frame.to_arrow(compat_level=pl.CompatLevel.newest()))
        try:
            yield
        finally:
            self.connection.unregister(_ROWS)

    def _execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Execute a statement and return all rows of its result, since DuckDB refuses another before."""
        with explain_errors(self.name):
            rows: list[tuple[Any, ...]] = self.connection.execute(statement).fetchall()
            return rows

    def _count(self, statement: str) -> int:
        """Execute a statement whose result is one number, such as that of the deleted rows."""
        return int(self._execute(statement)[0][0])


def _batches(parts: Sequence[TargetPart]) -> Iterator[list[tuple[TargetPart, pl.DataFrame]]]:
    """Read parts and yield several small ones together: each insertion makes a file in a DuckLake."""
    batch: list[tuple[TargetPart, pl.DataFrame]] = []
    size = 0.0
    for part in parts:
        rows = part.read()
        batch.append((part, rows))
        size += rows.estimated_size()
        if size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


@contextlib.contextmanager
def explain_errors(name: str) -> Iterator[None]:
    """Turn an error of DuckDB into one line that names the target."""
    try:
        yield
    except duckdb.Error as error:
        message = without_password(first_line(error))
        advice = next((text for part, text in _ADVICE.items() if part in message), "")
        raise PolyframeError(f"{name}: {message.rstrip('!') if advice else message}{advice}") from None


def _type_of(column: Column) -> str:
    """Return the type of a column as DuckDB spells it."""
    if column.name == "geometry":
        return "GEOMETRY"
    dtype, brackets = column.dtype, ""
    while isinstance(dtype, pl.List):
        dtype, brackets = dtype.inner, f"{brackets}[]"
    return f"{_TYPES[dtype.base_type()]}{brackets}"


def _selected(table: Table) -> str:
    """Return a query for the visible rows as those of a table."""
    columns = "* REPLACE (ST_GeomFromWKB(geometry) AS geometry)" if table.geometry else "*"
    return f"SELECT {columns} FROM {_ROWS}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return text as a string of SQL."""
    return "'" + text.replace("'", "''") + "'"
