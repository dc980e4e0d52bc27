"""Test the depth walk: by hand, against contours by GEOS, and against exact arithmetic."""

import sys
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import shapely
from exact_oracle import Overlay, marks_of
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import box
from stacks import FRAME, SQUARES, STACKS, as_array, together

numba = pytest.importorskip("numba", reason="the compiled loops need the extra `fast` (numba)")

from polyframe.geometry import polygon_parts  # noqa: E402 - after the skip
from polyframe.geometry.averages import cluster_intersections, cluster_unions  # noqa: E402
from polyframe.geometry.compiled import depth_walk, predicates, rings  # noqa: E402
from polyframe.geometry.compiled.arcs import cut_into_arcs  # noqa: E402
from polyframe.geometry.compiled.crossings import find_crossings  # noqa: E402
from polyframe.geometry.compiled.depth_walk import walk_contours  # noqa: E402
from polyframe.geometry.compiled.engine import (  # noqa: E402
    compiled_cluster_contours,
    compiled_cluster_intersections,
    compiled_cluster_unions,
    compiled_contour_rings,
)
from polyframe.geometry.compiled.level_curves import adds_up, trace_curves  # noqa: E402
from polyframe.geometry.compiled.outlines import load_outlines  # noqa: E402
from polyframe.geometry.exact_contours import cluster_contours  # noqa: E402
from polyframe.geometry.level_selection import evenly_spaced_levels  # noqa: E402


def check_equal(computed, expected):
    """Check that contours are the same: areas to 1e-9, and the same regions."""
    assert computed.offsets.tolist() == expected.offsets.tolist()
    areas = shapely.area(expected.polygons)
    np.testing.assert_allclose(shapely.area(computed.polygons), areas, rtol=1e-9)
    apart = shapely.symmetric_difference(
        shapely.make_valid(computed.polygons), shapely.make_valid(expected.polygons)
    )
    assert np.all(shapely.area(apart) <= 1e-9 * areas)


@pytest.mark.parametrize("name", STACKS)
def test_stacks_worked_by_hand(name):
    marks, areas = STACKS[name]
    walked = walk_contours(as_array(marks), [0, len(marks)])
    assert walked.verified.tolist() == [True]
    expected = cluster_contours(as_array(marks), [0, len(marks)])
    if areas is None:
        assert len(walked.areas) > 1
    else:
        np.testing.assert_allclose(walked.areas, areas, rtol=1e-12)
    check_equal(walked, expected)
    assert np.all(shapely.is_ccw(shapely.get_exterior_ring(walked.polygons)))
    assert not np.any(shapely.get_num_interior_rings(walked.polygons))


@pytest.mark.parametrize("scale", [1e-6, 1e6, 1 / 3])
def test_stacks_at_other_scales(scale):
    def scaled(marks):
        return [mark and shapely.transform(mark, lambda points: points * scale) for mark in marks]

    stacks = [scaled(marks) for marks, areas in STACKS.values() if areas is not None]
    areas = np.concatenate([areas for _, areas in STACKS.values() if areas is not None])
    contours = compiled_cluster_contours(*together(stacks))
    np.testing.assert_allclose(shapely.area(contours.polygons), areas * scale**2, rtol=1e-9)


@pytest.mark.parametrize("snap", [0.0, 0.01, 0.5, 4.0])
@pytest.mark.parametrize("vertices", [12, 120])
def test_freehand_outlines(make_cluster, snap, vertices):
    sizes = (2, 3, 5, 9, 14, 60) if vertices == 12 else (2, 3, 5, 9, 14)
    marks, offsets = together([make_cluster(n, vertices, seed=n, snap=snap) for n in sizes])
    walked = walk_contours(marks, offsets)
    assert np.all(walked.verified)
    check_equal(walked, cluster_contours(marks, offsets))
    assert np.all(shapely.is_valid(walked.polygons))


def grid_polygon(rng, size):
    """Return a polygon on a small grid: boxes, triangles, holes and notches that meet in every way."""
    cells = [box(x, y, x + 1, y + 1) for x, y in rng.integers(0, size, (rng.integers(2, 12), 2))]
    match rng.integers(0, 4):
        case 0:
            drawn = shapely.union_all(cells)
        case 1:
            drawn = box(0, 0, size, size).difference(shapely.union_all(cells))
        case 2:
            drawn = shapely.Polygon(rng.integers(0, size + 1, (6, 2))).buffer(0)
        case _:
            drawn = shapely.convex_hull(shapely.multipoints(rng.integers(0, size + 1, (5, 2))))
    parts = [part for part in shapely.get_parts(drawn) if part.area]
    return max(parts, key=lambda part: part.area, default=box(0, 0, 1, 2))


def test_polygons_on_a_small_grid():
    rng = np.random.default_rng(5)
    stacks = [[grid_polygon(rng, rng.integers(2, 6)) for _ in range(rng.integers(1, 8))] for _ in range(400)]
    marks, offsets = together(stacks)
    walked = walk_contours(marks, offsets)
    assert np.all(walked.verified)
    check_equal(walked, cluster_contours(marks, offsets))


def test_nearly_shared_edges_against_exact_arithmetic():
    # Thirds and tenths are rounded, so that corners are beside slanted edges by less than a rounding step. On
    # which side, and so what is one part, is decided by exact arithmetic.
    rng = np.random.default_rng(8)
    for _ in range(60):
        marks = [grid_polygon(rng, 4) for _ in range(rng.integers(2, 6))]
        scale = rng.choice([1 / 3, 0.1])
        marks = [shapely.transform(mark, lambda points, scale=scale: points * scale) for mark in marks]
        walked = walk_contours(as_array(marks), [0, len(marks)])
        assert walked.verified.tolist() == [True]
        exact = Overlay(marks_of(marks)).contour_areas
        for area, possible in zip(walked.areas, exact, strict=False):
            assert min(abs(area - float(one)) for one in possible) <= 1e-9 * area + 1e-15
        assert walked.areas[len(exact) :].sum() == 0.0
        assert sum(float(max(level)) for level in exact[len(walked.areas) :]) < 1e-14


def test_clusters_that_are_not_verified_are_computed_by_geos_in_order(make_cluster):
    many = [box(0, 0, 2, 2)] * 33 + [box(1, 1, 3, 3)]
    thin = [shapely.Polygon([(0, 0), (1e6, 1e6), (1e6, 1e6 + 1e-9)]), box(0, 0, 2e6, 2e6)]
    marks, offsets = together([make_cluster(3), many, [], SQUARES, thin, make_cluster(2, seed=4)])
    assert walk_contours(marks, offsets).verified.tolist() == [True, False, True, True, False, True]
    check_equal(compiled_cluster_contours(marks, offsets), cluster_contours(marks, offsets))


def test_the_leftmost_of_equally_large_parts_is_chosen():
    tied = [box(1, 0, 2, 1), box(0, 1, 1, 2), box(2, 1, 3, 2), box(1, 2, 2, 3)]
    holed = [box(10, 0, 13, 3).difference(box(11, 1, 12, 2)), box(0, 0, 4, 2)]
    marks, offsets = together([tied, tied[::-1], holed])
    for levels in (walk_contours(marks, offsets), cluster_contours(marks, offsets)):
        assert [polygon.bounds for polygon in levels.polygons] == [(0, 1, 1, 2)] * 2 + [(0, 0, 4, 2)]


def test_contacts_within_rounding_are_decided_exactly():
    # The corner of another mark is within a rounding step of a slanted edge, outside or inside.
    slanted = shapely.Polygon([(0, 0), (3, 0), (0.1, 0.7)])
    apart, joined = [], []
    for share in np.linspace(0.3, 0.7, 400):
        x, y = 3 + share * (0.1 - 3), share * 0.7
        orientation = (Fraction(0.1) - 3) * Fraction(y) - Fraction(0.7) * (Fraction(x) - 3)
        if orientation:
            (joined if orientation > 0 else apart).append(shapely.Polygon([(x, y), (3, 2), (2, 3)]))
    for others, area in (
        (apart[:9], lambda other: max(slanted.area, other.area)),
        (joined[:9], lambda other: slanted.area + other.area),
    ):
        assert len(others) == 9
        for other in others:
            marks = as_array([slanted, other])
            walked = walk_contours(marks, [0, 2])
            assert walked.verified.tolist() == [True]
            assert walked.areas[0] == pytest.approx(area(other), rel=1e-9)
            assert walked.polygons[0].is_valid
            check_equal(walked, cluster_contours(marks, [0, 2]))


def test_no_clusters():
    contours = compiled_cluster_contours(np.empty(0, dtype=object), [0])
    assert (len(contours.polygons), contours.offsets.tolist()) == (0, [0])
    assert len(compiled_cluster_unions(np.empty(0, dtype=object), [0])) == 0


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), snap=st.sampled_from([0.0, 0.01, 1.0]), count=st.integers(2, 7))
def test_order_and_scale_change_nothing(make_cluster, seed, snap, count):
    marks = make_cluster(count, vertices=25, seed=seed, snap=snap)
    contours = compiled_cluster_contours(marks, [0, count])
    areas = shapely.area(contours.polygons)
    assert np.all(np.diff(areas) <= 1e-9 * areas[0])
    shuffled = np.random.default_rng(seed).permutation(marks)
    again = compiled_cluster_contours(shuffled, [0, count])
    assert len(again.polygons) == len(areas)
    assert np.all(shapely.equals_exact(again.polygons, contours.polygons, 1e-9))
    larger = shapely.transform(marks, lambda points: points * 4)
    scaled = shapely.area(compiled_cluster_contours(larger, [0, count]).polygons)
    np.testing.assert_allclose(scaled, 16 * areas, rtol=1e-12)


@pytest.mark.parametrize("limit", [None, 0, 5_000])
def test_averages(make_cluster, monkeypatch, limit):
    if limit is not None:  # large clusters are left to GEOS: all of them, or some
        monkeypatch.setattr(sys.modules[compiled_cluster_unions.__module__], "_MOST_WALKED", limit)
    stacks = [marks for marks, _ in STACKS.values() if None not in marks]
    stacks += [make_cluster(n, seed=n) for n in (1, 2, 8)] + [[box(0, 0, 1, 1), box(3, 0, 4, 1)], []]
    stacks.append([FRAME, box(1, 1, 8, 8)])
    marks, offsets = together(stacks)
    for fast, plain in (
        (compiled_cluster_unions, cluster_unions),
        (compiled_cluster_intersections, cluster_intersections),
    ):
        computed, expected = fast(marks, offsets), plain(marks, offsets)
        np.testing.assert_allclose(shapely.area(computed), shapely.area(expected), rtol=1e-9)
        apart = shapely.area(shapely.symmetric_difference(computed, expected))
        assert np.all(apart <= 1e-9 * shapely.area(expected))


def test_cross_product_signs_are_exact():
    sign = numba.njit(lambda p: predicates.cross(p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]))
    rng = np.random.default_rng(0)
    for _ in range(300):
        ax, ay, dx, dy = rng.uniform(-10, 10, 4)
        along = rng.uniform(-1, 2)
        near = [ax + along * dx, ay + along * dy] + rng.integers(-1, 2, 2) * 1e-16
        points = np.array([ax, ay, ax + dx, ay + dy, ax, ay, *near])
        f = [Fraction(value) for value in points]
        exact = (f[2] - f[0]) * (f[7] - f[5]) - (f[3] - f[1]) * (f[6] - f[4])
        assert np.sign(sign(points)) == np.sign(float(exact))


def test_order_along_a_line_is_exact():
    compiled = numba.njit(lambda lines: predicates.compare_along(lines))

    def compare(*lines):
        return compiled(np.array(lines))

    rng = np.random.default_rng(1)
    line = np.array([0.1, 0.2, 7.3, 5.9])
    ties = 0
    for _ in range(300):
        along = rng.uniform(0, 1)
        x, y = 0.1 + along * 7.2, 0.2 + along * 5.7
        one, other = (np.array([x, y, x + rng.normal(), y + rng.normal()]) for _ in range(2))
        places = []
        for ax, ay, bx, by in (map(Fraction, one), map(Fraction, other)):
            lx, ly, mx, my = map(Fraction, line)
            places.append(
                ((ax - lx) * (by - ay) - (ay - ly) * (bx - ax))
                / ((mx - lx) * (by - ay) - (my - ly) * (bx - ax))
            )
        expected = (places[0] > places[1]) - (places[0] < places[1])
        assert compare(line, one, other) == expected
        shared = np.array([one[0], one[1], one[2] - 1.5, one[3] + 1])
        ties += compare(line, one, np.array([*line[:2], *shared[2:]])) == 0
    assert ties == 0
    assert compare(np.array([0.0, 0, 4, 4]), np.array([0.0, 4, 4, 0]), np.array([2.0, 0, 2, 9])) == 0


def loaded(marks):
    """Load the marks of one cluster."""
    flat = polygon_parts.flat_rings(marks)
    return load_outlines(*flat, np.array([0, len(marks)]), np.array([True]))


def depths_agree(marks, lost, turned):
    """Walk with one crossing missing, or with one in the wrong direction (-1: none)."""
    outlines = loaded(marks)
    crossings = find_crossings(outlines)
    segments = crossings.segments.reshape(-1, 2).copy()
    if turned >= 0:
        segments[turned] = segments[turned, ::-1].copy()
    if lost >= 0:
        segments = np.delete(segments, lost, axis=0)
    return cut_into_arcs(outlines, replace(crossings, segments=segments.ravel())).sound[0]


def areas_agree(marks, tampering):
    """Trace with a curve missing, at a wrong level, or in the wrong direction."""
    outlines = loaded(marks)
    arcs = cut_into_arcs(outlines, find_crossings(outlines))
    curves = trace_curves(outlines, arcs, np.ones(len(arcs.segment), np.bool_))
    largest = np.argmax(curves.area)
    if tampering == 1:
        curves.area[largest] = 0.0
    elif tampering == 2:
        curves.level[largest] += 1
    elif tampering == 3:
        curves.area[largest] = -curves.area[largest]
    return adds_up(curves, outlines.area, np.array([len(marks)]))[0]


def test_the_checks_catch_a_wrong_walk(make_cluster):
    marks = make_cluster(5, vertices=40)
    assert depths_agree(marks, -1, -1)
    assert not any(depths_agree(marks, lost, -1) for lost in range(0, 40, 3))
    assert not any(depths_agree(marks, -1, turned) for turned in range(0, 40, 3))
    assert [areas_agree(marks, tampering) for tampering in range(4)] == [True, False, False, False]


def test_rings_too_thin_or_too_large_are_not_sound():
    def of(points):
        closed, one = np.array([*points, points[0]], dtype=np.float64), np.array([0, 1])
        rings = np.array([0, len(closed)])
        return load_outlines(closed, rings, one, one, np.array([True])).sound[0]

    assert of([(0, 0), (1, 0), (0, 1)])
    assert not of([(0, 0), (1, 0), (2, 0)])
    assert not of([(0, 0), (np.nan, 0), (0, 1)])
    assert not of([(0, 0), (1e200, 0), (0, 1e200)])


def test_rounding_steps_are_the_same_in_both_modules():
    assert rings._ROUNDING_STEPS == polygon_parts._ROUNDING_STEPS


@pytest.mark.parametrize("most", [1, 2, 5, 9])
def test_evenly_spaced_levels(make_cluster, most):
    stacks = [make_cluster(n, vertices=40, seed=n, snap=0.5) for n in (12, 3, 9, 5)]
    stacks += [[], SQUARES, [box(0, 0, 2, 2)] * 33 + [box(1, 1, 3, 3)]]
    marks, offsets = together(stacks)
    every, some = compiled_contour_rings(marks, offsets), compiled_contour_rings(marks, offsets, most)
    levels, bounds = evenly_spaced_levels(every.available, most)
    assert some.available.tolist() == every.available.tolist()
    assert (some.levels.tolist(), some.offsets.tolist()) == (levels.tolist(), bounds.tolist())
    chosen = np.repeat(every.offsets[:-1], np.diff(bounds)) + levels - 1
    assert np.array_equal(some.areas, every.areas[chosen])
    assert shapely.equals_identical(some.polygons(), every.polygons()[chosen]).all()


def test_clusters_in_blocks(make_cluster, monkeypatch):
    marks, offsets = together([make_cluster(n % 7, vertices=20, seed=n, snap=n % 3 / 4) for n in range(20)])
    expected = walk_contours(marks, offsets)
    monkeypatch.setattr(depth_walk, "_BLOCK", 600)
    walked = walk_contours(marks, offsets)
    assert np.all(walked.verified)
    for name in ("x", "y", "ring_offsets", "areas", "levels", "offsets", "available"):
        assert np.array_equal(getattr(walked.rings, name), getattr(expected.rings, name))


def test_one_level_of_each_cluster(make_cluster):
    stacks = [make_cluster(n, vertices=40, seed=n, snap=0.5) for n in (12, 3, 9, 5)]
    stacks += [[], SQUARES, [box(0, 0, 1, 1), box(5, 0, 6, 1)], *(marks for marks, _ in STACKS.values())]
    marks, offsets = together(stacks)
    every = walk_contours(marks, offsets)
    for level in (1, 2, 5, 13):
        walked = walk_contours(marks, offsets, np.full(len(stacks), level))
        has_level = np.diff(every.offsets) >= level
        assert np.diff(walked.offsets).tolist() == has_level.astype(int).tolist()
        assert walked.verified.tolist() == every.verified.tolist()
        chosen = every.offsets[:-1][has_level] + level - 1
        assert shapely.equals_identical(walked.polygons, every.polygons[chosen]).all()


@pytest.mark.parametrize("enormous", [depth_walk.ENORMOUS, 0])
def test_a_mark_that_counts_twice_is_like_a_second_copy_of_it(make_cluster, enormous):
    rng = np.random.default_rng(4)
    stacks = [[mark for mark in marks if mark] for marks, _ in STACKS.values()]
    stacks += [make_cluster(n, vertices=25, seed=n, snap=snap) for n in (3, 6, 9) for snap in (0, 0.5, 4)]
    stacks += [[grid_polygon(rng, rng.integers(2, 6)) for _ in range(rng.integers(1, 7))] for _ in range(60)]
    stacks += [[box(0, 0, 1, 1), box(5, 0, 6, 1), box(9, 9, 12, 12)]]
    stacks = [list(marks) for marks in stacks if len(marks)]
    sizes = np.array([len(marks) for marks in stacks])
    for _ in range(3):
        levels = rng.integers(1, sizes + 1)
        double = np.where(rng.random(len(sizes)) < 0.8, rng.integers(0, sizes), -1)
        marks, offsets = together(stacks)
        twice = np.where(double < 0, -1, offsets[:-1] + double)
        walked = walk_contours(marks, offsets, levels, enormous=enormous, twice=twice)
        copies = [[*one, one[k]] if k >= 0 else one for one, k in zip(stacks, double, strict=True)]
        expected = walk_contours(*together(copies), levels)
        assert walked.verified.all()
        assert expected.verified.all()
        check_equal(walked, expected)
