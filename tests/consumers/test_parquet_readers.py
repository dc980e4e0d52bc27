"""Readers of Parquet, each in its own process, read the tables with the values worked by hand."""

import datetime as dt
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from consumers import requirements
from environments import python_with
from hand_made_project import SUBJECTS, check_extractions, check_labels, check_reductions, make_project

import polyframe as pf
from polyframe.core.tables import TABLES


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables of twelve parts each, with known values."""
    return make_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def readers_python() -> str:
    """Return a Python with the readers."""
    return python_with("readers", requirements("tests/consumers/test_parquet_readers.py"))


def run(python: str, code: str, *arguments: object) -> Any:
    """Run code in another Python, with arguments in `sys.argv`, and return the JSON that it prints last."""
    command = [python, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


CHECK_SPEC = """
import json, sys
from geoparquet_io.core.validate import validate_geoparquet
results = {path: validate_geoparquet(path) for path in sys.argv[1:]}
print(json.dumps({
    path: [[check.name, check.status.value, check.message] for check in result.checks]
    for path, result in results.items()
}))
"""


def test_geoparquet_io(project: Path, readers_python: str) -> None:
    parts = [project / table / "part-00000.parquet" for table in ("reductions", "contours")]
    checks = run(readers_python, CHECK_SPEC, *parts)
    for part in parts:
        assert len(checks[str(part)]) > 20
        assert [check for check in checks[str(part)] if check[1] not in ("passed", "skipped")] == []


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
    rows = run(readers_python, SORTED_TABLES, project, json.dumps(tables))
    for name in tables:
        assert len(rows[name]) == pf.scan(project, name).collect().height
    areas = [row["contours_area"] for row in rows["contours"]]
    assert areas == [[120, 100, 80]] * len(SUBJECTS)


READ_ROWS = """
import json, sys
from pathlib import Path
from fastparquet import ParquetFile

def plain(value):
    if isinstance(value, bytes):
        return value.hex()
    if hasattr(value, "isoformat"):
        return None if value != value else value.isoformat()
    if hasattr(value, "tolist"):
        value = value.tolist()
    return None if value != value else value

rows = {}
for name in sys.argv[2:]:
    parts = sorted(map(str, (Path(sys.argv[1]) / name).glob("*.parquet")))
    frame = ParquetFile(parts).to_pandas()
    rows[name] = [{key: plain(value) for key, value in row.items()} for row in frame.to_dict("records")]
print(json.dumps(rows))
"""


def test_fastparquet(project: Path, readers_python: str) -> None:
    names = ["labels", "extractions", "reductions", "contours"]
    rows = run(readers_python, READ_ROWS, project, *names)
    for row in (*rows["labels"], *rows["extractions"]):
        time = row["created_at"]
        row["created_at"] = None if time is None else dt.datetime.fromisoformat(time)
    check_labels(rows["labels"])
    check_extractions(rows["extractions"])
    check_reductions([{**row, "geometry": bytes.fromhex(row["geometry"])} for row in rows["reductions"]])
    assert [row["number_of_contours"] for row in rows["contours"]] == [3] * len(SUBJECTS)
    # Lists of lists are not read.
    assert {row["contours_x"] for row in rows["contours"]} == {None}
