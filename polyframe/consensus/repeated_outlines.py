"""Cluster one large group in which outlines occur many times, each outline once.

A cell of an export can contain the same outline a hundred times, and a thousand classifications the same
cell. Marks with the same outline have the same distances, so only distances between distinct outlines are
computed, and each counts as many times as there are pairs of marks.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from polyframe.consensus.clustering import (
    cluster_members,
    join_components,
    labels_within_groups,
    number_components,
)
from polyframe.consensus.large_groups import DistanceRows, GroupLabels, Outlines
from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.geometry.averages import first_with_least_sum
from polyframe.geometry.candidate_pairs import may_be_near
from polyframe.geometry.distances import IntersectionAreas
from polyframe.geometry.duplicate_outlines import MANY_DUPLICATES

#: With more distinct outlines, their matrices (8 bytes for each pair, several at a time) would be too large.
MOST_DISTINCT = 5_000

#: Numbers in memory at the same time.
_BLOCK = 1 << 21


@dataclass(frozen=True)
class DistinctOutlines:
    """The distinct outlines of a group; n marks, u outlines.

    Attributes
    ----------
    first : (u,) int64
        The first mark with each outline, ascending.
    outline : (n,) int64
        The outline of each mark.
    """

    first: Ints
    outline: Ints


@dataclass(frozen=True)
class _Nodes:
    """The marks of one classification with the same outline have the same neighbours: one node.

    Attributes
    ----------
    outline, classification, marks : (k,) int64
        Outline and classification of each node, and its number of marks; sorted by outline.
    of_mark : (n,) int64
        The node of each mark.
    table : scipy.sparse.csr_array
        (classifications, outlines): numbers of marks.
    """

    outline: Ints
    classification: Ints
    marks: Ints
    of_mark: Ints
    table: Any


def distinct_outlines(outlines: Outlines) -> DistinctOutlines | None:
    """Return the distinct outlines, point for point; None if few are repeated."""
    _, first, place, counts = np.unique(
        outlines.areas, return_index=True, return_inverse=True, return_counts=True
    )
    if len(outlines.areas) - len(first) < MANY_DUPLICATES:
        return None
    # Equal outlines have equal areas, and hardly any others do.
    repeated = np.flatnonzero(counts[place] > 1)
    keys = shapely.to_wkb(outlines.polygons[repeated])
    known: dict[bytes, int] = {}
    original = np.arange(len(place))
    original[repeated] = [known.setdefault(key, m) for m, key in zip(repeated.tolist(), keys, strict=True)]
    first, outline = np.unique(original, return_inverse=True)
    if len(place) - len(first) < MANY_DUPLICATES or len(first) > MOST_DISTINCT:
        return None
    return DistinctOutlines(first, outline)


class RepeatedOutlines:
    """The IoU distances of a group, as `polyframe.consensus.large_groups.DistanceRows` has them.

    Parameters
    ----------
    outlines : Outlines
        All marks of the group.
    distinct : DistinctOutlines
        Their outlines.
    intersection_areas : callable
        The function of the engine.
    """

    def __init__(
        self, outlines: Outlines, distinct: DistinctOutlines, intersection_areas: IntersectionAreas
    ) -> None:
        self._classification, self._outline = outlines.classification, distinct.outline
        self._nodes = _nodes(self._classification, self._outline)
        once = Outlines(
            outlines.polygons[distinct.first],
            outlines.areas[distinct.first],
            outlines.bounds[distinct.first],
            _only_classification(self._nodes, len(distinct.first)),
        )
        #: Between distinct outlines.
        self._distances = DistanceRows(once, intersection_areas)

    def dbscan(self, eps: float, min_samples: int) -> GroupLabels | None:
        """Cluster the marks by DBSCAN.

        Returns
        -------
        GroupLabels or None
            None if `eps` is so small that rounding decides whether two equal outlines are neighbours.
        """
        near = _near_distances(self._distances, eps) <= eps
        shared = self._distances.outlines.classification < 0
        if not np.all(np.diagonal(near)[shared]):
            return None
        return _labels(near, self._nodes, min_samples)

    def median_and_consensus(self, labels: NDArray[np.int32]) -> tuple[Ints, Floats]:
        """Return the median mark and the consensus of each cluster.

        Sums of distances are rounded differently: each distance is multiplied instead of added many times.
        """
        sums, consensus = _sums(self._distances, self._nodes, labels)
        members, offsets = cluster_members(labels, np.array([0, len(labels)]))
        return members[first_with_least_sum(sums[members], offsets)], consensus

    def matrix(self, marks: Ints, same_classification: float) -> Floats:
        """Return the distances of some marks, in both directions."""
        used, place = np.unique(self._outline[marks], return_inverse=True)
        matrix = _all_distances(self._distances, used)[np.ix_(place, place)]
        classification = self._classification[marks]
        matrix[classification[:, None] == classification] = same_classification
        np.fill_diagonal(matrix, 0.0)
        return matrix


def _nodes(classification: Ints, outline: Ints) -> _Nodes:
    from scipy.sparse import csr_array

    width = int(classification.max()) + 1
    keys, of_mark, marks = np.unique(
        outline * width + classification, return_inverse=True, return_counts=True
    )
    rows, columns = keys % width, keys // width
    table = csr_array((marks.astype(np.float64), (rows, columns)), shape=(width, int(outline.max()) + 1))
    return _Nodes(columns, rows, marks, of_mark, table)


def _only_classification(nodes: _Nodes, count: int) -> Ints:
    """Return the classification of each outline; a negative number, each another, if it has several."""
    only = -1 - np.arange(count)
    single = np.flatnonzero(np.bincount(nodes.outline, minlength=count) == 1)
    only[single] = nodes.classification[np.searchsorted(nodes.outline, single)]
    return only


def _listed(codes: Ints, start: int, end: int) -> Flags:
    """Return which pairs of outlines have marks of different classifications, on and above the diagonal."""
    position = np.arange(len(codes))
    listed: Flags = codes[start:end, None] != codes
    listed |= (position[start:end, None] == position) & (codes < 0)
    listed &= position >= position[start:end, None]
    return listed


def _near_distances(distances: DistanceRows, eps: float) -> Floats:
    """Return the distances of outlines that can be neighbours, in both directions; the others are NaN."""
    once = distances.outlines
    matrix = np.full((distances.count, distances.count), np.nan)
    for start, end in distances.blocks():
        needed = _listed(once.classification, start, end)
        row, column = np.nonzero(needed)
        needed[row, column] = may_be_near(once.bounds, once.areas, row + start, column, eps)
        row, column = np.nonzero(needed)
        block = distances.block(start, needed)
        matrix[row + start, column] = matrix[column, row + start] = block[row, column]
    return matrix


def _labels(near: Flags, nodes: _Nodes, min_samples: int) -> GroupLabels:
    count, n_marks = len(near), len(nodes.of_mark)
    marks_of = np.bincount(nodes.outline, weights=nodes.marks, minlength=count)
    # Itself, and the marks of near outlines, except those of its own classification.
    neighbours = 1 + (near * marks_of).sum(axis=1)[nodes.outline] - _sums_of_own(near.astype(float), nodes)
    core = np.rint(neighbours) >= min_samples
    n_cores = np.bincount(nodes.outline, weights=core, minlength=count).astype(np.int64)
    only = np.full(count, -1)
    only[nodes.outline[core]] = nodes.classification[core]
    only[n_cores != 1] = -1 - np.flatnonzero(n_cores != 1)

    # All cores of an outline are connected if they are of several classifications, and if one has an edge.
    edges = near & (n_cores > 0) & (n_cores > 0)[:, None] & (only != only[:, None])
    component = join_components(np.arange(count), *np.nonzero(np.triu(edges, 1)))
    is_alone = (n_cores == 1) & ~edges.any(axis=1)
    mark_outline, mark_core = nodes.outline[nodes.of_mark], core[nodes.of_mark]
    first_mark = np.full(count, n_marks)
    np.minimum.at(first_mark, component[mark_outline[mark_core]], np.flatnonzero(mark_core))
    joined = mark_core & ~is_alone[mark_outline]
    first = np.where(joined, first_mark[component[mark_outline]], np.arange(n_marks))
    labels = np.where(mark_core, number_components(first, mark_core), n_marks)

    least = np.full(count, n_marks)
    np.minimum.at(least, mark_outline[mark_core], labels[mark_core])
    borders = np.flatnonzero(~core)
    border_labels = np.full(len(core), n_marks)
    size = max(_BLOCK // count, 1)
    for start in range(0, len(borders), size):
        some = borders[start : start + size]
        reached = near[nodes.outline[some]] & (only != nodes.classification[some][:, None])
        border_labels[some] = np.where(reached, least, n_marks).min(axis=1)
    labels = np.where(mark_core, labels, border_labels[nodes.of_mark])
    labels = np.where(labels == n_marks, -1, labels)
    return GroupLabels(labels_within_groups(labels, np.array([0, n_marks])), mark_core)


def _sums_of_own(matrix: Floats, nodes: _Nodes) -> Floats:
    """Return for each node the sum over the marks of its classification of a number for both outlines."""
    sums = np.empty(len(nodes.outline))
    by_class = np.argsort(nodes.classification, kind="stable")
    size = max(_BLOCK // len(matrix), 1)
    bounds = np.searchsorted(nodes.classification[by_class], np.arange(nodes.table.shape[0] + 1))
    for start in range(0, nodes.table.shape[0], size):
        end = min(start + size, nodes.table.shape[0])
        some = by_class[bounds[start] : bounds[end]]
        # A sparse product adds one number after the other, so that equal rows have equal sums.
        own = nodes.table[start:end].dot(matrix)
        sums[some] = own[nodes.classification[some] - start, nodes.outline[some]]
    return sums


def _sums(distances: DistanceRows, nodes: _Nodes, labels: NDArray[np.int32]) -> tuple[Floats, Floats]:
    """Return the summed distances of each mark to the others of its cluster, and each cluster's consensus."""
    members, offsets = cluster_members(labels, np.array([0, len(labels)]))
    sizes = np.diff(offsets)
    sums, consensus = np.zeros(len(labels)), np.ones(len(sizes))
    outline, classification = nodes.outline[nodes.of_mark], nodes.classification[nodes.of_mark]
    for cluster in np.flatnonzero(sizes > 1):
        marks = members[offsets[cluster] : offsets[cluster + 1]]
        used, place = np.unique(outline[marks], return_inverse=True)
        local = _nodes(np.unique(classification[marks], return_inverse=True)[1], place)
        of_cluster = _all_distances(distances, used)
        weights = np.bincount(place, minlength=len(used))
        of_class = np.asarray(local.table.sum(axis=1))
        # Marks of the same classification are infinitely far apart, which counts as 1.
        of_nodes = (
            (of_cluster * weights).sum(axis=1)[local.outline]
            - _sums_of_own(of_cluster, local)
            + (of_class[local.classification] - 1)
        )
        sums[marks] = of_nodes[local.of_mark]
        pairs = sizes[cluster] * (sizes[cluster] - 1) / 2
        consensus[cluster] = 1.0 - (of_nodes * local.marks).sum() / 2 / pairs
    return sums, consensus


def _all_distances(distances: DistanceRows, used: Ints) -> Floats:
    """Return all distances between some outlines; 0 for pairs of one classification, which do not count."""
    codes, matrix = distances.outlines.classification[used], np.zeros((len(used), len(used)))
    size = max(_BLOCK // max(len(used), 1), 1)
    for start in range(0, len(used), size):
        row, column = np.nonzero(_listed(codes, start, min(start + size, len(used))))
        values = distances.between(used[row + start], used[column])
        matrix[row + start, column] = matrix[column, row + start] = values
    return matrix
