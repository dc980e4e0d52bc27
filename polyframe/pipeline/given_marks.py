"""The marks that the public functions take: of an extraction, in a frame, in a directory or in a CSV file."""

import os
from pathlib import Path
from typing import Any, Final

import polars as pl

from polyframe.consensus.extract import Extraction
from polyframe.consensus.votes import invalid_json
from polyframe.core.errors import PolyframeError, UsageError
from polyframe.core.forks import use_polars
from polyframe.core.frames import FRAMES, Frame, clean_name, data_frame, is_frame
from polyframe.core.local_paths import local_path
from polyframe.core.settings import Settings
from polyframe.core.tables import EXTRACTIONS, TIMESTAMP
from polyframe.panoptes.classifications.column_parsers import (
    boolean,
    timestamp,
    timestamp_from_time,
    whole_number,
)
from polyframe.panoptes.classifications.metadata import known_volunteer
from polyframe.pipeline import from_extractions
from polyframe.store import reading

Found = Extraction | Frame | str | os.PathLike[str]
_EXPECTED: Final = (
    f"what extract gave, {FRAMES} with the columns of the table extractions, an output directory, or a CSV "
    "file of extractions"
)
_LISTS: Final = (pl.List, pl.Array)


def frames_of(found: Found, settings: Settings) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Return marks as the tables `extractions` and `classifications`.

    Parameters
    ----------
    found : Extraction, frame or path
        What `extract` gave; a frame of Polars, pandas or Arrow with the columns of the table extractions; an
        output directory; or a CSV file of extractions that panoptes_aggregation wrote.
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
    use_polars()
    if isinstance(found, Extraction):
        return _with_volunteers(found.extractions), _with_volunteers(found.classifications)
    if is_frame(found):
        return _as_extractions(data_frame(found, "the marks", (*EXTRACTIONS.schema, "annotations"))), None
    output = local_path(found, "the marks", expected=_EXPECTED)
    if output.is_file():
        extracted = from_extractions.extract_csv(output, settings)
        return extracted.extractions, extracted.classifications
    return reading.read_table(output, "extractions"), reading.read_table(output, "classifications")


def directory_of(found: Found) -> Path | None:
    """Return the output directory that holds the marks; None where they are in a file or in memory."""
    if isinstance(found, Extraction) or is_frame(found):
        return None
    path = local_path(found, "the marks", expected=_EXPECTED)
    return None if path.is_file() else path


def _as_extractions(frame: pl.DataFrame) -> pl.DataFrame:
    """Give a user's frame the columns, types and order of the table; optional columns may be absent.

    Without `volunteer`, `user_name` says who drew a mark.
    """
    needed: dict[str, Any] = dict(EXTRACTIONS.schema)
    optional = ("user_id", "tool_type", "gold_standard", "details", "volunteer", "user_name", "created_at")
    frame = frame.rename({name: clean_name(name) for name in frame.columns if clean_name(name) in needed})
    missing = [name for name in needed if name not in frame.columns and name not in optional]
    if missing:
        hint = "; these are rows of an export: pass them to extract first" if _is_export(frame) else ""
        raise UsageError(f"the frame lacks the columns {', '.join(missing)} of the table extractions{hint}")
    frame = frame.with_columns(_read_column(name, dtype) for name, dtype in frame.schema.items())
    frame = _with_known_types(frame)
    added = [pl.lit(None, needed[name]).alias(name) for name in optional if name not in frame.columns]
    _check_rows(frame, [name for name in needed if name not in optional])
    try:
        return _with_volunteers(EXTRACTIONS.conform(frame.with_columns(added)))
    except pl.exceptions.PolarsError as error:
        raise PolyframeError(
            f"the frame does not fit the table extractions: {str(error).splitlines()[0]}"
        ) from None


def _is_export(frame: pl.DataFrame) -> bool:
    return "annotations" in map(clean_name, frame.columns)


def _with_known_types(frame: pl.DataFrame) -> pl.DataFrame:
    """Turn coordinates into lists of numbers, and the numbers that other libraries put for none into none."""
    for name in ("x", "y"):
        dtype = frame.schema[name]
        if dtype == pl.Null or not isinstance(dtype, _LISTS) or not _holds_numbers(dtype.inner):
            raise UsageError(f"the column {name} of the frame holds {dtype}, expected lists of numbers")
    times = frame.schema.get("created_at", pl.Null())
    if not isinstance(times, (pl.Datetime, pl.Date, pl.Null)):
        raise UsageError(f"the column created_at of the frame holds {times}, expected times")
    numbers = [name for name, dtype in frame.schema.items() if dtype.is_float()]
    lists = [pl.col(name).cast(pl.List(pl.Float64)) for name in ("x", "y")]
    return frame.with_columns(pl.col(numbers).fill_nan(None), *lists)


def _holds_numbers(dtype: Any) -> bool:
    return bool(dtype == pl.Null or dtype.is_numeric())


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
    for name, dtype in EXTRACTIONS.schema.items():
        if dtype.is_integer() and frame.schema.get(name, dtype).is_float():
            problems[f"has no whole number as {name}"] = frame[name] != frame[name].floor()
    if frame.schema.get("details") == pl.String:
        problems["has details that are no JSON"] = invalid_json(frame["details"])
    for problem, found in problems.items():
        if found.any():
            raise UsageError(f"row {found.arg_true()[0]} of the frame (from 0) {problem}")
