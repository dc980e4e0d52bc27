"""What an export holds, and what of it a run uses: one workflow, some of its versions."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from polyframe._errors import PolyframeError, UsageError
from polyframe.choices import Visitors
from polyframe.panoptes import versions
from polyframe.panoptes.cells import REPLACEMENT, whole_number
from polyframe.panoptes.export import OPTIONAL, REQUIRED
from polyframe.panoptes.metadata import metadata_columns
from polyframe.settings import Settings

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
    """

    workflow_id: int
    versions: tuple[str, ...]
    malformed: tuple[str, ...]
    rows_read: int
    rows_filtered: int
    notes: tuple[str, ...]
    sources: tuple[str, ...] = ()


def take_census(source: pl.LazyFrame, visitors: Visitors = "session") -> pl.DataFrame:
    """Count rows and bytes by workflow, version and subject, in one pass over the export.

    Parameters
    ----------
    source : polars.LazyFrame
        The `rows` of `polyframe.panoptes.sources.open_sources`.
    visitors : {"session", "name"}
        The setting, which says what is read of the metadata.

    Returns
    -------
    polars.DataFrame
        `workflow_id` i64, `workflow_version` text, `subject_id` i64 (missing where they cannot be read),
        `workflow_name`, `rows`, `bytes`, `not_utf8` (rows with such bytes in the name), `content` and
        `places` u64; sorted. `content` is the sum of the hashes of the rows, modulo 2**64: it changes with
        any cell that a run reads, not with the order of the rows. `places` changes with their numbers too.

    Notes
    -----
    The hashes are those of Polars, equal within one version of it.
    """
    keys = ("workflow_id", "workflow_version", "subject_id")
    # The long cell by itself first: as a member of a struct it would be copied.
    cells = [pl.col(name).hash() if name == "annotations" else pl.col(name) for name in _READ]
    row = pl.struct(cells + metadata_columns(visitors)).hash(seed=1)
    return (
        source.select(
            whole_number("workflow_id"),
            "workflow_version",
            whole_number("subject_ids").alias("subject_id"),
            "workflow_name",
            pl.col("user_name")
            .str.contains(REPLACEMENT, literal=True)
            .fill_null(value=False)
            .alias("not_utf8"),
            pl.col("annotations").str.len_bytes().fill_null(0).cast(pl.Int64).alias("bytes"),
            row.alias("content"),
            pl.struct(row.alias("content"), "source", "row").hash(seed=2).alias("places"),
        )
        .group_by(keys)
        .agg(
            pl.col("workflow_name").max(),
            pl.len().cast(pl.Int64).alias("rows"),
            pl.col("bytes", "not_utf8", "content", "places").sum(),
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


def select(census: pl.DataFrame, settings: Settings, sources: tuple[str, ...]) -> Selection:
    """Choose workflow and versions from what an export holds.

    Parameters
    ----------
    census : polars.DataFrame
        From `take_census`.
    settings : Settings
        `workflow_id` and `workflow_version`; without them the only workflow and its newest version.
    sources : tuple of str
        The files of the export, for messages.

    Raises
    ------
    PolyframeError
        Where the export has no rows, or lacks the workflow or version asked for (those it holds are named).
    UsageError
        Where the export holds several workflows and none was asked for.
    """
    path = ", ".join(sources)
    if census.is_empty():
        raise PolyframeError(f"{path}: holds no classifications, only a header; export it again")
    notes: list[str] = []
    workflow_id = _choose_workflow(census, settings, path, notes)
    of_workflow = census.filter(pl.col("workflow_id") == workflow_id)
    chosen, malformed = _choose_versions(of_workflow, settings, path, workflow_id, notes)
    filtered = census.filter(~is_used(workflow_id, [*chosen, *malformed]))
    not_utf8 = int(census["not_utf8"].sum())
    if not_utf8:
        notes.append(f"{not_utf8} rows have a user_name that is not UTF-8; each counts as another volunteer")
    return Selection(
        workflow_id=workflow_id,
        versions=tuple(chosen),
        malformed=tuple(malformed),
        rows_read=int(census["rows"].sum()),
        rows_filtered=int(filtered["rows"].sum()),
        notes=tuple(notes),
        sources=tuple(Path(source).name for source in sources),
    )


def is_used(workflow_id: int, version_texts: list[str]) -> pl.Expr:
    """Rows of the workflow and versions, and those that cannot be told to belong elsewhere."""
    version = pl.col("workflow_version")
    wanted = version.is_in(version_texts) | version.is_null()
    return pl.col("workflow_id").is_null() | ((pl.col("workflow_id") == workflow_id) & wanted)


def _choose_workflow(census: pl.DataFrame, settings: Settings, path: str, notes: list[str]) -> int:
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
    if held.height > 1:
        raise UsageError(f"{path}: holds several workflows, choose one with --workflow-id; it holds {listed}")
    notes.append(f"workflow {listed}, the only one in the export")
    return int(held["workflow_id"][0])


def _choose_versions(
    of_workflow: pl.DataFrame, settings: Settings, path: str, workflow_id: int, notes: list[str]
) -> tuple[list[str], list[str]]:
    # Sorted, so that of one version written in several ways every run takes the same first.
    texts = of_workflow["workflow_version"].drop_nulls().unique().sort().to_list()
    held = sorted((text for text in texts if versions.is_version(text)), key=versions.version_key)
    malformed = sorted(text for text in texts if not versions.is_version(text))
    if not held:
        raise PolyframeError(
            f"{path}: workflow {workflow_id} has no row with a version such as 13.19; export it again"
        )
    spec = settings.workflow_version
    if spec is None:
        newest = versions.version_key(held[-1])
        notes.append(f"version {held[-1]}" + (f", the newest of {', '.join(held)}" if len(held) > 1 else ""))
        return [text for text in held if versions.version_key(text) == newest], malformed
    chosen = [text for text, selected in zip(held, versions.selects(spec, held), strict=True) if selected]
    if not chosen:
        raise PolyframeError(
            f"{path}: workflow {workflow_id} holds no version {spec}; it holds {', '.join(held)}"
        )
    return chosen, malformed
