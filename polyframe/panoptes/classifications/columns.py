"""The columns of a classification export, and opening one that is CSV; naming what is wrong with it."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from polyframe.core.errors import PolyframeError
from polyframe.core.frames import clean_name
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
#: How much of the column names an error message shows.
_MOST_NAMES: Final = 30
_LONGEST_NAME: Final = 40


class MalformedError(Exception):
    """A CSV file is malformed; `csv_repair.repair_csv` can still read it."""


def open_csv(path: Path, kind: Kind, name: str) -> pl.LazyFrame:
    """Open a CSV export as a lazy frame of text columns with the number of each row.

    Parameters
    ----------
    path : Path
        A CSV file in UTF-8; byte order mark and Windows line ends are fine.
    kind : {"csv", "gzip", "zstd"}
        How it is packed.
    name : str
        What it is called in messages.

    Returns
    -------
    polars.LazyFrame
        `row` (from 1, without the header), `REQUIRED` and `OPTIONAL`; all text, missing where empty. Blank
        lines are no rows.

    Raises
    ------
    PolyframeError
        Where the file is empty, no CSV in UTF-8, or lacks columns; the message names which.
    MalformedError
        Where the first rows are enough to see that it is not well formed.
    """
    _check_start(path, kind, name)
    # Before Polars sees it: of a file without line ends, Polars takes all for the header.
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
        # Polars looks at the first rows too.
        raise MalformedError(name) from None
    if not set(REQUIRED) <= names.keys():
        raise MalformedError(name)
    return tidy(lazy.select(ROW_NUMBER, **names), list(names))


def known_columns(found: Iterable[str]) -> dict[str, str]:
    """Return the columns of an export that a file has: what they are called in it, by their names here.

    Parameters
    ----------
    found : iterable of str
        The columns of the file. Blanks and byte order marks around a name do not matter, where none is
        without.
    """
    by_name: dict[str, str] = {}
    for column in sorted(found, key=len):
        by_name.setdefault(clean_name(column), column)
    return {name: by_name[name] for name in (*REQUIRED, *OPTIONAL) if name in by_name}


def check_columns(found: Sequence[str], name: str, form: str = "CSV in UTF-8, or Parquet,") -> None:
    """Raise a PolyframeError that names the columns which an export lacks.

    Parameters
    ----------
    found : sequence of str
        The columns it has.
    name : str
        What it is called in messages.
    form : str
        What it is expected to be.
    """
    found = list(map(clean_name, found))
    missing = [column for column in REQUIRED if column not in found]
    if not missing:
        return
    if len(missing) == len(REQUIRED):
        expected = f"expected {form} with the columns {', '.join(REQUIRED)}"
        raise PolyframeError(f"{name}: is no classification export; {expected}")
    shown = [" ".join(column.split())[:_LONGEST_NAME] for column in found[:_MOST_NAMES]]
    near = nearest(missing[0], shown) if len(missing) == 1 else f"; found: {', '.join(shown)}"
    # Zooniverse gives several exports of a project, which are easily mistaken for one another.
    if len(missing) > 2:
        near += "; name the classification export"
    raise PolyframeError(f"{name}: column{'s'[: len(missing) - 1]} missing: {', '.join(missing)}{near}")


def tidy(lazy: pl.LazyFrame, found: Sequence[str]) -> pl.LazyFrame:
    """Select `row` and the known columns, add the optional ones that are absent, drop blank lines.

    Parameters
    ----------
    lazy : polars.LazyFrame
        `ROW_NUMBER` and columns of text.
    found : sequence of str
        Which columns there are.
    """
    absent = [pl.lit(None, pl.String).alias(name) for name in OPTIONAL if name not in found]
    present = [pl.col(name) for name in OPTIONAL if name in found]
    blank = pl.all_horizontal(pl.col(name).is_null() for name in REQUIRED)
    row = pl.col(ROW_NUMBER).alias("row")
    text = lazy.select(row, *REQUIRED, *present, *absent).filter(~blank)
    return text.select("row", *REQUIRED, *OPTIONAL)


def _check_start(path: Path, kind: Kind, name: str) -> None:
    """Raise a PolyframeError that says why a file cannot be an export, where a look at its start tells."""
    damage: list[str] = []
    start = next(blocks(path, kind, damage), b"")[:4096]
    if damage and b"\n" not in start:
        advice = "" if ";" in damage[0] else "; download it again"
        raise PolyframeError(f"{name}: {damage[0]}{advice}")
    if not start.strip():
        raise PolyframeError(f"{name}: is empty; expected a classification export (CSV)")
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in start.split(b"\n", 1)[0]:
        raise PolyframeError(f"{name}: is not UTF-8 text; save the export as CSV in UTF-8")
