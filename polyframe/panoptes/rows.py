"""The rows of an export: split by subjects on disk, and read into typed columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from polyframe import reasons
from polyframe.panoptes.cells import boolean, text_or_missing, timestamp, whole_number
from polyframe.panoptes.selection import Selection, is_used

#: Small row groups keep the memory of the shuffle low: each open partition holds at most one.
_ROWS_PER_GROUP: Final = 500


def used_rows(source: pl.LazyFrame, selection: Selection) -> pl.LazyFrame:
    """Keep the rows that a run uses or rejects; `workflow_id` and `subject_id` become whole numbers."""
    return (
        source.with_columns(whole_number("workflow_id"), whole_number("subject_ids").alias("subject_id"))
        .filter(is_used(selection.workflow_id, [*selection.versions, *selection.malformed]))
        .drop("workflow_name")
    )


def shuffle(rows: pl.LazyFrame, borders: Sequence[int], folder: Path) -> list[list[Path]]:
    """Write rows into Parquet files by range of subjects.

    Parameters
    ----------
    rows : polars.LazyFrame
        From `used_rows`.
    borders : sequence of int
        From `polyframe.panoptes.selection.plan`.
    folder : Path
        Where the files go; made.

    Returns
    -------
    list of list of Path
        The files of each partition; rows without a readable subject are in the first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not borders:
        single = folder / "rows.parquet"
        rows.sink_parquet(single, compression="lz4", row_group_size=_ROWS_PER_GROUP)
        return [[single]]
    upper = np.asarray(borders, np.int64)

    def partition_of(subjects: pl.Series) -> pl.Series:
        return pl.Series(np.searchsorted(upper, subjects.to_numpy(), side="right").astype(np.int32))

    subject = pl.col("subject_id").fill_null(borders[0] - 1)
    partition = subject.map_batches(partition_of, return_dtype=pl.Int32, is_elementwise=True)
    rows.with_columns(partition.alias("partition")).sink_parquet(
        pl.PartitionBy(folder, key="partition", include_key=False),
        compression="lz4",
        row_group_size=_ROWS_PER_GROUP,
        mkdir=True,
    )
    return [sorted((folder / f"partition={index}").glob("*.parquet")) for index in range(len(borders) + 1)]


@dataclass(frozen=True)
class CheckedRows:
    """The rows of a partition, told apart.

    Attributes
    ----------
    rows : polars.DataFrame
        Usable rows in the order of the export: `row`, the columns of the table classifications but `n_marks`,
        and `annotations` (text).
    rejects : polars.DataFrame
        The others: `classification_id, subject_id, row, reason, found`.
    """

    rows: pl.DataFrame
    rejects: pl.DataFrame


def check_rows(rows: pl.DataFrame, selection: Selection) -> CheckedRows:
    """Read the plain cells of rows, and set aside the rows that lack a key.

    Parameters
    ----------
    rows : polars.DataFrame
        One partition of what `used_rows` gives.
    selection : Selection
        What is used.
    """
    typed = rows.sort("row").with_columns(
        whole_number("classification_id").alias("classification"),
        timestamp("created_at"),
        text_or_missing("user_name"),
        whole_number("user_id"),
        boolean("gold_standard"),
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
        .drop("classification_id", "subject_ids", "reason")
        .rename({"classification": "classification_id"}),
        rejects=judged.filter(~readable).select(
            pl.col("classification").alias("classification_id"),
            "subject_id",
            "row",
            "reason",
            _found().alias("found"),
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


def _found() -> pl.Expr:
    """Show the keys of a rejected row as they stand in the export, cut short."""
    cells = [pl.col(name).cast(pl.String).str.slice(0, 40).fill_null("missing") for name in _SHOWN]
    return pl.format(", ".join(f"{name} {{}}" for name in _SHOWN), *cells)


_SHOWN: Final = ("classification_id", "subject_ids", "workflow_id", "workflow_version")
