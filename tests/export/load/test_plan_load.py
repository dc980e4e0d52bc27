"""Plans of loads: random histories of a warehouse in memory end like a load into an empty one."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_target import ModelTable, ModelTarget, Row, StoppedError, model_part

from polyframe.core.callbacks import NO_PROGRESS
from polyframe.core.errors import PolyframeError
from polyframe.core.tables import LABELS, REJECTS, VOLUNTEERS
from polyframe.export.load.load import carry_out
from polyframe.export.load.loaded import LoadedTable
from polyframe.export.load.loaded_tables import LOADS, TargetPart
from polyframe.export.load.plan_load import LoadPlan, plan_load

SUBJECTS = range(6)
TABLES = (REJECTS, LABELS, VOLUNTEERS)

Parts = Mapping[str, Sequence[TargetPart]]


def parts_of(rows: Mapping[str, Sequence[Row]], borders: Sequence[int]) -> dict[str, list[TargetPart]]:
    """Divide the rows of each table into parts at the borders; `volunteers` has one part."""
    parts = {}
    for table in TABLES:
        if table.name not in rows:
            continue
        of_table = rows[table.name]
        ranges = list(itertools.pairwise([None, *([] if table == VOLUNTEERS else borders), None]))
        parts[table.name] = [
            model_part(
                table,
                f"{number:05}",
                [
                    (subject, value)
                    for subject, value in of_table
                    if (first is None or (subject is not None and subject >= first))
                    and (following is None or subject is None or subject < following)
                ],
                first,
                following,
            )
            for number, (first, following) in enumerate(ranges)
        ]
    return parts


def load(target: ModelTarget, parts: Parts, workflow_id: int | None = 1) -> dict[str, LoadedTable]:
    with target:
        loaded = carry_out(plan_load(target, parts, workflow_id), target, NO_PROGRESS)
        target.commit(1)
    return loaded


def planned(target: ModelTarget, parts: Parts) -> LoadPlan:
    return plan_load(target, parts, 1)


def loaded_from_scratch(parts: Parts) -> ModelTarget:
    target = ModelTarget()
    load(target, parts)
    return target


@dataclass(frozen=True)
class Night:
    """What happens in one night: a new state of the output directory, and changes by hand before its load."""

    parts: Parts
    steps: int | None
    changed_table: int
    change: str


table_rows = st.lists(st.tuples(st.sampled_from([None, *SUBJECTS]), st.sampled_from("ab")), max_size=6)
nights = st.builds(
    lambda rows, n_tables, borders, steps, changed, change: Night(
        parts_of({table.name: rows[table.name] for table in TABLES[:n_tables]}, sorted(borders)),
        steps,
        changed,
        change,
    ),
    st.fixed_dictionaries({table.name: table_rows for table in TABLES}),
    st.integers(1, len(TABLES)),
    st.sets(st.sampled_from(SUBJECTS), max_size=3),
    st.none() | st.integers(0, 8),
    st.integers(0, len(TABLES) - 1),
    st.sampled_from(
        [
            *("nothing", "rows deleted", "row inserted", "row changed", "table dropped", "column dropped"),
            *("loads dropped", "loads emptied", "record deleted", "record edited", "record doubled"),
        ]
    ),
)


def change_by_hand(target: ModelTarget, night: Night) -> None:
    """Make one change, so that two of them do not cancel each other out."""
    name = TABLES[night.changed_table].name
    table, own = target.tables.get(name), [record for record in target.records if record.table == name]
    match night.change:
        case "rows deleted" if table:
            table.rows = table.rows[:-2]
        case "row inserted" if table:
            table.rows.append((3, "by hand"))
        case "row changed" if table and table.rows:
            table.rows[0] = (table.rows[0][0], "by hand")
        case "table dropped":
            target.tables.pop(name, None)
        case "column dropped" if table:
            table.columns.pop("workflow_id", None)
        case "loads dropped":
            target.tables.pop(LOADS.name, None)
            target.records = []
        case "loads emptied":
            target.records = []
        case "record deleted" if own:
            target.records.remove(own[0])
        case "record edited" if own:
            target.records[target.records.index(own[0])] = replace(own[0], fingerprint="x")
        case "record doubled" if own:
            target.records.append(replace(own[0], n_rows=own[0].n_rows + 1))


@given(st.booleans(), st.lists(nights, max_size=4), nights)
def test_any_history_ends_like_a_load_from_scratch(
    has_transactions: bool, history: list[Night], last: Night
) -> None:
    target = ModelTarget(has_transactions)
    for night in [*history, last]:
        change_by_hand(target, night)
        target.steps_left = night.steps
        try:
            load(target, night.parts)
        except StoppedError:
            target.steps_left = None
            load(target, night.parts)
        assert target.content() == loaded_from_scratch(night.parts).content()
        assert planned(target, night.parts).is_empty


def example(borders: Sequence[int] = (2, 4)) -> dict[str, list[TargetPart]]:
    rows = [(subject, "a") for subject in SUBJECTS]
    return parts_of({"rejects": [(None, "b"), *rows], "labels": rows, "volunteers": [(0, "a")]}, borders)


def test_only_parts_that_differ_are_replaced() -> None:
    target = loaded_from_scratch(example())
    parts = example()
    parts["labels"][1] = model_part(LABELS, "00001", [(2, "new"), (3, "a"), (3, "b")], 2, 4)
    assert load(target, parts) == {
        "rejects": LoadedTable(3, 0, 0, 0, 0),
        "labels": LoadedTable(2, 1, 1, 3, 2),
        "volunteers": LoadedTable(1, 0, 0, 0, 0),
    }


def test_parts_between_borders_that_moved_are_replaced() -> None:
    target = loaded_from_scratch(example((2, 4)))
    assert load(target, example((3, 4)))["labels"] == LoadedTable(1, 2, 2, 4, 4)
    # Joined: part 2 is gone.
    assert load(target, example((3,)))["labels"] == LoadedTable(1, 1, 2, 3, 3)
    assert target.content() == loaded_from_scratch(example((3,))).content()


def test_a_table_that_polyframe_did_not_make_is_refused() -> None:
    for name in ("labels", LOADS.name):
        target = ModelTarget(tables={name: ModelTable({"a": "b"}, is_own=False)})
        with pytest.raises(PolyframeError, match=f"model: has a table {name} that polyframe did not make"):
            planned(target, example())


def test_a_table_that_somebody_replaced_is_neither_changed_nor_removed() -> None:
    """Although parts of it are recorded: with other columns, or with ours."""
    for columns in ({"mine": "Int64"}, ModelTarget().column_types(LABELS)):
        target = loaded_from_scratch(example())
        target.tables["labels"] = theirs = ModelTable(columns, [(3, "theirs")], is_own=False)
        with pytest.raises(PolyframeError, match="model: has a table labels that polyframe did not make"):
            planned(target, example())
        parts = {"rejects": example()["rejects"]}
        assert planned(target, parts).dropped == ("volunteers",)
        load(target, parts)
        assert target.tables["labels"] == theirs
        assert planned(target, parts).is_empty


def test_tables_of_another_workflow_are_refused() -> None:
    target = ModelTarget()
    load(target, example(), 4321)
    with pytest.raises(PolyframeError, match="the tables of workflow 4321, not of workflow 1; load into"):
        planned(target, example())
    with pytest.raises(PolyframeError, match="the tables of workflow 4321, not of several workflows; load"):
        plan_load(target, example(), None)


def test_columns_that_differ_are_named() -> None:
    target = loaded_from_scratch(example())
    columns = target.tables["labels"].columns
    columns["frame"], columns["note"] = "String", "String"
    del columns["tool"]
    assert planned(target, example()).schema_changes == (
        "table labels: column frame is String instead of Int32",
        "table labels: no column tool (String)",
        "table labels: column note is not one of polyframe's",
    )


def test_what_somebody_changed_is_named() -> None:
    target = loaded_from_scratch(example())
    target.tables["labels"].rows.pop()
    del target.tables["volunteers"]
    assert planned(target, example()).repairs == (
        "table volunteers was removed from the target; it is created again",
        "table labels: somebody changed rows in 1 part; it is loaded again",
    )
    del target.tables[LOADS.name]
    assert planned(target, example()).repairs == (
        "table polyframe_loads was removed from the target; all parts are loaded again",
    )


def test_tables_that_the_output_directory_does_not_have_are_removed() -> None:
    target = loaded_from_scratch(example())
    parts = {"rejects": example()["rejects"]}
    assert planned(target, parts).dropped == ("labels", "volunteers")
    load(target, parts)
    assert target.content() == loaded_from_scratch(parts).content()
