"""Files beside the tables, such as exports and reports: written whole or not at all."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from polyframe._errors import PolyframeError
from polyframe.parts import cannot_write, replace_durably


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[IO[str]]:
    """Open a text file to write; it takes its place when all is written, and its folder is made.

    Raises
    ------
    PolyframeError
        Where it cannot be written, for instance because the disk is full.
    """
    with placed_whole(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        yield file


@contextlib.contextmanager
def placed_whole(path: Path) -> Iterator[Path]:
    """Name a file to write that takes its place when all is written; its folder is made.

    Raises
    ------
    PolyframeError
        Where it cannot be written, for instance because the disk is full.
    """
    if path.is_dir():
        raise PolyframeError(f"{path}: is a directory; name a file to write")
    temporary = path.with_name(f".{path.name}.tmp")
    made = [folder for folder in path.parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        replace_durably(temporary, path)
    except OSError as error:
        raise PolyframeError(cannot_write(path, error)) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        # Nothing is left behind where nothing was written; a folder with something in it stays.
        with contextlib.suppress(OSError):
            for folder in made:
                folder.rmdir()
