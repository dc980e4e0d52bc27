"""Read the marks of many cells: each distinct skeleton once, and each unusual cell by itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import offsets_of, positions_of
from polyframe.core.reasons import MOST_POINTS
from polyframe.panoptes.annotations.coordinate_lists import (
    CutCells,
    cut_cells,
    lists_of_marks,
    number_lists,
)
from polyframe.panoptes.annotations.fast_decoder import decode_cell_fast
from polyframe.panoptes.annotations.general_decoder import decode_cell
from polyframe.panoptes.annotations.mark_rules import Mark, MarkSelection, Rejection
from polyframe.panoptes.annotations.parse_coordinates import flat_paths

#: In place of the index of a list: the mark has its coordinates itself.
_OWN: Final = -1
#: In place of a count of lists: cells with this skeleton have to be read one by one.
_UNUSUAL: Final = -1


@dataclass(frozen=True)
class ReadMarks:
    """The marks of many cells, in the order of the cells and of the marks in them.

    Attributes
    ----------
    row : (n,) int64
        Index of the cell.
    pattern : (n,) int64
        Index in `patterns`.
    patterns : list of Mark
        Distinct marks. Their coordinates are not those of the marks.
    x, y : (n_points,) float64
        May be infinite, NaN or too large.
    offsets : (n + 1,) int64
        Mark i has the points `offsets[i]` to `offsets[i + 1]`, at least one.
    """

    row: Ints
    pattern: Ints
    patterns: list[Mark]
    x: Floats
    y: Floats
    offsets: Ints

    def take(self, selected: Ints) -> "ReadMarks":
        """Return the marks of some indices."""
        x, y, offsets = take_paths(self.x, self.y, self.offsets, selected)
        return ReadMarks(self.row[selected], self.pattern[selected], self.patterns, x, y, offsets)


@dataclass(frozen=True)
class _Readings:
    """What was read: once for all cells with the same skeleton, or for one cell.

    Attributes
    ----------
    n_lists : list of int
        For each reading, how many lists were cut from the cells that it is for.
    n_marks : list of int
    rejections : list of list of Rejection
    patterns : list of Mark
        The marks of all readings.
    lists : list of (int, int)
        For each of them, the list of x and that of y among the lists of its cell, or `_OWN`.
    """

    n_lists: list[int] = field(default_factory=list)
    n_marks: list[int] = field(default_factory=list)
    rejections: list[list[Rejection]] = field(default_factory=list)
    patterns: list[Mark] = field(default_factory=list)
    lists: list[tuple[int, int]] = field(default_factory=list)

    def add_skeleton(self, skeleton: str, n_lists: int, selection: MarkSelection) -> None:
        """Read all cells with a skeleton, from which `n_lists` lists were cut."""
        if not n_lists:
            self.add_cell(skeleton, selection)
            return
        numbered = number_lists(skeleton)
        if numbered is not None and numbered[1] == n_lists:
            marks = decode_cell_fast(numbered[0], selection)
            lists = None if marks is None else lists_of_marks(*numbered, marks)
            if marks is not None and lists is not None:
                self._add(n_lists, marks, lists, [])
                return
        self._add(_UNUSUAL, [], [], [])

    def add_cell(self, cell: str | bytes, selection: MarkSelection) -> None:
        """Read one cell, or all cells with this text."""
        marks = decode_cell_fast(cell, selection)
        rejections: list[Rejection] = []
        if marks is None:
            marks, rejections = decode_cell(cell, selection)
        self._add(0, marks, [(_OWN, _OWN)] * len(marks), rejections)

    def _add(
        self, n_lists: int, marks: list[Mark], lists: list[tuple[int, int]], rejections: list[Rejection]
    ) -> None:
        self.n_lists.append(n_lists)
        self.n_marks.append(len(marks))
        self.rejections.append(rejections)
        self.patterns.extend(marks)
        self.lists.extend(lists)


@dataclass(frozen=True)
class _Assigned:
    """The marks of cells to which readings are assigned.

    Attributes
    ----------
    row, pattern : (n,) int64
    x_list, y_list : (n,) int64
        Indices of their lists among those of all cells, or `_OWN`.
    """

    row: Ints
    pattern: Ints
    x_list: Ints
    y_list: Ints


def read_cells(
    cells: pl.Series,
    odd_cells: Mapping[int, str | bytes],
    selection: MarkSelection,
    *,
    compiled: bool = False,
) -> tuple[ReadMarks, list[tuple[int, Rejection]]]:
    """Read the marks of a column of cells.

    Parameters
    ----------
    cells : polars.Series
        String; a null is an empty cell.
    odd_cells : mapping of int to str or bytes
        Cells that are not UTF-8, by row; they are null in `cells`.
    selection : MarkSelection
    compiled : bool
        Whether to read coordinates with compiled loops. The marks are the same.

    Returns
    -------
    marks : ReadMarks
    rejections : list of (int, Rejection)
        With the row of each.
    """
    cells = cells.fill_null("")
    cut = cut_cells(cells, compiled=compiled)
    n_lists = np.diff(cut.offsets)
    first_rows, reading_of = _distinct(cut.skeletons)
    readings = _Readings()
    for skeleton, n in zip(cut.skeletons.gather(first_rows), n_lists[first_rows].tolist(), strict=True):
        readings.add_skeleton(skeleton, n, selection)
    is_read = n_lists == np.array(readings.n_lists, np.int64)[reading_of]
    is_read[list(odd_cells)] = False
    is_read[_rows_with_bad_lists(cut, _assign(cut, readings, reading_of), is_read)] = False
    for row in np.flatnonzero(~is_read).tolist():
        reading_of[row] = len(readings.n_marks)
        readings.add_cell(odd_cells.get(row, cells[row]), selection)
    marks = _assign(cut, readings, reading_of)
    rejected = np.array([bool(rejections) for rejections in readings.rejections], np.bool_)[reading_of]
    return _with_coordinates(marks, cut, readings.patterns), [
        (row, rejection)
        for row in np.flatnonzero(rejected).tolist()
        for rejection in readings.rejections[reading_of[row]]
    ]


def take_paths(x: Floats, y: Floats, offsets: Ints, selected: Ints) -> tuple[Floats, Floats, Ints]:
    """Return the coordinates of some marks, and their offsets."""
    lengths = np.diff(offsets)[selected]
    index = positions_of(offsets[selected], lengths)
    return x[index], y[index], offsets_of(lengths)


def _distinct(texts: pl.Series) -> tuple[Ints, Ints]:
    """Return the first row of each distinct text, and for each row the index of its text among these."""
    rows = texts.to_frame("text").with_row_index("row")
    first = rows.select(pl.col("row").first().over("text"))["row"].to_numpy()
    first_rows, index = np.unique(first, return_inverse=True)
    return first_rows, index.astype(np.int64)


def _assign(cut: CutCells, readings: _Readings, reading_of: Ints) -> _Assigned:
    """Return the marks of all cells."""
    counts = np.array(readings.n_marks, np.int64)
    row = np.repeat(np.arange(len(reading_of)), counts[reading_of])
    pattern = positions_of(offsets_of(counts)[reading_of], counts[reading_of])
    lists = np.array(readings.lists, np.int64).reshape(-1, 2)[pattern]
    lists[lists[:, 0] != _OWN] += cut.offsets[row[lists[:, 0] != _OWN], None]
    return _Assigned(row, pattern, lists[:, 0], lists[:, 1])


def _rows_with_bad_lists(cut: CutCells, marks: _Assigned, is_read: Flags) -> Ints:
    """Return the rows of marks with too many points, or another number of x than of y."""
    of_lists = np.flatnonzero((marks.x_list != _OWN) & is_read[marks.row])
    n_x, n_y = cut.n_points[marks.x_list[of_lists]], cut.n_points[marks.y_list[of_lists]]
    rows: Ints = marks.row[of_lists[(n_x != n_y) | (n_x > MOST_POINTS)]]
    return rows


def _with_coordinates(marks: _Assigned, cut: CutCells, patterns: list[Mark]) -> ReadMarks:
    """Gather the coordinates of marks: from lists of numbers or points, or those that the marks have."""
    numbers = cut.numbers
    step = 1 + cut.is_points
    starts = offsets_of(step * cut.n_points)[:-1]
    has_own = marks.x_list == _OWN
    if not has_own.any():
        x_starts, y_starts = starts[marks.x_list], starts[marks.y_list]
        steps, lengths = step[marks.x_list], cut.n_points[marks.x_list]
    else:
        used, index = np.unique(marks.pattern[has_own], return_inverse=True)
        own = [patterns[pattern] for pattern in used.tolist()]
        x, y, offsets = flat_paths([m.x for m in own], [m.y for m in own], [m.n_points for m in own])
        x_starts, y_starts, steps, lengths = np.ones((4, len(has_own)), np.int64)
        x_starts[has_own] = len(numbers) + offsets[index]
        y_starts[has_own] = x_starts[has_own] + len(x)
        lengths[has_own] = np.diff(offsets)[index]
        others = ~has_own
        x_starts[others], y_starts[others] = starts[marks.x_list[others]], starts[marks.y_list[others]]
        steps[others], lengths[others] = step[marks.x_list[others]], cut.n_points[marks.x_list[others]]
        numbers = np.concatenate([numbers, x, y])
    y_starts[steps == 2] += 1
    offsets = offsets_of(lengths)
    return ReadMarks(
        marks.row,
        marks.pattern,
        patterns,
        _gathered(numbers, x_starts, steps, offsets),
        _gathered(numbers, y_starts, steps, offsets),
        offsets,
    )


def _gathered(numbers: Floats, starts: Ints, steps: Ints, offsets: Ints) -> Floats:
    """Return `offsets[i + 1] - offsets[i]` numbers from `starts[i]`, each `steps[i]` after the one before."""
    if not len(starts):
        return np.empty(0)
    lengths, step = np.diff(offsets), steps[0]
    if np.any(steps != step):
        step = np.repeat(steps, lengths)
    elif np.array_equal(starts[1:], starts[:-1] + step * lengths[:-1]):
        return np.ascontiguousarray(numbers[starts[0] :: step][: offsets[-1]])
    positions = np.repeat(starts - steps * offsets[:-1], lengths) + step * np.arange(offsets[-1])
    gathered: Floats = numbers[positions]
    return gathered
