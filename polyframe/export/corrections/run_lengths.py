"""Turn masks of COCO, which are run lengths (RLE), into outlines along the borders of their pixels."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import shapely

from polyframe.core.arrays import Floats, Ints

#: More pixels than any image has.
_MOST_PIXELS: Final = 2**31
#: More runs of pixels, cut at the ends of columns, than any mask of an object has.
_MOST_RUNS: Final = 10**7
#: A number of more bits is not a number of pixels.
_MOST_BITS: Final = 60
#: Each character of compressed run lengths has six bits: five of the number, and whether more follow.
_FIRST_CHARACTER: Final = 48
_SIGN: Final = 0x10
_MORE: Final = 0x20


def rings_of_mask(segmentation: Mapping[str, Any]) -> list[list[Floats]] | None:
    """Return the rings of each part of a mask.

    Parameters
    ----------
    segmentation : mapping
        `size` (height, width) and `counts`: run lengths of 0 and 1 in turn, down the columns, as a list or
        compressed as text.

    Returns
    -------
    list of list of (n, 2) float64, or None
        The rings of each part, the shell first, in pixels from the upper left corner of the image. None if
        it is not a mask, or an empty one.
    """
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if not isinstance(size, list) or len(size) != 2 or not all(type(n) is int and n > 0 for n in size):
        return None
    height, width = size
    if isinstance(counts, str):
        counts = _uncompressed(counts)
    try:
        runs = np.array(counts, dtype=np.int64)
    except (TypeError, ValueError, OverflowError):
        return None
    if runs.ndim != 1 or (runs < 0).any() or height * width > _MOST_PIXELS or runs.sum() != height * width:
        return None
    ends = np.cumsum(runs)
    if len(runs) + width > _MOST_RUNS:
        return None
    begin, end = _within_columns(ends[:-1][0::2], ends[1::2], height)
    if not len(begin):
        return None
    column = begin // height
    boxes = shapely.box(column, begin % height, column + 1, (end - 1) % height + 1)
    # Without the points between the columns on horizontal borders.
    region = shapely.simplify(shapely.union_all(boxes), 0)
    return [
        [shapely.get_coordinates(ring) for ring in shapely.get_rings(part)]
        for part in shapely.get_parts(region)
    ]


def _within_columns(begin: Ints, end: Ints, height: int) -> tuple[Ints, Ints]:
    """Cut runs of pixels at the ends of columns."""
    begin, end = begin[: len(end)], end[: len(begin)]
    first, last = begin // height, np.maximum(end - 1, begin) // height
    n_columns = np.where(end > begin, last - first + 1, 0)
    run = np.repeat(np.arange(len(begin)), n_columns)
    column = first[run] + np.arange(len(run)) - np.repeat(np.cumsum(n_columns) - n_columns, n_columns)
    return np.maximum(begin[run], column * height), np.minimum(end[run], (column + 1) * height)


def _uncompressed(text: str) -> list[int] | None:
    """Return run lengths from text, in which each but the first three is the difference to the last but one.

    It is the encoding of `rleToString` in the mask library of COCO.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - _FIRST_CHARACTER
        if not 0 <= code < 2 * _MORE or shift > _MOST_BITS:
            return None
        value |= (code & (_MORE - 1)) << shift
        shift += 5
        if code & _MORE:
            continue
        if code & _SIGN:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    return None if shift else counts
