"""Read the outlines of an expert, whatever they are in."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from polyframe.consensus.extract import Extraction
from polyframe.consensus.score.outlines import GoldOutlines
from polyframe.core.callbacks import Say
from polyframe.core.errors import PolyframeError
from polyframe.core.frames import FRAMES, Frame, is_frame
from polyframe.core.local_paths import local_path
from polyframe.core.plurals import agreeing
from polyframe.core.settings import Settings
from polyframe.pipeline.configure import ResolvedSettings
from polyframe.pipeline.gold.classified_outlines import gold_rows, outlines_of_extraction
from polyframe.pipeline.gold.fit_to_project import fit_to_project
from polyframe.pipeline.gold.project import Project, Skipped
from polyframe.pipeline.gold.read_coco import outlines_of_annotations
from polyframe.pipeline.gold.read_geojson import outlines_of_features
from polyframe.pipeline.in_memory import extract_in_memory

Gold = str | os.PathLike[str] | Frame

#: In place of a file: the rows of the output directory that are marked as gold standard.
GOLD_STANDARD: Final = "gold_standard"
_FORMS: Final = "a classification export, GeoJSON or COCO"


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
    gold: Gold, project: Project, settings: Settings, marked: Callable[[], Extraction], say: Say
) -> ReadGold:
    """Read the outlines of an expert, and fit them to a project.

    Parameters
    ----------
    gold : path, frame or `gold_standard`
        A classification export; a file of GeoJSON or COCO; or `gold_standard` for `marked`.
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
    skipped = Skipped()
    classifications: frozenset[int] = frozenset()
    if isinstance(gold, str) and gold == GOLD_STANDARD:
        name = f"gold standard of {project.name}"
        extraction = marked()
        if not extraction.classifications.height:
            raise PolyframeError(
                f"{project.name}: no classification is marked as gold standard; pass a file of outlines"
            )
        named, classifications = outlines_of_extraction(extraction, settings.filter, skipped)
    else:
        name = f"the {type(gold).__name__}" if is_frame(gold) else str(gold)
        content = None if is_frame(gold) else _json_object(_path(gold))
        if content is None:
            extraction = _extracted(gold, name, settings, say)
            named, classifications = outlines_of_extraction(extraction, settings.filter, skipped)
        elif content.get("type") in ("FeatureCollection", "Feature"):
            named = outlines_of_features(content, name, project, skipped)
        elif "annotations" in content or "images" in content:
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


def _extracted(gold: Gold, name: str, settings: Settings, say: Say) -> Extraction:
    """Extract the marks of an export; if some rows are marked as gold standard, only those."""
    # No table shows who the experts are. Tasks and tools are selected later: the expert may have used others.
    own = settings.replace({"volunteers": "keep", "task": (), "tool": ()})
    extraction = extract_in_memory(gold, ResolvedSettings(own, {}, frozenset()), say)
    marked = gold_rows(extraction)
    n_marked, n_all = marked.classifications.height, extraction.classifications.height
    if n_marked in (0, n_all):
        return _with_reject_notes(extraction, name, say)
    say(
        f"{name}: of {n_all:,} classifications, only the {n_marked:,} marked as gold standard "
        f"{agreeing(n_marked, 'are used')}"
    )
    return _with_reject_notes(marked, name, say)


def _with_reject_notes(extraction: Extraction, name: str, say: Say) -> Extraction:
    ids = extraction.classifications["classification_id"].implode()
    rejects = extraction.rejects.filter(extraction.rejects["classification_id"].is_in(ids))
    for reason, count in rejects.group_by("reason", maintain_order=True).len().sort("reason").iter_rows():
        say(f"{name}: {count:,} rejected ({reason})")
    return extraction
