"""Agreement contours from counted faces: slow and plain, the way out where the arrangement's checks fail.

The outlines are noded and polygonized; for a point inside each face the marks that contain it are counted;
then, from the deepest level outwards, each level is the coverage union of the level before and the faces of
exactly that depth.
"""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from polyframe.geometry._isolation import GEOMETRY_ERRORS
from polyframe.geometry.parts import largest_parts


def counted_levels(polygons: NDArray[Any]) -> NDArray[Any]:
    """Return the largest part of every level of one cluster.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Valid and not empty.

    Returns
    -------
    ndarray of shapely.Polygon, shape (k,)
        Level 1 first, holes included. What GEOS refuses is tried again on a grid of 1e-9 of the extent; where
        that fails too there are no levels.
    """
    extent = float(np.ptp(shapely.total_bounds(polygons).reshape(2, 2), axis=0).max())
    for grid in (0.0, 1e-9 * extent):
        try:
            return _counted_levels(shapely.set_precision(polygons, grid) if grid else polygons)
        except GEOMETRY_ERRORS:
            continue
    return np.empty(0, dtype=object)


def _counted_levels(polygons: NDArray[Any]) -> NDArray[Any]:
    noded = shapely.union_all(shapely.boundary(polygons))
    faces = shapely.get_parts(shapely.polygonize([noded]))
    # About the point farthest from the outlines: any other may lie where a face is thinner than rounding.
    half_as_wide = shapely.area(faces) / shapely.length(faces)
    inside = shapely.get_point(shapely.maximum_inscribed_circle(faces, half_as_wide / 4), 0)
    _, face = shapely.STRtree(inside).query(polygons, predicate="contains")
    depth = np.bincount(face, minlength=len(faces))

    levels = []
    level = shapely.MultiPolygon()
    for k in range(depth.max(initial=0), 0, -1):
        level = shapely.coverage_union_all([*shapely.get_parts(level), *faces[depth == k]])
        levels.append(level)
    return largest_parts(np.array(levels[::-1], dtype=object))
