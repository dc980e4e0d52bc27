"""Join the parts of pieces, into which a partition was split for its workers, into the planned parts."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import polars as pl

from polyframe.consensus.volunteers import merge_sums
from polyframe.core.tables import VOLUNTEER_SUMS
from polyframe.panoptes.annotations.tools import joined_tools
from polyframe.pipeline.partition_task import PartitionResult, PartitionTask, write_parts
from polyframe.store.manifest import StageRecord
from polyframe.store.output import Output, part_key, part_keys
from polyframe.store.part_files import PartFile, read_parts
from polyframe.store.run_counts import added
from polyframe.store.stages import STAGE_TABLES, stage_of


@dataclass(frozen=True)
class Pieces:
    """The processed pieces of a partition.

    Attributes
    ----------
    task : PartitionTask
        The task of the partition.
    results : tuple of PartitionResult
        Those of its pieces, which together have the same subjects, in their order.
    """

    task: PartitionTask
    results: tuple[PartitionResult, ...]


def join_pieces(pieces: Pieces) -> PartitionResult:
    """Write the parts of a partition from those of its pieces: the same bytes as if it had not been split."""
    task = pieces.task
    records: dict[str, StageRecord] = {}
    for stage in task.stages:
        of_pieces = [result.stages[stage] for result in pieces.results]
        counts = added([record.counts for record in of_pieces])
        frames = {table: _joined(pieces, table) for table in STAGE_TABLES[stage]}
        if counts.tools is not msgspec.UNSET:
            tools = joined_tools(frames["extractions"], counts.tools, task.settings)
            counts = msgspec.structs.replace(counts, tools=tools)
        # If a part depends on the positions of the rows, it is on those of the whole partition.
        places = None if all(record.places is None for record in of_pieces) else task.places
        records[stage] = write_parts(task, stage, frames, counts, places)
    return PartitionResult(task.partition, records)


def remove_pieces(output: Output, results: Sequence[PartitionResult]) -> None:
    """Remove the parts of pieces."""
    output.objects.remove(
        key
        for result in results
        for record in result.stages.values()
        for key in part_keys(record.sizes, result.partition.name, record).values()
    )


def _joined(pieces: Pieces, table: str) -> pl.DataFrame:
    objects, stage = pieces.task.output.objects, stage_of(table)
    rows = read_parts(
        [
            PartFile(objects, part_key(table, result.partition.name, result.stages[stage]))
            for result in pieces.results
        ]
    )
    return merge_sums(rows) if table == VOLUNTEER_SUMS.name else rows
