"""The general reader of `annotations` cells: it takes any text, and gives a reason for what it cannot use."""

import json
import math
from collections.abc import Iterator, Mapping
from reprlib import Repr
from typing import Any, Final

from polyframe import reasons
from polyframe.panoptes.bezier import FEWEST_CONTROL_POINTS
from polyframe.panoptes.mark_rules import (
    DRAWN_TYPES,
    LARGEST_INDEX,
    DetailsTooLongError,
    Mark,
    MarkSelection,
    Rejection,
    details_text,
    is_of_another_tool,
    kind_of,
    takes_task,
    tool_name,
    tool_type_of,
)

#: What Python, and the reader of plain cells with it, takes for a whole number.
_MOST_DIGITS: Final = 4300
_LONGEST_VALUE: Final = 50
_shorten = Repr()
_shorten.maxstring = _shorten.maxother = _shorten.maxlong = 40
_shorten.maxlevel = 2


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
    except DetailsTooLongError:
        found = f"more than {reasons.LONGEST_DETAILS:,} characters"
        return [], [Rejection(-1, reasons.DETAILS_TOO_LONG, found)]
    except json.JSONDecodeError as error:
        found = f"{error.msg.removesuffix(' at')} at character {error.pos + 1}"
    except UnicodeDecodeError as error:
        found = f"not UTF-8 at byte {error.start + 1}"
    except (RecursionError, MemoryError):
        found = "nested too deeply"
    return [], [Rejection(-1, reasons.ANNOTATIONS_NOT_JSON, found)]


def _read_annotations(annotations: Any, selection: MarkSelection) -> tuple[list[Mark], list[Rejection]]:
    problem = _problem_of_list(annotations)
    if problem:
        return [], [Rejection(-1, reasons.ANNOTATIONS_NOT_A_LIST, problem)]
    answers = {
        (annotation["task"], index): annotation.get("value")
        for annotation in annotations
        if type(index := annotation.get("markIndex")) is int
    }
    lists = [
        (annotation["task"], annotation["value"])
        for annotation in annotations
        if annotation.get("markIndex") is None and _holds_marks(annotation.get("value"))
    ]
    n_marks = sum(len(entries) for _, entries in lists)
    if n_marks > reasons.MOST_MARKS:
        found = f"{n_marks:,} marks, expected at most {reasons.MOST_MARKS:,}"
        return [], [Rejection(-1, reasons.TOO_MANY_MARKS, found)]
    marks: list[Mark] = []
    rejections: list[Rejection] = []
    n_before = length_of_details = 0
    for task, entries in lists:
        if takes_task(selection, task):
            for read in _read_entries(entries, n_before, task, selection, answers):
                if isinstance(read, Rejection):
                    rejections.append(read)
                    continue
                marks.append(read)
                length_of_details += len(read.details or "")
                if length_of_details > reasons.LONGEST_DETAILS:
                    raise DetailsTooLongError
        n_before += len(entries)
    return marks, rejections


def _holds_marks(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(entry, dict) for entry in value)


def _problem_of_list(annotations: Any) -> str | None:
    if not isinstance(annotations, list):
        return f"found {_named(annotations)}, expected a list of objects with a `task`"
    for i, annotation in enumerate(annotations):
        if not isinstance(annotation, dict):
            return f"entry {i} is {_named(annotation)}, expected an object with a `task`"
        task = annotation.get("task")
        if not isinstance(task, str):
            return f"`task` of entry {i} is {_found(task)}, expected a text such as T0"
        if len(task) > reasons.LONGEST_TASK:
            return f"`task` of entry {i} has {len(task):,} characters, expected a text such as T0"
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
    tool_type = _tool_type(entry)
    has_path = any(entry.get(key) is not None for key in ("points", "pathX", "pathY"))
    if not has_path and is_of_another_tool(selection, task, tool_index, tool_type):
        return None
    if tool_index is None:
        return rejection(
            reasons.TOOL_MISSING, f"`{name}` is {_found(entry.get(name))}, expected a whole number"
        )
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
    if len(x) > reasons.MOST_POINTS:
        found = f"{len(x):,} points, expected at most {reasons.MOST_POINTS:,}"
        return rejection(reasons.TOO_MANY_POINTS, found)
    for axis, values in (("x", x), ("y", y)):
        for i, value in enumerate(values):
            if type(value) is not float and type(value) is not int:
                found = f"{axis} of point {i} is {_found(value)}, expected a number"
                return rejection(reasons.COORDINATE_NOT_A_NUMBER, found)
    return Mark(
        mark_index,
        _encodable(task),
        frame,
        tool_index,
        tool_name(_encodable(task), tool_index, old),
        _encodable(tool_type_of(tool_type, kind, has_points=points is not None)),
        details_text(entry.get("details"), position, answers),
        kind == "bezier",
        len(x),
        [_float(value) for value in x],
        [_float(value) for value in y],
    )


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
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)


def _float(number: int | float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _found(value: Any) -> str:
    text = "missing" if value is None else _shorten.repr(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."


def _named(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
