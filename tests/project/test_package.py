"""The sdist and the wheel: complete, accepted by PyPI, and with metadata that agree with the repository."""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Any

import pytest
import yaml
from exports import ROOT
from project_files import project_files

import polyframe as pf

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REPOSITORY = PROJECT["urls"]["Repository"]
BUILD = "import sys, hatchling.build as b; b.build_sdist(sys.argv[1]); b.build_wheel(sys.argv[1])"


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist and the wheel of this tree."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-c", BUILD, folder], cwd=ROOT, capture_output=True, check=True)
    return next(folder.glob("*.tar.gz")), next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def metadata(artifacts: tuple[Path, Path]) -> Message:
    with zipfile.ZipFile(artifacts[1]) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith("/METADATA"))
        return Parser().parsestr(wheel.read(name).decode())


def test_the_sdist_contains_every_file_of_the_project(artifacts: tuple[Path, Path]) -> None:
    with tarfile.open(artifacts[0]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert names == {path.as_posix() for path in project_files()} | {"PKG-INFO"}


def test_the_wheel_contains_the_package_and_nothing_else(artifacts: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(artifacts[1]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == {path.as_posix() for path in project_files() if path.parts[0] == "polyframe"}
    assert "polyframe/py.typed" in names


def test_pypi_accepts_both(artifacts: tuple[Path, Path]) -> None:
    command = [sys.executable, "-m", "twine", "check", "--strict", *artifacts]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("PASSED") == 2


def test_the_version_has_one_source(metadata: Message) -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert metadata["Version"] == pf.__version__ == citation["version"]


def test_urls_belong_to_one_repository(metadata: Message) -> None:
    urls = dict(value.split(", ", 1) for value in metadata.get_all("Project-URL", []))
    assert set(urls) == {"Documentation", "Repository", "Issues", "Changelog"}
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["repository-code"] == REPOSITORY
    owner, _, name = REPOSITORY.removeprefix("https://github.com/").partition("/")
    assert urls["Documentation"] == f"https://{owner}.github.io/{name}/"
    assert urls["Issues"].startswith(f"{REPOSITORY}/")
    assert urls["Changelog"].startswith(f"{REPOSITORY}/blob/main/")


def workflow(name: str) -> dict[str, Any]:
    """Read a workflow of GitHub Actions."""
    text = (ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8")
    content: dict[str, Any] = yaml.safe_load(text)
    return content


def test_the_classifiers_name_what_ci_tests(metadata: Message) -> None:
    """Jobs that may fail are not a promise."""
    matrix = workflow("tests.yml")["jobs"]["test"]["strategy"]["matrix"]
    assert (matrix["os"], matrix["experimental"]) == (["ubuntu-latest"], [False])
    assert all(extra["experimental"] for extra in matrix["include"])
    classifiers = metadata.get_all("Classifier", [])
    versions = [name.rpartition(" ")[2] for name in classifiers if re.search(r":: 3\.\d+$", name)]
    assert versions == matrix["python"]
    assert metadata["Requires-Python"] == f">={versions[0]}"
    systems = [name for name in classifiers if name.startswith("Operating System")]
    assert systems == ["Operating System :: POSIX :: Linux"]


@pytest.mark.parametrize("name", ["tests.yml", "release.yml"])
def test_actions_are_pinned_to_releases(name: str) -> None:
    steps = [step for job in workflow(name)["jobs"].values() for step in job.get("steps", [])]
    actions = [step["uses"] for step in steps if "uses" in step]
    assert actions
    for action in actions:
        assert re.fullmatch(r"[\w-]+/[\w-]+@(v\d+|release/v\d+)", action), action


def links(page: str) -> list[str]:
    """Return the targets of the links and pictures of a Markdown page."""
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.findall(r"\]\(([^)\s]+)", text) + re.findall(r"(?:src|href)=\"([^\"]+)\"", text)


def test_links_of_the_readme_work_on_pypi() -> None:
    """PyPI shows the README alone, so that links into the repository must be absolute."""
    targets = links("README.md")
    assert targets
    in_repository = rf"{REPOSITORY}/(?:blob|tree|raw)/main/([^#]+)"
    raw = rf"{REPOSITORY.replace('github.com', 'raw.githubusercontent.com')}/main/(.+)"
    for target in targets:
        assert target.startswith(("https://", "#")), target
        path = re.match(in_repository, target) or re.match(raw, target)
        if path:
            assert (ROOT / path[1]).exists(), target
