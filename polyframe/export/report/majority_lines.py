"""Compute the majority outlines that the heat maps of a report show, if no table contains them."""

from typing import Final

import polars as pl
import shapely

from polyframe.consensus.marks import neighbour_distances
from polyframe.export.report.live_distances import grouped_marks
from polyframe.export.report.worst_clusters import WorstClusters
from polyframe.geometry.averages import median_and_consensus
from polyframe.geometry.engines import engine_named

_OUTLINE: Final = pl.List(pl.Float64)
#: No outlines.
NO_LINES: Final = pl.DataFrame(schema={"cluster": pl.UInt32(), "x": _OUTLINE, "y": _OUTLINE})


def majority_lines(worst: WorstClusters, engine: str) -> pl.DataFrame:
    """Return the majority outline of the clusters whose tables do not contain it.

    Parameters
    ----------
    worst : WorstClusters
        Of an output directory that has contours.
    engine : str
        See `polyframe.geometry.engines.engine_named`.

    Returns
    -------
    polars.DataFrame
        `cluster`, `x` and `y`: `polyframe.geometry.average_majority` of its marks, empty lists if it has no
        area. Other clusters are not in it: of an odd number of marks, the majority is a level of the table
        contours; it can be the average; or a correction takes its place.
    """
    wanted = _wanted(worst)
    marks = worst.marks.join(wanted, on=["group", "cluster_label"]).sort("cluster", maintain_order=True)
    sizes = marks.group_by("cluster", maintain_order=True).len()
    grouped = grouped_marks(marks, sizes["len"].cast(pl.Int64).to_numpy())
    offsets = grouped.group_offsets
    near = neighbour_distances(grouped, 1.0, engine)
    # Pairs that are not near have distance 1, also those within a classification.
    medians, _ = median_and_consensus(offsets, near.left, near.right, near.distances)
    outlines = engine_named(engine).majorities(grouped.polygons, offsets, medians, None)
    rings = [shapely.get_coordinates(shapely.get_exterior_ring(outline)).T for outline in outlines]
    return pl.DataFrame(
        {
            "cluster": sizes["cluster"],
            "x": [x.tolist() for x, _ in rings],
            "y": [y.tolist() for _, y in rings],
        },
        schema=NO_LINES.schema,
    )


def _wanted(worst: WorstClusters) -> pl.DataFrame:
    """Return the clusters whose majority is not in a table, `cluster`, `group` and `cluster_label`."""
    count = pl.col("clusters_count")
    needed = (count // 2 + 1).cast(pl.Int32)
    written = worst.levels.select("cluster", level="level", is_written=pl.lit(value=True))
    average = pl.col("average_type")
    is_average = (average == "majority") | ((average == "median") & (count <= 2))
    in_levels = (count % 2 == 1) & (
        pl.col("is_written").fill_null(value=False) | (needed > pl.col("number_of_contours").fill_null(0))
    )
    return (
        worst.clusters.with_columns(level=needed)
        .join(written, on=["cluster", "level"], how="left")
        .filter(~is_average & ~in_levels, pl.col("correction").is_null())
        .select("cluster", "group", "cluster_label")
        .sort("cluster")
    )
