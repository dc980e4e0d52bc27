"""The documentation is true: its commands, Python, SQL and configurations run, page by page."""

import itertools
import json
import re
import shlex
import shutil
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import duckdb
import matplotlib as mpl
import pytest
from doc_pages import DOCS, README, fenced, page_paths, without_sizes
from exports import ROOT, Done
from layers import LAYERS
from matplotlib import pyplot
from s3_server import new_bucket

import polyframe as pf
from polyframe.panoptes.config.read_config import read_config

RUN = ("sh", "python", "sql", "yaml", "json", "xml")
#: Blocks for people: installing, other shells and languages, output and files of other programs. Those for
#: PostgreSQL run in test_postgres_target.py.
SHOWN = ("text", "console", "powershell", "postgresql", "r")
#: Directives of the site.
DIRECTIVES = ("{toctree}", "{image}", "{include}", "{literalinclude}", "{eval-rst}")
#: The first line of Python that needs more than polyframe and its extras.
NOT_HERE = "# not run here: "
#: The first line of SQL for a program that we do not have. What needs DuckDB's extension is in test_readable.
OF_OTHERS = "-- Snowflake"
#: Pages whose commands use `s3://bucket`.
IN_A_BUCKET = ("docs/guide/stores.md",)
#: Values that differ between runs or machines.
VARYING = re.compile(r"\b\d[\d.,]* ?(?:s|min|ms|seconds|bytes|[kMG]B)\b|\d[smhd] ago\b")
NAMES = [path.relative_to(ROOT).as_posix() for path in page_paths()]


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of the first run, from which the pages of the guide and the recipes continue."""
    out = tmp_path_factory.mktemp("first") / "out"
    pf.run(ROOT / "data" / "classifications.csv", out, ROOT / "data" / "config.yaml")
    return out


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that contains the example project, like a checkout, and is the current one."""
    shutil.copytree(ROOT / "data", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    mpl.use("Agg")
    yield tmp_path
    pyplot.close("all")


@pytest.mark.parametrize("name", NAMES)
def test_all_blocks_of_a_page_run(
    name: str,
    checkout: Path,
    first_run: Path,
    polyframe: Callable[..., Done],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    if name.startswith(("docs/guide/", "docs/recipes/")):
        shutil.copytree(first_run, checkout / "out")
    if name in IN_A_BUCKET:
        bucket = new_bucket(request.getfixturevalue("s3_endpoint"), "bucket")
        for variable, value in bucket.environment.items():
            monkeypatch.setenv(variable, value)
    variables: dict[str, object] = {"__name__": name}
    printed: list[str] | None = None
    with duckdb.connect() as database:
        for language, content in fenced((ROOT / name).read_text(encoding="utf-8")):
            if language == "text" and printed is not None:
                assert steady(content) == printed
            printed = None
            if language == "sh":
                done = []
                for variables_of_call, arguments in itertools.chain(*map(calls_in, content.splitlines())):
                    with monkeypatch.context() as patched:
                        for variable, value in variables_of_call:
                            patched.setenv(variable, value)
                        done.append(polyframe(*arguments))
                assert [one.code for one in done] == [0] * len(done), done
                printed = steady("".join(one.out for one in done))
            elif language == "python":
                code = compile(content, name, "exec")
                if not content.startswith(NOT_HERE):
                    exec(code, variables)
            elif language == "sql" and not content.startswith(OF_OTHERS) and "LOAD spatial" not in content:
                database.execute(content)
            elif language == "yaml":
                (checkout / "page.yaml").write_text(content, encoding="utf-8")
                assert read_config([checkout / "page.yaml"]).values
            elif language == "json":
                json.loads(content)
            elif language == "xml":
                ElementTree.fromstring(content)


Variables = list[tuple[str, str]]


def calls_in(line: str) -> list[tuple[Variables, list[str]]]:
    """Return the environment variables and the arguments of each call of polyframe in a line of a shell."""
    calls, others = [], []
    for command in line.split("&&"):
        words = shlex.split(command)
        variables: Variables = []
        while re.match(r"[A-Z_]+=", words[0]):
            name, _, value = words.pop(0).partition("=")
            variables.append((name, value))
        if words[0] in ("polyframe", ".venv/bin/polyframe"):
            calls.append((variables, words[1:]))
        elif "polyframe" not in words[0]:
            others.append(words)
    # What else there is installs polyframe or runs the tests.
    assert all(program in ("python3", ".venv/bin/python") for program, *_ in others), line
    return calls


def steady(text: str) -> list[str]:
    """Return the lines that are the same in every run."""
    return [line for line in without_sizes(text) if not VARYING.search(line)]


def test_every_language_of_a_block_is_known() -> None:
    used = {language for name in NAMES for language, _ in fenced((ROOT / name).read_text(encoding="utf-8"))}
    assert set(RUN) <= used <= {*RUN, *SHOWN, *DIRECTIVES}


def test_commands_are_followed_by_their_output() -> None:
    """Their blocks are compared above."""
    pages = ["README.md", "docs/start/first-run.md", "docs/start/first-hour.md"]
    pages += ["docs/start/exports.md"]
    pages += [f"docs/guide/{name}.md" for name in ("clustering", "operating", "switching")]
    pages += [f"docs/recipes/{name}.md" for name in ("plots", "training-sets")]
    for name in pages:
        languages = [language for language, _ in fenced((ROOT / name).read_text(encoding="utf-8"))]
        assert ("sh", "text") in list(itertools.pairwise(languages)), name


def test_layers_are_those_of_the_code() -> None:
    """The table for contributors lists the layers from the top down."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)(?:/|\.py)` \|", text, re.MULTILINE)
    assert tuple(listed) == LAYERS


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "benchmarks/README.md"])
def test_paths_on_a_page_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    paths = re.findall(r"\b(?:tests|core|export|store|docs)/[\w/.]+\w", text)
    paths += [f"benchmarks/{name}" for name in re.findall(r"(?<![/\w])(\w+\.py)\b", text) if "bench" in page]
    assert paths
    for path in set(paths) - {"docs/_build"}:
        assert (ROOT / path).exists() or (ROOT / "polyframe" / path).exists(), path


def test_every_page_is_in_a_table_of_contents() -> None:
    listed = set()
    for path in DOCS.rglob("index.md"):
        for content in re.findall(r"```\{toctree\}\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL):
            entries = [line for line in content.split() if not line.startswith(":") and not line.isdigit()]
            listed |= {(path.parent / entry).relative_to(DOCS).as_posix() for entry in entries}
    pages = {
        path.relative_to(DOCS).with_suffix("").as_posix()
        for path in (*page_paths(), *DOCS.glob("guide/*.ipynb"))
        if path != README
    }
    assert listed == pages - {"index"}


def test_links_of_the_readme_lead_to_pages_of_the_site() -> None:
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", README.read_text(encoding="utf-8"))
    site = [
        link.removeprefix(urls["Documentation"]) for link in links if link.startswith(urls["Documentation"])
    ]
    assert len(site) > 10
    for page in filter(None, site):
        source = DOCS / page.removesuffix(".html")
        assert source.with_suffix(".md").exists() or source.with_suffix(".ipynb").exists(), page
    raw = urls["Repository"].replace("github.com", "raw.githubusercontent.com")
    picture = f"{raw}/main/docs/_static/picture.png"
    tool = "https://aggregation-caesar.zooniverse.org/docs"
    others = {link for link in links if not link.startswith(urls["Documentation"])}
    assert others == {picture, tool, "https://www.zooniverse.org"}
