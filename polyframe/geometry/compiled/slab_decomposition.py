"""Cut polygons into horizontal slabs, in which they are rows of trapezoids (compiled).

The distinct y values of a polygon's vertices cut it into *slabs*. No vertex is inside a slab, so the interior
of the polygon there is a row of trapezoids, each between two *sides* that do not cross. The edges of interior
rings are sides too. All polygons are in flat arrays, one after another.

References
----------
M. de Berg, O. Cheong, M. van Kreveld and M. Overmars, "Computational Geometry: Algorithms and Applications",
3rd edition (2008), chapter 6: slabs.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from polyframe.core.arrays import Floats, Ints
from polyframe.core.ragged import offsets_of
from polyframe.geometry.compiled.numba_jit import compiled, compiled_inner
from polyframe.geometry.polygon_parts import flat_rings

Ranks = NDArray[np.int32]

#: Boxes beyond these limits have areas that a float cannot represent; within them nothing here overflows.
_LEAST_SIZE, _LARGEST_SIZE = 1e-290, 1e290
_LARGEST_SLOPE = 1e300

#: Rows of more sides than this are sorted in arrays of their own.
_SHORT_ROW = 16


class PolygonRings(NamedTuple):
    """The rings of n polygons.

    Attributes
    ----------
    xy : (v, 2) float64
        The vertices; the last one of each ring repeats its first.
    ring_offsets : (r + 1,) int64
        The offset of each ring in `xy`.
    polygon_rings : (n + 1,) int64
        The first ring of each polygon.
    """

    xy: Floats
    ring_offsets: Ints
    polygon_rings: Ints


class Slabs(NamedTuple):
    """The slabs of n polygons, and the number of their sides.

    Coordinates are relative to an origin near each polygon, so that a small outline far away keeps its
    precision. Origins are multiples of a power of two above the polygon's width or height. So subtracting an
    origin, or the difference of two, is nearly always exact, and vertices with the same y keep the same y.

    Attributes
    ----------
    first : (n,) int64
        The offset of each polygon in `y` and `side_offsets`.
    slabs : (n,) int64
        The number of slabs of each polygon; 0 if it is empty or not finite.
    y : (v,) float64
        Slab `k` of all slabs is between `y[k]` and `y[k + 1]`. Between the slabs of two polygons there may be
        unused places.
    rank : (v,) int32
        The rank of each vertex's y among those of its polygon.
    side_offsets : (v + 1,) int64
        The sides of slab `k` are numbered from `side_offsets[k]` to `side_offsets[k + 1] - 1`.
    origin : (n, 2) float64
        What was subtracted from x and from y.
    extent : (n,) float64
        The longer side of the polygon's box, rounded up to a power of two.
    """

    first: Ints
    number: Ints
    y: Floats
    rank: Ranks
    side_offsets: Ints
    origin: Floats
    extent: Floats


class Sides(NamedTuple):
    """The sides of n polygons, from left to right in each slab.

    Attributes
    ----------
    x : (s,) float64
        The x of each side at the bottom of its slab.
    slope : (s,) float64
        Change of x with y.
    shift : (n,) int64
        The difference between the place of a side here and its number, for each polygon.
    """

    x: Floats
    slope: Floats
    shift: Ints


def rings_of(polygons: NDArray[Any]) -> PolygonRings:
    """Return the rings of polygons or multipolygons; other, missing and empty geometries have none."""
    if not np.any(shapely.get_type_id(polygons) == shapely.GeometryType.MULTIPOLYGON):
        return PolygonRings(*flat_rings(polygons))
    parts, owner = shapely.get_parts(polygons, return_index=True)
    coordinates, rings, rings_of_parts = flat_rings(parts)
    return PolygonRings(
        coordinates, rings, rings_of_parts[np.searchsorted(owner, np.arange(len(polygons) + 1))]
    )


def slabs_of(rings: PolygonRings) -> Slabs:
    """Return the slabs of polygons and count their sides, in O(v) time for v evenly spread vertices."""
    count, vertices = len(rings.polygon_rings) - 1, len(rings.xy)
    slabs = Slabs(
        first=rings.ring_offsets[rings.polygon_rings[:-1]],
        number=np.zeros(count, np.int64),
        y=np.empty(vertices),
        rank=np.empty(vertices, np.int32),
        side_offsets=np.zeros(vertices + 1, np.int64),
        origin=np.zeros((count, 2)),
        extent=np.ones(count),
    )
    _fill_slabs(rings, slabs)
    return slabs


def sides_of(rings: PolygonRings, slabs: Slabs) -> Sides:
    """Return the sides of polygons; 16 bytes per side."""
    counts = sides_per_polygon(slabs)
    places = offsets_of(counts)
    shift = places[:-1] - slabs.side_offsets[slabs.first] if len(counts) else counts
    sides = Sides(np.empty(places[-1]), np.empty(places[-1]), shift)
    _fill_sides(rings, slabs, sides)
    return sides


def sides_per_polygon(slabs: Slabs) -> Ints:
    """Return the number of sides of each polygon in all its slabs, (n,) int64."""
    counts: Ints = slabs.side_offsets[slabs.first + slabs.number] - slabs.side_offsets[slabs.first]
    return counts


@compiled
def _fill_slabs(rings: PolygonRings, slabs: Slabs) -> None:
    xy, ring_offsets, polygon_rings = rings.xy, rings.ring_offsets, rings.polygon_rings
    first, number, rank, side_offsets = slabs.first, slabs.number, slabs.rank, slabs.side_offsets
    origin, extent = slabs.origin, slabs.extent
    total = 0
    for polygon in range(len(number)):
        start, end = first[polygon], ring_offsets[polygon_rings[polygon + 1]]
        if start < end and _choose_origin(xy, start, end, origin[polygon], extent[polygon : polygon + 1]):
            number[polygon] = _rank(
                xy[start:end, 1] - origin[polygon, 1], slabs.y[start:end], rank[start:end]
            )
            # Each edge adds a side from the slab above its lower end to the slab below its upper end.
            for ring in range(polygon_rings[polygon], polygon_rings[polygon + 1]):
                for vertex in range(ring_offsets[ring], ring_offsets[ring + 1] - 1):
                    lower = min(rank[vertex], rank[vertex + 1])
                    upper = max(rank[vertex], rank[vertex + 1])
                    side_offsets[start + lower + 1] += 1
                    side_offsets[start + upper + 1] -= 1
        sides = 0
        for place in range(start, end):
            sides += side_offsets[place + 1]
            total += sides
            side_offsets[place + 1] = total


@compiled_inner
def _choose_origin(xy: Floats, start: int, end: int, origin: Floats, extent: Floats) -> bool:
    """Set origin and extent; return False if the outline is not finite or has no width or height."""
    left = right = xy[start, 0]
    bottom = top = xy[start, 1]
    finite = True
    for vertex in range(start, end):
        x, y = xy[vertex, 0], xy[vertex, 1]
        finite &= math.isfinite(x) and math.isfinite(y)
        left, right = min(left, x), max(right, x)
        bottom, top = min(bottom, y), max(top, y)
    least, largest = min(right - left, top - bottom), max(right - left, top - bottom)
    if not (finite and least > _LEAST_SIZE and largest < _LARGEST_SIZE):
        return False
    unit_x = math.ldexp(1.0, math.frexp(right - left)[1])
    unit_y = math.ldexp(1.0, math.frexp(top - bottom)[1])
    origin[0], origin[1] = np.floor(left / unit_x) * unit_x, np.floor(bottom / unit_y) * unit_y
    extent[0] = max(unit_x, unit_y)
    return True


@compiled_inner
def _rank(y: Floats, distinct: Floats, rank: Ranks) -> int:
    """Sort y into `distinct`, set the rank of each value in it, and return the largest rank.

    A bucket sort: with as many equal buckets as values, most buckets contain about one, and the sort within
    the buckets moves little.
    """
    count = len(y)
    bottom = top = y[0]
    for vertex in range(count):
        bottom, top = min(bottom, y[vertex]), max(top, y[vertex])
    scale = count / (top - bottom)
    ends = np.zeros(count + 1, np.int32)
    for vertex in range(count):
        ends[min(int((y[vertex] - bottom) * scale), count - 1) + 1] += 1
    fullest = 0
    for bucket in range(count):
        fullest = max(fullest, ends[bucket + 1])
        ends[bucket + 1] += ends[bucket]
    keys, order = np.empty(count), np.empty(count, np.int32)
    for vertex in range(count):
        bucket = min(int((y[vertex] - bottom) * scale), count - 1)
        place = ends[bucket]
        ends[bucket] = place + 1
        keys[place] = y[vertex]
        order[place] = vertex
    _sort(keys, order, fullest)
    last = 0
    distinct[0] = keys[0]
    for place in range(count):
        last += keys[place] != distinct[last]
        distinct[last] = keys[place]
        rank[order[place]] = last
    return last


@compiled_inner
def _sort(keys: Floats, order: Ranks, reach: int) -> None:
    """Sort keys, and order along with them, if every key is less than `reach` from its place.

    An insertion sort for a small `reach`, a Shell sort for a large one.
    """
    gap = max(reach // 8, 1)
    while gap > 0:
        for place in range(gap, len(keys)):
            key, companion = keys[place], order[place]
            free = place
            while free >= gap and keys[free - gap] > key:
                keys[free] = keys[free - gap]
                order[free] = order[free - gap]
                free -= gap
            keys[free] = key
            order[free] = companion
        gap = max(gap * 5 // 11, 1) if gap > 1 else 0


@compiled
def _fill_sides(rings: PolygonRings, slabs: Slabs, sides: Sides) -> None:
    xy, ring_offsets, polygon_rings = rings.xy, rings.ring_offsets, rings.polygon_rings
    first, number, y, rank, origin = slabs.first, slabs.number, slabs.y, slabs.rank, slabs.origin
    x, slope = sides.x, sides.slope
    for polygon in range(len(number)):
        begin, end = first[polygon], first[polygon] + number[polygon]
        if begin == end:
            continue
        start = ring_offsets[polygon_rings[polygon]]
        offsets = slabs.side_offsets[begin : end + 1] + sides.shift[polygon]
        free = offsets.copy()
        for ring in range(polygon_rings[polygon], polygon_rings[polygon + 1]):
            for vertex in range(ring_offsets[ring], ring_offsets[ring + 1] - 1):
                lower, upper = vertex, vertex + 1
                if rank[lower] > rank[upper]:
                    lower, upper = upper, lower
                if rank[lower] == rank[upper]:
                    continue
                at_x, at_y = xy[lower, 0] - origin[polygon, 0], xy[lower, 1] - origin[polygon, 1]
                rise_x = xy[upper, 0] - origin[polygon, 0] - at_x
                rise_y = xy[upper, 1] - origin[polygon, 1] - at_y
                lean = rise_x / rise_y
                if not abs(lean) < _LARGEST_SLOPE:  # next to no height
                    lean = 0.0
                for slab in range(max(start + rank[lower], begin), min(start + rank[upper], end)):
                    place = free[slab - begin]
                    free[slab - begin] = place + 1
                    x[place] = at_x + lean * (y[slab] - at_y)
                    slope[place] = lean
        _order_sides(x, slope, offsets, y[begin : end + 1])


@compiled_inner
def _order_sides(x: Floats, slope: Floats, offsets: Ints, y: Floats) -> None:
    """Sort the sides of each slab of a polygon from left to right by their x half way up."""
    for slab in range(len(y) - 1):
        one, end = offsets[slab], offsets[slab + 1]
        half = 0.5 * (y[slab + 1] - y[slab])
        if end - one > _SHORT_ROW:
            _sort_sides(x[one:end], slope[one:end], half)
            continue
        for side in range(one + 1, end):
            at, lean = x[side], slope[side]
            key = at + lean * half
            free = side
            while free > one and x[free - 1] + slope[free - 1] * half > key:
                x[free], slope[free] = x[free - 1], slope[free - 1]
                free -= 1
            x[free], slope[free] = at, lean


@compiled_inner
def _sort_sides(x: Floats, slope: Floats, half: float) -> None:
    count = len(x)
    keys, order = np.empty(count), np.empty(count, np.int32)
    for side in range(count):
        keys[side] = x[side] + slope[side] * half
        order[side] = side
    _sort(keys, order, count)
    old_x, old_slope = x.copy(), slope.copy()
    for side in range(count):
        x[side] = old_x[order[side]]
        slope[side] = old_slope[order[side]]
