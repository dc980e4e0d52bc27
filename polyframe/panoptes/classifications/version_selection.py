"""Select the workflow and versions of an export that a run uses."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from polyframe.core.choices import VersionChosenBy
from polyframe.core.errors import PolyframeError, UsageError
from polyframe.core.notes import Information
from polyframe.core.plurals import agreeing, counted
from polyframe.core.settings import Settings
from polyframe.panoptes.classifications import workflow_versions as versions
from polyframe.panoptes.classifications.csv_repair import MOST_UNUSABLE_ROWS


@dataclass(frozen=True)
class Selection:
    """The workflow and versions of an export that a run uses.

    Attributes
    ----------
    workflow_id : int
    versions : tuple of str
        Values of `workflow_version` that are used, as written in the export.
    malformed : tuple of str
        Values of `workflow_version` of this workflow that are not versions; their rows are rejected.
    rows_read, rows_filtered : int
        Rows of the export, and how many of them are of other workflows and versions.
    notes : tuple of str
        What was chosen by default, to show to the user.
    sources : tuple of str
        Names of the files of the export, without folders.
    workflow_version : str
        The requested or chosen version, as it is recorded.
    version_chosen_by : {"user", "default", "newest"}
        Whether the user gave the version, nobody did, or the user requested the newest.
    """

    workflow_id: int
    versions: tuple[str, ...]
    malformed: tuple[str, ...]
    rows_read: int
    rows_filtered: int
    notes: tuple[str, ...]
    sources: tuple[str, ...] = ()
    workflow_version: str = ""
    version_chosen_by: VersionChosenBy = "default"


@dataclass(frozen=True)
class PreviousSelection:
    """The workflow and version of an output directory, which a run reuses unless others are requested.

    Attributes
    ----------
    output : str
        The directory, for messages.
    workflow_id : int
    workflow_version : str
        As it is recorded.
    chosen_by : {"user", "default", "newest"}
        As in `Selection`. A version chosen by default means only itself: `13` is 13.0, not all 13.x.
    """

    output: str
    workflow_id: int
    workflow_version: str
    chosen_by: VersionChosenBy

    def selects(self, present: list[str]) -> list[bool]:
        """Return which versions of an export are those of the output directory."""
        if self.chosen_by == "user":
            return versions.selects(self.workflow_version, present)
        own = versions.version_key(self.workflow_version)
        return [versions.version_key(text) == own for text in present]


def select(
    census: pl.DataFrame,
    settings: Settings,
    sources: tuple[str, ...],
    previous: PreviousSelection | None = None,
) -> Selection:
    """Select the workflow and versions of an export.

    Parameters
    ----------
    census : polars.DataFrame
        From `census.take_census`.
    settings : Settings
        `workflow_id` and `workflow_version`; without them those of `previous`, or the only workflow and its
        newest version.
    sources : tuple of str
        The files of the export, for messages.
    previous : PreviousSelection, optional
        Workflow and version of the output directory, if it has tables.

    Raises
    ------
    PolyframeError
        If the export has no rows, or lacks the requested or previous workflow or version; the message lists
        those that it contains.
    UsageError
        If the export contains several workflows and none was requested.
    """
    path = ", ".join(sources)
    if census.is_empty():
        raise PolyframeError(
            f"{path}: contains no classifications, only column names; re-export it from the Data Exports page"
        )
    unreadable = int(census.filter(pl.col("subject_id").is_null())["rows"].sum())
    if unreadable > MOST_UNUSABLE_ROWS:
        raise PolyframeError(f"{path}: {unreadable:,} rows have no readable subject_ids; download it again")
    notes: list[str] = []
    workflow_id = _choose_workflow(census, settings, path, previous, notes)
    of_workflow = census.filter(pl.col("workflow_id") == workflow_id)
    if previous and previous.workflow_id != workflow_id:
        previous = None
    spec = settings.workflow_version
    present, malformed = _versions_of(of_workflow, path, workflow_id)
    chosen_by: VersionChosenBy = "default"
    if spec not in (None, versions.NEWEST):
        chosen, chosen_by = _requested_versions(present, spec, path, workflow_id), "user"
    elif spec is None and previous:
        chosen, spec = (
            _previous_versions(of_workflow, present, previous, path, notes),
            previous.workflow_version,
        )
        chosen_by = "user" if previous.chosen_by == "user" else "default"
    else:
        chosen_by = "newest" if spec else "default"
        chosen = _newest_version(present, notes)
        spec = chosen[0].strip()
    filtered = census.filter(~is_used(workflow_id, [*chosen, *malformed]))
    not_utf8 = int(census["not_utf8"].sum())
    if not_utf8:
        notes.append(
            f"{counted(not_utf8, 'row')} {agreeing(not_utf8, 'have')} a user_name that is not UTF-8; "
            "each counts as a separate volunteer"
        )
    readable = pl.col("workflow_version").is_in(chosen) & pl.col("subject_id").is_not_null()
    no_time = int(of_workflow.filter(readable)["no_time"].sum())
    if no_time:
        notes.append(
            f"{counted(no_time, 'row')} {agreeing(no_time, 'have')} no readable created_at; such rows sort "
            "last; if a volunteer classified "
            "a subject again, a row with a time counts instead"
        )
    return Selection(
        workflow_id=workflow_id,
        versions=tuple(chosen),
        malformed=tuple(malformed),
        rows_read=int(census["rows"].sum()),
        rows_filtered=int(filtered["rows"].sum()),
        notes=tuple(notes),
        sources=tuple(Path(source).name for source in sources),
        workflow_version=spec,
        version_chosen_by=chosen_by,
    )


def is_used(workflow_id: int, version_texts: list[str]) -> pl.Expr:
    """Return whether a row is of the workflow and versions, or may be since its cells are not readable."""
    version = pl.col("workflow_version")
    selected = version.is_in(version_texts) | version.is_null()
    return pl.col("workflow_id").is_null() | ((pl.col("workflow_id") == workflow_id) & selected)


def _choose_workflow(
    census: pl.DataFrame, settings: Settings, path: str, previous: PreviousSelection | None, notes: list[str]
) -> int:
    present = (
        census.filter(pl.col("workflow_id").is_not_null())
        .group_by("workflow_id")
        .agg(pl.col("workflow_name").max(), pl.col("rows").sum())
        .sort("workflow_id")
    )
    if present.is_empty():
        raise PolyframeError(
            f"{path}: no row has an integer workflow_id; re-export it from the Data Exports page"
        )
    listed = ", ".join(
        f"{number}{f' ({name})' if name else ''} with {counted(rows, 'row')}"
        for number, name, rows in present.iter_rows()
    )
    if settings.workflow_id is not None:
        if settings.workflow_id not in present["workflow_id"]:
            raise PolyframeError(f"{path}: contains no workflow {settings.workflow_id}; it contains {listed}")
        return settings.workflow_id
    if previous and previous.workflow_id not in present["workflow_id"]:
        raise PolyframeError(
            f"{path}: contains no workflow {previous.workflow_id}, which {previous.output} contains; it "
            f"contains {listed}; choose one with --workflow-id, or another output directory"
        )
    if previous and present.height > 1:
        chosen = f"workflow {previous.workflow_id}, as in {previous.output}"
        notes.append(
            Information(f"{chosen}; the export contains {listed}; choose another with --workflow-id")
        )
        return previous.workflow_id
    if present.height > 1:
        raise UsageError(f"{path}: contains several workflows: {listed}; choose one with --workflow-id")
    notes.append(Information(f"workflow {listed}, the only one in the export"))
    return int(present["workflow_id"][0])


def _versions_of(of_workflow: pl.DataFrame, path: str, workflow_id: int) -> tuple[list[str], list[str]]:
    """Return the versions of a workflow, oldest first, and the values that are not versions."""
    # Sorted, so that the first of several spellings of a version is always the same.
    texts = of_workflow["workflow_version"].drop_nulls().unique().sort().to_list()
    present = sorted((text for text in texts if versions.is_version(text)), key=versions.version_key)
    if not present:
        raise PolyframeError(
            f"{path}: workflow {workflow_id} has no row with a version such as 13.19; re-export it"
        )
    return present, sorted(text for text in texts if not versions.is_version(text))


def _requested_versions(present: list[str], spec: str, path: str, workflow_id: int) -> list[str]:
    chosen = [
        text for text, selected in zip(present, versions.selects(spec, present), strict=True) if selected
    ]
    if not chosen:
        raise PolyframeError(
            f"{path}: workflow {workflow_id} has no version {spec}; it has {', '.join(present)}"
        )
    return chosen


def _previous_versions(
    of_workflow: pl.DataFrame, present: list[str], previous: PreviousSelection, path: str, notes: list[str]
) -> list[str]:
    note = f"version {previous.workflow_version}, as in {previous.output}"
    chosen = [text for text, selected in zip(present, previous.selects(present), strict=True) if selected]
    if not chosen:
        raise PolyframeError(
            f"{path}: workflow {previous.workflow_id} has no {note}; it has {', '.join(present)}; choose one "
            f"with --workflow-version, or {present[-1]} with --workflow-version {versions.NEWEST}"
        )
    last = versions.version_key(chosen[-1])
    newer = [text for text in present if versions.version_key(text) > last]
    if newer:
        rows = int(of_workflow.filter(pl.col("workflow_version").is_in(newer))["rows"].sum())
        note += (
            f"; the export also contains {counted(rows, 'row')} of newer versions, up to {newer[-1]}; "
            f"use them with --workflow-version {versions.NEWEST}"
        )
    notes.append(note if newer else Information(note))
    return chosen


def _newest_version(present: list[str], notes: list[str]) -> list[str]:
    newest = versions.version_key(present[-1])
    if len(present) == 1:
        notes.append(Information(f"version {present[0]}"))
    else:
        notes.append(f"version {present[-1]}, the newest of {', '.join(present)}")
    return [text for text in present if versions.version_key(text) == newest]
