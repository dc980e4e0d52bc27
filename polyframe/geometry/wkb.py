"""Write polygons without holes as WKB, from flat rings and without a geometry for each.

References
----------
OGC 06-103r4, "OpenGIS Implementation Standard for Geographic information - Simple feature access - Part 1",
section 8.2: the well-known binary representation.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from polyframe.core.arrays import Floats, Ints
from polyframe.core.ragged import offsets_of, positions_of

#: The byte order (little-endian), the type and the number of rings, then the number of points of the ring.
_START: Final = np.dtype([("order", "u1"), ("type", "<u4"), ("rings", "<u4")])
_POINT: Final = np.dtype([("x", "<f8"), ("y", "<f8")])
_POLYGON: Final = 3


def rings_to_wkb(x: Floats, y: Floats, offsets: Ints) -> tuple[NDArray[np.uint8], Ints]:
    """Return the WKB of polygons, as `shapely.to_wkb` writes it on a little-endian machine.

    Parameters
    ----------
    x, y : ndarray of float64, shape (v,)
    offsets : ndarray of int64, shape (n + 1,)
        The ring of polygon i is `offsets[i]` to `offsets[i + 1]`, closed; empty for an empty polygon.

    Returns
    -------
    data : ndarray of uint8, shape (b,)
    data_offsets : ndarray of int64, shape (n + 1,)
        The WKB of polygon i is `data[data_offsets[i]:data_offsets[i + 1]]`.
    """
    counts = np.diff(offsets)
    filled = counts > 0
    first_points = _START.itemsize + 4
    data_offsets = offsets_of(np.where(filled, first_points + _POINT.itemsize * counts, _START.itemsize))
    data = np.empty(data_offsets[-1], np.uint8)
    begins = data_offsets[:-1]
    start = np.empty(len(counts), _START)
    start["order"], start["type"], start["rings"] = 1, _POLYGON, filled
    _put(data, begins, start)
    begins, counts = begins[filled], counts[filled]
    _put(data, begins + _START.itemsize, counts.astype("<u4"))
    points = np.empty(len(x), _POINT)
    points["x"], points["y"] = x, y
    steps = _POINT.itemsize * positions_of(0, counts)
    _put(data, np.repeat(begins + first_points, counts) + steps, points)
    return data, data_offsets


def _put(data: NDArray[np.uint8], places: Ints, values: NDArray[np.generic]) -> None:
    """Write values of several bytes at places that need not be aligned."""
    if len(places):
        size = values.itemsize
        at_each_byte = np.ndarray(len(data) - size + 1, f"V{size}", data, strides=(1,))
        at_each_byte[places] = values.view(f"V{size}")
