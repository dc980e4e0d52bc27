"""Install separate environments for the tools that tests compare with, at their first use."""

import ast
import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    # Our own pip or uv installs. To copy pip first would take longer.
    create = [sys.executable, "-m", "venv", "--clear", "--without-pip", folder]
    subprocess.run(create, check=True, capture_output=True)
    if bare:
        packages = sysconfig.get_path("purelib", "venv", {"base": str(folder)})
        Path(packages, "ours.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
        _install_packages(python, ["--no-deps", *bare])
    if requirements:
        _install_packages(python, requirements)


def _install_packages(python: Path, arguments: Sequence[str]) -> None:
    """Install with uv, in a tenth of the time, or with pip if uv is missing or fails.

    Modules are compiled when they are imported, unless that is forbidden.
    """
    if importlib.util.find_spec("uv"):
        configuration = pip_configuration()
        options = ["--compile-bytecode"] if sys.dont_write_bytecode else []
        if configuration.get("no-index") in ("1", "on", "t", "true", "y", "yes"):
            options.append("--no-index")
        command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python, *options]
        variables = {**uv_variables(configuration), **os.environ}
        done = subprocess.run([*command, *arguments], env=variables, check=False, capture_output=True)
        if done.returncode == 0:
            return
    compiled = [] if sys.dont_write_bytecode else ["--no-compile"]
    command = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", *compiled]
    subprocess.run([*command, *arguments], check=True, capture_output=True)


def pip_configuration() -> dict[str, str]:
    """Return what pip is configured to do when it installs, by files and by the environment."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    configuration: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in done.stdout.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.partition(".")
        if section in configuration:
            configuration[section][option] = ast.literal_eval(value)
    # A later one overrides earlier ones.
    return {option: value for options in configuration.values() for option, value in options.items()}


def uv_variables(configuration: Mapping[str, str]) -> dict[str, str]:
    """Return variables by which uv installs from where pip does; it does not read the files of pip."""
    names = {
        "index-url": "UV_DEFAULT_INDEX",
        "extra-index-url": "UV_INDEX",
        "find-links": "UV_FIND_LINKS",
        "constraint": "UV_CONSTRAINT",
        "trusted-host": "UV_INSECURE_HOST",
        "cert": "SSL_CERT_FILE",
        "proxy": "ALL_PROXY",
        "timeout": "UV_HTTP_TIMEOUT",
        "default-timeout": "UV_HTTP_TIMEOUT",
    }
    # Like pip, it chooses the best version of all indexes, and trusts the certificates of the system.
    variables = {"UV_INDEX_STRATEGY": "unsafe-best-match", "UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1"}
    for option, name in names.items():
        if values := configuration.get(option, "").split():
            separator = "," if name == "UV_FIND_LINKS" else " "
            variables[name] = separator.join(values)
    return variables


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
