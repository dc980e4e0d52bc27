"""Make the table of compared settings from the counts of all partitions."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from polyframe.consensus.tune.counts import COUNTED, Tally
from polyframe.consensus.tune.gold_counts import added_up, no_counts
from polyframe.consensus.tune.parse_grid import Combination, Grid
from polyframe.core.arrays import Floats
from polyframe.core.result_tables import TUNING


def tuning_table(tallies: Sequence[Tally], grid: Grid, current: Combination | None) -> pl.DataFrame:
    """Add up the counts of all partitions.

    Parameters
    ----------
    tallies : sequence of Tally
        In any order.
    grid : Grid
        The settings of the tallies.
    current : Combination or None
        The settings of the output; None if it has no reductions.

    Returns
    -------
    polars.DataFrame
        The table `polyframe.core.result_tables.TUNING`: one row for each setting.
    """
    settings = grid.combinations
    zeros = np.zeros(len(settings), np.int64)
    counts = {name: sum((tally.counts[name] for tally in tallies), zeros) for name in COUNTED}
    groups, marks = sum(tally.groups for tally in tallies), sum(tally.marks for tally in tallies)
    largest = np.max([zeros, *(tally.largest for tally in tallies)], axis=0)
    quartiles = [_quartiles([tally.consensus[k] for tally in tallies]) for k in range(len(settings))]
    gold = added_up([no_counts(len(settings)), *(tally.gold for tally in tallies)])
    # The expert is known to all partitions or to none.
    n_gold = sum(tally.n_gold or 0 for tally in tallies)
    has_gold = any(tally.n_gold is not None for tally in tallies)
    # How many clusters merge is only known for those of DBSCAN that are not split.
    may_merge = (pl.col("eps") > grid.eps[0]) & (pl.col("split") == "none")
    compared = (*Combination._fields,)
    frame = pl.DataFrame(settings, schema={name: TUNING.schema[name] for name in compared}, orient="row")
    frame = frame.with_columns(
        pl.Series("current", [setting == current for setting in settings], pl.Boolean),
        pl.Series("groups", np.full(len(settings), groups)),
        pl.Series("marks", np.full(len(settings), marks)),
        *(pl.Series(name, values) for name, values in counts.items()),
        pl.Series("largest_cluster", largest),
        *(
            pl.Series(name, [values[k] for values in quartiles], pl.Float64)
            for k, name in enumerate(("consensus_q1", "consensus_median", "consensus_q3"))
        ),
        pl.Series("predicted", gold.predicted),
        pl.Series("matched", gold.matched),
        pl.Series("iou", gold.iou),
        pl.lit(n_gold).alias("n_gold"),
    ).with_columns(
        (pl.col("marks") - pl.col("clustered")).alias("outliers"),
        pl.when(may_merge).then("merged_clusters").alias("merged_clusters"),
    )
    return TUNING.conform(
        frame.with_columns(
            _ratio("clusters", "groups").alias("clusters_per_group"),
            _ratio("outliers", "marks").alias("outlier_share"),
            _ratio("clustered", "clusters").alias("marks_per_cluster"),
            pl.when(has_gold).then(_ratio("matched", "predicted")).alias("gold_precision"),
            pl.when(has_gold).then(_ratio("matched", "n_gold")).alias("gold_recall"),
            pl.when(has_gold).then(_ratio("iou", "n_gold")).alias("gold_iou"),
        )
    )


def _ratio(numerator: str, denominator: str) -> pl.Expr:
    return pl.when(pl.col(denominator) > 0).then(pl.col(numerator) / pl.col(denominator))


def _quartiles(parts: list[Floats]) -> list[float | None]:
    values = np.concatenate([np.empty(0), *parts])
    if not len(values):
        return [None, None, None]
    return [float(quartile) for quartile in np.quantile(values, (0.25, 0.5, 0.75))]
