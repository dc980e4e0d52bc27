"""What the README says is so: generated parts, commands, Python; and the code is checked and typed."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from exports import ROOT, Done
from project_files import project_files

import polyframe as pf
from polyframe.core.documentation import SECTIONS, filled
from polyframe.core.extras import DISTRIBUTION

Call = Callable[..., Done]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_generated_parts_are_up_to_date() -> None:
    assert filled(README) == README
    for section in SECTIONS.values():
        assert section() in README


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_ci_runs_the_readmes_test_command() -> None:
    command = blocks("sh")[1].strip()
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_main_command_says_what_the_readme_shows(
    tmp_path: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = blocks("sh")[0].split("polyframe run ")[1].split()
    shutil.copytree(ROOT / "data", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    done = polyframe("run", *arguments)
    assert done.code == 0
    assert done.out.startswith(blocks("text")[0])


def test_the_readme_shows_what_status_and_validate_print(
    tmp_path: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes may differ a little with the version of Arrow, so that they are not compared."""

    def told(text: str) -> list[str]:
        return [re.sub(r"[\d,]+(?= +1$)|\d+(?= bytes)|(?<=says )\d+", "", line) for line in text.splitlines()]

    shutil.copytree(ROOT / "data", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    assert polyframe("run", *blocks("sh")[0].split("polyframe run ")[1].split()).code == 0
    shown = [told(block) for block in blocks("text")]
    assert told(polyframe("status", "out").out) in shown
    assert told(polyframe("validate", "out").out) in shown
    os.truncate("out/labels/part-00000.parquet", 6000)
    Path("out/groups/notes.txt").touch()
    assert told(polyframe("validate", "out").out) in shown


def test_exports_of_the_readme_say_what_it_shows(
    tmp_path: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "data", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    assert polyframe("run", *blocks("sh")[0].split("polyframe run ")[1].split(), "-q").code == 0
    shown = re.findall(r"```sh\n(polyframe .*?)```\n+(?:```text\n(.*?)```)?", README, re.DOTALL)
    assert shown
    for commands, text in shown:
        ended = [polyframe(*command.split()[1:]) for command in commands.splitlines()]
        assert [done.code for done in ended] == [0] * len(ended), ended
        assert not text or "".join(done.out for done in ended) == text


def test_commands_of_the_table_work_on_the_example(
    tmp_path: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^\| `polyframe (.*?)` \|", README, re.MULTILINE)
    assert len(commands) == 13
    shutil.copy(ROOT / "data" / "workflows.csv", "WORKFLOWS.csv")
    shutil.copy(ROOT / "tests" / "panoptes" / "extractions.csv", "EXTRACTIONS.csv")
    for command in commands:
        if "EXTRACTIONS" in command:
            command = command.replace("OUT", "other")
        command = command.replace("CLASSIFICATIONS", str(ROOT / "data" / "classifications.csv"))
        done = polyframe(*command.replace("CONFIG.yaml", str(ROOT / "data" / "config.yaml")).split())
        assert done.code == 0, (command, done.err)


def test_python_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "data", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "readme.py").write_text(
        blocks("python")[0]
        + "\nassert abs(g.consensus(g.iou_distance_matrix(squares)) - 1 / 3) < 1e-12"
        + "\nassert [level.area for level in g.contours(squares)] == [1.5, 0.5]"
        + "\nassert result.reductions.height == contours.height == 36\n",
        encoding="utf-8",
    )
    subprocess.run([sys.executable, "readme.py"], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("command", [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]])
def test_code_is_linted_formatted_and_typed(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_public_names() -> None:
    stages = {"run", "extract", "reduce", "contours", "config"}
    of_outputs = {"tune", "export", "report", "scan", "status", "validate"}
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
