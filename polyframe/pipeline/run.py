"""The way through: survey, shuffle, one task for each partition that is not current, tables into place."""

import contextlib
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import cast

import numpy as np

from polyframe import __version__
from polyframe.consensus.anonymize import anonymize, may_show_cells, volunteers_key
from polyframe.consensus.extract import Extraction, assumed_polygons, extract_rows, undecoded_marks
from polyframe.core.callbacks import Progress, Say
from polyframe.core.errors import PolyframeError
from polyframe.core.settings import Settings
from polyframe.panoptes.annotations.no_marks import explain_no_marks
from polyframe.panoptes.annotations.tools import tools_from_names, tools_to_record
from polyframe.panoptes.classifications.changed_files import check_unchanged, file_states
from polyframe.panoptes.classifications.row_checks import check_rows
from polyframe.panoptes.classifications.scan_export import ExportScan, scan_export
from polyframe.panoptes.classifications.sources import SourceLike
from polyframe.pipeline.partition_task import PartitionResult, PartitionTask
from polyframe.pipeline.partitions import Partition
from polyframe.pipeline.partitions import split as split_partition
from polyframe.pipeline.plan import (
    Order,
    Records,
    current_records,
    earlier_work,
    kept_stages,
    planned_partitions,
    recorded_partitions,
    task_for,
)
from polyframe.pipeline.result import Summary, checked_counts, merged_records, removed_tables
from polyframe.pipeline.safeguards import (
    check_named,
    check_shrinkage,
    extracted_tools,
    made_with,
    recorded_manifest,
)
from polyframe.pipeline.shuffle import Shuffled, Slices, shuffle
from polyframe.pipeline.workers import Split, process
from polyframe.store.commit import put_into_place, remove_waiting
from polyframe.store.current_parts import drop_unneeded
from polyframe.store.dataset import check_output
from polyframe.store.manifest import (
    MANIFEST,
    earlier_manifest,
    new_manifest,
    read_manifest,
    tools_in,
    with_later_stages,
)
from polyframe.store.recorded_settings import check_volunteers_known
from polyframe.store.workplace import work_directory


def run_export(
    named: Sequence[SourceLike],
    output: Path,
    settings: Settings,
    stages: Sequence[str],
    say: Say = lambda _: None,
    progress: Progress = lambda _done, _all: None,
    *,
    force: bool = False,
    given: Collection[str] = (),
    flagged: Collection[str] = (),
) -> Summary:
    """Work through an export from its rows on.

    What an earlier run made of the same rows with the same settings stays as it is. Workflow and version are
    those of the earlier run where the settings name none.

    Parameters
    ----------
    named : sequence of path or frame
        The files of the export, see `polyframe.panoptes.classifications.sources.find_sources`.
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
    given : collection of str
        The settings that were given in any way; those of stages that are not wanted are recorded.
    flagged : collection of str
        The settings that were given by flags or arguments: tasks and tools that they name must be there.

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
        recorded = recorded_manifest(output)
        kept = made_with(output, recorded)
        if kept is None and (output / MANIFEST).is_file():
            chosen = "workflow and version are chosen as for a new directory"
            say(f"{output / MANIFEST}: cannot be read; {chosen}")
        export = scan_export(named, work / "sources", settings, say, kept)
        before = earlier_manifest(output)
        partitions = planned_partitions(export, before)
        earlier = earlier_work(output, work, before, force)
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
            pieces = split_partition(task.partition, export.subjects)
            rows = task.source if isinstance(task.source, Slices) else None
            return [task] if rows is None else [task_for(order, piece, {}, rows) for piece in pieces]

        made = _made(tasks, export.settings.jobs, split, say, progress)
        all_settings, others = kept_stages(order, partitions, before, given)
        records = merged_records(partitions, made, others, current)
        counts = checked_counts(records, export.selection.rows_read, export.selection.rows_filtered)
        with _discarded_where_refused(work):
            check_named(", ".join(export.names), tools_in(records), export.settings, flagged, say)
        on_marks = _notes_on_marks(
            counts.marks_seen, counts.marks_decoded, counts.marks_assumed_polygons, export
        )
        for note in on_marks:
            say(note)
        manifest = new_manifest(
            all_settings,
            records,
            counts,
            sources=export.selection.sources,
            versions=export.selection.versions,
            version_chosen_by=export.selection.version_chosen_by,
            extraction=export.settings,
            last_subject=cast("int | None", export.subjects["subject_id"].max()),
        )
        notes = removed_tables(before, manifest)
        check_shrinkage(output, recorded, manifest, settings.max_shrink)
        for note in notes:
            say(note)
        put_into_place(output, work, manifest, before)
    return Summary(
        output,
        counts,
        max(time.monotonic() - started, 0),
        (*export.selection.notes, *on_marks, *notes),
        len(records),
        len(made),
        export.temporary_bytes + shuffled.bytes,
        manifest.stages,
    )


def extract_frames(
    named: Sequence[SourceLike],
    settings: Settings,
    work: Path,
    say: Say = lambda _: None,
    flagged: Collection[str] = (),
) -> Extraction:
    """Extract an export in memory, as one partition.

    Parameters
    ----------
    named : sequence of path or frame
        The files of the export.
    settings : Settings
        What to extract.
    work : Path
        A folder for temporary files.
    say : callable
        Told what was chosen.
    flagged : collection of str
        As for `run_export`.
    """
    key = volunteers_key(settings)
    export = scan_export(named, work, settings, say)
    rows = export.rows.collect(engine="streaming")
    checked = check_rows(rows, export.selection, show_cells=may_show_cells(settings))
    found = extract_rows(checked, export.settings)
    tools = tools_to_record(found.extractions, checked.rows["annotations"], export.settings)
    check_named(", ".join(export.names), tools_from_names(tools), export.settings, flagged, say)
    decoded = found.extractions.height
    assumed = assumed_polygons(found.extractions, export.settings)
    for note in _notes_on_marks(decoded + undecoded_marks(found.rejects), decoded, assumed, export):
        say(note)
    return Extraction(**{name: anonymize(frame, settings, key) for name, frame in vars(found).items()})


def run_extractions(
    output: Path,
    settings: Settings,
    stage: str,
    say: Say = lambda _: None,
    progress: Progress = lambda _done, _all: None,
    *,
    force: bool = False,
    flagged: Collection[str] = (),
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
    flagged : collection of str
        As for `run_export`.

    Raises
    ------
    PolyframeError
        Where the directory holds no extractions.
    """
    started = time.monotonic()
    read_manifest(output)
    key = volunteers_key(settings)
    check_volunteers_known(settings, output)
    with work_directory(output, discard=force) as work:
        before = read_manifest(output)
        if before.polyframe_version != __version__:
            raise PolyframeError(
                f"{output}: its extractions were made by polyframe {before.polyframe_version}, this is "
                f"{__version__}; run `polyframe run` or `polyframe extract` again"
            )
        check_named(str(output), extracted_tools(before), settings, flagged, say)
        partitions = recorded_partitions(before)
        order = Order((stage,), settings, None, earlier_work(output, work, before, force=False), key)
        current = {} if force else current_records(order, partitions)
        drop_unneeded(current, order.earlier)
        tasks = [task_for(order, p, {}, None) for p in partitions if not current.get(p.name)]
        made = _made(tasks, settings.jobs, lambda task: [task], say, progress)
        all_settings, kept = kept_stages(order, partitions, before)
        records = merged_records(partitions, made, kept, current)
        counts = checked_counts(records, before.accounting.rows_read, before.accounting.rows_filtered)
        manifest = with_later_stages(before, all_settings, records, counts)
        notes = removed_tables(before, manifest)
        check_shrinkage(output, before.to_dict(), manifest, settings.max_shrink)
        put_into_place(output, work, manifest, before)
    return Summary(
        output,
        counts,
        max(time.monotonic() - started, 0),
        notes,
        len(records),
        len(made),
        stages=manifest.stages,
    )


@contextlib.contextmanager
def _discarded_where_refused(work: Path) -> Iterator[None]:
    """Remove finished parts where they cannot be of use, since the command has to be another one."""
    try:
        yield
    except PolyframeError:
        remove_waiting(work)
        raise


def _notes_on_marks(seen: int, decoded: int, assumed: int, export: ExportScan) -> tuple[str, ...]:
    """Say so where no mark can be used, or where it is not known how to read them."""
    if not seen:
        return (explain_no_marks(export.rows, export.settings),)
    if not decoded:
        return (f"none of the {seen} marks can be used; the table rejects says why",)
    if not assumed:
        return ()
    return (
        f"{assumed} marks do not say whether they are polygons or Bezier curves (classifier 1.x) and were "
        "taken as polygons; name the tools that draw Bezier curves with --bezier-tool, or use the "
        "configuration that `polyframe config` writes",
    )


def _shuffle(export: ExportScan, partitions: Sequence[Partition], current: Records, folder: Path) -> Shuffled:
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
