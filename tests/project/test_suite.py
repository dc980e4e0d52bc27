"""The test suite: it is collected on any system, with stable names, and skips nothing if all is required."""

import itertools
import os
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import environments
import pytest
from exports import ROOT

#: A plugin that removes the POSIX-only names and modules before any test is imported.
WITHOUT_POSIX = """
import os, signal, sys

def pytest_collection():
    for name in ("geteuid", "getuid", "mkfifo", "fork", "killpg", "setsid", "getpgid", "mknod"):
        delattr(os, name)
    for name in ("SIGKILL", "SIGHUP", "SIGUSR1", "SIGSTOP", "SIGCONT"):
        delattr(signal, name)
    for name in ("fcntl", "resource", "pwd", "grp", "termios", "pty"):
        sys.modules[name] = None
"""
#: filelock warns if the system has no file locks.
IGNORE_WARNING = ("-W", "ignore:only soft file lock is available:UserWarning")
#: Without the plugin of hypothesis, which searches all modules for constants.
COLLECT = ("--collect-only", "-p", "no:hypothesispytest")


def pytest_in(folder: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    """Start pytest with the modules of the suite and of a folder."""
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


def names_by_file(names: list[str]) -> dict[str, list[str]]:
    """Return the tests of each file in their order; that of the files may differ."""
    names = sorted(names, key=lambda name: name.partition("::")[0])
    return {file: list(tests) for file, tests in itertools.groupby(names, lambda n: n.partition("::")[0])}


def collected(process: "subprocess.Popen[str]") -> list[str]:
    """Return the names of the tests that a process collects."""
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return [line for line in output.splitlines() if "::" in line]


@pytest.mark.slow
def test_collection_gives_the_same_names_on_any_system(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    (tmp_path / "without_posix.py").write_text(WITHOUT_POSIX, encoding="utf-8")
    arguments = (*COLLECT, "-p", "without_posix", *IGNORE_WARNING)
    other = collected(pytest_in(tmp_path, *arguments, PYTHONHASHSEED="2"))
    assert len(other) > 1000
    here = [item.nodeid for item in request.session.items]
    if len(here) < len(other):  # this process has collected a selection
        here = collected(pytest_in(tmp_path, *COLLECT, PYTHONHASHSEED="1"))
    assert names_by_file(here) == names_by_file(other)


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
def test_a_skipped_test_fails_if_all_are_required(all_required: bool, tmp_path: Path) -> None:
    (tmp_path / "test_skipping.py").write_text(SKIPPING, encoding="utf-8")
    missing = tmp_path / "test_missing.py"
    missing.write_text("import pytest\npytest.importorskip('nonsense')\n", encoding="utf-8")
    settings = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path)]
    arguments = ["-p", "conftest", *settings, str(tmp_path)]
    process = pytest_in(tmp_path, *arguments, POLYFRAME_REQUIRE_ALL="1" if all_required else "")
    output, _ = process.communicate(timeout=300)
    if all_required:
        # An error of collection stops the run.
        assert "could not import 'nonsense'" in output
        assert "1 error" in output.splitlines()[-1]
        missing.unlink()
        process = pytest_in(tmp_path, *arguments, POLYFRAME_REQUIRE_ALL="1")
        output, _ = process.communicate(timeout=300)
        assert "1 failed, 1 passed, 1 skipped, 1 xfailed, 1 error" in output.splitlines()[-1]
        assert "POLYFRAME_REQUIRE_ALL is set, but this did not run: Skipped: no such tool" in output
    else:
        assert "1 passed, 4 skipped, 1 xfailed" in output.splitlines()[-1]


def test_concurrent_processes_install_an_environment_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = []

    def install(folder: Path, _python: Path, requirements: list[str], _bare: list[str]) -> None:
        installed.append(requirements)
        time.sleep(0.2)
        folder.mkdir(exist_ok=True)

    monkeypatch.setattr(environments, "ROOT", tmp_path)
    monkeypatch.setattr(environments, "_install", install)
    monkeypatch.delenv("POLYFRAME_TOOL_PYTHON", raising=False)
    pythons = []
    threads = [
        threading.Thread(target=lambda: pythons.append(environments.python_with("tool", ["tool==1"])))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert installed == [["tool==1"]]
    assert len(pythons) == 4
    environments.python_with("tool", ["tool==2"])
    assert installed == [["tool==1"], ["tool==2"]]


def test_uv_installs_from_where_pip_is_configured_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = https://a/simple\nfind-links =\n    /wheels\n    https://b/'c'\ntimeout = 9\n"
        "[install]\nconstraint = /c.txt\ntimeout = 60\n[download]\nno-index = true\n"
    )
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://d/simple file:///e")
    configuration = environments.pip_configuration()
    assert "no-index" not in configuration
    variables = environments.uv_variables(configuration)
    expected = {
        "UV_DEFAULT_INDEX": "https://a/simple",
        "UV_INDEX": "https://d/simple file:///e",
        "UV_FIND_LINKS": "/wheels,https://b/'c'",
        "UV_CONSTRAINT": "/c.txt",
        "UV_HTTP_TIMEOUT": "60",
    }
    assert variables.items() >= expected.items()


@pytest.mark.parametrize(("strategy", "installer"), [("first-index", "uv"), ("no such strategy", "pip")])
def test_pip_installs_if_uv_fails(
    strategy: str, installer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = tmp_path / "tool-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tool.py", "")
        archive.writestr("tool-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: tool\nVersion: 1\n")
        archive.writestr("tool-1.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("tool-1.dist-info/RECORD", "")
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    monkeypatch.delenv("POLYFRAME_TOOL_PYTHON", raising=False)
    monkeypatch.setenv("UV_INDEX_STRATEGY", strategy)
    python = environments.python_with("tool", [str(wheel)])
    read = "importlib.metadata.distribution('tool').read_text('INSTALLER')"
    code = f"import importlib.metadata, json; print(json.dumps({read}))"
    assert environments.json_from(python, code).strip() == installer
