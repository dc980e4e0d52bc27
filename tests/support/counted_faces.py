"""Contours by counting faces: slow and plain, for the tests to compare with.

The outlines are noded and polygonized; for a point inside each face the marks that contain it are counted;
then, from the deepest level outwards, each level is the coverage union of the level before and the faces of
exactly that depth.
"""

import numpy as np
import shapely

from polyframe.geometry.polygon_parts import largest_parts


def counted_levels(polygons):
    """Return the largest part of every level of one cluster, holes included."""
    faces = shapely.get_parts(shapely.polygonize([shapely.union_all(shapely.boundary(polygons))]))
    points = shapely.STRtree(shapely.point_on_surface(faces))
    face = points.query(polygons, predicate="contains")[1]
    depth = np.bincount(face, minlength=len(faces))
    levels = []
    level = shapely.MultiPolygon()
    for k in range(depth.max(initial=0), 0, -1):
        if np.any(depth == k):
            level = shapely.coverage_union_all([*shapely.get_parts(level), *faces[depth == k]])
        levels.append(level)
    return largest_parts(np.array(levels[::-1], dtype=object))


def lines_of(arrangement):
    """Return the arcs of an arrangement as lines."""
    points = np.split(arrangement.coordinates, arrangement.offsets[1:-1])
    return np.array([shapely.LineString(line) for line in points], dtype=object)
