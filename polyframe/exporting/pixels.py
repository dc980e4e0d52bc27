"""Outlines as pixels, and grey pictures as PNG."""

import struct
import zlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from polyframe.exporting.shapes import Points

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_GREY: Final = 0


def fill(picture: NDArray[Any], points: Points, value: int) -> int:
    """Give a value to the pixels whose centres lie within an outline.

    Parameters
    ----------
    picture : (height, width) array
        Changed in place. The pixel in row i and column j reaches from j to j + 1 and from i to i + 1.
    points : (n, 2) array
        Closed, x and y; empty or beyond the picture is fine.
    value : int
        What the pixels get.

    Returns
    -------
    int
        How many they are.
    """
    height, width = picture.shape
    rows, x = _crossings(points, height)
    if len(rows) == 0:
        return 0
    first, last = int(rows.min()), int(rows.max()) + 1
    # Right of a crossing, inside and outside change places; bytes may overflow, odd stays odd.
    columns = np.ceil(np.clip(x, 0.0, width) - 0.5).astype(np.int64)
    left, right = int(columns.min()), int(columns.max())
    changes = np.zeros((last - first, right - left + 1), np.uint8)
    np.add.at(changes, (rows - first, columns - left), 1)
    inside = np.cumsum(changes, axis=1, dtype=np.uint8)[:, :-1] % 2 == 1
    picture[first:last, left:right][inside] = value
    return int(inside.sum())


def _crossings(points: Points, height: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return row and x where an outline crosses the lines through the centres of the rows of a picture."""
    if len(points) < 4:
        return np.zeros(0, np.int64), np.zeros(0)
    upwards = points[:-1, 1] > points[1:, 1]
    # From top to bottom, so that neighbours agree on which of their rows an end belongs to.
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


def grey_png(picture: NDArray[Any]) -> bytes:
    """Return a picture of 8 or 16 bits a pixel as PNG.

    Parameters
    ----------
    picture : (height, width) array of uint8 or uint16
    """
    height, width = picture.shape
    depth = 8 * picture.itemsize
    lines = picture.astype(f">u{picture.itemsize}").view(np.uint8).reshape(height, -1)
    # Each line begins with the kind of its filter: none.
    data = np.hstack([np.zeros((height, 1), np.uint8), lines]).tobytes()
    header = struct.pack(">IIBBBBB", width, height, depth, _GREY, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(data, 6)), (b"IEND", b""))
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )
