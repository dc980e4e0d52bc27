"""Look up one contour level of each cluster of a report."""

import polars as pl

from polyframe.core.levels import Level, MissingLevels
from polyframe.export.report.worst_clusters import WorstClusters


def level_outlines(worst: WorstClusters, level: Level) -> tuple[pl.DataFrame, MissingLevels]:
    """Return the outline of one level of each cluster, and how many clusters do not have it.

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
    columns = zip(numbers, rows["number_of_contours"].fill_null(0), outlines["x"].is_not_null(), strict=True)
    for number, highest, is_written in columns:
        missing.look_up(number, highest, [number] if is_written else [])
    return outlines.select(pl.col("x", "y").fill_null([])), missing
