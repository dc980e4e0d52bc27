"""The first look at an export: open its files, count what they hold, choose what of it is used."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from polyframe.core.forks import use_polars
from polyframe.core.settings import Settings
from polyframe.panoptes.classifications import selection, sources
from polyframe.panoptes.classifications.row_checks import used_rows
from polyframe.panoptes.classifications.selection import PreviousSelection, Selection
from polyframe.panoptes.classifications.sources import SourceLike


@dataclass(frozen=True)
class ExportScan:
    """An export that was looked through.

    Attributes
    ----------
    rows : polars.LazyFrame
        The rows that are used or rejected.
    selection : Selection
        What is used of the export.
    subjects : polars.DataFrame
        What it holds of each subject, see `polyframe.panoptes.classifications.selection.used_subjects`.
    settings : Settings
        With the workflow and the version that were chosen.
    temporary_bytes : int
        What was written to open it.
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
    named: Sequence[SourceLike],
    folder: Path,
    settings: Settings,
    say: Callable[[str], None] = lambda _: None,
    made_with: PreviousSelection | None = None,
) -> ExportScan:
    """Look through an export, in one pass over its files.

    Parameters
    ----------
    named : sequence of path or frame
        Its files, see `polyframe.panoptes.classifications.sources.find_sources`.
    folder : Path
        For temporary files: unpacked and mended copies.
    settings : Settings
        Which workflow and version are wanted.
    say : callable
        Told what was chosen, and what had to be mended.
    made_with : PreviousSelection, optional
        What the output directory was made with, where it has tables already.

    Raises
    ------
    PolyframeError
        Where the export cannot be used.
    """
    use_polars()
    paths = sources.find_sources(named)
    opened = sources.open_sources(paths, folder)
    try:
        census = selection.take_census(opened.rows, settings.visitors)
    except (pl.exceptions.PolarsError, OSError):
        opened = sources.repair_sources(paths, folder)
        census = selection.take_census(opened.rows, settings.visitors)
    chosen = selection.select(census, settings, opened.names, made_with)
    for note in (*sources.repeats(named), *opened.notes, *chosen.notes):
        say(note)
    return ExportScan(
        used_rows(opened.rows, chosen, settings.visitors),
        chosen,
        selection.used_subjects(census, chosen),
        settings.replace({"workflow_id": chosen.workflow_id, "workflow_version": chosen.workflow_version}),
        opened.temporary_bytes,
        opened.names,
    )
