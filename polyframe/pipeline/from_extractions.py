"""Start from a CSV file of extractions by panoptes_aggregation instead of an export."""

import contextlib
import dataclasses
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from polyframe.consensus.extract import Extraction
from polyframe.core.addresses import Place
from polyframe.core.callbacks import Progress, Say
from polyframe.core.clusters import Cluster
from polyframe.core.errors import PolyframeError
from polyframe.core.settings import Settings
from polyframe.panoptes.aggregation_csv.extractions_csv import export_from_extractions
from polyframe.panoptes.classifications.workflow_versions import NEWEST, parse_version_spec
from polyframe.pipeline import run
from polyframe.pipeline.safeguards import previous_selection
from polyframe.pipeline.summary import Summary
from polyframe.store.output import Output
from polyframe.store.versions import recorded_manifest
from polyframe.store.work_directory import check_output

_NO_SESSIONS: Final = (
    "extractions contain no sessions, so visitors who are not logged in are distinguished by name only "
    "(visitors: name)"
)


def run_extractions_csv(
    extractions: Path,
    output: Place,
    settings: Settings,
    say: Say = lambda _: None,
    progress: Progress = lambda _done, _all: None,
    *,
    force: bool = False,
    explicit: Collection[str] = (),
    flagged: Collection[str] = (),
    cluster: Cluster | None = None,
) -> Summary:
    """Make all tables except `contours` from a CSV file of extractions.

    Parameters
    ----------
    extractions : Path
        A file written by panoptes_aggregation, see `polyframe.panoptes.aggregation_csv.extractions_csv`.
    output : Path or Address
        The output directory: new, empty, or made by polyframe.
    settings : Settings
        All settings. Extractions have no workflow version, so it is the lowest one that `workflow_version`
        selects, or the version with which the output directory was made, or `0`.
    say, progress, force, explicit, flagged, cluster
        As for `polyframe.pipeline.run.run_export`.

    Raises
    ------
    PolyframeError
        If the file cannot be used or the output cannot be written.
    """
    opened = Output(output)
    check_output(opened)
    previous = previous_selection(opened, recorded_manifest(opened))
    version = previous.workflow_version if previous else None
    parent = None if opened.folder is None else opened.folder.absolute().parent
    with _as_export(extractions, settings, parent, version) as (export, adapted):
        stages = ["extract", "reduce"]
        _note_missing_sessions(settings, say)
        return run.run_export(
            [export],
            output,
            adapted,
            stages,
            say,
            progress,
            force=force,
            explicit=explicit,
            flagged=flagged,
            cluster=cluster,
        )


def extract_csv(extractions: Path, settings: Settings, say: Say = lambda _: None) -> Extraction:
    """Read the marks of a CSV file of extractions into memory.

    Raises
    ------
    PolyframeError
        As from `run_extractions_csv`.
    """
    with _as_export(extractions, settings, None) as (export, adapted):
        _note_missing_sessions(settings, say)
        return run.extract_frames([export], adapted, export.parent / "work", say)


def _note_missing_sessions(settings: Settings, say: Say) -> None:
    """Say that visitors are distinguished by name, if sessions were to distinguish them."""
    if settings.visitors == "session":
        say(_NO_SESSIONS)


@contextlib.contextmanager
def _as_export(
    extractions: Path, settings: Settings, parent: Path | None, kept_version: str | None = None
) -> Iterator[tuple[Path, Settings]]:
    """Write the extractions as a temporary classification export of the same name, in the folder `parent`."""
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    if settings.workflow_version == NEWEST:
        # Extractions have no versions to choose from.
        settings = dataclasses.replace(settings, workflow_version=None)
    spec = settings.workflow_version or kept_version
    major, minor = parse_version_spec(spec).lowest if spec else (0, 0)
    # In extractions, Bezier curves are already converted to paths.
    tasks = tuple(dataclasses.replace(task, kind="polygon") for task in settings.drawing_tasks)
    settings = dataclasses.replace(settings, bezier_tool=())
    with tempfile.TemporaryDirectory(prefix=".polyframe-", dir=parent) as folder:
        export = Path(folder) / extractions.name
        try:
            export_from_extractions(extractions, export, f"{major}.{minor}" if minor else str(major))
            yield export, settings.replace({"drawing_tasks": tasks, "visitors": "name"})
        except PolyframeError as error:
            # Name the user's file, not the temporary one.
            renamed = type(error)(str(error).replace(str(export), str(extractions)))
            for note in getattr(error, "__notes__", []):
                renamed.add_note(note)
            raise renamed from None
