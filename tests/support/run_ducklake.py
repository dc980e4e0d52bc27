"""Load output directories into a DuckLake one after another; executed with the DuckDB that has the extension.

Takes the path of a DuckLake, and output directories. After each load, compares everything in the DuckLake
with that of a first load into another one. Prints as JSON how many parts of `labels` stayed and were new.
"""

import json
import sys
from pathlib import Path

import duckdb
from duckdb_content import content_of, files_of, rows_of

import polyframe as pf
from polyframe.core.tables import TABLES
from polyframe.export.load import ducklake_target

LAST_SNAPSHOT = "SELECT max(snapshot_id) FROM polyframe_target.snapshots()"


def open_lake(lake: Path) -> duckdb.DuckDBPyConnection:
    connection: duckdb.DuckDBPyConnection = ducklake_target.open_target(f"ducklake:{lake}").connection
    return connection


def main() -> None:
    lake, *outputs = map(Path, sys.argv[1:])
    results = []
    for number, output in enumerate(outputs):
        loaded = pf.load(output, f"ducklake:{lake}", say=print)
        other = lake.with_name(f"{lake.stem}-{number}.ducklake")
        pf.load(output, f"ducklake:{other}", say=print)
        with open_lake(lake) as connection:
            content = content_of(connection)
            for name in TABLES:
                assert rows_of(connection, name).equals(files_of(output, name)), (output, name)
            before = connection.sql(LAST_SNAPSHOT).fetchall()
        with open_lake(other) as connection:
            assert content_of(connection) == content, output
        pf.load(output, f"ducklake:{lake}", say=print)
        with open_lake(lake) as connection:
            assert connection.sql(LAST_SNAPSHOT).fetchall() == before
        labels = loaded.tables["labels"]
        results.append([labels.parts_kept, labels.parts_inserted])
    print(json.dumps({"version": duckdb.__version__, "labels": results, "tables": list(content)}))


main()
