"""Compute the agreement contours of clusters: the table contours, and one row for each of its levels."""

from typing import Any

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray

from polyframe.consensus.reduce import Clusters, cluster_keys, clusters_above_threshold
from polyframe.core.arrays import Ints
from polyframe.core.errors import UsageError
from polyframe.core.frames import Frame, columns_of
from polyframe.core.ragged import flatten, list_column, nested_list_column, offsets_of, positions_of
from polyframe.core.settings import Settings
from polyframe.core.tables import CONTOURS, GROUP_KEYS
from polyframe.geometry.engines import engine_named
from polyframe.geometry.exact_contours import ContourLevels


def contours_table(clusters: Clusters, settings: Settings) -> pl.DataFrame:
    """Return the table `contours`: all agreement levels of each cluster above `min_threshold`.

    Parameters
    ----------
    clusters : Clusters
        From `polyframe.consensus.reduce.cluster_marks`.
    settings : Settings
        `contour_method`, `num_grid_points`, `smoothing` and `min_threshold`.
    """
    kept = clusters_above_threshold(clusters, settings)
    polygons, offsets = _members_of(clusters, kept)
    levels = _contour_levels(polygons, offsets, settings)
    coordinates, level = shapely.get_coordinates(levels.polygons, return_index=True)
    rings = offsets_of(np.bincount(level, minlength=len(levels.polygons)))
    # A grid may miss a small cluster: then it has no level, and the outline is empty.
    outlines = np.full(len(kept), shapely.Polygon(), dtype=object)
    with_levels = np.flatnonzero(np.diff(levels.offsets))
    outlines[with_levels] = levels.polygons[levels.offsets[with_levels]]
    contours = cluster_keys(clusters, kept).with_columns(
        pl.Series("number_of_contours", np.diff(levels.offsets)),
        nested_list_column("contours_x", np.ascontiguousarray(coordinates[:, 0]), rings, levels.offsets),
        nested_list_column("contours_y", np.ascontiguousarray(coordinates[:, 1]), rings, levels.offsets),
        list_column("contours_area", shapely.area(levels.polygons), levels.offsets),
        pl.Series("geometry", shapely.to_wkb(outlines).tolist(), pl.Binary),
    )
    return CONTOURS.conform(contours)


def explode_levels(contours: Frame) -> pl.DataFrame:
    """Return one row for each cluster and level, each with its geometry.

    Parameters
    ----------
    contours : frame
        Rows of the table `contours`, in Polars, pandas or Arrow.

    Returns
    -------
    polars.DataFrame
        The group keys, `cluster_label`, `clusters_count`, `consensus`, `level` (i32, from 1), `area` (square
        pixels) and `geometry` (WKB polygon). Clusters without a level have no row.

    Raises
    ------
    UsageError
        If it is not a frame, lacks a column, or the lists of a row have different lengths.
    """
    keys = (*GROUP_KEYS, "cluster_label", "clusters_count", "consensus")
    lists = ("contours_x", "contours_y", "contours_area")
    clusters = columns_of(contours, "contours", CONTOURS.schema, (*keys, *lists))
    _check_lists(clusters)
    levels = (
        clusters.with_columns(
            pl.int_ranges(1, pl.col("contours_area").list.len() + 1, dtype=pl.Int32).alias("level")
        )
        .explode(*lists, "level", empty_as_null=False)
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


def _check_lists(clusters: pl.DataFrame) -> None:
    """Raise a UsageError for the first row whose lists do not describe one ring and area per level."""
    x, y, area = (pl.col(name) for name in ("contours_x", "contours_y", "contours_area"))
    points = [rings.list.eval(pl.element().list.len()) for rings in (x, y)]
    valid = (
        x.list.len().eq_missing(area.list.len())
        & points[0].eq_missing(points[1])
        & points[0].list.min().fill_null(4).ge(4)
    )
    invalid = clusters.select(valid.not_()).to_series().arg_true()
    if len(invalid):
        raise UsageError(
            f"contours: row {invalid[0]} of the frame (from 0) does not have one area and one ring of at "
            "least 4 points for each level"
        )


def _members_of(clusters: Clusters, kept: Ints) -> tuple[NDArray[Any], Ints]:
    """Return the polygons of some clusters, and their offsets by cluster."""
    counts = clusters.counts[kept]
    members = clusters.members[positions_of(clusters.member_offsets[kept], counts)]
    return clusters.marks.polygons[members], offsets_of(counts)


def _contour_levels(polygons: NDArray[Any], offsets: Ints, settings: Settings) -> ContourLevels:
    if settings.contour_method == "raster":
        from polyframe.geometry.raster import cluster_raster_contours

        return cluster_raster_contours(
            polygons, offsets, num_grid_points=settings.num_grid_points, smoothing=settings.smoothing
        )
    return engine_named(settings.engine).contours(polygons, offsets)
