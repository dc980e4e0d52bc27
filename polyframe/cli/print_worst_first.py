"""Print the tables `volunteers` and `subjects`, as lines of text or one JSON object."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import polars as pl

from polyframe.cli.printed_tables import aligned, printable, shortened_lines
from polyframe.core.addresses import Place
from polyframe.core.estimation import ESTIMATED_SIZES, TARGET_IOU, additional_classifications
from polyframe.core.plurals import agreeing, counted

#: Rows that are shown unless the user says how many.
_MOST_SHOWN: Final = 20

#: A printed column: two lines of heading, name in the table, format.
_Column = tuple[str, str, str, Callable[[Any], str]]
_NUMBER: Final = "{:,}".format
_FRACTION: Final = "{:.3f}".format
_OF_VOLUNTEERS: Final[tuple[_Column, ...]] = (
    ("", "volunteer", "volunteer", printable),
    ("classi-", "fications", "n_classifications", _NUMBER),
    ("", "marks", "n_marks", _NUMBER),
    ("", "outliers", "n_outliers", _NUMBER),
    ("", "judged", "n_judged", _NUMBER),
    ("", "confirmed", "n_confirmed", _NUMBER),
    ("", "precision", "precision", _FRACTION),
    ("", "expected", "n_expected", _NUMBER),
    ("", "drawn", "n_drawn", _NUMBER),
    ("", "recall", "recall", _FRACTION),
    ("", "IoU", "iou", _FRACTION),
    ("", "score", "score", _FRACTION),
)
_OF_SUBJECTS: Final[tuple[_Column, ...]] = (
    ("", "subject", "subject_id", str),
    ("classi-", "fications", "n_classifications", _NUMBER),
    ("", "volunteers", "n_volunteers", _NUMBER),
    ("", "marks", "n_marks", _NUMBER),
    ("", "clusters", "n_clusters", _NUMBER),
    ("", "outliers", "n_outliers", _NUMBER),
    ("consensus", "minimum", "consensus_min", _FRACTION),
    ("", "mean", "consensus_mean", _FRACTION),
    ("expected", "IoU", "expected_iou_min", _FRACTION),
    ("classifications", "needed", "classifications_needed", _NUMBER),
    ("", "more", "more", _NUMBER),
)


def volunteers_lines(table: pl.DataFrame, limit: int | None) -> list[str]:
    """Format volunteers as aligned lines.

    Parameters
    ----------
    table : polars.DataFrame
        The result of `polyframe.volunteers`.
    limit : int or None
        Rows to show; None is the default.
    """
    if not table.height:
        return ["no volunteer is known by name"]
    lines = _lines(table, limit, _OF_VOLUNTEERS, "volunteer")
    shown = table["volunteer"].head(_MOST_SHOWN if limit is None else limit)
    return lines + shortened_lines(shown)


def subjects_lines(table: pl.DataFrame, limit: int | None) -> list[str]:
    """Format subjects as aligned lines, and count those that need more classifications.

    Parameters
    ----------
    table : polars.DataFrame
        The result of `polyframe.subjects`.
    limit : int or None
        Rows to show; None is the default.
    """
    more = table.select(
        more=additional_classifications(pl.col("classifications_needed"), pl.col("n_classifications"))
    )["more"]
    lines = _lines(table.with_columns(more), limit, _OF_SUBJECTS, "subject")
    short = int((more > 0).sum())
    lines.append(
        f"{short:,} of {counted(table.height, 'subject')} {agreeing(short, 'need more classifications')} "
        f"for an expected IoU of {TARGET_IOU}"
    )
    if more.null_count():
        lines[-1] += f"; not known for {more.null_count():,}, without a cluster of {ESTIMATED_SIZES}"
    return lines


def table_object(table: pl.DataFrame, limit: int | None, name: str, output: Place) -> dict[str, Any]:
    """Return an object for JSON: `output`, and an object for each row of a table.

    Parameters
    ----------
    table : polars.DataFrame
        The rows.
    limit : int or None
        Rows to include; None for all.
    name : str
        The key of the rows.
    output : Path
        The output directory.
    """
    rows = table if limit is None else table.head(limit)
    return {"output": str(output), name: rows.to_dicts()}


def _lines(table: pl.DataFrame, limit: int | None, columns: Sequence[_Column], kind: str) -> list[str]:
    shown = table.head(_MOST_SHOWN if limit is None else limit)
    cells = [
        [first_line, second_line, *("-" if value is None else formatted(value) for value in shown[name])]
        for first_line, second_line, name, formatted in columns
    ]
    lines = [line.rstrip() for line in aligned(cells, left=1)]
    rest = table.height - shown.height
    return [*lines, f"and {counted(rest, f'more {kind}')}; --limit shows more"] if rest else lines
