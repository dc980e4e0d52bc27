"""Compute checksums of the parts of a table in DuckDB, by which changed values are noticed."""

from collections.abc import Iterable, Sequence
from typing import Final

from polyframe.core.table_schema import Table
from polyframe.export.load.loaded_tables import TargetPart
from polyframe.export.load.sql_ranges import SUBJECT, has_subjects

#: In the place of the subject of rows that have none, which belong to the first part.
_LOWEST: Final = -(2**63)


def checksum_query(source: str, table: Table, row_hash: str, parts: Sequence[TargetPart]) -> str:
    """Return a query for the position of each part that has rows, the number of its rows, and their checksum.

    The checksum is the sum of the hashes of the rows, so their order does not matter.

    Parameters
    ----------
    source : str
        The rows: the name of a table, or a query in parentheses.
    table : Table
        What they are rows of.
    row_hash : str
        An expression for the hash of a row.
    parts : sequence of TargetPart
        The parts, by the positions of which the rows are grouped.
    """
    subject = f"coalesce({SUBJECT}, {_LOWEST})" if has_subjects(table) else str(_LOWEST)
    firsts = [part.stored.first_subject for part in parts]
    ranges = {
        "number": range(len(parts)),
        "first": [_LOWEST if first is None else first for first in firsts],
        "following": [part.stored.next_subject for part in parts],
    }
    columns = ", ".join(f"unnest({_list(numbers)}) AS {name}" for name, numbers in ranges.items())
    # By subject first, so that the join has few rows.
    return (
        "SELECT number, sum(n)::BIGINT, coalesce(sum(hashes), 0)::VARCHAR FROM ("
        f"SELECT {subject} AS subject, count(*) AS n, sum({row_hash}) AS hashes FROM {source} GROUP BY ALL"
        f") ASOF JOIN (SELECT {columns}) ON subject >= first WHERE following IS NULL OR subject < following "
        "GROUP BY number"
    )


def _list(numbers: Iterable[int | None]) -> str:
    """Return a list of SQL, from a string, which is parsed faster than a list of constants.

    Parameters of a query would be slower, too: DuckDB imports pandas for them if it is installed.
    """
    values = ", ".join("NULL" if number is None else str(number) for number in numbers)
    return f"'[{values}]'::BIGINT[]"
