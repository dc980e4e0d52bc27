"""Load tables into a DuckLake with DuckDB."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import duckdb

from polyframe.core.errors import PolyframeError, UsageError
from polyframe.core.table_schema import Table
from polyframe.export.load.duckdb_target import DuckDBTarget, connect, explain_errors, literal
from polyframe.export.load.loaded_tables import TargetPart
from polyframe.export.load.targets import without_password

_EXTENSION: Final = "ducklake"
_CATALOG: Final = "polyframe_target"
#: DuckLake writes up to 10 rows into its catalog instead of a file, and rounds their numbers to 15 digits.
_OPTIONS: Final = "DATA_INLINING_ROW_LIMIT 0"
_SNAPSHOT: Final = "hash(snapshot_id)"
#: How the extension is installed if Python may download it.
_INSTALL: Final = """python -c "import duckdb; duckdb.sql('INSTALL ducklake')\""""


class DuckLakeTarget(DuckDBTarget):
    """A DuckLake that is open for loading.

    It knows the snapshot that wrote each row. That of the rows of a part must be that of its record.
    """

    has_keys = False
    recorded_checksum = f"(n_rows * {_SNAPSHOT}::HUGEINT)::VARCHAR"
    checksums_begin = ""

    def row_hash(self, table: Table) -> str:
        """Return an expression of SQL for the hash of the snapshot that wrote a row."""
        return _SNAPSHOT

    def new_checksums(self, table: Table, parts: Sequence[TargetPart]) -> Sequence[str | None]:
        """Return no checksums: the number of the snapshot is not yet known."""
        return [None] * len(parts)


def open_target(address: str) -> DuckLakeTarget:
    """Open or create a DuckLake.

    Parameters
    ----------
    address : str
        As in the statement ATTACH of DuckDB, such as `ducklake:project.ducklake`.

    Raises
    ------
    PolyframeError
        If the extension `ducklake` of DuckDB is not installed: nothing is downloaded.
    """
    name = without_password(address)
    if address.partition(":")[2].startswith("//"):
        raise UsageError(f"to: {name!r} is not a DuckLake as DuckDB writes it: ducklake:project.ducklake")
    connection = connect(":memory:", name)
    with explain_errors(name):
        _load_extension(connection, name)
        connection.execute(f"ATTACH {literal(address)} AS {_CATALOG} ({_OPTIONS})")
        connection.execute(f"USE {_CATALOG}")
    return DuckLakeTarget(connection, name)


def _load_extension(connection: Any, name: str) -> None:
    """Load the extension, installed by DuckDB or as the package duckdb-extension-ducklake."""
    try:
        connection.execute(f"LOAD {_EXTENSION}")
    except duckdb.Error:
        package = importlib.util.find_spec(f"duckdb_extension_{_EXTENSION}")
        folder = Path(package.origin).parent if package and package.origin else Path()
        path = folder / "extensions" / f"v{duckdb.__version__}" / f"{_EXTENSION}.duckdb_extension"
        if package is None or not path.is_file():
            raise PolyframeError(
                f"{name}: DuckDB {duckdb.__version__} has no extension {_EXTENSION}; install it once with "
                f"{_INSTALL}"
            ) from None
        connection.execute(f"LOAD {literal(str(path))}")
