"""Make all outputs of the example in a separate process, to compare them between environments."""

import os
import subprocess
import sys
from pathlib import Path

from exports import ROOT

CONFIG = ROOT / "data" / "config.yaml"
OLDER = ROOT / "data" / "config-older.yaml"
EXPORT = ROOT / "data" / "classifications.csv"


def run_python(
    *arguments: object, cwd: Path, python: str = sys.executable, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run Python so that it can import polyframe."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.run(
        [python, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **variables},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def all_outputs(folder: Path, python: str = sys.executable, **variables: str) -> dict[str, bytes]:
    """Make tables, exports, a report and a synthetic export; return all files by name."""
    folder.mkdir()
    calls = [
        ["run", EXPORT, "-c", CONFIG, "-o", "out", "--engine", "shapely", "--jobs", "1", "-q"],
        ["run", EXPORT, "-c", OLDER, "-o", "older", "--engine", "shapely", "--jobs", "1", "-q"],
        ["export", "out", "--to", "geojson", "-o", "averages.geojson", "-q"],
        ["export", "out", "--to", "levels", "-o", "levels.parquet", "-q"],
        ["export", "out", "--to", "panoptes-csv", "-o", "csv", "-q"],
        ["report", "older", "-o", "report.html", "-q"],
        ["synth", "synthetic", "--subjects", "3", "-q"],
    ]
    code = (
        "import sys\nfrom polyframe.cli import app\n"
        f"for call in {[[str(argument) for argument in call] for call in calls]!r}:\n"
        "    sys.argv = ['polyframe', *call]\n    app.main()\n"
    )
    done = run_python("-c", code, cwd=folder, python=python, **variables)
    assert done.returncode == 0, done.stderr
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
