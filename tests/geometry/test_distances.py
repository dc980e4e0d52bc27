"""Test IoU distances and the consensus of a distance matrix."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import box

from polyframe.geometry import average_median, consensus, iou_distance_matrix
from polyframe.geometry import distances as distances_module
from polyframe.geometry.candidate_pairs import all_pairs
from polyframe.geometry.distances import pair_distances, shapely_intersection_areas


def distances_of(marks, **keywords):
    marks = np.array(marks, dtype=object)
    return pair_distances(
        marks, shapely.area(marks), shapely.bounds(marks), *all_pairs([0, len(marks)]), **keywords
    )


def test_distances_worked_by_hand():
    # Two that overlap: 0.5 of 1.5. One inside the other: 1 of 4. Apart; sharing an edge; equal.
    assert distances_of([box(0, 0, 1, 1), box(0.5, 0, 1.5, 1)]) == pytest.approx([2 / 3])
    assert distances_of([box(0, 0, 2, 2), box(0.5, 0.5, 1.5, 1.5)]) == pytest.approx([3 / 4])
    assert distances_of([box(0, 0, 1, 1), box(5, 5, 6, 6)]).tolist() == [1.0]
    assert distances_of([box(0, 0, 1, 1), box(1, 0, 2, 1)]).tolist() == [1.0]
    assert distances_of([box(0, 0, 1, 1), box(0, 0, 1, 1)]).tolist() == [0.0]


def test_marks_that_do_not_overlap_but_their_boxes_do():
    lower, upper = shapely.Polygon([(0, 0), (9, 0), (0, 9)]), shapely.Polygon([(9, 9), (9, 1), (1, 9)])
    assert distances_of([lower, upper]).tolist() == [1.0]


def test_matrix_with_volunteers_and_missing_marks():
    marks = [box(0, 0, 1, 1), None, box(0.5, 0, 1.5, 1), shapely.Polygon(), box(0, 0, 1, 1)]
    matrix = iou_distance_matrix(marks, volunteers=["ann", "bob", "cid", "dan", "ann"])
    third = pytest.approx(2 / 3)
    assert matrix[0].tolist() == [0, 1, third, 1, np.inf]
    assert matrix[2].tolist() == [third, 1, 0, 1, third]
    assert np.array_equal(matrix, matrix.T)
    assert iou_distance_matrix([]).shape == (0, 0)
    assert iou_distance_matrix(marks)[0, 4] == 0
    with pytest.raises(ValueError, match="5 polygons, but 1 volunteer"):
        iou_distance_matrix(marks, volunteers=["ann"])


@pytest.mark.parametrize("unknown", [None, np.nan, float("nan"), np.datetime64("NaT", "s")])
@pytest.mark.parametrize("name", ["a", 7, ("a", 1)])
def test_unknown_volunteers_are_all_different(unknown, name):
    matrix = iou_distance_matrix([box(0, 0, 1, 1)] * 5, volunteers=[name, unknown, unknown, "c", name])
    assert np.argwhere(np.isinf(matrix)).tolist() == [[0, 4], [4, 0]]


def test_volunteers_as_an_array_of_numbers():
    matrix = iou_distance_matrix([box(0, 0, 1, 1)] * 4, volunteers=np.array([3, np.nan, np.nan, 3]))
    assert np.argwhere(np.isinf(matrix)).tolist() == [[0, 3], [3, 0]]


def test_monte_carlo(make_cluster):
    one, other = make_cluster(2, seed=5)
    points = np.random.default_rng(0).uniform(150, 450, (400_000, 2))
    in_one, in_other = (shapely.contains_xy(mark, *points.T) for mark in (one, other))
    estimate = 1 - np.sum(in_one & in_other) / np.sum(in_one | in_other)
    (distance,) = distances_of([one, other])
    assert 0.02 < distance < 0.5
    assert distance == pytest.approx(estimate, abs=0.004)  # about four standard errors


def test_chunks_give_the_same_distances(make_cluster, monkeypatch):
    marks = make_cluster(6)
    whole = distances_of(marks)
    monkeypatch.setattr(distances_module, "_CHUNK", 4)
    assert np.array_equal(distances_of(marks), whole)


def test_an_engine_is_a_function_of_polygons_and_pairs():
    def engine(polygons, left, right):
        assert (left.tolist(), right.tolist()) == ([0], [1])  # only pairs whose boxes overlap
        return np.array([0.25])

    marks = [box(0, 0, 1, 1), box(0.5, 0, 1.5, 1), box(7, 7, 8, 8)]
    distances = distances_of(marks, intersection_areas=engine)
    assert distances == pytest.approx([1 - 0.25 / 1.75, 1, 1])


def test_an_intersection_by_geos_with_an_area_of_one_polygon_only():
    # Two triangles that meet in a corner, with nearly collinear edges: by fractions, they share 1.6e-17.
    one = shapely.Polygon([(5 / 3, 1), (0, 1 / 3), (1, 0)])
    other = shapely.Polygon([(1.0833333333333333, 0.125), (5 / 3, 1), (4 / 3, 0)])
    marks = np.array([one, other, None], dtype=object)
    areas = shapely_intersection_areas(marks, np.array([0, 1, 0, 0]), np.array([1, 0, 0, 2]))
    assert areas == pytest.approx([0, 0, one.area, 0], abs=1e-9)


@pytest.mark.parametrize("refuses_repaired", [False, True])
def test_a_pair_that_geos_cannot_intersect_does_not_affect_others(monkeypatch, refuses_repaired):
    intersection = shapely.intersection
    marks = np.array([box(k, 0, k + 2, 1) for k in range(6)], dtype=object)
    bad, calls = marks[3], []

    def fails_on_one(one, other):
        calls.append(len(one))
        if any(mark is bad for mark in one) or (refuses_repaired and any(m.equals(bad) for m in one)):
            raise shapely.errors.GEOSException("TopologyException")
        return intersection(one, other)

    monkeypatch.setattr(shapely, "intersection", fails_on_one)
    areas = shapely_intersection_areas(marks, np.arange(5), np.arange(1, 6))
    assert areas.tolist() == [1, 1, 1, 0 if refuses_repaired else 1, 1]
    assert calls[0] == 5


def test_consensus_worked_by_hand():
    inf = np.inf
    assert consensus([[0]]) == 1.0
    assert consensus([[0, 0.25], [0.25, 0]]) == 0.75
    assert consensus([[0, 0.5, inf], [0.5, 0, 0.3], [inf, 0.3, 0]]) == pytest.approx(0.4)


@pytest.mark.parametrize(
    "matrix",
    [
        [],
        [[]],
        [[0, 1]],
        [0.5],
        [[0, 1], [0.5, 0]],
        [[0.1]],
        [[0, np.nan], [np.nan, 0]],
        [[0, 1.5], [1.5, 0]],
        [[0, -0.1], [-0.1, 0]],
        [[0, -np.inf], [-np.inf, 0]],
    ],
    ids=str,
)
def test_invalid_distance_matrices_raise(matrix):
    with pytest.raises(ValueError, match="a distance matrix"):
        consensus(matrix)
    with pytest.raises(ValueError, match="a distance matrix"):
        average_median([box(0, 0, 1, 1)] * len(matrix), matrix)


def test_consensus_does_not_change_the_matrix():
    matrix = np.array([[0, np.inf], [np.inf, 0]])
    assert consensus(matrix) == 0.0
    assert np.isinf(matrix[0, 1])


boxes = st.tuples(*[st.integers(0, 9)] * 2, *[st.integers(1, 9)] * 2).map(
    lambda b: box(b[0], b[1], b[0] + b[2], b[1] + b[3])
)


@given(st.lists(st.tuples(boxes, st.integers(0, 2)), min_size=1, max_size=6), st.floats(0.01, 100))
def test_consensus_is_a_fraction_at_every_scale(marks, scale):
    marks, volunteers = zip(*marks, strict=True)
    matrix = iou_distance_matrix(marks, volunteers)
    assert 0 <= consensus(matrix) <= 1
    scaled = shapely.transform(np.array(marks, dtype=object), lambda points: points * scale)
    assert consensus(iou_distance_matrix(scaled, volunteers)) == pytest.approx(consensus(matrix), abs=1e-9)


def test_rounding_errors_in_a_matrix_are_accepted():
    matrix = np.array([[0.0, -2e-16, 1 + 2e-16], [0.0, 1e-17, 0.5], [1.0, 0.5 + 1e-16, 0.0]])
    assert consensus(matrix) == pytest.approx(0.5)
