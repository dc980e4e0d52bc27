"""Define the manifest of an output: how its tables were made, and which parts they have."""

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Final

import msgspec

from polyframe import __version__
from polyframe.core.choices import EngineUsed, VersionChosenBy
from polyframe.core.drawing_sizes import UNKNOWN_SIZES, DrawingSizes
from polyframe.core.errors import short_repr
from polyframe.core.setting_fields import Affects
from polyframe.core.settings import Settings
from polyframe.core.tables import SCHEMA_VERSION
from polyframe.panoptes.annotations.tools import Tools, tools_from_names
from polyframe.store.output import MERGED
from polyframe.store.run_counts import Accounting, Count, Counts
from polyframe.store.stages import ENGINE_STAGES, IMPORTED, MERGED_TABLES, STAGE_TABLES, stage_of

#: Which settings are recorded as those of the extraction, and as those of all tables.
EXTRACTION: Final[tuple[Affects, ...]] = ("extract",)
ALL_TABLES: Final[tuple[Affects, ...]] = ("extract", "reduce", "contours", "carried")

#: Partition names become file names, so nothing else may pass.
PartitionName = Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{5,12}(-[0-9]{2})*\Z")]
Content = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{16}\Z")]
Fingerprint = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{32}\Z")]
#: As wide as a column of subjects.
SubjectId = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class StageRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The result of one stage for one partition, or the tables that are merged from all partitions.

    Attributes
    ----------
    fingerprint : str
        Of the rows and the settings, see `polyframe.store.fingerprints`.
    places : str or None
        Of the positions of the rows in the export; None if the parts do not depend on them.
    counts : Counts
        What the stage counted.
    sizes, rows : mapping of str to int
        Bytes and rows of the part file of each table.
    """

    fingerprint: Fingerprint
    places: Fingerprint | None
    counts: Counts
    sizes: dict[str, Count]
    rows: dict[str, Count] = {}


class PartitionRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One partition of an output directory.

    Attributes
    ----------
    name : str
        Part of the names of its files.
    first_subject : int or None
        The first subject of the partition; None for the first partition.
    content : str
        Hash of its rows.
    stages : mapping of str to StageRecord
        By stage.
    """

    name: PartitionName
    first_subject: SubjectId | None
    content: Content
    stages: dict[str, StageRecord]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the tables of an output directory were made, and which part files belong to them.

    Attributes
    ----------
    polyframe_version : str
        The version that wrote the tables.
    schema_version : int
        The version of the tables' columns.
    sources, versions : tuple of str
        The files of the export, and the workflow versions that were used.
    version_chosen_by : {"user", "default", "newest"}
        See `polyframe.panoptes.classifications.version_selection.Selection`.
    extraction : Settings
        Those of the extraction, which may have taken more marks than the later stages.
    last_subject : int or None
        The largest subject of the export.
    stages : tuple of str
        Those that were run, in their order.
    settings : Settings
        Those of all tables.
    accounting : Accounting
        What became of every row and mark.
    partitions : tuple of PartitionRecord
        At least one, in the order of their subjects.
    merged : dict of str to StageRecord
        By stage, the tables that are merged from all partitions, and those that somebody imported.
    engines : dict of str to str
        The engine that computed the tables of `reduce` and `contours`; empty if it was not recorded.
    drawings : DrawingSizes
        How much was drawn, by which `auto` chooses the engine.
    key_digest : str or None
        Of the secret with which volunteers are hashed; None unless they are.
    number : int
        Of the version of the tables: 1 for the first, and one more whenever a run publishes others. 0 until
        it is published.
    finished_at : str or None
        When it was published, such as `2026-11-27T06:45:00Z`.
    host : str or None
        The computer whose run published it.
    run : str or None
        A random number of that run.
    """

    polyframe_version: str
    schema_version: int
    sources: tuple[str, ...]
    versions: tuple[str, ...]
    version_chosen_by: VersionChosenBy
    extraction: Settings
    last_subject: SubjectId | None
    stages: tuple[str, ...]
    settings: Settings
    accounting: Accounting
    partitions: Annotated[tuple[PartitionRecord, ...], msgspec.Meta(min_length=1)]
    merged: dict[str, StageRecord]
    engines: dict[str, EngineUsed] = {}
    drawings: DrawingSizes = UNKNOWN_SIZES
    key_digest: Fingerprint | None = None
    number: Count = 0
    finished_at: str | None = None
    host: str | None = None
    run: str | None = None

    def __post_init__(self) -> None:
        """Check what the types do not express.

        Raises
        ------
        ValueError
            If a stage or a partition is missing, unknown or out of order.
        """
        _check_stages(self.stages)
        if unknown := [stage for stage in self.engines if stage not in {*self.stages} & {*ENGINE_STAGES}]:
            raise ValueError(f"engines: {short_repr(unknown[0])} is not a stage with an engine")
        for number, partition in enumerate(self.partitions):
            _check_partition(partition, f"partitions[{number}]", self.stages, is_first=number == 0)
        for before, after in itertools.pairwise(self.partitions):
            _check_order(before, after)
        _check_merged(self.merged, self.stages)

    @property
    def sources_of_tables(self) -> tuple[str, ...]:
        """The stages that were run, and `IMPORTED` if there are imported tables."""
        return (*self.stages, *(name for name in (IMPORTED,) if name in self.merged))

    def to_dict(self) -> dict[str, Any]:
        """Return the manifest as plain JSON values, as they are in its file."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        plain["extraction"] = self.extraction.affecting(*EXTRACTION)
        plain["settings"] = self.settings.affecting(*ALL_TABLES)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}

    def has_tables_of(self, other: "Manifest | None") -> bool:
        """Return whether two manifests describe the same tables, whenever and wherever they were made."""
        return other is not None and self == msgspec.structs.replace(
            other, number=self.number, finished_at=self.finished_at, host=self.host, run=self.run
        )


def new_manifest(
    settings: Settings,
    partitions: Sequence[PartitionRecord],
    accounting: Accounting,
    *,
    sources: tuple[str, ...],
    versions: tuple[str, ...],
    version_chosen_by: VersionChosenBy,
    extraction: Settings,
    last_subject: int | None,
    merged: Mapping[str, StageRecord] = MappingProxyType({}),
    engines: Mapping[str, EngineUsed] = MappingProxyType({}),
    drawings: DrawingSizes = UNKNOWN_SIZES,
    key_digest: str | None = None,
) -> Manifest:
    """Return the manifest of tables that this version of polyframe made; see `Manifest` for parameters."""
    stages = tuple(stage for stage in STAGE_TABLES if stage in partitions[0].stages)
    return Manifest(
        polyframe_version=__version__,
        schema_version=SCHEMA_VERSION,
        sources=sources,
        versions=versions,
        version_chosen_by=version_chosen_by,
        extraction=_keep_recorded(extraction, EXTRACTION),
        last_subject=last_subject,
        stages=stages,
        settings=_keep_recorded(settings, ALL_TABLES),
        accounting=accounting,
        partitions=tuple(
            msgspec.structs.replace(partition, stages={stage: partition.stages[stage] for stage in stages})
            for partition in partitions
        ),
        merged={stage: merged[stage] for stage in stages if stage in merged},
        engines={stage: engines[stage] for stage in stages if stage in engines},
        drawings=drawings,
        key_digest=key_digest,
    )


def with_later_stages(
    before: Manifest,
    settings: Settings,
    partitions: Sequence[PartitionRecord],
    accounting: Accounting,
    merged: Mapping[str, StageRecord] = MappingProxyType({}),
    engines: Mapping[str, EngineUsed] = MappingProxyType({}),
) -> Manifest:
    """Return the manifest after stages that started from the extractions of an output directory."""
    return new_manifest(
        settings,
        partitions,
        accounting,
        sources=before.sources,
        versions=before.versions,
        version_chosen_by=before.version_chosen_by,
        extraction=before.extraction,
        last_subject=before.last_subject,
        merged=merged,
        engines=engines,
        drawings=before.drawings,
        key_digest=before.key_digest,
    )


def recorded_tools(partitions: Iterable[PartitionRecord]) -> Tools | None:
    """Return the tools of all partitions; None if one of them does not record its tools."""
    names: set[str] = set()
    for partition in partitions:
        tools = partition.stages["extract"].counts.tools
        if tools is msgspec.UNSET:
            return None
        names.update(tools)
    return tools_from_names(names)


def excluded_digests(partitions: Iterable[PartitionRecord]) -> set[str]:
    """Return the digests of the excluded volunteers that occur in some partition."""
    counts = [counts_of(partition).excluded_digests for partition in partitions]
    return {digest for digests in counts if digests is not msgspec.UNSET for digest in digests}


def counts_of(partition: PartitionRecord) -> Counts:
    """Return the counts of a partition; those of a later stage replace those of an earlier one."""
    counts: dict[str, Any] = {}
    for stage in STAGE_TABLES:
        counts |= partition.stages[stage].counts.to_dict() if stage in partition.stages else {}
    return Counts(**counts)


def part_records(manifest: Manifest, table: str) -> dict[str, StageRecord]:
    """Return the record of each part of a table by the name of its partition, in order.

    Empty if there is no such table. A merged table has a single part, see `polyframe.store.output.MERGED`.
    """
    stage = stage_of(table)
    if stage not in manifest.sources_of_tables:
        return {}
    if table in MERGED_TABLES.get(stage, ()):
        return {MERGED: manifest.merged[stage]}
    return {partition.name: partition.stages[stage] for partition in manifest.partitions}


def _keep_recorded(settings: Settings, affects: tuple[Affects, ...]) -> Settings:
    """Return the settings that are recorded; the others are the defaults."""
    recorded = {name: getattr(settings, name) for name in settings.affecting(*affects)}
    return dataclasses.replace(Settings(), **recorded)


def _check_stages(stages: tuple[str, ...]) -> None:
    first, *later = STAGE_TABLES
    if first not in stages or stages != tuple(stage for stage in STAGE_TABLES if stage in stages):
        raise ValueError(f"stages: expected {first}, or it and some of {', '.join(later)}, in this order")


def _check_partition(
    partition: PartitionRecord, place: str, stages: tuple[str, ...], *, is_first: bool
) -> None:
    if (partition.first_subject is None) != is_first:
        raise ValueError(f"{place}.first_subject: expected {'null' if is_first else 'an integer'}")
    if tuple(partition.stages) != stages:
        raise ValueError(f"{place}.stages: expected {', '.join(stages)}")
    for stage, record in partition.stages.items():
        tables = ", ".join(STAGE_TABLES[stage])
        if set(record.sizes) != set(STAGE_TABLES[stage]):
            raise ValueError(f"{place}.stages.{stage}.sizes: expected one size for each of {tables}")
        if record.rows and record.rows.keys() != record.sizes.keys():
            raise ValueError(f"{place}.stages.{stage}.rows: expected a number for each of {tables}")


def _check_merged(merged: Mapping[str, StageRecord], stages: tuple[str, ...]) -> None:
    present = (*stages, *(name for name in (IMPORTED,) if name in merged))
    expected = {stage: set(tables) for stage, tables in MERGED_TABLES.items() if stage in present}
    if {stage: set(record.sizes) for stage, record in merged.items()} != expected:
        tables = ", ".join(table for names in expected.values() for table in names) or "no table"
        raise ValueError(f"merged: expected one size for each of {tables}")


def _check_order(before: PartitionRecord, after: PartitionRecord) -> None:
    """Check that parts in the order of their names are in the order of their subjects."""
    if before.name >= after.name:
        raise ValueError(f"partition {after.name} after {before.name}: not in the order of their names")
    first, next_first = before.first_subject, after.first_subject
    if first is not None and next_first is not None and first >= next_first:
        raise ValueError(
            f"partition {after.name}: first_subject {next_first} is not above that of {before.name}, {first}"
        )
