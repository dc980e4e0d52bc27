"""Select the rows of an export that a run uses, parse their columns, and reject rows without a key."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from polyframe.core import reasons
from polyframe.core.choices import Visitors
from polyframe.panoptes.classifications.column_parsers import (
    boolean,
    integer,
    nonblank,
    timestamp,
)
from polyframe.panoptes.classifications.columns import OPTIONAL, REQUIRED
from polyframe.panoptes.classifications.metadata import FROM_METADATA, read_metadata, volunteer
from polyframe.panoptes.classifications.version_selection import Selection, is_used


def used_rows(source: pl.LazyFrame, selection: Selection, visitors: Visitors) -> pl.LazyFrame:
    """Keep the rows that a run uses or rejects, with integer `workflow_id` and `subject_id`.

    `metadata` is replaced by the columns that a run needs of it. Rows without a readable subject are
    rejected; they are all in one partition, so they lose their annotations, which would not fit into memory.
    """
    return (
        read_metadata(source, visitors)
        .with_columns(integer("workflow_id"), integer("subject_ids").alias("subject_id"))
        .with_columns(pl.when(pl.col("subject_id").is_not_null()).then("annotations").alias("annotations"))
        .filter(is_used(selection.workflow_id, [*selection.versions, *selection.malformed]))
        .drop("workflow_name")
    )


def rows_schema() -> pl.Schema:
    """Return the schema of `used_rows`."""
    text = {name: pl.String for name in (*REQUIRED, *OPTIONAL) if name not in ("workflow_name", "metadata")}
    numbers = {"source": pl.UInt16, "row": pl.UInt32}
    return pl.Schema({**numbers, **text, "workflow_id": pl.Int64, **FROM_METADATA, "subject_id": pl.Int64})


@dataclass(frozen=True)
class CheckedRows:
    """The usable and the rejected rows of a partition.

    Attributes
    ----------
    rows : polars.DataFrame
        Usable rows in the order of the export: the columns of the table classifications except `n_marks`,
        and `annotations` (text).
    rejects : polars.DataFrame
        Other rows: `classification_id, subject_id, reason, detail`. `detail` contains the row number, since
        their key is missing or not unique.
    """

    rows: pl.DataFrame
    rejects: pl.DataFrame


def check_rows(rows: pl.DataFrame, selection: Selection, *, show_cells: bool = True) -> CheckedRows:
    """Parse the columns of rows, and reject the rows without a unique key.

    Parameters
    ----------
    rows : polars.DataFrame
        One partition of `used_rows`.
    selection : Selection
        The workflow and versions that are used.
    show_cells : bool
        False shows only the lengths of the cells of rejected rows.
    """
    typed = (
        rows.sort("source", "row")
        .with_columns(
            integer("classification_id").alias("classification"),
            timestamp("created_at"),
            nonblank("user_name"),
            integer("user_id"),
            boolean("gold_standard"),
        )
        .with_columns(volunteer())
    )
    checked = typed.with_columns(_reason(selection).alias("reason"))
    readable = pl.col("reason").is_null()
    first = pl.struct("classification", "subject_id").is_first_distinct()
    checked = checked.with_columns(
        pl.when(readable & ~first.over(readable))
        .then(pl.lit(reasons.DUPLICATE_CLASSIFICATION))
        .otherwise(pl.col("reason"))
        .alias("reason")
    )
    return CheckedRows(
        rows=checked.filter(readable)
        .drop("classification_id", "subject_ids", "session", "reason", "source", "row")
        .rename({"classification": "classification_id"}),
        rejects=checked.filter(~readable).select(
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
    """Return the row number, with the name of the file if there are several."""
    row = pl.format("row {}", "row")
    if len(sources) < 2:
        return row
    return pl.concat_str(pl.col("source").replace_strict(dict(enumerate(sources))), pl.lit(" "), row)


def _detail(show_cells: bool) -> pl.Expr:
    """Show the key cells of a rejected row, shortened, or only their lengths."""
    texts = [pl.col(name).cast(pl.String) for name in _SHOWN]
    shown = [text.str.slice(0, 40) if show_cells else _length(text) for text in texts]
    cells = [cell.fill_null("missing") for cell in shown]
    return pl.format(", ".join(f"{name} {{}}" for name in _SHOWN), *cells)


def _length(text: pl.Expr) -> pl.Expr:
    return pl.format("{} characters", text.str.len_chars())


_SHOWN: Final = ("classification_id", "subject_ids", "workflow_id", "workflow_version")
