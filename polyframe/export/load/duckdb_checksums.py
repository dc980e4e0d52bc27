"""Compute checksums of the parts of a table in DuckDB, by which changed values are noticed."""

from collections.abc import Sequence
from typing import Final

import polars as pl

from polyframe.core.tables import Table
from polyframe.export.load.loaded_tables import TargetPart
from polyframe.export.load.sql_ranges import SUBJECT, has_subjects

#: The name under which SQL sees the frame of `part_ranges`.
RANGES: Final = "polyframe_ranges"
#: In the place of the subject of rows that have none, which belong to the first part.
_LOWEST: Final = -(2**63)


def part_ranges(parts: Sequence[TargetPart]) -> pl.DataFrame:
    """Return the number of each part in a sequence, its first subject, and that of the following part."""
    return pl.DataFrame(
        {
            "number": range(len(parts)),
            "first": [part.stored.first_subject for part in parts],
            "following": [part.stored.next_subject for part in parts],
        },
        schema={"number": pl.Int64, "first": pl.Int64, "following": pl.Int64},
    ).with_columns(pl.col("first").fill_null(_LOWEST))


def checksum_query(source: str, table: Table, row_hash: str) -> str:
    """Return a query for the number of each part that has rows, the number of its rows, and their checksum.

    The checksum is the sum of the hashes of the rows, so their order does not matter.

    Parameters
    ----------
    source : str
        The rows: the name of a table, or a query in parentheses.
    table : Table
        What they are rows of.
    row_hash : str
        An expression for the hash of a row.
    """
    subject = f"coalesce({SUBJECT}, {_LOWEST})" if has_subjects(table) else str(_LOWEST)
    # By subject first, so that the join has few rows.
    return (
        "SELECT number, sum(n)::BIGINT, coalesce(sum(hashes), 0)::VARCHAR FROM ("
        f"SELECT {subject} AS subject, count(*) AS n, sum({row_hash}) AS hashes FROM {source} GROUP BY ALL"
        f") ASOF JOIN {RANGES} ON subject >= first WHERE following IS NULL OR subject < following "
        "GROUP BY number"
    )
