"""Compute the intersection areas of pairs of polygons from the crossings of their outlines, with NumPy.

The boundary of the intersection of A and B consists of the stretches of A's outline inside B and of B's
outline inside A. Its area is half the sum of cross products along these stretches. Running totals of the
cross products along each outline give the part of the sum from a crossing to the end of the outline. This
part is added if the outline enters the other polygon at the crossing, and subtracted if it leaves. So the
area is a sum over crossings, in any order, and no intersection polygon is built. One vertex of one outline is
tested against the other polygon.

Outlines that touch or share stretches are no special case: B is infinitesimally shifted to the right, and
even less up, which changes no area (simulation of simplicity). On which side of a segment a point is has to
be exact. If rounding leaves it open, GEOS computes the area of the pair.

Running totals and areas are added up as integers, so that the area of a pair depends, to the last bit, only
on the two polygons.

References
----------
W. R. Franklin, "Efficient polyhedron intersection and union", Graphics Interface (1982): areas of
intersections by sums over crossings.
H. Edelsbrunner and E. P. Mücke, "Simulation of simplicity", ACM Transactions on Graphics 9 (1990).
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Floats, Ints, ShortInts
from polyframe.core.ragged import offsets_of, positions_of, runs_of_equal
from polyframe.core.task_reports import in_pieces
from polyframe.geometry.distances import shapely_intersection_areas
from polyframe.geometry.exact_sides import Sides, is_left, sides_of_lines
from polyframe.geometry.segment_pairs import overlapping_boxes

#: Polygons are divided into parts of so many vertices, and pairs are processed by the parts of both.
_CHUNK_VERTICES = 100_000

#: Edges that are tested against a point at the same time, about 100 bytes each.
_CHUNK_EDGES = 1 << 19

#: Coordinates beyond this, or extents below its inverse, might overflow or underflow; GEOS takes them.
_LARGEST = 2.0**200


@dataclass(frozen=True)
class _Outlines:
    """Closed outlines, anticlockwise from the leftmost vertex (the lowest of several).

    Attributes
    ----------
    x, y : ndarray of float64, shape (v,)
    offsets : ndarray of int64, shape (n + 1,)
        Outline i is `x[offsets[i]:offsets[i + 1]]`, the first vertex repeated at its end.
    right, low, high : ndarray of float64, shape (n,)
        The sides of their boxes; the left side is the first vertex.
    swept : ndarray of float64, shape (v,)
        The area swept by the line from the first vertex, up to each vertex.
    area : ndarray of float64, shape (n,)
    """

    x: Floats
    y: Floats
    offsets: Ints
    right: Floats
    low: Floats
    high: Floats
    swept: Floats
    area: Floats


@dataclass(frozen=True)
class _Sums:
    """The pairs of polygons, as sorted keys, and the sums of their areas in units of `2 ** -digits`."""

    keys: Ints
    digits: Ints
    total: Ints
    uncertain: Flags


@dataclass(frozen=True)
class MeetingEdges:
    """Edges of two rings that meet: all that cross or touch, and perhaps a few more.

    Rings are numbered as `shapely.get_rings` lists them, without those of polygons that are not
    `fit_for_crossings`. Edges are numbered from the first vertex of `anticlockwise_rings`.

    Attributes
    ----------
    ring, edge, other_ring, other_edge : ndarray of int32, shape (k,)
    """

    ring: ShortInts
    edge: ShortInts
    other_ring: ShortInts
    other_edge: ShortInts


def crossing_intersection_areas(
    polygons: NDArray[Any], left: Ints, right: Ints, record: list[MeetingEdges] | None = None
) -> Floats:
    """Return intersection areas by crossings of outlines; the few that are difficult by GEOS.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Valid; may have holes.
    left, right : ndarray of int, shape (p,)
        Positions in `polygons`. It is faster if pairs that share polygons are near each other in the arrays,
        and polygons of such pairs in `polygons`.
    record : list of MeetingEdges, optional
        Receives the edges of all pairs that meet, for all that have to know them.

    Returns
    -------
    ndarray of float64, shape (p,)
        0 if a polygon is empty or None. The area of a pair depends, to the last bit, only on the two polygons
        (and on which one is first in `polygons`, if GEOS computes it), not on other pairs.
    """
    usable = fit_for_crossings(polygons)
    solid = polygons.copy()
    solid[~usable] = None
    # Holes count as negative: the areas that rings share are added up with their signs, in the order of size.
    rings, owner = shapely.get_rings(solid, return_index=True)
    number = np.bincount(owner, minlength=len(polygons))
    first = offsets_of(number)[:-1]
    counts = number[left] * number[right]
    pair, place = np.repeat(np.arange(len(left)), counts), positions_of(0, counts)
    row, column = np.divmod(place, number[right][pair])
    shared, uncertain = _areas_of_rings(rings, first[left][pair] + row, first[right][pair] + column, record)
    shared = np.where((row == 0) == (column == 0), shared, -shared)
    order = np.lexsort((shared, pair)) if len(pair) > len(left) else slice(None)
    areas = np.zeros(len(left))  # what `bincount` returns for no rings at all is of integers
    areas += np.bincount(pair[order], shared[order], len(left))

    rest = ~(usable[left] & usable[right])
    rest[pair[uncertain]] = True
    by_geos = np.flatnonzero(rest)
    left, right = left[by_geos], right[by_geos]
    areas[by_geos] = shapely_intersection_areas(polygons, np.minimum(left, right), np.maximum(left, right))
    return np.maximum(areas, 0.0)


def fit_for_crossings(polygons: NDArray[Any]) -> Flags:
    """Return which geometries are polygons with coordinates that can neither overflow nor underflow."""
    usable = shapely.get_type_id(polygons) == shapely.GeometryType.POLYGON
    bounds = shapely.bounds(polygons).reshape(-1, 4)
    extent = np.minimum(bounds[:, 2] - bounds[:, 0], bounds[:, 3] - bounds[:, 1])
    # False if a bound is NaN.
    return np.asarray(usable & (np.abs(bounds).max(axis=1) < _LARGEST) & (extent > 1 / _LARGEST))


def _areas_of_rings(
    rings: NDArray[Any], left: Ints, right: Ints, record: list[MeetingEdges] | None
) -> tuple[Floats, Flags]:
    """Return the areas that pairs of rings share, and which of them are uncertain."""
    # Each pair once, sorted.
    low, high = np.minimum(left, right), np.maximum(left, right)
    keys, place = np.unique(low * len(rings) + high, return_inverse=True)
    low, high = np.divmod(keys, max(len(rings), 1))
    areas, uncertain = np.zeros(len(keys)), np.zeros(len(keys), dtype=np.bool_)
    part = np.cumsum(shapely.get_num_coordinates(rings)) // _CHUNK_VERTICES
    tile = part[low] * len(rings) + part[high]
    order = np.argsort(tile, kind="stable")
    for start, stop in in_pieces(runs_of_equal(tile[order]).tolist(), "pairs"):
        pairs = order[start:stop]
        areas[pairs], uncertain[pairs] = _areas_of_tile(rings, low[pairs], high[pairs], record)
    return areas[place], uncertain[place]


def _areas_of_tile(
    rings: NDArray[Any], low: Ints, high: Ints, record: list[MeetingEdges] | None
) -> tuple[Floats, Flags]:
    """Return the same for distinct pairs that are sorted, left before right."""
    used, places = np.unique(np.concatenate([low, high]), return_inverse=True)
    low, high = places[: len(low)], places[len(low) :]
    # Rings in different stretches of the array have nothing to do with each other.
    reach = np.maximum.accumulate(high)
    block = np.zeros(len(used), dtype=np.int64)
    block[low[1:][low[1:] > reach[:-1]]] = 1
    block = np.cumsum(block)
    outlines = _outlines_of(rings[used])
    # Which of two is A depends on their shapes: so equal polygons have equal areas with a third one.
    x, y = outlines.x[outlines.offsets[:-1]], outlines.y[outlines.offsets[:-1]]
    order = np.lexsort((outlines.high, outlines.right, outlines.low, outlines.area, y, x))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    swapped = rank[low] > rank[high]
    a, b = np.where(swapped, high, low), np.where(swapped, low, high)

    inside, uncertain = _first_vertex_inside(outlines, a, b)
    # Sums are counted in units so small that next to nothing is lost, but the sum of a pair fits.
    wide = outlines.right - x
    tall = outlines.high - outlines.low
    number = np.diff(outlines.offsets)
    most = (number[a] + number[b]) * (wide[a] + wide[b]) * (tall[a] + tall[b])
    digits = 61 - np.frexp(most)[1]
    total = np.zeros(len(a), dtype=np.int64)
    keys = low * len(used) + high
    sums = _Sums(keys, digits, total, uncertain)
    owner = np.repeat(np.arange(len(used)), number)
    for edge, other in _edges_near_others(outlines, owner, block, rank):
        edge, other = _add_crossings(outlines, owner, (edge, other), sums, record is not None)
        if record is not None:
            one, two = owner[edge], owner[other]
            first = outlines.offsets
            columns = used[one], edge - first[one], used[two], other - first[two]
            record.append(MeetingEdges(*(values.astype(np.int32) for values in columns)))
    areas = np.ldexp(total.astype(np.float64), -digits) + np.where(inside, outlines.area[b], 0.0)
    same = a == b
    areas[same] = outlines.area[a[same]]
    return np.clip(areas, 0.0, np.minimum(outlines.area[a], outlines.area[b])), uncertain & ~same


def anticlockwise_rings(rings: NDArray[Any]) -> NDArray[Any]:
    """Return rings, anticlockwise from the smallest vertex (by x, then y)."""
    # In normal form a polygon begins there, and runs clockwise.
    turned: NDArray[Any] = shapely.get_exterior_ring(
        shapely.reverse(shapely.normalize(shapely.polygons(rings)))
    )
    return turned


def _outlines_of(rings: NDArray[Any]) -> _Outlines:
    rings = anticlockwise_rings(rings)
    offsets = offsets_of(shapely.get_num_coordinates(rings))
    x, y = np.ascontiguousarray(shapely.get_coordinates(rings).T)
    first = offsets[:-1]
    right, low, high = (
        np.maximum.reduceat(x, first),
        np.minimum.reduceat(y, first),
        np.maximum.reduceat(y, first),
    )
    number = np.diff(offsets)
    across, up = x - np.repeat(x[first], number), y - np.repeat(y[first], number)
    cross = np.zeros(len(x))
    cross[1:] = (across[:-1] * up[1:] - across[1:] * up[:-1]) / 2
    cross[first] = 0.0
    # Running totals of integers are exact: those of one outline do not depend on the outlines before it. The
    # total over all outlines may wrap around, which differences undo.
    digits = 61 - np.frexp(number * (right - x[first]) * (high - low))[1]
    running = np.cumsum(np.rint(np.ldexp(cross, np.repeat(digits, number))).astype(np.int64))
    swept = np.ldexp(
        (running - np.repeat(running[first], number)).astype(np.float64), -np.repeat(digits, number)
    )
    return _Outlines(x, y, offsets, right, low, high, swept, swept[offsets[1:] - 1])


def _first_vertex_inside(outlines: _Outlines, a: Ints, b: Ints) -> tuple[Flags, Flags]:
    """Return whether the first vertex of B is inside A, for all pairs, and whether that is uncertain.

    B is shifted infinitesimally to the right and up. Nothing is on the left of the first vertex of A.
    """
    x, y, offsets = outlines.x, outlines.y, outlines.offsets
    px, py = x[offsets[b]], y[offsets[b]]
    uncertain = np.zeros(len(a), dtype=np.bool_)
    winding = np.zeros(len(a), dtype=np.int64)
    near = np.flatnonzero(
        (px <= outlines.right[a]) & (py >= outlines.low[a]) & (py <= outlines.high[a]) & (a != b)
    )
    counts = offsets[a[near] + 1] - offsets[a[near]] - 1
    for start, stop in itertools.pairwise(runs_of_equal(np.cumsum(counts) // _CHUNK_EDGES).tolist()):
        part, number = near[start:stop], counts[start:stop]
        pair, edge = np.repeat(part, number), positions_of(offsets[a[part]], number)
        # A ray to the right crosses edges that begin at or below the shifted point and end above it.
        begins_above, ends_above = y[edge] > py[pair], y[edge + 1] > py[pair]
        crossed = np.flatnonzero(begins_above != ends_above)
        pair, edge, upward = pair[crossed], edge[crossed], ends_above[crossed]
        side = sides_of_lines(x[edge], y[edge], x[edge + 1], y[edge + 1], px[pair], py[pair])
        on_left = side.side > 0
        on_left |= (side.side == 0) & ~upward
        np.add.at(winding, pair, np.where(on_left & upward, 1, 0) - np.where(~on_left & ~upward, 1, 0))
        uncertain[pair[side.uncertain]] = True
    return winding == 1, uncertain | (winding < 0) | (winding > 1)


def _edges_near_others(
    outlines: _Outlines, owner: Ints, block: Ints, rank: Ints
) -> Iterator[tuple[Ints, Ints]]:
    """Yield pairs of edges of different polygons whose boxes overlap, the one of A first."""
    x, y = outlines.x, outlines.y
    edges = np.flatnonzero((owner[1:] == owner[:-1]) & ((x[1:] != x[:-1]) | (y[1:] != y[:-1])))
    boxes = (
        np.minimum(x[edges], x[edges + 1]),
        np.minimum(y[edges], y[edges + 1]),
        np.maximum(x[edges], x[edges + 1]),
        np.maximum(y[edges], y[edges + 1]),
    )
    owner = owner[edges]
    rank = rank[owner]
    for i, j in overlapping_boxes(boxes, block[owner]):
        different = np.flatnonzero(owner[i] != owner[j])
        i, j = i[different], j[different]
        swapped = rank[i] > rank[j]
        yield edges[np.where(swapped, j, i)], edges[np.where(swapped, i, j)]


def _add_crossings(
    outlines: _Outlines, owner: Ints, edges: tuple[Ints, Ints], sums: _Sums, with_touches: bool
) -> tuple[Ints, Ints]:
    """Add the crossings among pairs of edges a -> b of A and c -> d of B to the areas of their polygons.

    Returns the pairs of edges that may cross or, if wanted, touch.
    """
    x, y = outlines.x, outlines.y
    edge, other = edges
    ax, ay, bx, by = x[edge], y[edge], x[edge + 1], y[edge + 1]
    cx, cy, dx, dy = x[other], y[other], x[other + 1], y[other + 1]
    c_side, d_side = sides_of_lines(ax, ay, bx, by, cx, cy), sides_of_lines(ax, ay, bx, by, dx, dy)
    # The shift of B moves c and d to the right and up.
    c_left = is_left(c_side.side, ay - by, bx - ax)
    separates = (c_left != is_left(d_side.side, ay - by, bx - ax)) | c_side.uncertain | d_side.uncertain
    across = np.flatnonzero(separates | _meets_line(c_side, d_side) if with_touches else separates)
    edge, other, separates = edge[across], other[across], separates[across]
    one, two = owner[edge], owner[other]
    key = np.minimum(one, two) * len(outlines.area) + np.maximum(one, two)
    pair = np.minimum(np.searchsorted(sums.keys, key), len(sums.keys) - 1)
    uncertain = (c_side.uncertain | d_side.uncertain)[across]
    ax, ay, bx, by = ax[across], ay[across], bx[across], by[across]
    cx, cy, dx, dy = cx[across], cy[across], dx[across], dy[across]
    a_side, b_side = sides_of_lines(cx, cy, dx, dy, ax, ay), sides_of_lines(cx, cy, dx, dy, bx, by)
    # Seen from B, a and b move to the left and down.
    b_left = is_left(b_side.side, dy - cy, cx - dx)
    crosses = separates & (is_left(a_side.side, dy - cy, cx - dx) != b_left)
    uncertain |= a_side.uncertain | b_side.uncertain
    chosen = sums.keys[pair] == key
    sums.uncertain[pair[chosen & uncertain & separates]] = True
    met = np.flatnonzero(chosen & _meets_line(a_side, b_side))

    rest = np.flatnonzero(chosen & crosses & ~uncertain)
    meeting = edge[met], other[met]
    pair, one, two, edge, other = pair[rest], one[rest], two[rest], edge[rest], other[rest]
    share = a_side.side[rest] / (a_side.side[rest] - b_side.side[rest])
    first_a, first_b = outlines.offsets[one], outlines.offsets[two]
    # Coordinates of a and the crossing, seen from the first vertex of A; c and the crossing, seen from B's.
    ax, ay = x[edge] - x[first_a], y[edge] - y[first_a]
    px, py = ax + share * (x[edge + 1] - x[edge]), ay + share * (y[edge + 1] - y[edge])
    cx, cy = x[other] - x[first_b], y[other] - y[first_b]
    shift_x, shift_y = x[first_a] - x[first_b], y[first_a] - y[first_b]
    qx, qy = px + shift_x, py + shift_y
    swept_a = outlines.swept[edge] + (ax * py - px * ay) / 2
    # B is swept from the first vertex of A too.
    swept_b = outlines.swept[other] + (cx * qy - qx * cy - (shift_x * qy - qx * shift_y)) / 2
    after = (outlines.area[one] - swept_a) - (outlines.area[two] - swept_b)
    after[~b_left[rest]] *= -1
    np.add.at(sums.total, pair, np.rint(np.ldexp(after, sums.digits[pair])).astype(np.int64))
    return meeting


def _meets_line(begin: Sides, end: Sides) -> Flags:
    """Return which edges meet a line, perhaps, by the sides that their ends are on."""
    meets = (np.minimum(begin.side, end.side) <= 0) & (np.maximum(begin.side, end.side) >= 0)
    return np.asarray(meets | begin.uncertain | end.uncertain)
