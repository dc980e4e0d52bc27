"""Test unions, intersections, medians and the last mark, and the consensus of clusters."""

import datetime
import itertools

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import box

from polyframe.geometry import (
    average_intersection,
    average_last,
    average_median,
    average_union,
    consensus,
    iou_distance_matrix,
)
from polyframe.geometry.averages import cluster_intersections, cluster_unions, median_and_consensus
from polyframe.geometry.candidate_pairs import all_pairs
from polyframe.geometry.polygon_parts import fill_holes, have_area, largest_parts

#: Two U-shapes, one upside down: their common region is two squares of 1 and 2 by 1.
U = shapely.Polygon([(0, 0), (9, 0), (9, 5), (7, 5), (7, 1), (1, 1), (1, 5), (0, 5)])
CAP = shapely.Polygon([(0, 4), (0, 9), (9, 9), (9, 4), (7, 4), (7, 8), (1, 8), (1, 4)])


def test_union_takes_the_largest_part_and_fills_its_holes():
    frame = box(0, 0, 4, 4).difference(box(1, 1, 2, 2))
    united = average_union([frame, box(3, 0, 6, 4), box(9, 9, 10, 10)])
    assert united.equals(box(0, 0, 6, 4))
    assert average_union([U, CAP]).equals(box(0, 0, 9, 9))


def test_intersection_of_several_parts_is_the_largest():
    assert U.intersection(CAP).geom_type == "MultiPolygon"
    assert average_intersection([U, CAP]).equals(box(7, 4, 9, 5))


def test_intersection_may_be_empty():
    for marks in (
        [box(0, 0, 1, 1), box(5, 5, 6, 6)],
        [box(0, 0, 1, 1), box(1, 0, 2, 1), box(0, 0, 2, 1)],
        [],
    ):
        common = average_intersection(marks)
        assert common.geom_type == "Polygon"
        assert common.is_empty


def test_a_single_mark_is_its_own_average():
    frame = box(0, 0, 4, 4).difference(box(1, 1, 2, 2))
    assert average_union([frame]) is frame
    assert average_intersection([frame]) is frame
    assert average_union([None, frame]) is frame
    assert average_median([frame], [[0]]) is frame
    assert average_union([]).is_empty


def test_median_is_the_middle_one_and_the_first_on_ties():
    marks = [box(0, 0, 4, 1), box(1, 0, 5, 1), box(2, 0, 6, 1)]
    assert average_median(marks, iou_distance_matrix(marks)) is marks[1]
    assert average_median(marks[:2], iou_distance_matrix(marks[:2])) is marks[0]
    # The sums of the last two differ by rounding alone, in favour of the last.
    matrix = np.array([[0, 0.5, 0.5], [0.5, 0, 0.1], [0.5, 0.1, 0]])
    matrix[0, 2] = matrix[2, 0] = 0.5 - 1e-15
    assert average_median(marks, matrix) is marks[1]


def test_median_counts_infinite_distances_as_one():
    marks = [box(0, 0, 1, 1), box(0, 0, 2, 1), box(0, 0, 3, 1)]
    inf = np.inf
    matrix = [[0, inf, 0.1], [inf, 0, 0.9], [0.1, 0.9, 0]]  # sums 1.1, 1.9, 1.0
    assert average_median(marks, matrix) is marks[2]
    with pytest.raises(ValueError, match="2 polygons, but a matrix of 3"):
        average_median(marks[:2], matrix)


@pytest.mark.parametrize(
    "times",
    [
        ["2025-01-30 09:48:51 UTC", "2025-01-30 10:00:00 UTC", "2025-01-30 09:59:59 UTC"],
        ["2025-01-30T09:48:51.5Z", "2025-01-30T11:00:00+01:00", "2025-01-30T09:59:59Z"],
        [datetime.datetime(2025, 1, 1), datetime.datetime(2025, 1, 3), datetime.datetime(2025, 1, 2)],
        np.array(["2025-01-01", "2025-01-03", "2025-01-02"], dtype="datetime64[ns]"),
        ["2025-01-01 00:00:00 UTC", "2025-01-03 00:00:00 UTC", "2025-01-03T00:00:00Z"],
    ],
    ids=["zooniverse", "iso", "datetimes", "numpy", "tie"],
)
def test_last_is_the_newest(times):
    marks = [box(0, 0, 1, 1), box(0, 0, 2, 1), box(0, 0, 3, 1)]
    assert average_last(marks, times) is marks[1]


def test_invalid_times_raise():
    marks = [box(0, 0, 1, 1), box(0, 0, 2, 1)]
    with pytest.raises(ValueError, match=r"created_at\[1\] is not a time \(got 'yesterday'\)"):
        average_last(marks, ["2025-01-30 09:48:51 UTC", "yesterday"])
    with pytest.raises(ValueError, match=r"created_at\[0\] is not a time \(got None\)"):
        average_last(marks[:1], [None])
    with pytest.raises(ValueError, match="2 polygons, but 1 time"):
        average_last(marks, ["2025-01-30 09:48:51 UTC"])


def test_largest_part_is_the_first_on_ties_also_in_collections():
    nested = shapely.GeometryCollection(
        [shapely.Point(1, 1), shapely.MultiPolygon([box(0, 0, 1, 1), box(5, 0, 6, 1)])]
    )
    holed = shapely.MultiPolygon([box(0, 0, 3, 3).difference(box(0.5, 0.5, 2.5, 2.5)), box(9, 9, 12, 11)])
    parts = largest_parts(np.array([nested, holed, shapely.LineString([(0, 0), (1, 1)]), None], dtype=object))
    assert parts[0].equals(box(0, 0, 1, 1))
    assert parts[1].equals(box(9, 9, 12, 11))
    assert all(part.is_empty and part.geom_type == "Polygon" for part in parts[2:])


def test_holes_are_filled():
    marks = np.array([box(0, 0, 4, 4).difference(box(1, 1, 2, 2)), box(0, 0, 1, 1), None], dtype=object)
    assert shapely.area(fill_holes(marks))[:2].tolist() == [16, 1]
    assert shapely.area(marks)[0] == 15


def test_an_area_within_rounding_is_not_an_area():
    slanted = shapely.Polygon([(100.1, 300.3), (100.3, 300.9), (100.7, 302.1)])
    tiny = box(1e-6, 1e-6, 2e-6, 2e-6)
    assert slanted.area > 0
    assert have_area(np.array([slanted, tiny, shapely.Polygon(), None], dtype=object)).tolist() == [
        0,
        1,
        0,
        0,
    ]


def test_many_clusters_equal_one_by_one(make_cluster):
    sizes = [1, 4, 0, 2, 7, 1]
    marks = np.concatenate([make_cluster(size, seed=k, vertices=60) for k, size in enumerate(sizes)])
    offsets = np.cumsum([0, *sizes])
    unions, common = cluster_unions(marks, offsets), cluster_intersections(marks, offsets)
    for k, (start, end) in enumerate(itertools.pairwise(offsets)):
        assert unions[k].equals_exact(average_union(marks[start:end]), 0)
        assert common[k].equals_exact(average_intersection(marks[start:end]), 0)
    assert len(cluster_unions(marks[:0], [0])) == len(cluster_intersections(marks[:0], [0])) == 0


def test_medians_of_many_clusters_equal_one_by_one(make_cluster):
    sizes = [1, 4, 2, 7, 1, 3]
    marks = np.concatenate([make_cluster(size, seed=k, vertices=60) for k, size in enumerate(sizes)])
    offsets = np.cumsum([0, *sizes])
    volunteers = np.arange(len(marks))
    volunteers[offsets[3] + 1] = volunteers[offsets[3]]
    matrices = [iou_distance_matrix(marks[a:b], volunteers[a:b]) for a, b in itertools.pairwise(offsets)]
    assert np.isinf(matrices[3]).any()
    left, right = all_pairs(offsets)
    distances = np.concatenate([m[np.triu_indices(len(m), 1)] for m in matrices])
    medians, agreement = median_and_consensus(offsets, left, right, distances)
    for k, (start, end) in enumerate(itertools.pairwise(offsets)):
        assert marks[medians[k]] is average_median(marks[start:end], matrices[k])
        assert agreement[k] == pytest.approx(consensus(matrices[k]), abs=1e-14)
    near = distances < 1
    assert not near.all()
    fewer = median_and_consensus(offsets, left[near], right[near], distances[near])
    assert fewer[0].tolist() == medians.tolist()
    assert fewer[1] == pytest.approx(agreement, abs=1e-14)
    medians, agreement = median_and_consensus([0], *all_pairs([0]), np.empty(0))
    assert len(medians) == len(agreement) == 0


def test_pairs_that_are_not_listed_have_distance_one():
    # Marks 0, 1 and 2 are of one volunteer, 3 overlaps 1 most; worked by hand.
    pairs = np.array([0, 1, 2]), np.array([3, 3, 3])
    medians, agreement = median_and_consensus([0, 4, 6], *pairs, np.array([0.5, 0.25, 0.75]))
    assert medians.tolist() == [3, 4]
    assert agreement == pytest.approx([1 - (0.5 + 0.25 + 0.75 + 3) / 6, 0])


def test_a_cluster_that_geos_cannot_unite_does_not_affect_others(monkeypatch):
    union_all, bad = shapely.union_all, box(50, 0, 51, 1)

    def fails_on_one(geometries, axis=None):
        if any(geometry.intersects(bad) for geometry in np.ravel(geometries)):
            raise shapely.errors.GEOSException("TopologyException")
        return union_all(geometries, axis=axis)

    monkeypatch.setattr(shapely, "union_all", fails_on_one)
    marks = np.array(
        [box(0, 0, 2, 1), box(1, 0, 3, 1), bad, bad, box(5, 0, 6, 1), box(5, 0, 6, 2)], dtype=object
    )
    assert shapely.area(cluster_unions(marks, [0, 2, 4, 6])).tolist() == [3, 0, 2]


triangles = st.lists(
    st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=3, max_size=3, unique=True
).map(shapely.Polygon)


@given(st.lists(triangles.filter(lambda mark: mark.area > 0), min_size=1, max_size=5))
def test_every_mark_contains_the_intersection_and_is_in_the_union(marks):
    # A millionth of a pixel absorbs the rounding of crossing points.
    common, united = average_intersection(marks), average_union(marks).buffer(1e-6)
    # Marks that only touch in a point are two parts, which GEOS may join by rounding.
    overlapping = shapely.union_all(shapely.buffer(marks, -1e-7)).geom_type == "Polygon"
    for mark in marks:
        assert common.difference(mark.buffer(1e-6)).area < 1e-9
        if overlapping:
            assert mark.difference(united).area < 1e-9
