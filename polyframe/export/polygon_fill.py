"""Fill polygons on a pixel grid with the even-odd rule, by scan lines through the centres of the rows.

Pillow's polygon fill rounds corners and also paints the outline, up to a twentieth of a real shape. Testing
every pixel centre with GEOS gives the same result as this module, but takes 25 times as long.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyframe.core.arrays import Floats, Ints


def fill(picture: NDArray[Any], points: Floats, value: int) -> int:
    """Set the pixels whose centres lie within an outline to a value.

    Parameters
    ----------
    picture : (height, width) array
        Changed in place. The pixel in row i and column j extends from j to j + 1 and from i to i + 1.
    points : (n, 2) array
        Closed; it may be empty or extend beyond the picture.
    value : int
        The new value of the pixels.

    Returns
    -------
    int
        The number of pixels.
    """
    height, width = picture.shape
    rows, x = _crossings(points, height)
    if len(rows) == 0:
        return 0
    first, last = int(rows.min()), int(rows.max()) + 1
    # Each crossing toggles inside and outside; a byte that overflows keeps its parity.
    columns = np.ceil(np.clip(x, 0.0, width) - 0.5).astype(np.int64)
    left, right = int(columns.min()), int(columns.max())
    changes = np.zeros((last - first, right - left + 1), np.uint8)
    np.add.at(changes, (rows - first, columns - left), 1)
    inside = np.cumsum(changes, axis=1, dtype=np.uint8)[:, :-1] % 2 == 1
    picture[first:last, left:right][inside] = value
    return int(inside.sum())


def _crossings(points: Floats, height: int) -> tuple[Ints, Floats]:
    """Return row and x of the crossings of an outline with the lines through the centres of the rows."""
    if len(points) < 4:
        return np.zeros(0, np.int64), np.zeros(0)
    upwards = points[:-1, 1] > points[1:, 1]
    # From top to bottom, so that adjacent edges agree on the row of their common vertex.
    top = np.where(upwards[:, None], points[1:], points[:-1])
    bottom = np.where(upwards[:, None], points[:-1], points[1:])
    first = np.ceil(np.clip(top[:, 1], 0.0, height) - 0.5).astype(np.int64)
    end = np.ceil(np.clip(bottom[:, 1], 0.0, height) - 0.5).astype(np.int64)
    counts = end - first
    edge = np.repeat(np.arange(len(counts)), counts)
    begin = np.cumsum(counts) - counts
    rows = first[edge] + np.arange(len(edge)) - begin[edge]
    share = (rows + 0.5 - top[edge, 1]) / (bottom[edge, 1] - top[edge, 1])
    return rows, top[edge, 0] + share * (bottom[edge, 0] - top[edge, 0])
