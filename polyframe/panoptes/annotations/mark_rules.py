"""Define what both decoders share: which marks are selected, the names of their tools, and their details."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec

from polyframe.core import reasons
from polyframe.core.choices import ExtractorKind
from polyframe.core.drawing_tasks import kinds_of_tools, split_tool
from polyframe.core.settings import Settings
from polyframe.panoptes.annotations.parse_coordinates import Path

#: The keys under which the classifiers store an outline.
OUTLINE_KEYS: Final = ("points", "pathX", "pathY", "path")
#: Words in the types of tools that draw outlines, such as `freehandSegmentShape`.
_OUTLINE_WORDS: Final = ("freehand", "polygon", "bezier")
#: Types of tools that do not draw outlines.
NO_OUTLINE_TYPES: Final = frozenset(
    {
        *("circle", "column", "ellipse", "fan", "fullHeightLine", "fullWidthLine", "graph2dRangeX", "grid"),
        *("line", "point", "pointGrid", "polyline", "rectangle", "rotateRectangle", "temporalPoint"),
        *("temporalRotateRectangle", "transcriptionLine", "triangle"),
    }
)
#: Keys whose values are never an outline.
_NEVER_AN_OUTLINE: Final = frozenset({"details", "color", "frame", "label", "text", "tool_label", "toolType"})
#: Three points have six numbers.
_FEWEST_NUMBERS: Final = 6
_FEWEST_ITEMS: Final = 3
_NUMBERS_AS_TEXT: Final = re.compile(
    r"[A-Za-z]{0,20}[-+0-9.,;()\[\]{}\"\sxyeEMLHVCSQTAZmlhvcsqtaz]*", re.ASCII
)
_NUMBER: Final = re.compile(r"[0-9]+\.?[0-9]*", re.ASCII)

#: Answers to sub-tasks, by sub-task, index of the mark in its annotation, and occurrence of the task.
Answers = Mapping[tuple[str, int, int], Any]


class Mark(NamedTuple):
    """A mark with its coordinates as numbers, or as the JSON text of numbers."""

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
    """Why a mark cannot be used, or the whole cell if `mark_index` is -1."""

    mark_index: int
    reason: str
    detail: str


@dataclass(frozen=True)
class MarkSelection:
    """Which marks to use.

    Attributes
    ----------
    kinds : mapping of task to mapping of tool index to kind
        How to read the marks of each task and tool; the index None means all other tools. If empty, every
        outline of every task is used.
    tasks : frozenset of str
        Only these tasks; all if empty.
    tools : frozenset of int
        Only these tools; all if empty.
    bezier : frozenset of (str or None, int)
        Task and index of tools that draw Bezier curves, whatever `kinds` says; None means any task.
    """

    kinds: Mapping[str, Mapping[int | None, ExtractorKind]]
    tasks: frozenset[str]
    tools: frozenset[int]
    bezier: frozenset[tuple[str | None, int]] = frozenset()


def selection_from_settings(settings: Settings) -> MarkSelection:
    """Return the marks that `drawing_tasks`, `task`, `tool` and `bezier_tool` of the settings select."""
    kinds = kinds_of_tools(settings.drawing_tasks)
    bezier = frozenset(split_tool(tool) for tool in settings.bezier_tool)
    return MarkSelection(kinds, frozenset(settings.task), frozenset(settings.tool), bezier)


def takes_task(selection: MarkSelection, task: str) -> bool:
    """Return whether any marks of a task are selected."""
    return (not selection.kinds or task in selection.kinds) and (
        not selection.tasks or task in selection.tasks
    )


def extractor_kind(
    selection: MarkSelection, task: str, tool_index: int, tool_type: str | None
) -> ExtractorKind | None:
    """Return how to read a mark of a selected task; None if the tool is not selected."""
    if selection.tools and tool_index not in selection.tools:
        return None
    if selection.kinds:
        kinds = selection.kinds[task]
        kind = kinds.get(tool_index, kinds.get(None))
    else:
        kind = "bezier" if tool_type == "bezier" else "polygon"
    if (
        kind
        and selection.bezier
        and not selection.bezier.isdisjoint({(task, tool_index), (None, tool_index)})
    ):
        return "bezier"
    return kind


def draws_outlines(tool_type: str | None) -> bool:
    """Return whether the type of a tool is known to draw outlines."""
    return tool_type is not None and any(word in tool_type.lower() for word in _OUTLINE_WORDS)


def is_listed(selection: MarkSelection, task: str, tool_index: int | None) -> bool:
    """Return whether the configuration lists the index of a tool."""
    return tool_index is not None and tool_index in selection.kinds.get(task, {})


def unknown_outline_keys(entry: Mapping[str, Any]) -> list[str]:
    """Return the keys of a mark that may contain an outline in an unknown form.

    Parameters
    ----------
    entry : mapping
        A mark without an outline under the known keys.

    Returns
    -------
    list of str
        Keys with long lists of numbers or strings of numbers, together at least three points. Empty if there
        are fewer, as in a point or a circle.
    """
    counts = {
        key: _numbers_of_an_outline(value) for key, value in entry.items() if key not in _NEVER_AN_OUTLINE
    }
    return [key for key, count in counts.items() if count] if sum(counts.values()) >= _FEWEST_NUMBERS else []


def _numbers_of_an_outline(value: Any) -> int:
    """Count the numbers in lists of three or more items, or in a string of numbers only."""
    if isinstance(value, str):
        text = value[: 100 * _FEWEST_NUMBERS]
        return len(_NUMBER.findall(text)) if _NUMBERS_AS_TEXT.fullmatch(text) else 0
    count = 0
    waiting = [(value, False)]
    while waiting and count < _FEWEST_NUMBERS:
        item, counts = waiting.pop()
        if isinstance(item, list):
            counts = counts or len(item) >= _FEWEST_ITEMS
            waiting += [(inner, counts) for inner in item[:_FEWEST_NUMBERS]]
        elif isinstance(item, dict):
            waiting += [(inner, counts) for inner in item.values()]
        else:
            count += counts and type(item) in (int, float)
    return count


def tool_name(task: str, tool_index: int, old: bool) -> str:
    """Return the name of a tool: `T0_tool1` for classifier 1.x (`old`), `T0_toolIndex1` for 2.x."""
    return f"{task}_tool{tool_index}" if old else f"{task}_toolIndex{tool_index}"


def tool_type_of(tool_type: str | None, kind: ExtractorKind, has_points: bool) -> str:
    """Return the type of a mark's tool; derived from the form of its path if the mark has none."""
    return tool_type or ("bezier" if kind == "bezier" else "polygon" if has_points else "freehandLine")


class DetailsTooLongError(ValueError):
    """The details of a classification's marks are longer than `reasons.LONGEST_DETAILS`."""


def answers_by_occurrence(annotations: Iterable[tuple[str, int | None, Any]]) -> Answers:
    """Return the answers to sub-tasks, each with the occurrence of its task that it belongs to.

    Parameters
    ----------
    annotations : iterable of (task, markIndex, value)
        The annotations of a classification, in order; those without a `markIndex` are not answers. A task may
        occur several times; the answers that follow an occurrence belong to its marks.
    """
    answers: dict[tuple[str, int, int], Any] = {}
    seen: dict[str, int] = {}
    for task, mark_index, value in annotations:
        if mark_index is None:
            seen[task] = seen.get(task, -1) + 1
        else:
            answers[task, mark_index, seen.get(task.rsplit(".", 2)[0], 0)] = value
    return answers


def details_text(details: Any, position: int, occurrence: int, answers: Answers) -> str | None:
    """Return the details of a mark as JSON text; None if there are none.

    Parameters
    ----------
    details : JSON value
        As in the mark. Items `{"task": "T0.0.0"}` (classifier 2.x) only name a sub-task.
    position : int
        Index of the mark in the value of its annotation.
    occurrence : int
        Number of earlier annotations of its task in the same classification.
    answers : mapping of (sub-task, position, occurrence) to JSON value
        Values of the sub-task annotations; an item that names one gets it as its `value`.

    Raises
    ------
    DetailsTooLongError
        If the text would be longer than `reasons.LONGEST_DETAILS`, for example because it names a long answer
        many times.
    """
    if not details:
        return None
    if not isinstance(details, list):
        return json_text(details)
    items: list[str] = []
    length = 0
    for item in details:
        items.append(json_text(_with_answer(item, position, occurrence, answers)))
        length += len(items[-1])
        if length > reasons.LONGEST_DETAILS:
            raise DetailsTooLongError
    return f"[{','.join(items)}]"


def json_text(value: Any) -> str:
    """Return a JSON value as text without spaces."""
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can escape but UTF-8 cannot encode
        return json.dumps(value, separators=(",", ":"))


def _with_answer(item: Any, position: int, occurrence: int, answers: Answers) -> Any:
    if isinstance(item, dict) and isinstance(item.get("task"), str):
        key = (item["task"], position, occurrence)
        if key in answers:
            return {**item, "value": answers[key]}
    return item
