"""The rows of the CSV files in which panoptes_aggregation writes its reductions and contours.

There, a reduction is one row for each subject and task, and holds all frames and tools; contours are one row
for each cluster. Columns stand in the order in which rows have them first, and lists are written as Python
shows them: `[1.0, 2.5]`.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from polyframe import __version__
from polyframe.core.settings import Settings

#: A cell by the name of its column.
Row = dict[str, str]

REDUCER: Final = "polygon_reducer"
CONTOURS_REDUCER: Final = "polygon_reducer_contours"
FIRST_COLUMNS: Final = ("subject_id", "workflow_id", "task", "reducer")
#: In contours these are whole numbers where every row has them, else they have a decimal point.
_NUMBERS: Final = ("cluster_label_for_contours", "number_of_contours")
_VERSION: Final = f"polyframe {__version__}"
_TOOL: Final = re.compile(r"(.*)_tool(?:Index)?([0-9]+)", re.DOTALL)
#: What makes a spreadsheet take a text for a formula, also in the wider forms of East Asian scripts.
_FORMULA_SIGNS: Final = ("=", "+", "-", "@")
#: What some of them pass over before it: white space, control characters and what cannot be seen.
_PASSED_OVER: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f\xad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]*")
#: Where a text is not quoted, the cell begins behind these.
_CELL_ENDS: Final = ("\t", "\r", "\n")


@dataclass(frozen=True)
class Cluster:
    """An averaged cluster: a row of the table `reductions`."""

    count: int
    threshold: float
    x: list[float]
    y: list[float]
    consensus: float


@dataclass(frozen=True)
class Contours:
    """The contours of a cluster: a row of the table `contours`."""

    label: int
    x: list[list[float]]
    y: list[list[float]]
    consensus: float


@dataclass(frozen=True)
class Group:
    """The marks of one frame and tool: their labels in the order of time, and the clusters that are kept."""

    frame: int
    tool: str
    labels: list[int]
    clusters: Sequence[Any]

    @property
    def prefix(self) -> str:
        """How its columns begin."""
        return f"data.frame{self.frame}.{self.tool}_"


def in_order(groups: Iterable[Group]) -> list[Group]:
    """Sort the groups of a subject as the reference tool does: as texts, `frame10` before `frame2`."""
    return sorted(groups, key=lambda group: (f"frame{group.frame}", group.tool))


def first_cells(reducer: str, workflow_id: int, subject_id: int, task: str) -> Row:
    """Return the cells that tell rows apart."""
    cells = (str(subject_id), str(workflow_id), harmless(task), reducer)
    return dict(zip(FIRST_COLUMNS, cells, strict=True))


def reduction_cells(groups: Sequence[Group], settings: Settings) -> Row:
    """Return the cells of the reduction of one subject and task.

    Parameters
    ----------
    groups : sequence of Group
        All of them, as `in_order` gives them, with a `Cluster` for each cluster.
    settings : Settings
        With which it was made; `collab` adds the consensus annotations that Zooniverse's front end reads.
    """
    cells: Row = {}
    clusters = [(group, cluster) for group in groups for cluster in group.clusters]
    if settings.collab and clusters:
        marks = [_annotation(number, *found, settings) for number, found in enumerate(clusters)]
        cells["data.data"] = str(marks)
    if clusters:
        cells["data.threshold"] = str([cluster.threshold for _, cluster in clusters])
    cells["data.aggregation_version"] = _VERSION
    for group in groups:
        cells[f"{group.prefix}cluster_labels"] = str(group.labels)
        if group.clusters:
            cells[f"{group.prefix}clusters_count"] = str([cluster.count for cluster in group.clusters])
            cells[f"{group.prefix}clusters_x"] = str([cluster.x for cluster in group.clusters])
            cells[f"{group.prefix}clusters_y"] = str([cluster.y for cluster in group.clusters])
            cells[f"{group.prefix}consensus"] = str([cluster.consensus for cluster in group.clusters])
    return cells | _parameters(
        {
            "min_samples": settings.min_samples,
            "eps": float(settings.eps),
            "average_type": settings.average_type,
            "collab": settings.collab,
            "step_key": harmless(settings.step_key),
            "task_index": settings.task_index,
            "tool_type": harmless(settings.tool_type),
            # As the reference tool writes its default.
            "min_threshold": float(settings.min_threshold) or 0,
        }
    )


def contour_cells(group: Group, settings: Settings) -> list[Row]:
    """Return the cells of each cluster of a group, with `Contours` as clusters; one row where it has none."""
    return [_contour_cells(group, found, settings) for found in group.clusters or [None]]


def _contour_cells(group: Group, found: Contours | None, settings: Settings) -> Row:
    cells = {"data.aggregation_version": _VERSION}
    if found:
        cells |= {
            f"{group.prefix}cluster_label_for_contours": str(found.label),
            f"{group.prefix}number_of_contours": str(len(found.x)),
            f"{group.prefix}contours_x": str(found.x),
            f"{group.prefix}contours_y": str(found.y),
            f"{group.prefix}consensus": str(found.consensus),
        }
    cells[f"{group.prefix}cluster_labels"] = str(group.labels)
    return cells | _parameters({"min_samples": settings.min_samples, "eps": float(settings.eps)})


def with_gaps(column: str) -> bool:
    """Tell whether the whole numbers of a column have a decimal point where a row lacks them."""
    return column.endswith(_NUMBERS)


def harmless(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: with an apostrophe before it where it might."""
    begin = _PASSED_OVER.match(text)
    first = unicodedata.normalize("NFKC", text[begin.end() :][:1]) if begin else ""
    return f"'{text}" if first in _FORMULA_SIGNS or text.startswith(_CELL_ENDS) else text


def _parameters(values: dict[str, Any]) -> Row:
    return {f"data.parameters.{name}": str(value) for name, value in values.items()}


def _annotation(number: int, group: Group, cluster: Cluster, settings: Settings) -> dict[str, Any]:
    named = _TOOL.fullmatch(group.tool)
    task, index = (named[1], int(named[2])) if named else (group.tool, 0)
    return {
        "stepKey": settings.step_key,
        "taskIndex": settings.task_index,
        "taskKey": task,
        "taskType": "drawing",
        "toolIndex": index,
        "frame": group.frame,
        "markID": f"consensus_{number}",
        "toolType": settings.tool_type,
        "pathX": cluster.x,
        "pathY": cluster.y,
    }
