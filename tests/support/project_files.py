"""List the files of the project, in a checkout as well as in an unpacked sdist."""

import fnmatch
import os
from pathlib import Path

from exports import ROOT


def project_files() -> list[Path]:
    """Return the paths of all files below the root, except those that `.gitignore` excludes."""
    patterns = [".git", *(ROOT / ".gitignore").read_text(encoding="utf-8").split()]
    paths = []
    for folder, folders, files in os.walk(ROOT):
        here = Path(folder).relative_to(ROOT)
        folders[:] = [name for name in folders if not is_ignored(here / name, patterns)]
        paths += [here / name for name in files if not is_ignored(here / name, patterns)]
    return sorted(paths)


def is_ignored(path: Path, patterns: list[str]) -> bool:
    """Return whether a pattern matches a path: `/a/b/` from the root, `b/` anywhere."""
    for pattern in patterns:
        subject = f"/{path.as_posix()}" if pattern.startswith("/") else path.name
        if fnmatch.fnmatchcase(subject, pattern.rstrip("/")):
            return True
    return False
