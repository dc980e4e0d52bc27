"""Measure processor time and memory of groups with very many marks; runs above a limit are stopped."""

from dataclasses import dataclass

import ours
from inputs import Export
from measuring import Bench, median
from processes import Done, LimitError, Limits, ProcessError
from report import Row

#: Runs above these limits are stopped.
_LIMITS = Limits(seconds=300, resident_mb=5000)
#: Runs that take longer are not repeated.
_LONG = 40.0


@dataclass(frozen=True)
class _Group:
    """One group with many marks.

    Attributes
    ----------
    name : str
    export : Export
    key : str
        Of its targets.
    flags : tuple of str
    """

    name: str
    export: Export
    key: str
    flags: tuple[str, ...] = ()


def groups(bench: Bench) -> None:
    """Measure whole runs on exports with one group each."""
    inputs = bench.inputs
    volunteers = f"{bench.sizes.group:,} volunteers"
    five, one, identical = inputs.group_of_five(), inputs.group_of_one(), inputs.identical()
    keep = ("--duplicate-marks", "keep")
    for group in (
        _Group(f"{five.marks:,} marks of {volunteers}, five objects", five, "5,000 marks"),
        _Group(f"{one.marks:,} marks of {volunteers}, one object", one, "5,000 marks of one object"),
        _Group(
            f"{identical.marks:,} identical marks of {volunteers}", identical, "100,000 identical marks", keep
        ),
    ):
        bench.attempt(group.name, lambda g=group: _measure(bench, g))


def _measure(bench: Bench, group: _Group) -> None:
    engine = bench.engines[0]
    done: list[Done] = []
    failure = ""
    while len(done) < bench.runs and not failure and not (done and done[0].seconds > _LONG):
        try:
            done.append(bench.whole("run", group.export, "group", engine, *group.flags, limits=_LIMITS))
        except LimitError as error:
            failure = str(error)
        except ProcessError as error:
            bench.report.notes.append(f"{group.name}: {error}")
            failure = "failed"
    note = f"{group.export.described}; one worker. "
    note += f"Stopped above {_LIMITS.seconds:,.0f} s or {_LIMITS.resident_mb:,.0f} MB. "
    note += f"Runs of more than {_LONG:.0f} s are not repeated."
    label = ours.LABELS[engine]
    rows = [
        (Row("groups", f"{group.name}: processor time", label), "", [one.cpu_seconds for one in done]),
        (
            Row("groups", f"{group.name}: resident memory", label, unit="MB"),
            ", memory",
            [one.peak_mb for one in done],
        ),
    ]
    for row, suffix, amounts in rows:
        row.failure, row.note, row.runs = failure, note, {"polyframe": amounts}
        row.ours = median(amounts) if amounts and not failure else None
        bench.add(bench.set_target(row, group.key + suffix))
