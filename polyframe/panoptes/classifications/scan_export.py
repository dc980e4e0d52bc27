"""Scan an export: open its files, count their rows, and choose the workflow and versions to use."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from polyframe.core.fork_guard import use_polars
from polyframe.core.settings import Settings
from polyframe.panoptes.classifications import sources, version_selection
from polyframe.panoptes.classifications.census import take_census, used_subjects
from polyframe.panoptes.classifications.row_checks import used_rows
from polyframe.panoptes.classifications.sources import SourceLike
from polyframe.panoptes.classifications.version_selection import PreviousSelection, Selection

CountElsewhere = Callable[[Sequence[sources.Source], sources.OpenedSources], pl.DataFrame | None]


@dataclass(frozen=True)
class ExportScan:
    """The result of scanning an export.

    Attributes
    ----------
    rows : polars.LazyFrame
        The rows that are used or rejected.
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

    rows: pl.LazyFrame
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
    count_elsewhere: CountElsewhere = lambda _paths, _opened: None,
) -> ExportScan:
    """Scan an export in one pass over its files.

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
        Returns the census of the files if other machines can take it, otherwise None.

    Raises
    ------
    PolyframeError
        If the export cannot be used.
    """
    use_polars()
    paths = sources.find_sources(files)
    opened = sources.open_sources(paths, folder, say)
    try:
        census = count_elsewhere(paths, opened)
        if census is None:
            census = take_census(opened.rows, settings.visitors)
    except (pl.exceptions.PolarsError, OSError):
        opened = sources.repair_sources(paths, folder)
        census = take_census(opened.rows, settings.visitors)
    chosen = version_selection.select(census, settings, opened.names, previous)
    for note in (*sources.repeats(files), *opened.notes, *chosen.notes):
        say(note)
    return ExportScan(
        used_rows(opened.rows, chosen, settings.visitors),
        chosen,
        used_subjects(census, chosen),
        settings.replace({"workflow_id": chosen.workflow_id, "workflow_version": chosen.workflow_version}),
        opened.temporary_bytes,
        opened.names,
    )
