"""Run SQL with the spatial extension of DuckDB; executed by a Python that has both, not imported by tests.

Reads SQL from standard input and prints the rows of its last statement as JSON. The extension is loaded from
the package duckdb-extension-spatial: nothing is downloaded, and DuckDB checks its signature.
"""

import importlib.util
import json
import sys
from pathlib import Path

import duckdb


def main() -> None:
    spec = importlib.util.find_spec("duckdb_extension_spatial")
    assert spec is not None
    assert spec.origin is not None
    extension = next(Path(spec.origin).parent.rglob("spatial.duckdb_extension"))
    connection = duckdb.connect()
    connection.execute(f"LOAD '{extension}'")
    print(json.dumps(connection.execute(sys.stdin.read()).fetchall()))


main()
