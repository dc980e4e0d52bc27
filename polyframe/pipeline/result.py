"""What came of a run: the records of all partitions, counts that add up, and what is told at the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from polyframe.core.errors import PolyframeError
from polyframe.pipeline.partition_task import PartitionResult
from polyframe.pipeline.partitions import Partition
from polyframe.pipeline.plan import Records
from polyframe.store.accounting import Accounting, total
from polyframe.store.manifest import Manifest, PartitionRecord, counts_of
from polyframe.store.stages import tables_of


@dataclass(frozen=True)
class Summary:
    """What a run did.

    Attributes
    ----------
    output : Path
        Where the tables are.
    accounting : Accounting
        Where every row and mark went.
    seconds : float
        How long it took.
    notes : tuple of str
        What was chosen or skipped without being asked for.
    partitions, made : int
        Partitions in all, and those of them that were not there already as they should be.
    temporary_bytes : int
        What was written to temporary files, which are removed.
    stages : tuple of str
        What the tables hold: `extract`, and perhaps `reduce` and `contours`.
    """

    output: Path
    accounting: Accounting
    seconds: float
    notes: tuple[str, ...]
    partitions: int = 1
    made: int = 1
    temporary_bytes: int = 0
    stages: tuple[str, ...] = ("extract", "reduce", "contours")


def merged_records(
    partitions: Sequence[Partition], made: Sequence[PartitionResult], *others: Records
) -> list[PartitionRecord]:
    """Put together what is known of each partition; one that was split is replaced by its pieces.

    Parameters
    ----------
    partitions : sequence of Partition
        As they were planned.
    made : sequence of PartitionResult
        What was made now.
    *others : mapping
        What is there already, by partition and stage.
    """
    new = {result.partition.name: result for result in made}
    records: list[PartitionRecord] = []
    for partition in partitions:
        pieces = [new[name].partition for name in sorted(new) if name.startswith(f"{partition.name}-")]
        for part in pieces or [partition]:
            stages = {name: record for known in others for name, record in known.get(part.name, {}).items()}
            if part.name in new:
                stages |= new[part.name].stages
            records.append(PartitionRecord(part.name, part.first_subject, part.content, stages))
    # Pieces of a partition have no part of a stage that was not made now.
    common = set.intersection(*(set(record.stages) for record in records))
    return [
        msgspec.structs.replace(
            record, stages={stage: made for stage, made in record.stages.items() if stage in common}
        )
        for record in records
    ]


def checked_counts(records: Sequence[PartitionRecord], rows_read: int, rows_filtered: int) -> Accounting:
    """Add up all counts, and make sure that nothing was lost before anything is put into place.

    Raises
    ------
    PolyframeError
        Where they do not add up.
    """
    counts = total(map(counts_of, records), rows_read, rows_filtered)
    clustered = any(stage != "extract" for stage in records[0].stages)
    if not counts.rows_add_up() or not counts.marks_add_up(clustered):
        raise PolyframeError(f"the accounting does not add up, please report this: {counts.to_dict()}")
    return counts


def removed_tables(before: Manifest | None, manifest: Manifest) -> tuple[str, ...]:
    """Return a note where tables go away because what they rested on has changed."""
    lost = [stage for stage in before.stages if stage not in manifest.stages] if before else []
    if not lost:
        return ()
    tables = ", ".join(tables_of(lost))
    return (f"the tables that rested on other rows or settings are removed, make them again: {tables}",)
