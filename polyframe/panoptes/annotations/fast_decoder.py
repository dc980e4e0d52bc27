"""Decode ordinary `annotations` cells fast, in one pass of a typed decoder."""

from typing import Any, Final

import msgspec

from polyframe.core import reasons
from polyframe.core.scalar_checks import LARGEST_INDEX
from polyframe.panoptes.annotations.mark_rules import (
    NO_OUTLINE_TYPES,
    Answers,
    Mark,
    MarkSelection,
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
from polyframe.panoptes.annotations.parse_coordinates import Path


class _Point(msgspec.Struct, gc=False):
    x: float
    y: float


class _Entry(msgspec.Struct, gc=False):
    """An object in the value of an annotation; its costly members stay undecoded until they are needed."""

    tool: int | None = None
    toolIndex: int | None = None  # noqa: N815 - names of the export
    toolType: str | None = None  # noqa: N815
    frame: int | None = None
    pathX: msgspec.Raw = msgspec.Raw()  # noqa: N815
    pathY: msgspec.Raw = msgspec.Raw()  # noqa: N815
    points: msgspec.Raw = msgspec.Raw()
    path: msgspec.Raw = msgspec.Raw()
    details: msgspec.Raw = msgspec.Raw()
    task: msgspec.Raw = msgspec.Raw()


class _Annotation(msgspec.Struct, gc=False):
    task: str
    value: (
        list[_Entry | int | float | str | bool | None] | dict[str, Any] | int | float | str | bool | None
    ) = None
    markIndex: int | None = None  # noqa: N815


class _OtherAnnotation(msgspec.Struct, gc=False):
    """An annotation with all members of its objects, undecoded."""

    value: (
        list[dict[str, msgspec.Raw] | float | str | bool | None]
        | dict[str, msgspec.Raw]
        | float
        | str
        | bool
        | None
    ) = None


_decode_cell: Final = msgspec.json.Decoder(list[_Annotation]).decode
_decode_points: Final = msgspec.json.Decoder(list[_Point]).decode
_decode_objects: Final = msgspec.json.Decoder(list[_OtherAnnotation]).decode
#: Length of `[1,2,3]`: an outline has at least six numbers, so one of its lists at least three.
_SHORTEST_OUTLINE: Final = 7
_FIRST_OF_NUMBERS: Final = tuple(bytes([digit]) for digit in b"0123456789-")
_NUMBER_BYTES: Final = b"0123456789.eE+- \t\n\r"


class _Unusual(Exception):  # noqa: N818 - not an error
    """A cell needs the general decoder."""


def decode_cell_fast(cell: str | bytes, selection: MarkSelection) -> list[Mark] | None:
    """Decode an ordinary cell.

    Parameters
    ----------
    cell : str or bytes
        Any text.
    selection : MarkSelection

    Returns
    -------
    list of Mark, or None
        The same marks as from `general_decoder.decode_cell`; None if the cell needs that one.
    """
    try:
        # Not the bytes: the decoder does not check that what it skips is UTF-8.
        annotations = _decode_cell(cell.decode() if isinstance(cell, bytes) else cell)
        marks: list[Mark] = []
        unsure: list[tuple[int, int]] = []
        seen: dict[str, int] = {}
        answers: Answers | None = None
        n_before = length_of_details = 0
        for number, annotation in enumerate(annotations):
            task = annotation.task
            if len(task) > reasons.LONGEST_TASK:
                return None
            if annotation.markIndex is not None:
                continue
            occurrence = seen.get(task, 0)
            seen[task] = occurrence + 1
            entries: Any = annotation.value
            if type(entries) is not list:
                continue
            n_objects = sum([type(entry) is _Entry for entry in entries])
            if n_objects == 0:
                continue
            if n_before + len(entries) > reasons.MOST_MARKS:
                return None
            if takes_task(selection, task):
                if n_objects < len(entries):
                    return None
                for position, entry in enumerate(entries):
                    mark = _plain_mark(entry, n_before + position, task, selection)
                    if mark is None:
                        if _may_contain_unknown_outline(entry):
                            unsure.append((number, position))
                        continue
                    if entry.details and bytes(entry.details) != b"[]":
                        answers = _answers(annotations) if answers is None else answers
                        details = details_text(
                            msgspec.json.decode(entry.details), position, occurrence, answers
                        )
                        mark = mark._replace(details=details)
                        length_of_details += len(details or "")
                        if length_of_details > reasons.LONGEST_DETAILS:
                            return None
                    marks.append(mark)
            elif any(type(entry) is _Entry and entry.task for entry in entries):
                return None
            n_before += len(entries)
        return None if unsure and _contain_outlines(cell, unsure, bool(selection.kinds)) else marks
    except (msgspec.MsgspecError, _Unusual, ValueError, RecursionError):
        return None


def _plain_mark(entry: Any, mark_index: int, task: str, selection: MarkSelection) -> Mark | None:
    """Return a mark without its details; None if it is not a mark or not selected."""
    if entry.task or entry.path:
        raise _Unusual
    tool_type = entry.toolType or None
    has_path = bool(entry.pathX or entry.pathY or entry.points)
    if not selection.kinds and (tool_type in NO_OUTLINE_TYPES or not (has_path or draws_outlines(tool_type))):
        return None
    old = entry.tool is not None
    tool_index = entry.tool if old else entry.toolIndex
    frame = entry.frame or 0
    if tool_index is None or not (0 <= tool_index <= LARGEST_INDEX and 0 <= frame <= LARGEST_INDEX):
        raise _Unusual
    kind = extractor_kind(selection, task, tool_index, tool_type)
    if kind is None:
        return None
    x: Path
    y: Path
    if not has_path:
        if draws_outlines(tool_type) or is_listed(selection, task, tool_index):
            raise _Unusual
        return None
    if entry.points:
        points = _decode_points(entry.points)
        x, y, n_points = [p.x for p in points], [p.y for p in points], len(points)
    else:
        x, n_points = _number_text(entry.pathX)
        y, n_other = _number_text(entry.pathY)
        if n_points != n_other:
            raise _Unusual
    if not 0 < n_points <= reasons.MOST_POINTS:
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
    """Return the text between the brackets of a JSON array of numbers, and the count of numbers."""
    text = bytes(path)
    # The text is valid JSON, so if only number characters are between brackets it is an array of numbers.
    if not text.startswith(b"[") or not text.endswith(b"]"):
        raise _Unusual
    numbers = text[1:-1]
    commas = numbers.translate(None, _NUMBER_BYTES)
    if commas.strip(b","):
        raise _Unusual
    return numbers, len(commas) + 1 if commas or numbers.strip() else 0


def _may_contain_unknown_outline(entry: Any) -> bool:
    """Return whether an object that is not a mark has a tool but no outline in a known form."""
    has_tool = entry.tool is not None or entry.toolIndex is not None
    has_path = entry.pathX or entry.pathY or entry.points
    return has_tool and not has_path and entry.toolType not in NO_OUTLINE_TYPES


def _contain_outlines(cell: str | bytes, places: list[tuple[int, int]], configured: bool) -> bool:
    """Return whether any of some objects, by annotation and position, may be a mark to reject.

    That is an object with an outline in an unknown form or, in a `configured` task, without the coordinates
    of a point or a line.
    """
    annotations = _decode_objects(cell)
    for number, position in places:
        entries: Any = annotations[number].value
        texts = {key: bytes(raw) for key, raw in entries[position].items()}
        if configured and not any(texts.get(key, b"")[:1] in _FIRST_OF_NUMBERS for key in ("x", "x1")):
            return True
        # A single number is not an outline, nor is a shorter text.
        values = {
            key: msgspec.json.decode(text)
            for key, text in texts.items()
            if len(text) >= _SHORTEST_OUTLINE and text[:1] in (b"[", b"{", b'"')
        }
        if values and unknown_outline_keys(values):
            return True
    return False


def _answers(annotations: list[_Annotation]) -> Answers:
    for annotation in annotations:
        value: Any = annotation.value
        if annotation.markIndex is not None and type(value) is list and any(type(v) is _Entry for v in value):
            raise _Unusual  # _Entry keeps no answers that are objects
    return answers_by_occurrence((a.task, a.markIndex, a.value) for a in annotations)
