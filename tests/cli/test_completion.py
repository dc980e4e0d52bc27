"""Shell completion: the answers, and the scripts that ask for them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from exports import ROOT, Done

from polyframe.cli.app import cli

Call = Callable[..., Done]


@pytest.fixture
def complete(polyframe: Call, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """Return a function that completes a line as bash does; each answer is `kind,value`."""

    def ask(line: str) -> list[str]:
        monkeypatch.setenv("_POLYFRAME_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        done = polyframe()
        assert (done.code, done.err) == (0, "")
        return done.out.split()

    return ask


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("polyframe re", ["plain,reduce", "plain,report"]),
        ("polyframe ", [f"plain,{name}" for name in cli.commands]),
        (
            "polyframe run --average ",
            ["plain,median", "plain,majority", "plain,union", "plain,intersection", "plain,last"],
        ),
        ("polyframe run a.csv --no-con", ["plain,--no-contours"]),
        ("polyframe export out --to geo", ["plain,geojson"]),
        ("polyframe export out --what ", ["plain,reductions", "plain,contours", "plain,extractions"]),
        ("polyframe completion ", ["plain,bash", "plain,zsh", "plain,fish"]),
        ("polyframe run data/cl", ["file,data/cl"]),
        ("polyframe run a.csv -c ", ["file,"]),
        ("polyframe run a.csv -o o", ["dir,o"]),
        ("polyframe reduce o", ["file,o"]),
        ("polyframe contours o", ["dir,o"]),
        ("polyframe status o", ["dir,o"]),
        ("polyframe validate o", ["dir,o"]),
        ("polyframe export o", ["dir,o"]),
        ("polyframe export out --classifications d", ["file,d"]),
        ("polyframe plot o", ["dir,o"]),
        ("polyframe report o", ["dir,o"]),
        ("polyframe report out --images d", ["dir,d"]),
        ("polyframe tune o", ["dir,o"]),
        ("polyframe score o", ["dir,o"]),
        ("polyframe score out --gold d", ["file,d"]),
        ("polyframe score out --gold gold_st", ["plain,gold_standard", "file,gold_st"]),
        ("polyframe tune out --gold g", ["plain,gold_standard", "file,g"]),
        ("polyframe score out --gold-w", ["plain,--gold-workflow-id", "plain,--gold-workflow-version"]),
        ("polyframe tune out --gold-w", ["plain,--gold-workflow-id", "plain,--gold-workflow-version"]),
        ("polyframe run a.csv --exclude-volunteers b", ["file,b"]),
        ("polyframe volunteers o", ["dir,o"]),
        ("polyframe subjects o", ["dir,o"]),
        ("polyframe plot out --images d", ["dir,d"]),
        ("polyframe plot out --subjects d", ["file,d"]),
    ],
)
def test_answers(line: str, answer: list[str], complete: Callable[[str], list[str]]) -> None:
    assert complete(line) == answer


def test_completion_imports_no_libraries() -> None:
    code = (
        "import sys; from polyframe.cli import app\n"
        "try: app.main()\n"
        "except SystemExit: pass\n"
        "print([m for m in ('polars', 'numpy', 'shapely', 'pyarrow', 'scipy') if m in sys.modules])"
    )
    variables = {
        "_POLYFRAME_COMPLETE": "bash_complete",
        "COMP_WORDS": "polyframe run --fil",
        "COMP_CWORD": "2",
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split("\n") == ["plain,--filter", "[]", ""]


@pytest.fixture
def program(tmp_path: Path) -> dict[str, str]:
    """Return environment variables with which a shell finds the program `polyframe`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "polyframe").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m polyframe "$@"\n')
    (folder / "polyframe").chmod(0o755)
    modules = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": os.pathsep.join(modules)}


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes(program: dict[str, str]) -> None:
    script = (
        'eval "$(polyframe completion bash)"\n'
        "complete -p polyframe\n"
        'ask() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); '
        '_polyframe_completion polyframe; echo "${COMPREPLY[@]}"; }\n'
        "ask polyframe va\n"
        'ask polyframe run --contour-method ""\n'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script], env=program, capture_output=True, text=True, check=True
    )
    registered, *answers = done.stdout.splitlines()
    assert registered.endswith("-F _polyframe_completion polyframe")
    assert answers == ["validate vacuum", "exact raster"]
    assert done.stderr == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_call_the_program(shell: str, polyframe: Call) -> None:
    done = polyframe("completion", shell)
    assert done.code == 0
    assert f"_POLYFRAME_COMPLETE={shell}_complete" in done.out
    assert {"bash": "complete -o nosort -F", "zsh": "#compdef polyframe", "fish": "complete --no-files"}[
        shell
    ] in done.out
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=done.out, text=True, check=True)
