"""Summarize the classifications, marks and clusters of each subject."""

from typing import Final

import numpy as np
import polars as pl

from polyframe.consensus.volunteers import people_of
from polyframe.core.ragged import runs_of_equal
from polyframe.core.tables import SUBJECTS

_KEYS: Final = ("workflow_id", "subject_id")


def subjects_table(
    classifications: pl.DataFrame, groups: pl.DataFrame, reductions: pl.DataFrame
) -> pl.DataFrame:
    """Make the table `subjects`.

    Parameters
    ----------
    classifications : polars.DataFrame
        All classifications, with `CLASSIFICATION_KEYS`, `volunteer` and `counts`: whether it takes part.
    groups, reductions : polars.DataFrame
        The tables of the same subjects; of `reductions`, the keys and the columns that are summarized.

    Returns
    -------
    polars.DataFrame
        The table `polyframe.core.tables.SUBJECTS`.
    """
    people = people_of(classifications.filter("counts")).group_by(_KEYS)
    of_groups = groups.group_by(_KEYS).agg(pl.col("n_marks", "n_clusters", "n_outliers").sum())
    table = classifications.select(_KEYS).unique()
    for part in (
        people.agg(pl.len().alias("n_classifications"), pl.col("person").n_unique().alias("n_volunteers")),
        of_groups,
    ):
        table = table.join(part, on=_KEYS, how="left")
    numbers = ("n_classifications", "n_volunteers", "n_marks", "n_clusters", "n_outliers")
    table = table.with_columns(pl.col(numbers).fill_null(0))
    return SUBJECTS.conform(table.join(_of_clusters(reductions), on=_KEYS, how="left"))


def _of_clusters(reductions: pl.DataFrame) -> pl.DataFrame:
    """Summarize the clusters of each subject."""
    clusters = reductions.select(*_KEYS, "consensus", "expected_iou", "classifications_needed")
    clusters = clusters.sort(_KEYS, maintain_order=True)
    offsets = runs_of_equal(clusters.select(pl.struct(_KEYS).rle_id()).to_series().to_numpy())
    counts = np.diff(offsets)
    # Added up one after another, so that the mean does not depend on the other subjects.
    sums = np.bincount(
        np.repeat(np.arange(len(counts)), counts), clusters["consensus"].to_numpy(), len(counts)
    )
    means = clusters[offsets[:-1]].select(_KEYS).with_columns(pl.Series("consensus_mean", sums / counts))
    return means.join(
        clusters.group_by(_KEYS).agg(
            pl.col("consensus").min().alias("consensus_min"),
            pl.col("expected_iou").min().alias("expected_iou_min"),
            pl.col("classifications_needed").max(),
        ),
        on=_KEYS,
    )
