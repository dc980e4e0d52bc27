"""Process one partition: read its rows or extractions, and write a part file of each table.

A task contains paths and returns counts: no frame is sent between processes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import polars as pl

from polyframe.consensus.anonymize import anonymize, may_show_cells, volunteers_key
from polyframe.consensus.contours import clusters_thinned, contours_table
from polyframe.consensus.extract import (
    Extraction,
    assumed_polygons,
    extract_and_repair,
    extract_rows,
    undecoded_marks,
)
from polyframe.consensus.group_clusters import Clusters
from polyframe.consensus.marks import selected_marks, selected_polygons, visitor_repeats
from polyframe.consensus.membership_figures import clusters_too_large
from polyframe.consensus.reduce import cluster_marks, cluster_tables, count_estimated
from polyframe.consensus.subjects import subjects_table
from polyframe.consensus.volunteers import volunteer_sums
from polyframe.core.environment import KEY_VARIABLE
from polyframe.core.errors import PolyframeError
from polyframe.core.reasons import DUPLICATE_CLASSIFICATION
from polyframe.core.settings import Settings
from polyframe.core.tables import STORED_TABLES
from polyframe.core.task_reports import begin_step
from polyframe.geometry.polygon_repair import RepairedPolygons
from polyframe.panoptes.annotations.tools import tools_to_record
from polyframe.panoptes.classifications.row_checks import check_rows, rows_schema
from polyframe.panoptes.classifications.version_selection import Selection
from polyframe.pipeline.partitions import Partition
from polyframe.pipeline.sorted_rows import Slices, read_slices
from polyframe.store.fingerprints import digest_of_key, stage_fingerprints
from polyframe.store.manifest import StageRecord
from polyframe.store.output import Output, part_key
from polyframe.store.part_files import Origin, PartFile, read_parts, write_part
from polyframe.store.run_counts import Counts
from polyframe.store.stages import stage_settings
from polyframe.store.subject_ranges import within_range


@dataclass(frozen=True)
class PartitionTask:
    """A partition, and the stages to make of it.

    Attributes
    ----------
    partition : Partition
        Its name and its range of subjects.
    stages : tuple of str
        Some of `extract`, `reduce` and `contours`.
    source : Slices or mapping
        For `extract`, the rows of the export; otherwise the parts of `extract`, by table.
    selection : Selection or None
        Which rows are used; only for `extract`.
    settings : Settings
        All settings.
    output : Output
        The output, to whose store parts are written.
    fingerprints : mapping
        The fingerprint of each stage.
    places : str
        Fingerprint of the positions of the rows in the export.
    """

    partition: Partition
    stages: tuple[str, ...]
    source: Slices | Mapping[str, PartFile]
    selection: Selection | None
    settings: Settings
    output: Output
    fingerprints: Mapping[str, str]
    places: str


@dataclass(frozen=True)
class PartitionResult:
    """A processed partition, with a record of each stage."""

    partition: Partition
    stages: Mapping[str, StageRecord] = field(default_factory=dict)

    @property
    def marks(self) -> int:
        """The marks of the partition: those of the classifications, or of the extractions in an output."""
        return max((record.counts.marks for record in self.stages.values()), default=0)


def process_partition(task: PartitionTask) -> PartitionResult:
    """Run the stages of one partition and write its part files."""
    return PartitionResult(task.partition, _run_stages(task))


def _run_stages(task: PartitionTask) -> dict[str, StageRecord]:
    records: dict[str, StageRecord] = {}
    extraction, repaired, tools = _extraction(task)
    key = _key(task)
    if "extract" in task.stages:
        # Only rejects of the stage `read` contain the positions of their rows.
        places = task.places if (extraction.rejects["stage"] == "read").any() else None
        counts = _extraction_counts(extraction, tools, task.settings)
        frames = {table: _anonymized(task, frame, key) for table, frame in vars(extraction).items()}
        records["extract"] = write_parts(task, "extract", frames, counts, places)
    if task.stages == ("extract",):
        return records
    marks = selected_marks(extraction.extractions, task.settings)
    if repaired is not None:
        repaired = selected_polygons(repaired, extraction.extractions, task.settings)
    clusters = cluster_marks(marks, extraction.classifications, task.settings, repaired, key)
    counts = _cluster_counts(extraction, marks, clusters)
    # Of rows with the same id, the position decides which one counts.
    repeated = (extraction.rejects["reason"] == DUPLICATE_CLASSIFICATION).any()
    places = task.places if repeated else None
    for stage in task.stages:
        if stage == "extract":
            continue
        tables = _contours(task, clusters) if stage == "contours" else _reduction(task, clusters, key)
        stage_counts = _counts_of_tables(counts, tables, clusters, task.settings)
        records[stage] = write_parts(task, stage, tables, stage_counts, places)
    return records


def _key(task: PartitionTask) -> bytes:
    """Return the secret with which volunteers are hashed, from the environment: tasks do not contain it.

    Empty if nothing is hashed: extractions in the output have their final names already.

    Raises
    ------
    PolyframeError
        If a worker's secret is not that of the process that made the task.
    """
    if not isinstance(task.source, Slices):
        return b""
    key = volunteers_key(task.settings)
    expected = stage_fingerprints(task.partition.content, task.settings, digest_of_key(key))
    if key and expected != task.fingerprints:
        raise PolyframeError(
            f"the environment variable {KEY_VARIABLE} of a worker differs from that of the run. Set it "
            "for all workers, and restart them."
        )
    return key


def _extraction(task: PartitionTask) -> tuple[Extraction, RepairedPolygons | None, list[str]]:
    """Return the marks of a partition; if they are extracted now, also their polygons, and their tools.

    Polygons are only made here if a later stage of the task needs them.
    """
    begin_step("rows", task.partition.rows)
    if isinstance(task.source, Slices):
        assert task.selection is not None
        subjects = within_range("subject_id", task.partition.first_subject, task.partition.next_subject)
        rows = read_slices(task.source, rows_schema()).filter(subjects)
        checked = check_rows(rows, task.selection, show_cells=may_show_cells(task.settings))
        begin_step("cells", checked.rows.height)
        repaired: RepairedPolygons | None = None
        if task.stages == ("extract",):
            extraction = extract_rows(checked, task.settings)
        else:
            extraction, repaired = extract_and_repair(checked, task.settings)
        tools = tools_to_record(extraction.extractions, checked.rows["annotations"], task.settings)
        return extraction, repaired, tools
    return Extraction(**{name: read_parts([path]) for name, path in task.source.items()}), None, []


def _contours(task: PartitionTask, clusters: Clusters) -> dict[str, pl.DataFrame]:
    return {"contours": contours_table(clusters, task.settings)}


def _reduction(task: PartitionTask, clusters: Clusters, key: bytes) -> dict[str, pl.DataFrame]:
    tables = cluster_tables(clusters, task.settings)
    # Volunteers are counted by their names in the tables, so that a later stage counts the same.
    labels = _anonymized(task, tables["labels"], key)
    classifications = _anonymized(task, clusters.marks.classifications, key)
    return tables | {
        "labels": labels,
        "subjects": subjects_table(classifications, tables["groups"], tables["reductions"]),
        ".volunteer_sums": volunteer_sums(classifications.filter("counts"), labels),
    }


def _anonymized(task: PartitionTask, frame: pl.DataFrame, key: bytes) -> pl.DataFrame:
    """Return a table with its volunteers as in the output; extractions there have these names already."""
    return anonymize(frame, task.settings, key) if isinstance(task.source, Slices) else frame


def write_parts(
    task: PartitionTask,
    stage: str,
    frames: Mapping[str, pl.DataFrame],
    counts: Counts,
    places: str | None,
) -> StageRecord:
    """Write the parts of one stage of a partition.

    Parameters
    ----------
    task : PartitionTask
        Its task.
    stage : str
        One of the stages of the task.
    frames : mapping of str to polars.DataFrame
        Its tables, by name.
    counts : Counts
        What the stage counted.
    places : str or None
        Fingerprint of the positions of the rows, if the parts depend on them.
    """
    begin_step(f"write-{stage}")
    origin = Origin(stage_settings(task.settings, stage), task.fingerprints[stage], places, counts)
    sizes: dict[str, int] = {}
    rows: dict[str, int] = {}
    for name, frame in frames.items():
        part = PartFile(task.output.objects, part_key(name, task.partition.name, origin))
        written = write_part(frame, part, STORED_TABLES[name], origin)
        sizes[name], rows[name] = written.size, written.rows
    return StageRecord(origin.fingerprint, places, counts, sizes, rows)


def _extraction_counts(extraction: Extraction, tools: list[str], settings: Settings) -> Counts:
    """Count the rows and marks of an extraction."""
    rejects = extraction.rejects
    whole_row = rejects["mark_index"].is_null()
    undecoded = undecoded_marks(rejects)
    return Counts(
        rows_rejected=int(whole_row.sum()),
        rows_used=extraction.classifications.height,
        visitor_repeats=visitor_repeats(extraction.classifications),
        marks_seen=undecoded + extraction.extractions.height,
        marks_undecoded=undecoded,
        marks_decoded=extraction.extractions.height,
        marks_rejected=int((~whole_row).sum()),
        marks_assumed_polygons=assumed_polygons(extraction.extractions, settings),
        reasons=dict(sorted(rejects["reason"].value_counts(name="n").rows())),
        tools=tools,
    )


def _cluster_counts(extraction: Extraction, marks: pl.DataFrame, clusters: Clusters) -> Counts:
    """Count the marks of a reduction."""
    outliers = int((clusters.labels < 0).sum())
    return Counts(
        rows_set_aside=clusters.marks.rows_set_aside,
        rows_excluded=clusters.marks.rows_excluded,
        excluded_digests=list(clusters.marks.excluded_digests) or msgspec.UNSET,
        marks_rejected=undecoded_marks(extraction.rejects) + clusters.marks.rejected,
        marks_not_selected=extraction.extractions.height - marks.height,
        marks_set_aside=clusters.marks.set_aside,
        marks_excluded=clusters.marks.excluded,
        marks_clustered=len(clusters.labels) - outliers,
        marks_outliers=outliers,
        groups=len(clusters.marks.group_offsets) - 1,
        clusters=len(clusters.group),
        groups_too_large=clusters.too_large,
    )


def _counts_of_tables(
    counts: Counts, tables: Mapping[str, pl.DataFrame], clusters: Clusters, settings: Settings
) -> Counts:
    """Add to the counts of a reduction what the tables of one stage show."""
    if "contours" in tables:
        thinned = clusters_thinned(tables["contours"], settings)
        return msgspec.structs.replace(counts, clusters_thinned=thinned)
    estimated, unsure = count_estimated(tables["reductions"])
    return msgspec.structs.replace(
        counts,
        clusters_estimated=estimated,
        clusters_unsure=unsure,
        clusters_too_large=clusters_too_large(clusters.counts),
    )
