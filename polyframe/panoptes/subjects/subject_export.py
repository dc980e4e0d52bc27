"""Read the subject export: metadata and image addresses of subjects."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from polyframe.core.addresses import as_address
from polyframe.core.errors import PolyframeError, UsageError, first_line, no_such_file, short_repr
from polyframe.core.frames import clean_name
from polyframe.core.local_copies import AnyFile, local_copies
from polyframe.core.local_paths import local_path
from polyframe.core.notes import show
from polyframe.core.scalar_checks import as_builtin, is_integer
from polyframe.panoptes.classifications.line_endings import ends_lines_with_returns

#: A frame number has fewer digits.
_LONGEST_FRAME: Final = 10
_COLUMNS: Final = ("subject_id", "metadata", "locations")


@dataclass(frozen=True)
class Subject:
    """A subject in a subject export.

    Attributes
    ----------
    subject_id : int
    metadata : dict
        Metadata of the subject, in the order of the export.
    locations : dict
        Address of the image of each frame.
    """

    subject_id: int
    metadata: dict[str, Any]
    locations: dict[int, str]


def read_subject(subjects: AnyFile, subject_id: int) -> Subject:
    """Read a subject from a subject export.

    Parameters
    ----------
    subjects : path or address
        The CSV of Zooniverse, with `subject_id`, `metadata` and `locations`.
    subject_id : int

    Returns
    -------
    Subject

    Raises
    ------
    UsageError
        If `subject_id` is not an integer.
    PolyframeError
        If the file is not a subject export or does not contain the subject.
    """
    subject_id = as_builtin(subject_id)
    if not is_integer(subject_id):
        raise UsageError(f"subject_id: {short_repr(subject_id)} is not an integer")
    by_id = read_subjects(subjects, [subject_id])
    if not by_id:
        name = as_address(subjects) or subjects  # without the signature of a link
        raise PolyframeError(f"{name}: has no subject {subject_id}; is it the export of this project?")
    return by_id[subject_id]


def read_subjects(subjects: AnyFile, subject_ids: Iterable[int]) -> dict[int, Subject]:
    """Read subjects from a subject export.

    Parameters
    ----------
    subjects : path or address
        The CSV of Zooniverse, with `subject_id`, `metadata` and `locations`.
    subject_ids : iterable of int

    Returns
    -------
    dict of int to Subject
        The subjects in the export; the first row if there are several, as for several workflows.

    Raises
    ------
    PolyframeError
        If the file is missing or not a subject export.
    """
    with local_copies([subjects], show) as ((file,), _):
        return _read(local_path(file, "subjects"), subject_ids)


def _read(subjects: Path, subject_ids: Iterable[int]) -> dict[int, Subject]:
    if not subjects.is_file():
        raise PolyframeError(no_such_file(subjects))
    wanted = pl.Series(list(map(str, subject_ids)), dtype=pl.String).implode()
    try:
        lazy = pl.scan_csv(subjects, infer_schema=False, glob=False)
        names = {clean_name(name): name for name in reversed(lazy.collect_schema().names())}
        rows = (
            lazy.select(pl.col(names.get(column, column)).alias(column) for column in _COLUMNS)
            .filter(pl.col("subject_id").is_in(wanted))
            .unique("subject_id", keep="first")
            .collect()
        )
    except (pl.exceptions.PolarsError, OSError) as error:
        cause = first_line(error)
        if ends_lines_with_returns(subjects, "csv"):
            cause = "its lines end in carriage returns only; save it with line feeds"
        raise PolyframeError(
            f"{subjects}: not a subject export with subject_id, metadata and locations ({cause}); "
            "name the subject export of Zooniverse"
        ) from None
    return {
        int(number): Subject(int(number), _json_object(metadata), _locations(locations))
        for number, metadata, locations in rows.iter_rows()
    }


def _locations(cell: str | None) -> dict[int, str]:
    return {
        int(frame): url
        for frame, url in _json_object(cell).items()
        if frame.isascii() and frame.isdigit() and len(frame) < _LONGEST_FRAME and isinstance(url, str)
    }


def _json_object(cell: str | None) -> dict[str, Any]:
    try:
        value = json.loads(cell or "{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
