"""Turn the table contours into rows for each of its levels."""

import numpy as np
import polars as pl
import shapely

from polyframe.core.errors import UsageError
from polyframe.core.frames import Frame, columns_of
from polyframe.core.ragged import flatten
from polyframe.core.tables import CONTOURS, GROUP_KEYS


def explode_levels(contours: Frame) -> pl.DataFrame:
    """Return one row for each cluster and level, each with its geometry.

    Parameters
    ----------
    contours : frame
        Rows of the table `contours`, in Polars, pandas or Arrow.

    Returns
    -------
    polars.DataFrame
        The group keys, `cluster_label`, `clusters_count`, `consensus`, `level` (i32, from `contours_level`),
        `area` (square pixels) and `geometry` (WKB polygon). Clusters without a level have no row.

    Raises
    ------
    UsageError
        If it is not a frame, lacks a column, or the lists of a row have different lengths.
    """
    keys = (*GROUP_KEYS, "cluster_label", "clusters_count", "consensus")
    lists = ("contours_x", "contours_y", "contours_area", "contours_level")
    clusters = columns_of(contours, "contours", CONTOURS.schema, (*keys, *lists))
    _check_lists(clusters)
    levels = clusters.explode(*lists, empty_as_null=False).rename({"contours_level": "level"})
    x, offsets = flatten(levels["contours_x"])
    y, _ = flatten(levels["contours_y"])
    rings = np.arange(len(offsets))
    polygons = shapely.from_ragged_array(
        shapely.GeometryType.POLYGON, np.column_stack([x, y]), (offsets, rings)
    )
    return levels.drop("contours_x", "contours_y").select(
        pl.exclude("contours_area", "level"),
        "level",
        pl.col("contours_area").alias("area"),
        pl.Series("geometry", shapely.to_wkb(polygons).tolist(), pl.Binary),
    )


def _check_lists(clusters: pl.DataFrame) -> None:
    """Raise a UsageError for the first row whose lists do not describe one ring and area per level."""
    x, y, area, level = (pl.col(f"contours_{name}") for name in ("x", "y", "area", "level"))
    points = [rings.list.eval(pl.element().list.len()) for rings in (x, y)]
    valid = (
        x.list.len().eq_missing(area.list.len())
        & x.list.len().eq_missing(level.list.len())
        & points[0].eq_missing(points[1])
        & points[0].list.min().fill_null(4).ge(4)
    )
    invalid = clusters.select(valid.not_()).to_series().arg_true()
    if len(invalid):
        raise UsageError(
            f"contours: row {invalid[0]} of the frame (from 0) does not have one area and one ring of at "
            "least 4 points for each level"
        )
