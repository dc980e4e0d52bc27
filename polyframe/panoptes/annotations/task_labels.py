"""Read the questions of tasks from the annotations of a classification export."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import polars as pl

from polyframe.panoptes.annotations.newest_labels import newest_labels
from polyframe.panoptes.classifications.column_parsers import integer
from polyframe.panoptes.classifications.read_columns import explain_unreadable, scan_columns

#: The question of a task by workflow and key of the task, such as (6, `T0`).
TaskLabels = dict[tuple[int, str], str]

_COLUMNS: Final = ("workflow_id", "workflow_version", "annotations")
_TEXT: Final = r'"(?:[^"\\]|\\.)*"'
#: Panoptes writes the key of a task and its question side by side.
_LABELLED: Final = rf'"task":\s*{_TEXT},\s*"task_label":\s*{_TEXT}'


def read_task_labels(export: Path) -> TaskLabels:
    """Read the questions, or instructions, of tasks from `task_label` in the annotations.

    Parameters
    ----------
    export : Path
        CSV, optionally compressed, or Parquet.

    Returns
    -------
    dict
        Workflow and key of the task -> text, chosen by `newest_labels`. Empty if the annotations have none.

    Raises
    ------
    PolyframeError
        If the file cannot be read or lacks the columns.
    """
    rows = scan_columns(export, _COLUMNS, "questions of tasks").select(
        integer("workflow_id"),
        "workflow_version",
        pl.col("annotations").str.extract_all(_LABELLED).alias("labelled"),
    )
    with explain_unreadable(export):
        counted = (
            rows.drop_nulls("workflow_id")
            .explode("labelled")
            .drop_nulls("labelled")
            .group_by("workflow_id", "workflow_version", "labelled")
            .len()
            .collect(engine="streaming")
        )
    return newest_labels(_labels(counted))


def _labels(counted: pl.DataFrame) -> Iterator[tuple[tuple[int, str], str | None, str, int]]:
    """Yield workflow and task, version, label and number of each pair that is valid JSON."""
    for workflow, version, labelled, number in counted.iter_rows():
        try:
            pair = json.loads(f"{{{labelled}}}")
        except ValueError:
            continue
        task, text = (str(pair[name]).encode("utf-8", "replace").decode() for name in ("task", "task_label"))
        yield (workflow, task), version, text, number
