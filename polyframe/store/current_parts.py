"""Decide which parts of earlier work are up to date: published parts, and finished ones of a dead run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from polyframe.core.errors import PolyframeError
from polyframe.core.tables import STORED_TABLES
from polyframe.store.manifest import Manifest, PartitionRecord, StageRecord
from polyframe.store.output import Output, part_name, partition_of
from polyframe.store.part_files import has_current_types, read_origin
from polyframe.store.stages import STAGE_TABLES


@dataclass(frozen=True)
class EarlierWork:
    """The parts that a run may reuse.

    Attributes
    ----------
    output : Output
        The output directory.
    records : mapping of str to PartitionRecord
        The partitions of its manifest, by name.
    """

    output: Output
    records: Mapping[str, PartitionRecord]


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
        for record in (_published(partition, stage, earlier), _finished(partition, stage, earlier.output)):
            if record and record.fingerprint == fingerprints[stage] and record.places in (None, places):
                current[stage] = record
                break
    return current


def current_part(partition: str, table: str, output: Output) -> Path:
    """Return the part of a partition that is up to date, finished or published."""
    finished = output.finished_part(table, partition)
    return finished if finished.exists() else output.part(table, partition)


def check_extracted_types(output: Output, manifest: Manifest) -> None:
    """Check that extractions have the columns and types that this version writes.

    Otherwise the next stage would write its tables beside ones with other types.

    Parameters
    ----------
    output : Output
        The output directory.
    manifest : Manifest
        Its manifest.

    Raises
    ------
    PolyframeError
        If an earlier version wrote them. All parts of a table are of one kind, so the first ones are read.
    """
    first = manifest.partitions[0].name
    for table in STAGE_TABLES["extract"]:
        if not has_current_types(current_part(first, table, output), STORED_TABLES[table]):
            raise PolyframeError(
                f"{output}: an earlier version of polyframe wrote its extractions, with other columns or "
                "types. Run `polyframe run` or `polyframe extract` again."
            )


def remove_outdated(current: Mapping[str, Mapping[str, StageRecord]], earlier: EarlierWork) -> None:
    """Remove finished parts of a dead run that are not up to date, so that they are never published.

    Parameters
    ----------
    current : mapping
        By partition and stage, from `current_stages`.
    earlier : EarlierWork
        The parts that `current_stages` looked at.
    """
    needed = {
        earlier.output.finished_part(table, partition)
        for partition, stages in current.items()
        for stage, record in stages.items()
        if _published(partition, stage, earlier) != record
        for table in STAGE_TABLES[stage]
    }
    for path in earlier.output.finished.glob("*/*"):
        if path not in needed:
            path.unlink()


def finished_stages(output: Output) -> list[tuple[str, str]]:
    """Return partition and stage of finished parts that are not published, if all tables of a stage are."""
    partitions = {partition_of(path.name) for path in output.finished.glob(f"*/{part_name('*')}")}
    return [
        (partition, stage)
        for partition in sorted(partitions)
        for stage in STAGE_TABLES
        if _finished(partition, stage, output)
    ]


def _published(partition: str, stage: str, earlier: EarlierWork) -> StageRecord | None:
    """Return the record in the manifest, if all part files have the recorded size."""
    known = earlier.records.get(partition)
    record = known.stages.get(stage) if known else None
    if record is None:
        return None
    sizes = {table: _size(earlier.output.part(table, partition)) for table in STAGE_TABLES[stage]}
    return record if sizes == record.sizes else None


def _finished(partition: str, stage: str, output: Output) -> StageRecord | None:
    """Return a record from the footers of finished parts, if those of all tables are there and agree."""
    paths = {table: output.finished_part(table, partition) for table in STAGE_TABLES[stage]}
    if not all(path.exists() for path in paths.values()):
        return None
    origins = [read_origin(path) for path in paths.values()]
    first = origins[0]
    if first is None or any(origin != first for origin in origins):
        return None
    sizes = {table: _size(path) for table, path in paths.items()}
    return StageRecord(first.fingerprint, first.places, first.counts, sizes)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
