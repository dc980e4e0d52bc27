"""The parts of a geometry: the largest polygon among them, without its holes, and whether it has an area."""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

#: Areas thinner than this many rounding steps of the coordinates are rounding, not drawing.
_ROUNDING_STEPS = 8


def largest_parts(geometries: NDArray[Any]) -> NDArray[Any]:
    """Return the largest polygon of each geometry.

    Parameters
    ----------
    geometries : ndarray of shapely geometries, shape (n,)
        Of any type, nested collections included.

    Returns
    -------
    ndarray of shapely.Polygon, shape (n,)
        By area, holes excluded; the first on ties. An empty polygon where there is no polygon in it, for
        None too.
    """
    geometries = np.asarray(geometries, dtype=object)
    largest = geometries.copy()
    others = np.flatnonzero(shapely.get_type_id(geometries) != shapely.GeometryType.POLYGON)
    if not len(others):
        return largest
    largest[others] = shapely.Polygon()
    parts, owners = polygons_of(geometries[others])
    order = np.lexsort((-shapely.area(parts), owners))  # stable: the first stays first on ties
    with_parts, first = np.unique(owners[order], return_index=True)
    largest[others[with_parts]] = parts[order[first]]
    return largest


def polygons_of(geometries: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the polygons that geometries consist of.

    Parameters
    ----------
    geometries : ndarray of shapely geometries, shape (n,)
        Of any type, nested collections included; None has no parts.

    Returns
    -------
    parts : ndarray of shapely.Polygon, shape (p,)
    owners : ndarray of int64, shape (p,)
        Which geometry each belongs to, ascending.
    """
    parts, owners = shapely.get_parts(geometries, return_index=True)
    while np.any(shapely.get_type_id(parts) > shapely.GeometryType.POLYGON):
        parts, inner = shapely.get_parts(parts, return_index=True)
        owners = owners[inner]
    is_polygon = shapely.get_type_id(parts) == shapely.GeometryType.POLYGON
    return parts[is_polygon], owners[is_polygon]


def fill_holes(polygons: NDArray[Any]) -> NDArray[Any]:
    """Return the polygons without their interior rings.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Empty polygons and None stay as they are.

    Returns
    -------
    ndarray of shapely.Polygon, shape (n,)
    """
    filled = np.asarray(polygons, dtype=object).copy()
    holed = shapely.get_num_interior_rings(filled) > 0
    filled[holed] = shapely.polygons(shapely.get_exterior_ring(filled[holed]))
    return filled


def rounding_areas(geometries: NDArray[Any]) -> NDArray[np.float64]:
    """Return the area that the rounding of coordinates alone can make along each geometry's boundary.

    Points on a slanted line are hardly ever exactly on it in floating point, so "no area" cannot mean 0.

    Parameters
    ----------
    geometries : ndarray of shapely geometries, shape (n,)

    Returns
    -------
    ndarray of float64, shape (n,)
        Length of the boundary times a few rounding steps of the largest coordinate; 0 for empty or None.
    """
    largest = np.nan_to_num(np.abs(shapely.bounds(geometries)).max(axis=-1, initial=0.0))
    lengths = np.nan_to_num(shapely.length(geometries))
    return np.asarray(_ROUNDING_STEPS * np.spacing(largest) * lengths, dtype=np.float64)


def have_area(geometries: NDArray[Any]) -> NDArray[np.bool_]:
    """Say which geometries have an area beyond the rounding of their coordinates.

    Parameters
    ----------
    geometries : ndarray of shapely geometries, shape (n,)

    Returns
    -------
    ndarray of bool, shape (n,)
        False for empty, None and non-polygonal geometries.
    """
    return np.asarray(np.nan_to_num(shapely.area(geometries)) > rounding_areas(geometries))
