"""Parse columns of text as Polars expressions; what cannot be parsed becomes null."""

from datetime import date, datetime
from typing import Final

import polars as pl

#: The format of times in Zooniverse exports.
_ZOONIVERSE: Final = "%Y-%m-%d %H:%M:%S UTC"
#: A year of four digits; Polars would read `16` as the year 16.
_YEAR: Final = r"^\s*[0-9]{4}-"
#: Offset from UTC in hours and minutes.
_OFFSET: Final = "[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9]"
#: Replaces bytes that are not UTF-8.
REPLACEMENT: Final = "\ufffd"


def integer(name: str) -> pl.Expr:
    """Parse a column of integers; also `108.0`, as pandas writes them in columns with missing values."""
    return pl.col(name).str.strip_chars().str.replace(r"\.0+$", "").cast(pl.Int64, strict=False)


def timestamp(name: str) -> pl.Expr:
    """Parse a column of times, such as `2025-01-21 16:08:41 UTC` or `2025-01-21T16:08:41.123+02:00`."""
    text = pl.when(pl.col(name).str.contains(_YEAR)).then(pl.col(name))
    # Nearly every cell has this format; only the others need the slower steps below.
    fast = text.str.to_datetime(_ZOONIVERSE, time_unit="us", strict=False)
    bare = (
        pl.when(fast.is_null())
        .then(text)
        .str.strip_chars()
        .str.replace(r"\s*(UTC|Z)$", "")
        .str.replace("T", " ", literal=True)
    )
    local = bare.str.replace(rf"\s*{_OFFSET}$", "").str.to_datetime(
        "%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False
    )
    offset = bare.str.extract(rf"({_OFFSET})$").str.replace(":", "", literal=True)
    east = offset.cast(pl.Int64, strict=False).fill_null(0)
    minutes = east.sign() * (east.abs() // 100 * 60 + east.abs() % 100)
    times = pl.coalesce(fast, local - pl.duration(minutes=minutes))
    return python_times(times).cast(pl.Datetime("us")).dt.replace_time_zone("UTC").alias(name)


def timestamp_from_time(name: str, dtype: pl.DataType) -> pl.Expr:
    """Convert a column of dates or times; times without a time zone are UTC."""
    times = pl.col(name)
    if dtype == pl.Date:
        times = pl.when(times.is_between(date.min, date.max)).then(times)
    elif isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        times = times.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return python_times(times).cast(pl.Datetime("us")).dt.replace_time_zone("UTC").alias(name)


def python_times(times: pl.Expr) -> pl.Expr:
    """Keep times that Python can represent, in the years 1 to 9999; others become null."""
    return pl.when(times.is_between(datetime.min, datetime.max)).then(times)


def boolean(name: str) -> pl.Expr:
    """Parse a column of booleans: true, t, 1, false, f, 0 in any case."""
    text = pl.col(name).str.strip_chars().str.to_lowercase()
    true, false = text.is_in(["true", "t", "1"]), text.is_in(["false", "f", "0"])
    return pl.when(true).then(statement=True).when(false).then(statement=False).alias(name)


def nonblank(name: str) -> pl.Expr:
    """Return a column of text in which blank text is null."""
    return pl.when(pl.col(name).str.strip_chars() != "").then(pl.col(name)).alias(name)
