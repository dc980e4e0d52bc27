"""The way through: survey, shuffle, one task for each partition that is not current, tables into place."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from polyframe import __version__, planning
from polyframe._errors import PolyframeError, UsageError
from polyframe.accounting import Accounting, total
from polyframe.agenda import Order, Records, current_records, kept_stages, task_for
from polyframe.commit import put_into_place
from polyframe.dataset import check_output
from polyframe.extraction import Extraction, extract_rows
from polyframe.manifest import (
    PartitionRecord,
    counts_of,
    earlier_manifest,
    manifest_of,
    partition_records,
    read_manifest,
    tables_of,
)
from polyframe.panoptes.rows import check_rows
from polyframe.panoptes.steadiness import check_unchanged, file_states
from polyframe.panoptes.survey import Survey, survey
from polyframe.partition import PartitionResult, PartitionTask
from polyframe.planning import Border, Partition
from polyframe.reuse import Earlier, drop_unneeded
from polyframe.settings import Settings
from polyframe.shuffle import Shuffled, Slices, shuffle
from polyframe.volunteers import as_published, volunteers_key
from polyframe.workers import Say, Split, process
from polyframe.workplace import work_directory

_MEGABYTE: Final = 1_000_000
#: The names of parts number them with five digits; there is room for as many again that come later.
_MOST_PARTITIONS: Final = 50_000

Progress = Callable[[int, int], None]


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
    """

    output: Path
    accounting: Accounting
    seconds: float
    notes: tuple[str, ...]
    partitions: int = 1
    made: int = 1
    temporary_bytes: int = 0


def run_export(
    named: Sequence[str | Path],
    output: Path,
    settings: Settings,
    stages: Sequence[str],
    say: Say = lambda _: None,
    progress: Progress = lambda _done, _all: None,
    *,
    force: bool = False,
) -> Summary:
    """Work through an export from its rows on.

    What an earlier run made of the same rows with the same settings stays as it is.

    Parameters
    ----------
    named : sequence of path
        The files of the export, see `polyframe.panoptes.sources.find_sources`.
    output : Path
        The output directory; new, empty or ours.
    settings : Settings
        All settings.
    stages : sequence of str
        `extract`, then also `reduce`, then also `contours`.
    say, progress : callable
        Told what was chosen, and partitions done and in all.
    force : bool
        Make everything anew, within the same borders.

    Raises
    ------
    PolyframeError
        Where the export cannot be used or the output not be written; earlier output stays as it was.
    """
    started = time.monotonic()
    key = volunteers_key(settings)
    check_output(output)
    with work_directory(output, discard=force) as work:
        files = file_states(named)
        export = survey(named, work / "sources", settings, say)
        before = earlier_manifest(output)
        partitions = _plan(export, before)
        earlier = _earlier(output, work, before, force)
        order = Order(tuple(stages), export.settings, export.selection, earlier, key)
        current = current_records(order, partitions)
        drop_unneeded(current, order.earlier)
        try:
            shuffled = _shuffle(export, partitions, current, work / "rows")
        finally:
            # What was counted at the first look would stand for other rows.
            check_unchanged(files)
        tasks = [
            task_for(order, partition, current[partition.name], slices)
            for partition, slices in zip(partitions, shuffled.partitions, strict=True)
            if len(current[partition.name]) < len(stages)
        ]

        def split(task: PartitionTask) -> list[PartitionTask]:
            pieces = planning.split(task.partition, export.subjects)
            rows = task.source if isinstance(task.source, Slices) else None
            return [task] if rows is None else [task_for(order, piece, {}, rows) for piece in pieces]

        made = _made(tasks, export.settings.jobs, split, say, progress)
        all_settings, kept = kept_stages(order, partitions, before)
        records = _records(partitions, made, kept, current)
        counts = _count(records, export.selection.rows_read, export.selection.rows_filtered)
        if not counts.marks_decoded:
            say(
                "no mark of the chosen tasks and tools was found; without -c, --task and --tool all are taken"
            )
        manifest = manifest_of(
            all_settings,
            records,
            counts,
            {
                "sources": list(export.selection.sources),
                "versions": list(export.selection.versions),
                "extraction": export.settings.affecting("extract"),
                "last_subject": export.subjects["subject_id"].max(),
            },
        )
        notes = _removed(before, manifest)
        for note in notes:
            say(note)
        put_into_place(output, work, manifest, before)
    return Summary(
        output,
        counts,
        max(time.monotonic() - started, 0),
        export.selection.notes + notes,
        len(records),
        len(made),
        export.temporary_bytes + shuffled.bytes,
    )


def extract_frames(
    named: Sequence[str | Path], settings: Settings, work: Path, say: Say = lambda _: None
) -> Extraction:
    """Extract an export in memory, as one partition.

    Parameters
    ----------
    named : sequence of path
        The files of the export.
    settings : Settings
        What to extract.
    work : Path
        A folder for temporary files.
    say : callable
        Told what was chosen.
    """
    key = volunteers_key(settings)
    export = survey(named, work, settings, say)
    checked = check_rows(export.rows.collect(engine="streaming"), export.selection)
    found = extract_rows(checked, export.settings)
    return Extraction(**{name: as_published(frame, settings, key) for name, frame in vars(found).items()})


def run_extractions(
    output: Path,
    settings: Settings,
    stage: str,
    say: Say = lambda _: None,
    progress: Progress = lambda _done, _all: None,
    *,
    force: bool = False,
) -> Summary:
    """Reduce, or make the contours, from the extractions in an output directory.

    Parameters
    ----------
    output : Path
        What an earlier run wrote.
    settings : Settings
        All settings; those of the extraction are taken from the directory.
    stage : {"reduce", "contours"}
        What to make.
    say, progress : callable
        Told what happened, and partitions done and in all.
    force : bool
        Make everything anew.

    Raises
    ------
    PolyframeError
        Where the directory holds no extractions.
    """
    started = time.monotonic()
    read_manifest(output)
    key = volunteers_key(settings)
    if settings.volunteers == "drop" and settings.filter != "all":
        raise UsageError(
            f"{output}: has no volunteers, so who classified a subject again cannot be told; "
            "use --filter all, or `polyframe run` from the export"
        )
    with work_directory(output, discard=force) as work:
        before = read_manifest(output)
        if before["polyframe_version"] != __version__:
            raise PolyframeError(
                f"{output}: its extractions were made by polyframe {before['polyframe_version']}, this is "
                f"{__version__}; run `polyframe run` or `polyframe extract` again"
            )
        partitions = _recorded_partitions(before)
        order = Order((stage,), settings, None, _earlier(output, work, before, force=False), key)
        current = {} if force else current_records(order, partitions)
        drop_unneeded(current, order.earlier)
        tasks = [task_for(order, p, {}, None) for p in partitions if not current.get(p.name)]
        made = _made(tasks, settings.jobs, lambda task: [task], say, progress)
        all_settings, kept = kept_stages(order, partitions, before)
        records = _records(partitions, made, kept, current)
        counts = _count(records, before["accounting"]["rows_read"], before["accounting"]["rows_filtered"])
        origin = {key: before[key] for key in ("sources", "versions", "extraction", "last_subject")}
        manifest = manifest_of(all_settings, records, counts, origin)
        notes = _removed(before, manifest)
        put_into_place(output, work, manifest, before)
    return Summary(output, counts, max(time.monotonic() - started, 0), notes, len(records), len(made))


def _earlier(output: Path, work: Path, before: Mapping[str, Any] | None, force: bool) -> Earlier:
    known = [] if before is None or force else partition_records(before)
    return Earlier(output, work, {record.name: record for record in known})


def _plan(export: Survey, before: Mapping[str, Any] | None) -> list[Partition]:
    """Cut the subjects into partitions, with the borders of the output directory where it has some."""
    kept: list[Border] = []
    known_until = None
    if before and before["extraction"]["workflow_id"] == export.settings.workflow_id:
        kept = [Border(record.name, record.first_subject) for record in partition_records(before)]
        known_until = before["last_subject"]
    size = export.settings.partition_size * _MEGABYTE
    size = max(size, int(export.subjects["bytes"].sum()) // _MOST_PARTITIONS)
    borders = planning.plan_borders(export.subjects, size, kept, known_until)
    return planning.partitions_of(export.subjects, borders)


def _recorded_partitions(before: Mapping[str, Any]) -> list[Partition]:
    records = partition_records(before)
    following = [*(record.first_subject for record in records[1:]), None]
    return [
        Partition(record.name, record.first_subject, until, record.content, places="")
        for record, until in zip(records, following, strict=True)
    ]


def _shuffle(export: Survey, partitions: Sequence[Partition], current: Records, folder: Path) -> Shuffled:
    """Write the rows of those partitions to disk whose extraction has to be made."""
    wanted = np.array(["extract" not in current[partition.name] for partition in partitions])
    firsts = [partition.first_subject for partition in partitions if partition.first_subject is not None]
    return shuffle(export.rows, firsts, wanted, folder)


def _made(
    tasks: Sequence[PartitionTask], jobs: int, split: Split, say: Say, progress: Progress
) -> list[PartitionResult]:
    """Do the tasks; where that ends early, the error tells what is kept."""
    made: list[PartitionResult] = []
    progress(0, len(tasks))
    try:
        for result in process(tasks, jobs, split, say):
            made.append(result)
            progress(len(made), max(len(tasks), len(made)))
    except (PolyframeError, OSError, KeyboardInterrupt) as error:
        if made:
            kept = f"{len(made)} of {len(tasks)} partitions are finished and kept"
            error.add_note(f"{kept}; the same command goes on from there")
        raise
    return made


def _records(
    partitions: Sequence[Partition], made: Sequence[PartitionResult], *others: Records
) -> list[PartitionRecord]:
    """Put together what is known of each partition; one that was split is replaced by its pieces."""
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
        replace(record, stages={name: told for name, told in record.stages.items() if name in common})
        for record in records
    ]


def _removed(before: Mapping[str, Any] | None, manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a note where tables go away because what they rested on has changed."""
    lost = [stage for stage in before["stages"] if stage not in manifest["stages"]] if before else []
    if not lost:
        return ()
    tables = ", ".join(tables_of(lost))
    return (f"the tables that rested on other rows or settings are removed, make them again: {tables}",)


def _count(records: Sequence[PartitionRecord], rows_read: int, rows_filtered: int) -> Accounting:
    """Add up all counts, and make sure that nothing was lost before anything is put into place."""
    counts = total((counts_of(record) for record in records), rows_read, rows_filtered)
    clustered = any(stage != "extract" for stage in records[0].stages)
    if not counts.rows_add_up() or (clustered and not counts.marks_add_up()):
        raise PolyframeError(f"the accounting does not add up, please report this: {counts.to_dict()}")
    return counts
