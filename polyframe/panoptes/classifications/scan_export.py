"""Scan an export: open its files, count their rows, and choose the workflow and versions to use."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from polyframe.core.callbacks import NO_PROGRESS, DetailedProgress
from polyframe.core.fork_guard import use_polars
from polyframe.core.settings import Settings
from polyframe.panoptes.classifications import sources, version_selection
from polyframe.panoptes.classifications.census import take_census, used_subjects
from polyframe.panoptes.classifications.row_checks import used_rows
from polyframe.panoptes.classifications.sources import SourceLike
from polyframe.panoptes.classifications.version_selection import PreviousSelection, Selection


@dataclass(frozen=True)
class CountedRows:
    """The rows of an export as other machines have counted them.

    Attributes
    ----------
    census : polars.DataFrame
        See `census.take_census`.
    notes : tuple of str
        Which files were repaired and why.
    names : tuple of str
        The names of the files in messages.
    """

    census: pl.DataFrame
    notes: tuple[str, ...]
    names: tuple[str, ...]


CountElsewhere = Callable[[Sequence[sources.Source]], CountedRows | None]


@dataclass(frozen=True)
class ExportScan:
    """The result of scanning an export.

    Attributes
    ----------
    rows : polars.LazyFrame or None
        The rows that are used or rejected; None if other machines read them.
    selection : Selection
        The workflow and versions that are used.
    subjects : polars.DataFrame
        The used rows by subject, see `census.used_subjects`.
    settings : Settings
        With the chosen workflow and version.
    temporary_bytes : int
        Size of the temporary files.
    names : tuple of str
        Its files, for messages.
    """

    rows: pl.LazyFrame | None
    selection: Selection
    subjects: pl.DataFrame
    settings: Settings
    temporary_bytes: int
    names: tuple[str, ...]


def scan_export(
    files: Sequence[SourceLike],
    folder: Path,
    settings: Settings,
    say: Callable[[str], None] = lambda _: None,
    previous: PreviousSelection | None = None,
    count_elsewhere: CountElsewhere = lambda _: None,
    progress: DetailedProgress = NO_PROGRESS,
) -> ExportScan:
    """Scan an export: count its rows, and choose which are used.

    Parameters
    ----------
    files : sequence of path, Address or frame
        See `sources.find_sources`.
    folder : Path
        For temporary files: decompressed and repaired copies.
    settings : Settings
        With the requested workflow and version.
    say : callable
        Receives notes: what was chosen by default and what was repaired.
    previous : PreviousSelection, optional
        Workflow and version of the output directory, if it has tables.
    count_elsewhere : callable
        Counts the rows of the files on other machines; returns None if these cannot do it.
    progress : DetailedProgress
        Receives how many bytes and rows are read.

    Raises
    ------
    PolyframeError
        If the export cannot be used.
    """
    use_polars()
    paths = sources.find_sources(files)
    counted, rows, temporary_bytes = count_elsewhere(paths), None, 0
    if counted is None:
        opened = sources.open_sources(paths, folder, say, progress)
        try:
            census = _census(opened, settings, progress)
        except (pl.exceptions.PolarsError, OSError):
            opened = sources.repair_sources(paths, folder, progress)
            census = _census(opened, settings, progress)
        counted = CountedRows(census, opened.notes, opened.names)
        rows, temporary_bytes = opened.rows, opened.temporary_bytes
    chosen = version_selection.select(counted.census, settings, counted.names, previous)
    for note in (*sources.repeats(files), *counted.notes, *chosen.notes):
        say(note)
    return ExportScan(
        None if rows is None else used_rows(rows, chosen, settings.visitors),
        chosen,
        used_subjects(counted.census, chosen),
        settings.replace({"workflow_id": chosen.workflow_id, "workflow_version": chosen.workflow_version}),
        temporary_bytes,
        counted.names,
    )


def _census(opened: sources.OpenedSources, settings: Settings, progress: DetailedProgress) -> pl.DataFrame:
    progress.begin("counting the rows", opened.count)
    return take_census(sources.counting(opened.rows, progress.advance), settings.visitors)
