"""Keep a run from replacing good tables by accident.

A run keeps the workflow and version of the output directory, checks that the chosen tools exist, and stops if
the number of marks or clusters falls too far.
"""

import typing
from collections.abc import Collection, Iterator, Mapping
from fractions import Fraction
from typing import Any, Final

import msgspec

from polyframe.core.callbacks import Say
from polyframe.core.choices import VersionChosenBy
from polyframe.core.errors import PolyframeError, UsageError
from polyframe.core.settings import Settings
from polyframe.panoptes.annotations.tools import TOOL_SETTINGS, Tools
from polyframe.panoptes.classifications.version_selection import PreviousSelection
from polyframe.panoptes.classifications.workflow_versions import parse_version_spec
from polyframe.store.manifest import Manifest, recorded_tools
from polyframe.store.output import Output
from polyframe.store.run_counts import Accounting, Counts, accounting_of, total

#: Settings that affect tables, but not the numbers of marks and clusters.
_NOT_COUNTED: Final = ("volunteers", "average_type", "min_threshold")


def previous_selection(output: Output, recorded: Mapping[str, Any]) -> PreviousSelection | None:
    """Return the workflow and version with which an output directory was made.

    Parameters
    ----------
    output : Output
        For messages.
    recorded : mapping
        From `polyframe.store.versions.recorded_manifest`.

    Returns
    -------
    PreviousSelection or None
        None if there are no tables yet, or the manifest does not say.
    """
    extraction = recorded.get("extraction")
    if not isinstance(extraction, dict):
        return None
    workflow_id, version = extraction.get("workflow_id"), extraction.get("workflow_version")
    if not isinstance(workflow_id, int) or not isinstance(version, str):
        return None
    try:
        parse_version_spec(version)
    except UsageError:
        return None
    choices: tuple[VersionChosenBy, ...] = typing.get_args(VersionChosenBy)
    chosen_by: VersionChosenBy = next(
        (c for c in choices if c == recorded.get("version_chosen_by")), choices[0]
    )
    return PreviousSelection(str(output), workflow_id, version, choices[0] if ".." in version else chosen_by)


def extracted_tools(manifest: Manifest) -> Tools | None:
    """Return the tools of the extractions in an output directory; None if its manifest does not say."""
    tools = recorded_tools(manifest.partitions)
    return None if tools is None else tools.selected(manifest.extraction)


def check_tools_exist(
    where: str, tools: Tools | None, settings: Settings, flagged: Collection[str], say: Say = lambda _: None
) -> None:
    """Check that the tasks and tools in the settings exist.

    Parameters
    ----------
    where : str
        Name of the export, output directory or frame, for messages.
    tools : Tools or None
        The tools that drew outlines; None if unknown.
    settings : Settings
        All settings.
    flagged : collection of str
        The settings given by flags or arguments: their tasks and tools must exist. Of those in a
        configuration, which may not have been used so far, one must exist.
    say : callable
        Receives the tasks and tools in a configuration that do not exist.

    Raises
    ------
    PolyframeError
        If they do not exist; the message lists those that do.
    """
    if tools is None:
        return
    asked = tools.missing(settings, [name for name in TOOL_SETTINGS if name in flagged])
    if asked:
        raise PolyframeError(f"{where}: contains no outline of {' or '.join(asked)}; it contains {tools}")
    lacking = tools.missing(settings)
    if not lacking or tools == Tools():
        return
    if tools.selected(settings) == Tools():
        raise PolyframeError(
            f"{where}: contains no outline of {', '.join(lacking)}, which the configuration names; "
            f"it contains {tools}"
        )
    say(f"the configuration names {', '.join(lacking)}, but there is no outline of it so far")


def check_shrinkage(
    output: Output,
    recorded: Mapping[str, Any],
    before: Manifest | None,
    manifest: Manifest,
    max_shrink: float,
) -> None:
    """Check that the numbers of marks and clusters do not fall too far with unchanged settings.

    Parameters
    ----------
    output : Output
        For the message.
    recorded : mapping
        Its manifest, from `polyframe.store.versions.recorded_manifest`.
    before : Manifest or None
        The same, with the partitions that may be in files of their own; None if it cannot be read.
    manifest : Manifest
        The manifest of the new tables.
    max_shrink : float
        The largest acceptable decrease (fraction).

    Raises
    ------
    PolyframeError
        If they fall by more; the message lists all counts that changed. Marks are compared only if the
        settings of the extraction are unchanged, clusters only if those of the clustering are too.
    """
    new = manifest.to_dict()
    old_counts = _recorded_extraction(recorded) if before is None else _extraction(before)
    new_counts = _extraction(manifest)
    compared: list[tuple[str, int, int]] = []
    if _same_settings(recorded, new, "extraction", ("extract",)):
        compared.append(("marks", _n_marks(old_counts), _n_marks(new_counts)))
    if _clustered(recorded) and _clustered(new):
        old_counts, new_counts = _known_counts(recorded.get("accounting")), manifest.accounting
        if compared and _same_settings(recorded, new, "settings", ("extract", "reduce")):
            compared.append(("clusters", old_counts.clusters, new_counts.clusters))
    allowed = Fraction(repr(max_shrink))
    falls = [f"{name} from {old} to {new}" for name, old, new in compared if old - new > allowed * old]
    if falls:
        changes = ", ".join(_changes(old_counts, new_counts)) or "none that is counted"
        raise PolyframeError(
            f"{output}: its tables would shrink by more than {float(100 * allowed):g}% with unchanged "
            f"settings ({' and '.join(falls)}), so they were not replaced. All changes: {changes}. Check the "
            "export, or accept the new tables, which are finished, with --max-shrink 100%."
        )


def _same_settings(
    recorded: Mapping[str, Any], new: Mapping[str, Any], key: str, stages: tuple[Any, ...]
) -> bool:
    """Return whether the settings that affect the numbers of marks or clusters are unchanged."""
    before, after = recorded.get(key), new.get(key)
    if not isinstance(before, dict) or not isinstance(after, dict):
        return False
    ignored = set(_NOT_COUNTED)
    if recorded.get("version_chosen_by") == new.get("version_chosen_by") == "newest":
        # The newest version was requested, which may be another one now.
        ignored.add("workflow_version")
    # Another version of polyframe may have other settings.
    names = (set(Settings().affecting(*stages)) & before.keys()) - ignored
    return bool(names) and all(before[name] == after[name] for name in names)


def _clustered(recorded: Mapping[str, Any]) -> bool:
    stages = recorded.get("stages")
    return isinstance(stages, list) and any(stage in stages for stage in ("reduce", "contours"))


def _extraction(manifest: Manifest) -> Accounting:
    """Return the counts of the extraction alone, which may contain more marks than later stages use."""
    counts = (partition.stages["extract"].counts for partition in manifest.partitions)
    return total(counts, manifest.accounting.rows_read, manifest.accounting.rows_filtered)


def _recorded_extraction(recorded: Mapping[str, Any]) -> Accounting:
    """Return the same of a manifest of another release; all counts if its partitions cannot be read."""
    whole = _known_counts(recorded.get("accounting"))
    try:
        extractions = [partition["stages"]["extract"] for partition in recorded["partitions"]]
        counts = [msgspec.convert(extraction["counts"], Counts) for extraction in extractions]
        return total(counts, whole.rows_read, whole.rows_filtered)
    except (KeyError, TypeError, ValueError, AttributeError, msgspec.MsgspecError):
        return whole


def _known_counts(recorded: object) -> Accounting:
    """Return the counts that have the same names today."""
    if not isinstance(recorded, dict):
        return accounting_of({})
    known = {name: recorded[name] for name in Accounting.__struct_fields__ if name in recorded}
    reasons = known.pop("reasons", {})
    numbers = {name: count for name, count in known.items() if isinstance(count, int)}
    return accounting_of(numbers, reasons if isinstance(reasons, dict) else {})


def _n_marks(counts: Accounting) -> int:
    if counts.marks_seen:
        return counts.marks_extracted
    # Earlier versions counted only decoded marks as rejected.
    return counts.marks_decoded - counts.marks_rejected


def _changes(before: Accounting, after: Accounting) -> Iterator[str]:
    """Describe every count that changed, with rejected rows and marks by reason."""
    old, new = before.to_dict(), after.to_dict()
    reasons: tuple[dict[str, int], dict[str, int]] = old.pop("reasons"), new.pop("reasons")
    for name in new:
        if old[name] != new[name]:
            yield f"{name.replace('_', ' ')} {old[name]} -> {new[name]}"
    for reason in sorted({*reasons[0], *reasons[1]}):
        old_count, new_count = (counts.get(reason, 0) for counts in reasons)
        if old_count != new_count:
            yield f"rejected as {reason} {old_count} -> {new_count}"
