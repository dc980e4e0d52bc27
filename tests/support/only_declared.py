"""Run the command line with only the packages of an install without extras.

Reads calls from standard input, each a JSON list of arguments on a line, and prints their exit codes.
"""

import contextlib
import functools
import importlib.abc
import importlib.metadata
import json
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@functools.cache
def packages() -> Mapping[str, list[str]]:
    """Return the distributions of each top-level module; to find them takes a second."""
    return importlib.metadata.packages_distributions()


def distribution_of(requirement: str) -> str:
    """Return the normalized name of the distribution in a requirement."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement, maxsplit=1)[0]).lower()


def with_dependencies(names: set[str]) -> set[str]:
    """Return distributions and all their dependencies without extras."""
    known: set[str] = set()
    left = set(names)
    while left:
        name = left.pop()
        known.add(name)
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            needed = importlib.metadata.requires(name) or []
            left |= {distribution_of(line) for line in needed if "extra ==" not in line} - known
    return known


def modules_of(names: set[str]) -> Iterator[str]:
    """Yield the top-level modules of distributions."""
    for module, distributions in packages().items():
        if names & {distribution_of(distribution) for distribution in distributions}:
            yield module


class Without(importlib.abc.MetaPathFinder):
    """A finder that delegates to another one, but hides some modules."""

    def __init__(self, finder: Any, hidden: set[str]) -> None:
        self.finder = finder
        self.hidden = hidden

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        """Find a module unless it is hidden."""
        if fullname.partition(".")[0] in self.hidden:
            return None
        return self.finder.find_spec(fullname, path, target)

    def find_distributions(self, context: Any) -> Any:
        """Find the metadata of all distributions."""
        find = getattr(self.finder, "find_distributions", None)
        return find(context) if find else ()


def main() -> None:
    """Hide undeclared packages, then run the calls."""
    declared = with_dependencies({distribution_of(line) for line in PROJECT["dependencies"]})
    hidden = set(packages()) - {"polyframe", *modules_of(declared)}
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
