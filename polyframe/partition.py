"""What is done with one partition: files in, one part file for each table out.

A task takes paths and returns counts; no frame travels between processes, so that any joblib backend works.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from polyframe.accounting import Accounting
from polyframe.contouring import contours_table
from polyframe.dataset import part_name, read_parts, write_part
from polyframe.extraction import Extraction, extract_rows
from polyframe.panoptes.rows import check_rows
from polyframe.panoptes.selection import Selection
from polyframe.participation import selected_marks
from polyframe.reduction import (
    Clustered,
    cluster_marks,
    groups_table,
    labels_table,
    reductions_table,
)
from polyframe.settings import Settings
from polyframe.stages import stage_settings
from polyframe.tables import TABLES


@dataclass(frozen=True)
class PartitionTask:
    """One partition and what to do with it.

    Attributes
    ----------
    index : int
        The number of the part files.
    stages : tuple of str
        Some of `extract`, `reduce` and `contours`.
    files : tuple of Path
        Rows of the export where `extract` is among the stages; else a part of extractions and one of
        classifications.
    selection : Selection or None
        Which rows are used; only for `extract`.
    settings : Settings
        All settings.
    made : Path
        The folder that gets the tables.
    """

    index: int
    stages: tuple[str, ...]
    files: tuple[Path, ...]
    selection: Selection | None
    settings: Settings
    made: Path


def process_partition(task: PartitionTask) -> Accounting:
    """Do the stages of one partition and write its part files.

    Returns
    -------
    Accounting
        The partition's counts, without `rows_read` and `rows_filtered`.
    """
    if task.selection is not None:
        checked = check_rows(read_parts(task.files), task.selection)
        extraction = extract_rows(checked, task.settings)
        _write(task, "extract", vars(extraction))
    else:
        extractions, classifications = (read_parts([file]) for file in task.files)
        extractions = selected_marks(extractions, task.settings)
        extraction = Extraction(classifications, extractions, TABLES["rejects"].empty())
    counts = count_extraction(extraction)
    if task.stages == ("extract",):
        return counts
    clustered = cluster_marks(extraction.extractions, extraction.classifications, task.settings)
    if "reduce" in task.stages:
        made = {
            "groups": groups_table(clustered),
            "labels": labels_table(clustered),
            "reductions": reductions_table(clustered, task.settings),
        }
        _write(task, "reduce", made)
    if "contours" in task.stages:
        _write(task, "contours", {"contours": contours_table(clustered, task.settings)})
    return count_clusters(counts, clustered)


def count_extraction(extraction: Extraction) -> Accounting:
    """Count rows and marks of an extraction."""
    rejects = extraction.rejects
    whole_row = rejects["mark_index"].is_null()
    undecoded = rejects.filter(~whole_row & (rejects["stage"] == "decode"))
    by_reason = rejects["reason"].value_counts(name="n").rows()
    return Accounting(
        rows_rejected=int(whole_row.sum()),
        rows_used=extraction.classifications.height,
        marks_undecoded=undecoded.height,
        marks_decoded=extraction.extractions.height,
        marks_rejected=rejects.filter(rejects["stage"] == "polygons").height,
        reasons=dict(by_reason),
    )


def count_clusters(counts: Accounting, clustered: Clustered) -> Accounting:
    """Add the counts of a reduction to those of its extraction."""
    outliers = int((clustered.labels < 0).sum())
    return replace(
        counts,
        marks_rejected=clustered.rejected,
        marks_set_aside=clustered.set_aside,
        marks_clustered=len(clustered.labels) - outliers,
        marks_outliers=outliers,
        groups=len(clustered.group_offsets) - 1,
        clusters=len(clustered.group),
    )


def _write(task: PartitionTask, stage: str, frames: Mapping[str, pl.DataFrame]) -> None:
    footer = stage_settings(task.settings, stage)
    for name, frame in frames.items():
        write_part(frame, task.made / name / part_name(task.index), TABLES[name], footer)
