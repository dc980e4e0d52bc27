"""The install without extras: everything but pictures and compiled loops works, and messages name extras."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

from exports import ROOT
from log_lines import as_on_terminal
from only_declared import PROJECT, distribution_of, modules_of

EXPORT = str(ROOT / "data" / "classifications.csv")
CONFIG = str(ROOT / "data" / "config.yaml")
#: All but `gpkg`, which needs the extra `geo`, with the endings of their files.
FORMATS = {
    "panoptes-csv": "",
    "geojson": ".geojson",
    "coco": ".json",
    "yolo": "",
    "masks": "",
    "labelstudio": ".json",
    "levels": ".parquet",
}


def declared(*extras: str) -> set[str]:
    """Return the direct dependencies in pyproject.toml."""
    requirements = [*PROJECT["dependencies"]]
    for extra in extras:
        requirements += PROJECT["optional-dependencies"][extra]
    return {distribution_of(line) for line in requirements}


def imported(path: Path) -> set[str]:
    """Return the third-party packages that a file imports anywhere."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
    tops = {name.partition(".")[0] for name in names}
    return tops - sys.stdlib_module_names - {"polyframe"}


def test_every_import_is_declared() -> None:
    files = list((ROOT / "polyframe").rglob("*.py"))
    extras = [name for name in PROJECT["optional-dependencies"] if name not in ("docs", "guide", "test")]
    allowed = set(modules_of(declared(*extras)))
    used = set().union(*map(imported, files))
    assert used <= allowed
    # Conversely, every dependency is used.
    for name in declared():
        assert set(modules_of({name})) & used, f"{name} is declared, but nothing imports it"


def test_without_extras_everything_else_works(tmp_path: Path) -> None:
    later = [
        ["reduce", "out", "--average", "union", "-q"],
        ["contours", "out", "--contour-method", "raster", "-q"],
        ["status", "out"],
        ["validate", "out"],
        *(["export", "out", "--to", to, "-o", f"exported-{to}{ending}"] for to, ending in FORMATS.items()),
        ["config", str(ROOT / "data" / "workflows.csv"), "-o", "configs"],
        ["synth", "toy", "--subjects", "3"],
        ["completion", "fish"],
        ["--version"],
    ]
    calls = [
        ["run", EXPORT, "-c", CONFIG, "-o", "out", "--jobs", "1", "-q"],
        ["extract", EXPORT, "-c", CONFIG, "-o", "extracted", "--jobs", "1", "-q"],
        *later,
        ["export", "out", "--to", "gpkg", "-o", "exported.gpkg"],
        ["plot", "out", "-o", "x.png"],
        ["run", EXPORT, "-c", CONFIG, "-o", "compiled", "--engine", "compiled"],
    ]
    places = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "support" / "only_declared.py"],
        input="\n".join(map(json.dumps, calls)),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
        capture_output=True,
        text=True,
        check=True,
    )
    codes = [line for line in done.stdout.splitlines() if line in ("0", "1", "2")]
    *notes, package, pictures, loops = as_on_terminal(done.stderr).splitlines()
    assert codes == [*["0"] * (len(calls) - 3), "1", "1", "2"], (calls, done.stdout, done.stderr)
    assert not [note for note in notes if "error" in note]
    assert package == (
        "polyframe: error: export to gpkg needs pyogrio: pip install 'panoptes-polyframe[geo]'"
    )
    assert pictures == "polyframe: error: pictures need Matplotlib: pip install 'panoptes-polyframe[plot]'"
    assert loops.endswith(
        "engine: 'compiled' needs numba; install it with: pip install 'panoptes-polyframe[fast]'"
    )
    assert not (tmp_path / "compiled").exists()
    assert "; for compiled: pip install 'panoptes-polyframe[fast]')" in done.stdout


def test_that_test_hides_undeclared_packages() -> None:
    """Otherwise it could not fail."""
    code = (
        "import sys, io, importlib.util, only_declared\n"
        "sys.stdin = io.StringIO(''); only_declared.main()\n"
        "print([name for name in sys.argv[1:] if importlib.util.find_spec(name)])"
    )
    places = [str(ROOT), str(ROOT / "tests" / "support"), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-c", code, "matplotlib", "numba", "PIL", "pytest", "hypothesis", "numpy", "click"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
        capture_output=True,
        text=True,
        check=True,
    )
    # Only declared ones can be imported.
    assert done.stdout == "['numpy', 'click']\n"
