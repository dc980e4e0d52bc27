"""The pages of the documentation: their fenced blocks, and what a command on them prints."""

import re
from collections.abc import Iterator
from pathlib import Path

from exports import ROOT

DOCS = ROOT / "docs"
README = ROOT / "README.md"


def fenced(text: str) -> Iterator[tuple[str, str]]:
    """Yield the language and the content of every fenced block, those inside lists included."""
    for margin, language, content in re.findall(
        r"^( *)```(\S*)[^\n]*\n(.*?)^\1```$", text, re.DOTALL | re.MULTILINE
    ):
        yield language, re.sub(f"^{margin}", "", content, flags=re.MULTILINE)


def blocks(path: Path, language: str) -> list[str]:
    """Return the blocks of one language on a page."""
    return [content for name, content in fenced(path.read_text(encoding="utf-8")) if name == language]


def page_paths() -> list[Path]:
    """Return the README and all pages in docs/, without generated files."""
    # Generated folders begin with an underscore.
    pages = [
        path
        for path in DOCS.rglob("*.md")
        if not any(part.startswith("_") for part in path.relative_to(DOCS).parts)
    ]
    return [README, *sorted(pages)]


def without_sizes(text: str) -> list[str]:
    """Return the lines of an output without the sizes of files, which depend on the version of Arrow."""
    return [
        re.sub(r"[\d,]+(?= +\d+$)|\d+(?= bytes)|(?<=says )\d+", "", line)
        for line in text.strip("\n").splitlines()
    ]
