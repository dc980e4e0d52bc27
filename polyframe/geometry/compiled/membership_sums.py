"""Compute the memberships of clusters along the crossings of their outlines (compiled).

The method is that of `polyframe.geometry.membership_arcs`: each arc adds its part of the area integral to the
membership on its left and subtracts it on its right. Here each outline is followed once, and its sets are
looked up in a hash table of the cluster, by Zobrist hashing: a set's hash is the exclusive or of random
numbers of its marks, so that a crossing changes it at no cost.

Clusters that the exact predicates cannot handle, or with many copies of an outline, are computed by
`membership_arcs` instead.

References
----------
A. L. Zobrist, "A new hashing method with application for game playing", Technical Report 88, University of
Wisconsin (1970).
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Floats, Ints, ShortInts
from polyframe.core.ragged import cut_by_work, offsets_of, positions_of
from polyframe.core.task_reports import in_pieces
from polyframe.geometry.compiled.crossing_points import place_crossings
from polyframe.geometry.compiled.crossings import CrossingSearch
from polyframe.geometry.compiled.event_order import sort_events
from polyframe.geometry.compiled.numba_jit import compiled, compiled_inner
from polyframe.geometry.compiled.outlines import Outlines, load_outlines
from polyframe.geometry.compiled.sorted_blocks import SortedBlock, find_block, new_block
from polyframe.geometry.compiled.windings import crosses_ray
from polyframe.geometry.duplicate_outlines import have_many_copies
from polyframe.geometry.membership_arcs import OF_BOX, cluster_memberships
from polyframe.geometry.memberships import WORD, MembershipBlock, drop_rounding_errors, words_for
from polyframe.geometry.polygon_parts import flat_rings

if TYPE_CHECKING:
    from polyframe.geometry.compiled.group_crossings import GroupCrossings

#: Clusters are processed together up to about so many vertices times marks, which bounds the memory.
_BLOCK = 1 << 20

#: A cluster with more vertices times marks is processed in parts, for which each crossing is found twice.
_MOST_WHOLE = 1 << 23

#: Words of the sets of such a part, about.
_PART_WORDS = 1 << 18

#: The bits of a word.
_BITS = np.left_shift(np.int64(1), np.arange(WORD))


def walk_memberships(
    polygons: NDArray[Any], offsets: Ints, known: "tuple[GroupCrossings, Ints] | None" = None
) -> Iterator[MembershipBlock]:
    """Yield the memberships of many clusters, as `membership_arcs.cluster_memberships` does.

    If crossings are known, they are not searched again.
    """
    sizes = np.diff(offsets)
    usable = _usable(polygons, offsets)
    coordinates, rings, ring_starts = flat_rings(polygons)
    vertices = np.diff(rings[ring_starts[offsets]])
    areas = np.add.reduceat(np.append(shapely.area(polygons), 0.0), offsets)[:-1] * (sizes > 0)
    for low, high in in_pieces(cut_by_work(vertices * sizes, _BLOCK), "averages"):
        marks, walkable = slice(offsets[low], offsets[high]), usable[low:high].copy()
        block = find_block(known, marks, sizes[low:high], walkable)
        if block is None:
            with np.errstate(all="ignore"):  # as in compiled code
                outlines = load_outlines(coordinates, rings, ring_starts, offsets[low : high + 1], walkable)
        else:
            outlines = block.outlines
        usable[low:high] = outlines.sound
        words = words_for(int(sizes[low:high].max(initial=0)))
        first = offsets[low:high] - offsets[low]
        if high - low == 1 and vertices[low] * sizes[low] > _MOST_WHOLE:
            for part in _in_parts(_numbered_in_clusters(outlines, first), words):
                yield MembershipBlock(part.areas, part.bits, part.cluster + low)
            continue
        if block is None:
            with np.errstate(all="ignore"):
                block = new_block(outlines, known, marks, sizes[low:high], walkable)
        sums, wrong = drop_rounding_errors(*_whole(block, first, words, areas[low:high]))
        usable[low + wrong] = False
        if len(wrong):
            kept = ~np.isin(sums.cluster, wrong)
            sums = MembershipBlock(sums.areas[kept], sums.bits[kept], sums.cluster[kept])
        yield MembershipBlock(sums.areas, sums.bits, sums.cluster + low)
    others = np.flatnonzero(~usable & (sizes > 0))
    members = positions_of(offsets[others], sizes[others])
    for part in cluster_memberships(polygons[members], offsets_of(sizes[others])) if len(others) else ():
        yield MembershipBlock(part.areas, part.bits, others[part.cluster])


def _usable(polygons: NDArray[Any], offsets: Ints) -> Flags:
    """Return which clusters contain nothing but polygons, without many copies of an outline."""
    owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    usable = np.ones(len(offsets) - 1, dtype=np.bool_)
    is_other = shapely.get_type_id(polygons) != shapely.GeometryType.POLYGON
    usable[owner[is_other | shapely.is_empty(polygons)]] = False
    some = np.flatnonzero(usable[owner])
    usable &= ~have_many_copies(polygons[some], owner[some], len(usable))
    return usable


def _numbered_in_clusters(outlines: Outlines, first: Ints) -> Outlines:
    """Return outlines with marks that are numbered from 0 in each cluster, of which `first` are the first."""
    return replace(outlines, mark=outlines.mark - first.astype(np.int32)[outlines.cluster])


def _whole(block: SortedBlock, first: Ints, words: int, areas: Floats) -> tuple[MembershipBlock, Floats]:
    """Return the memberships of a block of clusters, and what `drop_rounding_errors` needs.

    `first` is the first mark of each cluster, and `areas` that of all of its marks.
    """
    outlines, segments = _numbered_in_clusters(block.outlines, first), block.crossings.segments
    boxes, centres = _boxes(outlines)
    place, order = block.events.crossings_only(len(segments) // 2)
    sums = _add_up(
        outlines,
        segments,
        (block.events.points, place, order),
        boxes,
        centres,
        words,
        (0, len(outlines.mark)),
    )
    return sums, areas + OF_BOX * centres[:, 2]


def _in_parts(outlines: Outlines, words: int) -> Iterator[MembershipBlock]:
    """Yield the memberships of a single cluster, some outlines after the other."""
    boxes, centres = _boxes(outlines)
    search = CrossingSearch(outlines)
    begin, size = 0, 1
    while begin < len(outlines.mark):
        end = min(begin + size, len(outlines.mark))
        segments = search.crossings_of(int(outlines.first[begin]), int(outlines.first[end])).segments
        events = _sorted(outlines, segments, int(outlines.first[begin]), int(outlines.first[end]))
        yield _add_up(outlines, segments, events, boxes, centres, words, (begin, end))
        size = max((end - begin) * _PART_WORDS // (words * max(len(segments), 1)), 1)
        begin = end


def _boxes(outlines: Outlines) -> tuple[Floats, Floats]:
    """Return the box of each ring, and the middle and the area of the box of each cluster."""
    boxes, centres = np.empty((len(outlines.mark), 4)), np.zeros((len(outlines.sound), 3))
    if len(boxes):
        boxes[:, :2] = np.minimum.reduceat(outlines.edges[:, :2], outlines.first[:-1])
        boxes[:, 2:] = np.maximum.reduceat(outlines.edges[:, :2], outlines.first[:-1])
        filled = np.flatnonzero(np.diff(outlines.offsets))
        low = np.minimum.reduceat(boxes[:, :2], outlines.offsets[filled])
        extent = np.maximum.reduceat(boxes[:, 2:], outlines.offsets[filled]) - low
        centres[filled, :2] = low + extent / 2
        centres[filled, 2] = extent[:, 0] * extent[:, 1]
    return boxes, centres


def _sorted(
    outlines: Outlines, segments: ShortInts, low: int, high: int
) -> tuple[Floats, ShortInts, ShortInts]:
    """Return the points of crossings, and their events sorted along the segments `low` to `high` - 1.

    These are `place` and `order` of `event_order.sort_events`.
    """
    edges, n = outlines.edges, len(segments) // 2
    points, fractions, unused = np.empty((n, 2)), np.empty((n, 4)), np.zeros(max(n, len(edges)), np.bool_)
    place_crossings(edges, segments, points, fractions, unused, np.zeros(len(edges)), unused)
    no_touches, mark_of = np.empty((0, 2), np.int32), outlines.mark[outlines.ring]
    place, order, *_ = sort_events(edges, mark_of, segments, fractions, no_touches, low, high)
    return points, place, order


def _add_up(
    outlines: Outlines,
    segments: ShortInts,
    events: tuple[Floats, ShortInts, ShortInts],
    boxes: Floats,
    centres: Floats,
    words: int,
    rings: tuple[int, int],
) -> MembershipBlock:
    """Return the memberships of some rings, with all of their crossings and the events of `_sorted`."""
    edges, first, mark_of = outlines.edges, outlines.first, outlines.mark[outlines.ring]
    low, high = int(first[rings[0]]), int(first[rings[1]])
    points, place, order = events
    marks = int(outlines.mark.max(initial=0)) + 1
    hashes = np.random.Generator(np.random.PCG64(1970)).integers(0, 1 << 62, marks)
    room = int(place[high] - place[low]) // 2 + rings[1] - rings[0] + 64
    areas, bits, cluster = np.zeros(room), np.zeros((room, words), np.int64), np.empty(room, np.int64)
    table = np.empty(1 << 14, np.int32)
    #: The ring to continue with, the end, the number of sets, and the first set of the cluster.
    state = np.array([*rings, 0, 0])
    while True:
        needed = _follow(
            edges,
            first,
            outlines.mark,
            outlines.cluster,
            outlines.offsets,
            mark_of,
            boxes,
            centres,
            segments,
            points,
            place,
            order,
            hashes,
            _BITS,
            np.zeros(marks, np.int32),
            np.zeros(words, np.int64),
            areas,
            bits,
            cluster,
            table,
            state,
        )
        if needed == 0:
            break
        if needed > len(table):
            table = np.empty(needed, np.int32)
        else:
            more = max(len(areas), needed)
            areas = np.concatenate([areas, np.zeros(more)])
            bits = np.concatenate([bits, np.zeros((more, words), np.int64)])
            cluster = np.concatenate([cluster, np.empty(more, np.int64)])
    count = int(state[2])
    filled = np.flatnonzero(cluster[:count] >= 0)
    return MembershipBlock(areas[filled], bits.take(filled, axis=0).view(np.uint64), cluster[filled])


@compiled
def _follow(
    edges: Floats,
    first: ShortInts,
    mark: ShortInts,
    cluster: ShortInts,
    offsets: Ints,
    mark_of: ShortInts,
    boxes: Floats,
    centres: Floats,
    segments: ShortInts,
    points: Floats,
    place: ShortInts,
    order: ShortInts,
    hashes: Ints,
    bit_of: Ints,
    seen: ShortInts,
    current: Ints,
    areas: Floats,
    bits: Ints,
    owner: Ints,
    table: ShortInts,
    state: Ints,
) -> int:
    """Add both sides of the arcs of rings to sets, and return 0, or the room that more of them need.

    That is more than the length of the table if the table is too small, or else the room for sets.
    """
    count, words = int(state[2]), len(current)
    mask = int(np.int64(-1))
    for r in range(state[0], state[1]):
        c, own = cluster[r], mark[r]
        begin, end = place[first[r]], place[first[r + 1]]
        if mask < 0 or r == offsets[c]:
            # The table of another cluster, or the same one with what it contains already.
            if r == offsets[c]:
                state[3] = count
            size = int(np.int64(64))
            stop = min(offsets[c + 1], state[1])
            while size < 4 * (place[first[stop]] - place[first[r]] + stop - r + count - state[3]):
                size *= 2
            if size > len(table):
                state[0], state[2] = r, count
                return size
            mask = size - 1
            for i in range(size):
                table[i] = -1
            for k in range(state[3], count):
                value = int(np.int64(0))
                for m in range(64 * words):
                    if bits[k, m >> 6] & bit_of[m & 63] != 0:
                        value ^= hashes[m]
                slot = value & mask
                while table[slot] >= 0:
                    slot = (slot + 1) & mask
                table[slot] = k
        if count + 2 * (end - begin + 1) > len(areas):
            state[0], state[2] = r, count
            return int(2 * (end - begin + 1))

        # The marks that contain the beginning: those that the outline leaves first, and of those that it does
        # not cross, those that wind around it.
        value = int(np.int64(0))
        for k in range(words):
            current[k] = 0
        seen[own] = r + 1
        for i in range(begin, end):
            e = order[i]
            other = mark_of[segments[e ^ 1]]
            if seen[other] != r + 1:
                seen[other] = r + 1
                if e & 1 == 1:
                    current[other >> 6] ^= bit_of[other & 63]
                    value ^= hashes[other]
        px, py = edges[first[r], 0], edges[first[r], 1]
        for q in range(offsets[c], offsets[c + 1]):
            other = mark[q]
            if seen[other] == r + 1 or px < boxes[q, 0] or px > boxes[q, 2]:
                continue
            if py < boxes[q, 1] or py > boxes[q, 3]:
                continue
            winding = 0
            for s in range(first[q], first[q + 1]):
                winding += crosses_ray(edges, s, px, py, other, own)
            if winding & 1 == 1:
                current[other >> 6] ^= bit_of[other & 63]
                value ^= hashes[other]

        x0, y0 = centres[c, 0], centres[c, 1]
        px, py = px - x0, py - y0
        twice = 0.0
        i = begin
        for s in range(first[r], first[r + 1]):
            while True:
                is_event = i < end and segments[order[i]] == s
                if is_event:
                    qx, qy = points[order[i] >> 1, 0] - x0, points[order[i] >> 1, 1] - y0
                else:
                    qx, qy = edges[s, 2] - x0, edges[s, 3] - y0
                twice += px * qy - qx * py
                px, py = qx, qy
                if not is_event and s + 1 < first[r + 1]:
                    break
                # An arc ends here, or the ring.
                for side in range(2):
                    k, slot = _find_set(value, current, bits, table, mask)
                    if k < 0:
                        k = count
                        table[slot], owner[k], areas[k] = k, -1, 0.0  # the empty set has no owner
                        for word in range(words):
                            bits[k, word] = current[word]
                            if current[word] != 0:
                                owner[k] = c
                        count += 1
                    areas[k] += 0.5 * twice if side == 1 else -0.5 * twice
                    # First on the right, where the mark itself is not, then on the left.
                    current[own >> 6] ^= bit_of[own & 63]
                    value ^= hashes[own]
                twice = 0.0
                if not is_event:
                    break
                other = mark_of[segments[order[i] ^ 1]]
                current[other >> 6] ^= bit_of[other & 63]
                value ^= hashes[other]
                i += 1
    state[0], state[2] = state[1], count
    return 0


@compiled_inner
def _find_set(value: int, current: Ints, bits: Ints, table: ShortInts, mask: int) -> tuple[int, int]:
    """Return a set with a given hash, or -1, and its place in the table."""
    slot = value & mask
    while table[slot] >= 0:
        k = table[slot]
        same = True
        for word in range(len(current)):
            same = same and bits[k, word] == current[word]
        if same:
            return int(k), int(slot)
        slot = (slot + 1) & mask
    return -1, int(slot)
