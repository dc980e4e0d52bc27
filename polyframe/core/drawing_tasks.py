"""Describe drawing tasks and their tools."""

import re
from dataclasses import dataclass
from typing import Final

from polyframe.core.choices import ExtractorKind
from polyframe.core.errors import UsageError, short_repr
from polyframe.core.scalar_checks import LARGEST_INDEX, is_integer
from polyframe.core.setting_rules import Rule, tuple_of

#: `1`, or `T0:1` for the tool of one task.
_TOOL: Final = re.compile(r"(?:(.+):)?([0-9]{1,10})", re.DOTALL)


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
