"""Convert tables to Arrow with the types and the nullability that their part files have.

Polars exports strings, bytes and lists with 64-bit offsets, as `large_string`, `large_binary` and
`large_list`. GeoParquet requires `binary`, and some readers know no other types, so files have the types with
32-bit offsets. These reach 2 GB, so a table is converted in blocks of rows: each becomes a row group.
"""

import functools
from typing import Any, Final

import numpy as np
import polars as pl

from polyframe.core.arrays import Ints
from polyframe.core.ragged import runs_of_equal
from polyframe.core.table_schema import Table

#: About how many bytes of values a row group has, before they are encoded. A reader of one subject reads one
#: row group; each row group adds about 100 bytes for each column to the footer.
ROW_GROUP_BYTES: Final = 4_000_000
#: The largest offset of 32 bits.
_LAST_OFFSET: Final = 2**31 - 1


@functools.cache
def arrow_schema(table: Table) -> Any:
    """Return the Arrow schema of the part files of a table, without metadata."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field(column.name, _arrow_type(column.dtype), nullable=column.nullable)
            for column in table.columns
        ]
    )


def row_groups(frame: pl.DataFrame) -> Ints:
    """Divide the rows of a table into row groups of about `ROW_GROUP_BYTES`, by subject.

    Parameters
    ----------
    frame : polars.DataFrame
        The rows in their order.

    Returns
    -------
    ndarray of int64, shape (number of row groups + 1,)
        The offsets of the row groups. A subject is in one row group, unless it is larger than that. Without
        rows, there is one row group without rows: some readers need one.
    """
    if frame.is_empty():
        return np.zeros(2, np.int64)
    sizes = _bytes_of_rows(frame)
    starts = _starts_of_subjects(frame, sizes)
    whole = int(sizes.sum())
    # Of equal size, rather than a small one at the end.
    count = -(-whole // ROW_GROUP_BYTES)
    return runs_of_equal(starts * count // whole)


def arrow_table(frame: pl.DataFrame, schema: Any) -> Any:
    """Convert some rows of a table to Arrow; numbers and text are not copied, other than by Polars.

    Parameters
    ----------
    frame : polars.DataFrame
        Rows with the columns of the schema.
    schema : pyarrow.Schema
        From `arrow_schema`; it may have metadata.

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    ValueError
        If a value is missing in a column that is not nullable.
    OverflowError
        If a column has more than 2 GB. In a row group, nearly all of that is a single row.
    """
    import pyarrow as pa

    # Not `pyarrow.Table.cast`: it imports pyarrow.compute, a tenth of the start-up time.
    arrays = [
        _as_field(frame[field.name].rechunk().to_arrow(compat_level=pl.CompatLevel.oldest()), field)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _arrow_type(dtype: Any) -> Any:
    import pyarrow as pa

    if isinstance(dtype, pl.List):
        return pa.list_(pa.field("element", _arrow_type(dtype.inner), nullable=False))
    if isinstance(dtype, pl.Datetime):
        return pa.timestamp(dtype.time_unit, tz=dtype.time_zone)
    types = {
        pl.Int64: pa.int64(),
        pl.Int32: pa.int32(),
        pl.Float64: pa.float64(),
        pl.Boolean: pa.bool_(),
        pl.String: pa.string(),
        pl.Binary: pa.binary(),
    }
    return types[dtype]


def _starts_of_subjects(frame: pl.DataFrame, sizes: Ints) -> Ints:
    """Return how many bytes come before the subject of each row; before the row, if the subject is large."""
    starts = np.cumsum(sizes) - sizes
    if "subject_id" not in frame.columns:
        return starts
    offsets = runs_of_equal(frame["subject_id"].fill_null(-1).to_numpy())
    of_subjects = starts[offsets[:-1]]
    is_small = np.add.reduceat(sizes, offsets[:-1]) <= ROW_GROUP_BYTES
    counts = np.diff(offsets)
    return np.where(np.repeat(is_small, counts), np.repeat(of_subjects, counts), starts)


def _bytes_of_rows(frame: pl.DataFrame) -> Ints:
    """Return about how many bytes the values of each row take; at least 1."""
    total = np.ones(frame.height, np.int64)
    for column in frame:
        if isinstance(column.dtype, pl.List):
            # The innermost values are most of it, and all have 8 bytes or less.
            total += 8 * np.diff(_innermost_offsets(column.rechunk().to_arrow()))
        elif column.dtype == pl.Binary:
            total += column.bin.size().fill_null(0).to_numpy()
        elif column.dtype == pl.String:
            total += column.str.len_bytes().fill_null(0).to_numpy()
        else:
            total += 8
    return total


def _innermost_offsets(array: Any) -> Ints:
    """Return the offsets of the rows of an Arrow list array in its innermost values."""
    bounds = _offsets(array)
    while _is_list((array := array.values).type):
        bounds = _offsets(array)[bounds]
    return bounds


def _as_field(array: Any, field: Any) -> Any:
    """Convert an array with 64-bit offsets to the type of a field."""
    import pyarrow as pa

    if array.null_count and not field.nullable:
        raise ValueError(f"{array.null_count} values of {field.name} are missing, which is not nullable")
    if array.type == field.type:
        return array
    if not len(array):
        return pa.nulls(0, field.type)
    offsets = _offsets(array)
    first, last = int(offsets[0]), int(offsets[-1])
    if last - first > _LAST_OFFSET:
        raise OverflowError(f"a row group of {field.name} has more than 2 GB")
    # Polars exports the bits of missing values from the first row on, whatever part of a column it exports.
    assert not (array.null_count and array.offset)
    validity = array.buffers()[0] if array.null_count else None
    buffers, children = [validity, pa.py_buffer((offsets - first).astype(np.int32))], None
    if _is_list(array.type):
        children = [_as_field(array.values.slice(first, last - first), field.type.value_field)]
    else:
        data = array.buffers()[2]
        buffers.append(pa.py_buffer(b"") if data is None else data.slice(first, last - first))
    return pa.Array.from_buffers(field.type, len(array), buffers, array.null_count, children=children)


def _is_list(arrow_type: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_large_list(arrow_type))


def _offsets(array: Any) -> Ints:
    """Return the offsets, of 64 bits, of the rows of an array of lists, strings or bytes."""
    if not len(array):
        return np.zeros(1, np.int64)
    return np.frombuffer(array.buffers()[1], np.int64, array.offset + len(array) + 1)[array.offset :]
