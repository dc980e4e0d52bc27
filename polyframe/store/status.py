"""What an output directory holds, and whether a run works there or has died; nothing is touched."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from polyframe.core.errors import PolyframeError
from polyframe.core.local_paths import local_path
from polyframe.store import commit
from polyframe.store.current_parts import waiting_stages
from polyframe.store.dataset import WORK, last_change
from polyframe.store.lock import holder_of
from polyframe.store.manifest import (
    MANIFEST,
    Manifest,
    PartitionRecord,
    load_manifest,
    read_manifest,
)
from polyframe.store.parts import part_name, read_rows_and_origin
from polyframe.store.stages import STAGE_TABLES, tables_of

_TRIES: Final = 20
_PAUSE: Final = 0.02


@dataclass(frozen=True)
class TableStatus:
    """One table as it is on disk.

    Attributes
    ----------
    rows, bytes : int
        Of the parts that are there and can be read.
    parts : int
        Parts that the manifest names.
    current : int
        Those of them that are there in the length and with the fingerprint that the manifest names.
    """

    rows: int
    bytes: int
    parts: int
    current: int


@dataclass(frozen=True)
class Status:
    """What an output directory holds.

    Attributes
    ----------
    output : str
        The directory.
    polyframe_version : str or None
        What made the tables; None where there are none yet, and so for the rest.
    schema_version : int or None
        The version of their schema.
    sources, versions : list of str
        The files of the export, and the versions of the workflow that were taken.
    version_chosen_by : {"user", "default", "newest"} or None
        Whether somebody named the version, nobody did (later runs then keep it), or the newest was asked for.
    stages : list of str
        What was done: `extract`, `reduce`, `contours`.
    settings : dict
        All settings that matter to the tables, by name.
    extraction : dict
        Those that the extraction was made with, which may have taken more than the later stages.
    tables : dict of str to TableStatus
        By table.
    partitions, partitions_current : int
        In all, and those of which every part is current.
    parts, parts_current : int
        In all, and those that are current.
    not_current : dict of str to str
        What is wrong with the others, by file.
    accounting : dict
        Where every row and mark of the last run went, see `polyframe.store.accounting.Accounting`; `reasons`
        counts what was rejected, by reason.
    running : str or None
        The process that works there now.
    finished_parts, finished_partitions : int
        What a run has finished and not put into place yet; where none is running, the next one takes it over.
    change_decided : bool
        True where finished tables are moving into place, or a run died over that; the next one completes it.
    """

    output: str
    polyframe_version: str | None = None
    schema_version: int | None = None
    sources: list[str] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    version_chosen_by: str | None = None
    stages: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    extraction: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, TableStatus] = field(default_factory=dict)
    partitions: int = 0
    partitions_current: int = 0
    parts: int = 0
    parts_current: int = 0
    not_current: dict[str, str] = field(default_factory=dict)
    accounting: dict[str, Any] = field(default_factory=dict)
    running: str | None = None
    finished_parts: int = 0
    finished_partitions: int = 0
    change_decided: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values, with the names of the attributes as keys."""
        return asdict(self)


def status(output: str | os.PathLike[str]) -> Status:
    """Tell what an output directory holds, like `polyframe status`.

    Nothing is changed there, and a run that works there is not disturbed.

    Parameters
    ----------
    output : path
        The output directory.

    Returns
    -------
    Status

    Raises
    ------
    PolyframeError
        If the directory is not a polyframe output directory, or its manifest cannot be read.
    """
    folder = local_path(output, "output")
    for _ in range(_TRIES):
        before = last_change(folder)
        found = _look(folder)
        # While a run puts tables into place, parts may seem to be missing.
        if not found.not_current or before == last_change(folder):
            break
        time.sleep(_PAUSE)
    return found


def _look(folder: Path) -> Status:
    path = present_manifest(folder)
    work = folder / WORK
    finished = waiting_stages(work)
    now: dict[str, Any] = {
        "output": str(folder),
        "running": holder_of(work / "lock"),
        "finished_parts": sum(len(STAGE_TABLES[stage]) for _, stage in finished),
        "finished_partitions": len({partition for partition, _ in finished}),
        "change_decided": path is not None and path.name != MANIFEST,
    }
    if path is None:
        return Status(**now)
    try:
        manifest = load_manifest(path)
    except PolyframeError:
        if path.is_file():
            raise
        # A change was completed in this moment.
        manifest = load_manifest(folder / MANIFEST)
    looked: dict[str, list[_Part]] = {table: [] for table in tables_of(manifest.stages)}
    for part in _parts(manifest.partitions, folders_of(folder, manifest)):
        looked[part.table].append(part)
    off = {part.file: part.problem for parts in looked.values() for part in parts if part.problem}
    names_off = {Path(file).name for file in off}
    recorded = manifest.to_dict()
    return Status(
        **now,
        **{key: recorded[key] for key in recorded if key not in ("partitions", "last_subject")},
        tables={table: _table(parts) for table, parts in looked.items()},
        partitions=len(manifest.partitions),
        partitions_current=sum(part_name(record.name) not in names_off for record in manifest.partitions),
        parts=sum(map(len, looked.values())),
        parts_current=sum(map(len, looked.values())) - len(off),
        not_current=off,
    )


def present_manifest(output: Path) -> Path | None:
    """Return the file that tells how an output directory is now; None where it has no tables yet.

    Raises
    ------
    PolyframeError
        If the directory is not a polyframe output directory.
    """
    decided = output / WORK / commit.DECIDED
    if decided.is_file():
        return decided
    if not (output / MANIFEST).is_file():
        if (output / WORK).is_dir():
            return None
        read_manifest(output)
    return output / MANIFEST


def folders_of(output: Path, manifest: Manifest) -> dict[str, Path]:
    """Return where the parts of each table are, by its name."""
    work = output / WORK
    return {table: commit.table_folder(output, work, table) for table in tables_of(manifest.stages)}


@dataclass(frozen=True)
class _Part:
    """A part file as it is; `problem` is empty where it is current."""

    table: str
    file: str
    rows: int
    bytes: int
    problem: str


def _parts(records: Sequence[PartitionRecord], folders: Mapping[str, Path]) -> Iterator[_Part]:
    for record in records:
        for stage, made in record.stages.items():
            for table in STAGE_TABLES[stage]:
                path = folders[table] / part_name(record.name)
                file = f"{table}/{path.name}"
                yield _looked_at(path, table, file, made.sizes[table], made.fingerprint)


def _looked_at(path: Path, table: str, file: str, size: int, fingerprint: str) -> _Part:
    try:
        found = path.stat().st_size
    except OSError:
        return _Part(table, file, 0, 0, "is missing")
    footer = read_rows_and_origin(path)
    if footer is None:
        return _Part(table, file, 0, found, "cannot be read")
    rows, origin = footer
    if found != size:
        return _Part(table, file, rows, found, f"has {found} bytes, the manifest says {size}")
    other = "was made from other rows or settings" if origin.fingerprint != fingerprint else ""
    return _Part(table, file, rows, found, other)


def _table(parts: list[_Part]) -> TableStatus:
    return TableStatus(
        rows=sum(part.rows for part in parts),
        bytes=sum(part.bytes for part in parts),
        parts=len(parts),
        current=sum(not part.problem for part in parts),
    )
