"""Run the pipeline from an export, or from the extractions in an output directory.

Scan the export, sort its rows into partitions, process the partitions that are out of date, and publish the
tables.
"""

import contextlib
import time
import uuid
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import cast

from polyframe import __version__
from polyframe.consensus.anonymize import anonymize, may_show_cells, volunteers_key
from polyframe.consensus.clustering_notes import ignored_eps_notes, too_large_notes
from polyframe.consensus.contours import thinned_notes
from polyframe.consensus.exclusion import (
    digests_by_name,
    forgotten_volunteers_note,
    unknown_names_notes,
    with_digests,
)
from polyframe.consensus.extract import Extraction, assumed_polygons, extract_rows, undecoded_marks
from polyframe.consensus.membership_figures import not_estimated_notes
from polyframe.core.addresses import Place
from polyframe.core.callbacks import Progress, Say, detailed
from polyframe.core.clusters import Cluster
from polyframe.core.errors import PolyframeError
from polyframe.core.memory import peak_memory_bytes
from polyframe.core.plurals import agreeing, counted
from polyframe.core.settings import Settings
from polyframe.panoptes.annotations.explain_no_marks import MOST_ROWS, explain_no_marks
from polyframe.panoptes.annotations.tools import tools_from_names, tools_to_record
from polyframe.panoptes.classifications.changed_files import check_files_unchanged, file_states
from polyframe.panoptes.classifications.row_checks import check_rows
from polyframe.panoptes.classifications.scan_export import ExportScan, scan_export
from polyframe.panoptes.classifications.sources import SourceLike
from polyframe.panoptes.classifications.version_selection import PreviousSelection
from polyframe.pipeline.engine_choice import (
    announce_change,
    compiling,
    drawings_of_export,
    engine_for_output,
    with_engine,
)
from polyframe.pipeline.executors.open_executor import open_executor
from polyframe.pipeline.merge_records import checked_counts, merged_records, parts_made, removed_tables
from polyframe.pipeline.merge_tables import merge_tables
from polyframe.pipeline.new_parts import removing_parts_on_error
from polyframe.pipeline.partition_task import PartitionTask
from polyframe.pipeline.partitions import Partition, split_partition
from polyframe.pipeline.plan import (
    RunSpec,
    current_records,
    engines_by_stage,
    forgets_excluded,
    kept_stages,
    planned_partitions,
    recorded_partitions,
    task_for,
)
from polyframe.pipeline.process_tasks import process_partitions
from polyframe.pipeline.rows_on_workers import RowsOnWorkers
from polyframe.pipeline.safeguards import (
    check_shrinkage,
    check_tools_exist,
    extracted_tools,
    previous_selection,
)
from polyframe.pipeline.sort_export import sort_export
from polyframe.pipeline.sorted_rows import RowFiles, Slices
from polyframe.pipeline.stale_corrections import stale_corrections_notes
from polyframe.pipeline.summary import Summary
from polyframe.store.current_parts import check_extracted_types, earlier_work
from polyframe.store.earlier_names import earlier_names_notes
from polyframe.store.fingerprints import digest_of_key
from polyframe.store.manifest import excluded_digests, new_manifest, recorded_tools, with_later_stages
from polyframe.store.objects import FolderObjects
from polyframe.store.output import ROWS, Output, Work
from polyframe.store.publishing import publish
from polyframe.store.recorded_settings import check_volunteers_known
from polyframe.store.versions import (
    manifest_place,
    newest_manifest,
    read_manifest,
    recorded_manifest,
    version_numbers,
)
from polyframe.store.work_directory import check_output, work_directory


def run_export(
    sources: Sequence[SourceLike],
    place: Place,
    settings: Settings,
    stages: Sequence[str],
    say: Say = lambda _: None,
    progress: Progress = lambda _done, _all: None,
    *,
    force: bool = False,
    explicit: Collection[str] = (),
    flagged: Collection[str] = (),
    cluster: Cluster | None = None,
) -> Summary:
    """Make the tables of a classification export.

    What an earlier run made of the same rows with the same settings is reused. Workflow and version default
    to those of the earlier run.

    Parameters
    ----------
    sources : sequence of path or frame
        The files of the export, see `polyframe.panoptes.classifications.sources.find_sources`.
    place : Path or Address
        The output: new, empty, or made by polyframe.
    settings : Settings
        All settings.
    stages : sequence of str
        `extract`, optionally followed by `reduce` and `contours`.
    say, progress : callable
        Receive what was chosen, and the numbers of rows processed and to process.
    force : bool
        Rebuild everything, with the same borders of partitions.
    explicit : collection of str
        Names of settings that the user gave; those for stages not run now are stored for later.
    flagged : collection of str
        Names of the settings given by flags or arguments: the tasks and tools that they name must exist.
    cluster : str, distributed.Client or module, optional
        Where the workers are, see `polyframe.core.clusters`; by default, on this machine.

    Raises
    ------
    PolyframeError
        If the export cannot be used or the output cannot be written; earlier output is not changed.
    """
    started, output, progress = time.monotonic(), Output(place), detailed(progress)
    key = volunteers_key(settings)
    key_digest = digest_of_key(key)
    names = digests_by_name(settings)
    settings = with_digests(settings, names)
    check_output(output)
    with work_directory(output) as work, contextlib.ExitStack() as processes:
        executor = processes.enter_context(
            open_executor(
                cluster,
                settings.jobs,
                marks=work.started,
                key=key,
                shared_file=_shared_file(work),
                in_memory=output.is_in_memory,
            )
        )
        files = file_states(sources)
        recorded = recorded_manifest(output)
        previous = previous_selection(output, recorded)
        numbers = version_numbers(output)
        if previous is None and numbers:
            chosen = "workflow and version are chosen as for a new directory"
            say(f"{manifest_place(output, numbers[-1])}: cannot be read; {chosen}")
        on_workers = RowsOnWorkers(executor, settings.visitors, say, progress)
        count = on_workers.count if cluster is not None else lambda _: None
        export = with_engine(scan_export(sources, work.sources, settings, say, previous, count, progress))
        before = newest_manifest(output)
        partitions = planned_partitions(export, before)
        earlier = earlier_work(output, before, force=force)
        spec = RunSpec(tuple(stages), export.settings, export.selection, earlier, key_digest)
        announce_change(spec, before, say)
        current = current_records(spec, partitions)
        drawings = drawings_of_export(export)
        wait_for_compiled = processes.enter_context(
            compiling(spec, partitions, current, drawings, say, cluster)
        )
        try:
            files_of_rows = RowFiles(FolderObjects(work.rows))
            if cluster is not None and output.folder is None:
                files_of_rows = RowFiles(output.objects, f"{ROWS}{uuid.uuid4().hex}/")
                processes.callback(_remove_rows, files_of_rows)
            needed = ["extract" not in current[partition.name] for partition in partitions]
            disk = work.rows if cluster is None else None
            rows = sort_export(
                export, partitions, needed, files_of_rows, executor, on_workers, disk, progress
            )
        finally:
            # If the files have changed, the counts of the scan belong to other rows.
            check_files_unchanged(files)
        numbers_of = {partition.name: number for number, partition in enumerate(partitions)}
        todo = [partition for partition in partitions if len(current[partition.name]) < len(stages)]

        def task_of(partition: Partition) -> PartitionTask:
            own = current[partition.name]
            own_rows = None if "extract" in own else rows.rows_of(numbers_of[partition.name])
            return task_for(spec, partition, own, own_rows)

        def split(task: PartitionTask) -> list[PartitionTask]:
            if not isinstance(task.source, Slices):
                return [task]
            pieces = split_partition(task.partition, export.subjects)
            return [task_for(spec, piece, {}, task.source) for piece in pieces]

        progress.begin("preparing the work")
        wait_for_compiled()
        results = process_partitions(todo, task_of, executor, split, say, progress)
        progress.begin("publishing the tables")
        all_settings, others = kept_stages(spec, partitions, before, explicit)
        records = merged_records(partitions, results, others, current)
        counts = checked_counts(records, export.selection.rows_read, export.selection.rows_filtered)
        with removing_parts_on_error(output, results, before):
            check_tools_exist(", ".join(export.names), recorded_tools(records), export.settings, flagged, say)
        marks = counts.marks_seen, counts.marks_decoded, counts.marks_assumed_polygons
        notes = _notes_on_marks(*marks, export, on_workers)
        if len(stages) > 1:
            notes += ignored_eps_notes(all_settings, explicit)
            notes += too_large_notes(counts.groups_too_large, all_settings)
            notes += unknown_names_notes(names, excluded_digests(records))
            notes += not_estimated_notes(counts.clusters_too_large)
        if "contours" in stages:
            notes += thinned_notes(counts.clusters_thinned, counts.clusters, all_settings.max_levels)
        if forgets_excluded(spec, before, explicit):
            notes += (forgotten_volunteers_note(spec.settings),)
        engines = engines_by_stage(spec, before)
        known = before.merged if before and not force else {}
        merged = merge_tables(output, records, all_settings, engines, key_digest, known, earlier, executor)
        manifest = new_manifest(
            all_settings,
            records,
            counts,
            sources=export.selection.sources,
            versions=export.selection.versions,
            version_chosen_by=export.selection.version_chosen_by,
            extraction=export.settings,
            last_subject=cast("int | None", export.subjects["subject_id"].max()),
            merged=merged,
            engines=engines,
            drawings=drawings,
            key_digest=key_digest,
        )
        check_shrinkage(output, recorded, before, manifest, settings.max_shrink)
        removed = removed_tables(output, before, manifest)
        published = publish(work, manifest, before, settings.keep_versions)
        notes += earlier_names_notes(output, published)
        notes += stale_corrections_notes(output, published, before)
        peak = peak_memory_bytes()  # while there are workers
    # Only now, since a note can be an error: of Python's warnings.
    for note in (*notes, *removed):
        say(note)
    return Summary(
        place,
        counts,
        max(time.monotonic() - started, 0),
        (*export.selection.notes, *notes, *removed),
        len(records),
        len(results),
        export.temporary_bytes + rows.bytes,
        published.stages,
        manifest.settings.workflow_id,
        manifest.versions,
        parts_made(results, merged, known),
        peak,
        published.number,
    )


def extract_frames(
    sources: Sequence[SourceLike],
    settings: Settings,
    work: Path,
    say: Say = lambda _: None,
    flagged: Collection[str] = (),
    previous: PreviousSelection | None = None,
) -> Extraction:
    """Extract an export in memory, as one partition.

    Parameters
    ----------
    sources : sequence of path or frame
        The files of the export.
    settings : Settings
        All settings.
    work : Path
        A folder for temporary files.
    say : callable
        Receives what was chosen.
    flagged : collection of str
        As for `run_export`.
    previous : PreviousSelection, optional
        Workflow and version of an output directory, which apply unless the settings choose others.
    """
    key = volunteers_key(settings)
    export = with_engine(scan_export(sources, work, settings, say, previous))
    assert export.rows is not None
    rows = export.rows.collect(engine="streaming")
    checked = check_rows(rows, export.selection, show_cells=may_show_cells(settings))
    extraction = extract_rows(checked, export.settings)
    marks = extraction.extractions
    tools = tools_to_record(marks, checked.rows["annotations"], export.settings)
    check_tools_exist(", ".join(export.names), tools_from_names(tools), export.settings, flagged, say)
    seen = marks.height + undecoded_marks(extraction.rejects)
    for note in _notes_on_marks(seen, marks.height, assumed_polygons(marks, export.settings), export):
        say(note)
    return Extraction(**{name: anonymize(frame, settings, key) for name, frame in vars(extraction).items()})


def run_extractions(
    place: Place,
    settings: Settings,
    stage: str,
    say: Say = lambda _: None,
    progress: Progress = lambda _done, _all: None,
    *,
    force: bool = False,
    flagged: Collection[str] = (),
    cluster: Cluster | None = None,
) -> Summary:
    """Make the reductions or the contours from the extractions in an output directory.

    Parameters
    ----------
    place : Path or Address
        The output of an earlier run.
    settings : Settings
        All settings, with those of the extraction.
    stage : {"reduce", "contours"}
        What to make.
    say, progress : callable
        Receive notes, and the numbers of rows processed and to process.
    force : bool
        Rebuild everything.
    flagged, cluster
        As for `run_export`.

    Raises
    ------
    PolyframeError
        If the directory contains no extractions.
    """
    started, output, progress = time.monotonic(), Output(place), detailed(progress)
    read_manifest(output)
    check_volunteers_known(settings, output)
    names = digests_by_name(settings)
    settings = with_digests(settings, names)
    with work_directory(output) as work, contextlib.ExitStack() as processes:
        before = read_manifest(output)
        settings = engine_for_output(settings, before)
        if before.polyframe_version != __version__:
            raise PolyframeError(
                f"{output}: its extractions were made by polyframe {before.polyframe_version}, this is "
                f"{__version__}. Run `polyframe run` or `polyframe extract` again."
            )
        check_extracted_types(output, before)
        check_tools_exist(str(output), extracted_tools(before), settings, flagged, say)
        partitions = recorded_partitions(before)
        earlier = earlier_work(output, before, force=False)
        # The extractions have hashes already, so the secret itself is not needed.
        spec = RunSpec((stage,), settings, None, earlier, before.key_digest)
        announce_change(spec, before, say)
        current = {} if force else current_records(spec, partitions)
        todo = [partition for partition in partitions if not current.get(partition.name)]
        executor = processes.enter_context(
            open_executor(
                cluster,
                settings.jobs,
                marks=work.started,
                shared_file=_shared_file(work),
                in_memory=output.is_in_memory,
            )
        )
        wait_for_compiled = processes.enter_context(
            compiling(spec, partitions, current, before.drawings, say, cluster)
        )
        wait_for_compiled()
        results = process_partitions(
            todo, lambda p: task_for(spec, p, {}, None), executor, lambda task: [task], say, progress
        )
        peak = peak_memory_bytes()  # while there are workers
        all_settings, kept = kept_stages(spec, partitions, before)
        records = merged_records(partitions, results, kept, current)
        counts = checked_counts(records, before.accounting.rows_read, before.accounting.rows_filtered)
        engines = engines_by_stage(spec, before)
        known = {} if force else before.merged
        merged = merge_tables(
            output, records, all_settings, engines, before.key_digest, known, earlier, executor
        )
        manifest = with_later_stages(before, all_settings, records, counts, merged, engines)
        check_shrinkage(output, before.to_dict(), before, manifest, settings.max_shrink)
        notes = removed_tables(output, before, manifest)
        notes += too_large_notes(counts.groups_too_large, all_settings)
        notes += unknown_names_notes(names, excluded_digests(records))
        notes += not_estimated_notes(counts.clusters_too_large)
        if stage == "contours":
            notes += thinned_notes(counts.clusters_thinned, counts.clusters, all_settings.max_levels)
        published = publish(work, manifest, before, settings.keep_versions)
        notes += stale_corrections_notes(output, published, before)
    for note in notes:
        say(note)
    return Summary(
        place,
        counts,
        max(time.monotonic() - started, 0),
        notes,
        len(records),
        len(results),
        stages=published.stages,
        workflow_id=manifest.settings.workflow_id,
        versions=manifest.versions,
        parts_made=parts_made(results, merged, known),
        peak_memory_bytes=max(peak, peak_memory_bytes()),
        number=published.number,
    )


def _notes_on_marks(
    seen: int, decoded: int, assumed: int, export: ExportScan, on_workers: RowsOnWorkers | None = None
) -> tuple[str, ...]:
    """Return a note if no mark can be used, or if marks are assumed to be polygons."""
    if not seen:
        rows = export.rows
        if rows is None:
            assert on_workers is not None
            rows = on_workers.first_rows(export.selection, MOST_ROWS + 1)
        return (explain_no_marks(rows, export.settings),)
    if not decoded:
        return (f"none of {counted(seen, 'mark')} can be used; the table rejects says why",)
    if not assumed:
        return ()
    return (
        f"{counted(assumed, 'mark')} {agreeing(assumed, 'do not say')} whether they are polygons or Bezier "
        "curves (classifier 1.x) and were taken as polygons; name the tools that draw Bezier curves with "
        "--bezier-tool, or use the configuration that `polyframe config` writes",
    )


def _shared_file(work: Work) -> Path | None:
    """Return a file that workers see if they see the output; None for a bucket."""
    return work.lock if work.output.folder is not None else None


def _remove_rows(files: RowFiles) -> None:
    files.objects.remove(files.objects.entries(files.prefix))
