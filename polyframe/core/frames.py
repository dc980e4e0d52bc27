"""Take frames of other libraries: pandas, and whatever hands over its columns as Arrow.

None of these libraries is needed: what a frame is tells its type, and the Arrow PyCapsule interface
(`__arrow_c_stream__`), which tables and readers of pyarrow, relations of DuckDB and many others have.
"""

import string
from collections.abc import Collection, Mapping
from typing import Any, Final, Protocol

import polars as pl

from polyframe.core.errors import PolyframeError, UsageError
from polyframe.core.forks import use_polars
from polyframe.core.local_paths import type_name

#: What messages name.
FRAMES: Final = "a frame of Polars, pandas or Arrow"
#: Columns by themselves hand over Arrow too.
_COLUMNS: Final = ("Series", "Index", "ChunkedArray", "Array")
#: What may stand around the name of a column unseen: blanks, and marks of the encoding.
_UNSEEN: Final = string.whitespace + "\u00a0\ufeff\u200b"


class ArrowStream(Protocol):
    """What hands over its columns as Arrow: frames of pandas, tables of pyarrow, relations of DuckDB."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return a PyCapsule of an Arrow stream."""


Frame = pl.DataFrame | pl.LazyFrame | ArrowStream


def is_frame(value: Any) -> bool:
    """Tell whether a value is a frame, so that `lazy_frame` takes it."""
    if isinstance(value, (pl.DataFrame, pl.LazyFrame)) or _is_pandas(value):
        return True
    is_column = isinstance(value, pl.Series) or type(value).__name__.endswith(_COLUMNS)
    return not isinstance(value, type) and not is_column and hasattr(value, "__arrow_c_stream__")


def lazy_frame(value: Any, wanted: Collection[str] | None = None) -> pl.LazyFrame:
    """Return a frame of any library as a lazy one of Polars.

    Parameters
    ----------
    value : frame
        For which `is_frame` is true. A reader is read to its end.
    wanted : collection of str, optional
        The columns that matter; others may be left out, whatever they hold. Those of an index of pandas
        count too.

    Raises
    ------
    PolyframeError
        Where a column holds what Arrow cannot, or the other library cannot compute its frame.
    """
    use_polars()
    if isinstance(value, (pl.DataFrame, pl.LazyFrame)):
        return value.lazy()
    if _is_pandas(value):
        value = _arrow_of_pandas(value, wanted)
    try:
        return pl.DataFrame(value).lazy()
    except Exception as error:  # of whatever library computes the frame
        raise PolyframeError(f"the {type_name(value)} cannot be read: {_first_line(error)}") from None


def data_frame(value: Any, name: str, wanted: Collection[str] | None = None) -> pl.DataFrame:
    """Return a frame of any library as one of Polars, in memory.

    Parameters
    ----------
    value : frame
        What a caller has given.
    name : str
        What messages call the parameter.
    wanted : collection of str, optional
        As for `lazy_frame`.

    Raises
    ------
    UsageError
        Where it is no frame.
    PolyframeError
        As from `lazy_frame`, and where a lazy frame cannot be computed.
    """
    if not is_frame(value):
        raise UsageError(f"{name}: expected {FRAMES}, got {type_name(value)}")
    try:
        return lazy_frame(value, wanted).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise PolyframeError(f"{name}: the frame cannot be computed: {_first_line(error)}") from None


def columns_of(
    value: Any, name: str, schema: Mapping[str, pl.DataType], needed: Collection[str] | None = None
) -> pl.DataFrame:
    """Return those columns of a frame that are needed, with their types.

    Parameters
    ----------
    value, name
        As for `data_frame`.
    schema : mapping of str to polars.DataType
        The columns of a table.
    needed : collection of str, optional
        Some of them; all where not given.

    Raises
    ------
    UsageError
        Where it is no frame, lacks a column, or one holds another type.
    PolyframeError
        As from `data_frame`.
    """
    needed = list(schema if needed is None else needed)
    frame = data_frame(value, name, needed)
    names = {clean_name(column): column for column in reversed(frame.columns)}
    missing = [column for column in needed if column not in names]
    if missing:
        raise UsageError(f"{name}: the frame lacks the columns {', '.join(missing)}")
    try:
        return frame.select(pl.col(names[column]).cast(schema[column]).alias(column) for column in needed)
    except pl.exceptions.PolarsError as error:
        raise UsageError(f"{name}: the frame has columns of other types: {_first_line(error)}") from None


def clean_name(column: object) -> str:
    """Return the name of a column without blanks and byte order marks around it."""
    return str(column).strip(_UNSEEN)


def _is_pandas(value: Any) -> bool:
    return any(
        kind.__name__ == "DataFrame" and kind.__module__.partition(".")[0] == "pandas"
        for kind in type(value).__mro__
    )


def _arrow_of_pandas(frame: Any, wanted: Collection[str] | None) -> Any:
    """Turn a frame of pandas into an Arrow table, NaN into missing values."""
    import pyarrow as pa

    try:
        if wanted is not None:
            if any(name is not None and clean_name(name) in wanted for name in frame.index.names):
                frame = frame.reset_index()
            kept = [place for place, name in enumerate(frame.columns) if clean_name(name) in wanted]
            frame = frame.iloc[:, kept]
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (ValueError, TypeError) as error:  # those of Arrow are among them
        reason = "; ".join(" ".join(str(part).split()) for part in error.args)
        advice = "; read columns of mixed types as text: pandas.read_csv(..., dtype=str)"
        mixed = advice if isinstance(error, pa.ArrowException) else ""
        raise PolyframeError(f"the frame of pandas cannot be read: {reason}{mixed}") from None


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
