"""The command and the function load the tables of a project; what they say about it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from duckdb_content import files_of, rows_of
from exports import ROOT, Done
from nights import run_night
from s3_server import Bucket

import polyframe as pf
from polyframe.core.tables import TABLES
from polyframe.export.load import duckdb_target
from polyframe.export.load.target import ReplacedRows, TableChange

Call = Callable[..., Done]


def test_the_command_says_what_it_loaded(example: Path, tmp_path: Path, polyframe: Call) -> None:
    address = f"duckdb:///{tmp_path / 'project.duckdb'}"
    done = polyframe("load", example, "--to", address)
    lines = done.out.splitlines()
    assert (done.code, done.err, len(lines)) == (0, "", 1 + len(TABLES))
    for name, line in zip(TABLES, lines, strict=False):
        rows = files_of(example, name).height
        assert line.split() == f"{name} 1 of 1 part inserted: {rows} rows inserted, 0 rows deleted".split()
    assert lines[-1].endswith(f" s, tables in {address}")

    again = polyframe("load", example, "--to", address).out.splitlines()
    assert [line.split(None, 1)[1] for line in again[:-1]] == ["up to date, 1 part"] * len(TABLES)
    assert polyframe("load", example, "--to", address, "-q") == Done(0, "", "")


def test_the_function_returns_the_same_and_reports_progress(nights: list[Path], tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    loaded = pf.load(
        nights[4],
        f"duckdb:///{tmp_path / 'x.duckdb'}",
        say=pytest.fail,
        progress=lambda *step: steps.append(step),
    )
    parts = sum(table.parts_inserted for table in loaded.tables.values())
    assert steps == [(done, parts) for done in range(1, parts + 1)]
    labels = files_of(nights[4], "labels").height
    assert loaded.tables["labels"].rows_inserted == labels
    assert f"labels           3 of 3 parts inserted: {labels} rows inserted, 0 rows deleted" in str(loaded)
    assert "<polyframe.Loaded>" in repr(loaded)
    assert "<td" in loaded._repr_html_()


def test_a_run_during_a_load_does_not_change_what_is_loaded(
    nights: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_night(tmp_path, 4)
    replace_parts, loaded_tables = duckdb_target.DuckDBTarget.replace_parts, []

    def with_a_run(target: duckdb_target.DuckDBTarget, change: TableChange, inserted: Any) -> ReplacedRows:
        loaded_tables.append(change.table.name)
        if len(loaded_tables) == 3:
            run_night(tmp_path, 5)
        return replace_parts(target, change, inserted)

    monkeypatch.setattr(duckdb_target.DuckDBTarget, "replace_parts", with_a_run)
    address = f"duckdb:///{tmp_path / 'project.duckdb'}"
    pf.load(tmp_path / "out", address)
    assert len(loaded_tables) == len(TABLES)
    monkeypatch.undo()
    with duckdb.connect(address.removeprefix("duckdb:///")) as connection:
        for name in TABLES:
            assert rows_of(connection, name).equals(files_of(nights[3], name)), name
    assert pf.load(tmp_path / "out", address).tables["labels"].parts_inserted > 0


def test_an_output_in_a_bucket(
    example: Path, tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, polyframe: Call
) -> None:
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    export, config = ROOT / "data" / "classifications.csv", ROOT / "data" / "config.yaml"
    out, database = f"{bucket.url}/project", tmp_path / "project.duckdb"
    assert polyframe("run", export, "-c", config, "-o", out, "-q").code == 0
    done = polyframe("load", out, "--to", f"duckdb:///{database}")
    assert done.code == 0, done.err
    with duckdb.connect(str(database)) as connection:
        for name in TABLES:
            assert rows_of(connection, name).equals(files_of(example, name)), name
    # The parts of the bucket are those of a local directory.
    assert all(
        table.parts_inserted == 0 for table in pf.load(example, f"duckdb:///{database}").tables.values()
    )


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (None, "to: expected an address such as duckdb:///project.duckdb"),
        ("project.duckdb", "to: 'project.duckdb' is not the address of a warehouse; expected one such as"),
        ("duckbd:///x", "is not the address of a warehouse; did you mean 'duckdb'?"),
        ("mysql://ann:secret@host/db", "to: 'mysql:...' is not the address of a warehouse"),
        ("https://ann:a/secret@host/x?sig=secret", "to: 'https:...' is not the address of a warehouse"),
    ],
)
def test_addresses_of_no_warehouse(example: Path, address: str, message: str) -> None:
    with pytest.raises(pf.UsageError) as caught:
        pf.load(example, address)
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)


def test_what_is_not_an_output_directory_leaves_no_database(tmp_path: Path, polyframe: Call) -> None:
    done = polyframe("load", tmp_path, "--to", f"duckdb:///{tmp_path / 'x.duckdb'}")
    assert done.code == 1
    assert "not a polyframe output directory" in done.err
    assert not list(tmp_path.iterdir())
