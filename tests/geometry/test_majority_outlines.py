"""Test majority outlines: by hand, and against overlays of combinations of marks by GEOS."""

import importlib.util
import itertools
from fractions import Fraction

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import box
from stacks import FRAME, STACKS, as_array, together

from polyframe.core.errors import UsageError
from polyframe.geometry import (
    average_majority,
    average_median,
    contours,
    exact_contours,
    iou_distance_matrix,
)
from polyframe.geometry.engines import engine_named
from polyframe.geometry.majority_outlines import cluster_majorities
from polyframe.geometry.polygon_parts import extract_polygons, fill_holes, largest_with_area

ENGINES = ["shapely", "compiled"] if importlib.util.find_spec("numba") else ["shapely"]
#: Intervals, as boxes of height 1, of which no two have the same distances.
ROW = [box(0, 0, 4, 1), box(1, 0, 5, 1), box(2, 0, 6, 1), box(3, 0, 7, 1)]


def region_of(marks, median):
    """Return what more than half of the marks cover, or half with the median, from all combinations."""
    several = len(marks) // 2 + 1
    pieces = [shapely.intersection_all(some) for some in itertools.combinations(marks, several)]
    if len(marks) % 2 == 0:
        others = [mark for k, mark in enumerate(marks) if k != median]
        pieces += [
            shapely.intersection_all([marks[median], *some])
            for some in itertools.combinations(others, several - 2)
        ]
    return shapely.union_all(pieces)


def outline_of(marks, median):
    """Return the largest part of that region, holes filled."""
    parts, owner = extract_polygons(np.array([region_of(marks, median)], dtype=object))
    largest, _ = largest_with_area(parts, owner)
    return fill_holes(largest)[0] if len(largest) else shapely.Polygon()


@pytest.mark.parametrize("engine", ENGINES)
def test_one_mark_is_itself_and_two_marks_are_their_median(engine):
    assert average_majority([FRAME], engine=engine) is FRAME
    assert average_majority(ROW[:2], engine=engine) is ROW[0]
    assert average_majority(ROW[1::-1], engine=engine) is ROW[1]
    apart = [box(50, 0, 51, 1), ROW[0]]
    assert average_majority(apart, engine=engine) is apart[0]
    matrix = [[0, 1, 0.5], [1, 0, 1], [0.5, 1, 0]]
    assert average_majority([ROW[3], None, ROW[2]], matrix, engine=engine) is ROW[3]
    assert average_majority([], engine=engine).is_empty
    assert average_majority([None, shapely.Polygon()], engine=engine).is_empty


@pytest.mark.parametrize("engine", ENGINES)
def test_three_marks_are_what_two_of_them_cover(engine):
    assert average_majority(ROW[:3], engine=engine).equals(box(1, 0, 5, 1))
    assert average_majority([None, *ROW[:3], shapely.Polygon()], engine=engine).equals(box(1, 0, 5, 1))


@pytest.mark.parametrize("engine", ENGINES)
def test_the_median_mark_decides_where_half_of_the_marks_overlap(engine):
    # More than two marks cover 2 to 5; marks 0 and 1 cover 1 to 2, marks 2 and 3 cover 5 to 6.
    for median, (left, right) in enumerate([(1, 5), (1, 5), (2, 6), (2, 6)]):
        arrays = as_array(ROW), np.array([0, 4]), np.array([median])
        assert engine_named(engine).majorities(*arrays)[0].equals(box(left, 0, right, 1))
    assert average_majority(ROW, engine=engine).equals(box(1, 0, 5, 1))
    far = np.ones((4, 4)) - np.eye(4)
    far[2, 3] = far[3, 2] = 0.5
    assert average_majority(ROW, far, engine=engine).equals(box(2, 0, 6, 1))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 40])
def test_identical_marks(engine, count):
    assert average_majority([box(0, 0, 3, 2)] * count, engine=engine).equals(box(0, 0, 3, 2))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("count", [3, 4, 9, 10])
def test_marks_that_do_not_overlap_have_no_majority(engine, count):
    majority = average_majority([box(2 * k, 0, 2 * k + 1, 1) for k in range(count)], engine=engine)
    assert majority.geom_type == "Polygon"
    assert majority.is_empty
    # Edges and corners have no area.
    touching = [box(k % 3, k // 3, k % 3 + 1, k // 3 + 1) for k in range(count)]
    assert average_majority(touching, engine=engine).is_empty


@pytest.mark.parametrize("engine", ENGINES)
def test_holes_are_filled_and_the_largest_part_is_the_leftmost_on_ties(engine):
    assert average_majority([FRAME, FRAME, FRAME], engine=engine).equals(box(0, 0, 9, 9))
    bar, left = box(0, 0, 10, 1), box(0, 0, 3, 5)
    assert average_majority([bar, left, box(6, 0, 10, 5)], engine=engine).equals(box(6, 0, 10, 1))
    assert average_majority([bar, left, box(7, 0, 10, 5)], engine=engine).equals(box(0, 0, 3, 1))
    # Without its hole the frame is smaller than the other part.
    frame, square = box(0, 0, 5, 5).difference(box(1, 1, 4, 4)), box(7, 0, 12, 4)
    both = shapely.Polygon(box(0, 0, 12, 5).exterior, [box(1, 1, 4, 4).exterior])
    assert average_majority([frame, square, both], engine=engine).equals(square)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_odd_number_of_marks_gives_the_contour_of_more_than_half(engine, make_cluster):
    for count in (3, 5, 9):
        marks = make_cluster(count, seed=count, snap=0.5)
        level = contours(marks)[count // 2]
        majority = average_majority(marks, engine=engine)
        assert majority.area == pytest.approx(level.area, rel=1e-9)
        assert majority.symmetric_difference(level).area <= 1e-9 * level.area


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("snap", [0, 0.5, 4])
def test_outlines_equal_overlays_of_combinations(engine, snap, make_cluster):
    stacks = [make_cluster(count, vertices=60, seed=count, snap=snap) for count in (1, 2, 3, 4, 5, 6, 6, 6)]
    marks, offsets = together(stacks)
    medians = offsets[:-1] + np.random.default_rng(3).integers(0, np.diff(offsets))
    computed = engine_named(engine).majorities(marks, offsets, medians)
    for k, stack in enumerate(stacks):
        expected = outline_of(stack, medians[k] - offsets[k])
        assert computed[k].area == pytest.approx(expected.area, rel=1e-9)
        assert computed[k].symmetric_difference(expected).area <= 1e-9 * expected.area
        assert computed[k].is_valid


#: Rectangles, and ones with a notch or a hole, which share edges and corners; GEOS is exact for them.
rectangles = st.tuples(*(st.integers(0, 5) for _ in range(2)), *(st.integers(1, 4) for _ in range(2))).map(
    lambda sides: box(sides[0], sides[1], sides[0] + sides[2], sides[1] + sides[3])
)
shapes = st.tuples(rectangles, rectangles).map(
    lambda both: max(shapely.get_parts(both[0] - both[1]), key=lambda part: part.area)
)
stacks_of_shapes = st.lists(
    st.one_of(rectangles, shapes.filter(lambda mark: mark.area > 0)), min_size=1, max_size=6
)


@given(st.data(), stacks_of_shapes)
def test_shapes_that_share_edges_equal_overlays_of_combinations(data, marks):
    median = data.draw(st.integers(0, len(marks) - 1))
    expected = outline_of(marks, median)
    for engine in ENGINES:
        arrays = as_array(marks), np.array([0, len(marks)]), np.array([median])
        computed = fill_holes(engine_named(engine).majorities(*arrays))[0]
        if len(marks) <= 2:  # as drawn
            assert computed.equals(fill_holes(as_array(marks))[median])
        else:
            assert computed.equals(expected) or (computed.is_empty and expected.is_empty)


@given(stacks_of_shapes, st.randoms(use_true_random=False))
def test_the_order_of_the_marks_changes_nothing(marks, random):
    order = list(range(len(marks)))
    random.shuffle(order)
    median = random.randrange(len(marks))
    shuffled = as_array([marks[k] for k in order])
    for engine in ENGINES:
        majorities = engine_named(engine).majorities
        bounds = np.array([0, len(marks)])
        one = majorities(as_array(marks), bounds, np.array([median]))[0]
        other = majorities(shuffled, bounds, np.array([order.index(median)]))[0]
        assert one.equals(other) or (one.is_empty and other.is_empty)


@pytest.mark.parametrize("engine", ENGINES)
def test_many_clusters_equal_one_by_one(engine, make_cluster):
    sizes = [1, 4, 0, 2, 7, 1, 6, 3]
    marks = np.concatenate([make_cluster(size, seed=k, vertices=60) for k, size in enumerate(sizes)])
    offsets = np.cumsum([0, *sizes])
    starts = itertools.pairwise(offsets.tolist())
    matrices = [iou_distance_matrix(marks[start:end]) for start, end in starts]
    medians = np.array(
        [
            start + next((k for k, mark in enumerate(marks[start:end]) if mark is median), 0)
            for (start, end), matrix in zip(itertools.pairwise(offsets.tolist()), matrices, strict=True)
            for median in [average_median(marks[start:end], matrix)]
        ]
    )
    # Missing and empty marks are ignored, also before the median.
    missing = np.insert(marks, [0, 6, 6, len(marks)], [None, shapely.Polygon(), None, None])
    extended = offsets + np.array([0, 1, 1, 1, 3, 3, 3, 3, 4])
    moved = medians + np.where(medians >= 6, 3, 1)
    majorities = engine_named(engine).majorities
    computed, again = majorities(marks, offsets, medians), majorities(missing, extended, moved)
    for k, (start, end) in enumerate(itertools.pairwise(offsets.tolist())):
        alone = average_majority(marks[start:end], matrices[k], engine=engine)
        assert alone.equals_exact(average_majority(marks[start:end], engine=engine), 0)
        assert computed[k].equals_exact(alone, 0) or (computed[k].is_empty and alone.is_empty)
        assert again[k].equals_exact(alone, 0) or (again[k].is_empty and alone.is_empty)
    assert len(majorities(marks[:0], np.array([0]), np.empty(0, dtype=np.int64))) == 0


def test_both_engines_agree_on_stacks_of_every_kind(make_cluster):
    pytest.importorskip("numba", reason="the compiled loops need the extra `fast` (numba)")
    stacks = [marks for marks, _ in STACKS.values()]
    stacks += [make_cluster(n, seed=n, snap=snap) for n in (8, 13, 14) for snap in (0, 0.01, 2)]
    # The walk leaves these to GEOS.
    stacks.append([box(0, 0, 2, 2)] * 34 + [box(1, 1, 3, 3)] * 34)
    stacks.append([shapely.Polygon([(0, 0), (1e6, 1e6), (1e6, 1e6 + 1e-9)]), *[box(0, 0, 2e6, 2e6)] * 2])
    marks, offsets = together(stacks)
    present = ~shapely.is_missing(marks) & ~shapely.is_empty(marks)
    medians = [
        next((k for k in range(start, end) if present[k]), start)
        for start, end in itertools.pairwise(offsets.tolist())
    ]
    arrays = marks, offsets, np.array(medians)
    computed, expected = engine_named("compiled").majorities(*arrays), cluster_majorities(*arrays)
    areas = shapely.area(expected)
    assert np.all(shapely.is_empty(computed) == shapely.is_empty(expected))
    np.testing.assert_allclose(shapely.area(computed), areas, rtol=1e-9)
    apart = shapely.symmetric_difference(shapely.make_valid(computed), shapely.make_valid(expected))
    assert np.all(shapely.area(apart) <= 1e-9 * areas)


@pytest.mark.parametrize("engine", ENGINES)
def test_contacts_within_rounding_are_decided_exactly(engine):
    # The corner of another mark is within a rounding step of a slanted edge, outside or inside. The majority
    # is what the median mark, which is around everything, shares with any other.
    slanted, around = shapely.Polygon([(0, 0), (3, 0), (0.1, 0.7)]), box(-1, -1, 9, 9)
    tiny = box(8, 8, 8.5, 8.5)
    tested = []
    for share in np.linspace(0.3, 0.7, 40):
        x, y = 3 + share * (0.1 - 3), share * 0.7
        orientation = (Fraction(0.1) - 3) * Fraction(y) - Fraction(0.7) * (Fraction(x) - 3)
        if not orientation:
            continue
        other = shapely.Polygon([(x, y), (3, 2), (2, 3)])
        marks = as_array([slanted, other, around, tiny])
        majority = engine_named(engine).majorities(marks, np.array([0, 4]), np.array([2]))[0]
        areas = slanted.area, other.area
        expected = sum(areas) if orientation > 0 else max(areas)
        assert majority.area == pytest.approx(expected, rel=1e-9)
        tested.append(orientation > 0)
    assert 3 < sum(tested) < len(tested) - 3


def test_a_cluster_that_is_too_large_for_geos_is_an_error(monkeypatch):
    monkeypatch.setattr(exact_contours, "_MOST_ARRANGED", 50)
    marks = as_array([box(k / 10, 0, 1 + k / 10, 1) for k in range(4)])
    with pytest.raises(UsageError, match=r"too large for a majority outline with GEOS: .*another --average"):
        cluster_majorities(marks, np.array([0, 4]), np.array([0]))
    assert cluster_majorities(marks, np.array([0, 1, 3]), np.array([0, 1])).tolist() == [marks[0], marks[1]]


def test_invalid_input_is_an_error():
    with pytest.raises(ValueError, match="2 polygons, but a matrix of 3"):
        average_majority(ROW[:2], np.zeros((3, 3)))
    with pytest.raises(ValueError, match=r"polygons\[0\] is a MultiPolygon"):
        average_majority([shapely.MultiPolygon(ROW[:1])])
    with pytest.raises(ValueError, match="engine: 'fastest' is not one of"):
        average_majority(ROW, engine="fastest")
