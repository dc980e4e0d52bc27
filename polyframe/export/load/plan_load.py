"""Compare an output directory with a target, and plan what to delete and insert there."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from polyframe.core.errors import PolyframeError
from polyframe.core.plurals import counted
from polyframe.core.table_schema import Table
from polyframe.export.load.loaded_tables import LOADS, TARGET_TABLES, TargetPart
from polyframe.export.load.target import ExistingTable, RecordedPart, TableChange, Target


@dataclass(frozen=True)
class LoadPlan:
    """What a load changes.

    Attributes
    ----------
    created : tuple of Table
        Tables to create; those that exist have other columns and are replaced.
    dropped : tuple of str
        Tables to remove, because the output directory does not have them.
    changes : tuple of TableChange
        One for each table of the output directory.
    schema_changes : tuple of str
        Each difference between the columns of an existing table and those that it should have.
    repairs : tuple of str
        What somebody else changed in the target since the last load, which this load repairs.
    """

    created: tuple[Table, ...]
    dropped: tuple[str, ...]
    changes: tuple[TableChange, ...]
    schema_changes: tuple[str, ...]
    repairs: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether the target is up to date."""
        changes = any(change.inserted or change.forgotten for change in self.changes)
        return not (self.created or self.dropped or changes)


def plan_load(target: Target, parts: Mapping[str, Sequence[TargetPart]], workflow_id: int | None) -> LoadPlan:
    """Compare what a target should contain with what it contains.

    A part stays if its fingerprint is recorded, and if its range of subjects has as many rows as were
    inserted. All other rows are deleted, whatever the records say, and the other parts are inserted. So the
    result is the same as that of a first load, also if somebody changed the number of rows or the records,
    or if the borders of partitions moved.

    Parameters
    ----------
    target : Target
        The warehouse; it is not changed.
    parts : mapping of str to sequence of TargetPart
        From `target_parts`.
    workflow_id : int or None
        The workflow of the output directory.

    Raises
    ------
    PolyframeError
        If the target has a table of one of the names that polyframe did not make, or the tables of another
        workflow.
    """
    existing = target.existing_tables(TARGET_TABLES)
    recorded = _recorded(target, existing)
    _check_own(target, existing, {LOADS.name, *parts})
    _check_workflow(target, recorded, workflow_id)
    tables = [LOADS, *(of_table[0].table for of_table in parts.values())]
    differences = {
        table.name: list(_differences(existing[table.name], target.column_types(table)))
        for table in tables
        if table.name in existing
    }
    created = [table for table in tables if differences.get(table.name, True)]
    repairs: list[str] = []
    changes = [
        _table_change(target, of_table, recorded, workflow_id, repairs, is_new=of_table[0].table in created)
        for of_table in parts.values()
    ]
    own = {name for name, table in existing.items() if table.is_own}
    # To forget the records of tables that somebody dropped. A table that exists is not ours by its records
    # alone: somebody may have replaced it.
    own |= {record.table for record in recorded} & {*TARGET_TABLES} - {*existing}
    return LoadPlan(
        tuple(created),
        tuple(sorted(own - {LOADS.name, *parts})),
        tuple(changes),
        tuple(f"table {name}: {line}" for name, lines in differences.items() for line in lines),
        (*_missing_tables(existing, recorded, parts), *repairs),
    )


def _recorded(target: Target, existing: Mapping[str, ExistingTable]) -> list[RecordedPart]:
    """Return the recorded parts; none if the records cannot be read."""
    loads = existing.get(LOADS.name)
    if loads is None or any(_differences(loads, target.column_types(LOADS))):
        return []
    return target.recorded_parts()


def _check_own(target: Target, existing: Mapping[str, ExistingTable], wanted: set[str]) -> None:
    for name, table in existing.items():
        if name in wanted and not table.is_own:
            raise PolyframeError(
                f"{target.name}: has a table {name} that polyframe did not make; rename or drop it, or load "
                "into another place"
            )


def _check_workflow(target: Target, recorded: Sequence[RecordedPart], workflow_id: int | None) -> None:
    others = {record.workflow_id for record in recorded} - {workflow_id}
    if others:
        names = " and ".join(map(_workflow, sorted(others, key=str)))
        raise PolyframeError(
            f"{target.name}: contains the tables of {names}, not of {_workflow(workflow_id)}; load into "
            f"another place, or drop {LOADS.name} and the tables that it lists"
        )


def _workflow(workflow_id: int | None) -> str:
    return "several workflows" if workflow_id is None else f"workflow {workflow_id}"


def _differences(existing: ExistingTable, expected: Mapping[str, str]) -> Iterator[str]:
    """Yield a phrase for each difference between the columns of a table and those that it should have."""
    for name, kind in expected.items():
        if name not in existing.columns:
            yield f"no column {name} ({kind})"
        elif existing.columns[name] != kind:
            yield f"column {name} is {existing.columns[name]} instead of {kind}"
    for name in existing.columns:
        if name not in expected:
            yield f"column {name} is not one of polyframe's"


def _missing_tables(
    existing: Mapping[str, ExistingTable],
    recorded: Sequence[RecordedPart],
    parts: Mapping[str, Sequence[TargetPart]],
) -> list[str]:
    names = sorted({record.table for record in recorded} & {*parts} - {*existing})
    lines = [f"table {name} was removed from the target; it is created again" for name in names]
    if LOADS.name not in existing and any(table.is_own for table in existing.values()):
        lines.append(f"table {LOADS.name} was removed from the target; all parts are loaded again")
    return lines


def _table_change(
    target: Target,
    parts: Sequence[TargetPart],
    recorded: Sequence[RecordedPart],
    workflow_id: int | None,
    repairs: list[str],
    *,
    is_new: bool,
) -> TableChange:
    """Plan the change of one table, and add what it repairs to `repairs`."""
    table = parts[0].table
    records = [record for record in recorded if record.table == table.name]
    names = Counter(record.part for record in records)
    # A part that somebody recorded twice says nothing.
    rows_loaded = {
        (record.part, record.fingerprint): record.n_rows for record in records if names[record.part] == 1
    }
    candidates = [part for part in parts if not is_new and (part.name, part.fingerprint) in rows_loaded]
    counts = target.count_rows(table, candidates) if candidates else []
    kept = {
        part.name: part
        for part, rows in zip(candidates, counts, strict=True)
        if rows == rows_loaded[part.name, part.fingerprint]
    }
    if changed := len(candidates) - len(kept):
        repairs.append(
            f"table {table.name}: somebody changed rows in {counted(changed, 'part')}; "
            f"{'it is' if changed == 1 else 'they are'} loaded again"
        )
    return TableChange(
        table,
        tuple(kept.values()),
        tuple(part for part in parts if part.name not in kept),
        tuple(name for name in names if name not in kept),
        workflow_id,
    )
