"""Show what an output directory contains, and whether a run is in progress or has died."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from polyframe.core.durations import format_duration, parse_duration
from polyframe.core.errors import PolyframeError
from polyframe.core.fork_guard import use_polars
from polyframe.core.local_paths import AnyPlace, place_of
from polyframe.core.plurals import agreeing, counted
from polyframe.core.reprs import html_repr, text_repr
from polyframe.core.tables import CORRECTIONS, PUBLIC_TABLES
from polyframe.store.corrections import cluster_names
from polyframe.store.last_check import last_check
from polyframe.store.lock import holder_of
from polyframe.store.manifest import Manifest, StageRecord, part_records
from polyframe.store.objects import Entry
from polyframe.store.output import (
    MANIFESTS,
    PARTS,
    STORE,
    WORK,
    Output,
    Work,
    manifest_key,
    part_name,
    partition_of,
)
from polyframe.store.part_files import PartFile, read_rows_and_origin
from polyframe.store.reading import OutputTables
from polyframe.store.recorded_settings import not_default
from polyframe.store.stages import STAGE_TABLES, public_tables, settings_of, tables_of_stages
from polyframe.store.versions import read_manifest, table_parts, version_numbers
from polyframe.store.view import is_view_changing, view_problem

#: How often an output is read if runs remove what was read.
_TRIES: Final = 5
#: Keys of the manifest that only later runs use.
_NOT_SHOWN: Final = ("partitions", "merged", "last_subject", "drawings", "key_digest", "run")


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


@dataclass(frozen=True)
class Published:
    """A version of the tables.

    Attributes
    ----------
    number : int
    finished_at, host : str or None
        When it was published (UTC), and by which computer; None if that is not known.
    polyframe_version : str or None
        The release of polyframe that made it; None if its manifest cannot be read, for example because it is
        one of another release.
    """

    number: int
    finished_at: str | None
    host: str | None
    polyframe_version: str | None


@dataclass(frozen=True)
class CorrectionsStatus:
    """The corrections in an output.

    Attributes
    ----------
    polygons, removed : int
        Clusters with a corrected polygon, and clusters that were removed since they are not objects.
    stale : int
        Corrections that are not used, because their cluster has other marks by now.
    stale_clusters : list of str
        Each of these, such as `subject 1000003 frame 0 T0_toolIndex0 cluster 1`.
    """

    polygons: int
    removed: int
    stale: int
    stale_clusters: list[str]


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
    number : int or None
        The number of the newest version; 0 if an earlier release wrote the tables, without numbers.
    finished_at, host : str or None
        When it was published (UTC), and by which computer.
    checked_at : str or None
        When a run last published it or found that it is up to date (UTC).
    published : list of Published
        All versions that are kept, if they were requested.
    corrections : CorrectionsStatus or None
        Those that somebody imported; None without any, or if they cannot be read.
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
    number: int | None = None
    finished_at: str | None = None
    host: str | None = None
    checked_at: str | None = None
    published: list[Published] = field(default_factory=list)
    corrections: CorrectionsStatus | None = None

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

    def problems(self, max_age: str | timedelta | None = None) -> list[str]:
        """Return what a monitor should report, like `polyframe status --check`.

        Parameters
        ----------
        max_age : str or timedelta, optional
            The longest time since a run published tables or found that they are up to date, such as `26h`.

        Returns
        -------
        list of str
            Empty if there are tables, all of their parts are current, and they are not older than `max_age`.

        Raises
        ------
        UsageError
            If `max_age` is not a duration.
        """
        limit = None if max_age is None else parse_duration(max_age, "max_age")
        if self.polyframe_version is None:
            return ["no tables yet"]
        problems = []
        age = self.age()
        if limit is not None and age is None:
            problems.append("it is not known when the tables were published; run polyframe again")
        elif limit is not None and age is not None and age > limit:
            problems.append(f"updated {format_duration(age)} ago, more than {format_duration(limit)}")
        if self.not_current:
            file, problem = next(iter(self.not_current.items()))
            number = len(self.not_current)
            problems.append(
                f"{counted(number, 'part')} {agreeing(number, 'are')} missing or damaged: {file} {problem}"
                f"{', ...' * (number > 1)}"
            )
        return problems

    def age(self) -> timedelta | None:
        """Return the time since `checked_at`, None if that is not known; 0 if another clock is ahead."""
        try:
            checked = datetime.fromisoformat(self.checked_at or "").astimezone(UTC)
        except ValueError:  # somebody has edited it
            return None
        return max(datetime.now(UTC) - checked, timedelta(0))

    def changed_settings(self) -> str:
        """Return the settings that differ from the defaults, such as `eps 0.3, filter all`."""
        return not_default(settings_of(self.settings))


def status(
    output: AnyPlace, *, versions: bool = False, storage_options: Mapping[str, str] | None = None
) -> Status:
    """Show what an output contains and whether a run is in progress, like `polyframe status`.

    Nothing is changed there, and a run in progress is not disturbed.

    Parameters
    ----------
    output : path or address
        The output directory, such as `out` or `s3://bucket/project`.
    versions : bool
        Also list all versions that are kept.
    storage_options : mapping, optional
        As for `polyframe.scan`.

    Returns
    -------
    Status

    Raises
    ------
    PolyframeError
        If the directory is not a polyframe output directory, or its manifest cannot be read.
    """
    use_polars()
    opened = Output(place_of(output, "output", storage_options))
    for left in reversed(range(_TRIES)):
        numbers = version_numbers(opened)
        try:
            found = _status(opened, numbers, versions=versions)
        except PolyframeError:
            if not left or version_numbers(opened) == numbers:
                raise
            continue
        # A run may have removed the versions that were read, and their parts.
        if not left or set(numbers) <= set(version_numbers(opened)):
            break
    return found


def _status(opened: Output, numbers: Sequence[int], *, versions: bool) -> Status:
    """Return the status of an output with some versions."""
    if not numbers and not is_begun(opened):
        read_manifest(opened)
    manifest = read_manifest(opened, numbers[-1]) if numbers else None
    work = None if opened.folder is None else Work(opened, opened.folder / WORK)
    entries = opened.objects.entries(PARTS)
    finished = _finished_stages(opened, manifest, entries)
    progress: dict[str, Any] = {
        "output": str(opened),
        "running": None if work is None else holder_of(work.lock),
        "finished_parts": sum(len(STAGE_TABLES[stage]) for _, stage in finished),
        "finished_partitions": len({partition for partition, _ in finished}),
        "published": [_published(opened, number) for number in numbers] if versions else [],
    }
    if manifest is None:
        return Status(**progress)
    parts = _parts(opened, manifest, entries)
    problems = {part.file: part.problem for of_table in parts.values() for part in of_table if part.problem}
    merged = {table for record in manifest.merged.values() for table in record.sizes}
    outdated = {partition_of(Path(file).name) for file in problems if file.split("/")[0] not in merged}
    recorded = manifest.to_dict()
    public = {table: parts[table] for table in public_tables(manifest.sources_of_tables)}
    listed = [part for of_table in public.values() for part in of_table]
    return Status(
        **progress,
        checked_at=last_check(opened, manifest),
        **{key: recorded[key] for key in recorded if key not in _NOT_SHOWN},
        tables={table: _table(of_table) for table, of_table in public.items()},
        partitions=len(manifest.partitions),
        partitions_current=sum(partition.name not in outdated for partition in manifest.partitions),
        parts=len(listed),
        parts_current=sum(not part.problem for part in listed),
        not_current=problems,
        corrections=_corrections(OutputTables(opened, manifest)),
    )


def _corrections(tables: OutputTables) -> CorrectionsStatus | None:
    if not tables.contains(CORRECTIONS.name):
        return None
    try:
        corrections = tables.corrections
    except PolyframeError:
        return None  # a missing or damaged part is listed
    removed = int(corrections.is_removed.sum())
    names = cluster_names(corrections.stale)
    return CorrectionsStatus(corrections.current.height - removed, removed, len(names), names)


def is_begun(output: Output) -> bool:
    """Return whether a run has begun in an output without tables, and may be in progress."""
    if output.folder is None:
        return bool(output.objects.entries(PARTS))
    return (output.folder / WORK).is_dir() or (output.folder / STORE).is_dir()


def _published(output: Output, number: int) -> Published:
    try:
        manifest = read_manifest(output, number)
    except PolyframeError:
        return Published(number, None, None, None)
    return Published(number, manifest.finished_at, manifest.host, manifest.polyframe_version)


@dataclass(frozen=True)
class _Part:
    """A part; `problem` is empty if it is current."""

    file: str
    rows: int
    bytes: int
    problem: str


def _parts(output: Output, manifest: Manifest, entries: Mapping[str, Entry]) -> dict[str, list[_Part]]:
    """Return the parts of a version by table, with the problems of the folders that show it."""
    # An output of an earlier release is not shown in folders, but consists of them.
    folder = output.folder if manifest.number and not is_view_changing(output, manifest) else None
    parts = {}
    for table in tables_of_stages(manifest.sources_of_tables):
        records = part_records(manifest, table)
        view = folder if table in PUBLIC_TABLES else None
        parts[table] = [
            _part(f"{table}/{part_name(partition)}", table, part, records[partition], entries, view)
            for partition, part in table_parts(output, manifest, table).items()
        ]
    has_problem = any(part.problem for of_table in parts.values() for part in of_table)
    if folder is not None and has_problem and is_view_changing(output, manifest):
        return _parts(output, manifest, entries)
    return parts


def _part(
    file: str,
    table: str,
    part: PartFile,
    record: StageRecord,
    entries: Mapping[str, Entry],
    view: Path | None,
) -> _Part:
    recorded = record.sizes[table]
    size = entries[part.key].size if part.key in entries else _size(part)
    if size is None:
        return _Part(file, 0, 0, "is missing")
    rows = record.rows.get(table)
    if size != recorded:
        return _Part(file, rows or 0, size, f"has {size} bytes, the manifest says {recorded}")
    if rows is None:
        footer = read_rows_and_origin(part)
        if footer is None:
            return _Part(file, 0, size, "cannot be read")
        rows = footer[0]
    return _Part(file, rows, size, "" if view is None else view_problem(view / file, part))


def _size(part: PartFile) -> int | None:
    """Return the size of a part of an output without a store."""
    place = part.place
    return place.stat().st_size if isinstance(place, Path) and place.is_file() else None


def _finished_stages(
    output: Output, manifest: Manifest | None, entries: Mapping[str, Entry]
) -> set[tuple[str, str]]:
    """Return partition and stage of parts that a run wrote after the newest version was published."""
    published = 0.0
    if manifest is not None and manifest.number:
        # A run may have removed the version meanwhile; then nothing is known of parts without a version.
        entry = output.objects.entries(MANIFESTS).get(manifest_key(manifest.number))
        published = entry.modified if entry else math.inf
    new: dict[tuple[str, str], set[str]] = {}
    for key, entry in entries.items():
        table, _, name = key.removeprefix(PARTS).partition("/part=")
        if entry.modified > published:
            new.setdefault((name.partition("/")[0], table), set()).add(name)
    return {
        (partition, stage)
        for partition, _ in new
        for stage, tables in STAGE_TABLES.items()
        if set.intersection(*(new.get((partition, table), set()) for table in tables))
    }


def _table(parts: list[_Part]) -> TableStatus:
    return TableStatus(
        rows=sum(part.rows for part in parts),
        bytes=sum(part.bytes for part in parts),
        parts=len(parts),
        current=sum(not part.problem for part in parts),
    )
