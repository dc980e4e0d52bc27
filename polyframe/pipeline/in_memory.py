"""Process exports and marks in memory."""

import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from polyframe.consensus.clustering_notes import ignored_eps_notes, too_large_notes
from polyframe.consensus.contours import clusters_thinned, contours_table, thinned_notes
from polyframe.consensus.exclusion import digests_by_name, unknown_names_notes, with_digests
from polyframe.consensus.extract import Extraction
from polyframe.consensus.group_clusters import Clusters
from polyframe.consensus.marks import selected_marks
from polyframe.consensus.membership_figures import clusters_too_large, not_estimated_notes
from polyframe.consensus.reduce import Reduction, cluster_marks, reduction_tables
from polyframe.core.addresses import Address, as_address
from polyframe.core.callbacks import Say
from polyframe.core.errors import UsageError
from polyframe.core.frames import FRAMES, Frame, is_frame, lazy_frame
from polyframe.core.local_paths import as_list, local_path
from polyframe.core.object_stores import StorageOptions
from polyframe.core.remote_files import find_remote_files
from polyframe.core.settings import Settings
from polyframe.geometry.compile_ahead import ensure_compiled
from polyframe.panoptes.annotations.tools import tools_in_extractions
from polyframe.panoptes.classifications.columns import OPTIONAL, REQUIRED
from polyframe.panoptes.classifications.sources import FrameSource, SourceLike
from polyframe.panoptes.classifications.version_selection import PreviousSelection
from polyframe.pipeline.configure import ResolvedSettings
from polyframe.pipeline.engine_choice import (
    compiled_purposes,
    drawings_of_marks,
    engine_for_marks,
    engine_for_output,
)
from polyframe.pipeline.load_marks import InputMarks, is_output, load_marks, name_of, place_of_marks
from polyframe.pipeline.run import extract_frames
from polyframe.pipeline.safeguards import check_tools_exist
from polyframe.store.reading import open_tables
from polyframe.store.recorded_settings import check_volunteers_known, settings_for_stage

Export = str | os.PathLike[str] | Address | Frame
Exports = Export | Iterable[Export]
#: Settings that only affect the extraction; tasks and tools can also be selected later.
_SETTINGS_OF_EXTRACTION: Final = frozenset(
    {"workflow_id", "workflow_version", "bezier_tool", "duplicate_marks", "volunteers", "visitors"}
)


def export_sources(classifications: Any, options: StorageOptions | None = None) -> list[SourceLike]:
    """Return the paths of an export, the addresses of its files, and its frames as lazy frames of Polars.

    Parameters
    ----------
    classifications : path, address, frame, or several
        The export; an address may be a pattern.
    options : mapping, optional
        Credentials and endpoint of stores, see `polyframe.core.object_stores.StorageOptions`.
    """
    several = [classifications] if is_frame(classifications) else as_list(classifications)
    sources: list[SourceLike] = []
    for source in several:
        address = as_address(source, options)
        if is_frame(source):
            sources.append(FrameSource(lazy_frame(source, (*REQUIRED, *OPTIONAL))))
        elif address is not None:
            # Only here, so that a pattern is looked up once.
            sources += find_remote_files(address)
        else:
            expected = f"a path, an address, several, or {FRAMES}"
            sources.append(local_path(source, "classifications", expected=expected))
    return sources


def extract_in_memory(
    sources: Sequence[SourceLike],
    configured: ResolvedSettings,
    say: Say,
    previous: PreviousSelection | None = None,
) -> Extraction:
    """Extract the marks of an export, given by `export_sources`; `previous` is as for `extract_frames`."""
    with tempfile.TemporaryDirectory(prefix="polyframe-") as work:
        return extract_frames(sources, configured.settings, Path(work), say, configured.flagged, previous)


def reduce_in_memory(marks: InputMarks, configured: ResolvedSettings, say: Say) -> Reduction:
    """Cluster marks and average each cluster."""
    settings, clusters = _cluster(marks, configured, say, "reduce")
    for note in not_estimated_notes(clusters_too_large(clusters.counts)):
        say(note)
    return reduction_tables(clusters, settings)


def contours_in_memory(marks: InputMarks, configured: ResolvedSettings, say: Say) -> pl.DataFrame:
    """Cluster marks and compute the contours of each cluster."""
    settings, clusters = _cluster(marks, configured, say, "contours")
    table = contours_table(clusters, settings)
    for note in thinned_notes(clusters_thinned(table, settings), table.height, settings.max_levels):
        say(note)
    return table


def note_ignored_settings(marks: InputMarks, configured: ResolvedSettings, say: Say) -> None:
    """Say which keyword arguments cannot apply to an extraction or a frame."""
    if place_of_marks(marks) is not None:
        return
    ignored = sorted(configured.flagged & _SETTINGS_OF_EXTRACTION)
    if ignored:
        say(
            f"{', '.join(ignored)} ignored: the marks of {name_of(marks)} are already extracted; "
            "pass such settings to extract"
        )
    repeats_matter = configured.settings.filter != "all"
    if isinstance(marks, Extraction) and repeats_matter and _has_no_names(marks.extractions):
        say(
            "the Extraction has no volunteers, so it is not known who classified a subject again: all "
            "classifications count"
        )


def _has_no_names(extractions: pl.DataFrame) -> bool:
    names = extractions.select("volunteer", "user_name")
    return bool(names.height and names.null_count().sum_horizontal().item() == 2 * names.height)


def marks_outside_outputs(
    marks: InputMarks, configured: ResolvedSettings, say: Say
) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Load marks from memory or a CSV file; see `polyframe.pipeline.load_marks.load_marks`."""
    note_ignored_settings(marks, configured, say)
    extractions, classifications = load_marks(marks, configured.settings, say)
    tools = tools_in_extractions(extractions)
    check_tools_exist(name_of(marks), tools, configured.settings, configured.flagged, say)
    if configured.settings.exclude_volunteers and _has_no_names(extractions):
        raise UsageError(f"exclude_volunteers: {name_of(marks)} has no volunteers, so nobody can be excluded")
    return extractions, classifications


def _cluster(
    marks: InputMarks, configured: ResolvedSettings, say: Say, stage: str
) -> tuple[Settings, Clusters]:
    """Cluster marks; for an output directory, its own settings apply unless they are overridden."""
    place, settings = place_of_marks(marks), configured.settings
    if place is not None and is_output(place):
        with open_tables(place, "read") as directory:
            settings = settings_for_stage(directory.manifest, "reduce", configured.explicit)
            check_volunteers_known(settings, place)
            names = digests_by_name(settings)
            extractions, classifications = load_marks(place, settings)
            settings = engine_for_output(settings, directory.manifest)
        tools = tools_in_extractions(extractions)
        check_tools_exist(name_of(marks), tools, settings, configured.flagged, say)
    else:
        extractions, classifications = marks_outside_outputs(marks, configured, say)
        settings = engine_for_marks(settings, extractions)
        names = digests_by_name(settings, in_memory=True)
    settings = with_digests(settings, names)
    if settings.engine == "compiled":
        ensure_compiled(say, compiled_purposes(settings, [stage], drawings_of_marks(extractions)))
    clusters = cluster_marks(selected_marks(extractions, settings), classifications, settings)
    notes = ignored_eps_notes(settings, configured.explicit)
    notes += too_large_notes(clusters.too_large, settings)
    for note in (*notes, *unknown_names_notes(names, clusters.marks.excluded_digests)):
        say(note)
    return settings, clusters
