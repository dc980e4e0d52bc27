"""The rows of an export that a run uses, read into typed columns and told apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from polyframe.core import reasons
from polyframe.core.choices import Visitors
from polyframe.panoptes.classifications.column_parsers import (
    boolean,
    text_or_missing,
    timestamp,
    whole_number,
)
from polyframe.panoptes.classifications.columns import OPTIONAL, REQUIRED
from polyframe.panoptes.classifications.metadata import FROM_METADATA, read_metadata, volunteer
from polyframe.panoptes.classifications.selection import Selection, is_used


def used_rows(source: pl.LazyFrame, selection: Selection, visitors: Visitors) -> pl.LazyFrame:
    """Keep the rows that a run uses or rejects; `workflow_id` and `subject_id` become whole numbers.

    What a run reads of `metadata` takes its place.

    Rows without a readable subject are rejected whatever they hold. All of them are in one partition, so they
    come without their annotations, which would be too much for it.
    """
    return (
        read_metadata(source, visitors)
        .with_columns(whole_number("workflow_id"), whole_number("subject_ids").alias("subject_id"))
        .with_columns(pl.when(pl.col("subject_id").is_not_null()).then("annotations").alias("annotations"))
        .filter(is_used(selection.workflow_id, [*selection.versions, *selection.malformed]))
        .drop("workflow_name")
    )


def rows_schema() -> pl.Schema:
    """Return the columns of what `used_rows` gives."""
    text = {name: pl.String for name in (*REQUIRED, *OPTIONAL) if name not in ("workflow_name", "metadata")}
    numbers = {"workflow_id": pl.Int64, "subject_id": pl.Int64}
    return pl.Schema({"source": pl.UInt16, "row": pl.UInt32, **text, **numbers, **FROM_METADATA})


@dataclass(frozen=True)
class CheckedRows:
    """The rows of a partition, told apart.

    Attributes
    ----------
    rows : polars.DataFrame
        Usable rows in the order of the export: the columns of the table classifications but `n_marks`,
        and `annotations` (text).
    rejects : polars.DataFrame
        The others: `classification_id, subject_id, reason, detail`. `detail` names the row of the export,
        since what they lack, or repeat, is their key.
    """

    rows: pl.DataFrame
    rejects: pl.DataFrame


def check_rows(rows: pl.DataFrame, selection: Selection, *, show_cells: bool = True) -> CheckedRows:
    """Read the plain cells of rows, and set aside the rows that lack a key.

    Parameters
    ----------
    rows : polars.DataFrame
        One partition of what `used_rows` gives.
    selection : Selection
        What is used.
    show_cells : bool
        False tells only the lengths of the cells of a rejected row.
    """
    typed = (
        rows.sort("source", "row")
        .with_columns(
            whole_number("classification_id").alias("classification"),
            timestamp("created_at"),
            text_or_missing("user_name"),
            whole_number("user_id"),
            boolean("gold_standard"),
        )
        .with_columns(volunteer())
    )
    judged = typed.with_columns(_reason(selection).alias("reason"))
    readable = pl.col("reason").is_null()
    first = pl.struct("classification", "subject_id").is_first_distinct()
    judged = judged.with_columns(
        pl.when(readable & ~first.over(readable))
        .then(pl.lit(reasons.DUPLICATE_CLASSIFICATION))
        .otherwise(pl.col("reason"))
        .alias("reason")
    )
    return CheckedRows(
        rows=judged.filter(readable)
        .drop("classification_id", "subject_ids", "session", "reason", "source", "row")
        .rename({"classification": "classification_id"}),
        rejects=judged.filter(~readable).select(
            pl.col("classification").alias("classification_id"),
            "subject_id",
            "reason",
            pl.concat_str(_place(selection.sources), pl.lit(": "), _detail(show_cells)).alias("detail"),
        ),
    )


def _reason(selection: Selection) -> pl.Expr:
    return (
        pl.when(pl.col("workflow_id").is_null())
        .then(pl.lit(reasons.BAD_WORKFLOW_ID))
        .when(~pl.col("workflow_version").is_in(selection.versions).fill_null(value=False))
        .then(pl.lit(reasons.BAD_WORKFLOW_VERSION))
        .when(pl.col("classification").is_null())
        .then(pl.lit(reasons.BAD_CLASSIFICATION_ID))
        .when(pl.col("subject_id").is_null())
        .then(pl.lit(reasons.BAD_SUBJECT_ID))
    )


def _place(sources: Sequence[str]) -> pl.Expr:
    """Name the row, and its file where there are several."""
    row = pl.format("row {}", "row")
    if len(sources) < 2:
        return row
    return pl.concat_str(pl.col("source").replace_strict(dict(enumerate(sources))), pl.lit(" "), row)


def _detail(show_cells: bool) -> pl.Expr:
    """Show the keys of a rejected row as they stand in the export, cut short, or only their lengths."""
    texts = [pl.col(name).cast(pl.String) for name in _SHOWN]
    told = [text.str.slice(0, 40) if show_cells else _length(text) for text in texts]
    cells = [cell.fill_null("missing") for cell in told]
    return pl.format(", ".join(f"{name} {{}}" for name in _SHOWN), *cells)


def _length(text: pl.Expr) -> pl.Expr:
    return pl.format("{} characters", text.str.len_chars())


_SHOWN: Final = ("classification_id", "subject_ids", "workflow_id", "workflow_version")
