"""The README and the pages say what the commands print; the code is checked and typed."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from doc_pages import DOCS, README, blocks, without_sizes
from exports import ROOT, Done
from project_files import project_files

import polyframe as pf
from polyframe.core.extras import DISTRIBUTION

Call = Callable[..., Done]


def test_the_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 120


def test_ci_runs_the_readmes_test_command() -> None:
    command = blocks(README, "sh")[1].strip()
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_windows_commands_do_the_same() -> None:
    (powershell,) = blocks(README, "powershell")
    commands = [
        re.sub(r"python3|py(?= -m venv)", "python", line).replace("\\", "/").replace("Scripts", "bin")
        for line in powershell.replace(";", " &&").replace('"', "'").splitlines()
    ]
    expected = [block.strip().replace("python3", "python") for block in blocks(README, "sh")[:2]]
    assert commands == expected


def run_arguments() -> list[str]:
    return blocks(README, "sh")[0].split("polyframe run ")[1].split()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "data", tmp_path / "data")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("checkout")
def test_the_guide_shows_what_validate_prints_for_a_damaged_output(polyframe: Call) -> None:
    assert polyframe("run", *run_arguments()).code == 0
    shown = [without_sizes(block) for block in blocks(DOCS / "guide" / "operating.md", "text")]
    os.truncate("out/labels/part-00000.parquet", 6000)
    Path("out/groups/notes.txt").touch()
    assert without_sizes(polyframe("validate", "out").out) in shown


def test_commands_of_the_reference_work_on_the_example(
    tmp_path: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\| `polyframe (.*?)` \|", text, re.MULTILINE)
    assert len(commands) == 20
    shutil.copy(ROOT / "data" / "workflows.csv", "WORKFLOWS.csv")
    shutil.copy(ROOT / "data" / "expert.geojson", "GOLD.geojson")
    shutil.copy(ROOT / "tests" / "panoptes" / "extractions.csv", "EXTRACTIONS.csv")
    corrected = {"images": [{"id": 1, "file_name": "1000001-0.png"}], "annotations": []}
    Path("CORRECTED.json").write_text(json.dumps(corrected), encoding="utf-8")
    for command in commands:
        if "EXTRACTIONS" in command:
            command = command.replace("OUT", "other")
        command = command.replace("CLASSIFICATIONS", str(ROOT / "data" / "classifications.csv"))
        done = polyframe(*command.replace("CONFIG.yaml", str(ROOT / "data" / "config.yaml")).split())
        assert done.code == 0, (command, done.err)


@pytest.mark.usefixtures("checkout")
def test_python_of_the_guide_gives_what_its_comments_say() -> None:
    Path("guide.py").write_text(
        "\n".join(blocks(DOCS / "guide" / "python.md", "python"))
        + "\nassert pf.status('out').tables['labels'].rows == 232"
        + "\nassert pf.validate('out') == []"
        + "\nassert pf.report('out', 'report.html').clusters == 36"
        + "\nassert abs(g.consensus(g.iou_distance_matrix(squares)) - 1 / 3) < 1e-12"
        + "\nassert [level.area for level in g.contours(squares)] == [1.5, 0.5]"
        + "\nassert result.reductions.height == contours.height == 36\n",
        encoding="utf-8",
    )
    subprocess.run([sys.executable, "guide.py"], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("command", [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]])
def test_code_is_linted_formatted_and_typed(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_public_names() -> None:
    stages = {"run", "extract", "reduce", "contours", "config"}
    of_outputs = {"tune", "score", "export", "report", "scan", "status", "validate", "vacuum"}
    assert stages | of_outputs <= set(dir(pf))
    with pytest.raises(AttributeError):
        _ = pf.nonsense


def test_functions_keep_their_names_after_every_import() -> None:
    """A module that is named like a function must not take its place."""
    code = (
        "import pkgutil, importlib, polyframe as pf\n"
        "for module in pkgutil.walk_packages(pf.__path__, 'polyframe.'):\n"
        "    if not module.name.endswith('__main__'): importlib.import_module(module.name)\n"
        "assert all(callable(getattr(pf, name)) for name in pf.__all__ if not name.startswith('__'))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_extras_are_those_of_our_distribution() -> None:
    """On PyPI `polyframe` is somebody else's: no message or page may advise to install that."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == DISTRIBUTION
    texts = [ROOT / path for path in project_files() if path.suffix in (".py", ".md", ".ipynb", ".toml")]
    assert len(texts) > 100
    for path in texts:
        for line in path.read_text(encoding="utf-8").splitlines():
            assert not re.search(r"(?<!panoptes-)polyframe\[[a-z]", line), (path, line)
            assert not re.search(r"pip install (--\S+ )*['\"]?polyframe\b", line), (path, line)
