"""Describe drawing tasks and their tools."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from polyframe.core.choices import ExtractorKind
from polyframe.core.errors import UsageError, short_repr
from polyframe.core.scalar_checks import LARGEST_INDEX, is_integer
from polyframe.core.setting_rules import Rule, tuple_of

#: `1`, or `T0:1` for the tool of one task.
_TOOL: Final = re.compile(r"(?:(.+):)?([0-9]{1,10})", re.DOTALL)
#: The extractor of a sub-task: `T0_toolIndex0_subtask1=text_extractor`, with `T0_tool0` for classifier 1.x.
SUBTASK_EXTRACTOR: Final = re.compile(
    r"(.+_tool(?:Index)?[0-9]{1,10})_subtask([0-9]{1,2})=([a-z_]+)", re.DOTALL
)


@dataclass(frozen=True)
class DrawingTask:
    """One drawing task to extract.

    Attributes
    ----------
    task : str
        The task's key, such as `T0`.
    tools : tuple of int, or None
        The indices of its tools; None selects all of them.
    kind : {"polygon", "bezier"}
        How to read the points: as the outline, or as control points of quadratic Bezier curves.
    """

    task: str
    tools: tuple[int, ...] | None = None
    kind: ExtractorKind = "polygon"


def split_tool(tool: str) -> tuple[str | None, int]:
    """Return the task and the index of a tool written as `1` or `T0:1`; None without a task.

    Raises
    ------
    UsageError
        If it has another form.
    """
    match = _TOOL.fullmatch(str(tool).strip())
    if match is None:
        raise UsageError(f"bezier_tool must be {BEZIER_TOOLS.expected} (got {short_repr(tool)})")
    return match[1], int(match[2])


def kinds_of_tools(
    drawing_tasks: Iterable[DrawingTask],
) -> dict[str, dict[int | None, ExtractorKind]]:
    """Return how to read the marks of each task and tool; the index None means all other tools.

    If a tool is in several drawing tasks, the last one counts.
    """
    kinds: dict[str, dict[int | None, ExtractorKind]] = {}
    for drawing in drawing_tasks:
        tools = (None,) if drawing.tools is None else drawing.tools
        kinds.setdefault(drawing.task, {}).update(dict.fromkeys(tools, drawing.kind))
    return kinds


def normal_drawing_tasks(drawing_tasks: Iterable[DrawingTask]) -> tuple[DrawingTask, ...]:
    """Return sorted drawing tasks of the same meaning: for each task and kind, all tools and those listed."""
    normal: list[DrawingTask] = []
    for task, kinds in sorted(kinds_of_tools(drawing_tasks).items()):
        if not kinds:
            normal.append(DrawingTask(task, ()))
        for kind in sorted(set(kinds.values())):
            tools = [tool for tool in kinds if kinds[tool] == kind]
            listed = tuple(sorted(tool for tool in tools if tool is not None))
            normal += [DrawingTask(task, None, kind)] * (None in tools)
            normal += [DrawingTask(task, listed, kind)] * bool(listed)
    return tuple(normal)


def normal_tools(tools: Iterable[str]) -> tuple[str, ...]:
    """Return distinct tools, written as `1` or `T0:1`, sorted."""
    distinct = {split_tool(tool) for tool in tools}
    ordered = sorted(distinct, key=lambda tool: (tool[0] or "", tool[1]))
    return tuple(f"{index}" if task is None else f"{task}:{index}" for task, index in ordered)


def _is_index(value: object) -> bool:
    return isinstance(value, int) and is_integer(value) and 0 <= value <= LARGEST_INDEX


def _is_drawing_task(value: object) -> bool:
    if not isinstance(value, DrawingTask) or not isinstance(value.task, str):
        return False
    return value.tools is None or (isinstance(value.tools, tuple) and all(map(_is_index, value.tools)))


DRAWING_TASKS: Final = tuple_of("DrawingTask objects, such as DrawingTask('T0', (0, 1))", _is_drawing_task)
TASKS: Final = tuple_of("task keys, such as T0", lambda task: isinstance(task, str) and task != "")
TOOLS: Final = tuple_of("tool indices, such as 0", _is_index)
BEZIER_TOOLS: Final[Rule] = tuple_of(
    "tool indices, such as 1 or T0:1", lambda tool: _TOOL.fullmatch(str(tool).strip()) is not None
)
SUBTASK_EXTRACTORS: Final[Rule] = tuple_of(
    "sub-tasks with their extractor, such as T0_toolIndex0_subtask1=text_extractor",
    lambda text: isinstance(text, str) and SUBTASK_EXTRACTOR.fullmatch(text) is not None,
)
