"""Imported corrections reach every kind of warehouse: only what differs is written, whatever was there."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from all_outputs import run_python
from corrected_outputs import HISTORY, corrected_outputs
from duckdb_content import files_of, rows_of
from exports import ROOT
from loaded_in_postgres import RECORDS, all_rows
from loaded_in_postgres import rows_of as rows_in_postgres

import polyframe as pf

Rows = dict[str, Any]
#: The address of a warehouse, and functions that return what it contains and what it should contain.
Warehouse = tuple[str, Callable[[], Rows], Callable[[Path], Rows]]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return corrected_outputs(tmp_path_factory.mktemp("corrected"))


def files(output: Path) -> Rows:
    return {name: files_of(output, name).rows() for name in pf.status(output).tables}


def duckdb_warehouse(folder: Path) -> Warehouse:
    path = folder / "project.duckdb"

    def content() -> Rows:
        with duckdb.connect(str(path), read_only=True) as connection:
            names = [name for (name,) in connection.sql("SELECT table_name FROM duckdb_tables()").fetchall()]
            return {name: rows_of(connection, name).rows() for name in names if name != RECORDS}

    return f"duckdb:///{path}", content, files


def delta_warehouse(folder: Path) -> Warehouse:
    lake = folder / "lake"

    def content() -> Rows:
        frames = {path.name: pl.scan_delta(str(path)).collect() for path in lake.iterdir()}
        # A table that an output does not have any longer is empty.
        return {name: sorted(frame.rows(), key=repr) for name, frame in frames.items()}

    def expected(output: Path) -> Rows:
        dropped = {path.name: [] for path in lake.iterdir() if path.name == "corrections"}
        return dropped | {name: sorted(rows, key=repr) for name, rows in files(output).items()}

    return f"delta:{lake}", content, expected


@pytest.fixture(params=["duckdb", "delta", "postgres"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    if request.param == "postgres":
        database = request.getfixturevalue("database")

        def content() -> Rows:
            return {name: rows for name, rows in all_rows(database).items() if name != RECORDS}

        return database.url(), content, rows_in_postgres
    return {"duckdb": duckdb_warehouse, "delta": delta_warehouse}[request.param](tmp_path)


def test_only_what_differs_is_written(outputs: dict[str, Path], warehouse: Warehouse) -> None:
    address, content, expected = warehouse
    before: int | None = None
    for step in (*HISTORY, "changed"):
        notes: list[str] = []
        loaded = pf.load(outputs[step], address, say=notes.append)
        assert content() == expected(outputs[step]), step
        rows = HISTORY[step]
        changed = {name for name, table in loaded.tables.items() if table.parts_inserted}
        if step == "before":
            assert changed == {*loaded.tables}
        elif rows is None:
            assert (changed, "corrections" in loaded.tables) == (set(), False)
            assert notes == [
                "table corrections is removed from the target: the output directory does not have it"
            ]
        else:
            assert changed == {"corrections"}
            table = loaded.tables["corrections"]
            assert (table.rows_deleted, table.rows_inserted) == (before or 0, rows)
        before = rows
        again = pf.load(outputs[step], address, say=pytest.fail)
        assert not any(table.parts_inserted or table.rows_deleted for table in again.tables.values())
        assert content() == expected(outputs[step])


def test_a_ducklake(outputs: dict[str, Path], tmp_path: Path, ducklake_packages: str) -> None:
    search = os.pathsep.join([ducklake_packages, str(ROOT), str(ROOT / "tests" / "support")])
    steps = [outputs[step] for step in (*HISTORY, "changed")]
    arguments = [ROOT / "tests" / "support" / "run_ducklake.py", tmp_path / "project.ducklake", *steps]
    done = run_python(*arguments, cwd=tmp_path, PYTHONPATH=search)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert "corrections" in result["tables"]
    # Parts of other tables stay.
    assert result["labels"] == [[0, 1], *[[1, 0]] * (len(steps) - 1)]
