"""What `polyframe status` and `polyframe validate` print: lines for people, or one JSON object."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from polyframe.store.stages import not_default, settings_of
from polyframe.store.status import Status
from polyframe.store.validation import Checked

#: So many findings, or parts that are not current, are printed; the others are counted.
_PRINTED: Final = 36
#: How the version was chosen, by the names in `polyframe.core.choices.VersionChosenBy`.
_CHOSEN_BY: Final = {
    "user": "as named",
    "default": "kept until another is named",
    "newest": "the newest, as asked for",
}


def status_lines(found: Status) -> list[str]:
    """Return what an output directory holds, in words."""
    if found.polyframe_version is None:
        return [f"{found.output}: no tables yet", *_work_lines(found)]
    lines = [
        f"{found.output}: {', '.join(found.stages)} of workflow {found.settings['workflow_id']}, "
        f"version {', '.join(text.strip() for text in found.versions)} "
        f"({_CHOSEN_BY[str(found.version_chosen_by)]}), made by polyframe {found.polyframe_version}",
        f"from {', '.join(found.sources)}; {_settings(found)}",
        "",
        *_table_lines(found),
        "",
        f"{found.partitions_current} of {found.partitions} partitions and {found.parts_current} of "
        f"{found.parts} parts are current",
    ]
    lines += [f"  {file}: {problem}" for file, problem in list(found.not_current.items())[:_PRINTED]]
    lines += _more(len(found.not_current))
    reasons: Mapping[str, int] = found.accounting["reasons"]
    listed = ", ".join(f"{reason} {number}" for reason, number in reasons.items())
    lines.append(f"rejected by the last run: {listed or 'nothing'}")
    return lines + _work_lines(found)


def status_json(found: Status) -> list[str]:
    """Return what an output directory holds as a JSON object; its keys are the attributes of `Status`.

    `tables` holds an object for each table, with the attributes of `TableStatus`; `not_current` holds what
    is wrong by file; `accounting` is that of `polyframe.json`. Where there are no tables yet,
    `polyframe_version` is null and all that depends on it is empty or 0.
    """
    return [json.dumps(found.to_dict(), indent=2)]


def checked_lines(output: Path, checked: Checked) -> list[str]:
    """Return what is off in an output directory, in words."""
    looked_at = f"{checked.tables} tables, {checked.parts} parts, {checked.rows} rows"
    n = len(checked.findings)
    if not n:
        return [f"{output}: {looked_at}: nothing is off"]
    lines = [_one_line(str(finding)) for finding in checked.findings[:_PRINTED]]
    return [
        *lines,
        *_more(n),
        f"{output}: {looked_at} read: {n} {'thing is' if n == 1 else 'things are'} off",
    ]


def checked_json(output: Path, checked: Checked) -> list[str]:
    """Return what is off in an output directory as a JSON object.

    Its keys: `output`, `tables`, `parts` and `rows` (how many could be read), and `findings`, a list of
    objects with the attributes of `polyframe.store.validation.Finding`.
    """
    told: dict[str, Any] = {"output": str(output), **vars(checked)}
    told["findings"] = [finding.to_dict() for finding in checked.findings]
    return [json.dumps(told, indent=2)]


def _settings(found: Status) -> str:
    """Tell the settings that are not the defaults; those that a run always chooses stand elsewhere."""
    return f"settings: {not_default(settings_of(found.settings)) or 'the defaults'}"


def _table_lines(found: Status) -> list[str]:
    lines = [f"{'table':<16}{'rows':>12}{'bytes':>14}{'parts':>8}"]
    for name, table in found.tables.items():
        lines.append(f"{name:<16}{table.rows:>12,}{table.bytes:>14,}{table.parts:>8,}")
    return lines


def _work_lines(found: Status) -> list[str]:
    several = "s" * (found.finished_partitions != 1)
    waiting = f"{found.finished_parts} finished parts of {found.finished_partitions} partition{several}"
    if found.running:
        moving = "; its tables are moving into place" if found.change_decided else ""
        return [f"{found.running} is working there now: {waiting} so far{moving}"]
    if found.change_decided:
        return [
            "a run died while its finished tables moved into place; the next run completes that, and pf.scan "
            "reads the new tables already"
        ]
    if found.finished_parts or found.polyframe_version is None:
        return [f"a run ended early: {waiting} wait; run the same command to continue"]
    return []


def _more(number: int) -> list[str]:
    return [f"... and {number - _PRINTED} more"] if number > _PRINTED else []


def _one_line(text: str) -> str:
    return " ".join(text.split())
