"""Merge the records of all partitions, and check that their counts add up."""

from collections.abc import Mapping, Sequence

from polyframe.core.errors import PolyframeError
from polyframe.core.tables import PUBLIC_TABLES
from polyframe.pipeline.partition_task import PartitionResult
from polyframe.pipeline.partitions import Partition
from polyframe.pipeline.plan import Records
from polyframe.store.manifest import Manifest, PartitionRecord, StageRecord, counts_of
from polyframe.store.output import Output
from polyframe.store.run_counts import Accounting, total
from polyframe.store.stages import STAGE_TABLES, public_tables


def merged_records(
    partitions: Sequence[Partition], results: Sequence[PartitionResult], *others: Records
) -> list[PartitionRecord]:
    """Merge the records of each partition.

    Parameters
    ----------
    partitions : sequence of Partition
        The partitions as planned.
    results : sequence of PartitionResult
        The results of this run.
    *others : mapping
        The records of earlier runs, by partition and stage.
    """
    new = {result.partition.name: result.stages for result in results}
    return [
        PartitionRecord(
            partition.name,
            partition.first_subject,
            partition.content,
            {
                stage: record
                for known in (*others, new)
                for stage, record in known.get(partition.name, {}).items()
            },
        )
        for partition in partitions
    ]


def checked_counts(records: Sequence[PartitionRecord], rows_read: int, rows_filtered: int) -> Accounting:
    """Add up all counts, and check that nothing was lost before any table is published.

    Raises
    ------
    PolyframeError
        If they do not add up.
    """
    counts = total(map(counts_of, records), rows_read, rows_filtered)
    clustered = any(stage != "extract" for stage in records[0].stages)
    if not counts.rows_add_up() or not counts.marks_add_up(clustered):
        raise PolyframeError(f"the accounting does not add up, please report this: {counts.to_dict()}")
    return counts


def parts_made(
    results: Sequence[PartitionResult],
    merged: Mapping[str, StageRecord],
    known: Mapping[str, StageRecord],
) -> int:
    """Count the parts of tables that a run wrote, without those that were up to date.

    Parameters
    ----------
    results : sequence of PartitionResult
        The partitions that it processed.
    merged : mapping
        By stage, the tables that are merged from all partitions.
    known : mapping
        By stage, the merged tables that could be reused.
    """
    stages = [stage for result in results for stage in result.stages]
    rewritten = [stage for stage, record in merged.items() if record is not known.get(stage)]
    of_partitions = sum(table in PUBLIC_TABLES for stage in stages for table in STAGE_TABLES[stage])
    return of_partitions + sum(len(merged[stage].sizes) for stage in rewritten)


def removed_tables(output: Output, before: Manifest | None, manifest: Manifest) -> tuple[str, ...]:
    """Return a note if tables are removed because the rows or settings they depend on changed."""
    lost = [stage for stage in before.stages if stage not in manifest.stages] if before else []
    if not lost:
        return ()
    commands = " and ".join(f"polyframe {stage} {output}" for stage in lost)
    return (f"removed out-of-date tables: {', '.join(public_tables(lost))}; rebuild them with: {commands}",)
