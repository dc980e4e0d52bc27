"""Format the results of `polyframe status` and `polyframe validate` as lines of text or one JSON object."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from polyframe.api import Findings, Published, Status
from polyframe.core.addresses import Place
from polyframe.core.durations import format_duration
from polyframe.core.environment import set_variables, shown
from polyframe.core.errors import one_line
from polyframe.core.estimation import unsure_lines
from polyframe.core.plurals import agreeing, counted, plural

if TYPE_CHECKING:
    from polyframe.export.words import Words

#: Most problems that are listed; the rest are counted.
_MOST_LISTED: Final = 36
#: How the version was chosen, by the names in `polyframe.core.choices.VersionChosenBy`.
_CHOSEN_BY: Final = {
    "user": "as requested",
    "default": "kept until another is requested",
    "newest": "the newest, as requested",
}


def status_lines(status: Status, words: "Words | None" = None) -> list[str]:
    """Describe an output directory in words, and the settings that the environment has for the next run.

    Parameters
    ----------
    status : Status
    words : Words, optional
        Those of the project, for its workflow, tasks and tools.
    """
    return [*_directory_lines(status, words), *_environment_lines()]


def _directory_lines(status: Status, words: "Words | None") -> list[str]:
    if status.polyframe_version is None:
        return [f"{status.output}: no tables yet", *_run_lines(status)]
    name = f" ({words.workflow})" if words and words.workflow else ""
    lines = [
        f"{status.output}: {', '.join(status.stages)} of workflow {status.settings['workflow_id']}{name}, "
        f"version {', '.join(version.strip() for version in status.versions)} "
        f"({_CHOSEN_BY[str(status.version_chosen_by)]}), made by polyframe {status.polyframe_version}",
        f"from {', '.join(status.sources)}; {_settings(status)}{_engines(status)}",
        *(_word_lines(words) if words else []),
        "",
        *_table_lines(status),
        "",
        f"{status.partitions_current} of {status.partitions} {plural(status.partitions, 'partition')} and "
        f"{status.parts_current} of {status.parts} {plural(status.parts, 'part')} are current",
    ]
    lines += [f"  {file}: {problem}" for file, problem in list(status.not_current.items())[:_MOST_LISTED]]
    lines += _unlisted(len(status.not_current))
    lines += [words.in_text(line) if words else line for line in _correction_lines(status)]
    lines += unsure_lines(status.accounting["clusters_unsure"], status.accounting["clusters_estimated"])
    counts: Mapping[str, int] = status.accounting["reasons"]
    reasons = ", ".join(f"{reason} {count}" for reason, count in counts.items())
    lines.append(f"rejected by the last run: {reasons or 'nothing'}")
    lines += _version_lines(status)
    return lines + _run_lines(status)


def checked_line(status: Status) -> str:
    """Say that there is no problem."""
    age = status.age()
    parts = f"{counted(status.parts, 'part')} {agreeing(status.parts, 'are')} current"
    updated = "" if age is None else f", updated {format_duration(age)} ago"
    return f"{status.output}: version {status.number}, {status.parts_current} of {parts}{updated}"


def status_object(status: Status, problems: Sequence[str] | None = None) -> dict[str, Any]:
    """Describe an output directory as an object for JSON whose keys are the attributes of `Status`.

    `tables` contains an object for each table, with the attributes of `TableStatus`; `not_current` contains
    the problem of each file; `accounting` is that of `polyframe.json`. Without tables, `polyframe_version` is
    null and everything that depends on it is empty or 0. If `problems` are given, the object contains them.
    """
    checked = {} if problems is None else {"problems": list(problems)}
    return status.to_dict() | checked


def findings_lines(output: Place, findings: Findings) -> list[str]:
    """List the problems of an output directory in words."""
    contents = ", ".join(
        f"{number} {plural(number, noun)}"
        for number, noun in ((findings.tables, "table"), (findings.parts, "part"), (findings.rows, "row"))
    )
    n = len(findings)
    if not n:
        return [f"{output}: {contents}: no problems"]
    lines = [one_line(str(finding)) for finding in findings[:_MOST_LISTED]]
    return [*lines, *_unlisted(n), f"{output}: {contents} read: {n} {plural(n, 'problem')}"]


def findings_object(output: Place, findings: Findings) -> dict[str, Any]:
    """List the problems of an output directory as an object for JSON.

    Its keys: `output`; `tables`, `parts` and `rows`, the number of each that could be read; and `findings`, a
    list of objects with the attributes of `polyframe.Finding`.
    """
    listed = [finding.to_dict() for finding in findings]
    return {"output": str(output), "findings": listed, **vars(findings)}


def _settings(status: Status) -> str:
    """List the settings that differ from the defaults, except those that every run chooses."""
    return f"settings: {status.changed_settings() or 'the defaults'}"


def _engines(status: Status) -> str:
    engines = dict.fromkeys(status.engines.values())
    return f"; engine {' and '.join(engines)}" if engines else ""


def _word_lines(words: "Words") -> list[str]:
    """List what the project calls the tasks and tools that were used."""
    named = sorted((*words.tasks.items(), *words.tools.items()))  # tools follow their task
    return [f"{'  ' if key in words.tools else ''}{key}: {text}" for key, text in named]


def _table_lines(status: Status) -> list[str]:
    lines = [f"{'table':<16}{'rows':>12}{'bytes':>14}{'parts':>8}"]
    for name, table in status.tables.items():
        lines.append(f"{name:<16}{table.rows:>12,}{table.bytes:>14,}{table.parts:>8,}")
    return lines


def _correction_lines(status: Status) -> list[str]:
    corrections = status.corrections
    if corrections is None:
        return []
    polygons, removed = counted(corrections.polygons, "corrected polygon"), corrections.removed
    line = f"corrections: {polygons} and {counted(removed, 'removed cluster')} in use"
    if not corrections.stale:
        return [f"{line}, none stale"]
    names = [f"  stale: {name}" for name in corrections.stale_clusters[:_MOST_LISTED]]
    stale = f"{corrections.stale:,} stale, since the marks of the cluster have changed"
    return [f"{line}, {stale}", *names, *_unlisted(corrections.stale)]


def _version_lines(status: Status) -> list[str]:
    """List the versions that are kept, if they were requested, and the newest one otherwise."""
    if not status.published:
        published = f"version {status.number}, published {_when(status.finished_at, status.host)}"
        checked = f", found up to date {status.checked_at}" if status.checked_at != status.finished_at else ""
        age = status.age()
        return [published + checked + ("" if age is None else f" ({format_duration(age)} ago)")]
    return [
        "",
        *(f"version {version.number:>4}  {_origin(version)}" for version in status.published),
    ]


def _origin(version: Published) -> str:
    if version.polyframe_version is None:
        return "cannot be read (damaged, or made by another version of polyframe)"
    return f"{_when(version.finished_at, version.host)}  polyframe {version.polyframe_version}"


def _when(finished_at: str | None, host: str | None) -> str:
    return f"{finished_at} by {host}" if finished_at else "before versions had numbers"


def _run_lines(status: Status) -> list[str]:
    """Describe a run that is in progress or ended early."""
    partitions = counted(status.finished_partitions, "partition")
    finished = f"{counted(status.finished_parts, 'finished part')} of {partitions}"
    if status.running:
        return [f"{status.running} is working there now: {finished} so far"]
    if status.finished_parts or status.polyframe_version is None:
        wait = agreeing(status.finished_parts, "wait")
        return [f"a run ended early: {finished} {wait}; run the same command to continue"]
    return []


def _environment_lines() -> list[str]:
    names = set_variables(os.environ)
    return [f"from the environment, for the next run: {shown(names, os.environ)}"] if names else []


def _unlisted(count: int) -> list[str]:
    return [f"... and {count - _MOST_LISTED} more"] if count > _MOST_LISTED else []
