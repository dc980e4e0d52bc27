"""The command line where nothing can be imported but what the plain install brings.

Reads calls from standard input, JSON lists of arguments, one a line; prints the exit code of each.
"""

import contextlib
import importlib.abc
import importlib.metadata
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BROUGHT = importlib.metadata.packages_distributions()
PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def named(requirement: str) -> str:
    """The name of a distribution in a requirement, as they are compared."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement, maxsplit=1)[0]).lower()


def with_their_own(names: set[str]) -> set[str]:
    """Distributions, and all that they need without extras."""
    known: set[str] = set()
    left = set(names)
    while left:
        name = left.pop()
        known.add(name)
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            needed = importlib.metadata.requires(name) or []
            left |= {named(line) for line in needed if "extra ==" not in line} - known
    return known


def modules_of(names: set[str]) -> Iterator[str]:
    """The modules at the top that distributions bring."""
    for module, distributions in BROUGHT.items():
        if names & {named(distribution) for distribution in distributions}:
            yield module


class Without(importlib.abc.MetaPathFinder):
    """Finds what another finder does, but for some modules."""

    def __init__(self, finder: Any, hidden: set[str]) -> None:
        self.finder = finder
        self.hidden = hidden

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        """Say that a module is not there where it is hidden."""
        if fullname.partition(".")[0] in self.hidden:
            return None
        return self.finder.find_spec(fullname, path, target)

    def find_distributions(self, context: Any) -> Any:
        """Find the metadata of distributions, as the other finder does."""
        find = getattr(self.finder, "find_distributions", None)
        return find(context) if find else ()


def main() -> None:
    """Hide what is not declared, then do what is asked."""
    declared = with_their_own({named(line) for line in PROJECT["dependencies"]})
    hidden = set(BROUGHT) - {"polyframe", *modules_of(declared)}
    sys.meta_path[:] = [Without(finder, hidden) for finder in sys.meta_path]
    from polyframe.cli import app

    for line in sys.stdin:
        sys.argv = ["polyframe", *json.loads(line)]
        try:
            app.main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        print(code, flush=True)


if __name__ == "__main__":
    main()
