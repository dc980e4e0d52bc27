"""What a run reads of the `metadata` of classifications: the session of a visitor, the size of the image.

Expressions of Polars, since metadata may be any text: what cannot be read is missing.
"""

from typing import Final

import polars as pl

from polyframe.core.choices import Visitors
from polyframe.panoptes.classifications.column_parsers import REPLACEMENT

#: How the names of visitors who are not logged in begin; a hash of their address follows.
VISITOR: Final = "not-logged-in-"
#: The columns that stand for `metadata` in what a run reads.
FROM_METADATA: Final = {"session": pl.String, "image_width": pl.Int32, "image_height": pl.Int32}

#: Metadata have about a thousand bytes; longer ones than this are not read.
_LONGEST: Final = 1_000_000
#: A text that is not blank, or a number, in UTF-8. The front end writes 64 hexadecimal digits; the volunteer
#: of every mark holds the session, so a long one would take a multiple of its size.
_SESSION: Final = r"^([^\s\[{\x{FFFD}][^\x{FFFD}]{0,199})$"
#: Quotes in a text are escaped, so this finds no text that looks like it.
_FIRST_IMAGE: Final = r'"subject_dimensions"\s*:\s*\[\s*(\{[^{}]*\})'
#: The width or the height of an image as its file has it, whatever its size on the screen.
NATURAL: Final = r'"natural{}"\s*:\s*([0-9]{{1,6}})(?:\.0*)?\s*[,}}]'


def is_visitor(name: str) -> pl.Expr:
    """Return whether a column of names has that of a visitor who is not logged in."""
    return pl.col(name).str.starts_with(VISITOR).fill_null(value=False)


def read_metadata(rows: pl.LazyFrame, visitors: Visitors) -> pl.LazyFrame:
    """Put what a run reads of the metadata in their place.

    Parameters
    ----------
    rows : polars.LazyFrame
        Has `user_name` and `metadata` (text).
    visitors : {"session", "name"}
        With `name` no session is read.

    Returns
    -------
    polars.LazyFrame
        The same rows without `metadata`, with the columns `FROM_METADATA`. `session`: the member of that name
        of the outermost object, of visitors alone; missing where the metadata are not valid JSON, or it is no
        text of at most 200 characters. `image_width` and `image_height`: of frame 0, in pixels; missing
        where they are not whole numbers above 0.
    """
    metadata = pl.when(pl.col("metadata").str.len_bytes() <= _LONGEST).then("metadata")
    # In two steps: Polars would look for the image once for each side of it.
    found = rows.with_columns(
        _session(metadata, visitors), metadata.str.extract(_FIRST_IMAGE).alias("metadata")
    )
    return found.with_columns(_side("width"), _side("height")).drop("metadata")


def volunteer() -> pl.Expr:
    """Return who classified: the name, for visitors with their session; from `user_name` and `session`.

    Missing where there is no name, and where one was not UTF-8: different ones may have become the same.
    """
    named = (
        pl.when(pl.col("session").is_not_null())
        .then(pl.concat_str("user_name", "session", separator="/"))
        .otherwise("user_name")
    )
    return known_volunteer(named)


def known_volunteer(named: pl.Expr) -> pl.Expr:
    """Return a volunteer's name; missing where it was not UTF-8."""
    return pl.when(~named.str.contains(REPLACEMENT, literal=True)).then(named).alias("volunteer")


def _session(metadata: pl.Expr, visitors: Visitors) -> pl.Expr:
    if visitors == "name":
        return pl.lit(None, pl.String).alias("session")
    of_visitors = pl.when(is_visitor("user_name")).then(metadata)
    return of_visitors.str.json_path_match("$.session").str.extract(_SESSION).alias("session")


def _side(side: str) -> pl.Expr:
    digits = pl.col("metadata").str.extract(NATURAL.format(side.capitalize()))
    pixels = digits.cast(pl.Int32, strict=False)
    return pl.when(pixels > 0).then(pixels).alias(f"image_{side}")
