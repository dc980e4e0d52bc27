"""Lists of numbers between frames and arrays: a list column is flat values and offsets, without a copy."""

from typing import Any, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

_Number = TypeVar("_Number", np.float64, np.int64)


def list_column(name: str, values: NDArray[np.float64], offsets: NDArray[np.int64]) -> pl.Series:
    """Make a list column from flat values.

    Parameters
    ----------
    name : str
        The column's name.
    values : (v,) float64
        All values, row after row.
    offsets : (n + 1,) int64
        Row k holds `values[offsets[k]:offsets[k + 1]]`.

    Returns
    -------
    polars.Series
        (n,) list<f64>.
    """
    return _series(name, _lists(_arrow(values), offsets))


def nested_list_column(
    name: str, values: NDArray[np.float64], inner: NDArray[np.int64], outer: NDArray[np.int64]
) -> pl.Series:
    """Make a column of lists of lists from flat values.

    Parameters
    ----------
    name : str
        The column's name.
    values : (v,) float64
        All values.
    inner : (m + 1,) int64
        Inner list j holds `values[inner[j]:inner[j + 1]]`.
    outer : (n + 1,) int64
        Row k holds the inner lists `outer[k]` up to `outer[k + 1]`.

    Returns
    -------
    polars.Series
        (n,) list<list<f64>>.
    """
    return _series(name, _lists(_lists(_arrow(values), inner), outer))


def flat(column: pl.Series) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Take a list column apart.

    Parameters
    ----------
    column : polars.Series
        (n,) list<f64> without missing values.

    Returns
    -------
    values : (v,) float64
    offsets : (n + 1,) int64
        From 0.
    """
    array = column.rechunk().to_arrow()
    offsets = _numbers(array.offsets, np.int64)
    return _numbers(array.values, np.float64)[offsets[0] : offsets[-1]], offsets - offsets[0]


def _numbers(array: Any, dtype: type[_Number]) -> NDArray[_Number]:
    """View an Arrow array as a NumPy array, without a copy; missing values are NaN, in a copy."""
    if array.null_count:
        return np.asarray(array.to_numpy(zero_copy_only=False), dtype)
    if not len(array):
        return np.empty(0, dtype)
    # Not `to_numpy`: it imports pandas where that is installed. Nor the array's `to_pandas_dtype`: before
    # version 26, it fails where pandas is not.
    return np.frombuffer(array.buffers()[1], dtype, len(array) + array.offset)[array.offset :]


class _Exported:
    """An Arrow array that shows nothing but the interface by which Arrow libraries hand arrays on.

    Polars takes a PyArrow array too, but imports pyarrow.compute for it, a tenth of the start-up.
    """

    def __init__(self, array: Any) -> None:
        self._array = array

    def __arrow_c_array__(self, requested_schema: object = None) -> Any:
        return self._array.__arrow_c_array__(requested_schema)


def _series(name: str, array: Any) -> pl.Series:
    # Through the Arrow interface, a series comes without its name.
    return pl.Series(_Exported(array)).alias(name)


def _lists(values: Any, offsets: NDArray[np.int64]) -> Any:
    import pyarrow as pa

    return pa.LargeListArray.from_arrays(_arrow(offsets), values)


def _arrow(values: NDArray[Any]) -> Any:
    """Hand an array to Arrow as it lies in memory."""
    # Not `pyarrow.array`: it imports pandas where that is installed.
    import pyarrow as pa

    kept = np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(kept.dtype), len(kept), [None, pa.py_buffer(kept)])
