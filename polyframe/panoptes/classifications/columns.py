"""Define the columns of a classification export, open one that is CSV, and say what is wrong with it."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from polyframe.core.errors import PolyframeError
from polyframe.core.frames import clean_name
from polyframe.core.plurals import plural
from polyframe.core.suggestions import nearest
from polyframe.panoptes.classifications.compression import Kind, blocks
from polyframe.panoptes.classifications.csv_repair import ROW_NUMBER, read_header

REQUIRED: Final = (
    "classification_id",
    "user_name",
    "workflow_id",
    "workflow_version",
    "created_at",
    "annotations",
    "subject_ids",
)
OPTIONAL: Final = ("user_id", "gold_standard", "workflow_name", "metadata")
#: How many column names an error message shows, and how much of each.
_MOST_NAMES: Final = 30
_LONGEST_NAME: Final = 40


class MalformedError(Exception):
    """A CSV file is malformed; `csv_repair.repair_csv` can still read it."""


def open_csv(path: Path, kind: Kind, name: str) -> pl.LazyFrame:
    """Open a CSV export as a lazy frame of text columns with row numbers.

    Parameters
    ----------
    path : Path
        A CSV file in UTF-8; a byte order mark and Windows line endings are allowed.
    kind : {"csv", "gzip", "zstd"}
        Its compression.
    name : str
        Its name in messages.

    Returns
    -------
    polars.LazyFrame
        `row` (from 1, without the header), `REQUIRED` and `OPTIONAL`; all text, null if empty. Blank lines
        are dropped.

    Raises
    ------
    PolyframeError
        If the file is empty, not CSV in UTF-8, or lacks columns.
    MalformedError
        If the first rows show that it is malformed.
    """
    _check_start(path, kind, name)
    # First, since Polars reads all of a file without line ends as the header.
    check_columns(read_header(path, kind), name)
    try:
        lazy = pl.scan_csv(
            path,
            infer_schema=False,
            encoding="utf8-lossy",
            row_index_name=ROW_NUMBER,
            row_index_offset=1,
            truncate_ragged_lines=True,
            missing_columns="insert",
            glob=False,
        )
        names = known_columns(lazy.collect_schema().names())
    except (pl.exceptions.PolarsError, OSError):
        # Polars parses the first rows too.
        raise MalformedError(name) from None
    if not set(REQUIRED) <= names.keys():
        raise MalformedError(name)
    return select_known_columns(lazy.select(ROW_NUMBER, **names), list(names))


def known_columns(columns: Iterable[str]) -> dict[str, str]:
    """Map names of export columns to their names in a file; columns that it lacks are omitted.

    Parameters
    ----------
    columns : iterable of str
        The columns of the file. Blanks and byte order marks around a name are ignored, unless a column
        matches without them.
    """
    by_name: dict[str, str] = {}
    for column in sorted(columns, key=len):
        by_name.setdefault(clean_name(column), column)
    return {name: by_name[name] for name in (*REQUIRED, *OPTIONAL) if name in by_name}


def check_columns(columns: Sequence[str], name: str, form: str = "CSV in UTF-8 or Parquet") -> None:
    """Raise a PolyframeError that lists missing columns, if there are any.

    Parameters
    ----------
    columns : sequence of str
        The columns of the export.
    name : str
        Its name in messages.
    form : str
        The expected kind of input.
    """
    columns = list(map(clean_name, columns))
    missing = [column for column in REQUIRED if column not in columns]
    if not missing:
        return
    if len(missing) == len(REQUIRED):
        expected = f"expected {form} with the columns {', '.join(REQUIRED)}"
        raise PolyframeError(f"{name}: not a classification export; {expected}")
    shown = [" ".join(column.split())[:_LONGEST_NAME] for column in columns[:_MOST_NAMES]]
    hint = nearest(missing[0], shown) if len(missing) == 1 else f"; columns: {', '.join(shown)}"
    # A project has several exports, which are easily confused.
    if len(missing) > 2:
        hint += "; name the classification export"
    raise PolyframeError(
        f"{name}: not a classification export: missing {plural(len(missing), 'column')} "
        f"{', '.join(missing)}{hint}"
    )


def select_known_columns(lazy: pl.LazyFrame, columns: Sequence[str]) -> pl.LazyFrame:
    """Select `row` and the known columns, add missing optional ones, drop blank lines.

    Parameters
    ----------
    lazy : polars.LazyFrame
        `ROW_NUMBER` and text columns.
    columns : sequence of str
        The columns that it has.
    """
    absent = [pl.lit(None, pl.String).alias(name) for name in OPTIONAL if name not in columns]
    present = [pl.col(name) for name in OPTIONAL if name in columns]
    blank = pl.all_horizontal(pl.col(name).is_null() for name in REQUIRED)
    row = pl.col(ROW_NUMBER).alias("row")
    text = lazy.select(row, *REQUIRED, *present, *absent).filter(~blank)
    return text.select("row", *REQUIRED, *OPTIONAL)


def _check_start(path: Path, kind: Kind, name: str) -> None:
    """Raise a PolyframeError if the start of a file shows that it is not an export."""
    damage: list[str] = []
    start = next(blocks(path, kind, damage), b"")[:4096]
    if damage and b"\n" not in start:
        advice = "" if ";" in damage[0] else "; download it again"
        raise PolyframeError(f"{name}: {damage[0]}{advice}")
    if not start.strip():
        raise PolyframeError(f"{name}: is empty; expected a classification export (CSV)")
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in start.split(b"\n", 1)[0]:
        raise PolyframeError(f"{name}: is not UTF-8 text; save the export as CSV in UTF-8")
