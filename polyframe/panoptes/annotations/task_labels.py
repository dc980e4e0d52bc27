"""Read the questions of tasks from the annotations of a classification export."""

import json
from pathlib import Path
from typing import Final

import polars as pl

from polyframe.panoptes.classifications.column_parsers import integer
from polyframe.panoptes.classifications.read_columns import cannot_read, scan_columns
from polyframe.panoptes.classifications.workflow_versions import is_version, version_key

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
        Workflow and key of the task -> text, that of the newest version of the workflow; of several in a
        version, as in several languages, the most frequent. Empty if the annotations have none.

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
    try:
        counted = (
            rows.drop_nulls("workflow_id")
            .explode("labelled")
            .drop_nulls("labelled")
            .group_by("workflow_id", "workflow_version", "labelled")
            .len()
            .collect(engine="streaming")
        )
    except (pl.exceptions.PolarsError, OSError) as error:
        raise cannot_read(export, error) from None
    best: dict[tuple[int, str], tuple[tuple[int, int], int, str]] = {}
    for workflow, version, labelled, number in counted.iter_rows():
        try:
            pair = json.loads(f"{{{labelled}}}")
        except ValueError:
            continue
        task, text = (str(pair[name]).encode("utf-8", "replace").decode() for name in ("task", "task_label"))
        newer = (version_key(version) if is_version(version) else (0, 0), number, text.strip())
        if text.strip() and newer > best.get((workflow, task), ((-1, -1), 0, "")):
            best[workflow, task] = newer
    return {key: text for key, (_, _, text) in best.items()}
