"""The parts of a geometry: the largest polygon among them, without its holes, and whether it has an area."""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Floats, Ints

#: Areas thinner than this many rounding steps of the coordinates are rounding, not drawing.
_ROUNDING_STEPS = 8

#: How far an outline that rounding makes cross itself is moved, as a fraction of its largest coordinate.
_ASIDE = 2.0**-50

#: Areas closer than this fraction are a tie, so that rounding does not choose the larger one.
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
        By area, holes excluded; the first on ties. An empty polygon where there is no polygon in it, for
        None too.
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
    """Return the largest part of each owner, holes excluded: the leftmost on ties (areas within 1e-12).

    Parameters
    ----------
    parts : ndarray of shapely.Polygon, shape (p,)
    owner : ndarray of int64, shape (p,)

    Returns
    -------
    parts : ndarray of shapely.Polygon, shape (q,)
    owner : ndarray of int64, shape (q,)
        Ascending; those without a part that has an area are left out.
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


def with_valid_outlines(polygons: NDArray[Any]) -> NDArray[Any]:
    """Return polygons whose outlines do not touch or cross themselves by rounding.

    Where a part hangs together by a neck thinner than rounding, or a gap is that thin, the outline runs over
    itself once its points are rounded. It is drawn a few rounding steps farther out, or else farther in.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Without holes.

    Returns
    -------
    ndarray of shapely.Polygon, shape (n,)
        What is valid as it is, and what cannot be mended so, stays as it is.
    """
    mended: NDArray[Any] = polygons.copy()
    for place in np.flatnonzero(~shapely.is_valid(polygons)):
        outline = polygons[place]
        aside = _ASIDE * np.abs(outline.bounds).max()
        for farther in (aside, -aside):
            with np.errstate(all="ignore"):  # at such distances GEOS divides by lengths of 0
                other = shapely.buffer(shapely.make_valid(outline), farther, join_style="mitre")
            is_alike = other.geom_type == "Polygon" and not len(other.interiors) and other.is_valid
            if is_alike and abs(other.area - outline.area) <= 2 * aside * outline.length:
                mended[place] = shapely.orient_polygons(shapely.normalize(other))
                break
    return mended


def rounding_areas(geometries: NDArray[Any]) -> Floats:
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


def have_area(geometries: NDArray[Any]) -> Flags:
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
