"""Cluster marks by HDBSCAN, which needs no largest distance between neighbours.

It is applied to each connected component of the graph of marks that overlap. Over a whole group, a single
object would give only outliers, and marks that do not overlap would form clusters.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from polyframe.consensus.clustering import cluster_labels, cluster_members, number_by_first_mark
from polyframe.consensus.pairwise_matrices import pairwise_matrices
from polyframe.core.arrays import Floats, Ints
from polyframe.core.ragged import offsets_of, positions_of

#: Marks overlap if their distance is at most this, the largest number below 1.
OVERLAPPING: Final = float(np.nextafter(1.0, 0.0))
#: Infinite distances, within a classification, count as much as those of marks that do not overlap.
NOT_OVERLAPPING: Final = 1.0


def hdbscan_labels(
    group_offsets: Ints, left: Ints, right: Ints, distances: Floats, min_samples: int
) -> NDArray[np.int32]:
    """Cluster the marks of many groups by HDBSCAN.

    Parameters
    ----------
    group_offsets : (g + 1,) int64
        Marks of group k: `group_offsets[k]:group_offsets[k + 1]`.
    left, right : (p,) int64
        All pairs of marks of a group that overlap and are of different classifications, each once, and any
        others with a distance of 1.
    distances : (p,) float64
        IoU distance of each pair (fraction).
    min_samples : int
        See `component_labels`.

    Returns
    -------
    (n,) int32
        Label of each mark within its group: 0, 1, ..., numbered by the first mark; -1 for an outlier.

    Notes
    -----
    HDBSCAN: Campello, Moulavi, Sander (2013).
    """
    component = cluster_labels(group_offsets, left, right, distances, eps=OVERLAPPING, min_samples=1)
    members, offsets = large_components(component, group_offsets, min_samples)
    matrices = pairwise_matrices(members, offsets, (left, right), distances, NOT_OVERLAPPING)
    return number_by_first_mark(component_labels(len(component), matrices, min_samples), group_offsets)


def large_components(
    component: NDArray[np.int32], group_offsets: Ints, min_samples: int
) -> tuple[Ints, Ints]:
    """Return the members and offsets of the components that are large enough to contain a cluster.

    Parameters
    ----------
    component : (n,) int32
        The component of each mark within its group.
    group_offsets : (g + 1,) int64
    min_samples : int
    """
    members, offsets = cluster_members(component, group_offsets)
    sizes = np.diff(offsets)
    large = np.flatnonzero(sizes >= least_cluster(min_samples))
    return members[positions_of(offsets[large], sizes[large])], offsets_of(sizes[large])


def component_labels(count: int, matrices: Iterable[tuple[Ints, Floats]], min_samples: int) -> Ints:
    """Cluster the marks of each component by scikit-learn.

    Parameters
    ----------
    count : int
        Number of all marks.
    matrices : iterable of ((k,) int64, (k, k) float64)
        The marks of each component, and their distances, which are overwritten.
    min_samples : int
        The least number of marks in a cluster, but at least 2.

    Returns
    -------
    (count,) int64
        A number for each cluster; -1 for other marks.
    """
    labels = np.full(count, -1)
    n_clusters = 0
    for marks, matrix in matrices:
        found = _hdbscan(matrix, min_samples)
        labels[marks] = np.where(found < 0, -1, found + n_clusters)
        n_clusters += int(found.max()) + 1
    return labels


def least_cluster(min_samples: int) -> int:
    """Return the least number of marks in a cluster."""
    return max(2, min_samples)


def _hdbscan(matrix: Floats, min_samples: int) -> Ints:
    """Return the label of each mark of a component; -1 for an outlier. The matrix is overwritten."""
    # Importing it takes a second, which a run without it does not spend.
    from sklearn.cluster import HDBSCAN

    hdbscan = HDBSCAN(
        min_cluster_size=least_cluster(min_samples),
        metric="precomputed",
        allow_single_cluster=True,
        copy=False,
    )
    return np.asarray(hdbscan.fit(matrix).labels_, np.int64)
