"""Load the tables of an output directory into a warehouse."""

import contextlib
import time
from collections.abc import Mapping
from typing import Final

from polyframe.core.callbacks import DetailedProgress, Progress, Say, detailed, no_progress
from polyframe.core.errors import PolyframeError
from polyframe.core.local_paths import AnyPlace, place_of
from polyframe.core.notes import Information, show
from polyframe.export.load.loaded import Loaded, LoadedTable
from polyframe.export.load.loaded_tables import target_parts
from polyframe.export.load.plan_load import LoadPlan, plan_load
from polyframe.export.load.target import Target
from polyframe.export.load.targets import open_target
from polyframe.store.reading import explain_damage, open_tables

#: How many differences between columns messages list.
_MOST_LISTED: Final = 3


def load(
    output: AnyPlace,
    to: str,
    *,
    allow_schema_change: bool = False,
    storage_options: Mapping[str, str] | None = None,
    say: Say | None = None,
    progress: Progress | None = None,
) -> Loaded:
    """Load the tables of an output directory into a warehouse, like `polyframe load`.

    Only the parts that differ from those in the warehouse are deleted and inserted, all tables in one
    transaction if it has transactions. The result is the same as that of a load into an empty warehouse.

    Parameters
    ----------
    output : path or address
        The output directory; nothing in it is changed.
    to : str
        The address of the warehouse, such as `duckdb:///project.duckdb`.
    allow_schema_change : bool
        Whether to rebuild tables whose columns differ from those of this version of polyframe.
    storage_options : mapping, optional
        As for `polyframe.scan`; also for the bucket of a `delta:` address.
    say : callable, optional
        Receives each note as a string.
    progress : callable, optional
        Receives the number of inserted parts and the number of all parts to insert.

    Returns
    -------
    Loaded
        What was deleted and inserted; `print` shows it as the command does.

    Raises
    ------
    UsageError
        If `to` is not the address of a warehouse.
    PolyframeError
        If the output directory cannot be read or changes during the load, the warehouse cannot be written, it
        has a table of one of our names that polyframe did not make, or columns differ.

    Examples
    --------
    >>> import polyframe as pf
    >>> pf.load("out", "duckdb:///project.duckdb")  # doctest: +SKIP
    """
    start, place = time.monotonic(), place_of(output, "output", storage_options)
    say, steps = show if say is None else say, detailed(progress or no_progress)
    with explain_damage(place), contextlib.ExitStack() as opened:
        with open_tables(place, "load") as tables:
            # Not before: a wrong OUT must not leave an empty database.
            target = opened.enter_context(open_target(to, storage_options))
            parts = target_parts(tables, nested_lists=target.nested_lists)
            steps.begin(f"looking for changes in {target.name}")
            plan = plan_load(target, parts, tables.manifest.settings.workflow_id)
            _report(plan, target, say, allow_schema_change=allow_schema_change)
            loaded = carry_out(plan, target, steps)
            _say_notes(target, say)
        # Not inside: leaving `open_tables` checks that all parts are of one version.
        if not plan.is_empty:
            steps.begin("committing the changes")
            target.commit(tables.manifest.number)
    return Loaded(target.name, loaded, time.monotonic() - start)


def _report(plan: LoadPlan, target: Target, say: Say, *, allow_schema_change: bool) -> None:
    """Report what somebody changed in the target, and what happens to its columns.

    Raises
    ------
    PolyframeError
        If columns differ, and may not be changed.
    """
    _say_notes(target, say)
    for note in plan.repairs:
        say(note)
    for name in plan.dropped:
        say(f"table {name} is removed from the target: the output directory does not have it")
    if not plan.schema_changes:
        return
    changes = "; ".join(plan.schema_changes[:_MOST_LISTED])
    if len(plan.schema_changes) > _MOST_LISTED:
        changes += f"; and {len(plan.schema_changes) - _MOST_LISTED} more"
    if not allow_schema_change:
        number = len({change.partition(":")[0] for change in plan.schema_changes})
        rebuilt = "this table" if number == 1 else "these tables"
        raise PolyframeError(
            f"{target.name}: {changes}; allow polyframe to rebuild {rebuilt} with "
            "--allow-schema-change (allow_schema_change=True)"
        )
    say(Information(f"columns of the target change: {changes}"))


def _say_notes(target: Target, say: Say) -> None:
    while target.notes:
        say(target.notes.pop(0))


def carry_out(plan: LoadPlan, target: Target, progress: DetailedProgress) -> dict[str, LoadedTable]:
    """Change a target as planned, without a commit; return what changed by table."""
    for table in plan.created:
        target.create_table(table)
    for name in plan.dropped:
        target.drop_table(name)
    total, done = sum(len(change.inserted) for change in plan.changes), 0
    progress.begin("changing the tables", total, "parts")

    def count_part() -> None:
        nonlocal done
        done += 1
        progress(done, total)

    loaded = {}
    for change in plan.changes:
        deleted = inserted = 0
        if change.inserted or change.forgotten:
            rows = target.replace_parts(change, count_part)
            deleted, inserted = rows.deleted, rows.inserted
        loaded[change.table.name] = LoadedTable(
            len(change.kept), len(change.inserted), len(change.forgotten), inserted, deleted
        )
    return loaded
