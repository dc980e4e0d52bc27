"""Tell our own files in an output directory from those of others, by their form; no link is ever followed."""

import contextlib
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Literal

from polyframe.core.errors import PolyframeError
from polyframe.core.tables import TABLES

#: What systems put into folders by themselves: views of file managers, other forks of files, the bins and
#: indexes of a volume, and files that network file systems keep while somebody has them open.
_SYSTEM_FILES: Final = re.compile(
    r"\.DS_Store|\._.*|\.localized|Icon\r|Thumbs\.db|ehthumbs\.db|desktop\.ini|\.directory"
    r"|\.Spotlight-V100|\.Trashes|\.Trash-[0-9]+|\.fseventsd|\.TemporaryItems"
    r"|lost\+found|\$RECYCLE\.BIN|System Volume Information|@eaDir|#recycle"
    r"|\.nfs[0-9a-f]+|\.fuse_hidden[0-9a-f]+",
    re.IGNORECASE,
)
_TABLE: Final = f"(?:{'|'.join(TABLES)})"
_PARTITION: Final = r"[0-9]+(?:-[0-9]+)*"
_PART: Final = rf"part-{_PARTITION}\.parquet"
_PART_FORM: Final = re.compile(_PART)
#: All folders and files that a run makes in the work directory, by their paths there.
_FOLDERS: Final = re.compile(
    rf"next(?:/{_TABLE})?|old(?:/{_TABLE}-[0-9]+)?|started|rows|sources(?:/mended-[0-9]+)?"
)
_FILES: Final = re.compile(
    rf"lock(?:\.held(?:\..+)?)?|commit\.json|\.commit\.json\.tmp|started/{_PARTITION}|rows/[0-9]+\.arrow"
    rf"|next/{_TABLE}/(?:{_PART}|\.{_PART}\.tmp)|old/{_TABLE}-[0-9]+/{_PART}"
    r"|sources/(?:spooled-[0-9]+|(?:split|frame)-[0-9]+\.parquet|lines-[0-9]+\.csv)(?:\.unfinished)?"
    r"|sources/unpacked-[0-9]+\.csv"
    r"|sources/mended-[0-9]+/(?:[0-9]+\.parquet|note\.txt)"
)
#: The tables that a run has replaced; what others had put there goes back.
REPLACED: Final = "old"

_Kind = Literal["folder", "file", "other", "none"]


def is_system_file(name: str) -> bool:
    """Tell whether a file is one that the system puts into folders by itself, such as `.DS_Store`."""
    return _SYSTEM_FILES.fullmatch(name) is not None


def is_part_name(name: str) -> bool:
    """Tell whether a file has the name of a part."""
    return _PART_FORM.fullmatch(name) is not None


def refuse_links(output: Path) -> None:
    """Check that no table of an output directory, and no part, is a link: a run replaces whole tables.

    Raises
    ------
    PolyframeError
        Where one is; the message names it.
    """
    for table in TABLES:
        folder = output / table
        if _is_link(folder):
            raise PolyframeError(
                f"{folder}: is a link, and a run puts whole tables into its place; remove it, and make "
                f"{output} itself the link where the tables are to be elsewhere"
            )
        for entry in _entries(folder):
            if is_part_name(entry.name) and _kind(entry) != "file":
                raise PolyframeError(f"{entry.path}: is a link or no file; remove it, then run again")


def refuse_other_place(work: Path) -> None:
    """Check that the work directory is missing or a folder.

    Raises
    ------
    PolyframeError
        Where it is a link, which could lead anywhere, or a file.
    """
    # A folder above it that is a file is for the making of the work directory to report.
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if _is_link(work) or not stat.S_ISDIR(work.lstat().st_mode):
            raise PolyframeError(
                f"{work}: is a link or a file, where a run needs a folder of its own; remove it"
            )


def refuse_strangers(work: Path) -> None:
    """Check that nothing stands in the way of a run in its work directory but what an earlier one wrote.

    Files of other names may lie there; they stay.

    Raises
    ------
    PolyframeError
        Where something else stands under a name of ours, or below it, or a link; the message names it.
    """
    for name, entry in _below(work):
        kind = _kind(entry)
        form = {"folder": _FOLDERS, "file": _FILES}.get(kind)
        fits = form is not None and form.fullmatch(name)
        harmless = is_system_file(entry.name) or name.startswith(f"{REPLACED}/")
        in_the_way = "/" in name or _FOLDERS.fullmatch(name) or _FILES.fullmatch(name)
        if in_the_way and not fits and not harmless:
            raise PolyframeError(
                f"{entry.path}: was not written by polyframe; move it elsewhere, then run again"
            )


def remove_own(work: Path, keep: Callable[[str], bool] = lambda _: False) -> None:
    """Remove what runs have written into a work directory, and files of the system beside that.

    Everything else stays, and so do the folders that hold it.

    Parameters
    ----------
    work : Path
        The work directory.
    keep : callable
        Told the path of a file or an empty folder below it; true for those that stay.
    """
    folders = []
    for name, entry in _below(work):
        if keep(name):
            continue
        kind = _kind(entry)
        if kind == "folder" and _FOLDERS.fullmatch(name):
            folders.append(entry.path)
        elif kind == "file" and (_FILES.fullmatch(name) or ("/" in name and is_system_file(entry.name))):
            with contextlib.suppress(OSError):
                Path(entry.path).unlink()
    # The innermost first.
    for path in reversed(folders):
        with contextlib.suppress(OSError):
            Path(path).rmdir()


def return_strangers(output: Path, work: Path) -> None:
    """Put what others had put into tables that were replaced back beside the parts."""
    for replaced in _entries(work / REPLACED):
        if _kind(replaced) != "folder" or not _FOLDERS.fullmatch(f"{REPLACED}/{replaced.name}"):
            continue
        table = output / replaced.name.rpartition("-")[0]
        for entry in _entries(Path(replaced.path)):
            ours = is_part_name(entry.name) and _kind(entry) == "file"
            if not ours and not os.path.lexists(table / entry.name):
                with contextlib.suppress(OSError):
                    table.mkdir(exist_ok=True)
                    Path(entry.path).rename(table / entry.name)


def _below(folder: Path, above: str = "") -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Walk through a folder, outer entries first, without following links or entering what is not ours."""
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
    # Junctions of Windows are links too; Python tells them apart from 3.12 on.
    return path.is_symlink() or bool(getattr(path, "is_junction", bool)())


def _kind(entry: os.DirEntry[str]) -> _Kind:
    with contextlib.suppress(OSError):
        if getattr(entry, "is_junction", bool)():
            return "other"
        if entry.is_dir(follow_symlinks=False):
            return "folder"
        return "file" if entry.is_file(follow_symlinks=False) else "other"
    return "none"
