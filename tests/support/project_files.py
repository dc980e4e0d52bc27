"""List the files of the project, in a checkout as well as in an unpacked sdist."""

import os
from pathlib import Path

from exports import ROOT

#: Made by tools, anywhere in the project.
CACHES = ("__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".ipynb_checkpoints")
#: Made by builds and runs.
GENERATED = ("build", "dist", "out", "docs/_build", "docs/reference/_generated", "docs/reference/_api")


def project_files() -> list[Path]:
    """Return the paths of all files below the root, except those that git ignores."""
    paths = []
    for folder, folders, files in os.walk(ROOT):
        here = Path(folder).relative_to(ROOT)
        folders[:] = [name for name in folders if not is_ignored(here / name)]
        paths += [here / name for name in files if not is_ignored(here / name)]
    return sorted(paths)


def is_ignored(path: Path) -> bool:
    """Return whether git ignores a path, as `.gitignore` says."""
    name = path.name
    return (
        name in (*CACHES, ".git")
        or name.startswith(".venv")
        or name.endswith((".egg-info", ".pyc"))
        or path.as_posix() in GENERATED
    )
