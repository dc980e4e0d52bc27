"""The array layer: NumPy and Shapely arrays in and out; no frames, no files.

========================  ==============================================================================
`polygons`                drawn paths to polygons: close, repair, keep the largest part
`parts`                   largest part, holes, what counts as an area
`pairs`                   which pairs of marks are worth an intersection
`distances`               IoU distances, distance matrix, consensus; where engines are plugged in
`averages`                one polygon for a cluster, and the consensus of many clusters at once
`contours`                exact agreement contours: `levels` traced along the arcs of the `arrangement`, and
                          `polygonized` by GEOS where tracing leaves a doubt
`arrangement`             the outlines of clusters as noded arcs, with the number of marks on either side;
                          `shared` finds how many outlines run along an arc
`faces`                   agreement contours by counting faces: the way out where a check fails
`raster`                  agreement contours from counts on a grid
`engines`                 GEOS or compiled loops: who computes areas, contours and averages
`sweep`                   intersection areas without building an intersection (compiled); `slabs` prepares it
`walk`                    contours by walking along outlines (compiled), proven cluster by cluster; its steps
                          are `outlines`, `crossings`, `ordering`, `arcs`, `touching`, `curves`, `rings`, on
                          the exact signs of `predicates`
========================  ==============================================================================

The functions named here take one cluster. Their siblings that take all clusters of a partition (flat arrays
sorted by cluster, with offsets) stand beside them in the modules.
"""

from polyframe.geometry.averages import average_intersection, average_last, average_median, average_union
from polyframe.geometry.contours import contours
from polyframe.geometry.distances import consensus, iou_distance_matrix
from polyframe.geometry.polygons import polygons_from_paths
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
