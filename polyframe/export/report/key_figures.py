"""Compute the numbers at the top of the report."""

from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from polyframe.store.corrections import CORRECTED
from polyframe.store.manifest import Manifest
from polyframe.store.reading import OutputTables
from polyframe.store.run_counts import Accounting

#: Number of bars of the histogram of consensus.
BARS: Final = 20


@dataclass(frozen=True)
class KeyFigures:
    """Numbers about an output directory as a whole.

    Attributes
    ----------
    manifest : Manifest
        Its settings and sources.
    accounting : Accounting
        The counts of rows and marks.
    subjects, subjects_with_clusters : int
        Subjects with a classification, and those with a cluster.
    clusters : int
        Rows of the table reductions, without the clusters that somebody removed.
    corrected, removed, stale : int
        Clusters whose average is replaced by a correction, clusters that somebody removed, and corrections
        that are not used since the marks of their cluster have changed.
    ignored : int
        Corrections that are not used since the caller wants the averages.
    median_consensus : float or None
        None without clusters.
    bars : list of int
        Clusters by consensus, in steps of 1 / BARS; the last includes 1.
    """

    manifest: Manifest
    accounting: Accounting
    subjects: int
    subjects_with_clusters: int
    clusters: int
    corrected: int
    removed: int
    stale: int
    ignored: int
    median_consensus: float | None
    bars: list[int]


def key_figures(source: OutputTables) -> KeyFigures:
    """Compute the key figures of an output directory that has reductions.

    Raises
    ------
    PolyframeError
        If a part is missing.
    """
    subjects = source.scan("classifications").select(pl.col("subject_id").n_unique())
    # A little more, so that rounding does not move 0.3 to the step below.
    step = (pl.col("consensus").clip(0, 1) * BARS + 1e-9).floor().clip(0, BARS - 1).cast(pl.Int32)
    clusters = (
        source.scan("reductions")
        .select("subject_id", "consensus", step.alias("step"), pl.col("average_type") == CORRECTED)
        .collect()
    )
    of_all = replace(source, corrected=False).scan("reductions").select(pl.len()).collect().item()
    corrections = source.corrections
    counts = dict(clusters["step"].value_counts().iter_rows())
    median = clusters["consensus"].median()
    return KeyFigures(
        manifest=source.manifest,
        accounting=source.manifest.accounting,
        subjects=subjects.collect().item(),
        subjects_with_clusters=clusters["subject_id"].n_unique(),
        clusters=clusters.height,
        corrected=int(clusters["average_type"].sum()),
        removed=of_all - clusters.height,
        stale=corrections.stale.height if source.corrected else 0,
        ignored=0 if source.corrected else corrections.current.height + corrections.stale.height,
        median_consensus=median if isinstance(median, float) else None,
        bars=[counts.get(k, 0) for k in range(BARS)],
    )
