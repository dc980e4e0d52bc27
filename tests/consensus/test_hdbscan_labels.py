"""HDBSCAN for each component of overlapping marks, in cases that can be worked out by hand."""

import numpy as np
import pytest

from polyframe.consensus.hdbscan_labels import hdbscan_labels
from polyframe.consensus.pairwise_matrices import pairwise_matrices


def labels_of(sizes: list[int], pairs: dict[tuple[int, int], float], min_samples: int = 2) -> list[int]:
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    left, right = np.array(list(pairs), np.int64).reshape(-1, 2).T
    return hdbscan_labels(offsets, left, right, np.array(list(pairs.values())), min_samples).tolist()


def all_pairs(marks: list[int], distance: float) -> dict[tuple[int, int], float]:
    return {(a, b): distance for a in marks for b in marks if a < b}


@pytest.mark.parametrize("distance", [0.0, 0.3])
def test_one_object_is_one_cluster(distance: float) -> None:
    """Over a whole group it would be no cluster: there is nothing from which it differs."""
    assert labels_of([5], all_pairs([0, 1, 2, 3, 4], distance)) == [0] * 5


def test_marks_that_do_not_overlap_are_outliers() -> None:
    """Over a whole group they would be one cluster, since all are equally far apart."""
    assert labels_of([4], all_pairs([0, 1, 2, 3], 1.0)) == [-1] * 4
    assert labels_of([4], {}) == [-1] * 4


def test_clusters_are_numbered_by_their_first_mark_in_each_group() -> None:
    objects = [[0, 2, 4], [1, 3, 5], [6, 7, 8]]
    pairs = {pair: distance for marks in objects for pair, distance in all_pairs(marks, 0.2).items()}
    assert labels_of([6, 4], pairs) == [0, 1, 0, 1, 0, 1, 0, 0, 0, -1]


def test_small_components_have_no_cluster() -> None:
    pairs = all_pairs([0, 1, 2], 0.2) | all_pairs([3, 4], 0.2)
    assert labels_of([5], pairs, min_samples=3) == [0, 0, 0, -1, -1]
    assert labels_of([5], pairs, min_samples=4) == [-1] * 5
    # A cluster has at least two marks.
    assert labels_of([6], pairs, min_samples=1) == [0, 0, 0, 1, 1, -1]


def test_two_objects_joined_by_one_mark_are_two_clusters() -> None:
    """Marks 0 to 3 and 4 to 7 are objects; mark 8, around both, overlaps all of them."""
    pairs = all_pairs([0, 1, 2, 3], 0.2) | all_pairs([4, 5, 6, 7], 0.2) | {(k, 8): 0.6 for k in range(8)}
    labels = labels_of([9], pairs)
    assert labels[:8] == [0] * 4 + [1] * 4


def test_matrices_have_the_listed_distances_and_no_others() -> None:
    members, offsets = np.array([1, 4, 6, 0, 5]), np.array([0, 3, 5])
    pairs = np.array([1, 4, 1, 0]), np.array([4, 6, 5, 5])
    (first, one), (second, other) = pairwise_matrices(
        members, offsets, pairs, np.array([0.1, 0.2, 0.3, 0.4]), 9.0
    )
    assert (first.tolist(), second.tolist()) == ([1, 4, 6], [0, 5])
    assert one.tolist() == [[0, 0.1, 9], [0.1, 0, 0.2], [9, 0.2, 0]]
    assert other.tolist() == [[0, 0.4], [0.4, 0]]
    none = np.zeros(0, np.int64)
    assert list(pairwise_matrices(none, np.zeros(1, np.int64), (none, none), np.zeros(0), 1.0)) == []
