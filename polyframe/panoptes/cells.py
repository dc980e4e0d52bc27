"""The plain cells of an export, read from text as Polars expressions; what cannot be read is missing."""

from typing import Final

import polars as pl

from polyframe.tables import TIMESTAMP

#: What stands in place of bytes that are no UTF-8.
REPLACEMENT: Final = "\ufffd"


def whole_number(name: str) -> pl.Expr:
    """Read a column of whole numbers; `108.0` counts, since pandas writes them so in columns with gaps."""
    return pl.col(name).str.strip_chars().str.replace(r"\.0+$", "").cast(pl.Int64, strict=False)


def timestamp(name: str) -> pl.Expr:
    """Read a column of times, such as `2025-01-21 16:08:41 UTC` or `2025-01-21T16:08:41.123+02:00`."""
    bare = pl.col(name).str.strip_chars().str.replace(r"\s*(UTC|Z)$", "").str.replace("T", " ", literal=True)
    local = bare.str.replace(r"\s*[+-]\d\d:?\d\d$", "").str.to_datetime(
        "%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False
    )
    east = (
        bare.str.extract(r"([+-]\d\d:?\d\d)$").str.replace(":", "", literal=True).cast(pl.Int64).fill_null(0)
    )
    minutes = east.sign() * (east.abs() // 100 * 60 + east.abs() % 100)
    return (local - pl.duration(minutes=minutes)).dt.replace_time_zone("UTC").cast(TIMESTAMP).alias(name)


def boolean(name: str) -> pl.Expr:
    """Read a column of truth values: true, t, 1, false, f, 0 in any case."""
    text = pl.col(name).str.strip_chars().str.to_lowercase()
    true, false = text.is_in(["true", "t", "1"]), text.is_in(["false", "f", "0"])
    return pl.when(true).then(statement=True).when(false).then(statement=False).alias(name)


def text_or_missing(name: str) -> pl.Expr:
    """Read a column of text; blanks alone are missing."""
    return pl.when(pl.col(name).str.strip_chars() != "").then(pl.col(name)).alias(name)
