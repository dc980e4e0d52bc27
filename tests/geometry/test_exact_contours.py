"""Test exact contours: by hand, and against subsets, faces, cells and adding marks one by one."""

import itertools

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from shapely import box
from slow_contours import areas_by_subsets, counted_levels
from stacks import SQUARES, STACKS, together

from polyframe.core.errors import UsageError
from polyframe.geometry import average_intersection, average_union, contours, exact_contours
from polyframe.geometry.arrangement import build_arrangement
from polyframe.geometry.exact_contours import cluster_contours
from polyframe.geometry.level_tracing import trace_levels
from polyframe.geometry.noding import SNAP_TOLERANCE
from polyframe.geometry.polygon_parts import fill_holes, largest_parts


def areas_by_adding(marks):
    """Add mark after mark: level k grows by the intersection of level k - 1 and the new mark."""
    levels = []
    for mark in marks:
        below = [mark, *(level.intersection(mark) for level in levels)]
        levels = [old.union(new) for old, new in zip([*levels, shapely.Polygon()], below, strict=True)]
    areas = shapely.area(fill_holes(largest_parts(np.array(levels))))
    return areas[areas > 1e-12]


@pytest.mark.parametrize("name", STACKS)
def test_stacks_worked_by_hand(name):
    marks, areas = STACKS[name]
    levels = contours(marks)
    if areas is None:  # compared without levels of next to no area
        areas = areas_by_subsets(marks)
        levels = [level for level in levels if level.area > 1e-12]
    assert shapely.area(levels) == pytest.approx(areas)
    assert all(level.is_valid and level.exterior.is_ccw and not level.interiors for level in levels)


@pytest.mark.parametrize("snap", [0, 0.5, 2])
def test_outlines_equal_the_union_of_all_subsets(make_cluster, snap):
    # On a grid of pixels many outlines share edges.
    marks = make_cluster(6, seed=3, snap=snap)
    areas = shapely.area(contours(marks))
    assert len(areas) == 6
    assert areas == pytest.approx(areas_by_subsets(marks), rel=1e-9)
    assert not build_arrangement(marks, np.zeros(6, dtype=np.int64), 1).failed.any()


def test_many_marks_equal_counted_faces(make_cluster):
    marks = make_cluster(25, vertices=200, snap=0.5)
    counted = shapely.area(fill_holes(counted_levels(marks)))
    assert shapely.area(contours(marks)) == pytest.approx(counted, rel=1e-9)


def test_contour_areas_equal_a_monte_carlo_estimate(make_cluster):
    marks = make_cluster(7, seed=11)
    points = np.random.default_rng(0).uniform(150, 450, (200_000, 2))
    depth = sum(shapely.contains_xy(mark, *points.T) for mark in marks)
    for k, level in enumerate(contours(marks), 1):
        estimate = np.mean(depth >= k) * 300**2
        assert level.area == pytest.approx(estimate, rel=0.02)


def test_depths_on_both_sides_of_every_arc(make_cluster):
    marks = make_cluster(5, vertices=40)
    arrangement = build_arrangement(marks, np.zeros(5, dtype=np.int64), 1)
    ends, towards = np.split(arrangement.ends[: len(arrangement.cluster)], 2, axis=1)
    middle, along = (ends + towards) / 2, towards - ends
    long = np.hypot(*along.T) > 1
    aside = np.column_stack([-along[:, 1], along[:, 0]]) * 1e-6
    assert long.sum() > 20
    for depth, points in ((arrangement.left, middle + aside), (arrangement.right, middle - aside)):
        inside = sum(shapely.contains_xy(mark, *points.T).astype(int) for mark in marks)
        assert depth[long].tolist() == inside[long].tolist()


def test_many_clusters_equal_one_by_one(make_cluster, monkeypatch):
    stacks = [
        *(marks for marks, _ in STACKS.values()),
        *(make_cluster(n, seed=n, snap=n % 2) for n in (2, 3, 5, 9)),
    ]
    marks, offsets = together(stacks)
    alone = [contours(stack) for stack in stacks]
    for chunk in (exact_contours._CHUNK_POINTS, 50):
        monkeypatch.setattr(exact_contours, "_CHUNK_POINTS", chunk)
        levels = cluster_contours(marks, offsets)
        assert np.diff(levels.offsets).tolist() == list(map(len, alone))
        for level, expected in zip(levels.polygons, itertools.chain(*alone), strict=True):
            assert level.equals_exact(expected, 0)


def test_a_cluster_that_is_too_large_is_refused_in_one_line(make_cluster, monkeypatch):
    marks = make_cluster(9, vertices=30)
    vertices = int(shapely.get_num_coordinates(marks).sum())
    monkeypatch.setattr(exact_contours, "_MOST_ARRANGED", 9 * vertices)
    assert len(cluster_contours(marks, [0, 9]).polygons) == 9
    monkeypatch.setattr(exact_contours, "_MOST_ARRANGED", 9 * vertices - 1)
    with pytest.raises(
        UsageError, match=r"cluster of 9 marks .* --engine compiled .*--contour-method raster"
    ):
        cluster_contours(marks, [0, 9])
    # Copies of an outline are processed once.
    copies = np.repeat(marks[:1], 100)
    assert len(cluster_contours(copies, [0, 100]).polygons) == 100


def test_no_clusters():
    levels = cluster_contours(np.empty(0, dtype=object), [0])
    assert (len(levels.polygons), levels.offsets.tolist()) == (0, [0])


@pytest.mark.parametrize("verified", [True, False])
@pytest.mark.parametrize("trouble", ["failed", "depths", "curves", "parts"])
def test_if_a_check_fails_outlines_are_walked_or_the_tolerance_grows(
    monkeypatch, make_cluster, trouble, verified
):
    stacks = [SQUARES, make_cluster(4), SQUARES]
    marks, offsets = np.concatenate([np.array(stack, dtype=object) for stack in stacks]), [0, 4, 8, 12]
    expected = cluster_contours(marks, offsets)
    arranged = []

    def arrange_badly(marks, cluster, count, weights, reach):
        arrangement = build_arrangement(marks, cluster, count, weights, reach)
        arranged.append((count, reach))
        if reach > SNAP_TOLERANCE:
            return arrangement
        middle = arrangement.cluster == 1
        if trouble == "failed":
            arrangement.failed[1] = True
        elif trouble == "depths":
            arrangement.left[middle] += 1
            arrangement.right[middle] += 1
        elif trouble == "curves":
            arc = np.flatnonzero(middle)[0]
            arrangement.left[arc], arrangement.right[arc] = arrangement.right[arc], arrangement.left[arc]
        else:
            arrangement.ends[np.tile(middle, 2)] += 0.5
        return arrangement

    if trouble == "parts":
        monkeypatch.setattr(exact_contours, "trace_levels", trace_nothing)
    walk, walked = exact_contours._walk_some, []

    def walk_some(marks, cluster, weights, chosen, arcs):
        walked.append(chosen.tolist())
        return walk(marks, cluster, weights, chosen & verified, arcs)

    monkeypatch.setattr(exact_contours, "_walk_some", walk_some)
    monkeypatch.setattr(exact_contours, "build_arrangement", arrange_badly)
    contours = cluster_contours(marks, offsets)
    assert walked == [[False, True, False]]
    assert [count for count, _ in arranged] == ([3] if verified else [3, 1])
    assert all(SNAP_TOLERANCE < reach < 2.0**-30 for _, reach in arranged[1:])
    assert contours.offsets.tolist() == expected.offsets.tolist()
    assert shapely.area(contours.polygons) == pytest.approx(shapely.area(expected.polygons), rel=1e-9)


@pytest.mark.parametrize("arcs", [9, 10])
def test_large_clusters_are_not_walked(monkeypatch, arcs):
    # Three edges through (1/3, 1/3), where two parts of level 2 touch, within rounding.
    marks = [
        shapely.Polygon([(0, 0), (1, 1), (1, 0)]),
        shapely.Polygon([(0, 1 / 3), (1, 1 / 3), (1, 1), (0, 1)]),
        shapely.Polygon([(1 / 3, 0), (2 / 3, -1), (1 / 3, 1), (0, -1)]),
        shapely.Polygon([(0, 2 / 3), (2 / 3, 0), (1, 1)]),
    ]
    marks = largest_parts(shapely.buffer(np.array(marks, dtype=object), 0))
    monkeypatch.setattr(exact_contours, "_MOST_INTERPRETED", 9)
    walked = exact_contours._walk_some(
        marks, np.zeros(4, dtype=np.int64), np.ones(4, dtype=np.int64), np.array([True]), np.array([arcs])
    )
    assert walked.verified.tolist() == [arcs == 9]


def trace_nothing(arrangement, levels, wanted=None):
    """Trace no level, so that all are doubtful."""
    traced = trace_levels(arrangement, levels, wanted)
    traced.outlines[:] = None
    return traced


@pytest.mark.parametrize("snap", [0, 0.5, 2])
def test_traced_outlines_equal_those_polygonized_by_geos(make_cluster, monkeypatch, snap):
    stacks = [
        *(marks for marks, _ in STACKS.values()),
        *(make_cluster(n, seed=n, snap=snap) for n in (3, 8, 20)),
    ]
    marks, offsets = together(stacks)
    doubtful = []
    monkeypatch.setattr(
        exact_contours, "trace_levels", lambda *a: doubtful.append(trace_levels(*a)) or doubtful[0]
    )
    traced = cluster_contours(marks, offsets)
    assert 0 < np.mean(shapely.is_missing(doubtful[0].outlines)) < 0.5
    monkeypatch.setattr(exact_contours, "trace_levels", trace_nothing)
    polygonized = cluster_contours(marks, offsets)
    assert traced.offsets.tolist() == polygonized.offsets.tolist()
    assert shapely.to_wkb(traced.polygons).tolist() == shapely.to_wkb(polygonized.polygons).tolist()


def bitmap(bits):
    """Return the largest part of a 5 x 5 bitmap; cells that share an edge are one part."""
    cells = (bits >> np.arange(25) & 1).reshape(5, 5)
    label, count = ndimage.label(cells)
    sizes = ndimage.sum_labels(cells, label, np.arange(1, count + 1))
    return label == 1 + np.argmax(sizes) if count else cells > 0


def area_by_cells(cells):
    """Return the areas of the largest parts of a bitmap, holes filled."""
    label, count = ndimage.label(cells)
    sizes = ndimage.sum_labels(cells, label, np.arange(1, count + 1))
    tied = [label == k + 1 for k in np.flatnonzero(sizes == sizes.max())]
    return [float(ndimage.binary_fill_holes(part).sum()) for part in tied]


def as_mark(cells):
    return shapely.union_all([box(x, y, x + 1, y + 1) for y, x in zip(*np.nonzero(cells), strict=True)])


bitmaps = st.lists(st.integers(1, 2**25 - 1).map(bitmap), min_size=1, max_size=6)


@settings(max_examples=150, deadline=None)
@given(bitmaps)
def test_marks_made_of_cells_have_the_areas_of_counted_cells(cells):
    # Outlines often share edges and corners, and nothing is rounded.
    levels = contours([as_mark(mark) for mark in cells])
    depth = np.sum(cells, axis=0)
    assert len(levels) == depth.max()
    for k, level in enumerate(levels, 1):
        assert level.area in area_by_cells(depth >= k)  # tied parts may have holes of different sizes


@settings(max_examples=60, deadline=None)
@given(bitmaps.flatmap(lambda cells: st.tuples(st.just(cells), st.permutations(cells))), st.integers(-7, 7))
def test_order_does_not_matter_and_scale_is_exact(orders, power):
    marks, permuted = (np.array([as_mark(mark) for mark in cells], dtype=object) for cells in orders)
    levels = contours(marks)
    for level, same in zip(levels, contours(permuted), strict=True):
        assert level.equals_exact(same, 0)
    scaled = contours(shapely.transform(marks, lambda points: points * 2.0**power))
    assert shapely.area(scaled).tolist() == (shapely.area(levels) * 4.0**power).tolist()


@settings(max_examples=100, deadline=None, derandomize=True)  # repeated GEOS overlays may fail
@given(st.integers(0, 2**32), st.integers(1, 6))
def test_star_shapes_equal_adding_marks_one_by_one(seed, count):
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, (count, 9)), axis=1)
    radii, centres = rng.uniform(1, 3, (count, 9)), rng.uniform(0, 2, (count, 1, 2))
    points = centres + radii[..., None] * np.stack([np.cos(angles), np.sin(angles)], axis=2)
    marks = largest_parts(shapely.buffer(shapely.polygons(points), 0))
    areas = shapely.area(contours(marks))
    assert areas == pytest.approx(areas_by_adding(marks), rel=1e-9)
    assert np.all(np.diff(areas) <= 1e-9)
    assert areas[0] == pytest.approx(fill_holes(np.array([average_union(marks)]))[0].area, rel=1e-9)
    if len(areas) == count:
        common = fill_holes(np.array([average_intersection(marks)]))[0]
        assert areas[-1] == pytest.approx(common.area, rel=1e-9)


def test_outlines_that_nearly_coincide():
    # A vertex at 1/3 is beside the edge that it should be on, by less than a rounding step.
    triangle = shapely.Polygon([(0, 0), (0, 1), (1, 3)])
    other = shapely.Polygon([(0, 0), (1, 3), (1, 0), (0, 1), (1, 1)]).buffer(0)
    assert shapely.area(contours([triangle, other])) == pytest.approx([1.75, 1 / 24], rel=1e-9)


@pytest.mark.parametrize(("scale", "shift"), [(0.013, 0), (37.7, 0), (1, 12_345.6)])
def test_areas_scale_and_do_not_change_when_moved(make_cluster, scale, shift):
    marks = make_cluster(6)
    moved = shapely.transform(marks, lambda points: points * scale + shift)
    areas = shapely.area(contours(marks))
    assert shapely.area(contours(moved)) == pytest.approx(areas * scale**2, rel=1e-9)
