"""Read the outlines of an expert, whatever they are in."""

import dataclasses
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from polyframe.consensus.extract import Extraction
from polyframe.consensus.score.outlines import GoldOutlines
from polyframe.core.addresses import Address, as_address
from polyframe.core.callbacks import Say
from polyframe.core.errors import PolyframeError, UsageError
from polyframe.core.frames import FRAMES, Frame, is_frame
from polyframe.core.local_copies import local_copies
from polyframe.core.local_paths import local_path
from polyframe.core.object_stores import StorageOptions
from polyframe.core.plurals import agreeing
from polyframe.core.settings import Settings
from polyframe.panoptes.classifications.workflow_versions import version_spec_from_config
from polyframe.pipeline.configure import ResolvedSettings
from polyframe.pipeline.gold.classified_outlines import gold_rows, outlines_of_extraction
from polyframe.pipeline.gold.fit_to_project import fit_to_project
from polyframe.pipeline.gold.project import Project, Skipped
from polyframe.pipeline.gold.read_coco import outlines_of_annotations
from polyframe.pipeline.gold.read_geojson import outlines_of_features
from polyframe.pipeline.in_memory import export_sources, extract_in_memory

Gold = str | os.PathLike[str] | Address | Frame

#: In place of a file: the rows of the output directory that are marked as gold standard.
GOLD_STANDARD: Final = "gold_standard"
_FORMS: Final = "a classification export, GeoJSON or COCO"


@dataclass(frozen=True)
class GoldSource:
    """What a caller passes as the outlines of an expert.

    Attributes
    ----------
    gold : path, address, frame or `gold_standard`
        A classification export; a file of GeoJSON or COCO; or `gold_standard`.
    workflow_id : int or None
        The workflow whose outlines are used; None for that of the project.
    workflow_version : str or None
        The version of the workflow, as in the settings; None for that of the project, or for the newest
        version of another workflow.
    """

    gold: Gold
    workflow_id: int | None = None
    workflow_version: str | None = None

    def refuse(self, why: str, *names: str) -> None:
        """Raise a UsageError if one of these attributes is set."""
        for name in names:
            if getattr(self, name) is not None:
                raise UsageError(f"gold_{name}: {why}; omit it")


def gold_source(
    gold: Gold, workflow_id: Any, workflow_version: Any, storage_options: StorageOptions | None = None
) -> GoldSource:
    """Check and convert what a caller passes as the outlines of an expert.

    An address gets the options of its store.

    Raises
    ------
    UsageError
        If the workflow or the version is not valid.
    """
    try:
        spec = None if workflow_version is None else version_spec_from_config(workflow_version)
        settings = Settings().replace({"workflow_id": workflow_id, "workflow_version": spec})
    except UsageError as error:
        raise UsageError(f"gold_{error}") from None
    placed: Any = as_address(gold, storage_options) or gold
    return GoldSource(placed, settings.workflow_id, settings.workflow_version)


@dataclass(frozen=True)
class ReadGold:
    """The outlines of an expert.

    Attributes
    ----------
    outlines : GoldOutlines
    name : str
        For messages.
    classifications : frozenset of int
        Their classifications; empty if they come from GeoJSON or COCO.
    """

    outlines: GoldOutlines
    name: str
    classifications: frozenset[int]


def read_gold(
    source: GoldSource, project: Project, settings: Settings, marked: Callable[[], Extraction], say: Say
) -> ReadGold:
    """Read the outlines of an expert, and fit them to a project.

    Parameters
    ----------
    source : GoldSource
    project : Project
    settings : Settings
        Those of the extraction of the project, and which tasks and tools are selected.
    marked : callable
        Returns the classifications of the project that are marked as gold standard.
    say : callable
        Receives a line for each kind of thing that is not used.

    Raises
    ------
    UsageError, PolyframeError
        If it cannot be read, or contains no subject of the project.
    """
    with local_copies([source.gold], say) as ((gold,), say):
        address = as_address(source.gold)
        name = None if address is None else str(address)
        return _read(dataclasses.replace(source, gold=gold), name, project, settings, marked, say)


def _read(
    source: GoldSource,
    name: str | None,
    project: Project,
    settings: Settings,
    marked: Callable[[], Extraction],
    say: Say,
) -> ReadGold:
    """Read outlines that are no longer at an address; `name` is that address."""
    skipped, gold = Skipped(), source.gold
    classifications: frozenset[int] = frozenset()
    if isinstance(gold, str) and gold == GOLD_STANDARD:
        source.refuse(f"{GOLD_STANDARD} means rows of {project.name}", "workflow_id", "workflow_version")
        name = f"gold standard of {project.name}"
        extraction = marked()
        if not extraction.classifications.height:
            raise PolyframeError(
                f"{project.name}: no classification is marked as gold standard; pass a file of outlines"
            )
        named, classifications = outlines_of_extraction(extraction, settings.filter, skipped)
    else:
        name = name or (f"the {type(gold).__name__}" if is_frame(gold) else str(gold))
        content = None if is_frame(gold) else _json_object(_path(gold))
        if content is None:
            extraction = _extracted(source, name, project, settings, say)
            named, classifications = outlines_of_extraction(extraction, settings.filter, skipped)
        elif content.get("type") in ("FeatureCollection", "Feature"):
            source.refuse("GeoJSON has no versions", "workflow_version")
            workflow_id = project.workflow_id if source.workflow_id is None else source.workflow_id
            of_workflow = dataclasses.replace(project, workflow_id=workflow_id)
            named = outlines_of_features(content, name, of_workflow, skipped)
        elif "annotations" in content or "images" in content:
            source.refuse("COCO has no workflows or versions", "workflow_id", "workflow_version")
            named = outlines_of_annotations(content, name, project, skipped)
        else:
            raise PolyframeError(f"{name}: this JSON is neither GeoJSON (a FeatureCollection) nor COCO")
    outlines = fit_to_project(named, name, project, settings, skipped)
    skipped.report(name, say)
    return ReadGold(outlines, name, classifications)


def _path(gold: Gold) -> Path:
    return local_path(gold, "gold", expected=f"{_FORMS} (a path), {FRAMES}, or {GOLD_STANDARD!r}")


def _json_object(path: Path) -> dict[str, Any] | None:
    """Return the content of a JSON file; None if it is something else or does not exist."""
    try:
        with path.open("rb") as file:
            if not file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"{", b"[")):
                return None
        content = json.loads(path.read_bytes())
    except OSError:
        return None  # reading it as an export says what is wrong
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise PolyframeError(f"{path}: is not valid JSON ({reason})") from None
    if not isinstance(content, dict):
        raise PolyframeError(f"{path}: this JSON is neither GeoJSON (a FeatureCollection) nor COCO")
    return content


def _extracted(source: GoldSource, name: str, project: Project, settings: Settings, say: Say) -> Extraction:
    """Extract the marks of an export; if some rows are marked as gold standard, only those."""
    # No table shows who the experts are. Tasks and tools are selected later: the expert may have used others.
    own = settings.replace({"volunteers": "keep", "task": (), "tool": ()})
    if project.selection or source.workflow_id is not None:
        # Those of the project then apply as those of an output directory do to `run`, or not at all.
        own = dataclasses.replace(own, workflow_id=None, workflow_version=None)
    own = own.replace({"workflow_id": source.workflow_id, "workflow_version": source.workflow_version})

    def say_of_gold(note: str) -> None:
        text = _about_gold(note)
        say(type(note)(text if text.startswith(name) else f"{name}: {text}"))

    configured = ResolvedSettings(own, {}, frozenset())
    try:
        extraction = extract_in_memory(
            export_sources(source.gold), configured, say_of_gold, project.selection
        )
    except PolyframeError as error:
        raise type(error)(_about_gold(str(error))) from None
    marked = gold_rows(extraction)
    n_marked, n_all = marked.classifications.height, extraction.classifications.height
    if n_marked in (0, n_all):
        return _with_reject_notes(extraction, name, say)
    say(
        f"{name}: of {n_all:,} classifications, only the {n_marked:,} marked as gold standard "
        f"{agreeing(n_marked, 'are used')}"
    )
    return _with_reject_notes(marked, name, say)


def _about_gold(text: str) -> str:
    """Return a message about an export with the options that choose rows of the expert's."""
    return text.replace("--workflow-", "--gold-workflow-")


def _with_reject_notes(extraction: Extraction, name: str, say: Say) -> Extraction:
    ids = extraction.classifications["classification_id"].implode()
    rejects = extraction.rejects.filter(extraction.rejects["classification_id"].is_in(ids))
    for reason, count in rejects.group_by("reason", maintain_order=True).len().sort("reason").iter_rows():
        say(f"{name}: {count:,} rejected ({reason})")
    return extraction
