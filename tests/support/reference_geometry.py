"""Call the reference tool's own geometry functions.

Run by a Python in which it is installed, never imported by tests. Reads a JSON list of clusters from standard
input, each `{"x": [...], "y": [...], "volunteers": [...], "created_at": [...], "rasters": [[num_grid_points,
smoothing], ...]}`, and prints a JSON list of the reference tool's results.
"""

import json
import sys

import numpy as np
import shapely
from panoptes_aggregation.reducers import polygon_reducer_utils as reference


def coordinates(polygon):
    return shapely.get_coordinates(polygon.exterior).tolist()


answers = []
for cluster in json.load(sys.stdin):
    marks = [shapely.Polygon(zip(x, y)) for x, y in zip(cluster["x"], cluster["y"])]  # noqa: B905
    data = np.array([{"polygon": mark, "gold_standard": False} for mark in marks])
    pairs = np.array(list(enumerate(cluster["volunteers"])))
    matrix = reference.IoU_distance_matrix_of_cluster(np.full(len(marks), True), pairs, data)
    answer = {
        "matrix": [[None if np.isinf(value) else value for value in row] for row in matrix.tolist()],
        "consensus": 1 - reference.IoU_cluster_mean_distance(matrix.copy()),
        "union": coordinates(reference.cluster_average_union(data)),
        "intersection": coordinates(reference.cluster_average_intersection(data)),
        "median": coordinates(reference.cluster_average_median(data, distance_matrix=matrix.copy())),
        "last": coordinates(reference.cluster_average_last(data, created_at=cluster["created_at"])),
        "contours": [coordinates(level) for level in reference.cluster_average_intersection_contours(data)],
        "rasters": [
            [
                coordinates(level)
                for level in reference.cluster_average_intersection_contours_rasterisation(
                    data, num_grid_points=points, smoothing=smoothing
                )
            ]
            for points, smoothing in cluster["rasters"]
        ],
    }
    answers.append(answer)
print(json.dumps(answers))
