"""The export as a file: open it, mend it where it is not well formed, name what is wrong with it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl

from polyframe._errors import PolyframeError
from polyframe.panoptes import mending
from polyframe.settings import nearest

REQUIRED: Final = (
    "classification_id",
    "user_name",
    "workflow_id",
    "workflow_version",
    "created_at",
    "annotations",
    "subject_ids",
)
OPTIONAL: Final = ("user_id", "gold_standard", "workflow_name")


def open_export(path: Path) -> pl.LazyFrame:
    """Open an export as a lazy frame of text columns with the number of each row.

    Parameters
    ----------
    path : Path
        A CSV file in UTF-8, plain or gzip; byte order mark and Windows line ends are fine.

    Returns
    -------
    polars.LazyFrame
        `row` (from 1, without the header), `REQUIRED` and `OPTIONAL`; all text, missing where empty. Blank
        lines are no rows.

    Raises
    ------
    PolyframeError
        Where the file is missing, empty, no CSV in UTF-8, or lacks columns; the message names which.
    """
    mending.check_readable(path)
    try:
        lazy = pl.scan_csv(
            path,
            infer_schema=False,
            encoding="utf8-lossy",
            row_index_name="row",
            row_index_offset=1,
            truncate_ragged_lines=True,
            missing_columns="insert",
            glob=False,
        )
        found = lazy.collect_schema().names()
    except (pl.exceptions.PolarsError, OSError):
        # Polars looks at the first rows too; the header alone may be fine.
        lazy = None
        found = ["row", *mending.read_header(path)]
    _check_columns(path, found[1:])
    if lazy is None:
        raise MalformedError(path)
    return _tidy(lazy, found)


class MalformedError(Exception):
    """An export is no well-formed CSV; `mend_export` reads it all the same."""


def mend_export(path: Path, folder: Path) -> tuple[pl.LazyFrame, str]:
    """Read a CSV that is not well formed, line by line, into a temporary copy, and open that.

    Parameters
    ----------
    path : Path
        The export.
    folder : Path
        Where the copy goes.

    Returns
    -------
    copy : polars.LazyFrame
        As from `open_export`. Lines that cannot be told apart stand in it as they are, to be rejected later.
    note : str
        What was wrong, for people.
    """
    lazy, note = mending.mend(path, folder, [*REQUIRED, *OPTIONAL])
    return _tidy(lazy, lazy.collect_schema().names()), note


def _check_columns(path: Path, found: Sequence[str]) -> None:
    missing = [name for name in REQUIRED if name not in found]
    if not missing:
        return
    if len(missing) == len(REQUIRED):
        expected = f"expected CSV in UTF-8 with the columns {', '.join(REQUIRED)}"
        raise PolyframeError(f"{path}: is no classification export; {expected}")
    near = nearest(missing[0], found) if len(missing) == 1 else f"; found: {', '.join(found)}"
    raise PolyframeError(f"{path}: column{'s'[: len(missing) - 1]} missing: {', '.join(missing)}{near}")


def _tidy(lazy: pl.LazyFrame, found: Sequence[str]) -> pl.LazyFrame:
    """Select the known columns, add the optional ones that are absent, drop blank lines."""
    absent = [pl.lit(None, pl.String).alias(name) for name in OPTIONAL if name not in found]
    present = [name for name in OPTIONAL if name in found]
    blank = pl.all_horizontal(pl.col(name).is_null() for name in REQUIRED)
    return lazy.select("row", *REQUIRED, *present, *absent).filter(~blank)
