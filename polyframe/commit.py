"""How finished parts become the tables of an output directory: all of a table at once, and all or none.

1. In the work directory each table that changes is completed: parts that did not change are linked in beside
   the new ones, so they keep their bytes and their file.
2. The new manifest is written there as `commit.json`. From here on the change is decided.
3. Each of these folders changes places with the one in the output directory, in one step of the file system
   where it can (Linux), else in two renames.
4. The manifest moves into its place.

A run that dies before step 2 leaves the old tables; one that dies after it is completed by the next run, and
until then `polyframe.scan` takes every table from where its new parts are.
"""

import contextlib
import ctypes
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from polyframe._errors import PolyframeError
from polyframe.manifest import (
    MANIFEST,
    load_manifest,
    partition_records,
    stage_of,
    table_parts,
    tables_of,
    write_manifest,
)
from polyframe.parts import part_name, read_origin, sync_folder
from polyframe.tables import TABLES

NEXT: Final = "next"
DECIDED: Final = "commit.json"
_OLD: Final = "old"

_CURRENT_FOLDER: Final = -100
_EXCHANGE: Final = 2


def put_into_place(
    output: Path, work: Path, manifest: Mapping[str, Any], before: Mapping[str, Any] | None, *, anew: bool
) -> None:
    """Make the finished parts in the work directory the tables of the output directory.

    Parameters
    ----------
    output, work : Path
        The output directory, and the work directory on the same file system.
    manifest : mapping
        The new manifest: every part that it names is finished, or stands in the output directory already.
    before : mapping or None
        The present manifest. Its tables that the new one does not name go away.
    anew : bool
        False where no part was made, so that nothing needs to be done if the manifest is as it was.

    Raises
    ------
    PolyframeError
        Where something cannot be written; before step 2 the output directory is as it was.
    """
    if manifest == before and not anew:
        shutil.rmtree(work / NEXT, ignore_errors=True)
        return
    tables = tables_of(manifest["stages"])
    changed = [
        table for table in tables if _complete_table(output, work, table, table_parts(manifest, table))
    ]
    dropped = [table for table in TABLES if table not in tables and (output / table).exists()]
    write_manifest(work / DECIDED, {**manifest, "changed": changed, "dropped": dropped})
    complete(output, work)


def complete(output: Path, work: Path) -> None:
    """Bring to an end a change that is decided; nothing where there is none."""
    manifest = decided(work)
    if manifest is None:
        return
    old = work / _OLD
    old.mkdir(exist_ok=True)
    # What is made from a table never outlives it.
    for table in reversed([table for table in TABLES if table in manifest["dropped"]]):
        if (output / table).exists():
            (output / table).rename(_unused(old, table))
    for table in TABLES:
        if table in manifest["changed"] and not _holds(output / table, table, manifest):
            _swap(work / NEXT / table, output / table, _unused(old, table))
    sync_folder(output)
    told = {key: value for key, value in manifest.items() if key not in ("changed", "dropped")}
    write_manifest(output / MANIFEST, told)
    (work / DECIDED).unlink()
    shutil.rmtree(work / NEXT, ignore_errors=True)


def decided(work: Path) -> dict[str, Any] | None:
    """Return the manifest of a change that is decided but not completed; None where there is none."""
    path = work / DECIDED
    try:
        manifest = load_manifest(path) if path.is_file() else None
    except PolyframeError:
        # It was completed in this moment.
        return None
    lists = manifest and all(isinstance(manifest.get(key), list) for key in ("changed", "dropped"))
    return manifest if lists else None


def table_folder(output: Path, work: Path, table: str) -> Path:
    """Return where the parts of a table are while a change is decided but not completed."""
    manifest = decided(work)
    waiting = work / NEXT / table
    if manifest is None or table not in manifest["changed"] or _holds(output / table, table, manifest):
        return output / table
    return waiting


def _complete_table(output: Path, work: Path, table: str, wanted: list[str]) -> bool:
    """Gather the parts of a table in the work directory; False where those in place are all there is."""
    folder, current = work / NEXT / table, output / table
    made = {path.name for path in folder.iterdir()} if folder.exists() else set()
    held = {path.name for path in current.iterdir()} if current.exists() else set()
    if held == set(wanted) and not made & set(wanted):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    for name in made - set(wanted):
        (folder / name).unlink()
    for name in wanted:
        if name not in made:
            _link(current / name, folder / name)
    sync_folder(folder)
    return True


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        # A file system without links: a copy has the same bytes.
        if not source.exists():
            raise PolyframeError(f"{source}: has vanished during the run; run again") from None
        shutil.copy2(source, target)


def _holds(folder: Path, table: str, manifest: Mapping[str, Any]) -> bool:
    """Tell whether a folder has the parts of a table that a manifest names, going by their footers."""
    stage = stage_of(table)
    for record in partition_records(manifest):
        origin = read_origin(folder / part_name(record.name))
        if origin is None or origin.fingerprint != record.stages[stage].fingerprint:
            return False
        if origin.places != record.stages[stage].places:
            return False
    return len(list(folder.iterdir())) == len(manifest["partitions"])


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
