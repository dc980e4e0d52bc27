"""What both readers of `annotations` cells share: which marks are wanted, what they are called and hold.

`plain_cells` reads the cells without surprises, `any_cells` all others.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec

from polyframe import reasons
from polyframe.choices import ExtractorKind
from polyframe.panoptes.coordinates import Path
from polyframe.settings import Settings

#: The types of tools that draw outlines.
DRAWN_TYPES: Final = frozenset({"polygon", "freehandLine", "bezier"})
LARGEST_INDEX: Final = 2**31 - 1


class Mark(NamedTuple):
    """One mark, its coordinates as numbers or as the JSON text of numbers."""

    mark_index: int
    task: str
    frame: int
    tool_index: int
    tool: str
    tool_type: str
    details: str | None
    is_bezier: bool
    n_points: int
    x: Path
    y: Path


class Rejection(NamedTuple):
    """Why a mark, or with `mark_index` -1 the whole cell, cannot be used."""

    mark_index: int
    reason: str
    detail: str


@dataclass(frozen=True)
class MarkSelection:
    """Which marks to take.

    Attributes
    ----------
    kinds : mapping of task to mapping of tool index to kind
        How to read the marks of each task and tool; the index None stands for all other tools. Empty means
        every mark that looks drawn, of every task.
    tasks : frozenset of str
        Only these tasks; empty means all.
    tools : frozenset of int
        Only these tools; empty means all.
    """

    kinds: Mapping[str, Mapping[int | None, ExtractorKind]]
    tasks: frozenset[str]
    tools: frozenset[int]


def selection_from_settings(settings: Settings) -> MarkSelection:
    """Return the marks that `drawing_tasks`, `task` and `tool` of the settings select."""
    kinds: dict[str, dict[int | None, ExtractorKind]] = {}
    for drawing in settings.drawing_tasks:
        tools = (None,) if drawing.tools is None else drawing.tools
        kinds.setdefault(drawing.task, {}).update(dict.fromkeys(tools, drawing.kind))
    return MarkSelection(kinds, frozenset(settings.task), frozenset(settings.tool))


def takes_task(selection: MarkSelection, task: str) -> bool:
    """Return whether any marks of a task are wanted."""
    return (not selection.kinds or task in selection.kinds) and (
        not selection.tasks or task in selection.tasks
    )


def kind_of(
    selection: MarkSelection, task: str, tool_index: int, tool_type: str | None
) -> ExtractorKind | None:
    """Return how to read a mark of a wanted task; None where the tool is not wanted."""
    if selection.tools and tool_index not in selection.tools:
        return None
    if not selection.kinds:
        return "bezier" if tool_type == "bezier" else "polygon"
    kinds = selection.kinds[task]
    return kinds.get(tool_index, kinds.get(None))


def is_of_another_tool(
    selection: MarkSelection, task: str, tool_index: int | None, tool_type: str | None
) -> bool:
    """Return whether a mark without a path is none that is wanted, and not a wanted one that lost its path.

    So it is where its type names a tool that draws no outlines, such as a point or a circle, unless the
    configuration lists the index of the tool.
    """
    is_listed = tool_index is not None and tool_index in selection.kinds.get(task, {})
    return tool_type is not None and tool_type not in DRAWN_TYPES and not is_listed


def tool_name(task: str, tool_index: int, old: bool) -> str:
    """Return the name of a tool: `T0_tool1` for classifier 1.x (`old`), `T0_toolIndex1` for 2.x."""
    return f"{task}_tool{tool_index}" if old else f"{task}_toolIndex{tool_index}"


def tool_type_of(tool_type: str | None, kind: ExtractorKind, has_points: bool) -> str:
    """Return the type of a mark's tool; after the form of its path where the mark names none."""
    return tool_type or ("bezier" if kind == "bezier" else "polygon" if has_points else "freehandLine")


class DetailsTooLongError(ValueError):
    """The details of a classification's marks are longer than `reasons.LONGEST_DETAILS`."""


def details_text(details: Any, position: int, answers: Mapping[tuple[str, int], Any]) -> str | None:
    """Return the details of a mark as JSON text; None where there are none.

    Parameters
    ----------
    details : JSON value
        As it stands in the mark. Items `{"task": "T0.0.0"}` (classifier 2.x) only name a sub-task.
    position : int
        The mark's position in the value of its annotation.
    answers : mapping of (sub-task, position) to JSON value
        What the sub-task annotations hold; an item that names one of them gets it as its `value`.

    Raises
    ------
    DetailsTooLongError
        Where the text would be longer than `reasons.LONGEST_DETAILS`. A short list can get there by naming a
        long answer over and over.
    """
    if not details:
        return None
    if not isinstance(details, list):
        return json_text(details)
    items: list[str] = []
    length = 0
    for item in details:
        items.append(json_text(_with_answer(item, position, answers)))
        length += len(items[-1])
        if length > reasons.LONGEST_DETAILS:
            raise DetailsTooLongError
    return f"[{','.join(items)}]"


def json_text(value: Any) -> str:
    """Return a JSON value as text without blanks."""
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:  # a half of a surrogate pair, which JSON can escape and UTF-8 cannot hold
        return json.dumps(value, separators=(",", ":"))


def _with_answer(item: Any, position: int, answers: Mapping[tuple[str, int], Any]) -> Any:
    if isinstance(item, dict) and isinstance(item.get("task"), str) and (item["task"], position) in answers:
        return {**item, "value": answers[item["task"], position]}
    return item
