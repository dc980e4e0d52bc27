"""A warehouse of Python lists, in which loads can be stopped and tables can be changed by hand."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from polyframe.core.table_schema import Table
from polyframe.export.load.loaded_tables import LOADS, TARGET_TABLES, TargetPart
from polyframe.export.load.target import ExistingTable, RecordedPart, ReplacedRows, TableChange
from polyframe.store.stored_parts import StoredPart

#: A row of the model: its subject, and what else it contains.
Row = tuple[int | None, str]


class StoppedError(Exception):
    """The load was stopped."""


@dataclass(frozen=True)
class ModelPart(StoredPart):
    """A part in memory."""

    rows: tuple[Row, ...] = ()


def model_part(
    table: Table, name: str, rows: Sequence[Row], first: int | None = None, following: int | None = None
) -> TargetPart:
    """Return a part whose fingerprint depends on its rows alone."""
    return TargetPart(table, ModelPart(table, name, first, following, repr(rows), 0, Path(), tuple(rows)))


@dataclass
class ModelTable:
    columns: dict[str, str]
    rows: list[Row] = field(default_factory=list)
    is_own: bool = True


@dataclass
class ModelTarget:
    """A warehouse that makes the changes of each table visible at once, or if `has_transactions` of all.

    `steps_left` changes are made before the load is stopped; None means all.
    """

    has_transactions: bool = True
    tables: dict[str, ModelTable] = field(default_factory=dict)
    records: list[RecordedPart] = field(default_factory=list)
    steps_left: int | None = None
    name: str = "model"
    nested_lists: bool = True
    notes: list[str] = field(default_factory=list)

    def __enter__(self) -> ModelTarget:
        self.before = copy.deepcopy((self.tables, self.records))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.has_transactions:
            self.tables, self.records = self.before

    def commit(self, version: int) -> None:
        self._step()
        self.before = (self.tables, self.records)

    def content(self) -> object:
        """Return everything in the warehouse, in an order that does not depend on its history."""
        tables = {name: (table.columns, sorted(map(repr, table.rows))) for name, table in self.tables.items()}
        return tables, sorted(map(repr, self.records))

    def column_types(self, table: Table) -> dict[str, str]:
        return {column.name: str(column.dtype) for column in table.columns}

    def existing_tables(self, names: Collection[str]) -> dict[str, ExistingTable]:
        assert set(names) >= set(TARGET_TABLES)
        return {
            name: ExistingTable(table.columns, table.is_own)
            for name, table in self.tables.items()
            if name in names
        }

    def recorded_parts(self) -> list[RecordedPart]:
        assert LOADS.name in self.tables
        return list(self.records)

    def count_rows(self, table: Table, parts: Sequence[TargetPart]) -> list[int]:
        rows = self.tables[table.name].rows
        return [_count_unless_changed([row for row in rows if is_in(row, part)], part) for part in parts]

    def create_table(self, table: Table) -> None:
        self._step()
        self.tables[table.name] = ModelTable(self.column_types(table))
        if table == LOADS:
            self.records = []

    def drop_table(self, name: str) -> None:
        self._step()
        self.tables.pop(name, None)
        self.records = [record for record in self.records if record.table != name]

    def replace_parts(self, change: TableChange, inserted: Callable[[], None]) -> ReplacedRows:
        self._step()
        table = self.tables[change.table.name]
        kept = [row for row in table.rows if not any(is_in(row, part) for part in change.inserted)]
        n_deleted = len(table.rows) - len(kept)
        self.records = [
            record
            for record in self.records
            if record.table != change.table.name or record.part not in change.forgotten
        ]
        table.rows = [*kept]
        for part in change.inserted:
            assert isinstance(part.stored, ModelPart)
            table.rows += part.stored.rows
            self.records.append(
                RecordedPart(
                    change.table.name,
                    part.name,
                    part.fingerprint,
                    len(part.stored.rows),
                    change.workflow_id,
                )
            )
            inserted()
        return ReplacedRows(n_deleted, len(table.rows) - len(kept))

    def _step(self) -> None:
        if self.steps_left is not None:
            if self.steps_left == 0:
                raise StoppedError
            self.steps_left -= 1


def _count_unless_changed(rows: Sequence[Row], part: TargetPart) -> int:
    """Count rows in the range of a part; -1 if they are not those of the part, as a checksum tells."""
    assert isinstance(part.stored, ModelPart)
    return len(rows) if sorted(map(repr, rows)) == sorted(map(repr, part.stored.rows)) else -1


def is_in(row: Row, part: TargetPart) -> bool:
    """Tell whether a row is in the range of a part; rows without a subject are in the first one."""
    first, following = part.stored.first_subject, part.stored.next_subject
    if row[0] is None:
        return first is None
    return (first is None or row[0] >= first) and (following is None or row[0] < following)
