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
    # Not one expression: Polars evaluates a part of an expression as often as it occurs, here ten times.
    times = pl.col(name).map_batches(_times, pl.Datetime("us", "UTC"), is_elementwise=True)
    return times.alias(name)


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


def _times(cells: pl.Series) -> pl.Series:
    """Parse times; nearly every cell has the format of Zooniverse, only the others need the slower steps."""
    cell = pl.col("cell")
    dated = pl.when(cell.str.contains(_YEAR)).then(cell)
    usual = dated.str.to_datetime(_ZOONIVERSE, time_unit="us", strict=False)
    columns = cells.to_frame("cell").select(dated, usual.alias("time"))
    if columns["time"].null_count() > columns["cell"].null_count():
        other = pl.when(pl.col("time").is_null()).then(cell).alias("cell")
        columns = columns.with_columns(_other_times(columns.select(other)).alias("other"))
        columns = columns.select(pl.coalesce("time", "other").alias("time"))
    return columns.select(python_times(pl.col("time")).dt.replace_time_zone("UTC")).to_series()


def _other_times(cells: pl.DataFrame) -> pl.Series:
    """Parse times with a `T`, fractions of a second, an offset from UTC, or without a time zone."""
    bare = (
        pl.col("cell").str.strip_chars().str.replace(r"\s*(UTC|Z)$", "").str.replace("T", " ", literal=True)
    )
    texts = cells.select(bare)
    local = pl.col("cell").str.replace(rf"\s*{_OFFSET}$", "")
    offset = pl.col("cell").str.extract(rf"({_OFFSET})$").str.replace(":", "", literal=True)
    parts = texts.select(
        local.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False).alias("local"),
        offset.cast(pl.Int64, strict=False).fill_null(0).alias("east"),
    )
    east = pl.col("east")
    minutes = east.sign() * (east.abs() // 100 * 60 + east.abs() % 100)
    return parts.select(pl.col("local") - pl.duration(minutes=minutes)).to_series()
