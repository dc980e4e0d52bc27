"""Decide which parts of earlier work are up to date: those of the newest version, and those of a dead run."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from polyframe.core.errors import PolyframeError
from polyframe.core.tables import STORED_TABLES
from polyframe.store.manifest import Manifest, PartitionRecord, StageRecord
from polyframe.store.objects import Entry
from polyframe.store.output import MERGED, PARTS, Output, PartIdentity, part_key
from polyframe.store.part_files import Origin, PartFile, has_current_types, read_rows_and_origin
from polyframe.store.stages import STAGE_TABLES

#: A run on a bucket reuses parts of other versions than the newest for this time after they were written. A
#: vacuum waits for a day more, which is the longest time that such a run may take.
REUSED_SECONDS: Final = 6 * 24 * 3600.0


@dataclass(frozen=True)
class EarlierWork:
    """The parts that a run may reuse.

    Attributes
    ----------
    output : Output
    records : mapping of str to PartitionRecord
        The partitions of the newest version, by name.
    parts : mapping of str to Entry
        All parts in the store, by key.
    oldest : float
        Other parts than those of the newest version are reused if they were written after this time (seconds
        since 1970).
    """

    output: Output
    records: Mapping[str, PartitionRecord] = field(default_factory=dict)
    parts: Mapping[str, Entry] = field(default_factory=dict)
    oldest: float = 0.0


@dataclass(frozen=True)
class _Identity:
    """See `polyframe.store.output.PartIdentity`."""

    fingerprint: str
    places: str | None


def earlier_work(output: Output, before: Manifest | None, *, force: bool) -> EarlierWork:
    """Return the parts that a run may reuse.

    Parameters
    ----------
    output : Output
    before : Manifest or None
        The newest version.
    force : bool
        Whether everything is rebuilt, so that no part counts.
    """
    if force:
        return EarlierWork(output)
    records = () if before is None else before.partitions
    by_name, parts = {record.name: record for record in records}, output.objects.entries(PARTS)
    # From a bucket, a vacuum may remove older ones at any moment.
    oldest = 0.0 if output.folder is not None else time.time() - REUSED_SECONDS
    return EarlierWork(output, by_name, parts, oldest)


def current_stages(
    partition: str, fingerprints: Mapping[str, str], places: str, stages: Sequence[str], earlier: EarlierWork
) -> dict[str, StageRecord]:
    """Return the records of those stages of a partition that are up to date.

    Parameters
    ----------
    partition : str
        Its name.
    fingerprints : mapping
        By stage, the fingerprint that its parts must have.
    places : str
        The fingerprint of the positions of the rows, for parts that depend on them.
    stages : sequence of str
        The stages to look for.
    earlier : EarlierWork
        The parts that may be reused.
    """
    current: dict[str, StageRecord] = {}
    for stage in stages:
        record = _published(partition, stage, earlier)
        if record is None or record.fingerprint != fingerprints[stage] or record.places not in (None, places):
            record = _finished(partition, stage, fingerprints[stage], places, earlier)
        if record is not None:
            current[stage] = record
    return current


def check_extracted_types(output: Output, manifest: Manifest) -> None:
    """Check that extractions have the columns and types that this version writes.

    Otherwise the next stage would write its tables beside ones with other types.

    Parameters
    ----------
    output : Output
        With a store.
    manifest : Manifest
        Its newest version.

    Raises
    ------
    PolyframeError
        If an earlier version wrote them. All parts of a table are of one kind, so the first ones are read.
    """
    first = manifest.partitions[0]
    for table in STAGE_TABLES["extract"]:
        record = first.stages["extract"]
        part = PartFile(output.objects, part_key(table, first.name, record), record.sizes[table])
        if not has_current_types(part, STORED_TABLES[table]):
            raise PolyframeError(
                f"{output}: an earlier version of polyframe wrote its extractions, with other columns or "
                "types. Run `polyframe run` or `polyframe extract` again."
            )


def are_stored(record: StageRecord, partition: str, parts: Mapping[str, Entry]) -> bool:
    """Return whether all parts of a record are in the store, with the recorded sizes."""
    entries = {table: parts.get(part_key(table, partition, record)) for table in record.sizes}
    return {table: entry and entry.size for table, entry in entries.items()} == record.sizes


def missing_parts(output: Output, manifest: Manifest) -> tuple[str, list[str]] | None:
    """Return a partition and tables of which not all parts are in the store with the recorded sizes.

    None if everything is there.
    """
    stored = output.objects.entries(PARTS)
    records = [(part.name, record) for part in manifest.partitions for record in part.stages.values()]
    records += [(MERGED, record) for record in manifest.merged.values()]
    for partition, record in records:
        if not are_stored(record, partition, stored):
            return partition, list(record.sizes)
    return None


def _published(partition: str, stage: str, earlier: EarlierWork) -> StageRecord | None:
    """Return the record of the newest version, if its parts are there."""
    known = earlier.records.get(partition)
    record = known.stages.get(stage) if known else None
    return record if record and are_stored(record, partition, earlier.parts) else None


def _finished(
    partition: str, stage: str, fingerprint: str, places: str, earlier: EarlierWork
) -> StageRecord | None:
    """Return a record from the footers of parts that a run finished but did not publish."""
    for identity in (_Identity(fingerprint, None), _Identity(fingerprint, places)):
        keys = {table: part_key(table, partition, identity) for table in STAGE_TABLES[stage]}
        entries = [earlier.parts.get(key) for key in keys.values()]
        if all(entry is not None and entry.modified >= earlier.oldest for entry in entries):
            record = _record_of(keys, identity, earlier)
            if record is not None:
                return record
    return None


def _record_of(keys: Mapping[str, str], identity: PartIdentity, earlier: EarlierWork) -> StageRecord | None:
    """Return the record of some parts from their footers, if they are readable and agree."""
    rows: dict[str, int] = {}
    origins: list[Origin] = []
    for table, key in keys.items():
        footer = read_rows_and_origin(PartFile(earlier.output.objects, key, earlier.parts[key].size))
        if footer is None:
            return None
        rows[table] = footer[0]
        origins.append(footer[1])
    first = origins[0]
    if any(origin != first for origin in origins) or first.fingerprint != identity.fingerprint:
        return None
    sizes = {table: earlier.parts[key].size for table, key in keys.items()}
    return StageRecord(first.fingerprint, first.places, first.counts, sizes, rows)
