"""Read the labels of tools from the marks of a classification export."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import polars as pl

from polyframe.core.scalar_checks import LARGEST_INDEX
from polyframe.panoptes.annotations.mark_rules import tool_name
from polyframe.panoptes.annotations.newest_labels import newest_labels
from polyframe.panoptes.classifications.column_parsers import integer
from polyframe.panoptes.classifications.read_columns import explain_unreadable, scan_columns

#: The label of a tool by workflow and name of the tool, such as (6, `T0_tool1`).
ToolLabels = dict[tuple[int, str], str]

_COLUMNS: Final = ("workflow_id", "workflow_version", "annotations")
#: Annotations nest once, in combo tasks.
_DEEPEST: Final = 3


class _Entry(msgspec.Struct):
    """An annotation, or a mark in its value."""

    task: Any = None
    value: msgspec.Raw = msgspec.Raw()
    tool: Any = None
    toolIndex: Any = None  # noqa: N815 - names of the export
    tool_label: Any = None


_decoder: Final = msgspec.json.Decoder(list[_Entry])


def read_tool_labels(export: Path) -> ToolLabels:
    """Read the labels of tools from `tool_label` of the marks, which classifier 1.x writes.

    Parameters
    ----------
    export : Path
        CSV, optionally compressed, or Parquet.

    Returns
    -------
    dict
        Workflow and name of the tool -> label, chosen by `newest_labels`. Empty if the marks have no labels,
        as those of classifier 2.x.

    Raises
    ------
    PolyframeError
        If the file cannot be read or lacks the columns.
    """
    marks: Counter[tuple[tuple[int, str], str | None, str]] = Counter()
    rows = scan_columns(export, _COLUMNS, "labels of tools").select(
        integer("workflow_id"), pl.col("workflow_version"), pl.col("annotations")
    )
    labelled = rows.filter(pl.col("annotations").str.contains('"tool_label":\\s*"')).drop_nulls("workflow_id")

    def take(batch: pl.DataFrame) -> bool:
        for workflow, version, cell in batch.iter_rows():
            marks.update(((workflow, tool), version, label) for tool, label in _labels(cell))
        return False

    with explain_unreadable(export):
        labelled.sink_batches(take, engine="streaming")
    return newest_labels((*label, number) for label, number in marks.items())


def _labels(cell: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the label of the tool of each mark that has one."""
    waiting: list[tuple[Any, Any, int]] = [(None, msgspec.Raw(cell.encode()), 0)]
    while waiting:
        task, content, depth = waiting.pop()
        for entry in _entries(content):
            index = entry.toolIndex if entry.tool is None else entry.tool
            if isinstance(entry.task, str) and depth < _DEEPEST:
                waiting.append((entry.task, entry.value, depth + 1))
            elif (
                isinstance(task, str)
                and isinstance(entry.tool_label, str)
                and entry.tool_label.strip()
                and type(index) is int
                and 0 <= index <= LARGEST_INDEX
            ):
                yield tool_name(task, index, entry.tool is not None), entry.tool_label


def _entries(content: msgspec.Raw) -> list[_Entry]:
    """Return the objects of a list; none if it is anything else, such as an answer to a question."""
    try:
        return _decoder.decode(content)
    except (msgspec.MsgspecError, RecursionError):
        return []
