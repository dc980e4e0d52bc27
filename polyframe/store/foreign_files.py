"""Protect files of others in an output directory: polyframe knows its own files by their names.

Links are never followed.
"""

import contextlib
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Literal

from polyframe.core.errors import PolyframeError
from polyframe.core.tables import STORED_TABLES
from polyframe.store.output import STORE, Output, Work

#: Files that systems create in folders: views of file managers, resource forks, trash and index folders of a
#: volume, and files that network file systems keep while a program has them open.
_SYSTEM_FILES: Final = re.compile(
    r"\.DS_Store|\._.*|\.localized|Icon\r|Thumbs\.db|ehthumbs\.db|desktop\.ini|\.directory"
    r"|\.Spotlight-V100|\.Trashes|\.Trash-[0-9]+|\.fseventsd|\.TemporaryItems"
    r"|lost\+found|\$RECYCLE\.BIN|System Volume Information|@eaDir|#recycle"
    r"|\.nfs[0-9a-f]+|\.fuse_hidden[0-9a-f]+",
    re.IGNORECASE,
)
_TABLE: Final = f"(?:{'|'.join(map(re.escape, STORED_TABLES))})"
_PARTITION: Final = r"[0-9]+(?:-[0-9]+)*"
_PART: Final = rf"part-{_PARTITION}\.parquet"
_PART_NAME: Final = re.compile(_PART)
#: A temporary folder of a worker.
_TEMPORARY: Final = "polyframe-[a-z0-9_]+"
#: All folders and files of a run in the work directory, by their paths there; see `polyframe.store.output`.
_FOLDERS: Final = re.compile(
    rf"next(?:/{_TABLE})?|old(?:/{_TABLE}-[0-9]+)?|started|rows(?:/{_TEMPORARY})?|sources(?:/mended-[0-9]+)?"
)
_FILES: Final = re.compile(
    rf"lock(?:\.held(?:\..+)?)?|\.commit\.json\.tmp|started/{_PARTITION}|rows/(?:{_TEMPORARY}/)?[0-9]+\.arrow"
    rf"|next/{_TABLE}/(?:{_PART}|\.{_PART}\.tmp)|old/{_TABLE}-[0-9]+/{_PART}"
    r"|sources/(?:spooled-[0-9]+|(?:split|frame)-[0-9]+\.parquet|lines-[0-9]+\.csv)(?:\.unfinished)?"
    r"|sources/unpacked-[0-9]+\.csv"
    r"|sources/mended-[0-9]+/(?:[0-9]+\.parquet|note\.txt)"
)

_Kind = Literal["folder", "file", "other", "none"]


def is_system_file(name: str) -> bool:
    """Tell whether a file is one that systems create in folders, such as `.DS_Store`."""
    return _SYSTEM_FILES.fullmatch(name) is not None


def is_part_name(name: str) -> bool:
    """Tell whether a file has the name of a part."""
    return _PART_NAME.fullmatch(name) is not None


def refuse_links(output: Output) -> None:
    """Check that no table of an output directory, and no part, is a link: a run replaces whole tables.

    Raises
    ------
    PolyframeError
        If one is; the message names it.
    """
    assert output.folder is not None
    store = output.folder / STORE
    if _is_link(store):
        raise PolyframeError(f"{store}: is a link; remove it, and make {output} itself the link")
    for table in STORED_TABLES:
        folder = output.folder / table
        if _is_link(folder):
            raise PolyframeError(
                f"{folder}: is a link, but a run replaces whole tables; remove it, and make {output} itself "
                "the link if the tables should be elsewhere"
            )
        for entry in _entries(folder):
            if is_part_name(entry.name) and _kind(entry) != "file":
                raise PolyframeError(f"{entry.path}: is a link or not a file; remove it, then run again")


def refuse_other_work(work: Work) -> None:
    """Check that the work directory is missing or a folder.

    Raises
    ------
    PolyframeError
        If it is a file, or a link, which could lead anywhere.
    """
    folder = work.folder
    # If a folder above is a file, creating the work directory fails with a better message.
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if _is_link(folder) or not stat.S_ISDIR(folder.lstat().st_mode):
            raise PolyframeError(f"{folder}: is a link or a file, but a run needs a folder here; remove it")


def refuse_foreign_files(work: Work) -> None:
    """Check that no file of others, or link, has a name that a run uses in its work directory.

    Files of other names may be there; they stay.

    Raises
    ------
    PolyframeError
        If one has such a name, or is in a folder of a run; the message names it.
    """
    old = f"{work.replaced.name}/"
    for name, entry in _below(work.folder):
        pattern = {"folder": _FOLDERS, "file": _FILES}.get(_kind(entry))
        is_ours = pattern is not None and pattern.fullmatch(name)
        is_harmless = is_system_file(entry.name) or name.startswith(old)
        is_in_the_way = "/" in name or _FOLDERS.fullmatch(name) or _FILES.fullmatch(name)
        if is_in_the_way and not is_ours and not is_harmless:
            raise PolyframeError(
                f"{entry.path}: was not written by polyframe; move it elsewhere, then run again"
            )


def remove_own_files(work: Work, keep: Callable[[str], bool] = lambda _: False) -> None:
    """Remove files of runs from the work directory, and system files beside them.

    All other files stay, and the folders that contain them.

    Parameters
    ----------
    work : Work
    keep : callable
        Takes the path of a file or folder, relative to the work directory; true if it stays.
    """
    folders = []
    for name, entry in _below(work.folder):
        if keep(name):
            continue
        kind = _kind(entry)
        if kind == "folder" and _FOLDERS.fullmatch(name):
            folders.append(entry.path)
        elif kind == "file" and (_FILES.fullmatch(name) or ("/" in name and is_system_file(entry.name))):
            with contextlib.suppress(OSError):
                Path(entry.path).unlink()
    # Inner folders first.
    for path in reversed(folders):
        with contextlib.suppress(OSError):
            Path(path).rmdir()


def return_foreign_files(work: Work) -> None:
    """Move files of others from replaced tables back, beside the new parts."""
    for replaced in _entries(work.replaced):
        if _kind(replaced) != "folder" or not _FOLDERS.fullmatch(f"{work.replaced.name}/{replaced.name}"):
            continue
        table = work.folder.parent / replaced.name.rpartition("-")[0]
        for entry in _entries(Path(replaced.path)):
            is_ours = is_part_name(entry.name) and _kind(entry) == "file"
            if not is_ours and not os.path.lexists(table / entry.name):
                with contextlib.suppress(OSError):
                    table.mkdir(exist_ok=True)
                    Path(entry.path).rename(table / entry.name)


def _below(folder: Path, above: str = "") -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Walk through a folder, outer entries first, without entering links or folders of others."""
    for entry in _entries(folder):
        name = above + entry.name
        yield name, entry
        if _kind(entry) == "folder" and _FOLDERS.fullmatch(name):
            yield from _below(Path(entry.path), f"{name}/")


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return list(entries)
    return []


def _is_link(path: Path) -> bool:
    # Junctions of Windows are links too; Python recognizes them from version 3.12.
    return path.is_symlink() or bool(getattr(path, "is_junction", bool)())


def _kind(entry: os.DirEntry[str]) -> _Kind:
    with contextlib.suppress(OSError):
        if getattr(entry, "is_junction", bool)():
            return "other"
        if entry.is_dir(follow_symlinks=False):
            return "folder"
        return "file" if entry.is_file(follow_symlinks=False) else "other"
    return "none"
