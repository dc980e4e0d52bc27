"""The array layer: NumPy and Shapely arrays in and out; no frames, no files.

========================  ==============================================================================
`one_cluster`             distances, averages and contours of a single cluster: what is exported here; `given`
                          checks what callers pass
`polygons`                drawn paths to polygons: close, repair, keep the largest part
`parts`                   largest part, holes, what counts as an area
`pairs`                   which pairs of marks are worth an intersection
`distances`               IoU distances; where engines are plugged in
`averages`                one polygon for each cluster, and its consensus
`contours`                exact agreement contours: `levels` traced along the arcs of the `arrangement`, and
                          `polygonized` by GEOS where tracing leaves a doubt
`arrangement`             the outlines of clusters as arcs, with the number of marks on either side; `noding`
                          finds where outlines meet
`raster`                  agreement contours from counts on a grid
`engines`                 GEOS or compiled loops: who computes areas, contours and averages
`sweep`                   intersection areas without building an intersection (compiled); `slabs` prepares it
`walk`                    contours by walking along outlines (compiled), proven cluster by cluster; its steps
                          are `outlines`, `crossings`, `ordering`, `arcs`, `touching`, `curves`, `rings`, on
                          the exact signs of `predicates`
========================  ==============================================================================

The functions exported here take one cluster. Those of the modules take all clusters of a partition (flat
arrays sorted by cluster, with offsets).
"""

from polyframe.geometry.polygon_repair import polygons_from_paths
from polyframe.geometry.public import (
    average_intersection,
    average_last,
    average_median,
    average_union,
    consensus,
    contours,
    iou_distance_matrix,
)
from polyframe.geometry.raster import raster_contours

__all__ = [
    "average_intersection",
    "average_last",
    "average_median",
    "average_union",
    "consensus",
    "contours",
    "iou_distance_matrix",
    "polygons_from_paths",
    "raster_contours",
]
