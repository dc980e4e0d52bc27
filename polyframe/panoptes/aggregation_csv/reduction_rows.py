"""Build the rows of the CSV files of reductions and contours that panoptes_aggregation writes.

A reduction has one row for each subject and task, with all frames and tools; contours have one row for each
cluster. Columns are in the order of their first occurrence, lists are Python literals such as `[1.0, 2.5]`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from polyframe import __version__
from polyframe.core.settings import Settings
from polyframe.core.spreadsheet_cells import escape_formula

#: A cell by the name of its column.
Row = dict[str, str]

REDUCER: Final = "polygon_reducer"
CONTOURS_REDUCER: Final = "polygon_reducer_contours"
FIRST_COLUMNS: Final = ("subject_id", "workflow_id", "task", "reducer")
#: Columns of contours that are integers if every row has a value, otherwise floats.
_NUMBERS: Final = ("cluster_label_for_contours", "number_of_contours")
_VERSION: Final = f"polyframe {__version__}"
_TOOL: Final = re.compile(r"(.*)_tool(?:Index)?([0-9]+)", re.DOTALL)


@dataclass(frozen=True)
class Cluster:
    """A row of the table `reductions`."""

    count: int
    threshold: float
    x: list[float]
    y: list[float]
    consensus: float


@dataclass(frozen=True)
class Contours:
    """A row of the table `contours`."""

    label: int
    x: list[list[float]]
    y: list[list[float]]
    consensus: float


@dataclass(frozen=True)
class Group:
    """The marks of a frame and tool: their labels by time, and their clusters."""

    frame: int
    tool: str
    labels: list[int]
    clusters: Sequence[Any]

    @property
    def prefix(self) -> str:
        """The prefix of its columns."""
        return f"data.frame{self.frame}.{self.tool}_"


def in_order(groups: Iterable[Group]) -> list[Group]:
    """Sort the groups of a subject as the reference tool does: as strings, `frame10` before `frame2`."""
    return sorted(groups, key=lambda group: (f"frame{group.frame}", group.tool))


def first_cells(reducer: str, workflow_id: int, subject_id: int, task: str) -> Row:
    """Return the key cells of a row."""
    cells = (str(subject_id), str(workflow_id), escape_formula(task), reducer)
    return dict(zip(FIRST_COLUMNS, cells, strict=True))


def reduction_cells(groups: Sequence[Group], settings: Settings) -> Row:
    """Return the cells of the reduction of one subject and task.

    Parameters
    ----------
    groups : sequence of Group
        Its groups as sorted by `in_order`, with a `Cluster` for each cluster.
    settings : Settings
        The settings of the reduction; `collab` adds consensus annotations for the front end of Zooniverse.
    """
    cells: Row = {}
    clusters = [(group, cluster) for group in groups for cluster in group.clusters]
    if settings.collab and clusters:
        marks = [_annotation(number, *pair, settings) for number, pair in enumerate(clusters)]
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
            "step_key": escape_formula(settings.step_key),
            "task_index": settings.task_index,
            "tool_type": escape_formula(settings.tool_type),
            # As the reference tool writes its default.
            "min_threshold": float(settings.min_threshold) or 0,
        }
    )


def contour_cells(group: Group, settings: Settings) -> list[Row]:
    """Return the cells of each cluster of a group, whose clusters are `Contours`; one row if it has none."""
    return [_contour_cells(group, contours, settings) for contours in group.clusters or [None]]


def _contour_cells(group: Group, contours: Contours | None, settings: Settings) -> Row:
    cells = {"data.aggregation_version": _VERSION}
    if contours:
        cells |= {
            f"{group.prefix}cluster_label_for_contours": str(contours.label),
            f"{group.prefix}number_of_contours": str(len(contours.x)),
            f"{group.prefix}contours_x": str(contours.x),
            f"{group.prefix}contours_y": str(contours.y),
            f"{group.prefix}consensus": str(contours.consensus),
        }
    cells[f"{group.prefix}cluster_labels"] = str(group.labels)
    return cells | _parameters({"min_samples": settings.min_samples, "eps": float(settings.eps)})


def becomes_float_if_missing(column: str) -> bool:
    """Return whether the integers of a column become floats if a row has no value."""
    return column.endswith(_NUMBERS)


def _parameters(values: dict[str, Any]) -> Row:
    return {f"data.parameters.{name}": str(value) for name, value in values.items()}


def _annotation(number: int, group: Group, cluster: Cluster, settings: Settings) -> dict[str, Any]:
    match = _TOOL.fullmatch(group.tool)
    task, index = (match[1], int(match[2])) if match else (group.tool, 0)
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
