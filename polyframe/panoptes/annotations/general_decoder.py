"""Decode any `annotations` cell, with a reason for each mark that cannot be used."""

import json
import math
from collections.abc import Iterator
from reprlib import Repr
from typing import Any, Final

from polyframe.core import reasons
from polyframe.core.plurals import agreeing, counted
from polyframe.core.scalar_checks import LARGEST_INDEX
from polyframe.panoptes.annotations.mark_rules import (
    NO_OUTLINE_TYPES,
    OUTLINE_KEYS,
    Answers,
    DetailsTooLongError,
    Mark,
    MarkSelection,
    Rejection,
    answers_by_occurrence,
    details_text,
    draws_outlines,
    extractor_kind,
    is_listed,
    takes_task,
    tool_name,
    tool_type_of,
    unknown_outline_keys,
)
from polyframe.panoptes.annotations.svg_paths import SvgPathError, outline_from_svg

#: Longer numbers are not integers to Python, nor to the fast decoder.
_MOST_DIGITS: Final = 4300
_LONGEST_VALUE: Final = 50
_LONGEST_KEY: Final = 30
_LONGEST_KEYS: Final = 60
_shorten = Repr()
_shorten.maxstring = _shorten.maxother = _shorten.maxlong = 40
_shorten.maxlevel = 2


def decode_cell(cell: str | bytes, selection: MarkSelection) -> tuple[list[Mark], list[Rejection]]:
    """Decode any `annotations` cell.

    Parameters
    ----------
    cell : str or bytes
        Any text.
    selection : MarkSelection

    Returns
    -------
    marks : list of Mark
        In the order of the document. Their coordinates may be infinite, NaN or too large.
    rejections : list of Rejection
        A single one with mark index -1 if the whole cell cannot be used.
    """
    if not cell.strip():
        return [], [Rejection(-1, reasons.ANNOTATIONS_MISSING, "the cell is empty")]
    try:
        text = cell.decode("utf-8") if isinstance(cell, bytes) else cell
        annotations = json.loads(text, parse_constant=float, parse_int=_integer)
        return _read_annotations(annotations, selection)
    except DetailsTooLongError:
        detail = f"more than {reasons.LONGEST_DETAILS:,} characters"
        return [], [Rejection(-1, reasons.DETAILS_TOO_LONG, detail)]
    except json.JSONDecodeError as error:
        detail = f"{error.msg.removesuffix(' at')} at character {error.pos + 1}"
    except UnicodeDecodeError as error:
        detail = f"not UTF-8 at byte {error.start + 1}"
    except RecursionError:
        detail = "nested too deeply"
    return [], [Rejection(-1, reasons.ANNOTATIONS_NOT_JSON, detail)]


def _read_annotations(annotations: Any, selection: MarkSelection) -> tuple[list[Mark], list[Rejection]]:
    problem = _problem_of_list(annotations)
    if problem:
        return [], [Rejection(-1, reasons.ANNOTATIONS_NOT_A_LIST, problem)]
    every = list(with_nested(annotations))
    if any(len(annotation["task"]) > reasons.LONGEST_TASK for annotation in every):
        detail = f"a nested `task` has more than {reasons.LONGEST_TASK} characters"
        return [], [Rejection(-1, reasons.ANNOTATIONS_NOT_A_LIST, detail)]
    answers = answers_by_occurrence(
        (annotation["task"], index, annotation.get("value"))
        for annotation in every
        if (index := annotation.get("markIndex")) is None or type(index) is int
    )
    lists: list[tuple[str, int, list[Any]]] = []
    seen: dict[str, int] = {}
    for annotation in every:
        if annotation.get("markIndex") is None:
            task = annotation["task"]
            if _contains_marks(annotation.get("value")):
                lists.append((task, seen.get(task, 0), annotation["value"]))
            seen[task] = seen.get(task, 0) + 1
    n_marks = sum(len(entries) for _, _, entries in lists)
    if n_marks > reasons.MOST_MARKS:
        detail = f"{n_marks:,} marks, expected at most {reasons.MOST_MARKS:,}"
        return [], [Rejection(-1, reasons.TOO_MANY_MARKS, detail)]
    marks: list[Mark] = []
    rejections: list[Rejection] = []
    n_before = length_of_details = 0
    for task, occurrence, entries in lists:
        if takes_task(selection, task):
            for read in _read_entries(entries, n_before, task, selection, occurrence, answers):
                if isinstance(read, Rejection):
                    rejections.append(read)
                    continue
                marks.append(read)
                length_of_details += len(read.details or "")
                if length_of_details > reasons.LONGEST_DETAILS:
                    raise DetailsTooLongError
        n_before += len(entries)
    return marks, rejections


def with_nested(annotations: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield annotations in order, each followed by the annotations in its value, as in a combo task."""
    waiting = [iter(annotations)]
    while waiting:
        annotation = next(waiting[-1], None)
        if annotation is None:
            waiting.pop()
            continue
        yield annotation
        value = annotation.get("value")
        if isinstance(value, list) and annotation.get("markIndex") is None:
            waiting.append(iter([entry for entry in value if is_annotation(entry)]))


def is_annotation(entry: Any) -> bool:
    """Return whether an entry in the value of an annotation is an annotation rather than a mark."""
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("task"), str)
        and all(entry.get(key) is None for key in ("tool", "toolIndex", *OUTLINE_KEYS))
    )


def _contains_marks(value: Any) -> bool:
    return isinstance(value, list) and any(
        isinstance(entry, dict) and not is_annotation(entry) for entry in value
    )


def _problem_of_list(annotations: Any) -> str | None:
    if not isinstance(annotations, list):
        return f"got {_type_name(annotations)}, expected a list of objects with a `task`"
    for i, annotation in enumerate(annotations):
        if not isinstance(annotation, dict):
            return f"entry {i} is {_type_name(annotation)}, expected an object with a `task`"
        task = annotation.get("task")
        if not isinstance(task, str):
            return f"`task` of entry {i} is {_shown(task)}, expected a string such as T0"
        if len(task) > reasons.LONGEST_TASK:
            return f"`task` of entry {i} has {len(task):,} characters, expected a string such as T0"
    return None


def _read_entries(
    entries: list[Any],
    n_before: int,
    task: str,
    selection: MarkSelection,
    occurrence: int,
    answers: Answers,
) -> Iterator[Mark | Rejection]:
    # Without a configuration, a list belongs to a drawing task if at least one entry looks drawn.
    is_drawing = bool(selection.kinds) or any(isinstance(e, dict) and _looks_drawn(e) for e in entries)
    for position, entry in enumerate(entries):
        if isinstance(entry, dict):
            mark = _read_mark(entry, n_before + position, task, selection)
            if isinstance(mark, Mark):
                details = details_text(entry.get("details"), position, occurrence, answers)
                mark = mark._replace(details=details)
            if mark is not None:
                yield mark
        elif is_drawing:
            detail = f"got {_shown(entry)}, expected an object"
            yield Rejection(n_before + position, reasons.MARK_NOT_AN_OBJECT, detail)


def _read_mark(
    entry: dict[str, Any], mark_index: int, task: str, selection: MarkSelection
) -> Mark | Rejection | None:
    """Decode a mark of a selected task without its details; None if it is not selected."""

    def rejection(reason: str, detail: str) -> Rejection:
        return Rejection(mark_index, reason, detail)

    if is_annotation(entry) or (not selection.kinds and not _looks_drawn(entry)):
        return None
    old = entry.get("tool") is not None  # classifier 1.x
    name = "tool" if old else "toolIndex"
    tool_index = _index(entry.get(name))
    if _has_no_outline_by_design(entry, selection, task, tool_index):
        return None
    if tool_index is None:
        return rejection(reasons.TOOL_MISSING, f"`{name}` is {_shown(entry.get(name))}, expected an integer")
    tool_type = _tool_type(entry)
    kind = extractor_kind(selection, task, tool_index, tool_type)
    if kind is None:
        return None
    outline = _outline(entry)
    if isinstance(outline[0], str):
        return rejection(*outline)
    x, y = outline
    frame = 0 if entry.get("frame") is None else _index(entry["frame"])
    if frame is None:
        return rejection(reasons.FRAME_INVALID, f"`frame` is {_shown(entry['frame'])}, expected an integer")
    if len(x) != len(y):
        return rejection(
            reasons.PATH_LENGTHS_DIFFER, f"`pathX` has {counted(len(x), 'number')}, `pathY` has {len(y)}"
        )
    if len(x) > reasons.MOST_POINTS:
        detail = f"{len(x):,} points, expected at most {reasons.MOST_POINTS:,}"
        return rejection(reasons.TOO_MANY_POINTS, detail)
    for axis, values in (("x", x), ("y", y)):
        for i, value in enumerate(values):
            if type(value) is not float and type(value) is not int:
                detail = f"{axis} of point {i} is {_shown(value)}, expected a number"
                return rejection(reasons.COORDINATE_NOT_A_NUMBER, detail)
    return Mark(
        mark_index,
        _encodable(task),
        frame,
        tool_index,
        tool_name(_encodable(task), tool_index, old),
        _encodable(tool_type_of(tool_type, kind, has_points=_has_points(entry))),
        None,
        kind == "bezier",
        len(x),
        [_float(value) for value in x],
        [_float(value) for value in y],
    )


def _looks_drawn(entry: dict[str, Any]) -> bool:
    """Return whether an object is an outline if there is no configuration."""
    tool_type = _tool_type(entry)
    if tool_type in NO_OUTLINE_TYPES:
        return False
    if draws_outlines(tool_type) or entry.get("pathX") is not None or entry.get("pathY") is not None:
        return True
    points = entry.get("points")
    if _is_list_of_points(points):
        return True
    # Objects of other tasks may contain anything except the index of a tool.
    has_tool = entry.get("tool") is not None or entry.get("toolIndex") is not None
    return has_tool and (
        points == [] or isinstance(entry.get("path"), str) or bool(unknown_outline_keys(entry))
    )


def _has_no_outline_by_design(
    entry: dict[str, Any], selection: MarkSelection, task: str, tool_index: int | None
) -> bool:
    """Return whether a mark is of a tool without outlines, rather than an outline that was lost.

    It is if its type is that of a tool without outlines, such as a point or a circle, or if it has no type
    but the coordinates of a point or a line; unless the configuration lists the index of the tool.
    """
    tool_type = _tool_type(entry)
    if _has_outline(entry) or draws_outlines(tool_type) or is_listed(selection, task, tool_index):
        return False
    if tool_type is None and not any(type(entry.get(key)) in (int, float) for key in ("x", "x1")):
        return False
    return tool_type in NO_OUTLINE_TYPES or not unknown_outline_keys(entry)


def _has_outline(entry: dict[str, Any]) -> bool:
    return any(entry.get(key) is not None for key in OUTLINE_KEYS)


def _has_points(entry: dict[str, Any]) -> bool:
    return isinstance(entry.get("points"), list) and bool(entry["points"])


def _is_list_of_points(points: Any) -> bool:
    return (
        isinstance(points, list)
        and bool(points)
        and isinstance(points[0], dict)
        and {*points[0]} >= {"x", "y"}
    )


def _outline(entry: dict[str, Any]) -> tuple[list[Any], list[Any]] | tuple[str, str]:
    """Return x and y of an outline in any known form, or a reason and a detail."""
    points, path_x, path_y, path = map(entry.get, OUTLINE_KEYS)
    if isinstance(points, list) and points:
        if any(isinstance(point, dict) for point in points):
            objects = [point if isinstance(point, dict) else {} for point in points]
            return [point.get("x") for point in objects], [point.get("y") for point in objects]
        return reasons.OUTLINE_UNKNOWN, f"`points` has {_shown(points[0])}, expected objects with x and y"
    if isinstance(path_x, list) and isinstance(path_y, list):
        if path_x or path_y:
            return path_x, path_y
        points = []
    if isinstance(path, str):
        try:
            x, y = outline_from_svg(path, reasons.MOST_POINTS)
        except SvgPathError as error:
            return reasons.OUTLINE_UNKNOWN, str(error)
        if x:
            return x, y
    if points == [] or path == [] or isinstance(path, str):
        keys = [f"`{key}`" for key in OUTLINE_KEYS if entry.get(key) is not None]
        return reasons.PATH_EMPTY, f"{' and '.join(keys)} {agreeing(len(keys), 'are empty')}"
    return _without_outline(entry)


def _without_outline(entry: dict[str, Any]) -> tuple[str, str]:
    unknown = [] if _has_outline(entry) else unknown_outline_keys(entry)
    if unknown:
        expected = "points, pathX and pathY, or path"
        return reasons.OUTLINE_UNKNOWN, f"its keys are {_keys(entry, unknown)}; expected {expected}"
    detail = ", ".join(f"`{key}` is {_type_name(entry.get(key))}" for key in OUTLINE_KEYS)
    return reasons.PATH_MISSING, detail


def _keys(entry: dict[str, Any], first: list[str]) -> str:
    """Return the keys of an object, some of them first, shortened."""
    names = [key[:_LONGEST_KEY] for key in (*first, *sorted({*entry} - {*first}))]
    text = _encodable(", ".join(names))
    return text if len(text) <= _LONGEST_KEYS else text[: _LONGEST_KEYS - 3] + "..."


def _tool_type(entry: dict[str, Any]) -> str | None:
    tool_type = entry.get("toolType")
    return tool_type if isinstance(tool_type, str) and tool_type else None


def _index(value: Any) -> int | None:
    """Return an integer >= 0, or a float such as 2.0, as an int; None for anything else."""
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


def _shown(value: Any) -> str:
    text = "missing" if value is None else _shorten.repr(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."


def _type_name(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
