"""Load output directories into a DuckLake one after another; executed with the DuckDB that has the extension.

Takes the path of a DuckLake, and output directories. After each load, compares everything in the DuckLake
with that of a first load into another one, and loads again, which must change nothing. Then changes values
by hand, and loads the last one again.
Prints as JSON how many parts of `labels` stayed and were new, and the notes of the last load.
"""

import json
import sys
from pathlib import Path

import duckdb
from duckdb_content import content_of, files_of, rows_of

import polyframe as pf
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
            for name in pf.status(output).tables:
                assert rows_of(connection, name).equals(files_of(output, name)), (output, name)
            before = connection.sql(LAST_SNAPSHOT).fetchall()
        with open_lake(other) as connection:
            assert content_of(connection) == content, output
        pf.load(output, f"ducklake:{lake}", say=print)
        with open_lake(lake) as connection:
            assert connection.sql(LAST_SNAPSHOT).fetchall() == before
        labels = loaded.tables["labels"]
        results.append([labels.parts_kept, labels.parts_inserted])
    changes = "UPDATE labels SET cluster_label = 7 WHERE subject_id = 3", "UPDATE volunteers SET score = 0"
    with open_lake(lake) as connection:
        for statement in (*changes, "CALL polyframe_target.merge_adjacent_files()"):
            connection.execute(statement)
        assert content_of(connection) != content
    notes: list[str] = []
    pf.load(outputs[-1], f"ducklake:{lake}", say=notes.append)
    with open_lake(lake) as connection:
        assert content_of(connection) == content
    result = {"version": duckdb.__version__, "labels": results, "tables": list(content), "notes": notes}
    print(json.dumps(result))


main()
