"""Readers of Parquet, each in its own process, read the tables with the values worked by hand."""

import datetime as dt
import json
from pathlib import Path

import pytest
from environments import json_from
from hand_made_project import SUBJECTS, check_extractions, check_labels, check_reductions, make_project

import polyframe as pf
from polyframe.core.tables import TABLES


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables of twelve parts each, with known values."""
    return make_project(tmp_path_factory.mktemp("project"))


CHECK_SPEC = """
import importlib.util, json, os, sys
from pathlib import Path
import duckdb

# It would download the spatial extension of DuckDB, which is here in a package.
platform = duckdb.sql("PRAGMA platform").fetchone()[0]
folder = Path(os.environ["HOME"], ".duckdb", "extensions", f"v{duckdb.__version__}", platform)
folder.mkdir(parents=True)
package = Path(importlib.util.find_spec("duckdb_extension_spatial").origin).parent
(folder / "spatial.duckdb_extension").symlink_to(next(package.rglob("spatial.duckdb_extension")))

from geoparquet_io.core.validate import validate_geoparquet
results = [validate_geoparquet(path) for path in sys.argv[1:]]
print(json.dumps([[[check.name, check.status.value] for check in result.checks] for result in results]))
"""


def test_geoparquet_io(project: Path, readers_python: str, tmp_path: Path) -> None:
    """The checks of `gpio check spec` pass, other than those of the CRS, which images do not have.

    This version takes pixels for degrees. The next one does not, but it needs a version of DuckDB for which
    PyPI has no spatial extension.
    """
    files = [project / table / "part-00000.parquet" for table in ("reductions", "contours")]
    pf.export(project, "levels", tmp_path / "levels.parquet")
    files.append(tmp_path / "levels.parquet")
    for checks in json_from(readers_python, CHECK_SPEC, *files, HOME=str(tmp_path)):
        status = dict(checks)
        problems = {name for name, value in checks if value not in ("passed", "skipped")}
        assert problems <= {"crs_valid_geometry", "coordinates_valid_for_crs_geometry"}
        assert status["crs_valid_geometry"] == "warning"
        for name in ("geometry_byte_array_geometry", "bbox_valid_geometry"):
            assert status[name] == "passed"
        assert len(checks) > 20


SORTED_TABLES = """
import json, sys
from chdb.session import Session
tables = json.loads(sys.argv[2])
session = Session()
session.query("CREATE DATABASE polyframe")
rows = {}
for name, keys in tables.items():
    session.query(
        f"CREATE TABLE polyframe.{name} ENGINE = MergeTree ORDER BY ({', '.join(keys)}) "
        f"AS SELECT * FROM file('{sys.argv[1]}/{name}/*.parquet', Parquet)"
    )
    found = session.query(f"SELECT * FROM polyframe.{name} ORDER BY ALL", "JSON")
    rows[name] = json.loads(str(found))["data"]
print(json.dumps(rows))
"""


def test_clickhouse(project: Path, readers_python: str) -> None:
    """Sorted tables by our keys, without `allow_nullable_key`."""
    tables = {
        name: [key for key in table.sort_by if key != "created_at"]
        for name, table in TABLES.items()
        if name != "rejects"
    }
    rows = json_from(readers_python, SORTED_TABLES, project, json.dumps(tables))
    for name in tables:
        assert len(rows[name]) == pf.scan(project, name).collect().height
    areas = [row["contours_area"] for row in rows["contours"]]
    assert areas == [[120, 100, 80]] * len(SUBJECTS)


READ_ROWS = """
import json, sys
from pathlib import Path
import pandas
from fastparquet import ParquetFile

def plain(value):
    if isinstance(value, bytes):
        return value.hex()
    if hasattr(value, "isoformat"):
        return None if pandas.isna(value) else value.isoformat()
    if hasattr(value, "tolist"):
        return value.tolist()
    return value if isinstance(value, list) or not pandas.isna(value) else None

rows = {}
for name in sys.argv[2:]:
    parts = sorted(map(str, (Path(sys.argv[1]) / name).glob("*.parquet")))
    frame = ParquetFile(parts).to_pandas()
    rows[name] = [{key: plain(value) for key, value in row.items()} for row in frame.to_dict("records")]
print(json.dumps(rows, default=lambda number: number.item()))
"""


def test_fastparquet(project: Path, readers_python: str) -> None:
    rows = json_from(readers_python, READ_ROWS, project, *TABLES)
    for name, found in rows.items():
        stored = pf.scan(project, name).collect()
        assert len(found) == stored.height
        for column in stored.drop("contours_x", "contours_y", strict=False):
            assert sum(row[column.name] is None for row in found) == column.null_count()
    for row in (*rows["labels"], *rows["extractions"]):
        time = row["created_at"]
        # It drops the time zone.
        row["created_at"] = None if time is None else dt.datetime.fromisoformat(time).replace(tzinfo=dt.UTC)
    check_labels(rows["labels"])
    check_extractions(rows["extractions"])
    check_reductions([{**row, "geometry": bytes.fromhex(row["geometry"])} for row in rows["reductions"]])
    assert [row["number_of_contours"] for row in rows["contours"]] == [3] * len(SUBJECTS)
    # Lists of lists are not read.
    assert {row["contours_x"] for row in rows["contours"]} == {None}


DELTA = """
import importlib.util, json, sys
from pathlib import Path
import duckdb

connection = duckdb.connect()
results = []
for name in ("delta", "spatial"):
    package = Path(importlib.util.find_spec(f"duckdb_extension_{name}").origin).parent
    path = next(package.rglob(f"{name}.duckdb_extension"))
    connection.execute(f"LOAD '{path}'")
    if name == "delta":
        connection.execute("SET enable_geoparquet_conversion = false")
    lake, out, tables = sys.argv[1], sys.argv[2], sys.argv[3:]
    for table in tables:
        delta, files = f"FROM delta_scan('{lake}/{table}')", f"FROM '{out}/{table}/*.parquet'"
        counts = [
            connection.sql(f"SELECT count(*) FROM ({query})").fetchone()[0]
            for query in (delta, files, f"{delta} EXCEPT ALL {files}", f"{files} EXCEPT ALL {delta}")
        ]
        results.append((table, *counts))
print(json.dumps(results))
"""


def test_duckdb_delta(project: Path, readers_python: str, tmp_path: Path) -> None:
    """Delta tables have the rows of the files, without and with the spatial extension."""
    pf.load(project, f"delta:{tmp_path}/lake", say=str)
    results = json_from(readers_python, DELTA, tmp_path / "lake", project, *TABLES)
    assert [table for table, *_ in results] == [*TABLES, *TABLES]
    for table, in_delta, in_files, too_many, missing in results:
        rows = pf.scan(project, table).collect().height
        assert (in_delta, in_files, too_many, missing) == (rows, rows, 0, 0), table
