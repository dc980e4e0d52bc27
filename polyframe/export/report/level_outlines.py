"""Look up one contour level of each cluster of a report."""

import polars as pl

from polyframe.core.levels import Level, MissingLevels
from polyframe.export.report.worst_clusters import WorstClusters
from polyframe.store.corrections import REMOVED


def level_outlines(worst: WorstClusters, level: Level) -> tuple[pl.DataFrame, MissingLevels]:
    """Return the outline of one level of each cluster, and how many clusters do not have it.

    As in exports, a correction replaces the level, and a removed cluster has no outline.

    Parameters
    ----------
    worst : WorstClusters
        Of an output directory that has contours.
    level : Level

    Returns
    -------
    outlines : polars.DataFrame
        `x`, `y` of each of `worst.clusters`; empty lists if a cluster does not have the level.
    missing : MissingLevels
    """
    rows = worst.clusters
    numbers = level.numbers(rows["clusters_count"])
    wanted = rows.select("cluster", pl.Series("level", numbers, pl.Int32))
    outlines = wanted.join(worst.levels, on=["cluster", "level"], how="left", maintain_order="left")
    missing = MissingLevels(level)
    highest, is_written = rows["number_of_contours"].fill_null(0), outlines["x"].is_not_null()
    for number, of_cluster, written, correction in zip(
        numbers, highest, is_written, rows["correction"], strict=True
    ):
        if correction is None:
            missing.look_up(number, of_cluster, [number] if written else [])
    averages = averaged_outlines(worst)
    is_corrected = rows["correction"].is_not_null()
    return (
        outlines.select(
            pl.when(is_corrected).then(averages[name]).otherwise(name).fill_null([]).alias(name)
            for name in ("x", "y")
        ),
        missing,
    )


def averaged_outlines(worst: WorstClusters) -> pl.DataFrame:
    """Return the averaged or corrected polygon of each cluster, `x` and `y`; empty lists for removed ones."""
    is_removed = worst.clusters["correction"].eq_missing(REMOVED)
    return worst.clusters.select(
        pl.when(~is_removed).then(column).otherwise([]).alias(name)
        for name, column in (("x", "clusters_x"), ("y", "clusters_y"))
    )
