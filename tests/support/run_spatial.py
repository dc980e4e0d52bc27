"""Run SQL with the spatial extension of DuckDB; executed by a Python that has both, never imported by tests.

SQL comes on standard input, and the rows of its last statement go out as JSON. The extension is that of the
package duckdb-extension-spatial, loaded as a file: nothing is fetched, and DuckDB checks its signature.
"""

import importlib.util
import json
import sys
from pathlib import Path

import duckdb


def main() -> None:
    found = importlib.util.find_spec("duckdb_extension_spatial")
    assert found is not None
    assert found.origin is not None
    extension = next(Path(found.origin).parent.rglob("spatial.duckdb_extension"))
    connection = duckdb.connect()
    connection.execute(f"LOAD '{extension}'")
    print(json.dumps(connection.execute(sys.stdin.read()).fetchall()))


main()
