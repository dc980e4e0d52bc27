"""Define the tables of a warehouse: those of an output directory, and the record of what was loaded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from polyframe.core.table_schema import Column, Table
from polyframe.core.tables import CONTOURS, PUBLIC_TABLES
from polyframe.store.reading import OutputTables
from polyframe.store.stored_parts import StoredPart, stored_parts

_COLUMNS: Final = {column.name: column for column in CONTOURS.columns}
_LEVEL: Final = Column("level", pl.Int32, "the least number of marks that overlap, see `contours_level`")

#: The contours as `polyframe.explode_levels` returns them, for targets without lists of lists.
CONTOUR_LEVELS: Final = Table(
    "contour_levels",
    "cluster and level",
    (
        *(_COLUMNS[name] for name in (*CONTOURS.key, "clusters_count", "consensus")),
        _LEVEL,
        Column("area", pl.Float64, "area within the outline, square pixels"),
        Column("geometry", pl.Binary, "the outline of this level, WKB"),
    ),
    (*CONTOURS.key, _LEVEL.name),
    (*CONTOURS.key, _LEVEL.name),
    geometry=True,
)

#: What a target contains: a row for each part that was loaded, written together with the rows of the part.
LOADS: Final = Table(
    "polyframe_loads",
    "part of a table that was loaded",
    (
        Column("table", pl.String, "the table"),
        Column("part", pl.String, "the part: the name of its partition"),
        Column("fingerprint", pl.String, "changes whenever the rows of the part may have changed"),
        Column("n_rows", pl.Int64, "rows of the part in this table"),
        Column("workflow_id", pl.Int64, "the workflow of the output directory; missing if it has none", True),
        Column(
            "checksum",
            pl.String,
            "of the rows; missing if the target needs none to notice changed values",
            True,
        ),
    ),
    ("table", "part"),
    ("table", "part"),
)

#: Every table that polyframe may make in a target.
TARGET_TABLES: Final[Mapping[str, Table]] = {
    table.name: table for table in (*PUBLIC_TABLES.values(), CONTOUR_LEVELS, LOADS)
}


@dataclass(frozen=True)
class TargetPart:
    """A part of an output directory, as it is loaded into a table of a target.

    Attributes
    ----------
    table : Table
        The table of the target: that of the part, or `CONTOUR_LEVELS` in place of `CONTOURS`.
    stored : StoredPart
        The part.
    """

    table: Table
    stored: StoredPart

    @property
    def name(self) -> str:
        """The name of the partition."""
        return self.stored.name

    @property
    def fingerprint(self) -> str:
        """Changes whenever the rows may have changed."""
        return self.stored.fingerprint

    def read(self) -> pl.DataFrame:
        """Read the rows, with the columns of `table`."""
        rows = self.stored.read()
        if self.table == self.stored.table:
            return rows
        from polyframe.consensus.explode_levels import explode_levels  # late, since most targets need no GEOS

        return explode_levels(rows)


def target_parts(tables: OutputTables, *, nested_lists: bool) -> dict[str, list[TargetPart]]:
    """Return the parts of each table that a target should contain.

    Parameters
    ----------
    tables : OutputTables
        An output directory.
    nested_lists : bool
        Whether the target has columns of lists of lists; otherwise it gets `CONTOUR_LEVELS`, not `CONTOURS`.

    Returns
    -------
    dict of str to list of TargetPart
        By the name of the target's table, in the order in which tables are loaded. Tables that the output
        directory does not have are absent.
    """
    parts: dict[str, list[TargetPart]] = {}
    for name, table in PUBLIC_TABLES.items():
        if table == CONTOURS and not nested_lists:
            table = CONTOUR_LEVELS
        if stored := stored_parts(tables, name):
            parts[table.name] = [TargetPart(table, part) for part in stored]
    return parts


def primary_key(table: Table) -> tuple[str, ...]:
    """Return the columns of the primary key; none if one of them can be missing, as in `rejects`."""
    can_be_missing = {column.name for column in table.columns if column.nullable}
    return () if can_be_missing & {*table.key} else table.key


def table_comment(table: Table) -> str:
    """Return the comment on a table of a target, by which polyframe recognizes the table as its own."""
    return f"{OWN_COMMENT}one row per {table.row}"


#: How the comments on our tables begin.
OWN_COMMENT: Final = "polyframe: "
