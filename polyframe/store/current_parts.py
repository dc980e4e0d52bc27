"""What of earlier work is still right: parts in place, and finished ones that a dead run left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from polyframe.store.commit import NEXT
from polyframe.store.manifest import PartitionRecord, StageRecord
from polyframe.store.parts import part_name, read_origin
from polyframe.store.stages import STAGE_TABLES


@dataclass(frozen=True)
class Earlier:
    """Where earlier work may be found.

    Attributes
    ----------
    output, work : Path
        The output directory and its work directory.
    records : mapping of str to PartitionRecord
        What the manifest of the output directory tells of each partition, by name.
    """

    output: Path
    work: Path
    records: Mapping[str, PartitionRecord]


def current_stages(
    partition: str, fingerprints: Mapping[str, str], places: str, stages: Sequence[str], earlier: Earlier
) -> dict[str, StageRecord]:
    """Return the records of those stages of a partition that need not be made again.

    Parameters
    ----------
    partition : str
        Its name.
    fingerprints : mapping
        What the parts of each stage must be made from.
    places : str
        Where the rows must stand, for parts that tell.
    stages : sequence of str
        Which stages are wanted.
    earlier : Earlier
        Where to look.
    """
    found: dict[str, StageRecord] = {}
    for stage in stages:
        for record in (_in_place(partition, stage, earlier), _waiting(partition, stage, earlier.work)):
            if record and record.fingerprint == fingerprints[stage] and record.places in (None, places):
                found[stage] = record
                break
    return found


def finished_part(partition: str, table: str, earlier: Earlier) -> Path:
    """Return the finished part of a partition that is current, where it is now."""
    waiting = earlier.work / NEXT / table / part_name(partition)
    return waiting if waiting.exists() else earlier.output / table / part_name(partition)


def drop_unneeded(current: Mapping[str, Mapping[str, StageRecord]], earlier: Earlier) -> None:
    """Remove what a dead run left, but for finished parts that are current.

    What stays there would get into the tables, whatever rows and settings it was made from.

    Parameters
    ----------
    current : mapping
        By partition and stage, from `current_stages`.
    earlier : Earlier
        Where it looked.
    """
    needed = {
        earlier.work / NEXT / table / part_name(partition)
        for partition, stages in current.items()
        for stage, record in stages.items()
        if _in_place(partition, stage, earlier) != record
        for table in STAGE_TABLES[stage]
    }
    for path in (earlier.work / NEXT).glob("*/*"):
        if path not in needed:
            path.unlink()


def waiting_stages(work: Path) -> list[tuple[str, str]]:
    """Return partition and stage of what a run finished and did not put into place, as far as it is whole."""
    first, *_ = part_name("*").split("*")
    named = {
        path.name.removeprefix(first).removesuffix(path.suffix)
        for path in (work / NEXT).glob(f"*/{part_name('*')}")
    }
    return [
        (partition, stage)
        for partition in sorted(named)
        for stage in STAGE_TABLES
        if _waiting(partition, stage, work)
    ]


def _in_place(partition: str, stage: str, earlier: Earlier) -> StageRecord | None:
    """Return what the manifest tells, where all part files are there in the length that it names."""
    known = earlier.records.get(partition)
    record = known.stages.get(stage) if known else None
    if record is None:
        return None
    name = part_name(partition)
    sizes = {table: _size(earlier.output / table / name) for table in STAGE_TABLES[stage]}
    return record if sizes == record.sizes else None


def _waiting(partition: str, stage: str, work: Path) -> StageRecord | None:
    """Return what the footers of finished parts of a run that died tell, where all tables are there."""
    paths = {table: work / NEXT / table / part_name(partition) for table in STAGE_TABLES[stage]}
    if not all(path.exists() for path in paths.values()):
        return None
    origins = [read_origin(path) for path in paths.values()]
    first = origins[0]
    if first is None or any(origin != first for origin in origins):
        return None
    return StageRecord(
        first.fingerprint, first.places, first.counts, {table: _size(path) for table, path in paths.items()}
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
