"""Turn drawn paths into valid polygons: close them, repair them, keep the largest part."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.choices import EngineName
from polyframe.core.plurals import counted
from polyframe.core.ragged import offsets_of, positions_of, runs_of_equal
from polyframe.core.reasons import (
    LARGEST_COORDINATE,
    NO_AREA,
    REPAIR_FAILED,
    TOO_FEW_POINTS,
    TOO_MANY_CROSSINGS,
)
from polyframe.geometry.engines import engine_for
from polyframe.geometry.input_checks import list_of_items
from polyframe.geometry.isolate_failures import apply_isolated
from polyframe.geometry.polygon_parts import have_area, largest_parts
from polyframe.geometry.self_intersections import too_many_crossings
from polyframe.geometry.simple_outlines import are_simple

#: An area of this fraction of its box, in a box of this fraction of its coordinates, cannot be rounding.
_CLEAR_SHARE = 1e-3

#: Points that are examined at once: few enough for the processor's cache.
_POINTS_AT_ONCE = 32_000


@dataclass(frozen=True)
class RepairedPolygons:
    """One polygon for each path, or the reason why there is none.

    Attributes
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Valid, with an area; None if the path is unusable.
    areas : ndarray of float64, shape (n,)
        In square pixels; 0 if the path is unusable.
    problems : ndarray of str, shape (n,)
        None, or `too_few_points`, `no_area`, `too_many_crossings` or `repair_failed` (see
        `polyframe.core.reasons`).
    """

    polygons: NDArray[Any]
    areas: Floats
    problems: NDArray[Any]


def polygons_from_ragged(x: ArrayLike, y: ArrayLike, offsets: ArrayLike) -> RepairedPolygons:
    """Return one polygon for each path of a ragged array.

    Unclosed paths are closed. An outline that crosses or touches itself becomes `buffer(0)`; of several parts
    the largest is kept, the first on ties. A path is unusable if its area is within the rounding of its
    coordinates, or if it crosses itself so often that the repair could take minutes (see
    `self_intersections`).

    Parameters
    ----------
    x, y : array_like of float, shape (m,)
        Coordinates in pixels.
    offsets : array_like of int, shape (n + 1,)
        Path i is `x[offsets[i]:offsets[i + 1]]`.

    Returns
    -------
    RepairedPolygons
        Of length n. Paths with a coordinate that is not finite, or beyond `reasons.LARGEST_COORDINATE`, have
        the problem `repair_failed`.

    Notes
    -----
    For a polygon with one ring `is_valid` and `is_simple` are the same (a test checks it) and cost the same.
    Every later operation needs valid polygons.
    """
    starts = np.asarray(offsets, dtype=np.int64)
    x, y = (np.asarray(values, dtype=np.float64)[starts[0] : starts[-1]] for values in (x, y))
    starts = starts - starts[0]
    counts = np.diff(starts)
    boxes = _boxes(x, y, starts)
    within = np.all(np.abs(boxes) <= LARGEST_COORDINATE, axis=0)  # false for NaN too
    first, last = starts[:-1], np.maximum(starts[1:] - 1, starts[:-1])
    filled = counts > 2
    first, last = first[filled], last[filled]
    filled[filled] = (counts[filled] > 3) | (x[first] != x[last]) | (y[first] != y[last])
    polygons, problems = (np.full(len(counts), None, dtype=object) for _ in range(2))
    areas = np.zeros(len(counts))
    problems[~filled] = TOO_FEW_POINTS
    problems[~within & (counts > 2)] = REPAIR_FAILED

    usable = np.flatnonzero(filled & within)
    if len(usable) < len(counts):
        points = positions_of(starts[usable], counts[usable])
        x, y, boxes = x[points], y[points], boxes[:, usable]
        starts = offsets_of(counts[usable])
    repaired = _polygons_of_usable(x, y, starts, boxes)
    polygons[usable], areas[usable], problems[usable] = repaired.polygons, repaired.areas, repaired.problems
    return RepairedPolygons(polygons, areas, problems)


def _polygons_of_usable(x: Floats, y: Floats, offsets: Ints, boxes: Floats) -> RepairedPolygons:
    """Return the polygons of paths of at least three points, all within bounds."""
    problems = np.full(len(offsets) - 1, None, dtype=object)
    rings, ring_offsets = _close(x, y, offsets)
    polygons = np.asarray(
        shapely.from_ragged_array(
            shapely.GeometryType.POLYGON, rings, (ring_offsets, np.arange(len(ring_offsets)))
        )
    )
    # Before anything else: if an outline crosses itself very often, even `is_valid` may take minutes.
    rejected = too_many_crossings(x, y, offsets[:-1], np.diff(offsets))
    polygons[rejected], problems[rejected] = None, TOO_MANY_CROSSINGS
    doubtful = np.flatnonzero(~rejected & ~are_simple(x, y, offsets, boxes))
    broken = doubtful[~shapely.is_valid(polygons[doubtful])]
    polygons[broken] = apply_isolated(_repair, polygons[broken], failed=None)
    problems[broken[shapely.is_missing(polygons[broken])]] = REPAIR_FAILED

    areas = np.nan_to_num(shapely.area(polygons))
    solid = _are_clear(areas, boxes)
    solid[broken] = False  # their polygons have other boxes
    flat = np.flatnonzero(~solid & ~shapely.is_missing(polygons))
    flat = flat[~have_area(polygons[flat])]
    polygons[flat], areas[flat] = None, 0.0
    for path in flat:
        points = np.unique(rings[ring_offsets[path] : ring_offsets[path + 1]], axis=0)
        problems[path] = TOO_FEW_POINTS if len(points) < 3 else NO_AREA
    return RepairedPolygons(polygons, areas, problems)


def path_problems(x: ArrayLike, y: ArrayLike, offsets: ArrayLike) -> NDArray[Any]:
    """Return why paths cannot become polygons, without making the polygons if the answer is clear.

    By the shoelace formula, the signed area of an outline is the sum of the areas of its faces, each times
    its winding number. If it is far from zero, the repaired outline has an area too, unless the outline
    crosses itself too often or turns back on itself: GEOS may then mistake on which side of an edge the
    interior is.

    Parameters
    ----------
    x, y, offsets : array_like
        As for `polygons_from_ragged`.

    Returns
    -------
    ndarray of str, shape (n,)
        The `problems` of `polygons_from_ragged`.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    starts = np.asarray(offsets, dtype=np.int64)
    problems = np.full(len(starts) - 1, None, dtype=object)
    clear = np.zeros(len(problems), dtype=np.bool_)
    with np.errstate(over="ignore", invalid="ignore"):  # paths that overflow are doubtful too
        for first, end in pairwise(runs_of_equal(starts[:-1] // _POINTS_AT_ONCE)):
            some = slice(starts[first], starts[end])
            paths = x[some], y[some], starts[first : end + 1] - starts[first]
            clear[first:end] = _have_clear_orientation(*paths) & ~_have_spikes_or_repeats(*paths)
    clear[clear] = ~too_many_crossings(x, y, starts[:-1][clear], np.diff(starts)[clear])
    doubtful = np.flatnonzero(~clear)
    points = positions_of(starts[doubtful], np.diff(starts)[doubtful])
    among_doubtful = offsets_of(np.diff(starts)[doubtful])
    problems[doubtful] = polygons_from_ragged(x[points], y[points], among_doubtful).problems
    return problems


def _have_clear_orientation(x: Floats, y: Floats, starts: Ints) -> Flags:
    """Return which paths have a signed area that is large for their box, and usable coordinates."""
    counts = np.diff(starts)
    clear = np.zeros(len(counts), dtype=np.bool_)
    filled = np.flatnonzero(counts >= 3)
    if not len(filled):
        return clear
    if len(filled) < len(counts):
        points = positions_of(starts[:-1][filled], counts[filled])
        x, y = x[points], y[points]
        counts = counts[filled]
        starts = offsets_of(counts)
    begins, boxes = starts[:-1], _boxes(x, y, starts)
    # Relative to the first point, so that an outline far from the origin loses no digits.
    x, y = (values - np.repeat(values[begins], counts) for values in (x, y))
    cross = np.zeros(len(x))
    cross[:-1] = x[:-1] * y[1:] - x[1:] * y[:-1]
    cross[begins[1:] - 1] = 0.0  # from one path to the next; closing a path adds 0, from and to the origin
    area = np.abs(np.add.reduceat(cross, begins)) / 2
    within = np.all(np.abs(boxes) <= LARGEST_COORDINATE, axis=0)
    clear[filled] = within & _are_clear(area, boxes)
    return clear


def _boxes(x: Floats, y: Floats, offsets: Ints) -> Floats:
    """Return the least x and y and the largest x and y of each path; 0 for a path without points."""
    filled = np.flatnonzero(np.diff(offsets))
    boxes = np.zeros((4, len(offsets) - 1))
    if len(filled):
        begins = offsets[filled]
        boxes[:, filled] = [
            extreme.reduceat(values, begins) for extreme in (np.minimum, np.maximum) for values in (x, y)
        ]
    return boxes


def _are_clear(areas: Floats, boxes: Floats) -> Flags:
    """Return which areas cannot be rounding, by the boxes of their outlines."""
    left, low, right, high = boxes
    reach = right - left + high - low
    size = np.max(np.abs(boxes), axis=0)
    return np.asarray((areas > _CLEAR_SHARE * reach**2) & (reach > _CLEAR_SHARE * size))


def _have_spikes_or_repeats(x: Floats, y: Floats, starts: Ints) -> Flags:
    """Return which paths, closed, leave a point in the direction they came from, or repeat it."""
    turning = np.zeros(len(starts) - 1, np.bool_)
    along_x, along_y = np.diff(x), np.diff(y)
    back = along_x[:-1] * along_y[1:] == along_y[:-1] * along_x[1:]
    straight = np.flatnonzero(back)
    ahead = along_x[straight] * along_x[straight + 1] + along_y[straight] * along_y[straight + 1]
    middle = straight[ahead <= 0] + 1
    path = np.searchsorted(starts, middle, side="right") - 1
    inside = (middle > starts[path]) & (middle < starts[path + 1] - 1)
    turning[path[inside]] = True
    filled = np.flatnonzero(np.diff(starts) > 2)
    first, last = starts[filled], starts[filled + 1] - 1
    last = last - ((x[first] == x[last]) & (y[first] == y[last]))
    for before, top, after in ((last, first, first + 1), (last - 1, last, first)):
        to_x, to_y, from_x, from_y = (
            x[top] - x[before],
            y[top] - y[before],
            x[after] - x[top],
            y[after] - y[top],
        )
        back = (to_x * from_y == to_y * from_x) & (to_x * from_x + to_y * from_y <= 0)
        turning[filled[back]] = True
    return turning


def polygons_from_paths(
    xs: Iterable[ArrayLike | Iterable[float]],
    ys: Iterable[ArrayLike | Iterable[float]],
    *,
    engine: EngineName = "auto",
) -> NDArray[Any]:
    """Return one polygon for each drawn path.

    Unclosed paths are closed. A path that crosses or touches itself is repaired by GEOS (`buffer(0)`), and
    its largest part is kept, the first on ties.

    Parameters
    ----------
    xs, ys : iterables of n iterables of float
        The coordinates of each path in pixels; `[x]` and `[y]` for a single path.
    engine : {"auto", "shapely", "compiled"}
        As for `contours`; every engine repairs outlines in the same way.

    Returns
    -------
    ndarray of shapely.Polygon, shape (n,)
        Valid. None if a path is empty, has no area, cannot be repaired, or contains a coordinate that is
        missing, not finite or beyond 1e9. An empty array for no paths.

    Raises
    ------
    ValueError
        If `xs` and `ys`, or the x and y of a path, differ in length, if a path is not a list of numbers (the
        message names its index), or if `engine` is unknown.

    Examples
    --------
    >>> from polyframe import geometry
    >>> square, line = geometry.polygons_from_paths([[0, 2, 2, 0], [0, 1, 2]], [[0, 0, 2, 2], [0, 1, 2]])
    >>> square.area, line is None
    (4.0, True)
    """
    engine_for(engine, np.empty(0, dtype=object), is_quadratic=False)
    x_paths = [_as_path("xs", index, x) for index, x in enumerate(list_of_items("xs", xs))]
    y_paths = [_as_path("ys", index, y) for index, y in enumerate(list_of_items("ys", ys))]
    if len(x_paths) != len(y_paths):
        raise ValueError(f"xs has {counted(len(x_paths), 'path')}, but ys has {len(y_paths)}")
    for index, (x, y) in enumerate(zip(x_paths, y_paths, strict=True)):
        if len(x) != len(y):
            raise ValueError(
                f"path {index}: {counted(len(x), 'x coordinate')}, but {counted(len(y), 'y coordinate')}"
            )
    if not x_paths:
        return np.empty(0, dtype=object)
    offsets = offsets_of([len(x) for x in x_paths])
    return polygons_from_ragged(np.concatenate(x_paths), np.concatenate(y_paths), offsets).polygons


def _as_path(name: str, index: int, values: Any) -> Floats:
    try:
        path = np.asarray(list(values) if isinstance(values, Iterator) else values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name}[{index}] is not a list of numbers") from None
    if path.ndim != 1:
        kind = f"of shape {path.shape}" if path.ndim else repr(values)
        raise ValueError(
            f"{name}[{index}] is {kind}, not the coordinates of a path; "
            "pass lists of paths, [x] and [y] for a single one"
        )
    return path


def _close(x: Floats, y: Floats, offsets: Ints) -> tuple[Floats, Ints]:
    """Return the points of paths, each with its first point repeated at its end, and the offsets."""
    first, last = offsets[:-1], offsets[1:] - 1
    open_ended = (x[first] != x[last]) | (y[first] != y[last])
    first, after = first[open_ended], offsets[1:][open_ended]
    rings = np.empty((len(x) + len(first), 2))
    rings[:, 0] = np.insert(x, after, x[first])
    rings[:, 1] = np.insert(y, after, y[first])
    return rings, offsets_of(np.diff(offsets) + open_ended)


def _repair(polygons: NDArray[Any]) -> NDArray[Any]:
    repaired = largest_parts(shapely.buffer(polygons, 0))
    # Rounding may make an outline cross itself again. The parts that this drops have next to no area.
    again = ~shapely.is_valid(repaired) & ~shapely.is_missing(repaired)
    repaired[again] = largest_parts(shapely.buffer(repaired[again], 0))
    return repaired
