"""Lists of numbers between frames and arrays: a list column is flat values and offsets, without a copy."""

import numpy as np
import polars as pl
from numpy.typing import NDArray


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
    import pyarrow as pa

    return pl.Series(name, pl.from_arrow(pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values))))


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
    import pyarrow as pa

    lists = pa.LargeListArray.from_arrays(pa.array(inner), pa.array(values))
    return pl.Series(name, pl.from_arrow(pa.LargeListArray.from_arrays(pa.array(outer), lists)))


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
    offsets = array.offsets.to_numpy().astype(np.int64, copy=False)
    values = array.values.to_numpy(zero_copy_only=False)[offsets[0] : offsets[-1]]
    return values, offsets - offsets[0]
