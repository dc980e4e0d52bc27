"""Test that large groups, and outlines that occur many times, get the same clusters as small groups."""

import itertools
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import shapely
from cluster_oracle import distance_matrix, group_labels, is_doubled, squares
from hypothesis import given, settings
from hypothesis import strategies as st

from polyframe.consensus import group_clusters, large_groups, repeated_outlines
from polyframe.consensus.group_clusters import Clusters, cluster_groups
from polyframe.consensus.large_groups import Outlines
from polyframe.consensus.marks import GroupedMarks
from polyframe.core.settings import Settings

NEVER = 10**9
FIELDS = ("labels", "members", "member_offsets", "group", "median", "consensus")


def marks_of(boxes: list[tuple[int, int, int]], classes: list[int], sizes: list[int]) -> GroupedMarks:
    """Squares (x, y, side) on a coarse grid, so that distances equal to `eps` and ties occur."""
    polygons = squares(boxes)
    return GroupedMarks(
        keys=pl.DataFrame({"classification_id": pl.Series(classes, dtype=pl.Int64)}),
        polygons=polygons,
        areas=shapely.area(polygons),
        bounds=shapely.bounds(polygons).reshape(-1, 4),
        group_offsets=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        n_classifications=np.ones(len(sizes), np.int64),
        rejected=0,
        set_aside=0,
        rows_set_aside=0,
    )


def clusters_of(marks: GroupedMarks, options: Settings, large: int, duplicates: int) -> Clusters:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group_clusters, "LARGE_GROUP", large)
        patch.setattr(repeated_outlines, "MANY_DUPLICATES", duplicates)
        # So that a group of ten marks has several blocks.
        patch.setattr(large_groups, "_BLOCK", 20)
        patch.setattr(repeated_outlines, "_BLOCK", 20)
        return cluster_groups(marks, options)


@st.composite
def groups(draw: st.DrawFn) -> GroupedMarks:
    sizes = draw(st.lists(st.integers(1, 14), min_size=1, max_size=3))
    n = sum(sizes)
    several = draw(st.lists(st.tuples(*[st.integers(0, 6)] * 2, st.integers(1, 5)), min_size=1, max_size=12))
    boxes = draw(st.lists(st.sampled_from(several), min_size=n, max_size=n))
    classes = draw(st.lists(st.integers(0, draw(st.integers(0, 6))), min_size=n, max_size=n))
    return marks_of(boxes, classes, sizes)


OPTIONS = st.builds(
    Settings,
    eps=st.sampled_from([0.25, 0.5, 0.75, 0.9, 1.0]),
    min_samples=st.integers(1, 5),
    cluster_method=st.sampled_from(["dbscan", "hdbscan"]),
    split=st.sampled_from(["none", "doubled"]),
    engine=st.just("shapely"),
)


@settings(max_examples=150, deadline=None)
@given(groups(), OPTIONS)
def test_labels_equal_those_of_scikit_learn_for_each_group(marks: GroupedMarks, options: Settings) -> None:
    clusters = clusters_of(marks, options, NEVER, NEVER)
    classes = marks.classification.tolist()
    for first, last in itertools.pairwise(marks.group_offsets.tolist()):
        matrix = distance_matrix(marks.polygons[first:last], classes[first:last])
        expected = group_labels(matrix, classes[first:last], options)
        assert clusters.labels[first:last].tolist() == expected


@settings(max_examples=100, deadline=None)
@given(groups(), OPTIONS)
def test_clusters_that_are_not_doubled_keep_their_marks(marks: GroupedMarks, options: Settings) -> None:
    before = clusters_of(marks, replace(options, split="none"), NEVER, NEVER)
    after = clusters_of(marks, replace(options, split="doubled"), NEVER, NEVER)
    classes = marks.classification.tolist()
    kept = {tuple(cluster) for cluster in np.split(after.members, after.member_offsets[1:-1])}
    for cluster in np.split(before.members, before.member_offsets[1:-1]):
        if not len(cluster):
            continue
        own = [classes[mark] for mark in cluster]
        if is_doubled([0] * len(own), own, 0):
            # Its marks stay together or become outliers, and no volunteer has two in a part.
            parts = after.labels[cluster]
            for part in {*parts.tolist()} - {-1}:
                drawn = [c for c, label in zip(own, parts.tolist(), strict=True) if label == part]
                assert len(drawn) == len(set(drawn)) >= options.min_samples
        else:
            assert tuple(cluster) in kept
    unchanged = [
        first
        for first, last in itertools.pairwise(marks.group_offsets.tolist())
        if not any(
            is_doubled(before.labels[first:last].tolist(), classes[first:last], label)
            for label in {*before.labels[first:last].tolist()} - {-1}
        )
    ]
    for first, last in itertools.pairwise(marks.group_offsets.tolist()):
        if first in unchanged:
            assert after.labels[first:last].tolist() == before.labels[first:last].tolist()


@settings(max_examples=150, deadline=None)
@given(groups(), OPTIONS, st.booleans())
def test_large_groups_have_the_same_clusters_to_the_last_bit(
    marks: GroupedMarks, options: Settings, keep: bool
) -> None:
    expected = clusters_of(marks, options, NEVER, NEVER)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large_groups, "MOST_KEPT", NEVER if keep else 1)
        clusters = clusters_of(marks, options, 4, NEVER)
    for name in FIELDS:
        assert getattr(clusters, name).tolist() == getattr(expected, name).tolist(), name


@settings(max_examples=50, deadline=None)
@given(groups(), OPTIONS)
def test_areas_of_whole_blocks_give_the_same_clusters(marks: GroupedMarks, options: Settings) -> None:
    pytest.importorskip("numba", reason="areas of whole blocks need the extra `fast` (numba)")
    # With ties, HDBSCAN and splits depend on the last bit of a distance.
    compiled = replace(options, cluster_method="dbscan", split="none", engine="compiled")
    expected = clusters_of(marks, compiled, NEVER, NEVER)
    clusters = clusters_of(marks, compiled, 4, NEVER)
    assert clusters.consensus == pytest.approx(expected.consensus, abs=1e-12)
    for name in set(FIELDS) - {"consensus"}:
        assert getattr(clusters, name).tolist() == getattr(expected, name).tolist(), name


@settings(max_examples=200, deadline=None)
@given(groups(), OPTIONS)
def test_repeated_outlines_count_as_often_as_they_occur(marks: GroupedMarks, options: Settings) -> None:
    expected = clusters_of(marks, options, NEVER, NEVER)
    clusters = clusters_of(marks, options, 2, 1)
    assert clusters.consensus == pytest.approx(expected.consensus, abs=1e-12)
    for name in set(FIELDS) - {"consensus"}:
        assert getattr(clusters, name).tolist() == getattr(expected, name).tolist(), name


def test_outlines_are_the_same_only_point_for_point() -> None:
    """The distance of two outlines could depend, in its last bit, on the vertex at which they begin."""
    square = [(0, 0), (0, 2), (2, 2), (2, 0)]
    other = shapely.Polygon([*square[1:], square[0]])
    polygons = np.array([shapely.Polygon(square), other, shapely.Polygon(square)] * 20, dtype=object)
    outlines = Outlines(polygons, shapely.area(polygons), shapely.bounds(polygons), np.arange(60))
    distinct = repeated_outlines.distinct_outlines(outlines)
    assert distinct is not None
    assert distinct.first.tolist() == [0, 1]
    assert distinct.outline.tolist() == [0, 1, 0] * 20


def test_few_or_too_many_distinct_outlines_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    polygons = np.array([shapely.box(0, 0, 1, 1 + k // 2) for k in range(80)], dtype=object)
    outlines = Outlines(polygons, shapely.area(polygons), shapely.bounds(polygons), np.arange(80))
    assert repeated_outlines.distinct_outlines(outlines) is not None
    monkeypatch.setattr(repeated_outlines, "MOST_DISTINCT", 39)
    assert repeated_outlines.distinct_outlines(outlines) is None
    monkeypatch.undo()
    monkeypatch.setattr(repeated_outlines, "MANY_DUPLICATES", 41)
    assert repeated_outlines.distinct_outlines(outlines) is None


def test_identical_marks_take_no_pairs() -> None:
    """100,000 marks: a list of their pairs would take 40 GB."""
    volunteers, copies = 1000, 100
    boxes = [(k, 0, 50) for k in range(copies)] * volunteers
    classes = np.repeat(np.arange(volunteers), copies).tolist()
    outlines = {k: shapely.box(k, 0, k + 50, 50) for k in range(copies)}
    marks = marks_of(boxes[:1], classes[:1], [1])
    polygons = np.array([outlines[k] for k in range(copies)] * volunteers, dtype=object)
    marks = GroupedMarks(
        keys=pl.DataFrame({"classification_id": classes}),
        polygons=polygons,
        areas=shapely.area(polygons),
        bounds=shapely.bounds(polygons),
        group_offsets=np.array([0, len(polygons)]),
        n_classifications=np.array([volunteers]),
        rejected=marks.rejected,
        set_aside=0,
        rows_set_aside=0,
    )
    clusters = cluster_groups(marks, Settings(eps=0.5, engine="shapely"))
    assert np.all(clusters.labels == 0)
    # By hand: squares that are k apart have the distance 1 - (50 - k) / (50 + k), up to 1.
    apart = np.abs(np.arange(copies)[:, None] - np.arange(copies))
    distances = 1 - np.maximum(50 - apart, 0) / (50 + apart)
    total = (distances.sum() * volunteers * (volunteers - 1) + volunteers * copies * (copies - 1)) / 2
    pairs = len(polygons) * (len(polygons) - 1) / 2
    assert clusters.consensus == pytest.approx([1 - total / pairs], abs=1e-12)
    assert clusters.median.tolist() == [int(np.argmin(distances.sum(axis=0).round(9)))]
