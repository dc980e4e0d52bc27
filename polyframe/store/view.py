"""Show the newest version of a local output in folders, for programs that read files.

The folder `OUT/<table>` contains links to the parts in the store, or copies on a file system without links,
so that patterns such as `out/contours/*.parquet` find the parts of one version. A table that changes is
completed in the work directory and then exchanged with the folder in the output: atomically on Linux
(`renameat2`), otherwise with two renames. `OUT/polyframe.json` follows last.

If a run dies in between, the version is published nevertheless; the next run completes its view.
"""

import contextlib
import ctypes
import filecmp
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from polyframe.core.atomic_files import cannot_write, sync_folder, write_bytes
from polyframe.core.tables import STORED_TABLES
from polyframe.store.foreign_files import is_part_name, remove_own_files, return_foreign_files
from polyframe.store.lock import holder_of
from polyframe.store.manifest import Manifest
from polyframe.store.manifest_text import manifest_text
from polyframe.store.objects import link_or_copy
from polyframe.store.output import MANIFEST, WORK, Output, Work, part_name
from polyframe.store.part_files import PartFile
from polyframe.store.stages import public_tables
from polyframe.store.versions import table_parts, version_numbers

_CURRENT_FOLDER: Final = -100
_EXCHANGE: Final = 2
#: A Parquet file ends with the length of its footer (four bytes) and `PAR1`.
_FOOTER_END: Final = 8


def refresh_view(work: Work, manifest: Manifest) -> None:
    """Show a version in the folders of a local output; nothing happens for a bucket, or if they show it.

    Parameters
    ----------
    work : Work
        The work directory of the output, locked by this process; on the same file system.
    manifest : Manifest
        The newest version, whose parts are in the store.

    Raises
    ------
    PolyframeError
        If something cannot be written. Every table is then of one version, and the next run completes the
        view.
    """
    output, folder = work.output, work.output.folder
    if folder is None:
        return
    try:
        tables = public_tables(manifest.sources_of_tables)
        parts = {table: _parts(output, manifest, table) for table in tables}
        changed = [table for table in tables if not _is_shown(folder / table, parts[table])]
        gone = [t for t in STORED_TABLES if t not in tables and os.path.lexists(folder / t)]
        if changed or gone:
            work.replaced.mkdir(exist_ok=True)
        for table in changed:
            _complete(work.next / table, parts[table])
        # A table never outlives one that it was made from.
        for table in reversed(gone):
            (folder / table).rename(_unused(work.replaced, table))
        for table in changed:
            _swap(work.next / table, folder / table, _unused(work.replaced, table))
        text = manifest_text(manifest, sharded=False).text
        if not _contains(folder / MANIFEST, text):
            sync_folder(folder)
            write_bytes(folder / MANIFEST, text)
    except OSError as error:
        raise cannot_write(Path(error.filename or folder), error) from None
    if changed or gone:
        return_foreign_files(work)
        replaced = (work.next.name, work.replaced.name)
        remove_own_files(work, keep=lambda name: name.split("/")[0] not in replaced)


def view_problem(path: Path, part: PartFile, *, whole: bool = False) -> str:
    """Return what is wrong with the file that shows a part in a local output; empty if nothing is.

    Parameters
    ----------
    path : Path
        The file.
    part : PartFile
        The part in the store.
    whole : bool
        How a copy whose time is not that of the part is compared: all of it, or only the Parquet footer.
    """
    if not path.is_file():
        return "is missing"
    # A missing part is a problem of its own.
    is_right = _is_same_part(path, part.path) or not part.path.exists() or _is_copy(path, part.path, whole)
    return "" if is_right else "is not the part of the manifest"


def is_view_changing(output: Output, manifest: Manifest) -> bool:
    """Return whether the folders of a local output need not show a version, because a run changes them.

    Between its manifest and its folders, a run has published a version that they do not show yet.

    Parameters
    ----------
    output : Output
        Of a bucket, which has no folders, the result is False.
    manifest : Manifest
        The version, which was the newest.
    """
    folder = output.folder
    if folder is None:
        return False
    is_locked = holder_of(Work(output, folder / WORK).lock) is not None
    return is_locked or version_numbers(output)[-1:] != [manifest.number]


def _is_same_part(path: Path, part: Path) -> bool:
    """Return whether a file of the view is a link to a part of the store, or its copy of the same time."""
    try:
        shown, stored = path.lstat(), part.lstat()
    except OSError:
        return False
    is_copy = (shown.st_size, shown.st_mtime_ns) == (stored.st_size, stored.st_mtime_ns)
    return os.path.samestat(shown, stored) or is_copy


def _is_copy(path: Path, part: Path, whole: bool) -> bool:
    """Return whether a file has the content of a part, as after `cp -r`, which does not keep times."""
    try:
        size = part.stat().st_size
        if path.is_symlink() or path.stat().st_size != size:
            return False
        return filecmp.cmp(path, part, shallow=False) if whole else _footer(path, size) == _footer(part, size)
    except OSError:
        return False


def _footer(path: Path, size: int) -> bytes:
    """Return the bytes of a Parquet footer: of a damaged file, some or all bytes at its end."""
    with path.open("rb") as file:
        file.seek(max(size - _FOOTER_END, 0))
        length = int.from_bytes(file.read(4), "little")
        file.seek(max(size - _FOOTER_END - length, 0))
        return file.read()


def _parts(output: Output, manifest: Manifest, table: str) -> dict[str, Path]:
    """Return the parts in the store by their names in the view."""
    return {
        part_name(partition): part.path for partition, part in table_parts(output, manifest, table).items()
    }


def _is_shown(folder: Path, parts: Mapping[str, Path]) -> bool:
    """Return whether a folder of the view contains these parts and no others."""
    if {path.name for path in folder.glob("*.parquet") if is_part_name(path.name)} != parts.keys():
        return False
    return all(_is_same_part(folder / name, part) for name, part in parts.items())


def _complete(folder: Path, parts: Mapping[str, Path]) -> None:
    """Make a folder of these parts and no others."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for name, part in parts.items():
        link_or_copy(part, folder / name)
    sync_folder(folder)


def _contains(path: Path, content: bytes) -> bool:
    with contextlib.suppress(OSError):
        return path.read_bytes() == content
    return False


def _swap(new: Path, place: Path, old: Path) -> None:
    """Move a folder to its place, and what was there aside."""
    if not place.exists():
        new.rename(place)
    elif _exchanged(new, place):
        new.rename(old)
    else:
        place.rename(old)
        new.rename(place)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two folders in one step, so that a reader always sees one; return False if not possible."""
    if not sys.platform.startswith("linux"):
        return False
    with contextlib.suppress(OSError, AttributeError):
        rename = ctypes.CDLL(None, use_errno=True).renameat2
        return bool(
            rename(_CURRENT_FOLDER, os.fsencode(one), _CURRENT_FOLDER, os.fsencode(other), _EXCHANGE) == 0
        )
    return False


def _unused(folder: Path, name: str) -> Path:
    """Return a path in a folder that does not exist yet."""
    number = 0
    while (folder / f"{name}-{number}").exists():
        number += 1
    return folder / f"{name}-{number}"
