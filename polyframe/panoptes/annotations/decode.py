"""Decode the JSON of `annotations` cells into marks: arrays over a whole partition.

The coordinates are cut out of all cells and parsed together. Few of the texts that remain are distinct;
`fast_decoder` reads each once. A cell with anything unusual is read by itself: by `fast_decoder` or, if that
cannot, by `general_decoder`, which gives the reason why a mark cannot be used. Each way, a cell has the same
marks.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyframe.core import reasons
from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import offsets_of, positions_of
from polyframe.core.settings import Settings
from polyframe.panoptes.annotations.bezier import FEWEST_CONTROL_POINTS, bezier_paths
from polyframe.panoptes.annotations.duplicate_marks import exact_duplicates, possible_duplicates
from polyframe.panoptes.annotations.mark_rules import Mark, Rejection, selection_from_settings
from polyframe.panoptes.annotations.read_cells import ReadMarks, read_cells, take_paths

_LONGEST_ANSWERS: Final = 32


@dataclass(frozen=True)
class DecodedMarks:
    """The usable marks of many cells, in the order of the cells and of the marks in them.

    Attributes
    ----------
    row : ndarray of int64, shape (n,)
        Index of the cell.
    mark_index : ndarray of int32, shape (n,)
        Index of the mark among all marks of the cell, of any task. The entries of every list of marks count,
        selected or not, so the index does not depend on the settings.
    task : polars.Series of str
    frame : ndarray of int32, shape (n,)
    tool_index : ndarray of int32, shape (n,)
    tool : polars.Series of str
        Such as `T0_toolIndex1` (classifier 2.x) or `T0_tool1` (classifier 1.x).
    tool_type : polars.Series of str
        Such as `freehandLine`; derived from the form of the path if the mark has none.
    details : polars.Series of (str or None)
        Details of the mark with the answers of its sub-tasks, as JSON.
    x, y : ndarray of float64, shape (n_points,)
        Coordinates as drawn, in image pixels, y down; Bezier curves as paths. All finite and at most
        `reasons.LARGEST_COORDINATE`.
    offsets : ndarray of int64, shape (n + 1,)
        Mark i has the points `offsets[i]` to `offsets[i + 1]`, at least one.
    """

    row: Ints
    mark_index: NDArray[np.int32]
    task: pl.Series
    frame: NDArray[np.int32]
    tool_index: NDArray[np.int32]
    tool: pl.Series
    tool_type: pl.Series
    details: pl.Series
    x: Floats
    y: Floats
    offsets: Ints


@dataclass(frozen=True)
class Rejects:
    """Cells and marks that cannot be used, sorted by row and mark.

    Attributes
    ----------
    row : ndarray of int64, shape (n,)
        Index of the cell.
    mark_index : ndarray of int32, shape (n,)
        As in `DecodedMarks`; -1 if the whole cell is rejected.
    reason : list of str
        Codes from `polyframe.core.reasons`.
    detail : list of str
        The actual and the expected content, at most 120 characters.
    """

    row: Ints
    mark_index: NDArray[np.int32]
    reason: list[str]
    detail: list[str]


@dataclass(frozen=True)
class Decoded:
    """The marks of some cells, and the cells and marks that cannot be used."""

    marks: DecodedMarks
    rejects: Rejects


def decode_annotations(
    cells: pl.Series | Iterable[str | bytes | None], settings: Settings, *, compiled: bool = False
) -> Decoded:
    """Decode the `annotations` cells of many classifications.

    Parameters
    ----------
    cells : polars.Series or iterable of str, bytes or None
        One cell for each classification. No text raises an exception.
    settings : Settings
        `drawing_tasks` selects tasks and tools and says how to read them; without it, every polygon, freehand
        line and Bezier curve is selected. `task` and `tool` narrow the selection. Marks without a path of
        tools that draw no outlines (points, circles) are skipped, unless the tool is listed. Exact copies of
        a mark in the same cell, task, frame and tool are rejected, unless `duplicate_marks` is `keep`.
    compiled : bool
        Whether to read coordinates with compiled loops (the extra `fast`). The marks are the same.

    Returns
    -------
    Decoded
        A cell without marks (an empty list, or only answers to questions) appears in neither part.
    """
    column, odd_cells = _as_column(cells)
    marks, rejections = read_cells(column, odd_cells, selection_from_settings(settings), compiled=compiled)
    usable, bad = _check_coordinates(marks)
    if settings.duplicate_marks == "reject":
        copies = _duplicates(marks, usable)
        usable[[i for i, _ in copies]] = False
        bad += copies
    if bad:
        rejections += [(int(marks.row[i]), rejection) for i, rejection in bad]
        marks = marks.take(np.flatnonzero(usable))
    return Decoded(_as_marks(marks), _as_rejects(rejections))


def _as_column(
    cells: pl.Series | Iterable[str | bytes | None],
) -> tuple[pl.Series, dict[int, str | bytes]]:
    """Return cells as a string column, and by row those that are not UTF-8."""
    if isinstance(cells, pl.Series):
        return cells, {}
    texts: list[str | None] = []
    odd_cells: dict[int, str | bytes] = {}
    for row, cell in enumerate(cells):
        try:
            text = cell.decode() if isinstance(cell, bytes) else cell
            (text or "").encode()
        except UnicodeError:
            odd_cells[row], text = cell or "", None
        texts.append(text)
    return pl.Series(texts, dtype=pl.String), odd_cells


def _check_coordinates(marks: ReadMarks) -> tuple[Flags, list[tuple[int, Rejection]]]:
    """Return which marks have usable coordinates, and the index and rejection of each other mark."""
    x, y, offsets = marks.x, marks.y, marks.offsets
    if not len(x) or max(_largest(x), _largest(y)) <= reasons.LARGEST_COORDINATE:
        return np.ones(len(marks.row), dtype=bool), []
    bad: list[tuple[int, Rejection]] = []
    # Not `>`, since every comparison with NaN is false.
    point_is_bad = ~((np.abs(x) <= reasons.LARGEST_COORDINATE) & (np.abs(y) <= reasons.LARGEST_COORDINATE))
    usable = ~np.logical_or.reduceat(point_is_bad, offsets[:-1])
    for i in np.flatnonzero(~usable).tolist():
        path = slice(offsets[i], offsets[i + 1])
        values = np.concatenate([x[path], y[path]])
        finite = np.isfinite(values)
        if finite.all():
            reason, value = reasons.COORDINATE_TOO_LARGE, values[np.argmax(np.abs(values))]
        else:
            reason, value = reasons.COORDINATE_NOT_FINITE, values[np.argmin(finite)]
        mark = marks.patterns[marks.pattern[i]]
        bad.append((i, Rejection(mark.mark_index, reason, f"a coordinate is {value:g}")))
    return usable, bad


def _duplicates(marks: ReadMarks, usable: Flags) -> list[tuple[int, Rejection]]:
    """Return the index and rejection of each usable mark that is an exact copy of an earlier one."""
    candidates = possible_duplicates(marks.row, marks.x, marks.y, marks.offsets)
    if not len(candidates):
        return []
    # The same points give another outline if they are not control points of a curve.
    tools: dict[tuple[str, bool], int] = {}
    keys = [
        (mark.frame, tools.setdefault((mark.tool, mark.is_bezier), len(tools))) for mark in marks.patterns
    ]
    frame, tool = np.array(keys, dtype=np.int64)[marks.pattern[candidates]].T
    keys_of_copies = (marks.row[candidates], frame, tool)
    copies, firsts = exact_duplicates(candidates, keys_of_copies, marks.x, marks.y, marks.offsets)
    rejected: list[tuple[int, Rejection]] = []
    for i, first in zip(copies.tolist(), firsts.tolist(), strict=True):
        if usable[i]:
            copy, kept = (marks.patterns[marks.pattern[k]] for k in (i, first))
            rejected.append(
                (i, Rejection(copy.mark_index, reasons.DUPLICATE_MARK, _describe_copy(kept, copy)))
            )
    return rejected


def _describe_copy(first: Mark, copy: Mark) -> str:
    text = f"copy of mark {first.mark_index}"
    if first.details == copy.details:
        return text
    lost, kept = (_short(mark.details or "none") for mark in (copy, first))
    return f"{text}; its answers {lost} are lost, {kept} are kept"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_ANSWERS else f"{text[: _LONGEST_ANSWERS - 3]}..."


def _largest(values: Floats) -> float:
    """Return the largest absolute value without copying the array; infinite if a value is NaN."""
    largest = max(values.max(), -values.min())
    return math.inf if np.isnan(largest) else float(largest)


def _curves_as_paths(marks: ReadMarks) -> tuple[Floats, Floats, Ints]:
    """Return the coordinates with points on the curves in place of the control points of Bezier marks."""
    x, y, offsets = marks.x, marks.y, marks.offsets
    is_bezier = np.array([mark.is_bezier for mark in marks.patterns], dtype=bool)[marks.pattern]
    # A mark with fewer control points is not a curve and has no area: it is rejected later.
    is_bezier &= np.diff(offsets) >= FEWEST_CONTROL_POINTS
    if not is_bezier.any():
        return x, y, offsets
    curve_x, curve_y, curve_offsets = bezier_paths(*take_paths(x, y, offsets, np.flatnonzero(is_bezier)))
    starts, lengths = offsets[:-1].copy(), np.diff(offsets)
    starts[is_bezier] = len(x) + curve_offsets[:-1]
    lengths[is_bezier] = np.diff(curve_offsets)
    index = positions_of(starts, lengths)
    both_x, both_y = np.concatenate([x, curve_x]), np.concatenate([y, curve_y])
    return both_x[index], both_y[index], offsets_of(lengths)


def _as_marks(marks: ReadMarks) -> DecodedMarks:
    x, y, offsets = _curves_as_paths(marks)
    patterns = marks.patterns

    def numbers(values: list[int]) -> NDArray[np.int32]:
        return np.array(values, dtype=np.int32)[marks.pattern]

    def texts(values: list[str] | list[str | None]) -> pl.Series:
        return pl.Series(values, dtype=pl.String).gather(marks.pattern)

    return DecodedMarks(
        row=marks.row,
        mark_index=numbers([mark.mark_index for mark in patterns]),
        task=texts([mark.task for mark in patterns]),
        frame=numbers([mark.frame for mark in patterns]),
        tool_index=numbers([mark.tool_index for mark in patterns]),
        tool=texts([mark.tool for mark in patterns]),
        tool_type=texts([mark.tool_type for mark in patterns]),
        details=texts([mark.details for mark in patterns]),
        x=x,
        y=y,
        offsets=offsets,
    )


def _as_rejects(rejections: list[tuple[int, Rejection]]) -> Rejects:
    rejections = sorted(rejections, key=lambda item: (item[0], item[1].mark_index))
    return Rejects(
        row=np.array([row for row, _ in rejections], dtype=np.int64),
        mark_index=np.array([rejection.mark_index for _, rejection in rejections], dtype=np.int32),
        reason=[rejection.reason for _, rejection in rejections],
        detail=[rejection.detail for _, rejection in rejections],
    )
