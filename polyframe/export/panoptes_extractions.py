"""Export extractions as CSV with exactly the columns of panoptes_aggregation: one file for each extractor."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from polyframe.core.arrays import Ints
from polyframe.core.atomic_files import atomic_path
from polyframe.core.callbacks import Say
from polyframe.core.choices import ExtractorKind
from polyframe.core.errors import UsageError
from polyframe.core.notes import Information
from polyframe.core.plurals import agreeing, counted
from polyframe.core.reasons import REASONS
from polyframe.core.settings import Settings
from polyframe.core.sorted_lines import SortedLines
from polyframe.export.exported_file import Exported
from polyframe.export.long_cells import LONGEST, LongCells
from polyframe.panoptes.aggregation_csv.extraction_rows import (
    AGGREGATION_VERSION,
    CLASSIFIER_VERSION,
    COLUMNS_OF_MARKS,
    EXTRACTORS,
    FIRST_COLUMNS,
    KEYS_OF_MARKS,
    PLACE,
    csv_cell,
    filled_cells,
    lines,
    mark_cells,
    row_frame,
    with_classifier,
)
from polyframe.panoptes.aggregation_csv.subtask_extracts import extractors_by_tool
from polyframe.panoptes.annotations.mark_rules import extractor_kind, selection_from_settings, takes_task
from polyframe.panoptes.annotations.tools import task_and_index
from polyframe.store.reading import OutputTables

#: The file of each extractor, named as by the reference tool.
FILES: Final = {kind: f"{extractor}_extractions.csv" for kind, extractor in EXTRACTORS.items()}
_KEYS: Final = ["subject_id", "classification_id", "workflow_version", "user_id", "gold_standard"]
_CELLS: Final = [
    "subject_id",
    "classification_id",
    "workflow_version",
    "user_id",
    "user_name",
    "workflow_id",
    "created_at",
]
#: One of so many classifications is sampled to divide the rows into blocks of about the same size.
_SAMPLED: Final = 64
_MOST_BLOCKS: Final = 256
#: Rows and marks that are rejected in these stages are not in the table extractions.
_NOT_EXTRACTED: Final = ("read", "decode")

#: The place of a cell, as a tuple of the columns `PLACE`.
_Place = tuple[Any, ...]


@dataclass
class _Survey:
    """What a first pass over all partitions finds.

    Attributes
    ----------
    tasks : dict of kind to set of str
        The tasks of each extractor.
    first_places : dict of kind to dict of str to tuple
        The first place of each column of its file.
    counts : Counter of (workflow version, bool or None)
        Classifications by version and classifier: True for 2.x, None for those without marks.
    first_rows : dict of (workflow version, bool or None) to tuple
        The first of them, as classification and subject.
    missing_ids : int
        Classifications without a user ID.
    gold_standards : int
        Classifications that are gold standards.
    sample : list of ndarray of int64
        Some of the classifications.
    """

    tasks: dict[ExtractorKind, set[str]] = field(default_factory=dict)
    first_places: dict[ExtractorKind, dict[str, _Place]] = field(default_factory=dict)
    counts: Counter[tuple[str, bool | None]] = field(default_factory=Counter)
    first_rows: dict[tuple[str, bool | None], tuple[int, int]] = field(default_factory=dict)
    missing_ids: int = 0
    gold_standards: int = 0
    sample: list[Ints] = field(default_factory=list)

    def new_versions(self) -> list[str]:
        """Return the workflow versions in which most classifications with marks are of the new classifier."""
        new, old = Counter[str](), Counter[str]()
        for (version, is_new), number in self.counts.items():
            if is_new is not None:
                (new if is_new else old)[version] += number
        most_are_new = new.total() > old.total()
        return [
            version
            for version in {version for version, _ in self.counts}
            if new[version] > old[version] or (new[version] == old[version] and most_are_new)
        ]

    def columns(self, kind: ExtractorKind) -> list[str]:
        """Return the columns of a file in the order of their first place."""
        places = dict(self.first_places.get(kind, {}))
        versions = self.new_versions()
        new = [
            row
            for (version, is_new), row in self.first_rows.items()
            if is_new or (is_new is None and version in versions)
        ]
        # Before every cell of a task: the version of the classifier comes first.
        for name, rows, order in (
            (CLASSIFIER_VERSION, new, -2),
            (AGGREGATION_VERSION, list(self.first_rows.values()), -1),
        ):
            if rows:
                places[name] = (*min(rows), "", order)
        return [*FIRST_COLUMNS, *sorted(places, key=places.__getitem__)]

    def bounds(self, n_blocks: int) -> Ints:
        """Return the first classification of each block but the first."""
        sample = np.unique(np.concatenate(self.sample)) if self.sample else np.empty(0, np.int64)
        places = np.linspace(0, len(sample), min(n_blocks, _MOST_BLOCKS) + 1)[1:-1].astype(np.int64)
        return np.unique(sample[places]) if len(sample) else sample


def write(tables: OutputTables, path: Path, say: Say) -> list[Exported]:
    """Write the extractions of each extractor that was used.

    Parameters
    ----------
    tables : OutputTables
        Of the output directory.
    path : Path
        A folder, or a file that ends in `.csv` if all marks are of one extractor.
    say : callable
        Receives notes on what the files do not contain.

    Raises
    ------
    UsageError
        If there are marks of two extractors, which do not fit into one file.
    """
    extractors = extractors_by_tool(tables.manifest.settings.subtask_extractors)
    survey = _survey(tables, extractors)
    paths = {kind: path / FILES[kind] for kind in FILES if kind in survey.tasks}
    if path.suffix.lower() == ".csv":
        if len(paths) > 1:
            names = " and ".join(file.name for file in paths.values())
            raise UsageError(f"{path}: the extractions are two files, {names}; name a folder")
        paths = dict.fromkeys(paths, path)
    written = [_write(tables, file, kind, survey, extractors, say) for kind, file in paths.items()]
    _note_differences(tables, survey, say)
    return written


def _survey(source: OutputTables, extractors: Mapping[str, Mapping[int, str]]) -> _Survey:
    survey = _Survey()
    partitions = _partitions(source, "preparing extractions", _KEYS, KEYS_OF_MARKS, extractors)
    for classifications, marks in partitions:
        survey.missing_ids += classifications["user_id"].null_count()
        survey.gold_standards += int(classifications["gold_standard"].sum())
        survey.sample.append(classifications["classification_id"].gather_every(_SAMPLED).to_numpy())
        rows = ["classification_id", "subject_id"]
        groups = classifications.sort(rows).group_by("workflow_version", "is_new")
        for version, is_new, number, *first in groups.agg(pl.len(), pl.col(rows).first()).iter_rows():
            key = (version, is_new)
            survey.counts[key] += number
            survey.first_rows[key] = min(survey.first_rows.get(key, tuple(first)), tuple(first))
        for kind, of_kind in marks.items():
            survey.tasks.setdefault(kind, set()).update(of_kind["task"].unique())
            cells = mark_cells(of_kind, kind, extractors, with_text=False)
            firsts = cells.sort(PLACE).unique("column", keep="first")
            places = survey.first_places.setdefault(kind, {})
            for column, *place in firsts.select("column", *PLACE).iter_rows():
                places[column] = min(places.get(column, tuple(place)), tuple(place))
    _add_configured_tasks(survey.tasks, source.manifest.extraction)
    return survey


def _add_configured_tasks(tasks: dict[ExtractorKind, set[str]], settings: Settings) -> None:
    """Add the tasks of the settings: they have rows even if nobody drew anything."""
    for drawing in settings.drawing_tasks:
        if not settings.task or drawing.task in settings.task:
            tasks.setdefault(drawing.kind, set()).add(drawing.task)
    drawn = {task for of_kind in tasks.values() for task in of_kind}
    if not settings.drawing_tasks and (missing := {*settings.task} - drawn):
        tasks.setdefault("polygon", set()).update(missing)
    if not tasks:
        tasks["polygon"] = set()


def _partitions(
    source: OutputTables,
    step: str,
    columns: list[str],
    of_marks: list[str],
    extractors: Mapping[str, Mapping[int, str]],
) -> Iterator[tuple[pl.DataFrame, dict[ExtractorKind, pl.DataFrame]]]:
    """Yield the classifications of each partition with their classifier, and its marks by extractor."""
    selection = selection_from_settings(source.manifest.extraction)
    details = ["details"] if extractors else []
    read = {"classifications": columns, "extractions": [*of_marks, *details]}
    for frames in source.counted_partitions(step, **read):
        marks = frames["extractions"]
        tool_keys = ["task", "tool", "tool_type"]
        tools = marks.select(tool_keys).unique()
        kinds = []
        for task, tool, tool_type in tools.iter_rows():
            pair, kind = task_and_index(tool), None
            if pair is not None and takes_task(selection, task):
                kind = extractor_kind(selection, task, pair[1], tool_type)
            kinds.append(kind or "polygon")
        tools = tools.with_columns(pl.Series("kind", kinds, pl.String))
        by_kind = marks.join(tools, on=tool_keys, maintain_order="left").partition_by(
            "kind", as_dict=True, include_key=False
        )
        yield (
            with_classifier(frames["classifications"], marks),
            {kind: by_kind[kind,] for kind in EXTRACTORS if (kind,) in by_kind},
        )


def _write(
    source: OutputTables,
    path: Path,
    kind: ExtractorKind,
    survey: _Survey,
    extractors: Mapping[str, Mapping[int, str]],
    say: Say,
) -> Exported:
    columns, tasks, versions = survey.columns(kind), sorted(survey.tasks[kind]), survey.new_versions()
    header = pl.DataFrame({"name": columns}).select(csv_cell("name"))["name"]
    long_cells = LongCells()
    n_rows = 0
    with (
        atomic_path(path) as temporary,
        tempfile.TemporaryDirectory(prefix=".polyframe-", dir=path.parent) as folder,
    ):
        sorted_lines = SortedLines(Path(folder), survey.bounds(len(source.manifest.partitions)))
        partitions = _partitions(source, f"writing {path.name}", _CELLS, COLUMNS_OF_MARKS, extractors)
        for classifications, marks in partitions:
            rows = row_frame(classifications, tasks)
            if not rows.height:
                continue
            cells = mark_cells(marks[kind], kind, extractors, with_text=True) if kind in marks else None
            cells = filled_cells(cells, rows, columns, versions)
            _count_long(cells, rows, columns, long_cells)
            text = lines(rows, cells, len(columns), kind, float_ids=survey.missing_ids > 0)
            sorted_lines.add(rows["classification_id"].to_numpy(), text)
            n_rows += rows.height
        with temporary.open("wb") as file:
            file.write(f"{','.join(header)}\n".encode())
            for block in sorted_lines.blocks():
                file.write(block)
    long_cells.report(path, say)
    return Exported(path, n_rows, "rows")


def _count_long(cells: pl.DataFrame, rows: pl.DataFrame, columns: list[str], long_cells: LongCells) -> None:
    found = cells.filter(pl.col("text").str.len_chars() > LONGEST).select("row", "column")
    if found.height:
        row, column = found.row(0)
        classification = rows["classification_id"][row]
        place = f"classification {classification}, column {columns[column]}"
        long_cells.add(found.height, (classification, column), place)


def _note_differences(source: OutputTables, survey: _Survey, say: Say) -> None:
    """Say what the files do not contain, or contain in another form."""
    stages = {reason.code: reason.stage for reason in REASONS}
    reasons = source.manifest.accounting.reasons
    rejected = {code: number for code, number in reasons.items() if stages.get(code) in _NOT_EXTRACTED}
    if rejected:
        listed = ", ".join(f"{code} {number:,}" for code, number in rejected.items())
        say(f"extractions: omitted rows and marks that could not be read ({listed}); see the table rejects")
    if survey.gold_standards:
        number = survey.gold_standards
        say(
            Information(
                f"{counted(number, 'classification')} {agreeing(number, 'are')} marked as gold standard; "
                "gold_standard is False in extractions, as panoptes_aggregation writes it"
            )
        )
