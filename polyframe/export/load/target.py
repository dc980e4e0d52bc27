"""Define what a target must be able to do: the interface between `load` and a kind of warehouse."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from polyframe.core.table_schema import Table
from polyframe.export.load.loaded_tables import TargetPart


@dataclass(frozen=True)
class ExistingTable:
    """A table that exists in a target.

    Attributes
    ----------
    columns : mapping of str to str
        The types of the columns by name, as `Target.column_types` spells them.
    is_own : bool
        Whether polyframe made it, by its comment (`loaded_tables.table_comment`). No other table is changed
        or removed, even if parts of a table of that name are recorded.
    """

    columns: Mapping[str, str]
    is_own: bool


@dataclass(frozen=True)
class RecordedPart:
    """A row of `polyframe_loads`.

    Attributes
    ----------
    table, part, fingerprint : str
    n_rows : int
        Rows that were inserted.
    workflow_id : int or None
        The workflow of the output directory.
    checksum : str or None
        Of the rows, if the target needs one to notice changed values.
    """

    table: str
    part: str
    fingerprint: str
    n_rows: int
    workflow_id: int | None
    checksum: str | None = None


@dataclass(frozen=True)
class TableChange:
    """What changes in one table of a target.

    Attributes
    ----------
    table : Table
    kept : tuple of TargetPart
        Parts whose rows stay; their number was checked.
    inserted : tuple of TargetPart
        Parts to insert. All rows in their ranges of subjects are deleted before: no other rows have to be,
        since the ranges of `kept` and `inserted` cover all subjects and do not overlap.
    forgotten : tuple of str
        Names of recorded parts whose records are deleted, those of an earlier state of `inserted` included.
    workflow_id : int or None
        For the records of the inserted parts.
    """

    table: Table
    kept: tuple[TargetPart, ...]
    inserted: tuple[TargetPart, ...]
    forgotten: tuple[str, ...]
    workflow_id: int | None


@dataclass(frozen=True)
class ReplacedRows:
    """The number of rows that `Target.replace_parts` deleted and inserted."""

    deleted: int
    inserted: int


class Target(Protocol):
    """A warehouse that is open for loading.

    Leaving the `with` block without `commit` undoes all changes if the target has transactions over several
    tables. Otherwise each call of `replace_parts` makes one table and its records change together, so that a
    load can be repeated after it was killed between tables.

    Every method raises a `PolyframeError` with one line if the warehouse refuses something.

    Attributes
    ----------
    name : str
        The address for messages, without credentials.
    nested_lists : bool
        Whether columns can be lists of lists; see `loaded_tables.target_parts`.
    notes : list of str
        What the user should know about the target, such as a missing extension. `load` shows and removes them
        before the changes and after them.
    """

    name: str
    nested_lists: bool
    notes: list[str]

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def column_types(self, table: Table) -> dict[str, str]:
        """Return the type of each column that `create_table` makes, spelled as the target reports types."""

    def existing_tables(self, names: Collection[str]) -> dict[str, ExistingTable]:
        """Return those tables of the target that have one of these names."""

    def recorded_parts(self) -> list[RecordedPart]:
        """Return the rows of `polyframe_loads`; called only if that table exists with its columns."""

    def count_rows(self, table: Table, parts: Sequence[TargetPart]) -> list[int]:
        """Count the rows of a table in the range of subjects of each of some of its parts.

        The count is -1 if the target knows that somebody changed a row.
        """

    def create_table(self, table: Table) -> None:
        """Create an empty table with its primary key, indexes and comments, replacing an existing one."""

    def drop_table(self, name: str) -> None:
        """Remove a table, and its records if `polyframe_loads` exists."""

    def replace_parts(self, change: TableChange, inserted: Callable[[], None]) -> ReplacedRows:
        """Delete and insert parts of one table and write their records.

        Parameters
        ----------
        change : TableChange
            What to delete and to insert; parts are read one after another, so that memory is bounded.
        inserted : callable
            Called after each inserted part.
        """

    def commit(self, version: int) -> None:
        """Make the changes of all tables visible together, if the target can.

        Parameters
        ----------
        version : int
            The number of the version of the output directory, if the target records it; 0 if it has none.
        """
