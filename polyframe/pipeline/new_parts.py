"""Remove the parts of a run that nobody can use."""

import contextlib
from collections.abc import Iterator, Sequence

from polyframe.core.errors import PolyframeError
from polyframe.pipeline.partition_task import PartitionResult
from polyframe.store.manifest import Manifest
from polyframe.store.output import Output, part_keys


@contextlib.contextmanager
def removing_parts_on_error(
    output: Output, results: Sequence[PartitionResult], before: Manifest | None
) -> Iterator[None]:
    """Remove the parts of this run on an error that only a different command can fix: it cannot use them.

    Parameters
    ----------
    output : Output
    results : sequence of PartitionResult
        Those of this run.
    before : Manifest or None
        The newest version, whose parts stay.
    """
    try:
        yield
    except PolyframeError:
        published = {
            key
            for partition in (() if before is None else before.partitions)
            for record in partition.stages.values()
            for key in part_keys(record.sizes, partition.name, record).values()
        }
        output.objects.remove(
            key
            for result in results
            for record in result.stages.values()
            for key in part_keys(record.sizes, result.partition.name, record).values()
            if key not in published
        )
        raise
