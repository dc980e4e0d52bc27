"""The tests themselves: collected anywhere, named alike in every run, none skipped where all must run."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import environments
import pytest
from exports import ROOT

#: A plugin that removes names and modules that only POSIX has, before any test is imported.
ELSEWHERE = """
import os, signal, sys

def pytest_collection():
    for name in ("geteuid", "getuid", "mkfifo", "fork", "killpg", "setsid", "getpgid", "mknod"):
        delattr(os, name)
    for name in ("SIGKILL", "SIGHUP", "SIGUSR1", "SIGSTOP", "SIGCONT"):
        delattr(signal, name)
    for name in ("fcntl", "resource", "pwd", "grp", "termios", "pty"):
        sys.modules[name] = None
"""
#: By filelock, where there is no lock of the system.
ITS_WARNING = ("-W", "ignore:only soft file lock is available:UserWarning")


def pytest_in(folder: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    """Start pytest as the suite does, with modules of a folder at hand."""
    tests = ROOT / "tests"
    inherited = filter(None, [os.environ.get("PYTHONPATH")])
    places = [str(folder), str(tests), str(tests / "support"), str(ROOT), *inherited]
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow
def test_tests_are_collected_anywhere_under_the_same_names(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.py").write_text(ELSEWHERE, encoding="utf-8")
    here = pytest_in(tmp_path, "--collect-only", PYTHONHASHSEED="1")
    there = pytest_in(tmp_path, "--collect-only", "-p", "elsewhere", *ITS_WARNING, PYTHONHASHSEED="2")
    names = []
    for process in (here, there):
        told, _ = process.communicate(timeout=300)
        assert process.returncode == 0, told
        names.append([line for line in told.splitlines() if "::" in line])
    assert names[0] == names[1]
    assert len(names[0]) > 1000


SKIPPING = """
import pytest

def test_one():
    pytest.skip("no such tool")

@pytest.mark.skipif(True, reason="not here")
def test_two():
    pass

def test_known():
    pytest.skip("the reference tool fails here: GEOSException")

@pytest.mark.xfail
def test_expected():
    assert False

def test_passes():
    pass
"""


@pytest.mark.parametrize("all_required", [False, True])
def test_a_skipped_test_fails_where_all_must_run(all_required: bool, tmp_path: Path) -> None:
    (tmp_path / "test_skipping.py").write_text(SKIPPING, encoding="utf-8")
    missing = tmp_path / "test_missing.py"
    missing.write_text("import pytest\npytest.importorskip('nonsense')\n", encoding="utf-8")
    settings = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path)]
    arguments = ["-p", "conftest", *settings, str(tmp_path)]
    process = pytest_in(tmp_path, *arguments, POLYFRAME_REQUIRE_ALL="1" if all_required else "")
    told, _ = process.communicate(timeout=300)
    if all_required:
        # The file that was not collected stops the rest.
        assert "could not import 'nonsense'" in told
        assert "1 error" in told.splitlines()[-1]
        missing.unlink()
        process = pytest_in(tmp_path, *arguments, POLYFRAME_REQUIRE_ALL="1")
        told, _ = process.communicate(timeout=300)
        assert "1 failed, 1 passed, 1 skipped, 1 xfailed, 1 error" in told.splitlines()[-1]
        assert "POLYFRAME_REQUIRE_ALL is set, but this did not run: Skipped: no such tool" in told
    else:
        assert "1 passed, 4 skipped, 1 xfailed" in told.splitlines()[-1]


def test_an_environment_is_made_once_by_whoever_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def install(folder: Path, _python: Path, requirements: list[str]) -> None:
        made.append(requirements)
        time.sleep(0.2)
        folder.mkdir(exist_ok=True)

    monkeypatch.setattr(environments, "ROOT", tmp_path)
    monkeypatch.setattr(environments, "_install", install)
    monkeypatch.delenv("POLYFRAME_TOOL_PYTHON", raising=False)
    given = []
    threads = [
        threading.Thread(target=lambda: given.append(environments.python_with("tool", ["tool==1"])))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [["tool==1"]]
    assert len(given) == 4
    environments.python_with("tool", ["tool==2"])
    assert made == [["tool==1"], ["tool==2"]]
