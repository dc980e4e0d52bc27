"""Read marks from what callers pass: an extraction, a frame, an output directory or a CSV file."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import polars as pl

from polyframe.consensus.extract import Extraction
from polyframe.consensus.votes import invalid_json
from polyframe.core.addresses import Address, Place, as_address
from polyframe.core.callbacks import Say
from polyframe.core.errors import PolyframeError, UsageError, first_line
from polyframe.core.fork_guard import use_polars
from polyframe.core.frames import FRAMES, Frame, clean_name, data_frame, is_frame
from polyframe.core.local_copies import local_copies
from polyframe.core.local_paths import AnyPlace, place_of
from polyframe.core.plurals import plural
from polyframe.core.settings import Settings
from polyframe.core.table_schema import TIMESTAMP
from polyframe.core.tables import EXTRACTIONS
from polyframe.panoptes.classifications.column_parsers import (
    boolean,
    integer,
    timestamp,
    timestamp_from_time,
)
from polyframe.panoptes.classifications.metadata import known_volunteer
from polyframe.pipeline import from_extractions
from polyframe.store import reading
from polyframe.store.part_files import read_parts

InputMarks = Extraction | Frame | AnyPlace
_EXPECTED: Final = (
    f"an Extraction, {FRAMES} with the columns of the table extractions, an output directory, or a CSV file "
    "of extractions"
)
_LISTS: Final = (pl.List, pl.Array)


def place_of_marks(marks: InputMarks, storage_options: Mapping[str, str] | None = None) -> Place | None:
    """Return the output directory or CSV file that contains the marks; None if they are in memory."""
    if isinstance(marks, Extraction) or is_frame(marks):
        return None
    return place_of(marks, "the marks", storage_options, expected=_EXPECTED)


@contextlib.contextmanager
def local_marks(
    marks: InputMarks, storage_options: Mapping[str, str] | None, say: Say
) -> Iterator[tuple[InputMarks, Say]]:
    """Download a CSV file of extractions that is at an address, as `local_copies` does.

    Yields
    ------
    marks : Extraction, frame, path or address
        The marks; the address of an output directory with its options.
    say : callable
        Names the address of a file in notes.
    """
    address = None
    if not isinstance(marks, Extraction) and not is_frame(marks):
        address = as_address(marks, storage_options)
    if address is None or not address.is_csv_file:
        yield marks if address is None else address, say
        return
    with local_copies([address], say) as ((copy,), named):
        yield copy, named


def is_output(place: Place | None) -> bool:
    """Return whether marks are in an output directory, rather than in a CSV file or in memory."""
    return place is not None and (isinstance(place, Address) or not place.is_file())


def name_of(marks: InputMarks) -> str:
    """Return what messages call the marks: a path, or `the DataFrame`."""
    is_place = isinstance(marks, (str, os.PathLike, Address))
    return str(as_address(marks) or marks) if is_place else f"the {type(marks).__name__}"


def load_marks(
    marks: InputMarks, settings: Settings, say: Say = lambda _: None
) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Return marks as the tables `extractions` and `classifications`.

    Parameters
    ----------
    marks : Extraction, frame or path
        A frame of Polars, pandas or Arrow with the columns of the table extractions; an output directory; or
        a CSV file of extractions of panoptes_aggregation.
    settings : Settings
        For a CSV file, which does not contain the version of the workflow.
    say : callable
        Receives notes about a CSV file.

    Returns
    -------
    extractions : polars.DataFrame
    classifications : polars.DataFrame or None
        None for a frame, whose classifications without a mark are not known.

    Raises
    ------
    UsageError
        If a frame lacks a column, or a row of it lacks a key.
    PolyframeError
        If a frame does not fit the table, or a file cannot be read.
    """
    use_polars()
    if isinstance(marks, Extraction):
        return _with_volunteers(marks.extractions), _with_volunteers(marks.classifications)
    place = place_of_marks(marks)
    if place is None:
        return _as_extractions(data_frame(marks, "the marks", (*EXTRACTIONS.schema, "annotations"))), None
    if isinstance(place, Path) and place.is_file():
        extracted = from_extractions.extract_csv(place, settings, say)
        return extracted.extractions, extracted.classifications
    with reading.open_tables(place, "read") as tables:
        extractions, classifications = tables.parts("extractions"), tables.parts("classifications")
        return read_parts(list(extractions.values())), read_parts(list(classifications.values()))


def _as_extractions(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a user's frame with the columns, types and order of the table; some columns are optional.

    Without `volunteer`, `user_name` identifies who drew a mark.
    """
    needed: dict[str, Any] = dict(EXTRACTIONS.schema)
    optional = ("user_id", "tool_type", "gold_standard", "details", "volunteer", "user_name", "created_at")
    frame = frame.rename({name: clean_name(name) for name in frame.columns if clean_name(name) in needed})
    missing = [name for name in needed if name not in frame.columns and name not in optional]
    if missing:
        hint = "; it contains rows of an export: pass it to extract first" if _is_export(frame) else ""
        columns = f"{plural(len(missing), 'column')} {', '.join(missing)}"
        raise UsageError(f"the frame lacks the {columns} of the table extractions{hint}")
    frame = frame.with_columns(_read_column(name, dtype) for name, dtype in frame.schema.items())
    frame = _with_known_types(frame)
    added = [pl.lit(None, needed[name]).alias(name) for name in optional if name not in frame.columns]
    _check_rows(frame, [name for name in needed if name not in optional])
    try:
        return _with_volunteers(EXTRACTIONS.conform(frame.with_columns(added)))
    except pl.exceptions.PolarsError as error:
        raise PolyframeError(f"the frame does not fit the table extractions: {first_line(error)}") from None


def _is_export(frame: pl.DataFrame) -> bool:
    return "annotations" in map(clean_name, frame.columns)


def _with_known_types(frame: pl.DataFrame) -> pl.DataFrame:
    """Return coordinates as lists of numbers, and NaN, by which other libraries mean missing, as null."""
    for name in ("x", "y"):
        dtype = frame.schema[name]
        if dtype == pl.Null and frame.is_empty():
            continue  # pandas knows no types of empty columns
        if dtype == pl.Null or not isinstance(dtype, _LISTS) or not _is_numeric(dtype.inner):
            raise UsageError(f"the column {name} of the frame is of type {dtype}, expected lists of numbers")
    times = frame.schema.get("created_at", pl.Null())
    if not isinstance(times, (pl.Datetime, pl.Date, pl.Null)):
        raise UsageError(f"the column created_at of the frame is of type {times}, expected times")
    numbers = [name for name, dtype in frame.schema.items() if dtype.is_float()]
    lists = [pl.col(name).cast(pl.List(pl.Float64)) for name in ("x", "y")]
    return frame.with_columns(pl.col(numbers).fill_nan(None), *lists)


def _is_numeric(dtype: Any) -> bool:
    return bool(dtype == pl.Null or dtype.is_numeric())


def _with_volunteers(frame: pl.DataFrame) -> pl.DataFrame:
    """Fill missing values of `volunteer` from `user_name`."""
    known = [name for name in ("volunteer", "user_name") if name in frame.columns]
    return frame.with_columns(known_volunteer(pl.coalesce(known))) if known else frame


def _read_column(name: str, dtype: pl.DataType) -> pl.Expr:
    """Parse strings if the table has numbers, times or booleans; values that cannot be parsed become null."""
    expected = EXTRACTIONS.schema.get(name)
    if expected == TIMESTAMP and isinstance(dtype, pl.Datetime | pl.Date):
        return timestamp_from_time(name, dtype)
    if dtype != pl.String or expected is None or expected == pl.String:
        return pl.col(name)
    if expected == TIMESTAMP:
        return timestamp(name)
    if expected.is_nested():
        return pl.col(name)
    return boolean(name) if expected == pl.Boolean else integer(name)


def _check_rows(frame: pl.DataFrame, required: list[str]) -> None:
    """Raise a UsageError for the first row that lacks a key, or has invalid lists or details."""
    problems = {
        **{f"has no {name}": frame[name].is_null() for name in required},
        "has x and y of different lengths": frame["x"].list.len() != frame["y"].list.len(),
    }
    for name, dtype in EXTRACTIONS.schema.items():
        if dtype.is_integer() and frame.schema.get(name, dtype).is_float():
            problems[f"has a {name} that is not an integer"] = frame[name] != frame[name].floor()
    if frame.schema.get("details") == pl.String:
        problems["has details that are not valid JSON"] = invalid_json(frame["details"])
    for problem, affected in problems.items():
        if affected.any():
            raise UsageError(f"row {affected.arg_true()[0]} of the frame (from 0) {problem}")
