"""Compute the IoU distances of pairs of marks.

The IoU distance, or Jaccard distance, is `1 - area(A and B) / area(A or B)`. The area of the union is
`area(A) + area(B) - area(A and B)`, so each pair needs one intersection area. Every engine has a function for
intersection areas; they agree to 1e-9.

References
----------
P. Jaccard, "Étude comparative de la distribution florale dans une portion des Alpes et des Jura", Bulletin
de la Société vaudoise des sciences naturelles 37 (1901).
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import shapely
from numpy.typing import NDArray

from polyframe.core.arrays import Floats, Ints
from polyframe.geometry.candidate_pairs import box_overlaps
from polyframe.geometry.isolate_failures import apply_isolated

#: A function of `(polygons, left, right)` that returns the intersection area of each pair, float64.
IntersectionAreas = Callable[[NDArray[Any], Ints, Ints], Floats]


class AreaRows(Protocol):
    """The intersection areas of all pairs of some polygons, computed some rows of their matrix at a time."""

    def of_rows(self, start: int, end: int) -> Floats:
        """Return the areas of some rows, (end - start, n) float64; only those above the diagonal count."""


#: Intersections in memory at the same time, each a geometry of hundreds of vertices.
_CHUNK = 8192

#: Pairs that are this many times farther from the origin than they are large would lose too many digits.
_FAR = 1024.0

#: GEOS operations agree to this share of the smaller area, unless one of them fails.
_AGREEMENT = 1e-9

#: Pairs whose boxes and areas are in memory at the same time, about 200 bytes each.
_BLOCK = 1 << 20


def shapely_intersection_areas(polygons: NDArray[Any], left: Ints, right: Ints) -> Floats:
    """Return intersection areas by GEOS overlay: the engine `shapely`.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
    left, right : ndarray of int, shape (p,)
        Positions in `polygons`.

    Returns
    -------
    ndarray of float64, shape (p,)
        0 if a polygon is empty or None. If GEOS cannot intersect a pair, it is tried again after
        `make_valid`; if that fails too, the area is 0 (distance 1). Pairs far from the origin are moved to it
        first, so that the coordinates of crossings keep their digits.
    """
    areas = np.zeros(len(left))
    for start in range(0, len(left), _CHUNK):
        part = slice(start, start + _CHUNK)
        areas[part] = _areas_of(*_near_origin(polygons[left[part]], polygons[right[part]]))
    return areas


def pair_distances(
    polygons: NDArray[Any],
    areas: Floats,
    bounds: Floats,
    left: Ints,
    right: Ints,
    intersection_areas: IntersectionAreas = shapely_intersection_areas,
) -> Floats:
    """Return the IoU distance of each pair.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Valid; None and empty polygons have distance 1 from everything.
    areas : ndarray of float64, shape (n,)
        Their areas.
    bounds : ndarray of float64, shape (n, 4)
        Their boxes, as `shapely.bounds` returns them.
    left, right : ndarray of int, shape (p,)
        The pairs, as positions.
    intersection_areas : callable
        The function of the engine.

    Returns
    -------
    ndarray of float64, shape (p,)
        0..1; 1 if the boxes do not overlap.
    """
    distances = np.empty(len(left))
    for start in range(0, len(left), _BLOCK):
        part = slice(start, start + _BLOCK)
        distances[part] = _pair_distances(
            polygons, areas, bounds, left[part], right[part], intersection_areas
        )
    return distances


def _pair_distances(
    polygons: NDArray[Any],
    areas: Floats,
    bounds: Floats,
    left: Ints,
    right: Ints,
    intersection_areas: IntersectionAreas,
) -> Floats:
    shared = np.zeros(len(left))
    near = np.flatnonzero(box_overlaps(bounds, left, right) > 0)
    shared[near] = intersection_areas(polygons, left[near], right[near])
    return iou_distances(areas[left], areas[right], shared)


def iou_distances(left: Floats, right: Floats, shared: Floats) -> Floats:
    """Return IoU distances by the areas of both polygons and of their intersections; the arrays broadcast."""
    union = left + right - shared
    iou = np.divide(shared, union, out=np.zeros_like(shared), where=shared > 0)
    distances: Floats = np.clip(1.0 - iou, 0.0, 1.0)
    return distances


def _near_origin(one: NDArray[Any], other: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Move pairs that are far from the origin for their size to it; so far away, that is exact."""
    bounds = np.stack([shapely.bounds(one), shapely.bounds(other)])
    low, high = bounds[:, :, :2].min(axis=0), bounds[:, :, 2:].max(axis=0)
    # False if one is empty or None, because its bounds are NaN.
    far = np.flatnonzero(np.maximum(np.abs(low), np.abs(high)).max(axis=1) > _FAR * (high - low).max(axis=1))
    if not len(far):
        return one, other
    moved = []
    for polygons in (one, other):
        here = polygons[far]
        coordinates, owner = shapely.get_coordinates(here, return_index=True)
        shapely.set_coordinates(here, coordinates - low[far][owner])
        polygons = polygons.copy()
        polygons[far] = here
        moved.append(polygons)
    return moved[0], moved[1]


def _areas_of(one: NDArray[Any], other: NDArray[Any]) -> Floats:
    areas = apply_isolated(_overlay_areas, one, other, failed=np.nan)
    failed = np.flatnonzero(np.isnan(areas))
    areas[failed] = apply_isolated(_repaired_areas, one[failed], other[failed], failed=0.0)
    usable: Floats = np.nan_to_num(areas)
    return usable


def _overlay_areas(one: NDArray[Any], other: NDArray[Any]) -> Floats:
    """Return the areas of intersections, checked by what is left of the polygons without them.

    If edges are nearly collinear, the intersection of GEOS may contain an area that is in one polygon only.
    Then the three operations disagree, and the middle one of their areas is taken.
    """
    shared = shapely.area(shapely.intersection(one, other))
    sizes = shapely.area(one), shapely.area(other)
    without_difference = sizes[0] - shapely.area(shapely.difference(one, other))
    without_both = (sizes[0] + sizes[1] - shapely.area(shapely.symmetric_difference(one, other))) / 2
    middle = np.median([shared, without_difference, without_both], axis=0)
    disagree = np.abs(shared - middle) > _AGREEMENT * np.minimum(*sizes)
    shared[disagree] = np.maximum(middle[disagree], 0.0)
    # Shapely returns NaN for None, which is not a failure.
    shared[shapely.is_missing(one) | shapely.is_missing(other)] = 0.0
    return np.asarray(shared, dtype=np.float64)


def _repaired_areas(one: NDArray[Any], other: NDArray[Any]) -> Floats:
    return _overlay_areas(shapely.make_valid(one), shapely.make_valid(other))
