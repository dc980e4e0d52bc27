"""Count the rows of an export by workflow, version and subject, with hashes of their content."""

from collections.abc import Iterable
from typing import Final

import polars as pl

from polyframe.core.choices import Visitors
from polyframe.panoptes.classifications.column_parsers import REPLACEMENT, integer, timestamp
from polyframe.panoptes.classifications.columns import OPTIONAL, REQUIRED
from polyframe.panoptes.classifications.metadata import FROM_METADATA, read_metadata
from polyframe.panoptes.classifications.version_selection import Selection, is_used

#: Approximate size of a row without its annotations, for planning.
_ROW_BYTES: Final = 200
_KEYS: Final = ("workflow_id", "workflow_version", "subject_id")
#: Columns that determine the result of a row, besides those from the metadata.
_READ: Final = tuple(name for name in (*REQUIRED, *OPTIONAL) if name not in ("workflow_name", "metadata"))


def take_census(source: pl.LazyFrame, visitors: Visitors = "session") -> pl.DataFrame:
    """Count rows and bytes by workflow, version and subject, in one pass over the export.

    Parameters
    ----------
    source : polars.LazyFrame
        The `rows` of `sources.open_sources`.
    visitors : {"session", "name"}
        The setting, which determines what is read from the metadata.

    Returns
    -------
    polars.DataFrame
        `workflow_id` i64, `workflow_version` text, `subject_id` i64 (null if they cannot be parsed),
        `workflow_name`, `rows`, `bytes`, `not_utf8` and `no_time` (numbers of rows with such bytes in the
        name, and without a readable `created_at`), `content` and `places` u64; sorted. `content` is the sum
        of the hashes of the rows modulo 2**64: it changes with any cell that a run reads, but not with the
        order of rows. `places` also changes with their row numbers.

    Notes
    -----
    The hashes are those of Polars, which depend on its version.
    """
    # The long cell is hashed separately: as a member of a struct it would be copied.
    cells = [pl.col(name).hash() if name == "annotations" else pl.col(name) for name in _READ]
    row = pl.struct(*cells, *FROM_METADATA).hash(seed=1)
    return (
        read_metadata(source, visitors)
        .select(
            integer("workflow_id"),
            "workflow_version",
            integer("subject_ids").alias("subject_id"),
            "workflow_name",
            pl.col("user_name")
            .str.contains(REPLACEMENT, literal=True)
            .fill_null(value=False)
            .alias("not_utf8"),
            timestamp("created_at").is_null().alias("no_time"),
            pl.col("annotations").str.len_bytes().fill_null(0).cast(pl.Int64).alias("bytes"),
            row.alias("content"),
            pl.struct(row.alias("content"), "source", "row").hash(seed=2).alias("places"),
        )
        .group_by(_KEYS)
        .agg(
            pl.col("workflow_name").max(),
            pl.len().cast(pl.Int64).alias("rows"),
            pl.col("bytes", "not_utf8", "no_time", "content", "places").sum(),
        )
        .with_columns(pl.col("bytes") + _ROW_BYTES * pl.col("rows"))
        .collect(engine="streaming")
        .sort(_KEYS)
    )


def merge_censuses(censuses: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Merge the censuses of the splits of an export: the result is that of the whole export."""
    sums = ("rows", "bytes", "not_utf8", "no_time", "content", "places")
    merged = pl.concat(censuses).group_by(_KEYS).agg(pl.col("workflow_name").max(), pl.col(sums).sum())
    return merged.sort(_KEYS)


def used_subjects(census: pl.DataFrame, selection: Selection) -> pl.DataFrame:
    """Return size and hashes of the used rows of each subject.

    Parameters
    ----------
    census : polars.DataFrame
        From `take_census`.
    selection : Selection
        The workflow and versions that are used.

    Returns
    -------
    polars.DataFrame
        `subject_id` (null if it cannot be parsed), `rows`, `bytes`, `content`, `places`; sorted, nulls first.
    """
    used = is_used(selection.workflow_id, [*selection.versions, *selection.malformed])
    return (
        census.filter(used)
        .group_by("subject_id")
        .agg(pl.col("rows", "bytes", "content", "places").sum())
        .sort("subject_id", nulls_last=False)
    )
