"""Compute distances, averages and contours of one cluster: the public functions of `polyframe.geometry`.

Each function checks its input (`input_checks`), chooses an engine by the size of the cluster (`engines`), and
calls the function that does the same for all clusters of a partition.
"""

import datetime
from collections.abc import Iterable
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from polyframe.core.arrays import Floats, Ints
from polyframe.core.choices import EngineName
from polyframe.core.plurals import counted
from polyframe.geometry.candidate_pairs import all_pairs
from polyframe.geometry.compile_ahead import ensure_compiled
from polyframe.geometry.distances import pair_distances
from polyframe.geometry.engines import Engine, engine_for
from polyframe.geometry.input_checks import (
    checked_marks,
    checked_matrix,
    checked_polygons,
    list_of_items,
)
from polyframe.geometry.polygon_parts import TIE


def iou_distance_matrix(
    polygons: Iterable[shapely.Polygon | None],
    volunteers: Iterable[Any] | None = None,
    *,
    engine: EngineName = "auto",
) -> Floats:
    """Return the IoU distances of all pairs of polygons: 1 - area(A and B) / area(A or B).

    Parameters
    ----------
    polygons : iterable of n shapely.Polygon
        Valid. None and empty polygons have distance 1 from every other.
    volunteers : iterable of n names or numbers, optional
        Who drew them. Marks of the same volunteer have distance infinity, because nobody can agree with
        themselves. Each None or NaN is a different, unknown volunteer.
    engine : {"auto", "shapely", "compiled"}
        As for `contours`.

    Returns
    -------
    ndarray of float64, shape (n, n)
        Symmetric, 0 on the diagonal; of shape (0, 0) for no polygons.

    Raises
    ------
    ValueError
        If an element is a MultiPolygon, not valid, or not a polygon (the message names its index), if
        `volunteers` has another length than `polygons` or contains a list, for instance, or if `engine` is
        unknown.

    References
    ----------
    P. Jaccard, "Étude comparative de la distribution florale dans une portion des Alpes et des Jura",
    Bulletin de la Société vaudoise des sciences naturelles 37 (1901).

    Examples
    --------
    >>> from polyframe import geometry
    >>> from shapely import box
    >>> geometry.iou_distance_matrix([box(0, 0, 2, 2), box(0, 0, 2, 1)]).tolist()
    [[0.0, 0.5], [0.5, 0.0]]
    """
    marks = checked_polygons(polygons)
    count = len(marks)
    left, right = all_pairs([0, count])
    distances = pair_distances(
        marks,
        np.nan_to_num(shapely.area(marks)),
        shapely.bounds(marks).reshape(-1, 4),
        left,
        right,
        _ready_engine(engine, marks, is_quadratic=True).intersection_areas,
    )
    if volunteers is not None:
        numbers = _number_volunteers(list_of_items("volunteers", volunteers))
        if len(numbers) != count:
            raise ValueError(f"{counted(count, 'polygon')}, but {counted(len(numbers), 'volunteer')}")
        distances[numbers[left] == numbers[right]] = np.inf
    matrix = np.zeros((count, count))
    matrix[left, right] = distances
    matrix[right, left] = distances
    return matrix


def consensus(matrix: ArrayLike | Iterable[ArrayLike], *, engine: EngineName = "auto") -> float:
    """Return how well the marks of a cluster agree: 1 - mean IoU distance of its pairs.

    Parameters
    ----------
    matrix : array_like of float, shape (n, n), or iterable of its rows
        IoU distances, as `iou_distance_matrix` returns them. Infinite distances count as 1.
    engine : {"auto", "shapely", "compiled"}
        As for `contours`; the mean is the same with every engine.

    Returns
    -------
    float
        0..1; 1.0 for a cluster of one.

    Raises
    ------
    ValueError
        If the matrix is empty, not square, not symmetric, not 0 on its diagonal, or contains anything but
        0..1 and infinity, or if `engine` is unknown.

    Examples
    --------
    >>> from polyframe import geometry
    >>> geometry.consensus([[0, 0.25], [0.25, 0]])
    0.75
    """
    engine_for(engine, np.empty(0, dtype=object), is_quadratic=False)
    distances = checked_matrix(matrix)
    if not len(distances):
        raise ValueError("a distance matrix is square and not empty (got shape (0, 0))")
    if len(distances) == 1:
        return 1.0
    return float(1.0 - np.mean(distances[np.triu_indices(len(distances), 1)]))


def average_union(
    polygons: Iterable[shapely.Polygon | None], *, engine: EngineName = "auto"
) -> shapely.Polygon:
    """Return the largest part of the union of polygons, with its holes filled.

    Parameters
    ----------
    polygons : iterable of n shapely.Polygon
        Valid. None and empty polygons are ignored. A single polygon is returned unchanged.
    engine : {"auto", "shapely", "compiled"}
        As for `contours`; `auto` is `shapely` here, which is as fast.

    Returns
    -------
    shapely.Polygon
        Empty if there are no marks.

    Raises
    ------
    ValueError
        If an element is a MultiPolygon, not valid, or not a polygon (the message names its index), or if
        `engine` is unknown.

    Examples
    --------
    >>> from polyframe import geometry
    >>> from shapely import box
    >>> geometry.average_union([box(0, 0, 2, 1), box(1, 0, 3, 1)]).area
    3.0
    """
    marks = checked_marks(polygons)
    unions = _ready_engine(engine, marks, is_quadratic=False).unions
    union: shapely.Polygon = unions(marks, np.array([0, len(marks)]))[0]
    return union


def average_intersection(
    polygons: Iterable[shapely.Polygon | None], *, engine: EngineName = "auto"
) -> shapely.Polygon:
    """Return the largest part of the intersection of all polygons.

    Parameters
    ----------
    polygons : iterable of n shapely.Polygon
        Valid. None and empty polygons are ignored. A single polygon is returned unchanged.
    engine : {"auto", "shapely", "compiled"}
        As for `contours`; `auto` is `shapely` here, which is as fast.

    Returns
    -------
    shapely.Polygon
        Empty if the marks have no area in common, or if there are no marks.

    Raises
    ------
    ValueError
        As for `average_union`.

    Examples
    --------
    >>> from polyframe import geometry
    >>> from shapely import box
    >>> geometry.average_intersection([box(0, 0, 2, 1), box(1, 0, 3, 1)]).bounds
    (1.0, 0.0, 2.0, 1.0)
    """
    marks = checked_marks(polygons)
    intersections = _ready_engine(engine, marks, is_quadratic=False).intersections
    intersection: shapely.Polygon = intersections(marks, np.array([0, len(marks)]))[0]
    return intersection


def average_median(
    polygons: Iterable[shapely.Polygon | None],
    matrix: ArrayLike | Iterable[ArrayLike],
    *,
    engine: EngineName = "auto",
) -> shapely.Polygon:
    """Return the polygon with the least summed IoU distance to the others.

    Parameters
    ----------
    polygons : iterable of n shapely.Polygon
        Valid. None and empty polygons are never chosen.
    matrix : array_like of float, shape (n, n)
        Their IoU distances, as `iou_distance_matrix` returns them. Infinite distances count as 1.
    engine : {"auto", "shapely", "compiled"}
        As for `contours`; the sums are the same with every engine.

    Returns
    -------
    shapely.Polygon
        The first on ties (sums within 1e-12); empty if there are no marks.

    Raises
    ------
    ValueError
        As for `average_union`, and if the matrix is not a distance matrix of that many polygons.

    Examples
    --------
    >>> from polyframe import geometry
    >>> from shapely import box
    >>> marks = [box(0, 0, 4, 1), box(1, 0, 5, 1), box(2, 0, 6, 1)]
    >>> geometry.average_median(marks, geometry.iou_distance_matrix(marks)).bounds
    (1.0, 0.0, 5.0, 1.0)
    """
    marks = checked_polygons(polygons)
    engine_for(engine, marks, is_quadratic=False)
    present = np.flatnonzero(~shapely.is_missing(marks))
    place = _place_of_median(marks, present, matrix)
    median: shapely.Polygon = marks[place] if len(present) else shapely.Polygon()
    return median


def average_majority(
    polygons: Iterable[shapely.Polygon | None],
    matrix: ArrayLike | Iterable[ArrayLike] | None = None,
    *,
    engine: EngineName = "auto",
) -> shapely.Polygon:
    """Return the largest part of what more than half of the polygons cover, with its holes filled.

    What exactly half of them cover belongs to it if the median is among them.

    Parameters
    ----------
    polygons : iterable of n shapely.Polygon
        Valid. None and empty polygons are ignored. A single polygon, and the median of two, is returned
        unchanged.
    matrix : array_like of float, shape (n, n), optional
        Their IoU distances, to find the median of an even number of polygons, as for `average_median`. By
        default they are computed.
    engine : {"auto", "shapely", "compiled"}
        As for `contours`.

    Returns
    -------
    shapely.Polygon
        The largest part by area without holes, the leftmost on ties. Empty if the region has no area, or if
        there are no marks.

    Raises
    ------
    ValueError
        As for `average_median`.

    Examples
    --------
    >>> from polyframe import geometry
    >>> from shapely import box
    >>> geometry.average_majority([box(0, 0, 4, 1), box(1, 0, 5, 1), box(2, 0, 6, 1)]).bounds
    (1.0, 0.0, 5.0, 1.0)
    """
    marks = checked_polygons(polygons)
    chosen = _ready_engine(engine, marks, is_quadratic=True)
    present = np.flatnonzero(~shapely.is_missing(marks))
    median = 0
    if matrix is not None:
        median = _place_of_median(marks, present, matrix)
    elif len(present) and len(present) % 2 == 0:
        median = _place_of_median(marks, present, iou_distance_matrix(marks, engine=engine))
    majority: shapely.Polygon = chosen.majorities(marks, np.array([0, len(marks)]), np.array([median]))[0]
    return majority


def average_last(
    polygons: Iterable[shapely.Polygon | None], created_at: Iterable[Any], *, engine: EngineName = "auto"
) -> shapely.Polygon:
    """Return the polygon that was drawn last.

    Parameters
    ----------
    polygons : iterable of n shapely.Polygon
        Valid. None and empty polygons are never chosen, and their times are ignored.
    created_at : iterable of n times
        ISO strings, Zooniverse strings (`2025-01-30 09:48:51 UTC`), datetimes or NumPy datetimes. Times
        without a zone are UTC.
    engine : {"auto", "shapely", "compiled"}
        As for `contours`; the times are the same with every engine.

    Returns
    -------
    shapely.Polygon
        The first on ties; empty if there are no marks.

    Raises
    ------
    ValueError
        As for `average_union`, and if the lengths differ, or a time cannot be read (the message names its
        index).

    Examples
    --------
    >>> from polyframe import geometry
    >>> from shapely import box
    >>> times = ["2025-01-30 09:48:51 UTC", "2025-01-30 09:50:00 UTC"]
    >>> geometry.average_last([box(0, 0, 1, 1), box(0, 0, 2, 2)], times).area
    4.0
    """
    marks = checked_polygons(polygons)
    engine_for(engine, marks, is_quadratic=False)
    times = list_of_items("created_at", created_at)
    if len(marks) != len(times):
        raise ValueError(f"{counted(len(marks), 'polygon')}, but {counted(len(times), 'time')}")
    present = np.flatnonzero(~shapely.is_missing(marks)).tolist()
    if not present:
        return shapely.Polygon()
    parsed = [_as_utc(index, times[index]) for index in present]
    last: shapely.Polygon = marks[present[parsed.index(max(parsed))]]
    return last


def contours(
    polygons: Iterable[shapely.Polygon | None], *, engine: EngineName = "auto"
) -> list[shapely.Polygon]:
    """Return the agreement contours of one cluster.

    Parameters
    ----------
    polygons : iterable of n shapely.Polygon
        Valid. None and empty polygons are ignored.
    engine : {"auto", "shapely", "compiled"}
        `shapely` uses GEOS, `compiled` uses loops compiled by numba (the extra `fast`); the very first call
        compiles them, which takes 15 to 20 s of processor time. `auto` is `shapely`, except for a very large
        cluster (475 marks of 120 vertices, say) if numba is installed. Both give the same results, except for
        the start vertex of an outline and rounding: areas agree to 1e-9.

    Returns
    -------
    list of shapely.Polygon
        Level k at index k - 1, until no area is left: the largest part (by area without holes, the leftmost
        on ties) of the region where at least k polygons overlap, with its holes filled. At most n levels; an
        empty list if there are no marks.

    Raises
    ------
    ValueError
        As for `average_union`.
    UsageError
        If `compiled` is chosen and numba is not installed, in every function with an `engine`.

    Examples
    --------
    >>> from polyframe import geometry
    >>> from shapely import box
    >>> [level.area for level in geometry.contours([box(0, 0, 2, 1), box(1, 0, 3, 1)])]
    [3.0, 1.0]
    """
    marks = checked_marks(polygons)
    levels = _ready_engine(engine, marks, is_quadratic=True).contours(marks, np.array([0, len(marks)]))
    return list(levels.polygons)


def _ready_engine(name: EngineName, marks: NDArray[Any], *, is_quadratic: bool) -> Engine:
    """Return the engine for a cluster, compiled; if that takes time, the log says so."""
    engine = engine_for(name, marks, is_quadratic=is_quadratic)
    if engine.name == "compiled":
        ensure_compiled()
    return engine


def _place_of_median(marks: NDArray[Any], present: Ints, matrix: ArrayLike | Iterable[ArrayLike]) -> int:
    """Return the index of the mark with the least summed distance, the first on ties; 0 without marks."""
    distances = checked_matrix(matrix)
    if len(marks) != len(distances):
        raise ValueError(f"{counted(len(marks), 'polygon')}, but a matrix of {len(distances)}")
    if not len(present):
        return 0
    sums = distances.sum(axis=0)[present]
    return int(present[np.flatnonzero(sums <= sums.min() + TIE)[0]])


def _number_volunteers(volunteers: list[Any]) -> Ints:
    """Return equal numbers for equal names, and a new number for each None or NaN."""
    known: dict[Any, int] = {}
    numbers = []
    for position, name in enumerate(volunteers):
        try:
            numbers.append(known.setdefault(name, position) if _is_name(name) else position)
        except (TypeError, ValueError):
            raise ValueError(
                f"volunteers[{position}] is a {type(name).__name__}, expected a name or a number"
            ) from None
    return np.array(numbers, dtype=np.int64)


def _is_name(name: Any) -> bool:
    try:
        return name is not None and bool(name == name)  # NaN is not equal to itself
    except TypeError:  # the NA of pandas is neither true nor false
        return False


def _as_utc(index: int, time: Any) -> datetime.datetime:
    try:
        if isinstance(time, np.datetime64):
            time = time.astype("datetime64[us]").item()
        elif isinstance(time, str):
            time = datetime.datetime.fromisoformat(time.strip().removesuffix("UTC").rstrip())
        if time != time:  # the NaT of pandas
            raise ValueError
        if time.tzinfo is None:
            return time.replace(tzinfo=datetime.UTC)  # type: ignore[no-any-return]
        return time.astimezone(datetime.UTC)  # type: ignore[no-any-return]
    except (AttributeError, ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"created_at[{index}] is not a time (got {time!r})") from error
