"""Show what an output directory contains, and whether a run is in progress or has died."""

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from polyframe.core.errors import PolyframeError
from polyframe.core.local_paths import local_path
from polyframe.core.plurals import counted
from polyframe.core.reprs import html_repr, text_repr
from polyframe.store.current_parts import finished_stages
from polyframe.store.lock import holder_of
from polyframe.store.manifest import Manifest, StageRecord, load_manifest, read_manifest
from polyframe.store.output import MERGED, Output, part_name, partition_of
from polyframe.store.part_files import read_rows_and_origin
from polyframe.store.publishing import table_folder
from polyframe.store.reading import read_unchanged
from polyframe.store.recorded_settings import not_default
from polyframe.store.stages import STAGE_TABLES, public_tables, settings_of, tables_of_stages

#: Keys of the manifest that only later runs use.
_NOT_SHOWN: Final = ("partitions", "merged", "last_subject", "drawings", "key_digest")


@dataclass(frozen=True)
class TableStatus:
    """One table on disk.

    Attributes
    ----------
    rows, bytes : int
        Of the parts that can be read.
    parts : int
        Parts in the manifest.
    current : int
        Those that have the size and the fingerprint of the manifest.
    """

    rows: int
    bytes: int
    parts: int
    current: int


@dataclass(frozen=True, repr=False)
class Status:
    """What an output directory contains.

    Attributes
    ----------
    output : str
        The directory.
    polyframe_version : str or None
        The version that made the tables; None if there are no tables yet, and so for the next ones.
    schema_version : int or None
        The version of their columns.
    sources, versions : list of str
        The files of the export, and the workflow versions that were used.
    version_chosen_by : {"user", "default", "newest"} or None
        Whether somebody named the version, nobody did (later runs then keep it), or asked for the newest.
    stages : list of str
        The stages that were run: `extract`, `reduce`, `contours`.
    settings : dict
        All settings that matter to the tables, by name.
    extraction : dict
        Those of the extraction, which may have taken more marks than the later stages.
    engines : dict of str to str
        The engine that computed the tables of `reduce` and `contours`, by stage.
    tables : dict of str to TableStatus
        By table.
    partitions, partitions_current : int
        In all, and those with all parts current.
    parts, parts_current : int
        In all, and those that are current.
    not_current : dict of str to str
        The problem of each file that is not, those of the hidden sums for `volunteers` included.
    accounting : dict
        What became of every row and mark, see `polyframe.store.run_counts.Accounting`; `reasons` counts what
        was rejected.
    running : str or None
        The process of a run in progress.
    finished_parts, finished_partitions : int
        What a run has finished and not published; if none is in progress, the next one reuses it.
    change_decided : bool
        True while finished tables are published, or if a run died then; the next one completes it.
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
    engines: dict[str, str] = field(default_factory=dict)
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

    def __repr__(self) -> str:
        return text_repr("Status", self._rows())

    def _repr_html_(self) -> str:
        return html_repr("Status", self._rows())

    def _rows(self) -> dict[str, object]:
        rows: dict[str, object] = {"output": self.output, "stages": ", ".join(self.stages) or "no tables yet"}
        rows |= {name: counted(table.rows, "row") for name, table in self.tables.items()}
        if self.partitions:
            rows["current"] = f"{self.partitions_current:,} of {counted(self.partitions, 'partition')}"
        if self.running:
            rows["running"] = self.running
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as plain JSON values, by name."""
        return asdict(self)

    def changed_settings(self) -> str:
        """Return the settings that differ from the defaults, such as `eps 0.3, filter all`."""
        return not_default(settings_of(self.settings))


def status(output: str | os.PathLike[str]) -> Status:
    """Show what an output directory contains and whether a run is in progress, like `polyframe status`.

    Nothing is changed there, and a run in progress is not disturbed.

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
    directory = Output(local_path(output, "output"))
    # Without a quiet moment, parts may seem to be missing.
    return read_unchanged(directory, lambda: _status(directory)) or _status(directory)


def _status(output: Output) -> Status:
    path = manifest_file(output)
    finished = finished_stages(output)
    progress: dict[str, Any] = {
        "output": str(output),
        "running": holder_of(output.lock),
        "finished_parts": sum(len(STAGE_TABLES[stage]) for _, stage in finished),
        "finished_partitions": len({partition for partition, _ in finished}),
        "change_decided": path == output.decision,
    }
    if path is None:
        return Status(**progress)
    try:
        manifest = load_manifest(path)
    except PolyframeError:
        if path.is_file():
            raise
        # A change was completed at this moment.
        manifest = load_manifest(output.manifest)
    parts: dict[str, list[_Part]] = {table: [] for table in tables_of_stages(manifest.stages)}
    for part in _parts(output, manifest):
        parts[part.table].append(part)
    problems = {part.file: part.problem for of_table in parts.values() for part in of_table if part.problem}
    merged = {table for record in manifest.merged.values() for table in record.sizes}
    outdated = {partition_of(Path(file).name) for file in problems if file.split("/")[0] not in merged}
    recorded = manifest.to_dict()
    public = {table: parts[table] for table in public_tables(manifest.stages)}
    listed = [part for of_table in public.values() for part in of_table]
    return Status(
        **progress,
        **{key: recorded[key] for key in recorded if key not in _NOT_SHOWN},
        tables={table: _table(of_table) for table, of_table in public.items()},
        partitions=len(manifest.partitions),
        partitions_current=sum(partition.name not in outdated for partition in manifest.partitions),
        parts=len(listed),
        parts_current=sum(not part.problem for part in listed),
        not_current=problems,
    )


def manifest_file(output: Output) -> Path | None:
    """Return the file of the current manifest; None if there are no tables yet.

    Raises
    ------
    PolyframeError
        If the directory is not a polyframe output directory.
    """
    if output.decision.is_file():
        return output.decision
    if not output.manifest.is_file():
        if output.work.is_dir():
            return None
        read_manifest(output.path)
    return output.manifest


@dataclass(frozen=True)
class _Part:
    """A part file; `problem` is empty if it is current."""

    table: str
    file: str
    rows: int
    bytes: int
    problem: str


def _parts(output: Output, manifest: Manifest) -> Iterator[_Part]:
    folders = {table: table_folder(output, table) for table in tables_of_stages(manifest.stages)}
    for partition in manifest.partitions:
        name = part_name(partition.name)
        for stage, record in partition.stages.items():
            for table in STAGE_TABLES[stage]:
                yield _part(folders[table] / name, table, record)
    for record in manifest.merged.values():
        for table in record.sizes:
            yield _part(folders[table] / part_name(MERGED), table, record)


def _part(path: Path, table: str, record: StageRecord) -> _Part:
    file, recorded = f"{table}/{path.name}", record.sizes[table]
    try:
        size = path.stat().st_size
    except OSError:
        return _Part(table, file, 0, 0, "is missing")
    footer = read_rows_and_origin(path)
    if footer is None:
        return _Part(table, file, 0, size, "cannot be read")
    rows, origin = footer
    if size != recorded:
        return _Part(table, file, rows, size, f"has {size} bytes, the manifest says {recorded}")
    outdated = origin.fingerprint != record.fingerprint
    return _Part(table, file, rows, size, "was made from other rows or settings" if outdated else "")


def _table(parts: list[_Part]) -> TableStatus:
    return TableStatus(
        rows=sum(part.rows for part in parts),
        bytes=sum(part.bytes for part in parts),
        parts=len(parts),
        current=sum(not part.problem for part in parts),
    )
