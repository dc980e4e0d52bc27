"""IoU distances between marks, and the consensus of a cluster made from them.

The IoU distance is `1 - area(A and B) / area(A or B)`, the Jaccard distance (P. Jaccard, 1901). The area of
the union is `area(A) + area(B) - area(A and B)`, so each pair needs one intersection. An *engine* is a
function from polygons and pairs to intersection areas; all engines agree to 1e-9.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from polyframe.geometry._isolation import apply_isolated
from polyframe.geometry.pairs import all_pairs, box_overlaps
from polyframe.geometry.parts import polygon_array

#: `(polygons, left, right)` to the intersection area of each pair, float64.
IntersectionAreas = Callable[[NDArray[Any], NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]

#: How far the numbers of a matrix that somebody else computed may be off.
_ROUNDING = 1e-9

#: Intersections that exist at the same time; each is a geometry of hundreds of vertices until it is measured.
_CHUNK = 8192

#: Pairs whose boxes and areas are looked up at the same time, about 200 bytes each.
_BLOCK = 1 << 20


def shapely_intersection_areas(
    polygons: NDArray[Any], left: NDArray[np.int64], right: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return intersection areas by GEOS overlay: the engine `shapely`.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
    left, right : ndarray of int, shape (p,)
        Positions in `polygons`.

    Returns
    -------
    ndarray of float64, shape (p,)
        0 where a polygon is empty or None. A pair that GEOS cannot intersect is tried again after
        `make_valid`; where that fails too, its area is 0 (distance 1).
    """
    areas = np.zeros(len(left))
    for start in range(0, len(left), _CHUNK):
        part = slice(start, start + _CHUNK)
        areas[part] = _areas_of(polygons[left[part]], polygons[right[part]])
    return areas


def pair_distances(
    polygons: NDArray[Any],
    areas: NDArray[np.float64],
    bounds: NDArray[np.float64],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    intersection_areas: IntersectionAreas = shapely_intersection_areas,
) -> NDArray[np.float64]:
    """Return the IoU distance of each pair.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Valid; None and empty polygons have distance 1 from everything.
    areas : ndarray of float64, shape (n,)
        Their areas.
    bounds : ndarray of float64, shape (n, 4)
        Their boxes, as `shapely.bounds` gives them.
    left, right : ndarray of int, shape (p,)
        The pairs, as positions.
    intersection_areas : callable
        The engine.

    Returns
    -------
    ndarray of float64, shape (p,)
        0..1; 1 where the boxes do not overlap.
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
    areas: NDArray[np.float64],
    bounds: NDArray[np.float64],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    intersection_areas: IntersectionAreas,
) -> NDArray[np.float64]:
    shared = np.zeros(len(left))
    near = np.flatnonzero(box_overlaps(bounds, left, right) > 0)
    shared[near] = intersection_areas(polygons, left[near], right[near])
    union = areas[left] + areas[right] - shared
    iou = np.divide(shared, union, out=np.zeros_like(shared), where=shared > 0)
    return np.clip(1.0 - iou, 0.0, 1.0)


def iou_distance_matrix(
    polygons: Iterable[shapely.Polygon | None], volunteers: Iterable[Any] | None = None
) -> NDArray[np.float64]:
    """Return the IoU distances of all pairs of polygons.

    Parameters
    ----------
    polygons : iterable of n shapely.Polygon
        Valid. None and empty polygons have distance 1 from every other.
    volunteers : iterable of n names or numbers, optional
        Who drew them. Marks of the same volunteer have distance infinity: nobody can agree with themself.
        None and NaN stand for somebody else each time.

    Returns
    -------
    ndarray of float64, shape (n, n)
        Symmetric, 0 on the diagonal.

    Raises
    ------
    ValueError
        Where `volunteers` has another length than `polygons`.
    """
    marks = polygon_array(polygons)
    count = len(marks)
    left, right = all_pairs([0, count])
    distances = pair_distances(
        marks, np.nan_to_num(shapely.area(marks)), shapely.bounds(marks).reshape(-1, 4), left, right
    )
    if volunteers is not None:
        numbers = _numbered(volunteers)
        if len(numbers) != count:
            raise ValueError(f"{count} polygons, but {len(numbers)} volunteers")
        distances[numbers[left] == numbers[right]] = np.inf
    matrix = np.zeros((count, count))
    matrix[left, right] = distances
    matrix[right, left] = distances
    return matrix


def consensus(matrix: ArrayLike | Iterable[ArrayLike]) -> float:
    """Return how far the marks of a cluster agree: 1 - mean IoU distance of its pairs.

    Parameters
    ----------
    matrix : array_like of float, shape (n, n), or iterable of its rows
        IoU distances, as `iou_distance_matrix` gives them. Infinite distances count as 1.

    Returns
    -------
    float
        0..1; 1.0 for a cluster of one.

    Raises
    ------
    ValueError
        Where the matrix is empty, not square, not symmetric or not 0 on its diagonal, or holds anything but
        0..1 and infinity.
    """
    distances = checked_matrix(matrix)
    if len(distances) == 1:
        return 1.0
    return float(1.0 - np.mean(distances[np.triu_indices(len(distances), 1)]))


def checked_matrix(matrix: ArrayLike | Iterable[ArrayLike]) -> NDArray[np.float64]:
    """Return a copy of a distance matrix with infinite distances as 1.

    Parameters
    ----------
    matrix : array_like of float, shape (n, n), or iterable of its rows

    Returns
    -------
    ndarray of float64, shape (n, n)

    Raises
    ------
    ValueError
        Where the matrix is empty, not square, not symmetric or not 0 on its diagonal, or holds anything but
        0..1 and infinity.
    """
    distances = np.array(list(matrix) if isinstance(matrix, Iterator) else matrix, dtype=np.float64)
    if distances.ndim != 2 or distances.shape[0] != distances.shape[1] or not len(distances):
        raise ValueError(f"a distance matrix is square and not empty; this one has shape {distances.shape}")
    distances[np.isposinf(distances)] = 1.0
    if not np.allclose(distances, distances.T, rtol=0, atol=_ROUNDING):
        raise ValueError("a distance matrix is symmetric, and holds no NaN")
    if np.any(np.abs(np.diagonal(distances)) > _ROUNDING):
        raise ValueError("a distance matrix has 0 on its diagonal")
    strange = distances[(distances < -_ROUNDING) | (distances > 1 + _ROUNDING)]
    if len(strange):
        raise ValueError(f"a distance matrix holds 0 to 1 and infinity; this one holds {strange[0]}")
    return np.clip(distances, 0.0, 1.0)


def _numbered(volunteers: Iterable[Any]) -> NDArray[np.int64]:
    """Give equal names equal numbers; None and NaN, which is not equal to itself, a new one each time."""
    known: dict[Any, int] = {}
    numbers = []
    for position, name in enumerate(volunteers):
        is_known = name is not None and name == name
        numbers.append(known.setdefault(name, position) if is_known else position)
    return np.array(numbers, dtype=np.int64)


def _areas_of(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    areas = apply_isolated(_overlay_areas, one, other, failed=np.nan)
    failed = np.flatnonzero(np.isnan(areas))
    areas[failed] = apply_isolated(_repaired_areas, one[failed], other[failed], failed=0.0)
    usable: NDArray[np.float64] = np.nan_to_num(areas)
    return usable


def _overlay_areas(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    shared = shapely.area(shapely.intersection(one, other))
    # Shapely answers NaN for None; that is no failure.
    shared[shapely.is_missing(one) | shapely.is_missing(other)] = 0.0
    return np.asarray(shared, dtype=np.float64)


def _repaired_areas(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    return _overlay_areas(shapely.make_valid(one), shapely.make_valid(other))
