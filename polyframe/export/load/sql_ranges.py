"""Write ranges of subjects as conditions of SQL."""

from collections.abc import Sequence
from typing import Final

from polyframe.core.table_schema import Table
from polyframe.export.load.loaded_tables import TargetPart

SUBJECT: Final = "subject_id"


def has_subjects(table: Table) -> bool:
    """Tell whether the rows of a table have a subject; otherwise it has only one part."""
    return SUBJECT in table.schema


def deleting_conditions(table: Table, parts: Sequence[TargetPart]) -> list[str]:
    """Return conditions for all rows in the ranges of some parts of a table, one for each joined range.

    Parameters
    ----------
    table : Table
        The table of the target.
    parts : sequence of TargetPart
        In the order of their subjects.

    Examples
    --------
    For parts from 10 to 20 and from 20 to 40: `["subject_id >= 10 AND subject_id < 40"]`.
    """
    ranges: list[tuple[int | None, int | None]] = []
    for part in parts:
        first, following = part.stored.first_subject, part.stored.next_subject
        if ranges and first is not None and ranges[-1][1] == first:
            first = ranges.pop()[0]
        ranges.append((first, following))
    return [_condition(table, first, following) for first, following in ranges]


def _condition(table: Table, first: int | None, following: int | None) -> str:
    if not has_subjects(table):
        return "TRUE"
    bounds = [f"{SUBJECT} >= {first}"] if first is not None else []
    bounds += [f"{SUBJECT} < {following}"] if following is not None else []
    condition = " AND ".join(bounds) or "TRUE"
    # Rows without a subject belong to the first part.
    return f"({condition} OR {SUBJECT} IS NULL)" if first is None and bounds else condition
