"""The fast reader of `annotations` cells, for cells without surprises: one pass of a typed decoder."""

from typing import Any, Final

import msgspec

from polyframe import reasons
from polyframe.panoptes.bezier import FEWEST_CONTROL_POINTS
from polyframe.panoptes.coordinates import Path
from polyframe.panoptes.mark_rules import (
    DRAWN_TYPES,
    LARGEST_INDEX,
    Mark,
    MarkSelection,
    details_text,
    is_of_another_tool,
    kind_of,
    takes_task,
    tool_name,
    tool_type_of,
)


class _Point(msgspec.Struct, gc=False):
    x: float
    y: float


class _Entry(msgspec.Struct, gc=False):
    """An object among the values of an annotation; what costs time is left as text until it is needed."""

    tool: int | None = None
    toolIndex: int | None = None  # noqa: N815 - the names of the export
    toolType: str | None = None  # noqa: N815
    frame: int | None = None
    pathX: msgspec.Raw = msgspec.Raw()  # noqa: N815
    pathY: msgspec.Raw = msgspec.Raw()  # noqa: N815
    points: msgspec.Raw = msgspec.Raw()
    details: msgspec.Raw = msgspec.Raw()


class _Annotation(msgspec.Struct, gc=False):
    task: str
    value: (
        list[_Entry | int | float | str | bool | None] | dict[str, Any] | int | float | str | bool | None
    ) = None
    markIndex: int | None = None  # noqa: N815


_decode_cell: Final = msgspec.json.Decoder(list[_Annotation]).decode
_decode_points: Final = msgspec.json.Decoder(list[_Point]).decode
_NUMBER_BYTES: Final = b"0123456789.eE+- \t\n\r"


class _Unusual(Exception):  # noqa: N818 - not an error: the general reader will do
    """Something in a cell needs the general reader."""


def read_plain_cell(cell: str | bytes, selection: MarkSelection) -> list[Mark] | None:
    """Read a cell in which everything is as it should be.

    Parameters
    ----------
    cell : str or bytes
        Any text at all.
    selection : MarkSelection

    Returns
    -------
    list of Mark, or None
        The same marks as `any_cells.read_cell` gives; None where that one has to read the cell.
    """
    try:
        # Not the bytes themselves: what the decoder skips, it does not check for being UTF-8.
        annotations = _decode_cell(cell.decode() if isinstance(cell, bytes) else cell)
        marks: list[Mark] = []
        answers: dict[tuple[str, int], Any] | None = None
        n_before = length_of_details = 0
        for annotation in annotations:
            if len(annotation.task) > reasons.LONGEST_TASK:
                return None
            entries: Any = annotation.value
            if type(entries) is not list or annotation.markIndex is not None:
                continue
            n_objects = sum([type(entry) is _Entry for entry in entries])
            if n_objects == 0:
                continue
            if n_before + len(entries) > reasons.MOST_MARKS:
                return None
            if takes_task(selection, annotation.task):
                if n_objects < len(entries):
                    return None
                for position, entry in enumerate(entries):
                    mark = _plain_mark(entry, n_before + position, annotation.task, selection)
                    if mark is None:
                        continue
                    if entry.details and bytes(entry.details) != b"[]":
                        answers = _answers(annotations) if answers is None else answers
                        details = details_text(msgspec.json.decode(entry.details), position, answers)
                        mark = mark._replace(details=details)
                        length_of_details += len(details or "")
                        if length_of_details > reasons.LONGEST_DETAILS:
                            return None
                    marks.append(mark)
            n_before += len(entries)
        return marks
    except (msgspec.MsgspecError, _Unusual, ValueError, RecursionError, MemoryError):
        return None


def _plain_mark(entry: Any, mark_index: int, task: str, selection: MarkSelection) -> Mark | None:
    """Return a mark without its details; None where it is no mark or not wanted."""
    tool_type = entry.toolType or None
    has_path = bool(entry.pathX or entry.pathY or entry.points)
    if not selection.kinds and (tool_type not in DRAWN_TYPES if tool_type else not has_path):
        return None
    old = entry.tool is not None
    tool_index = entry.tool if old else entry.toolIndex
    frame = entry.frame or 0
    if tool_index is None or not (0 <= tool_index <= LARGEST_INDEX and 0 <= frame <= LARGEST_INDEX):
        raise _Unusual
    kind = kind_of(selection, task, tool_index, tool_type)
    if kind is None or (not has_path and is_of_another_tool(selection, task, tool_index, tool_type)):
        return None
    x: Path
    y: Path
    if entry.points:
        points = _decode_points(entry.points)
        x, y, n_points = [p.x for p in points], [p.y for p in points], len(points)
    else:
        x, n_points = _number_text(entry.pathX)
        y, n_other = _number_text(entry.pathY)
        if n_points != n_other:
            raise _Unusual
    if n_points == 0 or (kind == "bezier" and n_points < FEWEST_CONTROL_POINTS):
        return None
    if n_points > reasons.MOST_POINTS:
        raise _Unusual
    return Mark(
        mark_index,
        task,
        frame,
        tool_index,
        tool_name(task, tool_index, old),
        tool_type_of(tool_type, kind, has_points=bool(entry.points)),
        None,
        kind == "bezier",
        n_points,
        x,
        y,
    )


def _number_text(path: msgspec.Raw) -> tuple[bytes, int]:
    """Return what stands between the brackets of a JSON array of numbers, and how many numbers that is."""
    text = bytes(path)
    # The text is known to be JSON, so with nothing but numbers between its brackets it is an array of them.
    if not text.startswith(b"[") or not text.endswith(b"]"):
        raise _Unusual
    numbers = text[1:-1]
    commas = numbers.translate(None, _NUMBER_BYTES)
    if commas.strip(b","):
        raise _Unusual
    return numbers, len(commas) + 1 if commas or numbers.strip() else 0


def _answers(annotations: list[_Annotation]) -> dict[tuple[str, int], Any]:
    answers = {(a.task, a.markIndex): a.value for a in annotations if a.markIndex is not None}
    if any(type(value) is list and any(type(v) is _Entry for v in value) for value in answers.values()):
        raise _Unusual  # an answer that is an object was not kept
    return answers
