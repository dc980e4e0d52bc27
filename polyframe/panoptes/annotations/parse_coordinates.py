"""Parse the paths of many marks into flat coordinate arrays.

A path is either the text between the brackets of a JSON array, such as `1.5,2,3e1`, or a list of floats. The
text of all marks is parsed at once, several times faster than converting every number to a Python float.
"""

from collections.abc import Sequence
from itertools import chain

import numpy as np
import polars as pl

from polyframe.core.arrays import Floats, Ints
from polyframe.core.ragged import offsets_of, positions_of

Path = bytes | list[float]

_WHITESPACE = b" \t\n\r"


def flat_paths(x: Sequence[Path], y: Sequence[Path], lengths: Sequence[int]) -> tuple[Floats, Floats, Ints]:
    """Return the coordinates of many paths as flat arrays.

    Parameters
    ----------
    x, y : sequence of bytes or list of float, length n
        Coordinates of each path; bytes are the JSON text of its numbers. x and y of a path have the same
        type.
    lengths : sequence of int, length n
        Number of points of each path.

    Returns
    -------
    x, y : ndarray of float64, shape (n_points,)
        Numbers beyond the range of float64 become infinite; -0 becomes 0.
    offsets : ndarray of int64, shape (n + 1,)
        Path i has the points `offsets[i]` to `offsets[i + 1]`.
    """
    length = np.array(lengths, dtype=np.int64)
    offsets = offsets_of(length)
    is_text = np.array([type(path) is bytes for path in x], dtype=bool)
    if is_text.all():
        return numbers_from_text(b",".join(x)), numbers_from_text(b",".join(y)), offsets  # type: ignore[arg-type]
    flat_x, flat_y = (
        np.concatenate(
            [
                numbers_from_text(b",".join([path for path in paths if type(path) is bytes])),
                np.fromiter(chain.from_iterable(path for path in paths if type(path) is list), np.float64)
                + 0.0,
            ]
        )
        for paths in (x, y)
    )
    # The texts come first, then the lists; restore the order of the paths.
    order = np.argsort(~is_text, kind="stable")
    start = np.empty(len(order), dtype=np.int64)
    start[order] = offsets_of(length[order])[:-1]
    index = positions_of(start, length)
    return flat_x[index], flat_y[index], offsets


def numbers_from_text(text: bytes) -> Floats:
    """Parse numbers such as `1.5,2,3e1`.

    Parameters
    ----------
    text : bytes
        JSON numbers separated by commas, with optional white space; the caller has checked that.

    Returns
    -------
    ndarray of float64
        Correctly rounded; empty for an empty text, infinite beyond the range of float64; -0 becomes 0.
    """
    if any(space in text for space in (b" ", b"\n", b"\t", b"\r")):
        text = text.translate(None, _WHITESPACE)
    if not text:
        return np.empty(0, np.float64)
    # To Polars this is a CSV of one column with a comma at the end of each line, parsed by several threads
    # and without the GIL. `pyarrow.Array.cast` is slower, and importing pyarrow.compute takes a tenth of the
    # start-up.
    frame = pl.read_csv(
        text, has_header=False, schema={"number": pl.Float64}, separator="\t", quote_char=None, eol_char=","
    )
    numbers = frame.to_series().to_numpy()
    # JSON decoders read -0 as 0 and -0.0 as -0.0; here both become 0, whichever decoder read the cell.
    return numbers + 0.0 if b"-" in text else numbers
