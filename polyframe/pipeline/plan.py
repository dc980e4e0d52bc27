"""What is to be done for each partition: the stages that earlier work does not answer, and where from."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, cast

from polyframe.core.settings import Affects, Settings
from polyframe.panoptes.classifications.scan_export import ExportScan
from polyframe.panoptes.classifications.selection import Selection
from polyframe.pipeline import partitions
from polyframe.pipeline.partition_task import PartitionTask
from polyframe.pipeline.partitions import Border, Partition
from polyframe.pipeline.shuffle import Slices
from polyframe.store.current_parts import Earlier, current_stages, finished_part
from polyframe.store.fingerprints import places_fingerprint, stage_fingerprints
from polyframe.store.manifest import Manifest, StageRecord
from polyframe.store.stages import STAGE_TABLES

#: By partition and stage.
Records = Mapping[str, Mapping[str, StageRecord]]

_MEGABYTE: Final = 1_000_000
#: The names of parts number them with five digits; there is room for as many again that come later.
_MOST_PARTITIONS: Final = 50_000


@dataclass(frozen=True)
class Order:
    """What is wanted of every partition.

    Attributes
    ----------
    stages : tuple of str
        Some of `extract`, `reduce` and `contours`.
    settings : Settings
        All settings.
    selection : Selection or None
        Which rows of the export are used; None where the work starts from extractions.
    earlier : Earlier
        Where earlier work may be found.
    key : bytes
        With which volunteers are hashed.
    """

    stages: tuple[str, ...]
    settings: Settings
    selection: Selection | None
    earlier: Earlier
    key: bytes = field(default=b"", repr=False)


def earlier_work(output: Path, work: Path, before: Manifest | None, force: bool) -> Earlier:
    """Return where earlier work may be found; with `force` what is in place does not count."""
    known = [] if before is None or force else before.partitions
    return Earlier(output, work, {record.name: record for record in known})


def planned_partitions(export: ExportScan, before: Manifest | None) -> list[Partition]:
    """Cut the subjects into partitions, with the borders of the output directory where it has some."""
    kept: list[Border] = []
    known_until = None
    if before and before.extraction.workflow_id == export.settings.workflow_id:
        kept = [Border(record.name, record.first_subject) for record in before.partitions]
        known_until = before.last_subject
    size = export.settings.partition_size * _MEGABYTE
    size = max(size, int(export.subjects["bytes"].sum()) // _MOST_PARTITIONS)
    borders = partitions.plan_borders(export.subjects, size, kept, known_until)
    return partitions.partitions_of(export.subjects, borders)


def recorded_partitions(before: Manifest) -> list[Partition]:
    """Return the partitions of an output directory, from its manifest."""
    records = before.partitions
    following = [*(record.first_subject for record in records[1:]), None]
    return [
        Partition(record.name, record.first_subject, until, record.content, places="")
        for record, until in zip(records, following, strict=True)
    ]


def current_records(order: Order, partitions: Sequence[Partition]) -> dict[str, dict[str, StageRecord]]:
    """Return what need not be made again, by partition and stage."""
    found = {
        partition.name: current_stages(
            partition.name,
            stage_fingerprints(partition.content, order.settings, order.key),
            _places(order, partition),
            order.stages,
            order.earlier,
        )
        for partition in partitions
    }
    if order.selection is not None and order.settings.volunteers == "drop":
        # Who classified a subject again cannot be told from extractions without names.
        found = {name: r if len(r) == len(order.stages) else {} for name, r in found.items()}
    return found


def task_for(
    order: Order, partition: Partition, current: Mapping[str, StageRecord], rows: Slices | None
) -> PartitionTask:
    """Return what is to be done for a partition.

    Parameters
    ----------
    order : Order
        What is wanted.
    partition : Partition
        Of which partition.
    current : mapping of str to StageRecord
        Its stages that need not be made again.
    rows : Slices or None
        Its rows of the export; None where the work starts from its extractions.
    """
    parts = {t: finished_part(partition.name, t, order.earlier) for t in STAGE_TABLES["extract"]}
    return PartitionTask(
        partition=partition,
        stages=tuple(stage for stage in order.stages if stage not in current),
        source=parts if rows is None else rows,
        selection=order.selection,
        settings=order.settings,
        work=order.earlier.work,
        fingerprints=stage_fingerprints(partition.content, order.settings, order.key),
        places=_places(order, partition),
    )


def kept_stages(
    order: Order,
    partitions: Sequence[Partition],
    before: Manifest | None,
    given: Collection[str] = (),
) -> tuple[Settings, Records]:
    """Find the tables of other stages in the output directory that still go with what is made now.

    The settings of stages that are not made now stay as they are recorded, so that a later stage can take
    them over, also where its tables go away in between.

    Parameters
    ----------
    order : Order
        What is made.
    partitions : sequence of Partition
        All partitions.
    before : Manifest or None
        The manifest of the output directory.
    given : collection of str
        The settings that were given; where no other tables are kept, they replace those that are recorded.

    Returns
    -------
    settings : Settings
        Those of all tables together.
    records : mapping
        By partition and stage; a stage is there for all partitions or for none.
    """
    if before is None:
        return order.settings, {}
    # Contours are made from extractions, with the clustering of the reductions where there are some.
    own: list[Affects] = ["extract", *(cast(Affects, stage) for stage in order.stages)]
    if order.stages != ("extract",):
        own.append("carried")
    if "contours" in order.stages and "reduce" not in before.stages:
        own.append("reduce")
    settings = replace(
        before.settings, **{n: getattr(order.settings, n) for n in order.settings.affecting(*own)}
    )
    others = tuple(s for s in STAGE_TABLES if s in before.stages and s not in (*order.stages, "extract"))
    found = current_records(replace(order, stages=others, settings=settings), partitions)
    kept = [stage for stage in others if all(stage in records for records in found.values())]
    records = {name: {stage: stages[stage] for stage in kept} for name, stages in found.items()}
    if order.selection is None:
        # Whatever is taken of the extractions now, they are as they were.
        for name, record in order.earlier.records.items():
            records[name] = {"extract": record.stages["extract"], **records[name]}
    if not kept and order.selection is None:
        # They were put together from those that are recorded and those that were given.
        return order.settings, records
    carried = order.settings.affecting("carried")
    taken = [name for name in given if not kept or name in carried]
    return settings.replace({name: getattr(order.settings, name) for name in taken}), records


def _places(order: Order, partition: Partition) -> str:
    if order.selection is None:
        return order.earlier.records[partition.name].stages["extract"].places or ""
    return places_fingerprint(partition.places, order.selection.sources)
