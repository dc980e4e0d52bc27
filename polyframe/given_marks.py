"""The marks that the public functions take: of an extraction, in a frame, in a directory or in a CSV file."""

import os
from pathlib import Path
from typing import Any

import polars as pl

from polyframe import dataset, takeover
from polyframe._errors import PolyframeError, UsageError
from polyframe.extraction import Extraction
from polyframe.panoptes.cells import boolean, timestamp, timestamp_from_time, whole_number
from polyframe.panoptes.metadata import known_volunteer
from polyframe.settings import Settings
from polyframe.tables import EXTRACTIONS, TIMESTAMP
from polyframe.votes import is_no_json

Found = Extraction | pl.DataFrame | pl.LazyFrame | str | os.PathLike[str]


def frames_of(found: Found, settings: Settings) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Return marks as the tables `extractions` and `classifications`.

    Parameters
    ----------
    found : Extraction, polars.DataFrame, polars.LazyFrame or path
        What `extract` gave; a frame with the columns of the table extractions; an output directory; or a CSV
        file of extractions that panoptes_aggregation wrote.
    settings : Settings
        For that CSV file, which does not say the version of the workflow.

    Returns
    -------
    extractions : polars.DataFrame
    classifications : polars.DataFrame or None
        None for a frame, which tells only of classifications with a mark.

    Raises
    ------
    UsageError
        Where a frame lacks a column, or a row of it a key.
    PolyframeError
        Where a frame does not fit the table, or a file cannot be read.
    """
    if isinstance(found, Extraction):
        return _with_volunteers(found.extractions), _with_volunteers(found.classifications)
    if isinstance(found, pl.LazyFrame):
        found = found.collect()
    if isinstance(found, pl.DataFrame):
        return _as_extractions(found), None
    output = Path(found)
    if output.is_file():
        extracted = takeover.extract_csv(output, settings)
        return extracted.extractions, extracted.classifications
    return dataset.read_table(output, "extractions"), dataset.read_table(output, "classifications")


def _as_extractions(frame: pl.DataFrame) -> pl.DataFrame:
    """Give a user's frame the columns, types and order of the table; optional columns may be absent.

    Without `volunteer`, `user_name` says who drew a mark.
    """
    needed: dict[str, Any] = dict(EXTRACTIONS.schema)
    optional = ("user_id", "tool_type", "gold_standard", "details", "volunteer", "user_name", "created_at")
    missing = [name for name in needed if name not in frame.columns and name not in optional]
    if missing:
        raise UsageError(f"the frame lacks the columns {', '.join(missing)} of the table extractions")
    frame = frame.with_columns(_read_column(name, dtype) for name, dtype in frame.schema.items())
    added = [pl.lit(None, needed[name]).alias(name) for name in optional if name not in frame.columns]
    _check_rows(frame, [name for name in needed if name not in optional])
    try:
        return _with_volunteers(EXTRACTIONS.conform(frame.with_columns(added)))
    except pl.exceptions.PolarsError as error:
        raise PolyframeError(
            f"the frame does not fit the table extractions: {str(error).splitlines()[0]}"
        ) from None


def _with_volunteers(frame: pl.DataFrame) -> pl.DataFrame:
    """Let `user_name` say who it was where `volunteer` does not."""
    known = [name for name in ("volunteer", "user_name") if name in frame.columns]
    return frame.with_columns(known_volunteer(pl.coalesce(known))) if known else frame


def _read_column(name: str, dtype: pl.DataType) -> pl.Expr:
    """Read text where the table has numbers, times or truth values; what cannot be read is missing."""
    expected = EXTRACTIONS.schema.get(name)
    if expected == TIMESTAMP and isinstance(dtype, pl.Datetime | pl.Date):
        return timestamp_from_time(name, dtype)
    if dtype != pl.String or expected is None or expected == pl.String:
        return pl.col(name)
    if expected == TIMESTAMP:
        return timestamp(name)
    if expected.is_nested():
        return pl.col(name)
    return boolean(name) if expected == pl.Boolean else whole_number(name)


def _check_rows(frame: pl.DataFrame, required: list[str]) -> None:
    """Raise a UsageError that names the first row without a key, or with lists or details of a wrong form."""
    problems = {
        **{f"has no {name}": frame[name].is_null() for name in required},
        "has x and y of different lengths": frame["x"].list.len() != frame["y"].list.len(),
    }
    if frame.schema.get("details") == pl.String:
        problems["has details that are no JSON"] = is_no_json(frame["details"])
    for problem, found in problems.items():
        if found.any():
            raise UsageError(f"row {found.arg_true()[0]} of the frame (from 0) {problem}")
