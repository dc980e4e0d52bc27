"""`polyframe demo`: an example project with its tables and its report."""

import filecmp
import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import pytest
from exports import ROOT, Done

import polyframe as pf

Call = Callable[..., Done]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The current folder of a call, and what it printed."""
    from click.testing import CliRunner

    from polyframe.cli.app import cli

    folder = tmp_path_factory.mktemp("first hour")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        result = CliRunner().invoke(cli, ["demo", "my demo"], catch_exceptions=False)
    assert result.exit_code == 0
    return folder, result.stdout


def test_it_ends_with_the_report(shown: tuple[Path, str]) -> None:
    folder, text = shown
    first, *_, last = text.splitlines()
    assert first == "my demo: an example project: 131 classifications, with images"
    page = Path(url2pathname(unquote(urlsplit(last.strip()).path)))
    assert page.samefile(folder / "my demo" / "report.html")
    html = page.read_text(encoding="utf-8")
    assert html.count("data:image/jpeg;base64,") == 16
    assert "36 clusters and 16 outliers" in text


def test_the_project_is_that_of_the_source(shown: tuple[Path, str]) -> None:
    demo = shown[0] / "my demo"
    names = [path.name for path in (ROOT / "data").iterdir() if path.is_file()]
    assert filecmp.cmpfiles(ROOT / "data", demo, names, shallow=False)[0] == names
    assert len(list((demo / "images").iterdir())) == len(list((ROOT / "data" / "images").iterdir()))
    assert pf.validate(demo / "out") == []


@pytest.mark.skipif(os.name == "nt", reason="quoted for a POSIX shell")
def test_the_commands_that_it_shows_do_the_same(
    shown: tuple[Path, str], polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, text = shown
    monkeypatch.chdir(folder)
    calls = re.findall(r"^  polyframe (.*)$", text, re.MULTILINE)
    assert [call.split()[0] for call in calls] == ["run", "report", "tune", "volunteers"]
    page = (folder / "my demo" / "report.html").read_bytes()
    for call in calls:
        assert polyframe(*shlex.split(call)).code == 0, call
    assert (folder / "my demo" / "report.html").read_bytes() == page


def test_a_folder_with_files_is_refused(tmp_path: Path, polyframe: Call) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    done = polyframe("demo", tmp_path)
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"polyframe: error: {tmp_path}: is not empty (it contains notes.txt); name a new folder\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    done = polyframe("demo", tmp_path / "notes.txt")
    assert (done.code, len(done.err.splitlines())) == (1, 1)
    assert "is a file" in done.err


def test_without_pillow_the_report_has_no_images(
    tmp_path: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polyframe.cli.demo_command._has_pillow", lambda: False)
    done = polyframe("demo", tmp_path / "demo")
    assert done.code == 0
    assert "Images in the report need Pillow: pip install 'panoptes-polyframe[report]'" in done.out
    assert "--images" not in done.out
    assert "data:image" not in (tmp_path / "demo" / "report.html").read_text(encoding="utf-8")


def test_quiet(tmp_path: Path, polyframe: Call) -> None:
    done = polyframe("demo", tmp_path / "demo", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")
