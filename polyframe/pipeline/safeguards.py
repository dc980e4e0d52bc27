"""Keep a run from quietly replacing good tables: what it keeps, what must be there, how far it may shrink."""

import json
import typing
from collections.abc import Collection, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import msgspec

from polyframe.core.callbacks import Say
from polyframe.core.choices import VersionChosenBy
from polyframe.core.errors import PolyframeError, UsageError
from polyframe.core.settings import Settings
from polyframe.panoptes.annotations.tools import TOOL_SETTINGS, Tools
from polyframe.panoptes.classifications.selection import PreviousSelection
from polyframe.panoptes.classifications.workflow_versions import parse_version_spec
from polyframe.store.accounting import Accounting, Counts, total
from polyframe.store.manifest import MANIFEST, Manifest, tools_in

#: Settings that change tables, but neither how many marks there are nor how many clusters.
_NO_COUNTS: Final = ("volunteers", "average_type", "min_threshold")


def recorded_manifest(output: Path) -> dict[str, Any]:
    """Return what the manifest of an output directory holds, whatever its form.

    That of another version of polyframe is good enough to know what the tables were made with, although
    nothing else can be reused.

    Parameters
    ----------
    output : Path
        The output directory; it need not exist.

    Returns
    -------
    dict
        Empty where there is no manifest, or no JSON object in it.
    """
    try:
        recorded = json.loads((output / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return recorded if isinstance(recorded, dict) else {}


def made_with(output: Path, recorded: Mapping[str, Any]) -> PreviousSelection | None:
    """Return the workflow and version that an output directory was made with.

    Parameters
    ----------
    output : Path
        The output directory, for messages.
    recorded : mapping
        From `recorded_manifest`.

    Returns
    -------
    PreviousSelection or None
        None where there are no tables yet, or the manifest does not tell.
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
    told = recorded.get("version_chosen_by")
    choices: tuple[VersionChosenBy, ...] = typing.get_args(VersionChosenBy)
    chosen_by: VersionChosenBy = next((choice for choice in choices if choice == told), choices[0])
    return PreviousSelection(str(output), workflow_id, version, choices[0] if ".." in version else chosen_by)


def extracted_tools(manifest: Manifest) -> Tools | None:
    """Return the tools of the extractions in an output directory; None where its manifest does not tell."""
    tools = tools_in(manifest.partitions)
    return None if tools is None else tools.chosen(manifest.extraction)


def check_named(
    where: str, tools: Tools | None, settings: Settings, flagged: Collection[str], say: Say = lambda _: None
) -> None:
    """Check that the tasks and tools that the settings name are there.

    Parameters
    ----------
    where : str
        The export, the output directory or the frame, for messages.
    tools : Tools or None
        The tools that there are; None where that is not known.
    settings : Settings
        All settings.
    flagged : collection of str
        The settings that were given by flags or arguments. What they name must be there; a configuration may
        name what nobody has used so far, unless nothing that it names is there.
    say : callable
        Told what a configuration names in vain.

    Raises
    ------
    PolyframeError
        Where something that is named is not there; it says what is.
    """
    if tools is None:
        return
    asked = tools.lacking(settings, [name for name in TOOL_SETTINGS if name in flagged])
    if asked:
        raise PolyframeError(f"{where}: holds no outline of {' and of '.join(asked)}; it holds {tools}")
    lacking = tools.lacking(settings)
    if not lacking or tools == Tools():
        return
    if tools.chosen(settings) == Tools():
        raise PolyframeError(
            f"{where}: holds no outline of what the configuration names ({', '.join(lacking)}); "
            f"it holds {tools}"
        )
    say(f"the configuration names {', '.join(lacking)}, of which there is no outline so far")


def check_shrinkage(output: Path, recorded: Mapping[str, Any], manifest: Manifest, max_shrink: float) -> None:
    """Check that marks and clusters do not fall too far while the settings stay as they are.

    Parameters
    ----------
    output : Path
        The output directory, for the message.
    recorded : mapping
        Its manifest so far, from `recorded_manifest`.
    manifest : Manifest
        The manifest of the tables that would take the place of those in the output directory.
    max_shrink : float
        The largest share by which they may fall.

    Raises
    ------
    PolyframeError
        Where they fall by more; it says from what to what, and what else changed. Settings that were changed
        are no reason: marks are compared where those of the extraction are the same, clusters where those of
        the clustering are the same too.
    """
    new = manifest.to_dict()
    before, after = _extracted(recorded), _extracted(new)
    compared: list[tuple[str, int, int]] = []
    if _alike(recorded, new, "extraction", ("extract",)):
        compared.append(("marks", _marks(before), _marks(after)))
    if _clustered(recorded) and _clustered(new):
        before, after = _counts(recorded.get("accounting")), manifest.accounting
        if compared and _alike(recorded, new, "settings", ("extract", "reduce")):
            compared.append(("clusters", before.clusters, after.clusters))
    allowed = Fraction(repr(max_shrink))
    fallen = [f"{name} from {old} to {new}" for name, old, new in compared if old - new > allowed * old]
    if fallen:
        raise PolyframeError(
            f"{output}: {' and '.join(fallen)} would be a fall of more than {float(100 * allowed):g}%, with "
            f"the settings that it was made with, so its tables stay as they were; what else changed: "
            f"{', '.join(_changes(before, after)) or 'nothing that is counted'}; look at the export, or take "
            "the new tables all the same with --max-shrink 100%, which finds them finished"
        )


def _alike(recorded: Mapping[str, Any], new: Mapping[str, Any], key: str, stages: tuple[Any, ...]) -> bool:
    """Tell whether those settings are the same that decide how many marks or clusters there are."""
    before, after = recorded.get(key), new.get(key)
    if not isinstance(before, dict) or not isinstance(after, dict):
        return False
    passed_over = set(_NO_COUNTS)
    if recorded.get("version_chosen_by") == new.get("version_chosen_by") == "newest":
        # Asked for again, whichever it is by now.
        passed_over.add("workflow_version")
    # Another version of polyframe may have other settings.
    names = (set(Settings().affecting(*stages)) & before.keys()) - passed_over
    return bool(names) and all(before[name] == after[name] for name in names)


def _clustered(recorded: Mapping[str, Any]) -> bool:
    stages = recorded.get("stages")
    return isinstance(stages, list) and any(stage in stages for stage in ("reduce", "contours"))


def _extracted(recorded: Mapping[str, Any]) -> Accounting:
    """Return the counts of the extraction alone, which may have taken more marks than later stages."""
    whole = _counts(recorded.get("accounting"))
    try:
        extractions = [partition["stages"]["extract"] for partition in recorded["partitions"]]
        counts = [msgspec.convert(extraction["counts"], Counts) for extraction in extractions]
        return total(counts, whole.rows_read, whole.rows_filtered)
    except (KeyError, TypeError, ValueError, AttributeError):
        return whole


def _counts(recorded: object) -> Accounting:
    """Return counts as far as they are known by the same names."""
    if not isinstance(recorded, dict):
        return Accounting()
    known = {name: recorded[name] for name in Accounting.__struct_fields__ if name in recorded}
    reasons = known.pop("reasons", {})
    numbers = {name: count for name, count in known.items() if isinstance(count, int)}
    return Accounting(**numbers, reasons=reasons if isinstance(reasons, dict) else {})


def _marks(counts: Accounting) -> int:
    if counts.marks_seen:
        return counts.marks_extracted
    # Earlier versions counted as rejected only what was decoded.
    return counts.marks_decoded - counts.marks_rejected


def _changes(before: Accounting, after: Accounting) -> Iterator[str]:
    """Name every count that is another one now; rejected rows and marks by reason too."""
    old, new = before.to_dict(), after.to_dict()
    reasons: tuple[dict[str, int], dict[str, int]] = old.pop("reasons"), new.pop("reasons")
    for name in new:
        if old[name] != new[name]:
            yield f"{name.replace('_', ' ')} {old[name]} -> {new[name]}"
    for reason in sorted({*reasons[0], *reasons[1]}):
        counts = [told.get(reason, 0) for told in reasons]
        if counts[0] != counts[1]:
            yield f"rejected as {reason} {counts[0]} -> {counts[1]}"
