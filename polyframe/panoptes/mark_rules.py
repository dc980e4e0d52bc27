"""Which entries of an annotation are marks, and why one cannot be used.

This is the general reader of an `annotations` cell: it takes any text and gives a reason for whatever it
cannot use. The fast reader in `plain_cells` takes only cells without surprises and leaves all others to this.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from reprlib import Repr
from typing import Any, Final, NamedTuple

import msgspec

from polyframe import reasons
from polyframe.choices import ExtractorKind
from polyframe.panoptes.bezier import FEWEST_CONTROL_POINTS
from polyframe.panoptes.coordinates import Path
from polyframe.settings import Settings

#: The types of tools whose marks are taken where no configuration lists the drawing tasks.
DRAWN_TYPES: Final = frozenset({"polygon", "freehandLine", "bezier"})
LARGEST_INDEX: Final = 2**31 - 1

_DIGITS_OF_A_FLOAT: Final = 300
_LONGEST_VALUE: Final = 50
_shorten = Repr()
_shorten.maxstring = _shorten.maxother = _shorten.maxlong = 40
_shorten.maxlevel = 2


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


def read_cell(cell: str | bytes, selection: MarkSelection) -> tuple[list[Mark], list[Rejection]]:
    """Read any `annotations` cell.

    Parameters
    ----------
    cell : str or bytes
        Any text at all.
    selection : MarkSelection

    Returns
    -------
    marks : list of Mark
        In the order of the document. Their coordinates may be infinite, NaN or too large.
    rejections : list of Rejection
        A single one with the mark index -1 where the whole cell cannot be used.
    """
    if not cell.strip():
        return [], [Rejection(-1, reasons.ANNOTATIONS_MISSING, "the cell is empty")]
    try:
        text = cell.decode("utf-8") if isinstance(cell, bytes) else cell
        annotations = json.loads(text, parse_constant=float, parse_int=_integer)
        return _read_annotations(annotations, selection)
    except json.JSONDecodeError as error:
        found = f"{error.msg} at character {error.pos + 1}"
    except UnicodeDecodeError as error:
        found = f"not UTF-8 at byte {error.start + 1}"
    except (RecursionError, MemoryError):
        found = "nested too deeply"
    return [], [Rejection(-1, reasons.ANNOTATIONS_NOT_JSON, found)]


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
    """
    if not details:
        return None
    if isinstance(details, list):
        details = [_with_answer(item, position, answers) for item in details]
    try:
        return msgspec.json.encode(details).decode()
    except UnicodeEncodeError:  # a half of a surrogate pair, which JSON can escape and UTF-8 cannot hold
        return json.dumps(details, separators=(",", ":"))


def _read_annotations(annotations: Any, selection: MarkSelection) -> tuple[list[Mark], list[Rejection]]:
    problem = _problem_of_list(annotations)
    if problem:
        return [], [Rejection(-1, reasons.ANNOTATIONS_NOT_A_LIST, problem)]
    answers = {
        (annotation["task"], index): annotation.get("value")
        for annotation in annotations
        if type(index := annotation.get("markIndex")) is int
    }
    marks: list[Mark] = []
    rejections: list[Rejection] = []
    n_before = 0
    for annotation in annotations:
        entries = annotation.get("value")
        is_subtask = annotation.get("markIndex") is not None
        if is_subtask or not isinstance(entries, list) or not any(isinstance(e, dict) for e in entries):
            continue
        if takes_task(selection, annotation["task"]):
            for found in _read_entries(entries, n_before, annotation["task"], selection, answers):
                if isinstance(found, Mark):
                    marks.append(found)
                else:
                    rejections.append(found)
        n_before += len(entries)
    return marks, rejections


def _problem_of_list(annotations: Any) -> str | None:
    if not isinstance(annotations, list):
        return f"found {_named(annotations)}, expected a list of objects with a `task`"
    for i, annotation in enumerate(annotations):
        if not isinstance(annotation, dict):
            return f"entry {i} is {_named(annotation)}, expected an object with a `task`"
        if not isinstance(annotation.get("task"), str):
            return f"`task` of entry {i} is {_found(annotation.get('task'))}, expected a text such as T0"
    return None


def _read_entries(
    entries: list[Any],
    n_before: int,
    task: str,
    selection: MarkSelection,
    answers: Mapping[tuple[str, int], Any],
) -> Iterator[Mark | Rejection]:
    # Without a configuration, a list belongs to a drawing task where at least one entry looks drawn.
    is_drawing = bool(selection.kinds) or any(isinstance(e, dict) and _looks_drawn(e) for e in entries)
    for position, entry in enumerate(entries):
        if isinstance(entry, dict):
            mark = _read_mark(entry, position, n_before + position, task, selection, answers)
            if mark is not None:
                yield mark
        elif is_drawing:
            detail = f"found {_found(entry)}, expected an object"
            yield Rejection(n_before + position, reasons.MARK_NOT_AN_OBJECT, detail)


def _read_mark(
    entry: dict[str, Any],
    position: int,
    mark_index: int,
    task: str,
    selection: MarkSelection,
    answers: Mapping[tuple[str, int], Any],
) -> Mark | Rejection | None:
    """Read one object among the marks of a wanted task; None where it is no mark or not wanted."""

    def rejection(reason: str, detail: str) -> Rejection:
        return Rejection(mark_index, reason, detail)

    if not selection.kinds and not _looks_drawn(entry):
        return None
    old = entry.get("tool") is not None  # classifier 1.x
    name = "tool" if old else "toolIndex"
    tool_index = _index(entry.get(name))
    if tool_index is None:
        return rejection(
            reasons.TOOL_MISSING, f"`{name}` is {_found(entry.get(name))}, expected a whole number"
        )
    tool_type = _tool_type(entry)
    kind = kind_of(selection, task, tool_index, tool_type)
    if kind is None:
        return None
    points = entry.get("points")
    x: list[Any]
    y: list[Any]
    if isinstance(points, list):
        x, y = ([p.get(axis) if isinstance(p, dict) else None for p in points] for axis in "xy")
    elif points is None and isinstance(entry.get("pathX"), list) and isinstance(entry.get("pathY"), list):
        x, y = entry["pathX"], entry["pathY"]
    else:
        found = ", ".join(f"`{key}` is {_named(entry.get(key))}" for key in ("points", "pathX", "pathY"))
        return rejection(reasons.PATH_MISSING, found)
    if not x and not y:
        return None
    frame = 0 if entry.get("frame") is None else _index(entry["frame"])
    if frame is None:
        return rejection(
            reasons.FRAME_INVALID, f"`frame` is {_found(entry['frame'])}, expected a whole number"
        )
    if len(x) != len(y):
        return rejection(reasons.PATH_LENGTHS_DIFFER, f"`pathX` has {len(x)} numbers, `pathY` has {len(y)}")
    if kind == "bezier" and len(x) < FEWEST_CONTROL_POINTS:
        return None
    for axis, values in (("x", x), ("y", y)):
        for i, value in enumerate(values):
            if type(value) is not float and type(value) is not int:
                found = f"{axis} of point {i} is {_found(value)}, expected a number"
                return rejection(reasons.COORDINATE_NOT_A_NUMBER, found)
    default_type = "bezier" if kind == "bezier" else "polygon" if points is not None else "freehandLine"
    return Mark(
        mark_index,
        _encodable(task),
        frame,
        tool_index,
        tool_name(_encodable(task), tool_index, old),
        _encodable(tool_type or default_type),
        details_text(entry.get("details"), position, answers),
        kind == "bezier",
        len(x),
        [float(value) for value in x],
        [float(value) for value in y],
    )


def tool_name(task: str, tool_index: int, old: bool) -> str:
    """Return the name of a tool: `T0_tool1` for classifier 1.x (`old`), `T0_toolIndex1` for 2.x."""
    return f"{task}_tool{tool_index}" if old else f"{task}_toolIndex{tool_index}"


def _looks_drawn(entry: dict[str, Any]) -> bool:
    tool_type = _tool_type(entry)
    if tool_type is not None:
        return tool_type in DRAWN_TYPES
    if entry.get("pathX") is not None or entry.get("pathY") is not None:
        return True
    points = entry.get("points")
    return (
        isinstance(points, list)
        and bool(points)
        and isinstance(points[0], dict)
        and {*points[0]} >= {"x", "y"}
    )


def _tool_type(entry: dict[str, Any]) -> str | None:
    tool_type = entry.get("toolType")
    return tool_type if isinstance(tool_type, str) and tool_type else None


def _index(value: Any) -> int | None:
    """Return a whole number from 0 as an int, 2.0 included; None for anything else."""
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= LARGEST_INDEX else None


def _integer(digits: str) -> int | float:
    # Python refuses to convert very long integers; as floats they are infinite, as they should be.
    return int(digits) if len(digits) <= _DIGITS_OF_A_FLOAT else float(digits)


def _with_answer(item: Any, position: int, answers: Mapping[tuple[str, int], Any]) -> Any:
    if isinstance(item, dict) and isinstance(item.get("task"), str) and (item["task"], position) in answers:
        return {**item, "value": answers[item["task"], position]}
    return item


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _found(value: Any) -> str:
    text = "missing" if value is None else _shorten.repr(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."


def _named(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
