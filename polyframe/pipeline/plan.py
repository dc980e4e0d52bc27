"""Plan a run: which stages of which partitions are out of date, and what they are rebuilt from."""

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final, cast

import msgspec

from polyframe.core.choices import EngineUsed
from polyframe.core.setting_fields import Affects
from polyframe.core.settings import Settings
from polyframe.panoptes.classifications.scan_export import ExportScan
from polyframe.panoptes.classifications.version_selection import Selection
from polyframe.pipeline.partition_task import PartitionTask
from polyframe.pipeline.partitions import Border, Partition, partitions_of, plan_borders
from polyframe.pipeline.sorted_rows import Slices
from polyframe.store.current_parts import EarlierWork, current_stages
from polyframe.store.fingerprints import fingerprints_by_content, places_fingerprint
from polyframe.store.manifest import Manifest, PartitionRecord, StageRecord, counts_of
from polyframe.store.output import part_keys
from polyframe.store.part_files import FOOTERS_AT_ONCE, PartFile
from polyframe.store.stages import ENGINE_STAGES, STAGE_TABLES

#: By partition and stage.
Records = Mapping[str, Mapping[str, StageRecord]]

_MEGABYTE: Final = 1_000_000
#: Names are there for millions; more partitions than this cost more than they are worth.
_MOST_PARTITIONS: Final = 500_000


@dataclass(frozen=True)
class RunSpec:
    """What a run makes of every partition.

    Attributes
    ----------
    stages : tuple of str
        Some of `extract`, `reduce` and `contours`.
    settings : Settings
        All settings.
    selection : Selection or None
        Which rows of the export are used; None if the run starts from extractions.
    earlier : EarlierWork
        The parts of earlier runs.
    key_digest : str or None
        Of the secret with which volunteers are hashed.
    """

    stages: tuple[str, ...]
    settings: Settings
    selection: Selection | None
    earlier: EarlierWork
    key_digest: str | None = None

    @functools.cached_property
    def fingerprints_of(self) -> Callable[[str], Mapping[str, str]]:
        """The fingerprint of each stage, by the hash of the rows of a partition."""
        return fingerprints_by_content(self.settings, self.key_digest)


def planned_partitions(export: ExportScan, before: Manifest | None) -> list[Partition]:
    """Cut the subjects into partitions, and keep the borders of the output directory, if it has some."""
    old_borders: list[Border] = []
    last_known = None
    if before and before.extraction.workflow_id == export.settings.workflow_id:
        old_borders = [Border(record.name, record.first_subject) for record in before.partitions]
        last_known = before.last_subject
    size = export.settings.partition_size * _MEGABYTE
    size = max(size, int(export.subjects["bytes"].sum()) // _MOST_PARTITIONS)
    return partitions_of(export.subjects, plan_borders(export.subjects, size, old_borders, last_known))


def recorded_partitions(before: Manifest) -> list[Partition]:
    """Return the partitions of an output directory, from its manifest."""
    records = before.partitions
    next_subjects = [*(record.first_subject for record in records[1:]), None]
    return [
        Partition(
            record.name, record.first_subject, next_subject, record.content, places="", rows=rows_of(record)
        )
        for record, next_subject in zip(records, next_subjects, strict=True)
    ]


def rows_of(record: PartitionRecord) -> int:
    """Return the number of rows of a partition in a manifest."""
    counts = counts_of(record)
    return sum(n for n in (counts.rows_used, counts.rows_rejected) if n is not msgspec.UNSET)


def current_records(spec: RunSpec, partitions: Sequence[Partition]) -> dict[str, dict[str, StageRecord]]:
    """Return the records of the stages that are up to date, by partition and stage."""

    def stages_of(partition: Partition) -> dict[str, StageRecord]:
        return current_stages(
            partition.name,
            spec.fingerprints_of(partition.content),
            _row_positions_fingerprint(spec, partition),
            spec.stages,
            spec.earlier,
        )

    names = [partition.name for partition in partitions]
    if spec.earlier.output.folder is None and spec.earlier.parts:
        # The footers of parts that a run did not publish are read: each is a request.
        with ThreadPoolExecutor(FOOTERS_AT_ONCE) as threads:
            current = dict(zip(names, threads.map(stages_of, partitions), strict=True))
    else:
        current = dict(zip(names, map(stages_of, partitions), strict=True))
    if spec.selection is not None and spec.settings.volunteers == "drop":
        # Extractions without names do not show who classified a subject again, so later stages need the rows.
        current = {name: r if len(r) == len(spec.stages) else {} for name, r in current.items()}
    return current


def task_for(
    spec: RunSpec,
    partition: Partition,
    current: Mapping[str, StageRecord],
    rows: Slices | None,
) -> PartitionTask:
    """Return the task that rebuilds the out-of-date stages of a partition.

    Parameters
    ----------
    spec : RunSpec
    partition : Partition
    current : mapping of str to StageRecord
        Its stages that are up to date.
    rows : Slices or None
        Its rows of the export; None if the task starts from its extractions.
    """
    return PartitionTask(
        partition=partition,
        stages=tuple(stage for stage in spec.stages if stage not in current),
        source=_extracted(spec, partition, current) if rows is None else rows,
        selection=spec.selection,
        settings=spec.settings,
        output=spec.earlier.output,
        fingerprints=spec.fingerprints_of(partition.content),
        places=_row_positions_fingerprint(spec, partition),
    )


def _extracted(
    spec: RunSpec, partition: Partition, current: Mapping[str, StageRecord]
) -> dict[str, PartFile]:
    """Return the parts of the extraction of a partition, which is up to date."""
    record = current.get("extract") or spec.earlier.records[partition.name].stages["extract"]
    objects, keys = spec.earlier.output.objects, part_keys(record.sizes, partition.name, record)
    return {table: PartFile(objects, key) for table, key in keys.items()}


def kept_stages(
    spec: RunSpec,
    partitions: Sequence[Partition],
    before: Manifest | None,
    explicit: Collection[str] = (),
) -> tuple[Settings, Records]:
    """Return the stages in the output directory, outside this run, that its tables still agree with.

    The settings of those stages stay as recorded, so that a later stage can use them, even if its tables are
    removed in between.

    Parameters
    ----------
    spec : RunSpec
    partitions : sequence of Partition
        All partitions.
    before : Manifest or None
        The manifest of the output directory.
    explicit : collection of str
        Names of the settings that were given; if no other tables are kept, they replace the recorded ones.

    Returns
    -------
    settings : Settings
        Settings of all tables together.
    records : mapping
        By partition and stage; for each stage, all partitions or none.
    """
    if before is None:
        return spec.settings, {}
    # Contours are made from extractions, with the clustering of the reductions if there are some.
    own: list[Affects] = ["extract", *(cast(Affects, stage) for stage in spec.stages)]
    if spec.stages != ("extract",):
        own.append("carried")
    if "contours" in spec.stages and "reduce" not in before.stages:
        own.append("reduce")
    settings = replace(
        before.settings, **{n: getattr(spec.settings, n) for n in spec.settings.affecting(*own)}
    )
    if forgets_excluded(spec, before, explicit):
        settings = replace(settings, exclude_volunteers=())
    others = tuple(s for s in STAGE_TABLES if s in before.stages and s not in (*spec.stages, "extract"))
    current: dict[str, dict[str, StageRecord]] = {partition.name: {} for partition in partitions}
    for stage in others:
        made_with = settings.replace({"engine": before.engines.get(stage, "auto")})
        records_of_stage = current_records(replace(spec, stages=(stage,), settings=made_with), partitions)
        for name, stages in records_of_stage.items():
            current[name] |= stages
    kept = [stage for stage in others if all(stage in stages for stages in current.values())]
    records = {name: {stage: stages[stage] for stage in kept} for name, stages in current.items()}
    if spec.selection is None:
        # The run does not change the extractions.
        for name, record in spec.earlier.records.items():
            records[name] = {"extract": record.stages["extract"], **records[name]}
    if not kept and spec.selection is None:
        # These settings combine the recorded ones with those that were given.
        return spec.settings, records
    carried = spec.settings.affecting("carried")
    new = [name for name in explicit if not kept or name in carried]
    return settings.replace({name: getattr(spec.settings, name) for name in new}), records


def forgets_excluded(spec: RunSpec, before: Manifest | None, explicit: Collection[str] = ()) -> bool:
    """Return whether an extraction gives the volunteers other names than those that are recorded as excluded.

    The digests of the old names match no new name, so the volunteers would count again in the next `reduce`.

    Parameters
    ----------
    spec, before, explicit
        As for `kept_stages`.
    """
    if before is None or not before.settings.exclude_volunteers or "exclude_volunteers" in explicit:
        return False
    names = (before.extraction.volunteers, before.key_digest)
    return "reduce" not in spec.stages and names != (spec.settings.volunteers, spec.key_digest)


def engines_by_stage(spec: RunSpec, before: Manifest | None) -> dict[str, EngineUsed]:
    """Return the engine of each stage after a run; that of a stage outside the run is the recorded one."""
    engines = {} if before is None else dict(before.engines)
    assert spec.settings.engine != "auto"
    return engines | {stage: spec.settings.engine for stage in spec.stages if stage in ENGINE_STAGES}


def _row_positions_fingerprint(spec: RunSpec, partition: Partition) -> str:
    if spec.selection is None:
        return spec.earlier.records[partition.name].stages["extract"].places or ""
    return places_fingerprint(partition.places, spec.selection.sources)
