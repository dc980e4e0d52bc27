"""What an export holds, and what of it a run uses: one workflow, some of its versions."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from polyframe.core.choices import VersionChosenBy, Visitors
from polyframe.core.errors import PolyframeError, UsageError
from polyframe.core.notes import Information
from polyframe.core.settings import Settings
from polyframe.panoptes.classifications import workflow_versions as versions
from polyframe.panoptes.classifications.column_parsers import REPLACEMENT, timestamp, whole_number
from polyframe.panoptes.classifications.columns import OPTIONAL, REQUIRED
from polyframe.panoptes.classifications.csv_repair import MOST_NONSENSE_ROWS
from polyframe.panoptes.classifications.metadata import FROM_METADATA, read_metadata

#: What a row weighs beside its annotations, roughly; for planning alone.
_ROW_BYTES: Final = 200
#: The columns that decide what a run makes of a row, beside what it reads of the metadata.
_READ: Final = tuple(name for name in (*REQUIRED, *OPTIONAL) if name not in ("workflow_name", "metadata"))


@dataclass(frozen=True)
class Selection:
    """What a run uses of an export.

    Attributes
    ----------
    workflow_id : int
        The workflow.
    versions : tuple of str
        The texts of `workflow_version` that are used, as the export writes them.
    malformed : tuple of str
        Texts of `workflow_version` in this workflow that are no versions; their rows are rejected.
    rows_read, rows_filtered : int
        Rows of the export, and those of other workflows and versions among them.
    notes : tuple of str
        What was chosen without being asked for, to be said out loud.
    sources : tuple of str
        The names of the files of the export, without their folders.
    workflow_version : str
        What was asked for, or chosen: the setting as it is recorded.
    version_chosen_by : {"user", "default", "newest"}
        Whether somebody named the version, nobody did, or the newest was asked for.
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
    """The workflow and version of an output directory, which a run keeps where it names no others.

    Attributes
    ----------
    output : str
        The directory, for messages.
    workflow_id : int
    workflow_version : str
        The setting as it is recorded.
    chosen_by : {"user", "default", "newest"}
        As in `Selection`. A version that nobody named stands for itself alone: `13` for 13.0, not all 13.x.
    """

    output: str
    workflow_id: int
    workflow_version: str
    chosen_by: VersionChosenBy

    def selects(self, held: list[str]) -> list[bool]:
        """Return which versions of an export are those of the output directory."""
        if self.chosen_by == "user":
            return versions.selects(self.workflow_version, held)
        kept = versions.version_key(self.workflow_version)
        return [versions.version_key(text) == kept for text in held]


def take_census(source: pl.LazyFrame, visitors: Visitors = "session") -> pl.DataFrame:
    """Count rows and bytes by workflow, version and subject, in one pass over the export.

    Parameters
    ----------
    source : polars.LazyFrame
        The `rows` of `polyframe.panoptes.classifications.sources.open_sources`.
    visitors : {"session", "name"}
        The setting, which says what is read of the metadata.

    Returns
    -------
    polars.DataFrame
        `workflow_id` i64, `workflow_version` text, `subject_id` i64 (missing where they cannot be read),
        `workflow_name`, `rows`, `bytes`, `not_utf8` and `no_time` (rows with such bytes in the name, and
        without a readable `created_at`), `content` and `places` u64; sorted. `content` is the sum of the
        hashes of the rows, modulo 2**64: it changes with any cell that a run reads, not with the order of the
        rows. `places` changes with their numbers too.

    Notes
    -----
    The hashes are those of Polars, equal within one version of it.
    """
    keys = ("workflow_id", "workflow_version", "subject_id")
    # The long cell by itself first: as a member of a struct it would be copied.
    cells = [pl.col(name).hash() if name == "annotations" else pl.col(name) for name in _READ]
    row = pl.struct(*cells, *FROM_METADATA).hash(seed=1)
    return (
        read_metadata(source, visitors)
        .select(
            whole_number("workflow_id"),
            "workflow_version",
            whole_number("subject_ids").alias("subject_id"),
            "workflow_name",
            pl.col("user_name")
            .str.contains(REPLACEMENT, literal=True)
            .fill_null(value=False)
            .alias("not_utf8"),
            timestamp("created_at").is_null().alias("no_time"),
            pl.col("annotations").str.len_bytes().fill_null(0).cast(pl.Int64).alias("bytes"),
            row.alias("content"),
            pl.struct(row.alias("content"), "source", "row").hash(seed=2).alias("places"),
        )
        .group_by(keys)
        .agg(
            pl.col("workflow_name").max(),
            pl.len().cast(pl.Int64).alias("rows"),
            pl.col("bytes", "not_utf8", "no_time", "content", "places").sum(),
        )
        .with_columns(pl.col("bytes") + _ROW_BYTES * pl.col("rows"))
        .collect(engine="streaming")
        .sort(keys)
    )


def used_subjects(census: pl.DataFrame, selection: Selection) -> pl.DataFrame:
    """Return what a run uses of each subject.

    Parameters
    ----------
    census : polars.DataFrame
        From `take_census`.
    selection : Selection
        What is used of it.

    Returns
    -------
    polars.DataFrame
        `subject_id` (missing first, where it could not be read), `bytes`, `content`, `places`; sorted.
    """
    used = is_used(selection.workflow_id, [*selection.versions, *selection.malformed])
    return (
        census.filter(used)
        .group_by("subject_id")
        .agg(pl.col("bytes", "content", "places").sum())
        .sort("subject_id", nulls_last=False)
    )


def select(
    census: pl.DataFrame,
    settings: Settings,
    sources: tuple[str, ...],
    made_with: PreviousSelection | None = None,
) -> Selection:
    """Choose workflow and versions from what an export holds.

    Parameters
    ----------
    census : polars.DataFrame
        From `take_census`.
    settings : Settings
        `workflow_id` and `workflow_version`; without them those of `made_with`, or the only workflow and its
        newest version.
    sources : tuple of str
        The files of the export, for messages.
    made_with : PreviousSelection, optional
        What the output directory was made with, where it has tables already.

    Raises
    ------
    PolyframeError
        Where the export has no rows, or lacks the workflow or version that is asked for or kept (those it
        holds are named).
    UsageError
        Where the export holds several workflows and none was asked for.
    """
    path = ", ".join(sources)
    if census.is_empty():
        raise PolyframeError(f"{path}: holds no classifications, only the names of columns; export it again")
    lost = int(census.filter(pl.col("subject_id").is_null())["rows"].sum())
    if lost > MOST_NONSENSE_ROWS:
        raise PolyframeError(f"{path}: {lost:,} rows have no readable subject_ids; download it again")
    notes: list[str] = []
    workflow_id = _choose_workflow(census, settings, path, made_with, notes)
    of_workflow = census.filter(pl.col("workflow_id") == workflow_id)
    if made_with and made_with.workflow_id != workflow_id:
        made_with = None
    spec = settings.workflow_version
    held, malformed = _held_versions(of_workflow, path, workflow_id)
    chosen_by: VersionChosenBy = "default"
    if spec not in (None, versions.NEWEST):
        chosen, chosen_by = _named_versions(held, spec, path, workflow_id), "user"
    elif spec is None and made_with:
        chosen, spec = _kept_versions(of_workflow, held, made_with, path, notes), made_with.workflow_version
        chosen_by = "user" if made_with.chosen_by == "user" else "default"
    else:
        chosen_by = "newest" if spec else "default"
        chosen = _newest_version(held, notes)
        spec = chosen[0].strip()
    filtered = census.filter(~is_used(workflow_id, [*chosen, *malformed]))
    not_utf8 = int(census["not_utf8"].sum())
    if not_utf8:
        notes.append(
            f"{_rows_have(not_utf8)} a user_name that is not UTF-8; each counts as another volunteer"
        )
    readable = pl.col("workflow_version").is_in(chosen) & pl.col("subject_id").is_not_null()
    no_time = int(of_workflow.filter(readable)["no_time"].sum())
    if no_time:
        notes.append(
            f"{_rows_have(no_time)} no readable created_at; such rows sort last, and where a volunteer "
            "classified a subject again, one with a time counts instead"
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


def _rows_have(number: int) -> str:
    return f"{number} row has" if number == 1 else f"{number} rows have"


def is_used(workflow_id: int, version_texts: list[str]) -> pl.Expr:
    """Rows of the workflow and versions, and those that cannot be told to belong elsewhere."""
    version = pl.col("workflow_version")
    wanted = version.is_in(version_texts) | version.is_null()
    return pl.col("workflow_id").is_null() | ((pl.col("workflow_id") == workflow_id) & wanted)


def _choose_workflow(
    census: pl.DataFrame, settings: Settings, path: str, made_with: PreviousSelection | None, notes: list[str]
) -> int:
    held = (
        census.filter(pl.col("workflow_id").is_not_null())
        .group_by("workflow_id")
        .agg(pl.col("workflow_name").max(), pl.col("rows").sum())
        .sort("workflow_id")
    )
    if held.is_empty():
        raise PolyframeError(f"{path}: no row has a whole number in `workflow_id`; export it again")
    listed = ", ".join(
        f"{number}{f' ({name})' if name else ''} with {rows} rows" for number, name, rows in held.iter_rows()
    )
    if settings.workflow_id is not None:
        if settings.workflow_id not in held["workflow_id"]:
            raise PolyframeError(f"{path}: holds no workflow {settings.workflow_id}; it holds {listed}")
        return settings.workflow_id
    if made_with and made_with.workflow_id not in held["workflow_id"]:
        raise PolyframeError(
            f"{path}: holds no workflow {made_with.workflow_id}, with which {made_with.output} was made; it "
            f"holds {listed}; name one with --workflow-id, or another output directory"
        )
    if made_with and held.height > 1:
        kept = f"workflow {made_with.workflow_id}, with which {made_with.output} was made"
        notes.append(Information(f"{kept}; the export holds {listed}; --workflow-id chooses another"))
        return made_with.workflow_id
    if held.height > 1:
        raise UsageError(f"{path}: holds several workflows, choose one with --workflow-id; it holds {listed}")
    notes.append(Information(f"workflow {listed}, the only one in the export"))
    return int(held["workflow_id"][0])


def _held_versions(of_workflow: pl.DataFrame, path: str, workflow_id: int) -> tuple[list[str], list[str]]:
    """Return the versions of a workflow from the oldest on, and texts that are no versions."""
    # Sorted, so that of one version written in several ways every run takes the same first.
    texts = of_workflow["workflow_version"].drop_nulls().unique().sort().to_list()
    held = sorted((text for text in texts if versions.is_version(text)), key=versions.version_key)
    if not held:
        raise PolyframeError(
            f"{path}: workflow {workflow_id} has no row with a version such as 13.19; export it again"
        )
    return held, sorted(text for text in texts if not versions.is_version(text))


def _named_versions(held: list[str], spec: str, path: str, workflow_id: int) -> list[str]:
    chosen = [text for text, selected in zip(held, versions.selects(spec, held), strict=True) if selected]
    if not chosen:
        raise PolyframeError(
            f"{path}: workflow {workflow_id} holds no version {spec}; it holds {', '.join(held)}"
        )
    return chosen


def _kept_versions(
    of_workflow: pl.DataFrame, held: list[str], made_with: PreviousSelection, path: str, notes: list[str]
) -> list[str]:
    kept = f"version {made_with.workflow_version}, with which {made_with.output} was made"
    chosen = [text for text, selected in zip(held, made_with.selects(held), strict=True) if selected]
    if not chosen:
        raise PolyframeError(
            f"{path}: workflow {made_with.workflow_id} holds no {kept}; it holds {', '.join(held)}; name one "
            f"with --workflow-version, or take {held[-1]} with --workflow-version {versions.NEWEST}"
        )
    last = versions.version_key(chosen[-1])
    newer = [text for text in held if versions.version_key(text) > last]
    if newer:
        rows = of_workflow.filter(pl.col("workflow_version").is_in(newer))["rows"].sum()
        kept += (
            f"; the export also holds {rows} row{'s' * (rows != 1)} of newer versions, up to {newer[-1]}; "
            f"--workflow-version {versions.NEWEST} moves on"
        )
    notes.append(kept if newer else Information(kept))
    return chosen


def _newest_version(held: list[str], notes: list[str]) -> list[str]:
    newest = versions.version_key(held[-1])
    if len(held) == 1:
        notes.append(Information(f"version {held[0]}"))
    else:
        notes.append(f"version {held[-1]}, the newest of {', '.join(held)}")
    return [text for text in held if versions.version_key(text) == newest]
