"""Clustering of marks by IoU distance: one DBSCAN over all groups of a partition, on arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def cluster_labels(
    group_offsets: NDArray[np.int64],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    distances: NDArray[np.float64],
    *,
    eps: float,
    min_samples: int,
) -> NDArray[np.int32]:
    """Cluster the marks of many groups at once.

    The distance graph is block-diagonal, one block a group, so one DBSCAN gives the same labels as one for
    each group: scikit-learn numbers clusters by their first core mark, and no edge crosses groups.

    Parameters
    ----------
    group_offsets : (g + 1,) int64
        Marks of group k stand at `group_offsets[k]:group_offsets[k + 1]`.
    left, right : (p,) int64
        Positions of the marks of a pair; each pair once. Pairs that are not listed are no neighbours.
    distances : (p,) float64
        IoU distance of each pair (fraction).
    eps : float
        The largest distance between neighbours, inclusive.
    min_samples : int
        Marks within `eps`, itself included, that make a mark a core of a cluster.

    Returns
    -------
    (n,) int32
        Label of each mark within its group: 0, 1, ... or -1 for an outlier. Empty without marks.

    Notes
    -----
    DBSCAN: Ester, Kriegel, Sander, Xu (1996), as in scikit-learn.
    """
    from scipy.sparse import coo_array
    from sklearn.cluster import DBSCAN

    n_marks = int(group_offsets[-1])
    if n_marks == 0:
        return np.zeros(0, np.int32)
    near = distances <= eps
    left, right, distances = left[near], right[near], distances[near]
    diagonal = np.arange(n_marks)
    graph = coo_array(
        (
            np.concatenate([distances, distances, np.zeros(n_marks)]),
            (np.concatenate([left, right, diagonal]), np.concatenate([right, left, diagonal])),
        ),
        shape=(n_marks, n_marks),
    ).tocsr()
    labels = DBSCAN(eps=eps, min_samples=min_samples, metric="precomputed").fit(graph).labels_
    return _within_groups(np.asarray(labels, np.int64), group_offsets)


def _within_groups(labels: NDArray[np.int64], group_offsets: NDArray[np.int64]) -> NDArray[np.int32]:
    """Number the clusters of each group from 0; outliers stay -1."""
    sizes = np.diff(group_offsets)
    group = np.repeat(np.arange(len(sizes)), sizes)
    clustered = labels >= 0
    first = np.full(len(sizes), np.iinfo(np.int64).max)
    np.minimum.at(first, group[clustered], labels[clustered])
    return np.where(clustered, labels - first[group], -1).astype(np.int32)
