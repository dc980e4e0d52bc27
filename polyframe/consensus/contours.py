"""Compute the agreement contours of clusters: the table contours."""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyframe.consensus.group_clusters import Clusters
from polyframe.consensus.reduce import cluster_keys, clusters_above_threshold
from polyframe.core.arrays import Ints
from polyframe.core.plurals import agreeing, counted
from polyframe.core.ragged import (
    binary_column,
    list_column,
    nested_list_column,
    offsets_of,
    positions_of,
)
from polyframe.core.settings import Settings
from polyframe.core.tables import CONTOURS
from polyframe.core.task_reports import begin_step
from polyframe.geometry.engines import KnownCrossings, engine_named
from polyframe.geometry.level_rings import LevelRings, rings_from_polygons
from polyframe.geometry.wkb import rings_to_wkb


def contours_table(clusters: Clusters, settings: Settings) -> pl.DataFrame:
    """Return the table `contours`: the agreement levels of each cluster above `min_threshold`.

    Parameters
    ----------
    clusters : Clusters
        From `polyframe.consensus.reduce.cluster_marks`.
    settings : Settings
        `contour_method`, `num_grid_points`, `smoothing`, `max_levels` and `min_threshold`.
    """
    kept = clusters_above_threshold(clusters, settings)
    members, offsets = _members_of(clusters, kept)
    known = None if clusters.crossings is None else (clusters.crossings, members)
    begin_step("contours", len(kept))
    rings = _contour_rings(clusters.marks.polygons[members], offsets, settings, known)
    contours = cluster_keys(clusters, kept).with_columns(
        pl.Series("number_of_contours", rings.available),
        nested_list_column("contours_x", rings.x, rings.ring_offsets, rings.offsets),
        nested_list_column("contours_y", rings.y, rings.ring_offsets, rings.offsets),
        list_column("contours_area", rings.areas, rings.offsets),
        list_column("contours_level", rings.levels, rings.offsets),
        binary_column("geometry", *_first_levels_as_wkb(rings)),
    )
    return CONTOURS.conform(contours)


def clusters_thinned(contours: pl.DataFrame, settings: Settings) -> int:
    """Count the clusters of the table `contours` that have more levels than `max_levels`."""
    return int((contours["number_of_contours"].to_numpy() > settings.max_levels).sum())


def thinned_notes(thinned: int, clusters: int, max_levels: int) -> tuple[str, ...]:
    """Return a note if not all levels were written.

    Parameters
    ----------
    thinned, clusters : int
        Clusters with more levels than `max_levels`, and all clusters.
    max_levels : int
    """
    if not thinned:
        return ()
    return (
        f"{thinned} of {counted(clusters, 'cluster')} {agreeing(thinned, 'have more than')} "
        f"{counted(max_levels, 'level')}; evenly spaced ones were written, see contours_level; --max-levels "
        "writes more",
    )


def _members_of(clusters: Clusters, kept: Ints) -> tuple[Ints, Ints]:
    """Return the positions of the marks of some clusters, and their offsets by cluster."""
    counts = clusters.counts[kept]
    members = clusters.members[positions_of(clusters.member_offsets[kept], counts)]
    return members, offsets_of(counts)


def _contour_rings(
    polygons: NDArray[Any], offsets: Ints, settings: Settings, known: KnownCrossings | None
) -> LevelRings:
    if settings.contour_method == "raster":
        from polyframe.geometry.raster import cluster_raster_contours

        levels = cluster_raster_contours(
            polygons, offsets, num_grid_points=settings.num_grid_points, smoothing=settings.smoothing
        )
        return rings_from_polygons(levels.polygons, levels.offsets, settings.max_levels)
    return engine_named(settings.engine).contour_rings(polygons, offsets, settings.max_levels, known)


def _first_levels_as_wkb(rings: LevelRings) -> tuple[NDArray[np.uint8], Ints]:
    """Return level 1 of each cluster; an empty polygon without levels, if a grid misses the cluster."""
    has_levels = np.diff(rings.offsets) > 0
    first = rings.offsets[:-1][has_levels]
    sizes = np.zeros(len(has_levels), np.int64)
    sizes[has_levels] = np.diff(rings.ring_offsets)[first]
    points = positions_of(rings.ring_offsets[first], sizes[has_levels])
    return rings_to_wkb(rings.x[points], rings.y[points], offsets_of(sizes))
