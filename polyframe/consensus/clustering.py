"""Cluster marks by IoU distance: one DBSCAN over all groups of a partition.

Since all pairs of neighbours are known, DBSCAN is a search for connected components. The labels equal those
of scikit-learn's `DBSCAN(metric="precomputed")` on the same graph (the tests compare them), but importing
scikit-learn takes a second in every process.
"""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.components import connected_components
from polyframe.core.ragged import runs_of_equal
from polyframe.geometry.candidate_pairs import Pairs


def cluster_labels(
    group_offsets: Ints,
    left: Ints,
    right: Ints,
    distances: Floats,
    *,
    eps: float,
    min_samples: int,
) -> NDArray[np.int32]:
    """Cluster the marks of many groups at once.

    The distance graph is block-diagonal with a block for each group: no pair crosses groups. Clusters are
    numbered by their first core mark.

    Parameters
    ----------
    group_offsets : (g + 1,) int64
        Marks of group k: `group_offsets[k]:group_offsets[k + 1]`.
    left, right : (p,) int64
        Positions of the marks of a pair; each pair once. Pairs that are not listed are not neighbours.
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
    DBSCAN: Ester, Kriegel, Sander, Xu (1996). A cluster is a connected component of core marks; another mark
    near a core joins its cluster, the first one if it is near several.
    """
    near = distances <= eps
    left, right = left[near], right[near]
    core = core_marks(int(group_offsets[-1]), left, right, min_samples)
    return labels_of_neighbours(core, group_offsets, lambda: [(left, right)])


def labels_of_neighbours(
    core: Flags, group_offsets: Ints, blocks: Callable[[], Iterable[Pairs]]
) -> NDArray[np.int32]:
    """Return the labels of `cluster_labels` for neighbours that are listed in blocks.

    Parameters
    ----------
    core : (n,) bool
        Which marks are cores.
    group_offsets : (g + 1,) int64
        Marks of each group.
    blocks : callable
        Returns the pairs of neighbours, some at a time, each pair once; called twice.

    Returns
    -------
    (n,) int32
    """
    component = np.arange(len(core))
    for left, right in blocks():
        both = core[left] & core[right]
        component = join_components(component, left[both], right[both])
    labels = np.where(core, number_components(component, core), len(core))
    # A mark that is not a core takes the least label among its core neighbours.
    for left, right in blocks():
        for one, other in ((left, right), (right, left)):
            joins = core[one] & ~core[other]
            np.minimum.at(labels, other[joins], labels[one[joins]])
    return labels_within_groups(np.where(labels == len(core), -1, labels), group_offsets)


def core_marks(n_marks: int, left: Ints, right: Ints, min_samples: int) -> Flags:
    """Return which marks have at least `min_samples` neighbours, themselves included.

    Parameters
    ----------
    n_marks : int
    left, right : (p,) int64
        Pairs of neighbours, each pair once.
    min_samples : int

    Returns
    -------
    (n,) bool
    """
    neighbours = 1 + np.bincount(left, minlength=n_marks) + np.bincount(right, minlength=n_marks)
    return np.asarray(neighbours >= min_samples)


def cluster_members(labels: NDArray[np.int32], group_offsets: Ints) -> tuple[Ints, Ints]:
    """Return the marks of each cluster.

    Parameters
    ----------
    labels : (n,) int32
        From `cluster_labels`.
    group_offsets : (g + 1,) int64
        Marks of each group.

    Returns
    -------
    members : (m,) int64
        Positions of the clustered marks, sorted by group, label and position.
    member_offsets : (c + 1,) int64
        Members of each cluster.
    """
    group = np.repeat(np.arange(len(group_offsets) - 1), np.diff(group_offsets))
    clustered = np.flatnonzero(labels >= 0)
    cluster = group * len(labels) + labels
    members = clustered[np.argsort(cluster[clustered], kind="stable")]
    return members, runs_of_equal(cluster[members])


def join_components(component: Ints, left: Ints, right: Ints) -> Ints:
    """Return the components of a graph to which more edges are added.

    Parameters
    ----------
    component : (n,) int64
        The first node of the component of each node.
    left, right : (e,) int64
        The nodes of the edges.

    Returns
    -------
    (n,) int64
    """
    return connected_components(len(component), component[left], component[right])[component]


def number_components(component: Ints, core: Flags) -> Ints:
    """Number the components of core marks by their first mark; any number for other marks.

    Parameters
    ----------
    component : (n,) int64
        The first mark of the component of each mark.
    core : (n,) bool
    """
    begins = core & (component == np.arange(len(core)))
    return (np.cumsum(begins) - 1)[component]


def labels_within_groups(labels: Ints, group_offsets: Ints) -> NDArray[np.int32]:
    """Number the clusters of each group from 0; outliers stay -1."""
    sizes = np.diff(group_offsets)
    group = np.repeat(np.arange(len(sizes)), sizes)
    clustered = labels >= 0
    first = np.full(len(sizes), np.iinfo(np.int64).max)
    np.minimum.at(first, group[clustered], labels[clustered])
    return np.where(clustered, labels - first[group], -1).astype(np.int32)


def number_by_first_mark(labels: Ints, group_offsets: Ints) -> NDArray[np.int32]:
    """Number the clusters of each group from 0, in the order of their first marks.

    Parameters
    ----------
    labels : (n,) int64
        A number for each cluster, different in each group; negative for outliers.
    group_offsets : (g + 1,) int64

    Returns
    -------
    (n,) int32
        -1 for outliers.
    """
    clustered = np.flatnonzero(labels >= 0)
    _, first, cluster = np.unique(labels[clustered], return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    numbered = np.full(len(labels), -1)
    numbered[clustered] = rank[cluster]
    return labels_within_groups(numbered, group_offsets)
