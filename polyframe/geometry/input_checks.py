"""Check the input of the public functions, and name the element that cannot be used.

A mark is one valid polygon with an interior. None and empty geometries are not marks, and every function
ignores them. Anything else (a MultiPolygon, an outline that crosses itself, a line, WKB, a string) raises an
error that names its index: to repair it, or to use only a part of it, would answer another question.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from polyframe.core.arrays import Floats

#: Rounding errors in a matrix that are accepted.
_ROUNDING = 1e-9

#: How to make polygons of what is often passed instead.
_ADVICE = {
    "MultiPolygon": "pass one of its parts, such as the largest",
    "bytes": "shapely.from_wkb makes polygons of WKB",
    "str": "shapely.from_wkt makes polygons of WKT",
    "dict": "shapely.geometry.shape makes polygons of GeoJSON",
}


def checked_polygons(polygons: Any) -> NDArray[Any]:
    """Return polygons from any iterable, which is read once, with None for each that is not a mark.

    Parameters
    ----------
    polygons : iterable of n shapely.Polygon
        Valid; None and empty geometries are not marks.

    Returns
    -------
    ndarray of object, shape (n,)

    Raises
    ------
    ValueError
        If an element is not a polygon, or not valid; the message names its index.
    """
    items = list_of_items("polygons", polygons)
    marks = np.fromiter(items, dtype=object, count=len(items))
    wrong = np.flatnonzero(~shapely.is_valid_input(marks))
    if len(wrong):
        raise ValueError(_not_a_polygon(wrong[0], marks[wrong[0]]))
    marks[shapely.is_empty(marks)] = None
    present = ~shapely.is_missing(marks)
    wrong = np.flatnonzero(present & (shapely.get_type_id(marks) != shapely.GeometryType.POLYGON))
    if len(wrong):
        raise ValueError(_not_a_polygon(wrong[0], marks[wrong[0]]))
    invalid = np.flatnonzero(present & ~shapely.is_valid(marks))
    if len(invalid):
        reason = shapely.is_valid_reason(marks[invalid[0]])
        raise ValueError(
            f"polygons[{invalid[0]}] is not valid ({reason}); polygons_from_paths repairs outlines, "
            "shapely.make_valid polygons"
        )
    return marks


def checked_marks(polygons: Any) -> NDArray[Any]:
    """Return those polygons that are marks, see `checked_polygons`."""
    marks = checked_polygons(polygons)
    present: NDArray[Any] = marks[~shapely.is_missing(marks)]
    return present


def list_of_items(name: str, values: Any) -> list[Any]:
    """Return the elements of an iterable, which is read once.

    Parameters
    ----------
    name : str
        The name of the parameter, for messages.
    values : iterable
        Not a string, bytes or a mapping, although Python iterates over those.

    Raises
    ------
    ValueError
        If it is not such an iterable.
    """
    if isinstance(values, np.ndarray):
        return list(values.ravel()) if values.ndim < 2 else list(values)
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        kind = f"a {values.geom_type}" if isinstance(values, shapely.Geometry) else type(values).__name__
        raise ValueError(f"{name} is {kind}, expected a list")
    return list(values)


def checked_matrix(matrix: ArrayLike | Iterable[ArrayLike]) -> Floats:
    """Return a copy of a distance matrix with infinite distances as 1.

    Raises
    ------
    ValueError
        If the matrix is not square, not symmetric, not 0 on its diagonal, or contains anything but 0..1 and
        infinity.
    """
    try:
        distances = np.array(list(matrix) if isinstance(matrix, Iterator) else matrix, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError("a distance matrix is square and contains only numbers") from None
    if distances.ndim != 2 or distances.shape[0] != distances.shape[1]:
        raise ValueError(f"a distance matrix is square and not empty (got shape {distances.shape})")
    distances[np.isposinf(distances)] = 1.0
    if not np.allclose(distances, distances.T, rtol=0, atol=_ROUNDING):
        raise ValueError("a distance matrix is symmetric and contains no NaN")
    if np.any(np.abs(np.diagonal(distances)) > _ROUNDING):
        raise ValueError("a distance matrix has 0 on its diagonal")
    outside = distances[(distances < -_ROUNDING) | (distances > 1 + _ROUNDING)]
    if len(outside):
        raise ValueError(f"a distance matrix contains only 0 to 1 and infinity (got {outside[0]})")
    return np.clip(distances, 0.0, 1.0)


def _not_a_polygon(index: int, value: object) -> str:
    kind = value.geom_type if isinstance(value, shapely.Geometry) else type(value).__name__
    advice = f"; {_ADVICE[kind]}" if kind in _ADVICE else ""
    return f"polygons[{index}] is a {kind}, expected a Polygon{advice}"
