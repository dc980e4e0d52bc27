"""Merge the sums of all partitions into the tables of the whole project."""

from collections.abc import Mapping, Sequence

from polyframe.consensus.volunteers import volunteers_table
from polyframe.core.choices import EngineUsed
from polyframe.core.settings import Settings
from polyframe.core.tables import VOLUNTEER_SUMS, VOLUNTEERS
from polyframe.store.current_parts import current_part
from polyframe.store.fingerprints import merged_content, merged_places, stage_fingerprints
from polyframe.store.manifest import Manifest, PartitionRecord, StageRecord
from polyframe.store.output import MERGED, Output
from polyframe.store.part_files import Origin, read_parts, write_part
from polyframe.store.run_counts import Counts
from polyframe.store.stages import stage_of, stage_settings


def merge_tables(
    output: Output,
    records: Sequence[PartitionRecord],
    settings: Settings,
    engines: Mapping[str, EngineUsed],
    key_digest: str | None,
    before: Manifest | None,
) -> dict[str, StageRecord]:
    """Write the table `volunteers` from the sums of all partitions, if they are out of date.

    Parameters
    ----------
    output : Output
        The output directory, in which all partitions are finished or published.
    records : sequence of PartitionRecord
        The new ones.
    settings : Settings
        Those of all tables.
    engines : mapping
        The engine of each stage.
    key_digest : str or None
        Of the secret with which volunteers are hashed.
    before : Manifest or None
        The current manifest; None to write the table even if it is up to date.

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
    known = before.merged.get(stage) if before else None
    if known and (known.fingerprint, known.places) == (fingerprint, places) and _is_there(known, output):
        return {stage: known}
    sums = read_parts([current_part(record.name, VOLUNTEER_SUMS.name, output) for record in records])
    origin = Origin(stage_settings(settings, stage), fingerprint, places, Counts())
    path = output.finished_part(VOLUNTEERS.name, MERGED)
    size = write_part(volunteers_table(sums), path, VOLUNTEERS, origin)
    return {stage: StageRecord(fingerprint, places, origin.counts, {VOLUNTEERS.name: size})}


def _is_there(record: StageRecord, output: Output) -> bool:
    path = output.part(VOLUNTEERS.name, MERGED)
    return path.is_file() and path.stat().st_size == record.sizes[VOLUNTEERS.name]
