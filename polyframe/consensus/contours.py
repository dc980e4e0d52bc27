"""From clusters of marks to agreement contours: the table contours, and its levels one by one."""

from typing import Any

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray

from polyframe.consensus.reduce import Clustered, cluster_keys, kept_clusters
from polyframe.core.arrays import Ints
from polyframe.core.frames import Frame, columns_of
from polyframe.core.ragged import flatten, list_column, nested_list_column, offsets_of, positions_of
from polyframe.core.settings import Settings
from polyframe.core.tables import CONTOURS, GROUP_KEYS
from polyframe.geometry.engines import engine_named
from polyframe.geometry.exact_contours import ContourLevels


def contours_table(clustered: Clustered, settings: Settings) -> pl.DataFrame:
    """Make the table `contours`: all levels of agreement for each cluster above `min_threshold`.

    Parameters
    ----------
    clustered : Clustered
        From `polyframe.consensus.reduce.cluster_marks`.
    settings : Settings
        `contour_method`, `num_grid_points`, `smoothing` and `min_threshold`.
    """
    kept = kept_clusters(clustered, settings)
    polygons, offsets = _members_of(clustered, kept)
    levels = _levels(polygons, offsets, settings)
    coordinates, level = shapely.get_coordinates(levels.polygons, return_index=True)
    rings = offsets_of(np.bincount(level, minlength=len(levels.polygons)))
    # A grid may miss a small cluster altogether; then there is no level, and the outline is empty.
    outlines = np.full(len(kept), shapely.Polygon(), dtype=object)
    found = np.flatnonzero(np.diff(levels.offsets))
    outlines[found] = levels.polygons[levels.offsets[found]]
    frame = cluster_keys(clustered, kept).with_columns(
        pl.Series("number_of_contours", np.diff(levels.offsets)),
        nested_list_column("contours_x", np.ascontiguousarray(coordinates[:, 0]), rings, levels.offsets),
        nested_list_column("contours_y", np.ascontiguousarray(coordinates[:, 1]), rings, levels.offsets),
        list_column("contours_area", shapely.area(levels.polygons), levels.offsets),
        pl.Series("geometry", shapely.to_wkb(outlines).tolist(), pl.Binary),
    )
    return CONTOURS.conform(frame)


def explode_levels(contours: Frame) -> pl.DataFrame:
    """Turn rows of `contours` into one row for each cluster and level, with a geometry of its own.

    Parameters
    ----------
    contours : frame
        Rows of the table `contours`; of Polars, pandas or Arrow.

    Returns
    -------
    polars.DataFrame
        The group keys, `cluster_label`, `clusters_count`, `consensus`, `level` (i32, from 1), `area` (square
        pixels) and `geometry` (WKB polygon).
    """
    needed = (
        *GROUP_KEYS,
        "cluster_label",
        "clusters_count",
        "consensus",
        "contours_x",
        "contours_y",
        "contours_area",
    )
    levels = (
        columns_of(contours, "contours", CONTOURS.schema, needed)
        .with_columns(pl.int_ranges(1, pl.col("contours_area").list.len() + 1, dtype=pl.Int32).alias("level"))
        .explode("contours_x", "contours_y", "contours_area", "level", empty_as_null=False)
        .filter(pl.col("level").is_not_null())
    )
    x, offsets = flatten(levels["contours_x"])
    y, _ = flatten(levels["contours_y"])
    rings = np.arange(len(offsets))
    polygons = shapely.from_ragged_array(
        shapely.GeometryType.POLYGON, np.column_stack([x, y]), (offsets, rings)
    )
    return levels.drop("contours_x", "contours_y").select(
        pl.exclude("contours_area"),
        pl.col("contours_area").alias("area"),
        pl.Series("geometry", shapely.to_wkb(polygons).tolist(), pl.Binary),
    )


def _members_of(clustered: Clustered, kept: Ints) -> tuple[NDArray[Any], Ints]:
    """Return the polygons of some clusters, one cluster after the other."""
    counts = clustered.clusters_count[kept]
    members = clustered.members[positions_of(clustered.member_offsets[kept], counts)]
    return clustered.polygons[members], offsets_of(counts)


def _levels(polygons: NDArray[Any], offsets: Ints, settings: Settings) -> ContourLevels:
    if settings.contour_method == "raster":
        from polyframe.geometry.raster import cluster_raster_contours

        return cluster_raster_contours(
            polygons, offsets, num_grid_points=settings.num_grid_points, smoothing=settings.smoothing
        )
    return engine_named(settings.engine).contours(polygons, offsets)
