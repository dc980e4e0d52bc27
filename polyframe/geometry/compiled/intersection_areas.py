"""Compute the intersection areas of pairs of polygons by plane sweep: the engine `compiled`.

Each polygon is cut into slabs once (`slab_decomposition`). A sweep line moves upwards through the slabs of
both polygons of a pair, merged by y. Between two events the interior of each polygon is a row of trapezoids,
and the area that two trapezoids share has a closed form, since their sides are linear in y. No intersection
polygon is built, so no topology can fail. A pair takes time in proportion to its vertices.

References
----------
M. de Berg, O. Cheong, M. van Kreveld and M. Overmars, "Computational Geometry: Algorithms and Applications",
3rd edition (2008), chapter 2: plane sweep.
"""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from polyframe.core.arrays import Floats, Ints
from polyframe.geometry.compiled.numba_jit import compiled, compiled_inner
from polyframe.geometry.compiled.slab_decomposition import (
    PolygonRings,
    Sides,
    Slabs,
    rings_of,
    sides_of,
    sides_per_polygon,
    slabs_of,
)

#: Vertices of a block of polygons. Pairs are processed by pairs of blocks, which fit into the caches.
_BLOCK = 1 << 16

#: Sides in memory at the same time (16 bytes each). An ordinary mark has one or two per vertex.
_MOST_SIDES = 1 << 22


def sweep_intersection_areas(polygons: NDArray[Any], left: Ints, right: Ints) -> Floats:
    """Return intersection areas by plane sweep: the engine `compiled`.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Valid; may have holes.
    left, right : ndarray of int, shape (p,)
        Positions in `polygons`. Pairs that share polygons save work.

    Returns
    -------
    ndarray of float64, shape (p,)
        0 if a polygon is None, empty or not finite. The area of a pair depends, to the last bit, only on the
        two polygons, not on their order or on other pairs.

    Notes
    -----
    Memory is bounded: about 20 MB for ordinary marks, and never more than `_MOST_SIDES` sides. A pair with
    more (polygons of thousands of long strokes) is cut into bands.
    """
    areas = np.zeros(len(left))
    vertices = np.cumsum(shapely.get_num_coordinates(polygons))
    block = vertices // _BLOCK
    tile = np.minimum(block[left], block[right]) * len(block) + np.maximum(block[left], block[right])
    order = np.argsort(tile, kind="stable")
    for pairs in np.split(order, np.flatnonzero(np.diff(tile[order])) + 1):
        areas[pairs] = _areas_of_tile(polygons, left[pairs], right[pairs])
    return areas


def _areas_of_tile(polygons: NDArray[Any], left: Ints, right: Ints) -> Floats:
    used, places = np.unique(np.concatenate([left, right]), return_inverse=True)
    rings = rings_of(polygons[used])
    slabs = slabs_of(rings)
    one, other = places[: len(left)], places[len(left) :]
    if slabs.side_offsets[-1] <= _MOST_SIDES:
        return _shared_areas(slabs, sides_of(rings, slabs), one, other)
    if len(left) == 1:
        return _area_in_bands(rings, slabs, one, other)
    parts = zip(np.array_split(left, 2), np.array_split(right, 2), strict=True)
    return np.concatenate([_areas_of_tile(polygons, *part) for part in parts])


def _area_in_bands(rings: PolygonRings, slabs: Slabs, one: Ints, other: Ints) -> Floats:
    """Return the intersection area of a pair, by cutting the one with more sides in half until both fit."""
    if np.any(slabs.number == 0):
        return np.zeros(1)
    bottom = slabs.y[slabs.first] + slabs.origin[:, 1]
    top = slabs.y[slabs.first + slabs.number] + slabs.origin[:, 1]
    if bottom.max() >= top.min():
        return np.zeros(1)
    sides_each = sides_per_polygon(slabs)
    heavier = int(np.argmax(sides_each))
    if sides_each.sum() <= _MOST_SIDES or slabs.number[heavier] < 2:
        return _shared_areas(slabs, sides_of(rings, slabs), one, other)
    lower, upper = _split_slabs(slabs, heavier)
    return _area_in_bands(rings, lower, one, other) + _area_in_bands(rings, upper, one, other)


def _split_slabs(slabs: Slabs, polygon: int) -> tuple[Slabs, Slabs]:
    """Return slabs with only the lower part of one polygon, and with only its upper part.

    Both parts have about the same number of sides. The polygon must have at least two slabs.
    """
    first, number = slabs.first[polygon], slabs.number[polygon]
    offsets = slabs.side_offsets[first : first + number + 1]
    below = int(np.searchsorted(offsets[1:-1], (offsets[0] + offsets[-1]) // 2)) + 1
    below = min(below, number - 1)
    lower = slabs._replace(number=slabs.number.copy())
    upper = slabs._replace(first=slabs.first.copy(), number=slabs.number.copy())
    lower.number[polygon] = below
    upper.first[polygon] += below
    upper.number[polygon] -= below
    return lower, upper


@compiled
def _shared_areas(slabs: Slabs, sides: Sides, one: Ints, other: Ints) -> Floats:
    starts, number, y, offsets = slabs.first, slabs.number, slabs.y, slabs.side_offsets
    origin, extent = slabs.origin, slabs.extent
    x, slope, shift = sides.x, sides.slope, sides.shift
    areas = np.zeros(len(one))
    for pair in range(len(one)):
        a, b = one[pair], other[pair]
        # Coordinates are those of the smaller polygon, so that the order of the two does not matter.
        if extent[a] > extent[b] or (extent[a] == extent[b] and a > b):
            a, b = b, a
        dx, dy = origin[b, 0] - origin[a, 0], origin[b, 1] - origin[a, 1]
        i, j = starts[a], starts[b]
        end_i, end_j = i + number[a], j + number[b]
        if i == end_i or j == end_j or y[end_i] <= y[j] + dy or y[end_j] + dy <= y[i]:
            continue
        bottom = max(y[i], y[j] + dy)
        i, j = _slab_at(y, i, end_i, 0.0, bottom), _slab_at(y, j, end_j, dy, bottom)
        area = 0.0
        while i < end_i and j < end_j:
            top_a, top_b = y[i + 1], y[j + 1] + dy
            top = min(top_a, top_b)
            height = top - bottom
            up_a, up_b = bottom - y[i], bottom - (y[j] + dy)
            p, end_p = offsets[i] + shift[a], offsets[i + 1] + shift[a]
            q, end_q = offsets[j] + shift[b], offsets[j + 1] + shift[b]
            if end_p - p == 2 and end_q - q == 2:  # nearly always
                la0, lb0 = x[p] + slope[p] * up_a, x[q] + slope[q] * up_b + dx
                ra0, rb0 = x[p + 1] + slope[p + 1] * up_a, x[q + 1] + slope[q + 1] * up_b + dx
                la1, lb1 = la0 + slope[p] * height, lb0 + slope[q] * height
                ra1, rb1 = ra0 + slope[p + 1] * height, rb0 + slope[q + 1] * height
                area += height * _overlap(la0, la1, ra0, ra1, lb0, lb1, rb0, rb1)
            else:
                area += height * _overlap_of_rows(x, slope, p, end_p, q, end_q, up_a, up_b, dx, height)
            bottom = top
            i += top_a <= top
            j += top_b <= top
        areas[pair] = 0.5 * area
    return areas


@compiled_inner
def _slab_at(y: Floats, first: int, last: int, shift: float, level: float) -> int:
    """Return the slab from `first` to `last` - 1 that contains `level`, or `first` if it is below them."""
    while last - first > 1:
        middle = (first + last) // 2
        if y[middle] + shift <= level:
            first = middle
        else:
            last = middle
    return first


@compiled_inner
def _overlap_of_rows(
    x: Floats,
    slope: Floats,
    p: int,
    end_p: int,
    q: int,
    end_q: int,
    up_a: float,
    up_b: float,
    dx: float,
    height: float,
) -> float:
    """Return the overlap of two rows of trapezoids, each sorted from left to right."""
    total = 0.0
    for left_a in range(p, end_p, 2):
        la0 = x[left_a] + slope[left_a] * up_a
        ra0 = x[left_a + 1] + slope[left_a + 1] * up_a
        la1, ra1 = la0 + slope[left_a] * height, ra0 + slope[left_a + 1] * height
        for left_b in range(q, end_q, 2):
            lb0 = x[left_b] + slope[left_b] * up_b + dx
            lb1 = lb0 + slope[left_b] * height
            if ra0 <= lb0 and ra1 <= lb1:
                break
            rb0 = x[left_b + 1] + slope[left_b + 1] * up_b + dx
            rb1 = rb0 + slope[left_b + 1] * height
            if rb0 <= la0 and rb1 <= la1:
                q = left_b + 2  # also left of all further trapezoids of the other row
            else:
                total += _overlap(la0, la1, ra0, ra1, lb0, lb1, rb0, rb1)
    return total


@compiled_inner
def _overlap(
    la0: float, la1: float, ra0: float, ra1: float, lb0: float, lb1: float, rb0: float, rb1: float
) -> float:
    """Return twice the area that two trapezoids of height 1 share.

    Their left sides run from la0 and lb0 at the bottom to la1 and lb1 at the top, their right sides from ra0
    and rb0 to ra1 and rb1.
    """
    width0 = min(ra0, rb0) - max(la0, lb0)
    width1 = min(ra1, rb1) - max(la1, lb1)
    if min(width0, width1) < 0.0:
        return _overlap_of_crossing(la0, la1, ra0, ra1, lb0, lb1, rb0, rb1)
    # The width is concave, so nowhere negative. If two sides cross, it is larger by a triangle.
    width = width0 + width1
    left0, left1 = la0 - lb0, la1 - lb1
    if left0 * left1 < 0.0:
        width -= left0 * left1 / abs(left0 - left1)
    right0, right1 = ra0 - rb0, ra1 - rb1
    if right0 * right1 < 0.0:
        width -= right0 * right1 / abs(right0 - right1)
    return width


@compiled_inner
def _overlap_of_crossing(
    la0: float, la1: float, ra0: float, ra1: float, lb0: float, lb1: float, rb0: float, rb1: float
) -> float:
    """Do the same if the width is negative somewhere: cut where sides cross, and add up positive widths."""
    left0, left1, right0, right1 = la0 - lb0, la1 - lb1, ra0 - rb0, ra1 - rb1
    cut_left = left0 / (left0 - left1) if left0 * left1 < 0.0 else 1.0
    cut_right = right0 / (right0 - right1) if right0 * right1 < 0.0 else 1.0
    area = below = 0.0
    width = min(ra0, rb0) - max(la0, lb0)
    for cut in (min(cut_left, cut_right), max(cut_left, cut_right), 1.0):
        left = max(la0 + cut * (la1 - la0), lb0 + cut * (lb1 - lb0))
        right = min(ra0 + cut * (ra1 - ra0), rb0 + cut * (rb1 - rb0))
        if width > 0.0 or right > left:
            wider, narrower = max(width, right - left), min(width, right - left)
            whole = wider + narrower if narrower >= 0.0 else wider * wider / (wider - narrower)
            area += (cut - below) * whole
        width, below = right - left, cut
    return area
