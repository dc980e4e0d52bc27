"""Split clusters that contain several objects: those in which several classifications have two marks.

A volunteer draws an object once. If several volunteers have two marks in a cluster, these are most likely
marks of objects that touch, which marks of both objects have joined.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from polyframe.consensus.clustering import cluster_members, number_by_first_mark
from polyframe.core.arrays import Floats, Ints
from polyframe.core.ragged import offsets_of, positions_of

#: The distance of two marks of one classification, which are never joined; scikit-learn refuses infinity.
NEVER_JOINED: Final = 1e9
#: Parts are joined if their mean distance is below this.
_FURTHEST: Final = 0.999
#: A cluster is doubled if so many classifications have two or more marks in it.
_LEAST_DOUBLED: Final = 2


def doubled_clusters(
    labels: NDArray[np.int32], group_offsets: Ints, classification: Ints
) -> tuple[Ints, Ints]:
    """Return the doubled clusters, in which at least two classifications have two or more marks.

    Parameters
    ----------
    labels : (n,) int32
        Label of each mark within its group; -1 for an outlier.
    group_offsets : (g + 1,) int64
        Marks of each group.
    classification : (n,) int64
        The classification of each mark.

    Returns
    -------
    members : (m,) int64
        Positions of their marks, sorted by cluster.
    member_offsets : (d + 1,) int64
        Members of each doubled cluster.
    """
    members, offsets = cluster_members(labels, group_offsets)
    sizes = np.diff(offsets)
    _, code = np.unique(classification[members], return_inverse=True)
    width = int(code.max(initial=0)) + 1
    keys, n_marks = np.unique(np.repeat(np.arange(len(sizes)), sizes) * width + code, return_counts=True)
    n_classifications = np.bincount(keys[n_marks > 1] // width, minlength=len(sizes))
    doubled = np.flatnonzero(n_classifications >= _LEAST_DOUBLED)
    return members[positions_of(offsets[doubled], sizes[doubled])], offsets_of(sizes[doubled])


def split_labels(
    labels: NDArray[np.int32],
    group_offsets: Ints,
    matrices: Iterable[tuple[Ints, Floats]],
    min_samples: int,
) -> NDArray[np.int32]:
    """Split clusters by average linkage; other clusters keep their marks.

    Parameters
    ----------
    labels : (n,) int32
        Label of each mark within its group; -1 for an outlier.
    group_offsets : (g + 1,) int64
        Marks of each group.
    matrices : iterable of ((k,) int64, (k, k) float64)
        The marks of each cluster to split, and their distances; `NEVER_JOINED` within a classification.
    min_samples : int
        The marks of smaller parts become outliers.

    Returns
    -------
    (n,) int32
        The clusters of groups with a cluster to split are numbered by their first mark; labels in other
        groups are unchanged.

    Notes
    -----
    Average linkage: Sokal and Michener (1958). The mean distance of two parts with marks of one
    classification is far above 1, so no part contains two of them.
    """
    members, offsets = cluster_members(labels, group_offsets)
    clusters = np.full(len(labels), -1)
    clusters[members] = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    n_clusters = len(offsets) - 1
    split = np.zeros(len(labels), np.bool_)
    for marks, matrix in matrices:
        part = _average_linkage(matrix)
        is_cluster = np.bincount(part)[part] >= min_samples
        clusters[marks] = np.where(is_cluster, n_clusters + part, -1)
        n_clusters += len(marks)
        split[marks] = True
    changed = np.logical_or.reduceat(np.append(split, False), group_offsets)[:-1]
    numbered = number_by_first_mark(clusters, group_offsets)
    return np.where(np.repeat(changed, np.diff(group_offsets)), numbered, labels).astype(np.int32)


def _average_linkage(matrix: Floats) -> Ints:
    """Return the part of each mark, numbered from 0."""
    # Importing it takes a second, which a run without doubled clusters does not spend.
    from sklearn.cluster import AgglomerativeClustering

    linkage = AgglomerativeClustering(
        n_clusters=None, metric="precomputed", linkage="average", distance_threshold=_FURTHEST
    )
    return np.asarray(linkage.fit(matrix).labels_, np.int64)
