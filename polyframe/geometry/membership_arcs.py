"""Compute the memberships of clusters from the crossings of outlines, with NumPy.

Each arc of a mark's outline, from one event to the next, has the mark on its left. If the *other* marks that
contain it are the set C, it separates the membership C with the mark, on its left, from C, on its right. The
arc's part of the area integral is added to the first and subtracted from the second. So every membership is a
sum over arcs, in any order, and no face is built. Along an outline, C changes by one mark at each event.

If rounding puts two events that are at one point in the wrong order, the arc between them has the wrong set.
But it has next to no length, so it changes no area.

References
----------
W. R. Franklin, "Efficient polyhedron intersection and union", Graphics Interface (1982): areas of
intersections by sums over crossings.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import offsets_of, positions_of, runs_of_equal
from polyframe.core.sorting import distinct, order_in_groups
from polyframe.core.task_reports import in_pieces
from polyframe.geometry.duplicate_outlines import first_copies
from polyframe.geometry.mark_crossings import (
    DirectedRings,
    MarkCrossings,
    begins_inside,
    directed_rings,
    find_mark_crossings,
)
from polyframe.geometry.memberships import (
    WORD,
    MembershipBlock,
    Words,
    drop_rounding_errors,
    merge_equal_sets,
    pack_sets,
    repeat_marks,
    words_for,
)
from polyframe.geometry.recorded_crossings import KnownMeetings, RecordedCrossings

#: Clusters are processed together up to this many vertices and crossings, to bound the memory and to stay in
#: the caches; two marks of a cluster are taken to cross four times.
_CHUNK_POINTS = 30_000

#: So many of the last segments of an outline that cross another mark are considered to see where it begins.
_MOST_SEGMENTS = 4

#: The rounding errors of areas are not relative to slivers but to their boxes: this fraction of a box counts
#: as an area, too.
OF_BOX = 1e-5

#: A cluster of more marks is processed in parts, for which each crossing is found twice. They have about so
#: many events, about 200 bytes each, if the outlines of two marks cross so often.
_MOST_MARKS, _PART_EVENTS, _CROSSINGS = 300, 1 << 19, 16

_WORD_BITS = WORD.bit_length() - 1

#: Words of sets in memory at the same time, about 50 bytes each.
_BLOCK_WORDS = 1 << 20


def cluster_memberships(
    polygons: NDArray[Any], offsets: Ints, known: tuple[RecordedCrossings, Ints] | None = None
) -> Iterator[MembershipBlock]:
    """Yield the memberships of many clusters.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Valid, sorted by cluster. None and empty polygons are in no set.
    offsets : ndarray of int64, shape (c + 1,)
        Cluster i contains `polygons[offsets[i]:offsets[i + 1]]`.
    known : tuple of RecordedCrossings and ndarray of int64, shape (n,), optional
        The crossings of marks, and the positions of the polygons among them. The results are the same to the
        last bit.

    Yields
    ------
    MembershipBlock
        Most clusters are in one block, with equal sets summed and without areas that are only rounding
        errors. Of a cluster of hundreds of marks, several blocks have to be added up.
    """
    count = len(offsets) - 1
    cluster = np.repeat(np.arange(count), np.diff(offsets))
    present = np.flatnonzero(~shapely.is_missing(polygons) & ~shapely.is_empty(polygons))
    first = present[first_copies(polygons[present], cluster[present])]
    has_copies = np.zeros(count, dtype=np.bool_)
    has_copies[cluster[present[first != present]]] = True
    single = np.flatnonzero(has_copies[cluster[present]])
    for one in np.flatnonzero(has_copies):
        copies = first[single[cluster[present[single]] == one]]
        yield from _with_copies(polygons, offsets, int(one), present, copies)

    usable = present[~has_copies[cluster[present]]]
    points = np.bincount(cluster[usable], shapely.get_num_coordinates(polygons[usable]), count)
    points += 2 * np.bincount(cluster[usable], minlength=count) ** 2
    size = np.diff(offsets)
    words = -(-np.maximum(size, 1) // WORD)
    meetings = None if known is None else known[0].among(known[1], offsets)
    is_known = np.zeros(count, dtype=np.bool_) if meetings is None else meetings.is_known
    # Clusters whose sets have as many words are processed together.
    kinds = [
        (np.flatnonzero((words == width) & ~has_copies & (is_known != searched)), searched)
        for width, searched in itertools.product(np.unique(words).tolist(), (True, False))
    ]
    bounds = offsets_of([len(chosen) for chosen, _ in kinds]).tolist()
    for _, (chosen, searched) in zip(in_pieces(bounds, "averages"), kinds, strict=True):
        is_large = points[chosen] > _CHUNK_POINTS  # alone
        chunks = np.cumsum(points[chosen]) // _CHUNK_POINTS + 2 * np.cumsum(is_large) - is_large
        for low, high in in_pieces(runs_of_equal(chunks).tolist(), "averages"):
            some = chosen[low:high]
            members = positions_of(offsets[some], size[some])
            pairs = None if meetings is None or searched else _pairs_among(meetings, some, offsets)
            yield from _memberships_of(polygons[members], some, size[some], pairs)


def _pairs_among(meetings: KnownMeetings, clusters: Ints, offsets: Ints) -> KnownMeetings:
    """Return the edges of some clusters that meet, with marks that are numbered from the first of these."""
    counts = np.diff(meetings.offsets)[clusters]
    chosen = positions_of(meetings.offsets[clusters], counts)
    sizes = np.diff(offsets)[clusters]
    shift = np.repeat(offsets_of(sizes)[:-1] - offsets[clusters], counts)
    return KnownMeetings(
        meetings.is_known[clusters],
        offsets_of(counts),
        meetings.mark[chosen] + shift,
        meetings.ring[chosen],
        meetings.edge[chosen],
        meetings.other_mark[chosen] + shift,
        meetings.other_ring[chosen],
        meetings.other_edge[chosen],
    )


def _segments_that_meet(
    rings: DirectedRings, polygons: NDArray[Any], known: KnownMeetings
) -> tuple[Ints, Ints]:
    """Return pairs of segments that meet, each once."""
    first = offsets_of(1 + shapely.get_num_interior_rings(polygons))
    one = rings.segments_of(first[known.mark] + known.ring, known.edge)
    other = rings.segments_of(first[known.other_mark] + known.other_ring, known.other_edge)
    kept = np.flatnonzero((one >= 0) & (other >= 0))
    one, other = np.minimum(one, other)[kept], np.maximum(one, other)[kept]
    one, other = np.divmod(distinct(one * len(rings.ring) + other), max(len(rings.ring), 1))
    return one, other


def _with_copies(
    polygons: NDArray[Any], offsets: Ints, cluster: int, present: Ints, copies: Ints
) -> Iterator[MembershipBlock]:
    """Yield the memberships of a cluster with many copies of an outline: those of the distinct marks."""
    begin, end = offsets[cluster], offsets[cluster + 1]
    distinct, number = np.unique(copies, return_inverse=True)
    of_mark = np.full(end - begin, len(distinct), dtype=np.int64)  # that no set contains
    of_mark[present[(present >= begin) & (present < end)] - begin] = number
    alone = np.array([cluster])
    for block in _memberships_of(polygons[distinct], alone, np.array([len(distinct)])):
        spare = np.zeros((len(block.bits), 1), dtype=np.uint64)
        yield repeat_marks(
            MembershipBlock(block.areas, np.hstack([block.bits, spare]), block.cluster), of_mark
        )


@dataclass(frozen=True)
class _Arcs:
    """The arcs of outlines, in their order along each ring; the first one begins at the ring's first vertex.

    Attributes
    ----------
    ring : ndarray of int64, shape (a,)
    areas : ndarray of float64, shape (a,)
        The part of the area integral along each arc.
    toggled : ndarray of int64, shape (a,)
        The mark that the outline enters or leaves at the begin of the arc; -1 for first arcs.
    first : ndarray of int64, shape (r + 1,)
        Ring i has the arcs `first[i]` to `first[i + 1] - 1`.
    inside : ndarray of bool, shape (r, m)
        Whether each ring begins inside each mark of its cluster.
    """

    ring: Ints
    areas: Floats
    toggled: Ints
    first: Ints
    inside: Flags


def _memberships_of(
    polygons: NDArray[Any], clusters: Ints, sizes: Ints, meetings: KnownMeetings | None = None
) -> Iterator[MembershipBlock]:
    """Yield the memberships of clusters with given numbers and sizes, whose sets have as many words.

    If it is known which edges meet, all polygons are present.
    """
    offsets = offsets_of(sizes)
    local = np.repeat(np.arange(len(sizes)), sizes)
    present = np.flatnonzero(~shapely.is_missing(polygons) & ~shapely.is_empty(polygons))
    rings = directed_rings(polygons[present])
    origin, box_areas = _boxes(polygons[present], local[present], len(sizes))
    totals = np.bincount(local[present], shapely.area(polygons[present]), len(sizes)) + OF_BOX * box_areas
    owner, place = local[present], (np.arange(len(polygons)) - offsets[local])[present]
    number, room = place[rings.mark], WORD * words_for(int(sizes.max(initial=0)))
    known = None if meetings is None else _segments_that_meet(rings, polygons, meetings)
    is_large = len(sizes) == 1 and len(polygons) > _MOST_MARKS
    parts = _parts(rings, room) if is_large and known is None else None
    for part in parts or [(0, len(rings.mark))]:
        crossings = find_mark_crossings(rings, owner, origin, part if parts else None, known)
        arcs = _cut_rings(rings, crossings, owner, place, origin, room, part)
        bounds = np.array([0, part[1] - part[0]])
        if len(sizes) == 1:  # of several clusters, how they are cut would depend on their neighbours
            bounds = runs_of_equal(np.cumsum(np.diff(arcs.first)) * (room // WORD) // _BLOCK_WORDS)
        for low, high in itertools.pairwise(bounds.tolist()):
            areas, bits, of_ring = _sets_of(arcs, number[part[0] : part[1]], low, high)
            block = merge_equal_sets(areas, bits, owner[rings.mark[part[0] + of_ring]])
            if parts is None and len(bounds) <= 2:  # nothing of a cluster is in another block
                block, wrong = drop_rounding_errors(block, totals)
                if len(wrong):
                    kept = np.flatnonzero(~np.isin(block.cluster, wrong))
                    block = MembershipBlock(block.areas[kept], block.bits[kept], block.cluster[kept])
                    for one in wrong.tolist():
                        yield _memberships_by_faces(polygons[local == one], int(clusters[one]))
            yield MembershipBlock(block.areas, block.bits, clusters[block.cluster])


def _memberships_by_faces(polygons: NDArray[Any], cluster: int) -> MembershipBlock:
    """Return the memberships of a single cluster from its faces, which takes longer.

    If several events are almost at one point, and rounding orders them in another way along each outline, an
    arc has a wrong set, and others have a negative area.
    """
    present = np.flatnonzero(~shapely.is_missing(polygons) & ~shapely.is_empty(polygons))
    lines = shapely.get_parts(shapely.union_all(shapely.boundary(polygons[present])))
    faces = shapely.get_parts(shapely.polygonize(lines))
    inside = shapely.point_on_surface(faces)
    members = np.zeros((len(faces), len(polygons)), dtype=np.bool_)
    shapely.prepare(polygons[present])
    for place in present.tolist():
        members[:, place] = shapely.contains_properly(polygons[place], inside)
    return merge_equal_sets(shapely.area(faces), pack_sets(members), np.full(len(faces), cluster))


def _parts(rings: DirectedRings, marks: int) -> list[tuple[int, int]]:
    """Return parts of the rings of a single cluster with about `_PART_EVENTS` events each."""
    size = max(_PART_EVENTS // (_CROSSINGS * marks), 1)
    bounds = [*range(0, len(rings.mark), size), len(rings.mark)]
    return list(itertools.pairwise(bounds))


def _boxes(polygons: NDArray[Any], cluster: Ints, count: int) -> tuple[Floats, Floats]:
    """Return the middle and the area of the box of each cluster."""
    middles, areas = np.zeros((count, 2)), np.zeros(count)
    begins = runs_of_equal(cluster)[:-1]
    if len(begins):
        bounds = shapely.bounds(polygons)
        low, high = np.minimum.reduceat(bounds[:, :2], begins), np.maximum.reduceat(bounds[:, 2:], begins)
        middles[cluster[begins]] = low + (high - low) / 2
        areas[cluster[begins]] = np.prod(high - low, axis=1)
    return middles, areas


def _cut_rings(
    rings: DirectedRings,
    crossings: MarkCrossings,
    cluster: Ints,
    place: Ints,
    origin: Floats,
    room: int,
    part: tuple[int, int],
) -> _Arcs:
    """Cut some rings at crossings; `place` numbers the marks within their clusters."""
    low, high = int(rings.first[part[0]]), int(rings.first[part[1]])
    ring = rings.ring[low:high] - part[0]
    # At the same point by the other segment, so that the order does not depend on how they were found.
    order = order_in_groups(crossings.segment, (crossings.other, crossings.along), crossings.along)
    segment = crossings.segment[order] - low
    toggled = place[rings.mark][rings.ring][crossings.other[order]]
    # The points of each ring: each vertex, then the events on the segment that it begins.
    events = np.bincount(segment, minlength=high - low)
    at = offsets_of(events + 1)
    at_event = np.arange(1, len(segment) + 1) + segment
    middle = origin[cluster[rings.mark[rings.ring[low:high]]]]
    x, y = np.empty(at[-1]), np.empty(at[-1])
    x[at[:-1]], y[at[:-1]] = rings.ax[low:high] - middle[:, 0], rings.ay[low:high] - middle[:, 1]
    x[at_event], y[at_event] = crossings.x[order], crossings.y[order]
    bounds = at[rings.first[part[0] : part[1] + 1] - low]
    swept = (x * _next_in_ring(y, bounds) - _next_in_ring(x, bounds) * y) / 2

    begins = np.zeros(len(x), dtype=np.bool_)
    begins[at_event] = begins[bounds[:-1]] = True
    starts = np.flatnonzero(begins)
    entered = np.full(len(x), -1, dtype=np.int64)
    entered[at_event] = toggled
    of_point = np.repeat(ring, events + 1)
    areas = np.add.reduceat(swept, starts) if len(starts) else np.empty(0)

    shape = (part[1] - part[0], room)
    state = _states_at_begins(ring[segment], segment, toggled, crossings.enters[order], shape)
    unknown, other = _without_crossings(rings, cluster, place, state, part)
    state[unknown - part[0], place[other]] = begins_inside(rings, unknown, other)
    return _Arcs(
        of_point[starts], areas, entered[starts], np.searchsorted(starts, bounds), np.asarray(state == 1)
    )


def _next_in_ring(values: Floats, bounds: Ints) -> Floats:
    """Return the value of the next point of each ring; after the last one comes the first one."""
    following = np.empty_like(values)
    following[:-1] = values[1:]
    following[bounds[1:] - 1] = values[bounds[:-1]]
    return following


def _states_at_begins(
    ring: Ints, segment: Ints, toggled: Ints, enters: Flags, shape: tuple[int, int]
) -> NDArray[np.int8]:
    """Return whether rings begin inside marks, as their last events show: 1, 0, or -1 if nothing shows it.

    An outline that leaves a mark last also begins outside. But the order of events on one segment may be
    wrong if they are at one point, so those on a segment count together.
    """
    state = np.full(shape[0] * shape[1], -1, dtype=np.int8)
    key, change = ring * shape[1] + toggled, np.where(enters, 1, -1)
    last = np.empty(len(state), dtype=np.int64)
    for _ in range(_MOST_SEGMENTS):
        if not len(key):
            break
        last[key] = segment  # of several values, the last one remains
        on_last = last[key] == segment
        of_last = key[on_last]
        net = np.bincount(of_last, weights=change[on_last], minlength=len(state))
        state[net > 0], state[net < 0] = 1, 0
        if np.all(net[of_last] != 0):
            break
        rest = np.flatnonzero(~on_last & (state[key] < 0))
        key, segment, change = key[rest], segment[rest], change[rest]
    return state.reshape(shape)


def _without_crossings(
    rings: DirectedRings, cluster: Ints, place: Ints, state: NDArray[np.int8], part: tuple[int, int]
) -> tuple[Ints, Ints]:
    """Return pairs of a ring and another mark of which events show nothing, and whose boxes overlap."""
    begins = rings.first[:-1]
    low, high = (
        np.column_stack([function.reduceat(values, begins) for values in (rings.ax, rings.ay)])
        if len(begins)
        else np.empty((0, 2))
        for function in (np.minimum, np.maximum)
    )
    of_ring = cluster[rings.mark]
    own = of_ring[part[0] : part[1]]
    bounds = np.searchsorted(of_ring, np.stack([own, own + 1]))
    count = bounds[1] - bounds[0]
    ring, other = np.repeat(np.arange(*part), count), positions_of(bounds[0], count)
    x, y = rings.ax[begins][ring], rings.ay[begins][ring]
    near = (x >= low[other, 0]) & (x <= high[other, 0]) & (y >= low[other, 1]) & (y <= high[other, 1])
    mark = rings.mark[other]
    near &= (mark != rings.mark[ring]) & (state[ring - part[0], place[mark]] < 0)
    # Once for each mark, whatever its rings.
    pairs = distinct((ring * len(cluster) + mark)[near])
    ring, mark = np.divmod(pairs, max(len(cluster), 1))
    return ring, mark


def _sets_of(arcs: _Arcs, mark: Ints, low: int, high: int) -> tuple[Floats, Words, Ints]:
    """Return both sides of the arcs of some rings: areas, sets, and the ring of each.

    `mark` is the mark of each ring, numbered within its cluster.
    """
    part = slice(arcs.first[low], arcs.first[high])
    ring, toggled = arcs.ring[part], arcs.toggled[part]
    begins = arcs.first[low:high] - arcs.first[low]
    words = pack_sets(arcs.inside[low:high])
    bit = np.uint64(1) << (toggled & WORD - 1).astype(np.uint64)
    right = np.empty((len(ring), words.shape[1]), dtype=np.uint64)
    for k in range(words.shape[1]):
        changes = np.bitwise_xor.accumulate(np.where(toggled >> _WORD_BITS == k, bit, np.uint64(0)))
        right[:, k] = changes ^ (changes[begins] ^ words[:, k])[ring - low]
    own = mark[ring]
    left = right.copy()
    left[np.arange(len(own)), own >> _WORD_BITS] |= np.uint64(1) << (own & WORD - 1).astype(np.uint64)
    areas = arcs.areas[part]
    return np.concatenate([areas, -areas]), np.concatenate([left, right]), np.concatenate([ring, ring])
