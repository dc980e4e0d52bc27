"""How finished parts become the tables of an output directory: all of a table at once, and all or none.

1. In the work directory each table that changes is completed: parts that did not change are linked in beside
   the new ones, so they keep their bytes and their file.
2. The new manifest is written there as `commit.json`. From here on the change is decided.
3. Each of these folders changes places with the one in the output directory, in one step of the file system
   where it can (Linux), else in two renames.
4. `commit.json` is renamed to be the manifest of the output directory.

A run that dies before step 2 leaves the old tables; one that dies after it is completed by the next run, and
until then `polyframe.scan` takes every table from where its new parts are. Steps 3 and 4 only rename, so a
disk that is full stops a run before anything is decided.
"""

import contextlib
import ctypes
import os
import shutil
import sys
from pathlib import Path
from typing import Final

from polyframe.core.atomic_files import cannot_write, sync_folder
from polyframe.core.errors import PolyframeError
from polyframe.core.tables import TABLES
from polyframe.store.manifest import (
    MANIFEST,
    Manifest,
    load_manifest,
    table_parts,
    write_manifest,
)
from polyframe.store.own_files import REPLACED, is_part_name, remove_own, return_strangers
from polyframe.store.parts import part_name, read_origin
from polyframe.store.stages import stage_of, tables_of

NEXT: Final = "next"
DECIDED: Final = "commit.json"

_CURRENT_FOLDER: Final = -100
_EXCHANGE: Final = 2


def put_into_place(output: Path, work: Path, manifest: Manifest, before: Manifest | None) -> None:
    """Make the finished parts in the work directory the tables of the output directory.

    Parameters
    ----------
    output, work : Path
        The output directory, and the work directory on the same file system.
    manifest : Manifest
        The new manifest: every part that it names is finished, or stands in the output directory already.
    before : Manifest or None
        The present manifest. Its tables that the new one does not name go away.

    Raises
    ------
    PolyframeError
        Where something cannot be written, or a part is not what the manifest tells; the output directory is
        then as it was.
    """
    try:
        changed = [_gathered(output, work, table, manifest) for table in tables_of(manifest.stages)]
        if manifest == before and not any(changed):
            remove_waiting(work)
            return
        (work / REPLACED).mkdir(exist_ok=True)
    except OSError as error:
        raise PolyframeError(cannot_write(Path(error.filename or output), error)) from None
    write_manifest(work / DECIDED, manifest)
    complete(output, work)


def complete(output: Path, work: Path) -> None:
    """Bring to an end a change that is decided; nothing where there is none."""
    manifest = decided(work)
    if manifest is None:
        return
    old = work / REPLACED
    old.mkdir(exist_ok=True)
    tables = tables_of(manifest.stages)
    # What is made from a table never outlives it.
    for table in reversed(TABLES):
        if table not in tables and (output / table).exists():
            (output / table).rename(_unused(old, table))
    for table in tables:
        if _is_waiting(output, work, table, manifest):
            _swap(work / NEXT / table, output / table, _unused(old, table))
    sync_folder(output)
    (work / DECIDED).replace(output / MANIFEST)
    sync_folder(output)
    return_strangers(output, work)
    remove_waiting(work)


def remove_waiting(work: Path, table: str = "") -> None:
    """Remove the parts of a table that wait, or all of them, and the folders for them."""
    place = f"{NEXT}/{table}" if table else NEXT
    remove_own(work, keep=lambda name: name != place and not name.startswith(f"{place}/"))


def decided(work: Path) -> Manifest | None:
    """Return the manifest of a change that is decided but not completed; None where there is none."""
    path = work / DECIDED
    try:
        return load_manifest(path) if path.is_file() else None
    except PolyframeError:
        # It was completed in this moment.
        return None


def table_folder(output: Path, work: Path, table: str) -> Path:
    """Return where the parts of a table are while a change is decided but not completed."""
    manifest = decided(work)
    if manifest is None or not _is_waiting(output, work, table, manifest):
        return output / table
    return work / NEXT / table


def _is_waiting(output: Path, work: Path, table: str, manifest: Manifest) -> bool:
    """Tell whether a table of a change that is decided has not come into its place yet."""
    return (work / NEXT / table).is_dir() and not _holds(output / table, table, manifest)


def _gathered(output: Path, work: Path, table: str, manifest: Manifest) -> bool:
    """Gather the parts of a table in the work directory; False where those in place are all there is."""
    folder, current = work / NEXT / table, output / table
    wanted = set(table_parts(manifest, table))
    waiting = _part_names(folder)
    # A run of other settings that died may have left parts too, also of partitions that need none.
    fitting = _fitting(folder, table, manifest)
    for name in waiting - fitting:
        (folder / name).unlink()
    if not fitting and _part_names(current) == wanted:
        remove_waiting(work, table)
        return False
    if _holds(current, table, manifest):
        # The same parts made again: a table is the same before, between and after.
        for name in fitting:
            (folder / name).replace(current / name)
        sync_folder(current)
        remove_waiting(work, table)
        return True
    folder.mkdir(parents=True, exist_ok=True)
    for name in wanted - fitting:
        _link(current / name, folder / name)
    if not _holds(folder, table, manifest):
        raise PolyframeError(f"{folder}: holds parts that this run did not make; run again")
    sync_folder(folder)
    return True


def _part_names(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*.parquet") if is_part_name(path.name)}


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        # A file system without links: a copy has the same bytes.
        if not source.exists():
            raise PolyframeError(f"{source}: has vanished during the run; run again") from None
        shutil.copy2(source, target)


def _holds(folder: Path, table: str, manifest: Manifest) -> bool:
    """Tell whether a folder has the parts of a table that a manifest names and no others."""
    wanted = set(table_parts(manifest, table))
    return _part_names(folder) == wanted and _fitting(folder, table, manifest) == wanted


def _fitting(folder: Path, table: str, manifest: Manifest) -> set[str]:
    """Return the names of those parts in a folder that a manifest names, going by their footers."""
    stage = stage_of(table)
    found = set()
    for record in manifest.partitions:
        name, made = part_name(record.name), record.stages[stage]
        origin = read_origin(folder / name)
        if origin and (origin.fingerprint, origin.places) == (made.fingerprint, made.places):
            found.add(name)
    return found


def _swap(new: Path, place: Path, old: Path) -> None:
    """Put a folder into its place, and what was there aside."""
    if not place.exists():
        new.rename(place)
    elif _exchanged(new, place):
        new.rename(old)
    else:
        place.rename(old)
        new.rename(place)


def _exchanged(one: Path, other: Path) -> bool:
    """Let two folders change places in one step, so that a reader always finds one; False if it cannot."""
    if not sys.platform.startswith("linux"):
        return False
    with contextlib.suppress(OSError, AttributeError):
        rename = ctypes.CDLL(None, use_errno=True).renameat2
        return bool(
            rename(_CURRENT_FOLDER, os.fsencode(one), _CURRENT_FOLDER, os.fsencode(other), _EXCHANGE) == 0
        )
    return False


def _unused(folder: Path, name: str) -> Path:
    """Return a path in a folder that nothing has."""
    number = 0
    while (folder / f"{name}-{number}").exists():
        number += 1
    return folder / f"{name}-{number}"
