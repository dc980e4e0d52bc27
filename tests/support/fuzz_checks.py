"""Check the properties that hold for any cell, with an implementation independent of the decoders."""

import json
import math
import re
from collections.abc import Sequence
from struct import pack
from typing import Any, Final

import numpy as np
import polars as pl

from polyframe.consensus.votes import cluster_votes
from polyframe.core import reasons
from polyframe.core.drawing_tasks import DrawingTask
from polyframe.core.settings import Settings
from polyframe.panoptes.annotations.decode import Decoded, decode_annotations
from polyframe.panoptes.annotations.fast_decoder import decode_cell_fast
from polyframe.panoptes.annotations.general_decoder import decode_cell
from polyframe.panoptes.annotations.mark_rules import selection_from_settings
from polyframe.panoptes.annotations.subtask_answers import votes_in

SETTINGS: Final = (
    Settings(),
    Settings(drawing_tasks=(DrawingTask("T0"),)),
    Settings(drawing_tasks=(DrawingTask("T0", None, "bezier"),)),
    Settings(tool=(1,)),
    Settings(task=("T0",)),
    Settings(bezier_tool=("1", "T0:2")),
    Settings(duplicate_marks="keep"),
    Settings(drawing_tasks=(DrawingTask("T0", (0, 1)), DrawingTask("T0", (2,), "bezier"), DrawingTask("T1"))),
)
_NOT_DRAWN: Final = ("point", "circle")
_FORMS: Final = ("points", "pathX", "pathY", "path")
_NUMBERS_AS_TEXT: Final = r'[a-zA-Z]{0,20}[-+0-9.,;()\[\]{}"\sxyeEMLHVCSQTAZmlhvcsqtaz]*'
#: The fate of marks that these checks cannot decide.
_EITHER: Final = "mark or rejection"
_UNKNOWN: Final = "unknown"


def check_cells(cells: Sequence[bytes | str], settings: Settings) -> None:
    """Decode cells together and check the fate of every mark.

    Raises
    ------
    AssertionError
        If a mark is lost or differs from what is expected.
    """
    decoded = decode_annotations(cells, settings)
    _check_arrays(decoded, len(cells))
    marks: list[dict[int, int]] = [{} for _ in cells]
    rejected: list[dict[int, str]] = [{} for _ in cells]
    for i, (row, index) in enumerate(
        zip(decoded.marks.row.tolist(), decoded.marks.mark_index.tolist(), strict=True)
    ):
        assert index not in marks[row], "a mark occurs twice"
        marks[row][index] = i
    for row, index, reason in zip(
        decoded.rejects.row.tolist(), decoded.rejects.mark_index.tolist(), decoded.rejects.reason, strict=True
    ):
        assert index not in rejected[row], "a rejection occurs twice"
        rejected[row][index] = reason
    for row, cell in enumerate(cells):
        _check_decoders_agree(cell, settings)
        _check_fates(cell, settings, decoded, marks[row], rejected[row])


def _check_arrays(decoded: Decoded, n_cells: int) -> None:
    marks, rejects = decoded.marks, decoded.rejects
    lengths = marks.offsets[1:] - marks.offsets[:-1]
    assert len(marks.x) == len(marks.y) == marks.offsets[-1]
    assert (lengths > 0).all()
    assert (abs(marks.x) <= reasons.LARGEST_COORDINATE * (1 + 1e-9)).all()
    assert (abs(marks.y) <= reasons.LARGEST_COORDINATE * (1 + 1e-9)).all()
    assert (marks.frame >= 0).all()
    assert (marks.tool_index >= 0).all()
    assert all(0 < len(detail) <= 120 for detail in rejects.detail)
    for column in (marks.task, marks.tool, marks.tool_type, marks.details, rejects.detail):
        for text in column:
            (text or "").encode()
    for text in marks.details:
        json.loads(text or "[]", parse_int=float)
    _check_votes([text for text in marks.details if text])
    whole_row = {reason.code for reason in reasons.REASONS if reason.whole_row}
    for index, reason in zip(rejects.mark_index.tolist(), rejects.reason, strict=True):
        assert (index < 0) == (reason in whole_row), "a code is used for a row and for a mark"
    for rows in (marks.row, rejects.row):
        assert ((rows >= 0) & (rows < n_cells)).all()


def _check_votes(details: list[str]) -> None:
    """Check that a cluster of all marks has the same answers as clusters of one mark each."""
    texts = pl.Series(details, dtype=pl.String)
    apart = cluster_votes(texts, np.arange(len(details) + 1))
    (together,) = cluster_votes(texts, np.array([0, len(details)]))
    assert [text is None for text in apart] == [not votes_in(text) for text in details]
    if together is None:
        assert apart.null_count() == len(details)
        return
    answers_of_all = json.loads(together)
    assert len(answers_of_all) == max(len(json.loads(text)) for text in apart if text)
    n_votes = sum(sum(answers.values()) for text in apart if text for answers in _by_menu(json.loads(text)))
    assert n_votes == sum(sum(answers.values()) for answers in _by_menu(answers_of_all))


def _by_menu(entries: list[Any]) -> list[dict[str, int]]:
    return [menu for entry in entries for menu in (entry if isinstance(entry, list) else [entry])]


def _check_decoders_agree(cell: bytes | str, settings: Settings) -> None:
    selection = selection_from_settings(settings)
    fast = decode_cell_fast(cell, selection)
    if fast is None:
        return
    general, rejections = decode_cell(cell, selection)
    if [rejection.detail for rejection in rejections] == ["nested too deeply"]:
        return  # the limit depends on the decoder and on its caller
    assert rejections == [], f"only the general decoder rejects: {rejections}"
    assert len(fast) == len(general), (
        f"{len(fast)} marks by the fast decoder, {len(general)} by the general one"
    )
    for one, other in zip(fast, general, strict=True):
        assert one._replace(x=b"", y=b"") == other._replace(x=b"", y=b"")
        assert _bits(one.x) == _bits(other.x)
        assert _bits(one.y) == _bits(other.y)


def _bits(path: Any) -> list[bytes]:
    """Return the bits of numbers, which may be text; as in the tables, -0 is 0."""
    numbers = path.split(b",") if isinstance(path, bytes) else path
    return [pack("d", float(number) + 0.0) for number in numbers]


def _check_fates(
    cell: bytes | str, settings: Settings, decoded: Decoded, marks: dict[int, int], rejected: dict[int, str]
) -> None:
    expected = _fates(cell, settings)
    if expected == _UNKNOWN or rejected.get(-1) == reasons.DETAILS_TOO_LONG:
        return
    if expected is None or -1 in rejected:
        assert expected is None, f"rejected without reason: {rejected}"
        assert list(rejected) == [-1], f"not rejected as a whole: {rejected}"
        assert not marks, "marks of a rejected classification"
        return
    actual = {**dict.fromkeys(marks, "mark"), **dict.fromkeys(rejected, "rejection")}
    assert len(actual) == len(marks) + len(rejected), "both used and rejected"
    needed = {index: fate if isinstance(fate, str) else "mark" for index, fate in expected.items()}
    for index, fate in needed.items():
        copy = rejected.get(index) == reasons.DUPLICATE_MARK
        if index in actual and (fate == _EITHER or (copy and fate == "mark")):
            needed[index] = actual[index]
    assert actual == needed, f"got {actual}, expected {needed}"
    for index, i in marks.items():
        path = expected[index]
        if not isinstance(path, tuple):
            continue
        points = slice(decoded.marks.offsets[i], decoded.marks.offsets[i + 1])
        assert decoded.marks.x[points].tobytes() == b"".join(_bits(path[0]))
        assert decoded.marks.y[points].tobytes() == b"".join(_bits(path[1]))


def _fates(cell: bytes | str, settings: Settings) -> Any:
    """Return the fate of each entry that is a mark or looks like one, by index.

    The fate is the path of a mark as drawn, "mark" for a curve, or "rejection". The result is None if the
    whole cell is rejected, and "unknown" if it is nested so deeply that it may be.
    """
    try:
        text = cell.decode() if isinstance(cell, bytes) else cell
        annotations = json.loads(text, parse_int=lambda d: int(d) if len(d) < 300 else float(d))
    except RecursionError:
        return _UNKNOWN
    except ValueError:
        return None
    if not isinstance(annotations, list):
        return None
    for annotation in annotations:
        if not isinstance(annotation, dict) or not isinstance(annotation.get("task"), str):
            return None
        if len(annotation["task"]) > reasons.LONGEST_TASK:
            return None
    fates = {}
    before = 0
    try:
        annotations = [inner for annotation in annotations for inner in _with_inner(annotation)]
    except RecursionError:
        return _UNKNOWN
    if any(len(annotation["task"]) > reasons.LONGEST_TASK for annotation in annotations):
        return None
    for annotation in annotations:
        entries = annotation.get("value")
        if annotation.get("markIndex") is not None or type(entries) is not list:
            continue
        if not any(isinstance(entry, dict) and not _is_inner(entry) for entry in entries):
            continue
        for index, entry in enumerate(entries, start=before):
            try:
                fate = _fate(entry, entries, annotation["task"], settings)
            except RecursionError:
                return _UNKNOWN
            if fate is not None:
                fates[index] = fate
        before += len(entries)
    return None if before > reasons.MOST_MARKS else fates


def _is_inner(entry: Any) -> bool:
    """Return whether an entry is an annotation of a combo task."""
    others = ("tool", "toolIndex", *_FORMS)
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("task"), str)
        and all(entry.get(key) is None for key in others)
    )


def _with_inner(annotation: dict[str, Any]) -> list[dict[str, Any]]:
    annotations = [annotation]
    if annotation.get("markIndex") is None and isinstance(annotation.get("value"), list):
        for entry in annotation["value"]:
            if _is_inner(entry):
                annotations += _with_inner(entry)
    return annotations


def _fate(entry: Any, entries: list[Any], task: str, settings: Settings) -> Any:
    listed = {(d.task, tool): d.kind for d in settings.drawing_tasks for tool in d.tools or (None,)}
    of_task = [tool for name, tool in listed if name == task]
    if (listed and not of_task) or (settings.task and task not in settings.task) or _is_inner(entry):
        return None
    if not isinstance(entry, dict):
        return "rejection" if listed or any(map(_drawn, entries)) else None
    if not listed and not _drawn(entry):
        return None
    tool = entry.get("toolIndex") if entry.get("tool") is None else entry["tool"]
    tool_is_valid = _is_index(tool)
    tool_type = entry.get("toolType") if isinstance(entry.get("toolType"), str) else ""
    empty = all(entry.get(key) is None for key in _FORMS)
    if empty and not _outlines(tool_type) and not (tool_is_valid and tool in of_task):
        if tool_type in _NOT_DRAWN:
            return None
        has_place = any(type(entry.get(key)) in (int, float) for key in ("x", "x1"))
        if (tool_type or has_place) and not _unknown_outline(entry):
            return None
    if not tool_is_valid:
        return "rejection"
    if settings.tool and tool not in settings.tool:
        return None
    if listed and not listed.get((task, tool), listed.get((task, None), "")):
        return None
    kind = "bezier" if tool_type == "bezier" else "polygon"
    kind = listed.get((task, tool), listed.get((task, None), kind))
    if str(int(tool)) in settings.bezier_tool or f"{task}:{int(tool)}" in settings.bezier_tool:
        kind = "bezier"
    path = _path(entry)
    if path is None:
        return _EITHER if isinstance(entry.get("path"), str) else "rejection"
    x, y = path
    if entry.get("frame") is not None and not _is_index(entry["frame"]):
        return "rejection"
    if not x or len(x) != len(y):
        return "rejection"
    if len(x) > reasons.MOST_POINTS or not all(map(_usable, (*x, *y))):
        return "rejection"
    return "mark" if kind == "bezier" and len(x) > 2 else path


def _outlines(tool_type: str) -> bool:
    return any(word in tool_type.lower() for word in ("freehand", "polygon", "bezier"))


def _drawn(entry: Any) -> bool:
    if not isinstance(entry, dict):
        return False
    tool_type = entry.get("toolType") if isinstance(entry.get("toolType"), str) else ""
    if tool_type in _NOT_DRAWN or _outlines(tool_type):
        return tool_type not in _NOT_DRAWN
    if entry.get("pathX") is not None or entry.get("pathY") is not None:
        return True
    points = entry.get("points")
    first = points[0] if isinstance(points, list) and points else None
    if isinstance(first, dict) and "x" in first and "y" in first:
        return True
    if entry.get("tool") is None and entry.get("toolIndex") is None:
        return False
    return points == [] or isinstance(entry.get("path"), str) or _unknown_outline(entry)


def _unknown_outline(entry: dict[str, Any]) -> bool:
    """Return whether lists or strings of an unknown format may contain three or more points."""
    never = ("details", "color", "frame", "label", "text", "tool_label", "toolType")
    return sum(_numbers(value, False) for key, value in entry.items() if key not in never) > 5


def _numbers(value: Any, inside: bool) -> int:
    if isinstance(value, str):
        numbers = re.findall(r"[0-9]+\.?[0-9]*", value)
        return len(numbers) * bool(re.fullmatch(_NUMBERS_AS_TEXT, value, re.ASCII))
    if isinstance(value, dict):
        return sum(_numbers(inner, inside) for inner in value.values())
    if isinstance(value, list):
        return sum(_numbers(inner, inside or len(value) > 2) for inner in value)
    return inside and type(value) in (int, float)


def _path(entry: dict[str, Any]) -> tuple[list[Any], list[Any]] | None:
    points, x, y = (entry.get(key) for key in ("points", "pathX", "pathY"))
    if isinstance(points, list) and points:
        if not any(isinstance(point, dict) for point in points):
            return [None], [None]
        points = [point if isinstance(point, dict) else {} for point in points]
        return [point.get("x") for point in points], [point.get("y") for point in points]
    if isinstance(x, list) and isinstance(y, list) and (x or y):
        return x, y
    return None


def _is_index(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < 2**31 and value == math.floor(value)


def _usable(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= reasons.LARGEST_COORDINATE
