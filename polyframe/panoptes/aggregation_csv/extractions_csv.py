"""Convert extractions of panoptes_aggregation to a classification export.

They have a row for each classification and task, with a cell for the paths of each frame and tool, and cells
for the answers to sub-tasks. Cells are parsed, never evaluated; a cell that cannot be parsed becomes a mark
that cannot be used, which is then rejected with its reason.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import polars as pl

from polyframe.core.errors import PolyframeError, first_line
from polyframe.core.plurals import plural
from polyframe.core.spreadsheet_cells import unescape_formula
from polyframe.panoptes.aggregation_csv.extracted_answers import details_of_marks
from polyframe.panoptes.classifications.columns import OPTIONAL, REQUIRED
from polyframe.panoptes.classifications.compression import blocks, file_kind
from polyframe.panoptes.classifications.csv_repair import read_header

_KEYS: Final = ("classification_id", "subject_id", "workflow_id", "task", "created_at")
_EXTRACTORS: Final = ("polygon_extractor", "bezier_extractor")
_COLUMN: Final = re.compile(
    r"data\.frame([0-9]+)\.(.+)_(toolIndex|tool)([0-9]+)_(pathX|pathY|details|subtask[0-9]{1,2})", re.DOTALL
)
_GOLD: Final = re.compile(r"data\.frame[0-9]+\.gold_standard")
_EXPORT: Final[tuple[str, ...]] = tuple(
    name for name in (*REQUIRED, *OPTIONAL) if name not in ("workflow_name", "metadata")
)
_LARGEST_FIELD: Final = 2**31 - 1
_decode_paths: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
#: JSON spelling of Python words.
_PYTHON_WORDS: Final = {"nan": "NaN", "inf": "Infinity", "None": "null", "True": "true", "False": "false"}
_PYTHON_WORD: Final = re.compile(r"\b(nan|inf|None|True|False)\b")


class _Paths(NamedTuple):
    """Columns of the paths of a frame and tool, and of the answers to all (None) or each of its sub-tasks."""

    task: str
    tool: str
    mark: str
    x: int
    y: int | None
    answers: dict[int | None, int]


@dataclass
class _Classification:
    """A row of the export, until all rows of its tasks are read."""

    cells: dict[str, str]
    tasks: set[str]
    annotations: list[str]
    rows_left: int


def export_from_extractions(extractions: Path, export: Path, version: str) -> None:
    """Write a classification export with the marks of a CSV file of extractions.

    Parameters
    ----------
    extractions : Path
        Output of `panoptes_aggregation extract` for a polygon or Bezier extractor: CSV, may be compressed.
    export : Path
        The file to write.
    version : str
        The workflow version, which extractions do not contain.

    Raises
    ------
    PolyframeError
        If the file is missing or does not contain such extractions.
    """
    kind = file_kind(extractions, str(extractions))
    if kind == "parquet":
        raise PolyframeError(f"{extractions}: is Parquet; expected extractions as CSV")
    header = read_header(extractions, kind)
    _check_header(header, extractions)
    repeated = _repeated(extractions)
    damage: list[str] = []
    with io.TextIOWrapper(
        io.BufferedReader(_BlockStream(blocks(extractions, kind, damage))), "utf-8-sig", "replace", newline=""
    ) as text:
        csv.field_size_limit(_LARGEST_FIELD)
        rows = csv.reader(text)
        next(rows, None)
        with export.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, _EXPORT, lineterminator="\n")
            writer.writeheader()
            try:
                for row in _classifications(rows, header, repeated, extractions):
                    annotations = f"[{','.join(row.annotations)}]"
                    writer.writerow(row.cells | {"workflow_version": version, "annotations": annotations})
            except csv.Error as error:
                raise PolyframeError(f"{extractions}: line {rows.line_num} is not CSV ({error})") from None
    if damage:
        raise PolyframeError(f"{extractions}: {damage[0]}; extract it again")


def _check_header(header: Sequence[str], path: Path) -> None:
    if "annotations" in header:
        raise PolyframeError(f"{path}: is a classification export; use `polyframe run {path} -o OUT`")
    missing = [name for name in _KEYS if name not in header]
    if missing:
        raise PolyframeError(
            f"{path}: not extractions of panoptes_aggregation: missing {plural(len(missing), 'column')} "
            f"{', '.join(missing)}; name the CSV from `panoptes_aggregation extract`, or an output directory"
        )


def _classifications(
    rows: Iterator[list[str]], header: Sequence[str], repeated: dict[tuple[str, str], int], path: Path
) -> Iterator[_Classification]:
    """Combine the rows of each classification, one for each of its tasks."""
    place = {name: i for i, name in reversed(list(enumerate(header)))}
    paths = _path_columns(header)
    gold = [i for i, name in enumerate(header) if _GOLD.fullmatch(name)]
    waiting: dict[tuple[str, str], _Classification] = {}
    for row in rows:
        if not row:
            continue
        row += [""] * (len(header) - len(row))
        extractor = row[place["extractor"]] if "extractor" in place else ""
        if extractor and extractor not in _EXTRACTORS:
            raise PolyframeError(
                f"{path}: extractions of {extractor!r}; polyframe reduces {' and '.join(_EXTRACTORS)}"
            )
        cells: dict[str, str] = {name: row[place[name]] for name in _EXPORT if name in place}
        cells["subject_ids"] = row[place["subject_id"]]
        if "user_name" in cells:
            cells["user_name"] = unescape_formula(cells["user_name"])
        # The reference tool also writes False if the export contains no value.
        cells["gold_standard"] = "true" if any(row[i].strip().lower() == "true" for i in gold) else ""
        key = (cells["classification_id"], cells["subject_ids"])
        task = row[place["task"]]
        classification = waiting.get(key) or _Classification(cells, set(), [], repeated.get(key, 1))
        classification.rows_left -= 1
        # Repeated rows of a task are ignored.
        if task not in classification.tasks:
            classification.annotations += _annotations(row, paths)
        classification.tasks.add(task)
        if classification.rows_left:
            waiting[key] = classification
        else:
            waiting.pop(key, None)
            yield classification
    yield from waiting.values()


def _path_columns(header: Sequence[str]) -> list[_Paths]:
    columns: dict[tuple[str, ...], dict[str, int]] = {}
    for i, name in enumerate(header):
        if match := _COLUMN.fullmatch(name):
            frame, task, tool, index, what = match.groups()
            columns.setdefault((task, frame, tool, index), {})[what] = i
    return [
        _Paths(
            task,
            f"{task}.{_json_number(index)}",
            f'"frame":{_json_number(frame)},"{tool}":{_json_number(index)}',
            places["pathX"],
            places.get("pathY"),
            _answer_columns(places),
        )
        for (task, frame, tool, index), places in columns.items()
        if "pathX" in places
    ]


def _json_number(digits: str) -> str:
    """Strip leading zeros; there may be more digits than Python converts to an int."""
    return digits.lstrip("0") or "0"


def _answer_columns(places: Mapping[str, int]) -> dict[int | None, int]:
    subtasks = {int(name[len("subtask") :]): i for name, i in places.items() if name.startswith("subtask")}
    return {**({None: places["details"]} if "details" in places else {}), **dict(sorted(subtasks.items()))}


def _annotations(row: Sequence[str], columns: Sequence[_Paths]) -> list[str]:
    """Return the annotations of a row as JSON."""
    by_task: dict[str, list[str]] = {}
    for column in columns:
        marks = by_task.setdefault(column.task, [])
        cells = (row[column.x], "" if column.y is None else row[column.y])
        if not any(cells):
            continue
        paths = _mark_paths(*cells)
        answers = {subtask: row[i] for subtask, i in column.answers.items() if row[i]}
        details = details_of_marks(column.tool, answers, len(paths)) if answers else [[]] * len(paths)
        marks += [
            f'{{{column.mark},{path},"details":{json.dumps(items)}}}'
            for path, items in zip(paths, details, strict=True)
        ]
    return [f'{{"task":{json.dumps(task)},"value":[{",".join(marks)}]}}' for task, marks in by_task.items()]


def _mark_paths(x_cell: str, y_cell: str) -> list[str]:
    """Return the members `pathX` and `pathY` of each mark of a cell; unparsable text stays a string."""
    xs, ys = _paths(x_cell), _paths(y_cell)
    n_marks = max(len(xs), len(ys))
    missing = ["null"] * n_marks
    return [
        f'"pathX":{x},"pathY":{y}'
        for x, y in zip((xs + missing)[:n_marks], (ys + missing)[:n_marks], strict=True)
    ]


def _paths(cell: str) -> list[str]:
    """Return the JSON of each path of a cell."""
    try:
        return [bytes(path).decode() for path in _decode_paths(cell)]
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        paths: Any = json.loads(_PYTHON_WORD.sub(lambda word: _PYTHON_WORDS[word[1]], cell))
        return [json.dumps(path) for path in paths] if isinstance(paths, list) else [json.dumps(cell[:80])]
    except (ValueError, RecursionError):
        return [json.dumps(cell[:80])]


def _repeated(extractions: Path) -> dict[tuple[str, str], int]:
    """Return the row count of each classification with several rows; empty if there is only one task."""
    rows = pl.scan_csv(
        extractions, infer_schema=False, encoding="utf8-lossy", truncate_ragged_lines=True, glob=False
    ).select(pl.col("classification_id", "subject_id", "task").fill_null(""))
    try:
        if rows.select(pl.col("task").n_unique()).collect(engine="streaming").item() < 2:
            return {}
        keys = ["classification_id", "subject_id"]
        counted = rows.group_by(keys).len().filter(pl.col("len") > 1).collect(engine="streaming")
    except (pl.exceptions.PolarsError, OSError) as error:
        raise PolyframeError(f"{extractions}: is not CSV ({first_line(error)})") from None
    return {(classification, subject): n for classification, subject, n in counted.iter_rows()}


class _BlockStream(io.RawIOBase):
    """A stream over blocks of bytes."""

    def __init__(self, source: Iterator[bytes]) -> None:
        self.source = source
        self.rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self.rest:
            block = next(self.source, None)
            if block is None:
                return 0
            self.rest = block
        n = min(len(buffer), len(self.rest))
        buffer[:n], self.rest = self.rest[:n], self.rest[n:]
        return n
