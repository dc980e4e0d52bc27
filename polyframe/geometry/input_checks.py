"""Check what callers pass to the public functions of this layer, and name the element that cannot be used.

A mark is one valid polygon with an interior. None and empty geometries are *no mark*: every function leaves
them out. Everything else (a MultiPolygon, an outline that crosses itself, a line, WKB, text) is an error that
names its index, since to take a part of it or to repair it would answer another question than the one asked.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

#: Ways to a polygon from what is often passed in its place.
_ADVICE = {
    "MultiPolygon": "pass one of its parts, such as the largest",
    "bytes": "shapely.from_wkb makes polygons of WKB",
    "str": "shapely.from_wkt makes polygons of WKT",
    "dict": "shapely.geometry.shape makes polygons of GeoJSON",
}


def checked_polygons(polygons: Any) -> NDArray[Any]:
    """Return polygons from any iterable, read once, with None for each that is no mark.

    Parameters
    ----------
    polygons : iterable of n shapely.Polygon
        Valid; None and empty geometries are no marks.

    Returns
    -------
    ndarray of object, shape (n,)

    Raises
    ------
    ValueError
        Where an element is no polygon, or none that is valid; its index is named.
    """
    items = as_list("polygons", polygons)
    marks = np.fromiter(items, dtype=object, count=len(items))
    strange = np.flatnonzero(~shapely.is_valid_input(marks))
    if len(strange):
        raise ValueError(_strange("polygons", strange[0], marks[strange[0]]))
    marks[shapely.is_empty(marks)] = None
    present = ~shapely.is_missing(marks)
    strange = np.flatnonzero(present & (shapely.get_type_id(marks) != shapely.GeometryType.POLYGON))
    if len(strange):
        raise ValueError(_strange("polygons", strange[0], marks[strange[0]]))
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


def as_list(name: str, values: Any) -> list[Any]:
    """Return the elements of an iterable, read once.

    Parameters
    ----------
    name : str
        The parameter, for messages.
    values : iterable
        Not text, bytes or a mapping, over which Python would iterate too.

    Raises
    ------
    ValueError
        Where it is no such iterable.
    """
    if isinstance(values, np.ndarray):
        return list(values.ravel()) if values.ndim < 2 else list(values)
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        shown = f"a {values.geom_type}" if isinstance(values, shapely.Geometry) else type(values).__name__
        raise ValueError(f"{name} is {shown}, expected a list")
    return list(values)


def _strange(name: str, index: int, value: object) -> str:
    kind = value.geom_type if isinstance(value, shapely.Geometry) else type(value).__name__
    advice = f"; {_ADVICE[kind]}" if kind in _ADVICE else ""
    return f"{name}[{index}] is a {kind}, expected a Polygon{advice}"
