"""Compute polygons, distances, averages and contours of marks, as NumPy and Shapely arrays.

Nothing here knows of frames or files. The functions that are exported here work on one cluster. Those of the
modules work on all clusters of a partition at once, as flat arrays sorted by cluster, with offsets.

==========================  ============================================================================
`single_cluster`            functions for one cluster; `input_checks` checks their input
`polygon_repair`            paths to valid polygons; `self_intersections` refuses what takes minutes to repair
`polygon_parts`             largest part of a geometry, holes, what counts as an area
`candidate_pairs`           pairs of marks that may be neighbours; `distances` computes their IoU distances
`averages`                  one polygon per cluster, and its consensus
`majority`                  areas of majority regions as sums over `memberships`; their outlines are those of
                            `majority_outlines`
`exact_contours`            agreement contours on a planar arrangement: `segment_intersections` finds where
                            outlines meet, `noding` cuts them into arcs, `arrangement` computes depths,
                            `level_tracing` and `level_polygonizing` give the largest part of each level
`memberships`               the area that exactly some marks of a cluster cover: `membership_arcs` adds up
                            arcs between events, which `mark_crossings` or `recorded_crossings` finds
`majority`                  majority regions, and the IoU of marks with them, from memberships
`raster`                    agreement contours from counts on a grid
`level_rings`               contour levels as flat rings, without polygons; `level_selection` chooses some
`duplicate_outlines`        equal outlines in a cluster, counted instead of processed one by one
`engines`                   GEOS or compiled: which functions compute areas, contours and averages
`compiled`                  loops for numba: `intersection_areas` by plane sweep over a `slab_decomposition`;
                            `depth_walk` for contours, in steps: `outlines`, `crossings`, `event_order`,
                            `arcs`, `degeneracies`, `level_curves`, `weighted_level`, `rings`, on exact
                            `predicates`; `group_crossings` finds crossings once for areas and contours,
                            and for memberships, which `membership_sums` adds up
==========================  ============================================================================
"""

from polyframe.geometry.polygon_repair import polygons_from_paths
from polyframe.geometry.raster import raster_contours
from polyframe.geometry.single_cluster import (
    average_intersection,
    average_last,
    average_majority,
    average_median,
    average_union,
    consensus,
    contours,
    iou_distance_matrix,
)

__all__ = [
    "average_intersection",
    "average_last",
    "average_majority",
    "average_median",
    "average_union",
    "consensus",
    "contours",
    "iou_distance_matrix",
    "polygons_from_paths",
    "raster_contours",
]


def __dir__() -> list[str]:
    return sorted(__all__)
