"""The JSON of `annotations` cells, as marks: arrays over a whole partition.

Nearly every cell is read by the typed decoder of `plain_cells`, which leaves the coordinates as text; the
coordinates of all cells are parsed together. A cell with anything unusual in it goes to the general reader of
`any_cells`, which says why a mark cannot be used. Both give the same marks.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import compress
from typing import Final

import numpy as np
from numpy.typing import NDArray

from polyframe.core import reasons
from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import offsets_of, positions_of
from polyframe.core.settings import Settings
from polyframe.panoptes.annotations.bezier import FEWEST_CONTROL_POINTS, bezier_paths
from polyframe.panoptes.annotations.coordinates import flat_paths
from polyframe.panoptes.annotations.duplicate_marks import exact_duplicates, possible_duplicates
from polyframe.panoptes.annotations.fast_decoder import decode_cell_fast
from polyframe.panoptes.annotations.general_decoder import decode_cell
from polyframe.panoptes.annotations.mark_rules import Mark, Rejection, selection_from_settings

_LONGEST_ANSWERS: Final = 32


@dataclass(frozen=True)
class Marks:
    """The usable marks of many cells, in the order of the cells and of the marks in them.

    Attributes
    ----------
    row : ndarray of int64, shape (n,)
        Position of the cell among the cells.
    mark_index : ndarray of int32, shape (n,)
        Position of the mark among all marks of the cell, whatever their task: the entries of every list of
        marks count, wanted or not, so the number does not depend on the settings.
    task : list of str
    frame : ndarray of int32, shape (n,)
    tool_index : ndarray of int32, shape (n,)
    tool : list of str
        Such as `T0_toolIndex1` (classifier 2.x) or `T0_tool1` (classifier 1.x).
    tool_type : list of str
        Such as `freehandLine`; where the mark names none, after the form of its path.
    details : list of (str or None)
        JSON text of the mark's details with the answers of its sub-tasks.
    x, y : ndarray of float64, shape (n_points,)
        Coordinates as drawn, in image pixels, y down; Bezier curves as paths. All finite and at most
        `reasons.LARGEST_COORDINATE`.
    offsets : ndarray of int64, shape (n + 1,)
        Mark i has the points `offsets[i]` to `offsets[i + 1]`, at least one.
    """

    row: Ints
    mark_index: NDArray[np.int32]
    task: list[str]
    frame: NDArray[np.int32]
    tool_index: NDArray[np.int32]
    tool: list[str]
    tool_type: list[str]
    details: list[str | None]
    x: Floats
    y: Floats
    offsets: Ints


@dataclass(frozen=True)
class Rejects:
    """Cells and marks that cannot be used, sorted by row and mark.

    Attributes
    ----------
    row : ndarray of int64, shape (n,)
        Position of the cell among the cells.
    mark_index : ndarray of int32, shape (n,)
        As in `Marks`; -1 where the whole cell is rejected.
    reason : list of str
        Codes from `polyframe.core.reasons`.
    detail : list of str
        What was found and what was expected, at most 120 characters.
    """

    row: Ints
    mark_index: NDArray[np.int32]
    reason: list[str]
    detail: list[str]


@dataclass(frozen=True)
class Decoded:
    """What `decode_annotations` found: the usable marks, and what cannot be used."""

    marks: Marks
    rejects: Rejects


def decode_annotations(cells: Iterable[str | bytes | None], settings: Settings) -> Decoded:
    """Read the `annotations` cells of many classifications.

    Parameters
    ----------
    cells : iterable of str, bytes or None
        One cell for each classification, for instance a Polars string column. Any text is taken; none raises.
    settings : Settings
        `drawing_tasks` says which tasks and tools to take and how to read them; without any, every mark that
        looks like a polygon, a freehand line or a Bezier curve is taken. `task` and `tool` narrow that. Marks
        without a path of tools that draw no outlines (points, circles) are passed over, unless the tool is
        listed. Of an exact copy of a mark in the same cell, task, frame and tool the first is taken, unless
        `duplicate_marks` says otherwise.

    Returns
    -------
    Decoded
        A cell without marks (an empty list, only answers to questions) appears in neither part.
    """
    selection = selection_from_settings(settings)
    rows: list[int] = []
    marks: list[Mark] = []
    rejections: list[tuple[int, Rejection]] = []
    for row, cell in enumerate(cells):
        if cell is None:
            rejections.append((row, Rejection(-1, reasons.ANNOTATIONS_MISSING, "the cell is empty")))
            continue
        found = decode_cell_fast(cell, selection)
        if found is None:
            found, rejected = decode_cell(cell, selection)
            rejections.extend((row, rejection) for rejection in rejected)
        marks += found
        rows += [row] * len(found)
    x, y, offsets = flat_paths([m.x for m in marks], [m.y for m in marks], [m.n_points for m in marks])
    usable, bad = _check_coordinates(marks, x, y, offsets)
    if settings.duplicate_marks == "reject":
        copies = _copies(rows, marks, x, y, offsets, usable)
        usable[[i for i, _ in copies]] = False
        bad += copies
    if bad:
        rejections += [(rows[i], rejection) for i, rejection in bad]
        rows, marks = list(compress(rows, usable)), list(compress(marks, usable))
        x, y, offsets = _take_paths(x, y, offsets, np.flatnonzero(usable))
    x, y, offsets = _with_curves(marks, x, y, offsets)
    return Decoded(_as_marks(rows, marks, x, y, offsets), _as_rejects(rejections))


def _check_coordinates(
    marks: list[Mark], x: Floats, y: Floats, offsets: Ints
) -> tuple[Flags, list[tuple[int, Rejection]]]:
    """Return which marks have usable coordinates, and the position and the rejection of each other mark."""
    if not len(x) or max(_largest(x), _largest(y)) <= reasons.LARGEST_COORDINATE:
        return np.ones(len(marks), dtype=bool), []
    bad: list[tuple[int, Rejection]] = []
    # Not `>`: NaN compares false with everything.
    point_is_bad = ~((np.abs(x) <= reasons.LARGEST_COORDINATE) & (np.abs(y) <= reasons.LARGEST_COORDINATE))
    usable = ~np.logical_or.reduceat(point_is_bad, offsets[:-1])
    for i in np.flatnonzero(~usable).tolist():
        path = slice(offsets[i], offsets[i + 1])
        values = np.concatenate([x[path], y[path]])
        finite = np.isfinite(values)
        if finite.all():
            reason, found = reasons.COORDINATE_TOO_LARGE, values[np.argmax(np.abs(values))]
        else:
            reason, found = reasons.COORDINATE_NOT_FINITE, values[np.argmin(finite)]
        bad.append((i, Rejection(marks[i].mark_index, reason, f"a coordinate is {found:g}")))
    return usable, bad


def _copies(
    rows: list[int],
    marks: list[Mark],
    x: Floats,
    y: Floats,
    offsets: Ints,
    usable: Flags,
) -> list[tuple[int, Rejection]]:
    """Return the position and the rejection of each usable mark that is an exact copy of one before it."""
    of_cell = np.array(rows, dtype=np.int64)
    alike = possible_duplicates(of_cell, x, y, offsets)
    if not len(alike):
        return []
    # The same control points make another outline where they are not of a curve.
    tools: dict[tuple[str, bool], int] = {}
    keys = [
        (mark.frame, tools.setdefault((mark.tool, mark.is_bezier), len(tools)))
        for mark in map(marks.__getitem__, alike.tolist())
    ]
    frame, tool = np.array(keys, dtype=np.int64).T
    copies, firsts = exact_duplicates(alike, (of_cell[alike], frame, tool), x, y, offsets)
    return [
        (i, Rejection(marks[i].mark_index, reasons.DUPLICATE_MARK, _what_is_copied(marks[first], marks[i])))
        for i, first in zip(copies.tolist(), firsts.tolist(), strict=True)
        if usable[i]
    ]


def _what_is_copied(first: Mark, copy: Mark) -> str:
    told = f"copy of mark {first.mark_index}"
    if first.details == copy.details:
        return told
    ours, kept = (_short(mark.details or "none") for mark in (copy, first))
    return f"{told}; its answers {ours} are lost, {kept} are kept"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_ANSWERS else f"{text[: _LONGEST_ANSWERS - 3]}..."


def _largest(values: Floats) -> float:
    """Return the largest absolute value without a copy of all; infinite where one is NaN."""
    largest = max(values.max(), -values.min())
    return math.inf if np.isnan(largest) else float(largest)


def _with_curves(marks: list[Mark], x: Floats, y: Floats, offsets: Ints) -> tuple[Floats, Floats, Ints]:
    """Replace the control points of Bezier marks by the curves."""
    is_bezier = np.array([mark.is_bezier for mark in marks], dtype=bool)
    # With fewer control points there is no curve, and no area: the mark is rejected further on.
    is_bezier &= np.diff(offsets) >= FEWEST_CONTROL_POINTS
    if not is_bezier.any():
        return x, y, offsets
    curve_x, curve_y, curve_offsets = bezier_paths(*_take_paths(x, y, offsets, np.flatnonzero(is_bezier)))
    starts, lengths = offsets[:-1].copy(), np.diff(offsets)
    starts[is_bezier] = len(x) + curve_offsets[:-1]
    lengths[is_bezier] = np.diff(curve_offsets)
    index = positions_of(starts, lengths)
    both_x, both_y = np.concatenate([x, curve_x]), np.concatenate([y, curve_y])
    return both_x[index], both_y[index], offsets_of(lengths)


def _take_paths(x: Floats, y: Floats, offsets: Ints, wanted: Ints) -> tuple[Floats, Floats, Ints]:
    lengths = np.diff(offsets)[wanted]
    index = positions_of(offsets[wanted], lengths)
    return x[index], y[index], offsets_of(lengths)


def _as_marks(
    rows: list[int],
    marks: list[Mark],
    x: Floats,
    y: Floats,
    offsets: Ints,
) -> Marks:
    return Marks(
        row=np.array(rows, dtype=np.int64),
        mark_index=np.array([mark.mark_index for mark in marks], dtype=np.int32),
        task=[mark.task for mark in marks],
        frame=np.array([mark.frame for mark in marks], dtype=np.int32),
        tool_index=np.array([mark.tool_index for mark in marks], dtype=np.int32),
        tool=[mark.tool for mark in marks],
        tool_type=[mark.tool_type for mark in marks],
        details=[mark.details for mark in marks],
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
