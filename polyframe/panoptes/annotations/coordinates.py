"""Flat coordinate arrays from the paths of many marks.

A path comes either as the text between the brackets of a JSON array, `1.5,2,3e1`, or as a list of floats. The
text of all marks is parsed in one go, several times as fast as making a Python float of every number.
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
        The coordinates of each path; bytes are the JSON text of its numbers. x and y of a path
        are of one kind.
    lengths : sequence of int, length n
        Number of points of each path.

    Returns
    -------
    x, y : ndarray of float64, shape (n_points,)
        Numbers beyond the range of float64 become infinite; -0 is 0.
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
    # The texts stand first, then the lists; bring them into the order of the paths.
    order = np.argsort(~is_text, kind="stable")
    start = np.empty(len(order), dtype=np.int64)
    start[order] = offsets_of(length[order])[:-1]
    index = positions_of(start, length)
    return flat_x[index], flat_y[index], offsets


def numbers_from_text(text: bytes) -> Floats:
    """Return the numbers of a text such as `1.5,2,3e1`.

    Parameters
    ----------
    text : bytes
        JSON numbers with commas between them and perhaps white space; the caller has checked that it is
        nothing else.

    Returns
    -------
    ndarray of float64
        Correctly rounded; empty for an empty text, infinite beyond the range of float64; -0 is 0.
    """
    if any(space in text for space in (b" ", b"\n", b"\t", b"\r")):
        text = text.translate(None, _WHITESPACE)
    if not text:
        return np.empty(0, np.float64)
    # To Polars this is a CSV of one column with a comma at the end of each line, parsed with several
    # threads and without the GIL. `pyarrow.Array.cast` takes longer, and imports pyarrow.compute,
    # which is a tenth of the start-up.
    frame = pl.read_csv(
        text, has_header=False, schema={"number": pl.Float64}, separator="\t", quote_char=None, eol_char=","
    )
    numbers = frame.to_series().to_numpy()
    # A JSON reader makes -0 the number 0 and -0.0 the float -0.0; here both are 0, whoever read the cell.
    return numbers + 0.0 if b"-" in text else numbers
