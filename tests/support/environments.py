"""Install separate environments for the tools that tests compare with, at their first use."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from exports import ROOT


def python_with(name: str, requirements: Sequence[str], *, bare: Sequence[str] = ()) -> str:
    """Return a Python with some packages: POLYFRAME_<NAME>_PYTHON, or that of `.venv-<name>`.

    The environment is installed if it is missing or has other packages, by one process at a time. The test
    is skipped if the installation fails.

    Parameters
    ----------
    name : str
    requirements : sequence of str
        Packages that are installed with what they depend on; perhaps none.
    bare : sequence of str
        Packages that are installed without, since most of what they depend on is large and not needed here.
        Their environment uses the packages of this one, too, so that `requirements` are only those that this
        one lacks.
    """
    variable = f"POLYFRAME_{name.upper()}_PYTHON"
    chosen = os.environ.get(variable)
    if chosen:
        return chosen
    folder = ROOT / f".venv-{name}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    packages = [*requirements, *(f"{package}, without dependencies" for package in bare)]
    _install_once(folder, packages, lambda: _install(folder, python, requirements, bare), variable)
    return str(python)


def node_modules(name: str, packages: Sequence[str]) -> Path:
    """Return `node_modules` with some npm packages: POLYFRAME_<NAME>_NODE_MODULES, or that in `.npm-<name>`.

    It is installed and skipped like the environment of `python_with`. No script of a package runs.
    """
    variable = f"POLYFRAME_{name.upper()}_NODE_MODULES"
    chosen = os.environ.get(variable)
    if chosen:
        return Path(chosen)
    folder = ROOT / f".npm-{name}"
    _install_once(folder, packages, lambda: _npm_install(folder, packages), variable)
    return folder / "node_modules"


def json_from(python: str, code: str, *arguments: object, **variables: str) -> Any:
    """Run code in another Python, with arguments in `sys.argv`, and return the JSON that it prints last."""
    command = [python, "-c", code, *map(str, arguments)]
    environment = {**os.environ, **variables}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def lowest_versions(*extras: str) -> list[str]:
    """Return the dependencies in pyproject.toml, and those of some extras, each in its lowest version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = [*project["dependencies"]]
    for extra in extras:
        declared += project["optional-dependencies"][extra]
    declared = [line for line in declared if not line.startswith(project["name"])]
    return sorted({line.replace(">=", "==") for line in declared})


def is_lowest_python() -> bool:
    """Return whether this is the lowest Python version that pyproject.toml accepts."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project["requires-python"] == f">={sys.version_info.major}.{sys.version_info.minor}"


def _install_once(
    folder: Path, requirements: Sequence[str], install: Callable[[], None], variable: str
) -> None:
    """Install requirements into a folder that lacks them, by one process at a time, or skip the test."""
    ready = folder / "ready"
    content = "\n".join([sys.version, *requirements])
    try:
        with _exclusive(folder.with_name(f"{folder.name}.lock")):
            if not ready.exists() or ready.read_text(encoding="utf-8") != content:
                install()
                ready.write_text(content, encoding="utf-8")
    except (subprocess.CalledProcessError, OSError) as error:
        stderr = getattr(error, "stderr", b"") or b""
        reason = stderr.decode(errors="replace").strip().rpartition("\n")[2] or error
        pytest.skip(f"{' '.join(requirements)} cannot be installed ({reason}); set {variable}")


def _install(folder: Path, python: Path, requirements: Sequence[str], bare: Sequence[str]) -> None:
    # Our own pip installs. To copy it first, and to compile modules that nothing imports, would take twice as
    # long. Those that are imported are compiled then, unless that is forbidden.
    create = [sys.executable, "-m", "venv", "--clear", "--without-pip", folder]
    subprocess.run(create, check=True, capture_output=True)
    options = ["--quiet"] if sys.dont_write_bytecode else ["--quiet", "--no-compile"]
    install = [sys.executable, "-m", "pip", "--python", python, "install", *options]
    if bare:
        packages = sysconfig.get_path("purelib", "venv", {"base": str(folder)})
        Path(packages, "ours.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
        subprocess.run([*install, "--no-deps", *bare], check=True, capture_output=True)
    if requirements:
        subprocess.run([*install, *requirements], check=True, capture_output=True)


def _npm_install(folder: Path, packages: Sequence[str]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    npm = shutil.which("npm") or "npm"
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--prefix", folder]
    subprocess.run([npm, "install", *options, *packages], check=True, capture_output=True)


@contextlib.contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """Hold a lock; the system releases it if the process ends."""
    with path.open("a", encoding="utf-8") as file:
        if os.name == "nt":
            import msvcrt

            while True:
                with contextlib.suppress(OSError):
                    file.seek(0)
                    msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
                    break
                time.sleep(1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
