"""Convert frames of other libraries to Polars: pandas, and any object that exports Arrow.

None of these libraries is imported to recognize a frame: pandas is recognized by the name of the type, the
others by the Arrow PyCapsule interface (`__arrow_c_stream__`), which pyarrow, DuckDB and others implement.
"""

import string
from collections.abc import Collection, Mapping
from typing import Any, Final, Protocol

import polars as pl

from polyframe.core.errors import PolyframeError, UsageError
from polyframe.core.fork_guard import use_polars
from polyframe.core.local_paths import type_name
from polyframe.core.plurals import plural

#: The kinds of frames, for messages.
FRAMES: Final = "a frame of Polars, pandas or Arrow"
#: Types of single columns, which export Arrow too but are not frames.
_COLUMNS: Final = ("Series", "Index", "ChunkedArray", "Array")
#: Invisible characters around the name of a column: white space and byte order marks.
_INVISIBLE: Final = string.whitespace + "\u00a0\ufeff\u200b"


class ArrowStream(Protocol):
    """An object that exports Arrow: a pandas frame, a pyarrow table, a DuckDB relation."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return a PyCapsule of an Arrow stream."""


Frame = pl.DataFrame | pl.LazyFrame | ArrowStream


def is_frame(value: Any) -> bool:
    """Return whether a value is a frame that `lazy_frame` accepts."""
    if isinstance(value, (pl.DataFrame, pl.LazyFrame)) or _is_pandas(value):
        return True
    is_column = isinstance(value, pl.Series) or type(value).__name__.endswith(_COLUMNS)
    return not isinstance(value, type) and not is_column and hasattr(value, "__arrow_c_stream__")


def lazy_frame(value: Any, needed: Collection[str] | None = None) -> pl.LazyFrame:
    """Convert a frame of any library to a Polars LazyFrame.

    Parameters
    ----------
    value : frame
        A value for which `is_frame` is true. A reader is read to its end.
    needed : collection of str, optional
        Names of columns, or of levels of a pandas index; others may be dropped.

    Raises
    ------
    PolyframeError
        If Arrow cannot represent a column, or if the other library cannot compute the frame.
    """
    use_polars()
    if isinstance(value, (pl.DataFrame, pl.LazyFrame)):
        return value.lazy()
    if _is_pandas(value):
        value = _pandas_to_arrow(value, needed)
    try:
        return pl.DataFrame(value).lazy()
    except Exception as error:  # of any library
        raise PolyframeError(f"the {type_name(value)} cannot be read: {_first_line(error)}") from None


def data_frame(value: Any, name: str, needed: Collection[str] | None = None) -> pl.DataFrame:
    """Convert a frame of any library to a Polars DataFrame.

    Parameters
    ----------
    value : frame
        The argument of a caller.
    name : str
        The name of the parameter, for messages.
    needed : collection of str, optional
        As for `lazy_frame`.

    Raises
    ------
    UsageError
        If the value is not a frame.
    PolyframeError
        As for `lazy_frame`, and if a lazy frame cannot be computed.
    """
    if not is_frame(value):
        raise UsageError(f"{name}: expected {FRAMES}, got {type_name(value)}")
    try:
        return lazy_frame(value, needed).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise PolyframeError(f"{name}: the frame cannot be computed: {_first_line(error)}") from None


def columns_of(
    value: Any, name: str, schema: Mapping[str, pl.DataType], needed: Collection[str] | None = None
) -> pl.DataFrame:
    """Select columns of a frame and cast them to the types of a table.

    Parameters
    ----------
    value, name
        As for `data_frame`.
    schema : mapping of str to polars.DataType
        The columns of a table.
    needed : collection of str, optional
        The columns to select; default: all.

    Raises
    ------
    UsageError
        If the value is not a frame, lacks a column, or has a column of another type.
    PolyframeError
        As for `data_frame`.
    """
    needed = list(schema if needed is None else needed)
    frame = data_frame(value, name, needed)
    names = {clean_name(column): column for column in reversed(frame.columns)}
    missing = [column for column in needed if column not in names]
    if missing:
        raise UsageError(f"{name}: the frame lacks the {plural(len(missing), 'column')} {', '.join(missing)}")
    try:
        return frame.select(pl.col(names[column]).cast(schema[column]).alias(column) for column in needed)
    except pl.exceptions.PolarsError as error:
        raise UsageError(f"{name}: the frame has columns of other types: {_first_line(error)}") from None


def clean_name(column: object) -> str:
    """Strip white space and byte order marks from the name of a column."""
    return str(column).strip(_INVISIBLE)


def _is_pandas(value: Any) -> bool:
    return any(
        kind.__name__ == "DataFrame" and kind.__module__.partition(".")[0] == "pandas"
        for kind in type(value).__mro__
    )


def _pandas_to_arrow(frame: Any, needed: Collection[str] | None) -> Any:
    """Convert a pandas frame to an Arrow table; NaN becomes missing."""
    import pyarrow as pa

    try:
        index_names = [clean_name(name) for name in frame.index.names if name is not None]
        if any(needed is None or name in needed for name in index_names):
            frame = frame.reset_index()
        if needed is not None:
            positions = [i for i, name in enumerate(frame.columns) if clean_name(name) in needed]
            frame = frame.iloc[:, positions]
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (ValueError, TypeError) as error:  # errors of Arrow derive from these
        reason = "; ".join(" ".join(str(part).split()) for part in error.args)
        advice = "; read columns of mixed types as strings: pandas.read_csv(..., dtype=str)"
        hint = advice if isinstance(error, pa.ArrowException) else ""
        raise PolyframeError(f"the pandas frame cannot be read: {reason}{hint}") from None


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
