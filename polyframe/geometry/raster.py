"""Compute agreement contours from counts on a grid: quick and approximate (see `exact_contours`).

A square grid covers the cluster, the marks that contain each grid point are counted, and contour lines are
drawn through the counts (marching squares, by contourpy).

References
----------
G. Taubin, "Curve and surface smoothing without shrinkage", ICCV 1995, pp. 852-857.
"""

from collections.abc import Iterable
from typing import Any, get_args

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from polyframe.core.arrays import Floats, Ints
from polyframe.core.choices import EngineName, Smoothing
from polyframe.core.ragged import offsets_of
from polyframe.core.task_reports import in_pieces
from polyframe.geometry.engines import engine_for
from polyframe.geometry.exact_contours import ContourLevels
from polyframe.geometry.input_checks import checked_marks

#: Rounds, and the weight of each half of a round, of Taubin's smoothing.
_TAUBIN_ROUNDS = 5
_TAUBIN_WEIGHTS = (0.5, -0.5)
#: Points within this part of a step from a grid line are on it. Others are farther away: at least the
#: reciprocal of the number of marks.
_LEAST_SHARE = 1e-6
#: The limit of the setting too: a grid of so many points along each axis takes 2 GB.
_MOST_POINTS = 10_000


def raster_contours(
    polygons: Iterable[shapely.Polygon | None],
    num_grid_points: int = 100,
    smoothing: Smoothing = "minimal_sides",
    *,
    engine: EngineName = "auto",
) -> list[shapely.Polygon]:
    """Return the agreement contours of one cluster from counts on a grid.

    Parameters
    ----------
    polygons : iterable of n shapely.Polygon
        Valid. None and empty polygons are ignored.
    num_grid_points : int
        Grid points along each axis, spread evenly over the joint bounds; 2 to 10,000.
    smoothing : {"minimal_sides", "rounded", "no_smoothing"}
        How the steps of the grid are smoothed: `minimal_sides` simplifies with a tolerance of
        `max(0.5 / num_grid_points, 0.01)` pixels and keeps the start point of the line, `rounded` rounds
        corners with Taubin's method.
    engine : {"auto", "shapely", "compiled"}
        As for `contours`; the counts are the same with every engine.

    Returns
    -------
    list of shapely.Polygon
        The largest contour line (the first on ties) of each level of agreement, until none has an area; an
        empty list if there are no marks. Level k, at index k - 1, is the contour line of the value k - 1, so
        it lies up to one grid step outside the exact contour. With `rounded` and `no_smoothing` a line may
        touch itself.

    Raises
    ------
    ValueError
        If an element is a MultiPolygon, not valid, or not a polygon (the message names its index), if
        `num_grid_points` is out of range, or if `smoothing` or `engine` is unknown.

    Examples
    --------
    >>> from polyframe import geometry
    >>> from shapely import box
    >>> marks = [box(0, 0, 4, 4), box(1, 0, 4, 4)]
    >>> [level.area for level in geometry.raster_contours(marks, num_grid_points=5)]
    [14.0, 6.75]
    """
    marks = checked_marks(polygons)
    engine_for(engine, marks, is_quadratic=False)
    if not isinstance(num_grid_points, (int, np.integer)) or not 2 <= num_grid_points <= _MOST_POINTS:
        raise ValueError(
            f"num_grid_points must be an integer from 2 to {_MOST_POINTS} (got {num_grid_points!r})"
        )
    if not isinstance(smoothing, str) or smoothing not in get_args(Smoothing):
        raise ValueError(f"smoothing: {smoothing!r} is not one of {', '.join(get_args(Smoothing))}")
    return _levels(marks, int(num_grid_points), smoothing)


def cluster_raster_contours(
    polygons: NDArray[Any],
    offsets: ArrayLike,
    num_grid_points: int = 100,
    smoothing: Smoothing = "minimal_sides",
) -> ContourLevels:
    """Return the grid contours of many clusters, each as `raster_contours` returns them.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Sorted by cluster.
    offsets : array_like of int, shape (c + 1,)
        Cluster i contains `polygons[offsets[i]:offsets[i + 1]]`.
    num_grid_points, smoothing
        As in `raster_contours`.

    Returns
    -------
    ContourLevels
        A cluster that lies between the grid points has no levels.
    """
    bounds = np.asarray(offsets, dtype=np.int64)
    real = ~shapely.is_missing(polygons) & ~shapely.is_empty(polygons)
    stacks = [
        _levels(polygons[start:end][real[start:end]], num_grid_points, smoothing)
        for start, end in in_pieces(bounds.tolist(), "contours")
    ]
    flat = np.array([contour for stack in stacks for contour in stack], dtype=object)
    return ContourLevels(flat, offsets_of([len(stack) for stack in stacks]))


def _levels(marks: NDArray[Any], num_grid_points: int, smoothing: Smoothing) -> list[shapely.Polygon]:
    if not len(marks):
        return []

    x_min, y_min, x_max, y_max = shapely.total_bounds(marks)
    x, y = np.linspace(x_min, x_max, num_grid_points), np.linspace(y_min, y_max, num_grid_points)
    counts = _count(marks, x, y)
    levels = []
    import contourpy  # late: few users need it

    generator: Any = contourpy.contour_generator(z=counts.astype(np.float64))
    for below in range(int(counts.max())):
        lines = (_coordinates(line, below, x, y, counts) for line in generator.lines(below))
        line = _largest_line(lines)
        if line is None:
            break
        levels.append(line)
    return [_smooth(line, num_grid_points, smoothing) for line in levels]


def _count(marks: NDArray[Any], x: Floats, y: Floats) -> Ints:
    """Return how many marks contain each grid point; rows are y, columns x."""
    counts = np.zeros((len(y), len(x)), dtype=np.int64)
    for mark, (left, bottom, right, top) in zip(marks, shapely.bounds(marks), strict=True):
        columns = slice(np.searchsorted(x, left), np.searchsorted(x, right, side="right"))
        rows = slice(np.searchsorted(y, bottom), np.searchsorted(y, top, side="right"))
        counts[rows, columns] += shapely.contains_xy(mark, x[columns][None, :], y[rows][:, None])
    return counts


def _coordinates(line: Floats, level: int, x: Floats, y: Floats, counts: Ints) -> Floats:
    """Return the coordinates of a contour line whose points are fractional columns and rows of the grid.

    contourpy could compute them, but in the last digit its results differ between kinds of processors: for
    ARM, compilers fuse a multiplication and an addition into one operation. NumPy rounds each operation. The
    formula is that of contourpy, which begins at the end with more marks.
    """
    low = np.floor(line + _LEAST_SHARE).astype(np.int64)
    high = np.ceil(line - _LEAST_SHARE).astype(np.int64)
    n_low, n_high = (counts[ends[:, 1], ends[:, 0]] for ends in (low, high))
    swapped = (n_low < n_high)[:, None]
    more, fewer = np.where(swapped, high, low), np.where(swapped, low, high)
    n_more, n_fewer = np.maximum(n_low, n_high), np.minimum(n_low, n_high)
    share = np.divide(n_fewer - level, n_fewer - n_more, out=np.ones(len(line)), where=n_more != n_fewer)
    at = [
        grid[more[:, axis]] * share + grid[fewer[:, axis]] * (1 - share) for axis, grid in enumerate((x, y))
    ]
    return np.stack(at, axis=1)


def _largest_line(lines: Any) -> shapely.Polygon | None:
    polygons = [shapely.Polygon(line) for line in lines if len(line) > 3]
    areas = shapely.area(polygons)
    return polygons[int(np.argmax(areas))] if np.any(areas > 0) else None


def _smooth(contour: shapely.Polygon, num_grid_points: int, smoothing: Smoothing) -> shapely.Polygon:
    if smoothing == "minimal_sides":
        # As a line, whose ends are kept: GEOS 3.14 may remove the first point of a ring, which older
        # versions, and so the reference tool, do not.
        line = shapely.linestrings(shapely.get_coordinates(contour))
        return shapely.Polygon(shapely.simplify(line, max(0.5 / num_grid_points, 0.01)))
    if smoothing == "rounded":
        return shapely.Polygon(_taubin(shapely.get_coordinates(contour)))
    return contour


def _taubin(ring: Floats) -> Floats:
    """Smooth a closed ring: each point moves half way to the mean of its neighbours, then as far back."""
    points = ring[:-1]
    for _ in range(_TAUBIN_ROUNDS):
        for weight in _TAUBIN_WEIGHTS:
            middles = (np.roll(points, 1, axis=0) + np.roll(points, -1, axis=0)) / 2
            points = points + weight * (middles - points)
    return np.concatenate([points, points[:1]])
