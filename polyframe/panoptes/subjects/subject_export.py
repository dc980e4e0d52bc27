"""The subjects export: what the project's team said of each subject, and where its images are."""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from polyframe.core.errors import PolyframeError, UsageError, no_such_file, short_repr
from polyframe.core.frames import clean_name
from polyframe.core.local_paths import local_path
from polyframe.core.values import as_builtin, is_integer
from polyframe.panoptes.classifications.line_endings import ends_lines_with_returns

#: Digits of the number of a frame; more are none.
_LONGEST_FRAME: Final = 10
_COLUMNS: Final = ("subject_id", "metadata", "locations")


@dataclass(frozen=True)
class Subject:
    """What a subjects export says of one subject.

    Attributes
    ----------
    subject_id : int
    metadata : dict
        As the project's team gave it, in its order.
    locations : dict
        Address of each frame's image, by frame.
    """

    subject_id: int
    metadata: dict[str, Any]
    locations: dict[int, str]


def read_subject(subjects: str | os.PathLike[str], subject_id: int) -> Subject:
    """Find a subject in a subjects export.

    Parameters
    ----------
    subjects : path
        The CSV that Zooniverse exports: with `subject_id`, `metadata` and `locations`.
    subject_id : int

    Returns
    -------
    Subject

    Raises
    ------
    UsageError
        Where `subject_id` is no whole number.
    PolyframeError
        Where the file is no subjects export or does not have the subject.
    """
    subject_id = as_builtin(subject_id)
    if not is_integer(subject_id):
        raise UsageError(f"subject_id: {short_repr(subject_id)} is not a whole number")
    found = read_subjects(subjects, [subject_id])
    if not found:
        raise PolyframeError(f"{subjects}: has no subject {subject_id}; is it the export of this project?")
    return found[subject_id]


def read_subjects(subjects: str | os.PathLike[str], subject_ids: Iterable[int]) -> dict[int, Subject]:
    """Find some subjects in a subjects export.

    Parameters
    ----------
    subjects : path
        The CSV that Zooniverse exports: with `subject_id`, `metadata` and `locations`.
    subject_ids : iterable of int

    Returns
    -------
    dict of int to Subject
        Those that are there; where a subject has several rows, as for several workflows, the first counts.

    Raises
    ------
    PolyframeError
        Where the file is missing or no subjects export.
    """
    subjects = local_path(subjects, "subjects")
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
        told = str(error).splitlines()[0]
        if ends_lines_with_returns(subjects, "csv"):
            told = "its lines end with carriage returns alone; save it with line feeds"
        raise PolyframeError(
            f"{subjects}: no subjects export with subject_id, metadata and locations ({told}); "
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
        found = json.loads(cell or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
