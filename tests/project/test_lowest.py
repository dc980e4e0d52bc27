"""The lowest declared versions, without pandas: they give the same values, and core tests pass."""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import polars as pl
import pytest
from all_outputs import CONFIG, EXPORT, all_outputs, run_python
from environments import is_lowest_python, lowest_versions, python_with
from exports import ROOT
from polars.testing import assert_frame_equal

from polyframe.core.tables import TABLES

CORE = (
    *("core/test_ragged.py", "core/test_tables.py", "core/test_frames.py"),
    *("store/test_part_files.py", "store/test_lock.py", "store/test_status.py"),
    *("store/test_manifest.py", "consensus/test_reduction.py", "pipeline/test_run.py"),
    *("panoptes/test_sources.py", "panoptes/test_version_selection.py"),
    *("geometry/test_exact_contours.py", "geometry/test_averages.py"),
)
#: Packages of the extra `test` that those tests use, and DuckDB, which reads the tables.
TOOLS = ("pytest", "hypothesis", "duckdb")


@pytest.fixture(scope="module")
def lowest() -> str:
    """A Python with the lowest versions: POLYFRAME_LOWEST_PYTHON, or an environment installed for it."""
    if not is_lowest_python():
        pytest.skip("the lowest versions are tested with the lowest Python")
    tools = [line for line in lowest_versions("test", "duckdb") if line.split("==")[0] in TOOLS]
    return python_with("lowest", [*lowest_versions("fast", "plot", "report"), *tools])


def test_the_environment_has_the_lowest_versions(lowest: str) -> None:
    command = [sys.executable, "-m", "pip", "--python", lowest, "list", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    installed = {entry["name"].lower(): entry["version"] for entry in json.loads(done.stdout)}
    assert "pandas" not in installed
    for line in lowest_versions("fast", "plot", "report"):
        name, _, version = line.partition("==")
        actual = [int(number) for number in installed[name.lower()].split(".")]
        expected = [int(number) for number in version.split(".")]
        assert actual == expected + [0] * (len(actual) - len(expected)), line


@pytest.fixture(scope="module")
def lowest_output(lowest: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of everything that the command line writes with the lowest versions."""
    folder = tmp_path_factory.mktemp("lowest") / "output"
    all_outputs(folder, lowest)
    return folder


def test_the_lowest_versions_write_the_same_tables(lowest_output: Path, tmp_path: Path) -> None:
    latest_output = tmp_path / "output"
    names = {str(path.relative_to(lowest_output)) for path in lowest_output.rglob("*") if path.is_file()}
    assert _public(names) == _public(all_outputs(latest_output))
    for output in ("out", "older"):
        for table in TABLES:
            latest, oldest = (
                pl.read_parquet(folder / output / table) for folder in (latest_output, lowest_output)
            )
            # Versions of GEOS round differently.
            binary = {"geometry"} & set(latest.columns)
            assert_frame_equal(latest.drop(binary), oldest.drop(binary), abs_tol=1e-6)


def _public(names: Iterable[str]) -> set[str]:
    """Return the names outside the store, whose parts are named by hashes that depend on Polars."""
    return {name for name in names if ".polyframe" not in Path(name).parts}


def test_duckdb_of_the_lowest_version_reads_the_tables(lowest: str, lowest_output: Path) -> None:
    code = (
        "import duckdb, json, sys\n"
        "for table in sys.argv[1:]:\n"
        "    duckdb.sql(f\"CREATE TABLE {table} AS FROM 'out/{table}/*.parquet'\")\n"
        "    print(json.dumps([table, duckdb.sql(f'SELECT count(*) FROM {table}').fetchone()[0]]))\n"
    )
    done = run_python("-c", code, *TABLES, cwd=lowest_output, python=lowest)
    assert done.returncode == 0, done.stderr
    counts = dict(json.loads(line) for line in done.stdout.splitlines())
    assert counts == {table: pl.read_parquet(lowest_output / "out" / table).height for table in TABLES}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder for compiled loops; two versions of numba would replace each other's in the usual one."""
    return str(tmp_path_factory.mktemp("compiled"))


@pytest.mark.slow
def test_compiled_loops_and_pictures_with_the_lowest_versions(
    lowest: str, lowest_output: Path, cache: str
) -> None:
    """The lowest versions of numba, Matplotlib and Pillow work."""
    calls = (
        ["run", EXPORT, "-c", CONFIG, "-o", "compiled", "--engine", "compiled", "--jobs", "1", "-q"],
        ["validate", "compiled"],
        ["plot", "compiled", "-o", "overview.png"],
    )
    for call in calls:
        done = run_python("-m", "polyframe", *call, cwd=lowest_output, python=lowest, NUMBA_CACHE_DIR=cache)
        assert done.returncode == 0, done.stdout + done.stderr
    areas = [
        pl.read_parquet(lowest_output / output / "contours")["contours_area"].explode()
        for output in ("out", "compiled")
    ]
    assert areas[0].to_list() == pytest.approx(areas[1].to_list(), abs=1e-6)
    assert len(areas[0]) > 50
    assert (lowest_output / "overview.png").stat().st_size > 1000


@pytest.mark.slow
def test_core_tests_pass_with_the_lowest_versions(lowest: str, cache: str, tmp_path: Path) -> None:
    chosen = ["-q", "-p", "no:cacheprovider", "-m", "not slow and not network and not browser"]
    done = run_python(
        *("-m", "pytest", *chosen, "--basetemp", tmp_path / "tests"),
        *(ROOT / "tests" / name for name in CORE),
        cwd=ROOT,
        python=lowest,
        POLYFRAME_REQUIRE_ALL="",
        NUMBA_CACHE_DIR=cache,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout.splitlines()[-1]
