"""Read the session of visitors and the size of images from the `metadata` of classifications.

These are Polars expressions, since metadata may be any text; what cannot be read becomes null.
"""

from typing import Final

import polars as pl

from polyframe.core.choices import Visitors
from polyframe.panoptes.classifications.column_parsers import REPLACEMENT

#: Prefix of the names of visitors who are not logged in; a hash of their address follows.
VISITOR: Final = "not-logged-in-"
#: The columns that replace `metadata`.
FROM_METADATA: Final = {"session": pl.String, "image_width": pl.Int32, "image_height": pl.Int32}

#: Longer metadata are not read; normally they have about a thousand bytes.
_LONGEST: Final = 1_000_000
#: A string that is not blank, or a number. The front end writes 64 hexadecimal digits; every mark contains
#: the session in its volunteer, so a long one would take much memory.
_SESSION: Final = r"^([^\s\[{\x{FFFD}][^\x{FFFD}]{0,199})$"
#: Quotes in a JSON string are escaped, so this does not match inside a string.
#: Without groups, which would double the time of a search.
_FIRST_IMAGE: Final = r'"subject_dimensions"\s*:\s*\[\s*\{[^{}]*\}'
#: Width or height of an image file, which may differ from its size on the screen.
NATURAL: Final = r'"natural{}"\s*:\s*([0-9]{{1,6}})(?:\.0*)?\s*[,}}]'


def is_visitor(name: str) -> pl.Expr:
    """Return whether each name is that of a visitor who is not logged in."""
    return pl.col(name).str.starts_with(VISITOR).fill_null(value=False)


def read_metadata(rows: pl.LazyFrame, visitors: Visitors) -> pl.LazyFrame:
    """Replace `metadata` by the columns `FROM_METADATA`.

    Parameters
    ----------
    rows : polars.LazyFrame
        With `user_name` and `metadata` (text).
    visitors : {"session", "name"}
        If `name`, no session is read.

    Returns
    -------
    polars.LazyFrame
        `session` of visitors: the member of that name of the outermost object; null if the metadata are not
        valid JSON or it is not a string of at most 200 characters. `image_width` and `image_height` of frame
        0 in pixels; null if they are not positive integers.
    """
    metadata = pl.when(pl.col("metadata").str.len_bytes() <= _LONGEST).then("metadata")
    # In two steps: otherwise Polars would search for the image twice.
    extracted = rows.with_columns(
        _session(metadata, visitors), metadata.str.extract(_FIRST_IMAGE, 0).alias("metadata")
    )
    return extracted.with_columns(_side("width"), _side("height")).drop("metadata")


def volunteer() -> pl.Expr:
    """Return the volunteer, from `user_name` and `session`: the name, for visitors with their session.

    Null if there is no name, or if it was not UTF-8: different names may have become equal.
    """
    name = (
        pl.when(pl.col("session").is_not_null())
        .then(pl.concat_str("user_name", "session", separator="/"))
        .otherwise("user_name")
    )
    return known_volunteer(name)


def known_volunteer(name: pl.Expr) -> pl.Expr:
    """Return the name of a volunteer; null if it was not UTF-8."""
    return pl.when(~name.str.contains(REPLACEMENT, literal=True)).then(name).alias("volunteer")


def _session(metadata: pl.Expr, visitors: Visitors) -> pl.Expr:
    if visitors == "name":
        return pl.lit(None, pl.String).alias("session")
    of_visitors = pl.when(is_visitor("user_name")).then(metadata)
    return of_visitors.str.json_path_match("$.session").str.extract(_SESSION).alias("session")


def _side(side: str) -> pl.Expr:
    digits = pl.col("metadata").str.extract(NATURAL.format(side.capitalize()))
    # Without its zeros, 0 is an empty text and becomes null. A condition would search for the digits twice.
    return digits.str.strip_chars_start("0").cast(pl.Int32, strict=False).alias(f"image_{side}")
