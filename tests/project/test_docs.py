"""The pages in docs/ do what they say: their commands, Python and SQL run on the example, page by page."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import matplotlib as mpl
import pytest
from exports import ROOT, Done
from layers import LAYERS
from matplotlib import pyplot

DOCS = ROOT / "docs"
RUN = ("sh", "python", "sql")
#: The first line of Python that needs more than polyframe and its extras.
NOT_HERE = "# not run here: "
#: What differs from run to run, or from one machine to another; pages do not show it.
VARYING = re.compile(r"\b\d[\d.,]* ?(?:s|min|ms|seconds|bytes|[kMG]B)\b")


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """Yield the language and the content of every fenced block, those within lists included."""
    for margin, language, content in re.findall(
        r"^( *)```(\S*)\n(.*?)^\1```$", text, re.DOTALL | re.MULTILINE
    ):
        yield language, re.sub(f"^{margin}", "", content, flags=re.MULTILINE)


def pages() -> list[str]:
    """Return the pages that have something to run."""
    # Sphinx keeps what it makes in folders that begin with an underscore.
    paths = (path.relative_to(DOCS) for path in DOCS.rglob("*.md"))
    return sorted(
        path.as_posix()
        for path in paths
        if not any(part.startswith("_") for part in path.parts)
        if any(language in RUN for language, _ in blocks((DOCS / path).read_text(encoding="utf-8")))
    )


def steady(text: str) -> str:
    return "\n".join(line for line in text.strip("\n").splitlines() if not VARYING.search(line))


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder of its own, the current one, that holds the example as a checkout does."""
    shutil.copytree(ROOT / "data", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    mpl.use("Agg")
    yield
    pyplot.close("all")


@pytest.mark.parametrize("page", pages())
@pytest.mark.usefixtures("example")
def test_what_a_page_shows_runs(page: str, polyframe: Callable[..., Done]) -> None:
    names: dict[str, object] = {"__name__": page}
    printed: str | None = None
    with duckdb.connect() as database:
        for language, content in blocks((DOCS / page).read_text(encoding="utf-8")):
            if language == "text" and printed is not None:
                assert content.strip("\n") == printed
            printed = None
            if language == "sh":
                done = [polyframe(*words_of(line)) for line in content.splitlines()]
                assert [one.code for one in done] == [0] * len(done), done
                printed = steady("".join(one.out for one in done))
            elif language == "python" and not content.startswith(NOT_HERE):
                exec(compile(content, page, "exec"), names)
            elif language == "sql":
                database.execute(content)


def words_of(line: str) -> list[str]:
    program, *words = line.split()
    assert program == "polyframe", line
    return words


def test_the_pages_have_something_to_run_and_to_compare() -> None:
    found = [
        language for page in pages() for language, _ in blocks((DOCS / page).read_text(encoding="utf-8"))
    ]
    assert {*RUN, "text"} <= set(found)


def test_blocks_of_text_that_follow_a_command_are_filled_in() -> None:
    for page in pages():
        found = list(blocks((DOCS / page).read_text(encoding="utf-8")))
        assert ("text", "") not in found, page


def test_layers_are_those_of_the_code() -> None:
    """The table for contributors lists the layers from the top down."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)(?:/|\.py)` \|", text, re.MULTILINE)
    assert tuple(listed) == LAYERS


def test_files_that_contributors_are_told_of_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"\b(?:tests|core|export|store)/[\w/.]+\w", text)
    assert len(named) > 5
    for name in named:
        assert (ROOT / name).exists() or (ROOT / "polyframe" / name).exists(), name


def test_every_page_is_in_a_list_of_contents() -> None:
    """Sphinx refuses a page that no list leads to, and an entry without a page; so does this, without it."""
    listed = set()
    for path in DOCS.rglob("index.md"):
        for content in re.findall(r"```\{toctree\}\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL):
            entries = [line for line in content.split() if not line.startswith(":") and not line.isdigit()]
            listed |= {(path.parent / entry).relative_to(DOCS).as_posix() for entry in entries}
    there = {
        path.relative_to(DOCS).with_suffix("").as_posix()
        for path in (*DOCS.rglob("*.md"), *DOCS.rglob("*.ipynb"))
        if not any(part.startswith("_") for part in path.relative_to(DOCS).parts)
    }
    assert listed == there - {"index"}
