"""What several tests share: the real project, and the reference tool in an environment of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from exports import ROOT, Done, drawing, export_row, export_text, square

from polyframe import cli

REFERENCE = "panoptes_aggregation==5.3.1"


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
    given = os.environ.get("POLYFRAME_REFERENCE_PYTHON")
    if given:
        return given
    folder = ROOT / ".venv-reference"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ready = folder / "ready"
    if not ready.exists():
        try:
            _make_reference_environment(folder, python)
        except (subprocess.CalledProcessError, OSError) as error:
            pytest.skip(f"the reference tool cannot be installed ({error}); set POLYFRAME_REFERENCE_PYTHON")
        ready.touch()
    return str(python)


def _make_reference_environment(folder: Path, python: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True, capture_output=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", REFERENCE], check=True, capture_output=True)


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
