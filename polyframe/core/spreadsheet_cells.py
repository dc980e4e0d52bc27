"""Write text into CSV files so that no spreadsheet runs it as a formula."""

import re
import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars as pl

#: A spreadsheet reads text that starts with one of these as a formula, also in full-width forms.
_FORMULA_SIGNS: Final = ("=", "+", "-", "@")
#: Some ignore white space, control characters and invisible characters before it.
_IGNORED: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f\xad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]*")
#: Without quotes, a new cell starts after these.
_CELL_ENDS: Final = ("\t", "\r", "\n")


def escape_formula(text: str) -> str:
    """Return a string that no spreadsheet reads as a formula: prefixed with an apostrophe if one might."""
    begin = _IGNORED.match(text)
    first = unicodedata.normalize("NFKC", text[begin.end() :][:1]) if begin else ""
    return f"'{text}" if first in _FORMULA_SIGNS or text.startswith(_CELL_ENDS) else text


def unescape_formula(text: str) -> str:
    """Return the string that `escape_formula` has changed, or the same one."""
    return text[1:] if text.startswith("'") and escape_formula(text[1:]) == text else text


def escape_formulas(table: "pl.DataFrame") -> "pl.DataFrame":
    """Return a table with `escape_formula` of every text; missing values stay missing."""
    import polars as pl

    columns = []
    for column in table.select(pl.col(pl.String)):
        # Most are repeated, such as the names of tools.
        texts = column.unique().drop_nulls()
        escaped = pl.Series([escape_formula(text) for text in texts], dtype=pl.String)
        columns.append(column.replace_strict(texts, escaped, default=None, return_dtype=pl.String))
    return table.with_columns(columns)
