"""What several tests share: the real project, and tools in environments of their own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from exports import ROOT, Done, drawing, export_row, export_text, square

from polyframe import cli

REFERENCE = "panoptes_aggregation==5.3.1"
#: It brings the version of DuckDB that it was made for.
SPATIAL = "duckdb-extension-spatial==1.5.5"


@pytest.fixture(scope="session")
def cat_project() -> Path:
    """The folder of a real project with published results; it is not part of the repository."""
    folder = ROOT.parent / "shared" / "cat-project"
    if not folder.is_dir():
        pytest.skip("the real project is missing: put it into ../shared/cat-project")
    return folder


@pytest.fixture(scope="session")
def reference_python() -> str:
    """A Python that has the reference tool: POLYFRAME_REFERENCE_PYTHON, or an environment made for it."""
    return _python_with(REFERENCE, "reference")


@pytest.fixture(scope="session")
def spatial_python() -> str:
    """A Python with DuckDB's spatial extension: POLYFRAME_SPATIAL_PYTHON, or an environment made for it."""
    return _python_with(SPATIAL, "spatial")


def _python_with(requirement: str, name: str) -> str:
    """Return the Python of an environment of its own, made at its first use; skip where it cannot be made."""
    variable = f"POLYFRAME_{name.upper()}_PYTHON"
    given = os.environ.get(variable)
    if given:
        return given
    folder = ROOT / f".venv-{name}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ready = folder / "ready"
    if not ready.exists() or ready.read_text() != requirement:
        try:
            _make_environment(folder, python, requirement)
        except (subprocess.CalledProcessError, OSError) as error:
            pytest.skip(f"{requirement} cannot be installed ({error}); set {variable}")
        ready.write_text(requirement)
    return str(python)


def _make_environment(folder: Path, python: Path, requirement: str) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True, capture_output=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", requirement], check=True, capture_output=True)


@pytest.fixture
def polyframe(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Call the command line within this process."""

    def call(*arguments: object) -> Done:
        monkeypatch.setattr("sys.argv", ["polyframe", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return call


@pytest.fixture
def small_export(tmp_path: Path) -> Path:
    """Four volunteers outline one object of subject 1 and one of subject 2; a fifth draws elsewhere."""
    rows = [
        export_row(5 * (subject - 1) + place, drawing(square(shift, 0)), subject_ids=subject)
        for subject in (1, 2)
        for place, shift in enumerate((0, 1, 2, 1, 50))
    ]
    path = tmp_path / "small.csv"
    path.write_text(export_text(rows), encoding="utf-8")
    return path
