"""Arrange the distances within sets of marks as one matrix for each set, as scikit-learn expects them."""

from collections.abc import Iterator

import numpy as np

from polyframe.core.arrays import Floats, Ints
from polyframe.geometry.candidate_pairs import Pairs

#: A set with more marks has no matrix: 8 bytes for each pair, in both directions, and several copies of it.
MOST_IN_MATRIX = 5_000


def pairwise_matrices(
    members: Ints, member_offsets: Ints, pairs: Pairs, distances: Floats, not_listed: float
) -> Iterator[tuple[Ints, Floats]]:
    """Yield the marks of each set, and the matrix of their distances.

    Parameters
    ----------
    members : (m,) int64
        The marks of all sets, each mark in one set.
    member_offsets : (s + 1,) int64
        Members of each set.
    pairs : (p,) int64 and (p,) int64
        Pairs of marks, each once; those that are not within a set are ignored.
    distances : (p,) float64
        The distance of each pair.
    not_listed : float
        The distance of pairs that are not listed.

    Yields
    ------
    marks : (k,) int64
    matrix : (k, k) float64
        Symmetric, with zeros on its diagonal.
    """
    sizes = np.diff(member_offsets)
    count = 1 + max(int(numbers.max(initial=-1)) for numbers in (members, *pairs))
    set_of, place = np.full(count, -1), np.zeros(count, np.int64)
    set_of[members] = np.repeat(np.arange(len(sizes)), sizes)
    place[members] = np.arange(len(members)) - np.repeat(member_offsets[:-1], sizes)
    left, right = pairs
    within = np.flatnonzero((set_of[left] == set_of[right]) & (set_of[left] >= 0))
    within = within[np.argsort(set_of[left[within]], kind="stable")]
    bounds = np.searchsorted(set_of[left[within]], np.arange(len(sizes) + 1))
    rows, columns, values = place[left[within]], place[right[within]], distances[within]
    for number, size in enumerate(sizes):
        own = slice(bounds[number], bounds[number + 1])
        matrix = np.full((size, size), not_listed)
        np.fill_diagonal(matrix, 0.0)
        matrix[rows[own], columns[own]] = matrix[columns[own], rows[own]] = values[own]
        yield members[member_offsets[number] : member_offsets[number + 1]], matrix
