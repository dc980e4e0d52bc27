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
from polyframe.geometry.parts import fill_holes, largest_parts
from polyframe.geometry.polygonized import largest_with_area

#: A point nearer to its face's outline than this share of the face's width is not trusted.
_CLOSE = 0.05


def counted_levels(polygons: NDArray[Any], weights: NDArray[np.int64] | None = None) -> NDArray[Any]:
    """Return the largest part of every level of one cluster.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Valid and not empty.
    weights : ndarray of int64, shape (n,), optional
        How many marks each polygon stands for; 1 where not given.

    Returns
    -------
    ndarray of shapely.Polygon, shape (k,)
        Level 1 first, holes included. What GEOS refuses is tried again on a grid of 1e-9 of the extent; where
        that fails too there are no levels.
    """
    extent = float(np.ptp(shapely.total_bounds(polygons).reshape(2, 2), axis=0).max())
    for grid in (0.0, 1e-9 * extent):
        try:
            return _counted_levels(shapely.set_precision(polygons, grid) if grid else polygons, weights)
        except GEOMETRY_ERRORS:
            continue
    return np.empty(0, dtype=object)


def part_of_rings(rings: shapely.Polygon) -> shapely.Polygon | None:
    """Return the largest part of the region that an odd number of rings surround, its holes filled.

    Parameters
    ----------
    rings : shapely.Polygon
        Any rings, as exterior and interiors: they may meet, and lie anywhere.

    Returns
    -------
    shapely.Polygon or None
        Anticlockwise from its leftmost vertex; empty where no part has an area, None where GEOS refuses.
    """
    try:
        outlines = shapely.get_rings(rings)
        faces = shapely.get_parts(shapely.polygonize([shapely.union_all(outlines)]))
        _, face = shapely.STRtree(_points_inside(faces)).query(
            shapely.polygons(outlines), predicate="contains"
        )
        odd = np.bincount(face, minlength=len(faces)) % 2 == 1
        parts = shapely.get_parts(shapely.coverage_union_all(faces[odd]))
    except GEOMETRY_ERRORS:
        return None
    largest, _ = largest_with_area(parts, np.zeros(len(parts), dtype=np.int64))
    if not len(largest):
        return shapely.Polygon()
    return shapely.orient_polygons(shapely.normalize(fill_holes(largest)))[0]


def _counted_levels(polygons: NDArray[Any], weights: NDArray[np.int64] | None) -> NDArray[Any]:
    noded = shapely.union_all(shapely.boundary(polygons))
    faces = shapely.get_parts(shapely.polygonize([noded]))
    inside = _points_inside(faces)
    mark, face = shapely.STRtree(inside).query(polygons, predicate="contains")
    weight = None if weights is None else weights[mark]
    depth = np.bincount(face, weights=weight, minlength=len(faces)).astype(np.int64)

    levels = []
    level = shapely.MultiPolygon()
    for k in range(depth.max(initial=0), 0, -1):
        if np.any(depth == k):
            level = shapely.coverage_union_all([*shapely.get_parts(level), *faces[depth == k]])
        levels.append(level)
    return largest_parts(np.array(levels[::-1], dtype=object))


def _points_inside(faces: NDArray[Any]) -> NDArray[Any]:
    """Return a point of each face that is as far from its outline as the face is wide, roughly."""
    inside: NDArray[Any] = shapely.point_on_surface(faces)
    width = shapely.area(faces) / shapely.length(faces)
    # Where the face is thinner than rounding, another outline may lie between the point and the face's own.
    close = np.flatnonzero(shapely.distance(inside, shapely.boundary(faces)) < _CLOSE * width)
    circles = shapely.maximum_inscribed_circle(faces[close], width[close] / 4)
    inside[close] = shapely.get_point(circles, 0)
    return inside
