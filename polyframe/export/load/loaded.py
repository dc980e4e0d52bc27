"""The result of a load: what was deleted and inserted in the tables of a warehouse."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from polyframe.core.plurals import counted
from polyframe.core.reprs import html_repr, text_repr


@dataclass(frozen=True)
class LoadedTable:
    """What a load changed in one table.

    Attributes
    ----------
    parts_kept, parts_inserted, parts_deleted : int
        Parts that were up to date, that were inserted, and of an earlier state that were deleted.
    rows_inserted, rows_deleted : int
        Rows of these parts.
    """

    parts_kept: int
    parts_inserted: int
    parts_deleted: int
    rows_inserted: int
    rows_deleted: int


@dataclass(frozen=True, repr=False)
class Loaded:
    """The result of `load`; `print` shows it as the command line does.

    Attributes
    ----------
    target : str
        The address of the warehouse, without credentials.
    tables : mapping of str to LoadedTable
        By the name of the table.
    seconds : float
        Duration.
    """

    target: str
    tables: Mapping[str, LoadedTable]
    seconds: float

    def __str__(self) -> str:
        width = max(map(len, self.tables), default=0)
        lines = [f"{name:<{width}}  {_changes(table)}" for name, table in self.tables.items()]
        return "\n".join([*lines, f"{self.seconds:.1f} s, tables in {self.target}"])

    def __repr__(self) -> str:
        return text_repr("Loaded", self._rows())

    def _repr_html_(self) -> str:
        return html_repr("Loaded", self._rows())

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as plain JSON values."""
        return {**vars(self), "tables": {name: vars(table) for name, table in self.tables.items()}}

    def _rows(self) -> dict[str, object]:
        changes = {name: _changes(table) for name, table in self.tables.items()}
        return {"target": self.target, **changes, "seconds": f"{self.seconds:.1f}"}


def _changes(table: LoadedTable) -> str:
    """Return what changed, such as `2 of 17 parts inserted: 310 rows inserted, 298 rows deleted`."""
    parts = table.parts_kept + table.parts_inserted
    if not table.parts_inserted and not table.parts_deleted:
        return f"up to date, {counted(parts, 'part')}"
    return (
        f"{table.parts_inserted:,} of {counted(parts, 'part')} inserted: "
        f"{counted(table.rows_inserted, 'row')} inserted, {counted(table.rows_deleted, 'row')} deleted"
    )
