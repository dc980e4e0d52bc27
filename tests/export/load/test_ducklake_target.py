"""A DuckLake after several nights equals that of a first load; without its extension, one line says so."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from all_outputs import run_python
from exports import ROOT, Done

import polyframe as pf
from polyframe.core.tables import TABLES

Call = Callable[..., Done]

SUPPORT = ROOT / "tests" / "support"


def test_nights_equal_a_load_from_scratch(nights: list[Path], tmp_path: Path, ducklake_packages: str) -> None:
    """Also an earlier night, one without names, and after changes by hand.

    A second load of each makes no snapshot. Without names, the table `volunteers` is empty.
    """
    without_names = tmp_path / "without"
    export = nights[0].parent / "classifications.csv"
    pf.run(export, without_names, volunteers="drop", engine="shapely", jobs=1, say=str)
    history = [without_names, nights[4], nights[8], nights[2]]
    search = os.pathsep.join([ducklake_packages, str(ROOT), str(SUPPORT)])
    arguments = [SUPPORT / "run_ducklake.py", tmp_path / "project.ducklake", *history]
    done = run_python(*arguments, cwd=tmp_path, PYTHONPATH=search)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["version"] != duckdb.__version__
    assert set(result["tables"]) == {*TABLES, "polyframe_loads"}
    kept, inserted = zip(*result["labels"], strict=True)
    assert sum(kept) >= 1
    assert sum(inserted) >= 10
    assert result["notes"] == [
        f"table {name}: somebody changed rows in 1 part; it is loaded again"
        for name in ("labels", "volunteers")
    ]


def test_without_the_extension_one_line_says_how_to_install_it(
    nights: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, polyframe: Call
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    done = polyframe("load", nights[0], "--to", "ducklake:postgres:host=h password=secret")
    install = "install it once with python -c \"import duckdb; duckdb.sql('INSTALL ducklake')\""
    assert (done.code, done.out) == (1, "")
    assert f"ducklake:postgres:host=h password=***: DuckDB {duckdb.__version__} has no extension" in done.err
    assert done.err.rstrip().endswith(install)
    assert not list(tmp_path.iterdir())


def test_slashes_as_of_other_targets(nights: list[Path]) -> None:
    with pytest.raises(pf.UsageError, match="is not a DuckLake as DuckDB writes it: ducklake:project"):
        pf.load(nights[0], "ducklake:///project.ducklake")
