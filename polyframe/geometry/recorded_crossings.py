"""Record which edges of marks meet while the areas of pairs are computed, with NumPy.

Memberships of clusters need the same crossings as the distances of their marks. So they do not have to search
for them again.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Floats, Ints, ShortInts
from polyframe.core.ragged import offsets_of, positions_of
from polyframe.core.sorting import is_among, stable_order
from polyframe.geometry.candidate_pairs import all_pairs
from polyframe.geometry.crossing_areas import MeetingEdges, crossing_intersection_areas, fit_for_crossings

#: Groups with more marks are not recorded, because that would take too much memory.
_MOST_MARKS = 300


@dataclass(frozen=True)
class KnownMeetings:
    """Edges of marks of the same cluster that meet, sorted by cluster.

    Attributes
    ----------
    is_known : ndarray of bool, shape (c,)
        Whether all of a cluster are known.
    offsets : ndarray of int64, shape (c + 1,)
        The edges of each cluster.
    mark, other_mark : ndarray of int64, shape (k,)
        Positions among the members of all clusters.
    ring, other_ring : ndarray of int64, shape (k,)
        Numbered within the mark; 0 is its exterior.
    edge, other_edge : ndarray of int64, shape (k,)
        See `crossing_areas.MeetingEdges`.
    """

    is_known: Flags
    offsets: Ints
    mark: Ints
    ring: Ints
    edge: Ints
    other_mark: Ints
    other_ring: Ints
    other_edge: Ints


class RecordedCrossings:
    """The edges of marks that meet, of all pairs of which the area was computed.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
    group_offsets : ndarray of int64, shape (g + 1,)
        Group i contains `polygons[group_offsets[i]:group_offsets[i + 1]]`.
    """

    def __init__(self, polygons: NDArray[Any], group_offsets: Ints) -> None:
        self._polygons, self._is_fit = polygons, fit_for_crossings(polygons)
        sizes = np.diff(group_offsets)
        self._is_recorded = self._is_fit & np.repeat(sizes <= _MOST_MARKS, sizes)
        self._record: list[MeetingEdges] = []
        self._pairs: list[Ints] = []

    def intersection_areas(self, polygons: NDArray[Any], left: Ints, right: Ints) -> Floats:
        """Return intersection areas, as `crossing_intersection_areas` does, and record which edges meet.

        Parameters
        ----------
        polygons : ndarray of shapely.Polygon, shape (n,)
            Those of the record.
        left, right : ndarray of int, shape (p,)
            Positions in `polygons`.
        """
        is_recorded = self._is_recorded[left] & self._is_recorded[right]
        recorded, others = np.flatnonzero(is_recorded), np.flatnonzero(~is_recorded)
        areas = np.empty(len(left))
        areas[recorded] = crossing_intersection_areas(polygons, left[recorded], right[recorded], self._record)
        if len(others):
            areas[others] = crossing_intersection_areas(polygons, left[others], right[others])
        self._pairs.append(self._keys(left[recorded], right[recorded]))
        return areas

    def among(self, members: Ints, offsets: Ints) -> KnownMeetings:
        """Return the edges of marks of the same cluster that meet.

        Parameters
        ----------
        members : ndarray of int64, shape (m,)
            The positions of the marks of all clusters, each in one cluster at most.
        offsets : ndarray of int64, shape (c + 1,)
            Cluster i has the marks `members[offsets[i]:offsets[i + 1]]`.
        """
        count = len(self._polygons)
        place, cluster = np.full(count, -1), np.full(count, -1)
        place[members] = np.arange(len(members))
        cluster[members] = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        rings = np.where(self._is_fit, 1 + shapely.get_num_interior_rings(self._polygons), 0)
        mark_of, first = np.repeat(np.arange(count), rings), offsets_of(rings)

        none = np.empty(0, dtype=np.int32)
        record = self._record or [MeetingEdges(none, none, none, none)]
        ring, other_ring = (
            _joined([getattr(one, name) for one in record]) for name in ("ring", "other_ring")
        )
        of_cluster = cluster[mark_of[ring]]
        chosen = np.flatnonzero((of_cluster >= 0) & (of_cluster == cluster[mark_of[other_ring]]))
        chosen = chosen[stable_order(of_cluster[chosen])]
        ring, other_ring = ring[chosen], other_ring[chosen]
        mark, other_mark = mark_of[ring], mark_of[other_ring]
        return KnownMeetings(
            self._is_known(members, offsets),
            np.searchsorted(of_cluster[chosen], np.arange(len(offsets))),
            place[mark],
            ring - first[mark],
            _joined([one.edge for one in record])[chosen],
            place[other_mark],
            other_ring - first[other_mark],
            _joined([one.other_edge for one in record])[chosen],
        )

    def _is_known(self, members: Ints, offsets: Ints) -> Flags:
        """Return for which clusters all pairs of marks are recorded whose boxes overlap or touch."""
        sizes = np.diff(offsets)
        is_known = np.ones(len(sizes), dtype=np.bool_)
        is_known[np.repeat(np.arange(len(sizes)), sizes)[~self._is_recorded[members]]] = False
        some = np.flatnonzero(is_known)
        chosen = members[positions_of(offsets[some], sizes[some])]
        left, right = all_pairs(offsets_of(sizes[some]))
        owner = np.repeat(some, sizes[some])[left]
        left, right = chosen[left], chosen[right]
        bounds = shapely.bounds(self._polygons).reshape(-1, 4)
        one, other = bounds[left], bounds[right]
        near = np.all((one[:, :2] <= other[:, 2:]) & (other[:, :2] <= one[:, 2:]), axis=1)
        missing = ~is_among(self._keys(left[near], right[near]), np.sort(_joined(self._pairs)))
        is_known[owner[near][missing]] = False
        return is_known

    def _keys(self, left: Ints, right: Ints) -> Ints:
        return np.asarray(np.minimum(left, right) * len(self._polygons) + np.maximum(left, right))


def _joined(parts: list[Ints] | list[ShortInts]) -> Ints:
    return np.concatenate([np.empty(0, dtype=np.int64), *parts]).astype(np.int64)
