"""Merge the sums of all partitions into the tables of the whole project."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from polyframe.consensus.volunteers import merge_sums, volunteers_table
from polyframe.core.choices import EngineUsed
from polyframe.core.settings import Settings
from polyframe.core.tables import VOLUNTEER_SUMS, VOLUNTEERS
from polyframe.pipeline.executors.executor import Executor, WorkerLost, run_tasks
from polyframe.store.current_parts import EarlierWork, are_stored
from polyframe.store.fingerprints import merged_content, merged_places, stage_fingerprints
from polyframe.store.manifest import PartitionRecord, StageRecord
from polyframe.store.output import MERGED, Output, part_key, sums_key
from polyframe.store.part_files import Origin, PartFile, read_parts, write_part
from polyframe.store.run_counts import Counts
from polyframe.store.stages import stage_of, stage_settings

#: Number of partitions whose sums a worker adds up in one task.
_PARTS_PER_TASK: Final = 500


@dataclass(frozen=True)
class _Sums:
    """Parts with sums of volunteers, and where those of all together are written for a moment."""

    parts: tuple[PartFile, ...]
    total: PartFile


def merge_tables(
    output: Output,
    records: Sequence[PartitionRecord],
    settings: Settings,
    engines: Mapping[str, EngineUsed],
    key_digest: str | None,
    known: Mapping[str, StageRecord],
    earlier: EarlierWork,
    executor: Executor,
) -> dict[str, StageRecord]:
    """Write the table `volunteers` from the sums of all partitions, if they are out of date.

    Parameters
    ----------
    output : Output
        In whose store all partitions are.
    records : sequence of PartitionRecord
        The new ones.
    settings : Settings
        Those of all tables.
    engines : mapping
        The engine of each stage.
    key_digest : str or None
        Of the secret with which volunteers are hashed.
    known : mapping of str to StageRecord
        The merged tables of the newest version, by stage; empty to write them even if they are up to date.
    earlier : EarlierWork
        The parts that may be reused.
    executor : Executor
        Adds up the sums of many partitions.

    Returns
    -------
    dict of str to StageRecord
        By stage; empty without a reduction.
    """
    stage = stage_of(VOLUNTEERS.name)
    if stage not in records[0].stages:
        return {}
    settings = settings.replace({"engine": engines.get(stage, "auto")})
    content = merged_content(record.content for record in records)
    fingerprint = stage_fingerprints(content, settings, key_digest)[stage]
    places = merged_places([record.stages[stage].places for record in records])
    merged = known.get(stage)
    is_same = merged is not None and (merged.fingerprint, merged.places) == (fingerprint, places)
    if merged is not None and is_same and are_stored(merged, MERGED, earlier.parts):
        return {stage: merged}
    parts = [
        PartFile(output.objects, part_key(VOLUNTEER_SUMS.name, record.name, record.stages[stage]))
        for record in records
    ]
    sums = read_parts(parts) if len(parts) <= _PARTS_PER_TASK else _added_up(parts, output, executor)
    origin = Origin(stage_settings(settings, stage), fingerprint, places, Counts())
    part = PartFile(output.objects, part_key(VOLUNTEERS.name, MERGED, origin))
    written = write_part(volunteers_table(sums), part, VOLUNTEERS, origin)
    sizes, rows = {VOLUNTEERS.name: written.size}, {VOLUNTEERS.name: written.rows}
    return {stage: StageRecord(fingerprint, places, origin.counts, sizes, rows)}


def _added_up(parts: Sequence[PartFile], output: Output, executor: Executor) -> pl.DataFrame:
    """Add up sums on workers; they pass their results through the store."""
    run = uuid.uuid4().hex
    tasks = [
        _Sums(tuple(parts[start : start + _PARTS_PER_TASK]), PartFile(output.objects, sums_key(run, start)))
        for start in range(0, len(parts), _PARTS_PER_TASK)
    ]
    try:
        named = ((f"{number:05d}", task) for number, task in enumerate(tasks))
        for _, task, future in run_tasks(executor, _add_up, named):
            try:
                future.result()
            except WorkerLost:
                _add_up(task)
        return read_parts([task.total for task in tasks])
    finally:
        output.objects.remove(task.total.key for task in tasks)


def _add_up(task: _Sums) -> None:
    with task.total.objects.writing(task.total.key) as file:
        merge_sums(read_parts(task.parts)).write_parquet(file)
