"""Share output directories between the tests of all kinds of warehouses."""

from pathlib import Path

import pytest
from environments import json_from, python_with
from exports import ROOT
from nights import nightly_outputs

import polyframe as pf


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the output directory of the example project."""
    out = tmp_path_factory.mktemp("example") / "out"
    pf.run(ROOT / "data" / "classifications.csv", out, ROOT / "data" / "config.yaml", say=str)
    return out


@pytest.fixture(scope="session")
def nights(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the output directory after each of ten nights: parts that grow, are split, and stay."""
    return nightly_outputs(tmp_path_factory.mktemp("nights"), 10)


@pytest.fixture(scope="session")
def ducklake_packages() -> str:
    """Return a folder with the packages of DuckDB's extension `ducklake` and of the DuckDB that it needs."""
    python = python_with("ducklake", ["duckdb-extension-ducklake==1.5.5"])
    return str(json_from(python, "import duckdb, json; print(json.dumps(duckdb.__path__))")[0]) + "/.."
