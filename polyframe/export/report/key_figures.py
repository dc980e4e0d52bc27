"""The numbers at the top of the report: what is in an output directory, and how it was made."""

from dataclasses import dataclass
from typing import Final

import polars as pl

from polyframe.store.accounting import Accounting
from polyframe.store.dataset import scan
from polyframe.store.manifest import Manifest
from polyframe.store.opened import Opened

#: Bars of the distribution of consensus.
BARS: Final = 20


@dataclass(frozen=True)
class Headline:
    """What is told of an output directory as a whole.

    Attributes
    ----------
    manifest : Manifest
        How it was made.
    accounting : Accounting
        Where every row and mark went.
    subjects, subjects_with_clusters : int
        With a classification, and with a cluster.
    clusters : int
        Rows of the table reductions.
    median_consensus : float or None
        Over them; None where there are none.
    bars : list of int
        Clusters by consensus, in steps of 1 / BARS; a consensus of 1 is in the last one.
    """

    manifest: Manifest
    accounting: Accounting
    subjects: int
    subjects_with_clusters: int
    clusters: int
    median_consensus: float | None
    bars: list[int]


def headline(found: Opened) -> Headline:
    """Count what is in an output directory that has reductions.

    Raises
    ------
    PolyframeError
        Where a part is missing.
    """
    seen = scan(found.path, "classifications").select(pl.col("subject_id").n_unique())
    # A hair more, so that 0.3 does not fall below its step by rounding.
    step = (pl.col("consensus").clip(0, 1) * BARS + 1e-9).floor().clip(0, BARS - 1).cast(pl.Int32)
    clusters = scan(found.path, "reductions").select("subject_id", "consensus", step.alias("step")).collect()
    counted = dict(clusters["step"].value_counts().iter_rows())
    median = clusters["consensus"].median()
    return Headline(
        manifest=found.manifest,
        accounting=found.manifest.accounting,
        subjects=seen.collect().item(),
        subjects_with_clusters=clusters["subject_id"].n_unique(),
        clusters=clusters.height,
        median_consensus=median if isinstance(median, float) else None,
        bars=[counted.get(k, 0) for k in range(BARS)],
    )
