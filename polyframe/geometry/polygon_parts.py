"""Take geometries apart: their largest polygon, its rings, its holes, and whether it has an area."""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import offsets_of

#: Areas thinner than so many rounding steps (units in the last place) of the coordinates are rounding errors.
_ROUNDING_STEPS = 8

#: How far to buffer an outline that crosses itself by rounding, as a fraction of its largest coordinate.
_BUFFER = 2.0**-50

#: Areas that differ by less than this fraction are tied, so that rounding does not decide which is larger.
TIE = 1e-12


def largest_parts(geometries: NDArray[Any]) -> NDArray[Any]:
    """Return the largest polygon of each geometry.

    Parameters
    ----------
    geometries : ndarray of shapely geometries, shape (n,)
        Of any type, nested collections included.

    Returns
    -------
    ndarray of shapely.Polygon, shape (n,)
        By area, holes excluded; the first on ties. An empty polygon for None, and if there are no polygons.
    """
    geometries = np.asarray(geometries, dtype=object)
    largest = geometries.copy()
    others = np.flatnonzero(shapely.get_type_id(geometries) != shapely.GeometryType.POLYGON)
    if not len(others):
        return largest
    largest[others] = shapely.Polygon()
    parts, owners = extract_polygons(geometries[others])
    order = np.lexsort((-shapely.area(parts), owners))  # stable: the first stays first on ties
    with_parts, first = np.unique(owners[order], return_index=True)
    largest[others[with_parts]] = parts[order[first]]
    return largest


def largest_with_area(parts: NDArray[Any], owner: Ints) -> tuple[NDArray[Any], Ints]:
    """Return the largest part of each owner, by area without holes: the leftmost on ties (within 1e-12).

    Parameters
    ----------
    parts : ndarray of shapely.Polygon, shape (p,)
    owner : ndarray of int64, shape (p,)

    Returns
    -------
    parts : ndarray of shapely.Polygon, shape (q,)
    owner : ndarray of int64, shape (q,)
        Ascending; without the owners of which no part has an area.
    """
    solid = have_area(parts)
    parts, owner = parts[solid], owner[solid]
    areas = shapely.area(parts)
    most = np.zeros(int(owner.max(initial=-1)) + 1)
    np.maximum.at(most, owner, areas)
    smaller = areas < (1 - TIE) * most[owner]
    leftmost, lowest = shapely.bounds(parts)[:, :2].T
    order = np.lexsort((lowest, leftmost, smaller, owner))
    largest = order[np.diff(owner[order], prepend=-1) != 0]
    return parts[largest], owner[largest]


def extract_polygons(geometries: NDArray[Any]) -> tuple[NDArray[Any], Ints]:
    """Return the polygons in geometries.

    Parameters
    ----------
    geometries : ndarray of shapely geometries, shape (n,)
        Of any type, nested collections included; None has no parts.

    Returns
    -------
    parts : ndarray of shapely.Polygon, shape (p,)
    owners : ndarray of int64, shape (p,)
        The geometry that each belongs to, ascending.
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
        Empty polygons and None are unchanged.

    Returns
    -------
    ndarray of shapely.Polygon, shape (n,)
    """
    filled = np.asarray(polygons, dtype=object).copy()
    holed = shapely.get_num_interior_rings(filled) > 0
    filled[holed] = shapely.polygons(shapely.get_exterior_ring(filled[holed]))
    return filled


def with_valid_outlines(polygons: NDArray[Any]) -> NDArray[Any]:
    """Return polygons whose outlines do not touch or cross themselves by rounding.

    If a polygon has a neck or a gap that is thinner than the rounding of coordinates, its outline crosses
    itself. Such an outline is buffered by a few rounding steps, outwards or, if that fails, inwards. If both
    fail, the largest part remains, holes filled.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Without holes.

    Returns
    -------
    ndarray of shapely.Polygon, shape (n,)
        Polygons that are valid, or have no area, are unchanged.
    """
    repaired: NDArray[Any] = polygons.copy()
    for place in np.flatnonzero(~shapely.is_valid(polygons)):
        outline = polygons[place]
        valid, distance = shapely.make_valid(outline), _BUFFER * np.abs(outline.bounds).max()
        for signed in (distance, -distance):
            with np.errstate(all="ignore"):  # at such distances GEOS divides by lengths of 0
                other = shapely.buffer(valid, signed, join_style="mitre")
            is_alike = other.geom_type == "Polygon" and not len(other.interiors) and other.is_valid
            if is_alike and abs(other.area - outline.area) <= 2 * distance * outline.length:
                repaired[place] = shapely.orient_polygons(shapely.normalize(other))
                break
        else:
            (largest,) = fill_holes(largest_parts(np.array([valid], dtype=object)))
            if not largest.is_empty:
                repaired[place] = shapely.orient_polygons(shapely.normalize(largest))
    return repaired


def rounding_areas(geometries: NDArray[Any]) -> Floats:
    """Return the area that rounded coordinates alone can cause along each geometry's boundary.

    In floating point, points on a slanted line are hardly ever exactly on it, so "no area" cannot mean 0.

    Parameters
    ----------
    geometries : ndarray of shapely geometries, shape (n,)

    Returns
    -------
    ndarray of float64, shape (n,)
        The length of the boundary times a few rounding steps of the largest coordinate; 0 for empty or None.
    """
    largest = np.nan_to_num(np.abs(shapely.bounds(geometries)).max(axis=-1, initial=0.0))
    lengths = np.nan_to_num(shapely.length(geometries))
    return np.asarray(_ROUNDING_STEPS * np.spacing(largest) * lengths, dtype=np.float64)


def have_area(geometries: NDArray[Any]) -> Flags:
    """Return which geometries have an area beyond the rounding of their coordinates.

    Parameters
    ----------
    geometries : ndarray of shapely geometries, shape (n,)

    Returns
    -------
    ndarray of bool, shape (n,)
        False for empty, None and non-polygonal geometries.
    """
    return np.asarray(np.nan_to_num(shapely.area(geometries)) > rounding_areas(geometries))


def flat_rings(polygons: NDArray[Any]) -> tuple[Floats, Ints, Ints]:
    """Return the rings of polygons as flat arrays.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Other, missing and empty geometries have no rings.

    Returns
    -------
    coordinates : ndarray of float64, shape (v, 2)
        The vertices; the last one of each ring repeats its first.
    ring_offsets : ndarray of int64, shape (r + 1,)
        The offset of each ring in `coordinates`.
    polygon_rings : ndarray of int64, shape (n + 1,)
        The first ring of each polygon, which is its exterior.
    """
    if np.all(shapely.get_type_id(polygons) == shapely.GeometryType.POLYGON):
        coordinates, owner = shapely.get_coordinates(polygons, return_index=True)
        sizes = np.bincount(owner, minlength=len(polygons))
        if np.all(sizes) and not np.any(shapely.get_num_interior_rings(polygons)):
            # Without a geometry for each ring, which takes several times longer.
            return coordinates, offsets_of(sizes), np.arange(len(polygons) + 1)
    rings, owner = shapely.get_rings(polygons, return_index=True)
    return (
        shapely.get_coordinates(rings),
        offsets_of(shapely.get_num_coordinates(rings)),
        np.searchsorted(owner, np.arange(len(polygons) + 1)),
    )
