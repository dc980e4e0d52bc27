"""Which clusters are doubled, what becomes of their parts, and what splits do for crowded scenes."""

import numpy as np
import pytest
from crowded_scenes import KINDS, draw_scene, quality_of

from polyframe.consensus.split_doubled import NEVER_JOINED, doubled_clusters, split_labels
from polyframe.core.settings import Settings


def doubled(labels: list[int], classes: list[int], sizes: list[int]) -> list[list[int]]:
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    members, bounds = doubled_clusters(np.array(labels, np.int32), offsets, np.array(classes))
    return [part.tolist() for part in np.split(members, bounds[1:-1]) if len(part)]


@pytest.mark.parametrize(
    ("labels", "classes", "expected"),
    [
        ([0, 0, 0, 0], [7, 7, 8, 8], [[0, 1, 2, 3]]),
        # One volunteer twice is not enough, however often.
        ([0, 0, 0, 0], [7, 7, 7, 8], []),
        ([0, 0, 0, 0, 0], [7, 8, 7, 9, 8], [[0, 1, 2, 3, 4]]),
        # Twice in the group, but not in the cluster.
        ([0, 1, 0, 1], [7, 7, 8, 8], []),
        ([-1, -1, -1, -1], [7, 7, 8, 8], []),
        ([1, 0, 1, 0, 1, 1], [7, 9, 8, 9, 7, 8], [[0, 2, 4, 5]]),
    ],
)
def test_two_classifications_with_two_marks_make_a_cluster_doubled(
    labels: list[int], classes: list[int], expected: list[list[int]]
) -> None:
    assert doubled(labels, classes, [len(labels)]) == expected


def test_clusters_are_doubled_within_their_group() -> None:
    """Both groups have a cluster 0; classifications have marks in both groups."""
    assert doubled([0, 0, 0, 0], [7, 8, 7, 8], [2, 2]) == []
    assert doubled([0, 0, 0, 0, 0, 0], [7, 8, 7, 7, 8, 8], [2, 4]) == [[2, 3, 4, 5]]


def test_parts_are_numbered_by_their_first_mark_and_small_ones_are_outliers() -> None:
    """By hand: marks 1, 2, 5 are near each other, and so are 3 and 4; mark 6 is on its own."""
    near = np.full((6, 6), 0.9995)
    for a, b in ((0, 1), (0, 4), (1, 4), (2, 3)):
        near[a, b] = near[b, a] = 0.2
    near[0, 2] = near[2, 0] = near[4, 5] = near[5, 4] = NEVER_JOINED
    np.fill_diagonal(near, 0.0)
    labels = np.array([1, 0, 0, 0, 0, 0, 0, 1, 0, 0], np.int32)
    marks, offsets = np.arange(1, 7), np.array([0, 8, 10])
    # The other cluster of the group keeps its marks, and comes first now; the other group is unchanged.
    split = split_labels(labels, offsets, [(marks, near.copy())], 2)
    assert split.tolist() == [0, 1, 1, 2, 2, 1, -1, 0, 0, 0]
    split = split_labels(labels, offsets, [(marks, near.copy())], 1)
    assert split.tolist() == [0, 1, 1, 2, 2, 1, 3, 0, 0, 0]
    split = split_labels(labels, offsets, [(marks, near.copy())], 3)
    assert split.tolist() == [0, 1, 1, -1, -1, 1, -1, 0, 0, 0]


def test_without_doubled_clusters_nothing_changes() -> None:
    """A group whose labels are not in the order of first marks keeps them too."""
    labels = np.array([1, 0, 0, 1, -1], np.int32)
    assert split_labels(labels, np.array([0, 5]), [], 2).tolist() == labels.tolist()
    assert split_labels(labels[:0], np.array([0]), [], 2).tolist() == []


@pytest.mark.parametrize("kind", KINDS)
def test_objects_that_were_joined_come_back(kind: str) -> None:
    """With `eps` 0.7, marks around two neighbours join the objects of a scene."""
    for seed in range(5):
        scene = draw_scene(KINDS[kind], seed)
        joined = quality_of(scene, Settings(eps=0.7, engine="shapely"))
        split = quality_of(scene, Settings(eps=0.7, split="doubled", engine="shapely"))
        assert (joined.lost > 0, split.lost) == (True, 0)
        assert joined.ari < 0.8 < 0.97 < split.ari
        density = quality_of(scene, Settings(cluster_method="hdbscan", engine="shapely"))
        assert (density.lost, density.ari > 0.8) == (0, True)
