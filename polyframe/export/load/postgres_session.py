"""Execute statements in one transaction of PostgreSQL, with errors of one line."""

import contextlib
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

import psycopg
from psycopg import errors, sql

from polyframe.core.errors import PolyframeError, first_line
from polyframe.export.load.postgres_address import PostgresAddress, connect

#: The longest time to wait for another load, or for somebody who locks a table.
_LONGEST_WAIT: Final = "60s"
#: Distinguishes our advisory locks from those of other programs.
_LOADS: Final = 0x706F6C79
#: For the time of the transaction; those that the server does not know are omitted.
_SETTINGS: Final = {
    "lock_timeout": _LONGEST_WAIT,
    # With the default, pglz, the server works three times as long, and tables are a tenth smaller.
    "default_toast_compression": "lz4",
    # The server ends a transaction soon after its client has died.
    "client_connection_check_interval": "10s",
    "tcp_keepalives_idle": "60",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "6",
}
#: What to do about some errors.
_ADVICE: Final[dict[type[psycopg.Error], str]] = {
    errors.LockNotAvailable: "somebody else locks a table for a long time; load again later",
    errors.DependentObjectsStillExist: "drop these objects, load, and create them again",
    errors.UntranslatableCharacter: "the encoding of the database should be UTF8",
    errors.InsufficientPrivilege: "grant it to this role, or load as another one",
    errors.AdminShutdown: "nothing has changed; load again",
    errors.IdleInTransactionSessionTimeout: (
        "add options=-cidle_in_transaction_session_timeout%3D0 to the address"
    ),
}
#: Errors of psycopg itself if there is no connection any more; values that it cannot send are others.
_LOST: Final = (psycopg.OperationalError, psycopg.InterfaceError)


class Session:
    """A connection with a transaction, which is undone unless it is committed.

    Parameters
    ----------
    address : PostgresAddress
        The address.

    Attributes
    ----------
    name : str
        The address for messages.
    schema : str
        The schema that receives the tables; it need not exist.

    Raises
    ------
    PolyframeError
        If the server cannot be reached, or no schema is named, or another load keeps the schema locked.
    """

    def __init__(self, address: PostgresAddress) -> None:
        self.name = address.name
        self._connection = connect(address)
        try:
            self.execute(
                "SELECT set_config(name, value, true) FROM pg_settings JOIN unnest(%s::text[], %s::text[]) "
                "AS wanted (name, value) USING (name) WHERE enumvals IS NULL OR value = ANY (enumvals)",
                [*_SETTINGS],
                [*_SETTINGS.values()],
            )
            self.schema = address.schema or self._current_schema()
            self._lock()
        except BaseException:
            self.close()
            raise

    def execute(self, statement: str | sql.Composed, *values: object) -> list[tuple[Any, ...]]:
        """Execute a statement and return its rows; none if it has no result.

        Raises
        ------
        PolyframeError
            If the server refuses it, as for all methods.
        """
        with self._explained():
            # To psycopg, a statement that is not constant looks like an injection.
            text = sql.SQL(statement) if isinstance(statement, str) else statement
            cursor = self._connection.execute(text, values or None)
            return cursor.fetchall() if cursor.description else []

    def count(self, statement: sql.Composed) -> int:
        """Execute a statement and return the number of the rows that it changed."""
        with self._explained():
            count: int = self._connection.execute(statement).rowcount
            return count

    def copy(self, statement: sql.Composed, blocks: Iterator[memoryview | bytes]) -> None:
        """Send blocks of data to `COPY ... FROM STDIN`."""
        with self._explained(), self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for block in blocks:
                copy.write(block)

    def insert(self, statement: sql.Composed, rows: Sequence[tuple[Any, ...]]) -> None:
        """Execute a statement for each row of values."""
        with self._explained(), self._connection.cursor() as cursor:
            cursor.executemany(statement, rows)

    def commit(self) -> None:
        """Make the changes visible to others."""
        with self._explained():
            self._connection.commit()

    def close(self) -> None:
        """Close the connection; the server undoes what is not committed."""
        self._connection.close()

    def _current_schema(self) -> str:
        [(schema,)] = self.execute("SELECT current_schema()")
        if schema is None:
            raise PolyframeError(
                f"{self.name}: no schema of the search path exists; add schema=NAME to the address, such as "
                "postgresql://localhost/project?schema=public"
            )
        return str(schema)

    def _lock(self) -> None:
        """Lock the schema against other loads until the end of the transaction."""
        key = zlib.crc32(self.schema.encode()) - 2**31
        try:
            with self._explained(but=errors.LockNotAvailable):
                self._connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_LOADS, key))
        except errors.LockNotAvailable:
            self._connection.rollback()
            holders = self.execute(
                "SELECT usename FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' "
                "AND granted AND (classid, objid) = (%s::bigint::oid, %s::bigint::oid)",
                _LOADS,
                key % 2**32,
            )
            holder = f" as the role {holders[0][0]}" if holders else ""
            raise PolyframeError(
                f"{self.name}: another load is writing to the schema {self.schema}{holder}; load again when "
                "it has finished"
            ) from None

    @contextlib.contextmanager
    def _explained(self, but: type[psycopg.Error] | tuple[()] = ()) -> Iterator[None]:
        """Turn an error of the server, except of the class `but`, into one line that names the address."""
        try:
            yield
        except but:
            raise
        except psycopg.Error as error:
            diagnosis = error.diag
            details = f" ({' '.join(diagnosis.message_detail.split())})" if diagnosis.message_detail else ""
            advice = next((text for kind, text in _ADVICE.items() if isinstance(error, kind)), "")
            if isinstance(error, errors.QueryCanceled) and "statement timeout" in str(error):
                advice = "add options=-cstatement_timeout%3D0 to the address"
            elif diagnosis.sqlstate is None and isinstance(error, _LOST):
                advice = "the connection was lost; load again"
            message = diagnosis.message_primary or first_line(error)
            raise PolyframeError(f"{self.name}: {message}{details}{'; ' if advice else ''}{advice}") from None
