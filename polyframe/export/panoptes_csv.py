"""Export reductions, contours and extractions as CSV with exactly the columns of panoptes_aggregation."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import polars as pl

from polyframe.core.atomic_files import atomic_text
from polyframe.core.callbacks import Advance, Say, no_advance
from polyframe.core.errors import UsageError
from polyframe.core.plurals import agreeing, counted
from polyframe.core.tables import GROUP_KEYS
from polyframe.export import panoptes_extractions
from polyframe.export.counted_rows import WrittenClusters, batches
from polyframe.export.export_options import ExportOptions
from polyframe.export.exported_file import Exported
from polyframe.export.long_cells import LONGEST, LongCells
from polyframe.panoptes.aggregation_csv.reduction_rows import (
    CONTOURS_REDUCER,
    FIRST_COLUMNS,
    REDUCER,
    Cluster,
    Contours,
    Group,
    Row,
    becomes_float_if_missing,
    contour_cells,
    first_cells,
    in_order,
    reduction_cells,
)
from polyframe.store.reading import OutputTables

#: The files of a folder, named as by the reference tool, except those of extractions.
FILES: Final = {
    "reductions": f"{REDUCER}_reductions.csv",
    "contours": f"{CONTOURS_REDUCER}_reductions.csv",
}
_QUOTE: Final = '"'
_SPECIAL: Final = re.compile(r'[",\r\n]')
_SUBJECT: Final = ["workflow_id", "subject_id"]
_CLUSTER_COLUMNS: Final = {
    "reductions": ["clusters_count", "threshold", "clusters_x", "clusters_y", "consensus"],
    "contours": ["cluster_label", "contours_x", "contours_y", "consensus"],
}


def write(tables: OutputTables, path: Path, options: ExportOptions, say: Say) -> list[Exported]:
    """Write one CSV file, or a folder with all of them.

    Parameters
    ----------
    tables : OutputTables
        Of the output directory.
    path : Path
        A file that ends in `.csv` contains the table `options.what`. A folder gets all files, with
        the names of the reference tool; reductions and contours only if the tables exist.
    options : ExportOptions
        `what`.
    say : callable
        Receives notes: on cells that are too long for spreadsheets, and on what a file does not contain.
    """
    if path.suffix.lower() == ".csv":
        if options.what == "extractions":
            return panoptes_extractions.write(tables, path, say)
        return [_write(tables, path, options.what or "reductions", say)]
    if path.is_file():
        raise UsageError(f"{path}: is a file that does not end in .csv; name a folder or a .csv file")
    chosen = [
        table for table in FILES if options.what == table or (options.what is None and tables.contains(table))
    ]
    written = [_write(tables, path / FILES[table], table, say) for table in chosen]
    if options.what in (None, "extractions"):
        written += panoptes_extractions.write(tables, path, say)
    return written


def _write(source: OutputTables, path: Path, table: str, say: Say) -> Exported:
    with atomic_text(path) as file:
        thinned = source.manifest.accounting.clusters_thinned
        if table == "contours" and thinned:
            say(
                f"{counted(thinned, 'cluster')} {agreeing(thinned, 'have more levels than')} max_levels "
                f"({source.manifest.settings.max_levels}); the contours in this file do not say which they "
                "are, see contours_level in the table contours"
            )
        source.progress.begin(f"preparing {path.name}")
        tasks = _tasks(source)
        # The header lists every column of any row, so a first pass reads the keys only.
        columns: Counter[str] = Counter(dict.fromkeys(FIRST_COLUMNS, 0))
        n_rows = 0
        for row in _rows(source, table, tasks, keys_only=True):
            columns.update(row.keys())
            n_rows += 1
        gaps = [name for name, rows in columns.items() if becomes_float_if_missing(name) and rows < n_rows]
        file.write(_line(columns))
        long_cells = LongCells()
        written = WrittenClusters(source.progress, source.row_count(table))
        for number, row in enumerate(_rows(source, table, tasks, written.add)):
            row |= {name: f"{row[name]}.0" for name in gaps if name in row}
            cells = [row.get(name, "") for name in columns]
            file.write(_line(cells))
            if max(map(len, cells)) > LONGEST:
                _count_long(cells, list(columns), number, long_cells)
    long_cells.report(path, say)
    return Exported(path, n_rows, "rows")


def _count_long(cells: list[str], columns: list[str], number: int, long_cells: LongCells) -> None:
    long = [i for i, cell in enumerate(cells) if len(cell) > LONGEST]
    subject = cells[columns.index("subject_id")]
    long_cells.add(len(long), (number,), f"subject {subject}, column {columns[long[0]]}")


def _line(cells: Iterable[str]) -> str:
    # Not csv.writer: before Python 3.13 it does not quote a cell with a carriage return.
    quoted = (f'"{cell.replace(_QUOTE, 2 * _QUOTE)}"' if _SPECIAL.search(cell) else cell for cell in cells)
    return f"{','.join(quoted)}\n"


def _tasks(source: OutputTables) -> list[str]:
    """Return the tasks that were reduced; a subject has a row for each, with marks or not."""
    settings = source.manifest.settings
    tasks = [drawing.task for drawing in settings.drawing_tasks] or list(settings.task)
    if tasks:
        return sorted({task for task in tasks if not settings.task or task in settings.task})
    parts = source.partitions(labels=["task"])
    return sorted({task for frames in parts for task in frames["labels"]["task"].unique()})


def _rows(
    source: OutputTables,
    table: str,
    tasks: list[str],
    advance: Advance = no_advance,
    *,
    keys_only: bool = False,
) -> Iterator[Row]:
    """Yield the rows; with `keys_only` they have the right columns, but empty cells."""
    keys = list(GROUP_KEYS)
    columns = {
        "labels": keys if keys_only else [*keys, "cluster_label"],
        table: keys if keys_only else [*keys, *_CLUSTER_COLUMNS[table]],
    }
    for frames in source.partitions(classifications=_SUBJECT, **columns):
        groups = _groups(frames, table, keys_only=keys_only)
        subjects = frames["classifications"].unique().sort(_SUBJECT)
        counted = batches(subjects, frames[table].height, advance)
        for workflow, subject in itertools.chain.from_iterable(batch.iter_rows() for batch in counted):
            for task in tasks:
                of_task = in_order(groups.get((workflow, subject, task), ()))
                if table == "reductions":
                    cells = reduction_cells(of_task, source.manifest.settings)
                    yield first_cells(REDUCER, workflow, subject, task) | cells
                    continue
                for group in of_task:
                    for cells in contour_cells(group, source.manifest.settings):
                        yield first_cells(CONTOURS_REDUCER, workflow, subject, task) | cells


def _groups(
    frames: dict[str, pl.DataFrame], table: str, *, keys_only: bool
) -> dict[tuple[int, int, str], list[Group]]:
    """Return the groups of each subject and task, with their clusters."""
    clusters: dict[tuple[Any, ...], list[Cluster | Contours]] = {}
    n_keys = len(GROUP_KEYS)
    for row in frames[table].iter_rows():
        clusters.setdefault(row[:n_keys], []).append(_cluster(table, row[n_keys:]))
    labels = frames["labels"].group_by(GROUP_KEYS, maintain_order=True)
    marks = labels.agg(pl.lit([]).alias("cluster_label")) if keys_only else labels.agg("cluster_label")
    groups: dict[tuple[int, int, str], list[Group]] = {}
    for row in marks.iter_rows():
        workflow, subject, task, frame, tool, of_marks = row
        group = Group(frame, tool, of_marks, clusters.get(row[:n_keys], ()))
        groups.setdefault((workflow, subject, task), []).append(group)
    return groups


def _cluster(table: str, values: tuple[Any, ...]) -> Cluster | Contours:
    if table == "reductions":
        return Cluster(*values) if values else Cluster(0, 0.0, [], [], 0.0)
    return Contours(*values) if values else Contours(0, [], [], 0.0)
