"""Build the rows of the CSV files of extractions that panoptes_aggregation writes, for a whole partition.

An extractor has one row for each classification and task, with or without marks. A cell has the paths of
all marks of a frame and tool, as a Python literal such as `[[1, 2.5, 3]]`. Columns are in the order of their
first occurrence.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import polars as pl

from polyframe import __version__
from polyframe.core.choices import ExtractorKind
from polyframe.core.ragged import flatten
from polyframe.core.spreadsheet_cells import escape_formula
from polyframe.panoptes.aggregation_csv.subtask_extracts import extracts

EXTRACTORS: Final[dict[ExtractorKind, str]] = {"polygon": "polygon_extractor", "bezier": "bezier_extractor"}
FIRST_COLUMNS: Final = (
    *("classification_id", "user_name", "user_id", "workflow_id"),
    *("task", "created_at", "subject_id", "extractor"),
)
CLASSIFIER_VERSION: Final = "data.classifier_version"
AGGREGATION_VERSION: Final = "data.aggregation_version"
#: Every version of the new classifier writes this one.
_NEW_CLASSIFIER: Final = "2.0"
_VERSION: Final = f"polyframe {__version__}"
_NEW_TOOL: Final = r"_toolIndex[0-9]+$"
_TIME: Final = "%Y-%m-%d %H:%M:%S%.f UTC"
#: Python writes smaller numbers with an exponent.
_LEAST_DECIMAL: Final = 1e-4

ROW_KEYS: Final = ["classification_id", "subject_id", "task"]
#: The place of a cell: its row, and in it the order of frames (by their first mark), of paths before answers,
#: of marks, and of the cells of one mark.
PLACE: Final = [*ROW_KEYS, "first_of_frame", "block", "mark_index", "part"]
_PATHS: Final = 0
_ANSWERS: Final = 1
_GOLD_STANDARD: Final = 2

#: The columns of the table extractions that `mark_cells` needs, without and with the text of the cells.
KEYS_OF_MARKS: Final = ["subject_id", "task", "frame", "tool", "classification_id", "mark_index", "tool_type"]
COLUMNS_OF_MARKS: Final = [*KEYS_OF_MARKS, "x", "y"]


def with_classifier(classifications: pl.DataFrame, marks: pl.DataFrame) -> pl.DataFrame:
    """Add to classifications whether they were made with the new classifier, 2.x; null without marks."""
    is_new = pl.col("tool").str.contains(_NEW_TOOL).any().alias("is_new")
    keys = ["subject_id", "classification_id"]
    return classifications.join(marks.group_by(keys).agg(is_new), on=keys, how="left")


def mark_cells(
    marks: pl.DataFrame,
    kind: ExtractorKind,
    extractors: Mapping[str, Mapping[int, str]],
    *,
    with_text: bool,
) -> pl.DataFrame:
    """Return the cells of marks: for each mark those of its paths, of its answers, and of `gold_standard`.

    Parameters
    ----------
    marks : polars.DataFrame
        Rows of the table extractions: `COLUMNS_OF_MARKS`, or `KEYS_OF_MARKS` without text, and `details` if
        there are extractors of sub-tasks.
    kind : {"polygon", "bezier"}
        The extractor.
    extractors : mapping
        Those of sub-tasks, by tool and index.
    with_text : bool
        Whether to add the text.

    Returns
    -------
    polars.DataFrame
        `PLACE`, the name of the `column`, and the `text` of each mark in its cell. Cells of several marks
        occur several times, in the order of the marks.
    """
    first_of_frame = pl.col("mark_index").min().over(*ROW_KEYS, "frame").alias("first_of_frame")
    placed = marks.with_columns(first_of_frame).sort(*ROW_KEYS, "mark_index")
    parts = [
        _cells(
            placed, "data.frame{}.{}_pathX", _PATHS, 0, path_texts(placed["x"], kind) if with_text else None
        ),
        _cells(
            placed, "data.frame{}.{}_pathY", _PATHS, 1, path_texts(placed["y"], kind) if with_text else None
        ),
    ]
    if kind == "polygon":
        # The reference tool does not read the column of the export, so that it is never true.
        text = pl.repeat("False", placed.height, eager=True) if with_text else None
        parts.append(_cells(placed, "data.frame{}.gold_standard", _PATHS, _GOLD_STANDARD, text))
    if extractors:
        answers = _answers(placed, extractors)
        parts.append(answers if with_text else answers.drop("text"))
    return pl.concat(parts)


def _cells(marks: pl.DataFrame, name: str, block: int, part: int, text: pl.Series | None) -> pl.DataFrame:
    names = pl.format(name, *["frame", "tool"][: name.count("{}")]).alias("column")
    place = [pl.lit(block, pl.Int8).alias("block"), pl.lit(part, pl.Int32).alias("part")]
    texts = [] if text is None else [text.alias("text")]
    return marks.with_columns(*place, *texts).select(*PLACE, names, *(series.name for series in texts))


def _answers(marks: pl.DataFrame, extractors: Mapping[str, Mapping[int, str]]) -> pl.DataFrame:
    """Return the cells of answers to sub-tasks; each distinct text of details is read once."""
    read = marks.filter(pl.col("tool").is_in([*extractors])).with_columns(pl.col("details").fill_null(""))
    rows = [
        (tool, details, part, end, text)
        for tool, details in read.select("tool", "details").unique().iter_rows()
        for part, (end, text) in enumerate(extracts(tool, details, extractors[tool]).items())
    ]
    schema = {"tool": pl.String, "details": pl.String, "part": pl.Int32, "end": pl.String, "text": pl.String}
    answers = pl.DataFrame(rows, schema=schema, orient="row")
    return (
        read.join(answers, on=["tool", "details"], how="inner")
        .sort(*ROW_KEYS, "mark_index", "part")
        .with_columns(
            pl.lit(_ANSWERS, pl.Int8).alias("block"),
            pl.format("data.frame{}.{}_{}", "frame", "tool", "end").alias("column"),
        )
        .select(*PLACE, "column", "text")
    )


def path_texts(paths: pl.Series, kind: ExtractorKind) -> pl.Series:
    """Return coordinates as the text of Python lists.

    Parameters
    ----------
    paths : polars.Series of list<f64>, length n
        Finite, at most `reasons.LARGEST_COORDINATE`.
    kind : {"polygon", "bezier"}
        Whole numbers are written as in the export of a browser, `912`; those of Bezier curves, which are
        computed, as `912.0`.

    Returns
    -------
    polars.Series of str, length n
        Such as `[912, 890.39]`.
    """
    text = pl.format("[{}]", pl.col("path").cast(pl.List(pl.String)).list.join(", "))
    if kind == "polygon":
        text = text.str.replace_all(".0,", ",", literal=True).str.replace(".0]", "]", literal=True)
    texts = paths.to_frame("path").select(text).to_series()
    values, offsets = flatten(paths)
    tiny = np.flatnonzero((np.abs(values) < _LEAST_DECIMAL) & (values != 0))
    marks = np.unique(np.searchsorted(offsets, tiny, side="right") - 1)
    if len(marks):
        texts = texts.scatter(marks, [_path_text(paths[int(mark)].to_list(), kind) for mark in marks])
    return texts


def _path_text(path: list[float], kind: ExtractorKind) -> str:
    integers = kind == "polygon"
    return str([int(value) if integers and value.is_integer() else value for value in path])


def row_frame(classifications: pl.DataFrame, tasks: list[str]) -> pl.DataFrame:
    """Return a row for each classification and task, sorted by `ROW_KEYS`, with its index `row`."""
    rows = classifications.join(pl.DataFrame({"task": tasks}, schema={"task": pl.String}), how="cross")
    return rows.sort(ROW_KEYS).with_row_index("row")


def filled_cells(
    cells: pl.DataFrame | None, rows: pl.DataFrame, columns: list[str], new_versions: list[str]
) -> pl.DataFrame:
    """Return the cells of a file that are not empty, after `FIRST_COLUMNS`.

    Parameters
    ----------
    cells : polars.DataFrame or None
        From `mark_cells`, with text; None if there are no marks.
    rows : polars.DataFrame
        From `row_frame`, of classifications from `with_classifier` with `workflow_version`.
    columns : list of str
        All columns of the file.
    new_versions : list of str
        The workflow versions in which a classification without marks is taken as one of the new classifier.

    Returns
    -------
    polars.DataFrame
        `row`, `column` (its number) and `text`, sorted by row and column.
    """
    is_new = pl.col("is_new").fill_null(pl.col("workflow_version").is_in(new_versions))
    constants = [
        selected.select(
            "row", pl.lit(columns.index(name), pl.Int32).alias("number"), pl.lit(text).alias("text")
        )
        for name, text, selected in (
            (AGGREGATION_VERSION, _VERSION, rows),
            (CLASSIFIER_VERSION, _NEW_CLASSIFIER, rows.filter(is_new)),
        )
        if selected.height
    ]
    of_marks = [] if cells is None else [_joined(cells, rows, columns)]
    return pl.concat([*constants, *of_marks]).sort("row", "number").rename({"number": "column"})


def _joined(cells: pl.DataFrame, rows: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    """Join the texts of the marks in each cell."""
    numbers = pl.DataFrame(
        {"column": columns, "number": range(len(columns))}, schema_overrides={"number": pl.Int32}
    )
    is_list = (pl.col("block") == _ANSWERS) | (pl.col("part") != _GOLD_STANDARD)
    listed = pl.format("[{}]", pl.col("text").list.join(", "))
    return (
        cells.join(rows.select("row", *ROW_KEYS), on=ROW_KEYS, maintain_order="left")
        .join(numbers, on="column", maintain_order="left")
        .group_by("row", "number", maintain_order=True)
        .agg("text", pl.col("block", "part").first())
        .select(
            "row",
            "number",
            pl.when(is_list).then(listed).otherwise(pl.col("text").list.first()).alias("text"),
        )
    )


def lines(
    rows: pl.DataFrame, cells: pl.DataFrame, n_columns: int, kind: ExtractorKind, *, float_ids: bool
) -> pl.Series:
    """Return the lines of a file, each with its line end.

    Parameters
    ----------
    rows : polars.DataFrame
        From `row_frame`.
    cells : polars.DataFrame
        From `filled_cells`.
    n_columns : int
        The columns of the file.
    kind : {"polygon", "bezier"}
        The extractor.
    float_ids : bool
        Whether the column `user_id` has missing values, so that pandas wrote its numbers as floats.
    """
    last = len(FIRST_COLUMNS) - 1
    before = pl.col("column").shift(1).over("row").fill_null(last)
    commas = pl.lit(",").repeat_by(pl.col("column") - before).list.join("")
    joined = (
        cells.with_columns(pl.concat_str(commas, csv_cell("text")).alias("text"))
        .group_by("row", maintain_order=True)
        .agg(pl.col("text").str.join(""), pl.col("column").max())
        .select("text", pl.lit(",").repeat_by(n_columns - 1 - pl.col("column")).list.join("").alias("end"))
    )
    first = {
        "classification_id": pl.col("classification_id").cast(pl.String),
        "user_name": _texts(rows["user_name"]),
        "user_id": pl.format("{}.0", "user_id") if float_ids else pl.col("user_id").cast(pl.String),
        "workflow_id": pl.col("workflow_id").cast(pl.String),
        "task": _texts(rows["task"]),
        "created_at": pl.col("created_at").dt.to_string(_TIME),
        "subject_id": pl.col("subject_id").cast(pl.String),
        "extractor": pl.lit(EXTRACTORS[kind]),
    }
    cells_ = [first[name].fill_null("") for name in FIRST_COLUMNS]
    start = rows.select(pl.concat_str(*cells_, separator=",").alias("start")).to_series()
    return joined.with_columns(start).select(pl.concat_str("start", "text", "end", pl.lit("\n"))).to_series()


def csv_cell(name: str) -> pl.Expr:
    """Return a column of text as cells of CSV, in quotes if they need them."""
    text = pl.col(name)
    quoted = pl.concat_str(pl.lit('"'), text.str.replace_all('"', '""', literal=True), pl.lit('"'))
    return pl.when(text.str.contains(r'[",\r\n]')).then(quoted).otherwise(text).alias(name)


def _texts(column: pl.Series) -> pl.Expr:
    """Return a column of names as cells of CSV that no spreadsheet reads as formulas."""
    names = column.unique().drop_nulls()
    cells = pl.Series("cell", [escape_formula(name) for name in names], pl.String).to_frame()
    cells = cells.select(csv_cell("cell"))
    return pl.col(column.name).replace_strict(names, cells["cell"], default=None, return_dtype=pl.String)
