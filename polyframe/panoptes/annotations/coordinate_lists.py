"""Cut the lists of coordinates out of a column of `annotations` cells.

Most of the text of an export is coordinates. What remains of a cell without them, its *skeleton*, is short,
and few skeletons are distinct: thousands of cells differ only in their coordinates. So the decoders read each
distinct skeleton once, and the coordinates of all cells are parsed together.
"""

import re
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import offsets_of, string_column, string_parts
from polyframe.geometry.compiled.numba_jit import compile_loops, load
from polyframe.panoptes.annotations.mark_rules import Mark
from polyframe.panoptes.annotations.parse_coordinates import numbers_from_text

_Bytes = NDArray[np.uint8]

_NUMBER: Final = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_POINT: Final = rf'\{{"x": ?{_NUMBER}, ?"y": ?{_NUMBER}\}}'
#: A list of numbers or of points, as the classifiers write them.
_LIST: Final = rf"\A\[(?:{_NUMBER}(?:, ?{_NUMBER})*|{_POINT}(?:, ?{_POINT})*)\]\z"
#: The last eight bytes of the keys, as they are in memory.
_PATH_X, _PATH_Y, _POINTS = (int.from_bytes(key, "little") for key in (b'"pathX":', b'"pathY":', b'points":'))
_LONGEST_KEY: Final = len('"points": ')
#: A place in a skeleton from which a list was cut, up to its opening bracket. JSON has no such text.
_CUT: Final = re.compile(r'"(path[XY]|points)": ?\[(?=\s*[,}])')
#: Turns lists into numbers that all end with a comma.
_COMMAS: Final = bytes.maketrans(b"]", b",")
_NOT_NUMBERS: Final = b'[{}"xy: '
#: Numbers in place of lists: k * 1e-299. Without a negative exponent or many zeros, no other number is one of
#: these.
_EXPONENT: Final = "e-299"
_UNIT: Final = 1e-299
_LARGEST_NUMBER: Final = 1e-280
_NEGATIVE_EXPONENT: Final = re.compile("[eE]-[0-9]")
_MANY_ZEROS: Final = 99 * "0"
#: The text is searched for brackets in blocks that fit into the cache of a processor.
_BLOCK: Final = 1 << 18


@dataclass(frozen=True)
class CutCells:
    """Cells from which the lists of coordinates are cut.

    Attributes
    ----------
    skeletons : polars.Series
        (n,) String. The text of each cell; of each list that was cut, only the opening bracket remains.
    offsets : (n + 1,) int64
        The lists `offsets[i]` to `offsets[i + 1]` are those of cell i, in the order of the text.
    is_points : (m,) bool
        Whether a list is one of points, such as `{"x": 1, "y": 2}`, or else of numbers; it has at least one.
    n_points : (m,) int64
        Count of numbers, or of points.
    numbers : (v,) float64
        The numbers of all lists; of points, x and y in turn. -0 is 0, and numbers beyond the range of float64
        are infinite.
    """

    skeletons: pl.Series
    offsets: Ints
    is_points: Flags
    n_points: Ints
    numbers: Floats


def cut_cells(cells: pl.Series, *, compiled: bool = False) -> CutCells:
    """Cut the values of the keys `pathX`, `pathY` and `points` out of cells.

    Parameters
    ----------
    cells : polars.Series
        (n,) String without nulls. Any text.
    compiled : bool
        Whether to read the lists with compiled loops. The numbers are the same.

    Returns
    -------
    CutCells
        Only lists in the usual form are cut: `[1.5, 2]` or `[{"x": 1.5, "y": 2}]`, with at most one space
        after a comma or a colon. Whether a key is that of a mark is for the decoder of the skeleton to say.
    """
    text, bounds = string_parts(cells)
    begins, ends, is_points = _candidates(text, bounds)
    read = _read_compiled if compiled and len(begins) else _read_lists
    is_usual, n_numbers, numbers = read(text, begins, ends, is_points)
    if not is_usual.all():
        begins, ends, n_numbers = begins[is_usual], ends[is_usual], n_numbers[is_usual]
        is_points = is_points[is_usual]
    return CutCells(
        _skeletons(text, bounds, begins, ends),
        np.searchsorted(begins, bounds),
        is_points,
        np.where(is_points, n_numbers // 2, n_numbers),
        numbers,
    )


def _read_lists(text: _Bytes, begins: Ints, ends: Ints, is_points: Flags) -> tuple[Flags, Ints, Floats]:
    """Return which lists have the usual form, the counts of their numbers, and the numbers of these lists."""
    lists = _parts(text, begins, ends)
    is_usual = lists.str.contains(_LIST).to_numpy()
    n_numbers = lists.str.count_matches(",", literal=True).to_numpy().astype(np.int64) + 1
    usual, _ = string_parts(lists.filter(is_usual))
    return is_usual, n_numbers, numbers_from_text(usual.tobytes().translate(_COMMAS, _NOT_NUMBERS))


def _read_compiled(text: _Bytes, begins: Ints, ends: Ints, is_points: Flags) -> tuple[Flags, Ints, Floats]:
    compile_loops()
    lists = load("coordinate_text").read_lists(text, begins, ends, is_points)
    if len(lists.long_numbers):
        lists.values[lists.long_numbers] = numbers_from_text(lists.long_text.tobytes())
    return lists.is_usual, lists.counts, lists.values


def number_lists(skeleton: str) -> tuple[str, int] | None:
    """Return a skeleton as JSON, with a number in place of each list.

    Parameters
    ----------
    skeleton : str
        From `cut_cells`.

    Returns
    -------
    text : str
        List k, from 1, contains only the number k * 1e-299, or a point with this number as x and y.
    n_lists : int
        How many lists the text has. If this is not how many were cut from a cell, the cell is not JSON.

        None instead of both if the skeleton may contain such a number itself.
    """
    if _MANY_ZEROS in skeleton or (
        ("e-" in skeleton or "E-" in skeleton) and _NEGATIVE_EXPONENT.search(skeleton)
    ):
        return None
    numbers = count(1)

    def with_number(cut: re.Match[str]) -> str:
        number = f"{next(numbers)}{_EXPONENT}"
        return cut[0] + (f'{{"x":{number},"y":{number}}}]' if cut[1] == "points" else f"{number}]")

    return _CUT.sub(with_number, skeleton), next(numbers) - 1


def lists_of_marks(text: str, n_lists: int, marks: list[Mark]) -> list[tuple[int, int]] | None:
    """Return which lists of a cell are the coordinates of each mark.

    Parameters
    ----------
    text : str
    n_lists : int
        From `number_lists`.
    marks : list of Mark
        The marks in that text.

    Returns
    -------
    list of (int, int), or None
        The index of the list of x and that of y among the lists of the cell, from 0; the same for points.
        None if other coordinates were not cut, or if a list is not that of a mark but part of an answer.
    """
    pairs = [(_number_of(mark.x), _number_of(mark.y)) for mark in marks]
    used = {number for pair in pairs for number in pair}
    if 0 in used or (len(used) < n_lists and _lists_of_objects(text) < n_lists):
        return None
    return [(x - 1, y - 1) for x, y in pairs]


def _number_of(path: Any) -> int:
    """Return the number in place of a list; 0 for any other coordinates."""
    if type(path) is bytes:
        return int(path[: -len(_EXPONENT)]) if path.endswith(_EXPONENT.encode()) else 0
    if type(path) is list and len(path) == 1 and type(path[0]) is float and 0 < path[0] < _LARGEST_NUMBER:
        return round(path[0] / _UNIT)
    return 0


def _lists_of_objects(text: str) -> int:
    """Count the numbered lists under their keys in the objects of the annotations, where marks are."""
    try:
        annotations = msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return 0
    n_lists = 0
    for annotation in annotations:
        value = annotation.get("value")
        for entry in value if isinstance(value, list) else ():
            if isinstance(entry, dict):
                points = entry.get("points")
                lists = [entry.get("pathX"), entry.get("pathY")]
                if isinstance(points, list) and len(points) == 1 and isinstance(points[0], dict):
                    lists.append([points[0].get("x")])
                n_lists += sum(_number_of(path) > 0 for path in lists)
    return n_lists


def _candidates(text: _Bytes, bounds: Ints) -> tuple[Ints, Ints, Flags]:
    """Find the lists after the keys: where each begins and ends, and whether its entries are objects."""
    begins = _places(text, b"[")
    begins = begins[(begins > _LONGEST_KEY) & (begins < len(text) - 1)]
    end_of_key = begins - (text[begins - 1] == ord(" "))
    # The eight bytes before a place as one number; comparing them one by one is several times slower.
    before = np.ndarray(max(len(text) - 7, 0), "<u8", text, strides=(1,))[end_of_key - 8]
    is_points = (before == _POINTS) & (text[end_of_key - 9] == ord('"'))
    is_list = (before == _PATH_X) | (before == _PATH_Y) | is_points
    is_list &= (text[begins + 1] == ord("{")) == is_points
    begins, is_points = begins[is_list], is_points[is_list]
    closed = np.append(_places(text, b"]"), len(text))
    ends = closed[np.searchsorted(closed, begins)] + 1
    # Within the cell, and without another list inside.
    inner = ends <= np.minimum(
        bounds[np.searchsorted(bounds, begins, side="right")], np.append(begins, len(text))[1:]
    )
    return begins[inner], ends[inner], is_points[inner]


def _places(text: _Bytes, character: bytes) -> Ints:
    """Return the places of a character."""
    places = [
        np.flatnonzero(text[start : start + _BLOCK] == ord(character)) + start
        for start in range(0, len(text), _BLOCK)
    ]
    return np.concatenate(places) if places else np.empty(0, np.int64)


def _parts(text: _Bytes, begins: Ints, ends: Ints) -> pl.Series:
    """Return parts of a text, in order and without overlap."""
    if not len(begins):
        return pl.Series([], dtype=pl.String)
    return string_column(text, np.column_stack([begins, ends]).ravel()).gather_every(2)


def _skeletons(text: _Bytes, bounds: Ints, begins: Ints, ends: Ints) -> pl.Series:
    """Return the text of each cell without the lists, except for their opening brackets."""
    # The parts to keep: those of a cell begin with the cell and after each of its lists.
    first = np.searchsorted(begins, bounds) + np.arange(len(bounds))
    of_list = np.searchsorted(bounds, begins, side="right") - 1 + np.arange(len(begins))
    kept_begins, kept_ends = np.empty((2, first[-1]), np.int64)
    kept_begins[first[:-1]] = bounds[:-1]
    kept_begins[of_list + 1] = ends
    kept_ends[first[1:] - 1] = bounds[1:]
    kept_ends[of_list] = begins + 1
    kept, _ = string_parts(_parts(text, kept_begins, kept_ends))
    return string_column(kept, offsets_of(kept_ends - kept_begins)[first])
