"""Work with ragged arrays: rows of different lengths, as flat values and the offsets between the rows.

Row i is `values[offsets[i]:offsets[i + 1]]`: the marks of a group, the points of a mark. This is how Arrow
stores a list column, so the functions for columns do not copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyframe.core.arrays import Floats, Ints

# At runtime, Polars is imported only by the functions that make columns: geometry does without it.
if TYPE_CHECKING:
    import polars as pl

_Number = TypeVar("_Number", np.float64, np.int64)


def offsets_of(counts: ArrayLike) -> Ints:
    """Return the offsets of rows of given lengths.

    Parameters
    ----------
    counts : array_like of int or bool, shape (n,)
        The length of each row; not negative.

    Returns
    -------
    ndarray of int64, shape (n + 1,)
        [0] if there are no rows.
    """
    lengths = np.asarray(counts, dtype=np.int64)
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def positions_of(starts: ArrayLike, counts: ArrayLike) -> Ints:
    """Return the positions of the values of some rows, to gather these rows from a flat array.

    Parameters
    ----------
    starts : array_like of int, shape (n,), or int
        The position at which each row begins; 0 for all of them numbers the values of each row from 0.
    counts : array_like of int, shape (n,)
        The length of each row; not negative.

    Returns
    -------
    ndarray of int64, shape (sum of `counts`,)
        `counts[0]` positions from `starts[0]` up, then those of the next row.
    """
    lengths = np.asarray(counts, dtype=np.int64)
    offsets = offsets_of(lengths)
    positions = np.repeat(np.asarray(starts, dtype=np.int64) - offsets[:-1], lengths)
    positions += np.arange(offsets[-1])
    return positions


def runs_of_equal(values: ArrayLike) -> Ints:
    """Return the offsets of the runs of equal neighbours.

    Parameters
    ----------
    values : array_like, shape (n,)
        Of any type that `!=` compares.

    Returns
    -------
    ndarray of int64, shape (number of runs + 1,)
        [0] if there are no values.
    """
    array = np.asarray(values)
    begins = np.ones(len(array) + 1, dtype=np.bool_)
    begins[1:-1] = array[1:] != array[:-1]
    return np.flatnonzero(begins) if len(array) else np.zeros(1, dtype=np.int64)


def cut_by_work(work: Ints, most: int) -> list[int]:
    """Return where to cut a sequence of rows into blocks of bounded work.

    Parameters
    ----------
    work : ndarray of int64, shape (n,)
        The work for each row; not negative.
    most : int
        The most work of a block of several rows. A row with more is a block of its own.

    Returns
    -------
    list of int
        The offsets of the blocks: 0, ..., n.
    """
    bounds, total = [0], 0
    for row, one in enumerate(work.tolist()):
        if total and total + one > most:
            bounds.append(row)
            total = 0
        total += one
    return [*bounds, len(work)]


def list_column(name: str, values: Floats | Ints, offsets: Ints) -> pl.Series:
    """Return a list column of flat values.

    Parameters
    ----------
    name : str
        Name of the column.
    values : (v,) float64 or int64
    offsets : (n + 1,) int64

    Returns
    -------
    polars.Series
        (n,) list<f64> or list<i64>.
    """
    return _series(name, _lists(_arrow(values), offsets))


def nested_list_column(name: str, values: Floats, inner: Ints, outer: Ints) -> pl.Series:
    """Return a column of lists of lists of flat values.

    Parameters
    ----------
    name : str
        Name of the column.
    values : (v,) float64
    inner : (m + 1,) int64
        Inner list j contains `values[inner[j]:inner[j + 1]]`.
    outer : (n + 1,) int64
        Row i contains the inner lists from `outer[i]` to `outer[i + 1] - 1`.

    Returns
    -------
    polars.Series
        (n,) list<list<f64>>.
    """
    return _series(name, _lists(_lists(_arrow(values), inner), outer))


def flatten(column: pl.Series) -> tuple[Floats, Ints]:
    """Return the flat values and the offsets of a list column.

    Parameters
    ----------
    column : polars.Series
        (n,) list<f64> without missing lists; missing numbers become NaN.

    Returns
    -------
    values : (v,) float64
    offsets : (n + 1,) int64
        Beginning with 0.
    """
    array = column.rechunk().to_arrow()
    offsets = _numbers(array.offsets, np.int64)
    return _numbers(array.values, np.float64)[offsets[0] : offsets[-1]], offsets - offsets[0]


def string_parts(column: pl.Series) -> tuple[NDArray[np.uint8], Ints]:
    """Return the UTF-8 text of a string column and the offsets of its rows.

    Parameters
    ----------
    column : polars.Series
        (n,) String without nulls.

    Returns
    -------
    text : (b,) uint8
        Read-only.
    offsets : (n + 1,) int64
        Row i is the text from `offsets[i]` to `offsets[i + 1]`.
    """
    import polars as pl

    array = column.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    if not len(array):
        return np.empty(0, np.uint8), np.zeros(1, np.int64)
    _, offsets, text = array.buffers()
    bounds = np.frombuffer(offsets, np.int64, len(array) + 1 + array.offset)[array.offset :]
    return np.frombuffer(text or b"", np.uint8)[: bounds[-1]], bounds


def string_column(text: NDArray[np.uint8], offsets: Ints) -> pl.Series:
    """Return a string column of parts of a UTF-8 buffer, which is not copied.

    Parameters
    ----------
    text : (b,) uint8
        UTF-8.
    offsets : (n + 1,) int64
        Row i is the text from `offsets[i]` to `offsets[i + 1]`. Not checked: they must ascend and be within
        the text.
    """
    import pyarrow as pa

    buffers = [None, pa.py_buffer(np.ascontiguousarray(offsets, np.int64)), pa.py_buffer(text)]
    return _series("", pa.Array.from_buffers(pa.large_string(), len(offsets) - 1, buffers))


def binary_column(name: str, data: NDArray[np.uint8], offsets: Ints) -> pl.Series:
    """Return a binary column of parts of some bytes, which are not copied.

    Parameters
    ----------
    name : str
        Name of the column.
    data : (b,) uint8
    offsets : (n + 1,) int64
        Row i is `data[offsets[i]:offsets[i + 1]]`. Not checked, as in `string_column`.
    """
    import pyarrow as pa

    buffers = [None, pa.py_buffer(np.ascontiguousarray(offsets, np.int64)), pa.py_buffer(data)]
    return _series(name, pa.Array.from_buffers(pa.large_binary(), len(offsets) - 1, buffers))


def _numbers(array: Any, dtype: type[_Number]) -> NDArray[_Number]:
    """View an Arrow array as a NumPy array; copy it only if there are missing values."""
    if array.null_count:
        return np.asarray(array.to_numpy(zero_copy_only=False), dtype)
    if not len(array):
        return np.empty(0, dtype)
    # Not `to_numpy`: it imports pandas if that is installed. Nor the array's `to_pandas_dtype`: before
    # version 26, it fails if pandas is not installed.
    return np.frombuffer(array.buffers()[1], dtype, len(array) + array.offset)[array.offset :]


class _CArray:
    """An Arrow array with only the Arrow C data interface.

    Polars accepts a PyArrow array too, but imports pyarrow.compute for it, a tenth of the start-up time.
    """

    def __init__(self, array: Any) -> None:
        self._array = array

    def __arrow_c_array__(self, requested_schema: object = None) -> Any:
        return self._array.__arrow_c_array__(requested_schema)


def _series(name: str, array: Any) -> pl.Series:
    import polars as pl

    # A series made through the C data interface has no name.
    return pl.Series(_CArray(array)).alias(name)


def _lists(values: Any, offsets: Ints) -> Any:
    import pyarrow as pa

    return pa.LargeListArray.from_arrays(_arrow(offsets), values)


def _arrow(values: NDArray[Any]) -> Any:
    """Wrap a NumPy array as an Arrow array that shares its memory."""
    # Not `pyarrow.array`: it imports pandas if that is installed.
    import pyarrow as pa

    values = np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(values)])
