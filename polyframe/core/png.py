"""Encode arrays as PNG, so that exports need no imaging library.

PNG (Portable Network Graphics) Specification, second edition, W3C 2003: chapters 5 (chunks) and 9 (filters).
"""

import struct
import zlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_GREY: Final = 0
_COLOURS: Final = 2
#: Filter type: each line is stored as its bytewise difference from the line above.
_UP: Final = 2
#: Of the compression: the best one, 9, takes ten times as long and saves an eighth of the bytes.
_LEVEL: Final = 6


def png(picture: NDArray[Any]) -> bytes:
    """Encode a picture as PNG.

    Parameters
    ----------
    picture : (height, width) array of uint8 or uint16, or (height, width, 3) array of uint8
        Grey values, or red, green and blue; neither side is 0.

    Returns
    -------
    bytes
        The content of a PNG file. It depends on the version of zlib; the pixels do not.
    """
    height, width = picture.shape[:2]
    flat = np.ascontiguousarray(picture, f">u{picture.itemsize}").view(np.uint8).reshape(height, -1)
    lines = np.empty((height, 1 + flat.shape[1]), np.uint8)
    lines[:, 0] = _UP
    lines[:, 1:] = flat
    lines[1:, 1:] -= flat[:-1]
    kind = _GREY if picture.ndim == 2 else _COLOURS
    header = struct.pack(">IIBBBBB", width, height, 8 * picture.itemsize, kind, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), _LEVEL)), (b"IEND", b""))
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )
