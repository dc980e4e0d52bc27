"""Test the search for crossings against exact fractions, with outlines that touch and overlap."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
import shapely

pytest.importorskip("numba", reason="the depth walk needs the extra `fast` (numba)")

from polyframe.geometry.compiled.crossing_points import place_crossings
from polyframe.geometry.compiled.crossings import CrossingSearch, find_crossings
from polyframe.geometry.compiled.event_order import sort_events
from polyframe.geometry.compiled.outlines import load_outlines
from polyframe.geometry.polygon_parts import flat_rings

#: Each mark is moved by powers of this, the first one farthest, and to the right farther than upwards.
STEP = Fraction(1, 10**40)


def loaded(marks):
    return load_outlines(*flat_rings(marks), np.array([0, len(marks)]), np.array([True]))


def side(a, b, p):
    value = (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0])
    return (value > 0) - (value < 0)


def moved_segments(outlines):
    """Return the mark and both ends of each segment, as fractions, moved."""
    marks = outlines.mark[outlines.ring].tolist()
    for mark, edge in zip(marks, outlines.edges.tolist(), strict=True):
        by = STEP ** (2 * mark + 1), STEP ** (2 * mark + 2)
        numbers = [Fraction(number) + by[i % 2] for i, number in enumerate(edge)]
        yield mark, tuple(numbers[:2]), tuple(numbers[2:])


def all_crossings(outlines):
    """Return the pairs of segments that cross, the one that enters the mark of the other one first."""
    segments, found = list(moved_segments(outlines)), set()
    for (s, (i, a, b)), (t, (j, c, d)) in itertools.combinations(enumerate(segments), 2):
        if i != j and side(a, b, c) != side(a, b, d) and side(c, d, a) != side(c, d, b):
            found.add((s, t) if side(c, d, a) < 0 else (t, s))
    return found


def hulls(seed, decimals, shift=0.0):
    """Draw marks on a coarse grid, so that many share vertices and edges."""
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 12, (6, 9, 2)) / 10**decimals + shift
    hulls = shapely.convex_hull(shapely.multipoints(points))
    assert np.all(shapely.area(hulls) > 0)
    return np.append(hulls, hulls[:1])


@pytest.mark.parametrize("shift", [0.0, 1e6])
@pytest.mark.parametrize("decimals", [0, 1, 3])
@pytest.mark.parametrize("seed", range(4))
def test_all_crossings_are_found_once(seed, decimals, shift):
    outlines = loaded(hulls(seed, decimals, shift))
    found = find_crossings(outlines).segments.reshape(-1, 2).tolist()
    assert len(set(map(tuple, found))) == len(found) > 20
    assert set(map(tuple, found)) == all_crossings(outlines)


def test_a_long_segment_among_short_ones(make_cluster):
    # The error bound of a cell grows with its longest segment.
    marks = make_cluster(4, vertices=40)
    x, y = shapely.get_coordinates(shapely.centroid(marks[0]))[0]
    needle = shapely.Polygon([(x - 1e9, y - 1e8), (x + 1e9, y + 1e8), (x + 1e9, y + 1e8 + 1)])
    outlines = loaded(np.append(marks, needle))
    found = find_crossings(outlines).segments.reshape(-1, 2).tolist()
    assert len(found) >= 16
    assert set(map(tuple, found)) == all_crossings(outlines)


@pytest.mark.parametrize("seed", range(4))
def test_fractions_of_some_outlines(seed):
    outlines = loaded(hulls(seed, 1))
    search, expected, vertices = CrossingSearch(outlines), all_crossings(outlines), 0
    for mark in range(3):
        low, high = outlines.first[mark], outlines.first[mark + 1]
        crossings = search.crossings_of(int(low), int(high), with_fractions=True)
        pairs = list(map(tuple, crossings.segments.reshape(-1, 2).tolist()))
        assert set(pairs) == {pair for pair in expected if any(low <= s < high for s in pair)}
        exact = outlines.edges.tolist()
        for pair, values, at_vertex in zip(
            pairs, crossings.fractions.tolist(), crossings.at_vertex, strict=True
        ):
            along = [fraction(exact[s], exact[t]) for s, t in (pair, pair[::-1])]
            for value, error, number in zip(values[:2], values[2:], along, strict=True):
                assert abs(Fraction(value) - number) <= Fraction(error)
                assert error < 1e-10
            assert at_vertex == any(number in (0, 1) for number in along)
            vertices += at_vertex
    assert vertices > 0


def fraction(segment, other):
    """Return how far along a segment another one crosses it."""
    ax, ay, bx, by = map(Fraction, segment)
    cx, cy, dx, dy = map(Fraction, other)
    return ((cx - ax) * (dy - cy) - (cy - ay) * (dx - cx)) / ((bx - ax) * (dy - cy) - (by - ay) * (dx - cx))


@pytest.mark.parametrize("places", [range(1, 61), [20, 21, 77], [50]])
def test_order_along_a_segment_with_many_crossings(places):
    rng = np.random.default_rng(5)
    x = np.resize(places, 60) + rng.uniform(0, 1e-7, 60)
    slivers = [shapely.Polygon([(a, -1), (a, 2), (a - 1e-12, 2)]) for a in rng.permutation(x)]
    outlines = loaded(np.array([shapely.box(0, 0, 100, 1), *slivers]))
    crossings = find_crossings(outlines)
    n = len(crossings.segments) // 2
    points, fractions, unused = (
        np.empty((n, 2)),
        np.empty((n, 4)),
        np.zeros(n + len(outlines.edges), np.bool_),
    )
    place_crossings(
        outlines.edges, crossings.segments, points, fractions, unused, np.zeros(len(outlines.edges)), unused
    )
    mark_of = outlines.mark[outlines.ring]
    no_touches = np.empty((0, 2), np.int32)
    place, order, *_ = sort_events(
        outlines.edges, mark_of, crossings.segments, fractions, no_touches, 0, len(outlines.edges)
    )
    exact = outlines.edges.tolist()
    for s in range(4):
        events = order[place[s] : place[s + 1]].tolist()
        along = [fraction(exact[s], exact[crossings.segments[e ^ 1]]) for e in events]
        assert along == sorted(along)
        assert len(along) in (0, 120)
