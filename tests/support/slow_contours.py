"""Compute contours in slow and simple ways, for tests to compare with."""

import itertools

import numpy as np
import shapely

from polyframe.geometry.polygon_parts import fill_holes, largest_parts


def counted_levels(polygons):
    """Return the largest part of every level of one cluster, holes included, by counting faces.

    The outlines are noded and polygonized, and the marks that contain a point inside each face are counted.
    From the deepest level outwards, each level is the coverage union of the level before and the faces of its
    depth.
    """
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


def areas_by_subsets(marks):
    """Return the area of each level k: the union, over all k-subsets of the marks, of their intersections."""
    areas = []
    for k in range(1, len(marks) + 1):
        common = [shapely.intersection_all(subset) for subset in itertools.combinations(marks, k)]
        level = largest_parts(np.array([shapely.union_all(common)], dtype=object))
        areas.append(fill_holes(level)[0].area)
    return [area for area in areas if area > 1e-12]


def lines_of(arrangement):
    """Return the arcs of an arrangement as lines."""
    points = np.split(arrangement.coordinates, arrangement.offsets[1:-1])
    return np.array([shapely.LineString(line) for line in points], dtype=object)
