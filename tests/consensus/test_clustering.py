"""DBSCAN over many groups at once, compared with one DBSCAN for each group."""

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyframe.consensus.clustering import cluster_labels, number_by_first_mark


def random_distances(rng: np.random.Generator, sizes: list[int]) -> tuple[np.ndarray, ...]:
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    pairs = [
        (first + i, first + j)
        for first, size in zip(offsets[:-1], sizes, strict=True)
        for i in range(size)
        for j in range(i + 1, size)
    ]
    left, right = np.array(pairs, np.int64).reshape(-1, 2).T
    # Coarse values, so that distances equal to eps, equal distances and distances of 0 occur.
    return offsets, left, right, rng.integers(0, 11, len(left)) / 10


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.integers(1, 9), max_size=6),
    st.integers(0, 2**32),
    st.sampled_from([0.1, 0.3, 0.5, 0.9, 1.0]),
    st.integers(1, 5),
)
def test_labels_equal_those_of_one_dbscan_for_each_group(
    sizes: list[int], seed: int, eps: float, min_samples: int
) -> None:
    from sklearn.cluster import DBSCAN

    offsets, left, right, distances = random_distances(np.random.default_rng(seed), sizes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        labels = cluster_labels(offsets, left, right, distances, eps=eps, min_samples=min_samples)
    matrix = np.zeros((offsets[-1], offsets[-1]))
    matrix[left, right] = matrix[right, left] = distances
    for first, last in itertools.pairwise(offsets):
        alone = DBSCAN(eps=eps, min_samples=min_samples, metric="precomputed").fit(
            matrix[first:last, first:last]
        )
        assert labels[first:last].tolist() == alone.labels_.tolist()


def test_pairs_that_are_not_listed_are_not_neighbours() -> None:
    none = np.zeros(0, np.int64)
    offsets = np.array([0, 3])
    assert cluster_labels(offsets, none, none, np.zeros(0), eps=0.5, min_samples=2).tolist() == [-1, -1, -1]
    assert cluster_labels(offsets, none, none, np.zeros(0), eps=0.5, min_samples=1).tolist() == [0, 1, 2]


def test_no_marks() -> None:
    none = np.zeros(0, np.int64)
    assert len(cluster_labels(np.zeros(1, np.int64), none, none, np.zeros(0), eps=0.5, min_samples=2)) == 0


@pytest.mark.parametrize("distance", [0.5, 0.0])
def test_eps_is_inclusive_and_identical_marks_are_neighbours(distance: float) -> None:
    labels = cluster_labels(
        np.array([0, 2]), np.array([0]), np.array([1]), np.array([distance]), eps=0.5, min_samples=2
    )
    assert labels.tolist() == [0, 0]


def test_clusters_are_numbered_in_the_order_of_their_first_marks() -> None:
    numbered = number_by_first_mark(np.array([9, -1, 4, 9, 7, 7, -1]), np.array([0, 4, 7]))
    assert numbered.tolist() == [0, -1, 1, 0, 0, 0, -1]
    assert number_by_first_mark(np.zeros(0, np.int64), np.zeros(1, np.int64)).tolist() == []
