"""Publish finished parts as the tables of an output directory: all tables change together, or none.

1. Each table that changes is completed in the work directory: parts that did not change are linked in beside
   the new ones, so they keep their bytes and their file.
2. The new manifest is written there as `commit.json`. From here on the change is decided.
3. Each of these folders is exchanged with the one in the output directory: atomically on Linux
   (`renameat2`), otherwise with two renames.
4. `commit.json` is renamed to be the manifest of the output directory.

If a run dies before step 2, the old tables remain. If it dies later, the next run completes the change, and
until then `polyframe.scan` reads every table from where its new parts are. Steps 3 and 4 only rename files,
so a full disk stops a run before anything is decided.
"""

import contextlib
import ctypes
import os
import shutil
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Final

from polyframe.core.atomic_files import cannot_write, sync_folder
from polyframe.core.errors import PolyframeError
from polyframe.core.tables import STORED_TABLES
from polyframe.store.foreign_files import is_part_name, remove_own_files, return_foreign_files
from polyframe.store.manifest import Manifest, load_manifest, part_records, table_parts, write_manifest
from polyframe.store.output import Output
from polyframe.store.part_files import read_origin
from polyframe.store.stages import tables_of_stages

_CURRENT_FOLDER: Final = -100
_EXCHANGE: Final = 2


def publish(output: Output, manifest: Manifest, before: Manifest | None) -> None:
    """Make finished parts the tables of an output directory.

    Parameters
    ----------
    output : Output
        The output directory; the work directory is on the same file system.
    manifest : Manifest
        The new manifest: each of its parts is finished, or published already.
    before : Manifest or None
        The current manifest. Tables that are not in the new one are removed.

    Raises
    ------
    PolyframeError
        If something cannot be written, or a part is not the one of the manifest; the output directory is then
        as it was.
    """
    try:
        changed = [_gather(output, table, manifest) for table in tables_of_stages(manifest.stages)]
        if manifest == before and not any(changed):
            remove_finished(output)
            return
        output.replaced.mkdir(exist_ok=True)
    except OSError as error:
        raise cannot_write(Path(error.filename or output.path), error) from None
    write_manifest(output.decision, manifest)
    complete(output)


def complete(output: Output) -> None:
    """Complete a change that is decided, if there is one."""
    manifest = pending_manifest(output)
    if manifest is None:
        return
    output.replaced.mkdir(exist_ok=True)
    tables = tables_of_stages(manifest.stages)
    # A table never outlives one that it was made from.
    for table in reversed(STORED_TABLES):
        if table not in tables and output.table(table).exists():
            output.table(table).rename(_unused(output.replaced, table))
    for table in tables:
        if _is_unpublished(output, table, manifest):
            _swap(output.finished_table(table), output.table(table), _unused(output.replaced, table))
    sync_folder(output.path)
    output.decision.replace(output.manifest)
    sync_folder(output.path)
    return_foreign_files(output)
    remove_finished(output)


def remove_finished(output: Output, table: str | None = None) -> None:
    """Remove the finished parts of a table, or of all tables, and their folders."""
    folder = output.finished if table is None else output.finished_table(table)
    place = folder.relative_to(output.work).as_posix()
    remove_own_files(output, keep=lambda name: name != place and not name.startswith(f"{place}/"))


def pending_manifest(output: Output) -> Manifest | None:
    """Return the manifest of a change that is decided but not completed; None if there is none."""
    try:
        return load_manifest(output.decision) if output.decision.is_file() else None
    except PolyframeError:
        # The change was completed at this moment.
        return None


def table_folder(output: Output, table: str) -> Path:
    """Return the folder of the current parts of a table, even while a change is published."""
    manifest = pending_manifest(output)
    if manifest is None or not _is_unpublished(output, table, manifest):
        return output.table(table)
    return output.finished_table(table)


def _is_unpublished(output: Output, table: str, manifest: Manifest) -> bool:
    """Return whether a table of a decided change is not in its place yet."""
    return output.finished_table(table).is_dir() and not _is_complete(output.table(table), table, manifest)


def _gather(output: Output, table: str, manifest: Manifest) -> bool:
    """Gather the parts of a table in the work directory; return False if nothing changes."""
    folder, published = output.finished_table(table), output.table(table)
    expected = set(table_parts(manifest, table))
    finished = _valid_parts(folder, table, manifest, _part_names(folder))
    # An interrupted run with other settings may have left parts, even of partitions that are up to date.
    for name in _part_names(folder) - finished:
        (folder / name).unlink()
    if not finished and _part_names(published) == expected:
        remove_finished(output, table)
        return False
    if _is_complete(published, table, manifest):
        # The same parts were rebuilt, so readers see the same rows at every moment.
        for name in finished:
            (folder / name).replace(published / name)
        sync_folder(published)
        remove_finished(output, table)
        return True
    folder.mkdir(parents=True, exist_ok=True)
    linked = expected - finished
    for name in linked:
        _link(published / name, folder / name)
    if _part_names(folder) != expected or _valid_parts(folder, table, manifest, linked) != linked:
        raise PolyframeError(f"{folder}: contains parts that this run did not write; run again")
    sync_folder(folder)
    return True


def _part_names(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*.parquet") if is_part_name(path.name)}


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        # On a file system without links, a copy has the same bytes.
        if not source.exists():
            raise PolyframeError(f"{source}: disappeared during the run; run again") from None
        shutil.copy2(source, target)


def _is_complete(folder: Path, table: str, manifest: Manifest) -> bool:
    """Tell whether a folder contains exactly the parts of a table that a manifest lists."""
    expected = set(table_parts(manifest, table))
    return _part_names(folder) == expected and _valid_parts(folder, table, manifest, expected) == expected


def _valid_parts(folder: Path, table: str, manifest: Manifest, names: Collection[str]) -> set[str]:
    """Return those of some parts in a folder whose footers agree with a manifest."""
    valid = set()
    for name, record in part_records(manifest, table).items():
        if name not in names:
            continue
        origin = read_origin(folder / name)
        if origin and (origin.fingerprint, origin.places) == (record.fingerprint, record.places):
            valid.add(name)
    return valid


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
