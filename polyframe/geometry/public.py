"""Compute distances, an average or contours of one cluster, as a notebook asks for them.

Each function checks what it is given (see `given`), chooses an engine by the size of the cluster, and calls
the function that does the same for all clusters of a partition.
"""

import datetime
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike

from polyframe.core.arrays import Floats, Ints
from polyframe.core.choices import EngineName
from polyframe.geometry.distances import pair_distances
from polyframe.geometry.engines import engine_for
from polyframe.geometry.input_checks import as_list, checked_marks, checked_polygons
from polyframe.geometry.pairs import all_pairs
from polyframe.geometry.polygon_parts import TIE

#: How far the numbers of a matrix that somebody else computed may be off.
_ROUNDING = 1e-9


def iou_distance_matrix(
    polygons: Iterable[shapely.Polygon | None],
    volunteers: Iterable[Any] | None = None,
    *,
    engine: EngineName = "auto",
) -> Floats:
    """Return the IoU distances of all pairs of polygons.

    Parameters
    ----------
    polygons : iterable of n shapely.Polygon
        Valid. None and empty polygons are no marks and have distance 1 from every other.
    volunteers : iterable of n names or numbers, optional
        Who drew them. Marks of the same volunteer have distance infinity: nobody can agree with themself.
        None and NaN stand for somebody else each time.
    engine : {"auto", "shapely", "compiled"}
        As for `contours`.

    Returns
    -------
    ndarray of float64, shape (n, n)
        Symmetric, 0 on the diagonal.

    Raises
    ------
    ValueError
        Where an element is a MultiPolygon, not valid, or no polygon (its index is named), `volunteers` has
        another length than `polygons` or holds what is no name, or `engine` is unknown.
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
        engine_for(engine, marks, is_quadratic=True).intersection_areas,
    )
    if volunteers is not None:
        numbers = _numbered(as_list("volunteers", volunteers))
        if len(numbers) != count:
            raise ValueError(f"{count} polygons, but {len(numbers)} volunteers")
        distances[numbers[left] == numbers[right]] = np.inf
    matrix = np.zeros((count, count))
    matrix[left, right] = distances
    matrix[right, left] = distances
    return matrix


def consensus(matrix: ArrayLike | Iterable[ArrayLike], *, engine: EngineName = "auto") -> float:
    """Return how far the marks of a cluster agree: 1 - mean IoU distance of its pairs.

    Parameters
    ----------
    matrix : array_like of float, shape (n, n), or iterable of its rows
        IoU distances, as `iou_distance_matrix` gives them. Infinite distances count as 1.
    engine : {"auto", "shapely", "compiled"}
        As for `contours`; a mean is the same with either.

    Returns
    -------
    float
        0..1; 1.0 for a cluster of one.

    Raises
    ------
    ValueError
        Where the matrix is empty, not square, not symmetric or not 0 on its diagonal, or holds anything but
        0..1 and infinity, or `engine` is unknown.
    """
    engine_for(engine, np.empty(0, dtype=object), is_quadratic=False)
    distances = _checked_matrix(matrix)
    if not len(distances):
        raise ValueError("a distance matrix is square and not empty; this one has shape (0, 0)")
    if len(distances) == 1:
        return 1.0
    return float(1.0 - np.mean(distances[np.triu_indices(len(distances), 1)]))


def average_union(
    polygons: Iterable[shapely.Polygon | None], *, engine: EngineName = "auto"
) -> shapely.Polygon:
    """Return the largest part of the union of polygons, holes filled.

    Parameters
    ----------
    polygons : iterable of n shapely.Polygon
        Valid. None and empty polygons are no marks and add nothing. A single polygon is returned as it is.
    engine : {"auto", "shapely", "compiled"}
        As for `contours`; `auto` is `shapely` here, which is as fast.

    Returns
    -------
    shapely.Polygon
        Empty where there is no mark.

    Raises
    ------
    ValueError
        Where an element is a MultiPolygon, not valid, or no polygon (its index is named), or `engine` is
        unknown.
    """
    marks = checked_marks(polygons)
    union: shapely.Polygon = engine_for(engine, marks, is_quadratic=False).unions(
        marks, np.array([0, len(marks)])
    )[0]
    return union


def average_intersection(
    polygons: Iterable[shapely.Polygon | None], *, engine: EngineName = "auto"
) -> shapely.Polygon:
    """Return what all polygons have in common; of several parts the largest.

    Parameters
    ----------
    polygons : iterable of n shapely.Polygon
        Valid. None and empty polygons are no marks and are left out. A single polygon is returned as it is.
    engine : {"auto", "shapely", "compiled"}
        As for `contours`; `auto` is `shapely` here, which is as fast.

    Returns
    -------
    shapely.Polygon
        Empty where the marks have no area in common, or there is no mark.

    Raises
    ------
    ValueError
        As from `average_union`.
    """
    marks = checked_marks(polygons)
    intersection: shapely.Polygon = engine_for(engine, marks, is_quadratic=False).intersections(
        marks, np.array([0, len(marks)])
    )[0]
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
        Valid. None and empty polygons are no marks and are never chosen.
    matrix : array_like of float, shape (n, n)
        Their IoU distances, as `iou_distance_matrix` gives them. Infinite distances count as 1.
    engine : {"auto", "shapely", "compiled"}
        As for `contours`; sums are the same with either.

    Returns
    -------
    shapely.Polygon
        The first on ties (sums within 1e-12); empty where there is no mark.

    Raises
    ------
    ValueError
        As from `average_union`, and where the matrix is no distance matrix, or not one of that many polygons.
    """
    marks = checked_polygons(polygons)
    engine_for(engine, marks, is_quadratic=False)
    distances = _checked_matrix(matrix)
    if len(marks) != len(distances):
        raise ValueError(f"{len(marks)} polygons, but a matrix of {len(distances)}")
    present = np.flatnonzero(~shapely.is_missing(marks))
    if not len(present):
        return shapely.Polygon()
    sums = distances.sum(axis=0)[present]
    median: shapely.Polygon = marks[present[np.flatnonzero(sums <= sums.min() + TIE)[0]]]
    return median


def average_last(
    polygons: Iterable[shapely.Polygon | None], created_at: Iterable[Any], *, engine: EngineName = "auto"
) -> shapely.Polygon:
    """Return the polygon that was drawn last.

    Parameters
    ----------
    polygons : iterable of n shapely.Polygon
        Valid. None and empty polygons are no marks and are never chosen; their times are not read.
    created_at : iterable of n times
        ISO strings, Zooniverse strings (`2025-01-30 09:48:51 UTC`), datetimes or NumPy datetimes. Times
        without a zone are UTC.
    engine : {"auto", "shapely", "compiled"}
        As for `contours`; times are the same with either.

    Returns
    -------
    shapely.Polygon
        The first on ties; empty where there is no mark.

    Raises
    ------
    ValueError
        As from `average_union`, and where the lengths differ, or a time cannot be read (its index is named).
    """
    marks = checked_polygons(polygons)
    engine_for(engine, marks, is_quadratic=False)
    times = as_list("created_at", created_at)
    if len(marks) != len(times):
        raise ValueError(f"{len(marks)} polygons, but {len(times)} times")
    present = np.flatnonzero(~shapely.is_missing(marks)).tolist()
    if not present:
        return shapely.Polygon()
    read = [_as_utc(index, times[index]) for index in present]
    last: shapely.Polygon = marks[present[read.index(max(read))]]
    return last


def contours(
    polygons: Iterable[shapely.Polygon | None], *, engine: EngineName = "auto"
) -> list[shapely.Polygon]:
    """Return the agreement contours of one cluster.

    Parameters
    ----------
    polygons : iterable of n shapely.Polygon
        Valid. None and empty polygons are no marks and add nothing.
    engine : {"auto", "shapely", "compiled"}
        Who computes: GEOS, or compiled loops (the extra `fast`), whose first call ever compiles for half a
        minute. `auto` takes GEOS, and for a large cluster (300 marks of 120 vertices, say) the compiled
        loops where they are installed. Both give the same results, but for the vertex with which an outline
        begins and rounding: areas agree to 1e-9.

    Returns
    -------
    list of shapely.Polygon
        Level k at index k - 1, until no area is left: the largest part (holes excluded, the leftmost on ties)
        of the region where at least k polygons overlap, then its holes filled. At most n levels; none where
        there is no mark.

    Raises
    ------
    ValueError
        As from `average_union`.
    UsageError
        Where `compiled` is asked for and not installed; all functions with an `engine` say so.
    """
    marks = checked_marks(polygons)
    levels = engine_for(engine, marks, is_quadratic=True).contours(marks, np.array([0, len(marks)]))
    return list(levels.polygons)


def _checked_matrix(matrix: ArrayLike | Iterable[ArrayLike]) -> Floats:
    """Return a copy of a distance matrix with infinite distances as 1.

    Raises
    ------
    ValueError
        Where the matrix is not square, not symmetric or not 0 on its diagonal, or holds anything but 0..1 and
        infinity.
    """
    try:
        distances = np.array(list(matrix) if isinstance(matrix, Iterator) else matrix, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError("a distance matrix is square and holds numbers; this one is not") from None
    if distances.ndim != 2 or distances.shape[0] != distances.shape[1]:
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


def _numbered(volunteers: list[Any]) -> Ints:
    """Give equal names equal numbers; None and NaN, which is not equal to itself, a new one each time."""
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
        return name is not None and bool(name == name)
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
        raise ValueError(f"created_at {index}: {time!r} is no time") from error
