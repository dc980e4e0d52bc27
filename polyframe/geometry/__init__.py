"""The array layer: NumPy and Shapely arrays in and out, no frames, no files."""

from polyframe.geometry.averages import average_intersection, average_last, average_median, average_union
from polyframe.geometry.distances import consensus, iou_distance_matrix
from polyframe.geometry.polygons import polygons_from_paths

__all__ = [
    "average_intersection",
    "average_last",
    "average_median",
    "average_union",
    "consensus",
    "iou_distance_matrix",
    "polygons_from_paths",
]
