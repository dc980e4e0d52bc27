"""Find where the outlines of marks of a cluster cross, and in which direction, with NumPy.

Marks are infinitesimally shifted to the right, and even less up, the later ones farther (simulation of
simplicity). So outlines that touch or share stretches cross an even number of times, or not at all, and every
point of an outline is inside or outside each other mark. Only the coordinates of crossings are rounded.

References
----------
H. Edelsbrunner and E. P. Mücke, "Simulation of simplicity", ACM Transactions on Graphics 9 (1990).
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import offsets_of, positions_of, runs_of_equal
from polyframe.geometry.crossing_areas import anticlockwise_rings
from polyframe.geometry.exact_sides import accurate_sides, is_left
from polyframe.geometry.segment_pairs import overlapping_boxes

#: If the area of a ring is a smaller fraction of its box, rounding hides which way it runs. The repair of
#: drawings that cross themselves leaves such holes; they have no area and are dropped.
_THINNEST = 1e-12

#: Edges that are tested against a point at the same time, about 100 bytes each.
_CHUNK_EDGES = 1 << 19


#: The left, low, right and high sides of the boxes of segments.
Boxes = tuple[Floats, Floats, Floats, Floats]


@dataclass(frozen=True)
class DirectedRings:
    """The outlines of marks, each with the interior of its mark on the left, without segments of no length.

    Attributes
    ----------
    ax, ay, bx, by : ndarray of float64, shape (s,)
        The ends of all segments.
    ring : ndarray of int64, shape (s,)
        The ring of each segment, ascending.
    first : ndarray of int64, shape (r + 1,)
        Ring i contains the segments `first[i]` to `first[i + 1] - 1`.
    mark : ndarray of int64, shape (r,)
        The mark of each ring, ascending.
    drawn_first : ndarray of int64, shape (d + 1,)
        The offsets of all rings of the polygons in `drawn_segment`, also of those that were dropped.
    drawn_segment : ndarray of int64, shape (v,)
        The segment that begins at each vertex, -1 if it was dropped.
    is_turned : ndarray of bool, shape (d,)
        Whether a ring runs in the direction opposite to that of `anticlockwise_rings`.
    """

    ax: Floats
    ay: Floats
    bx: Floats
    by: Floats
    ring: Ints
    first: Ints
    mark: Ints
    drawn_first: Ints
    drawn_segment: Ints
    is_turned: Flags

    def segments_of(self, ring: Ints, edge: Ints) -> Ints:
        """Return the segments of edges, numbered as in `crossing_areas.MeetingEdges`; -1 if dropped."""
        begin, end = self.drawn_first[ring], self.drawn_first[ring + 1]
        vertex = np.where(self.is_turned[ring], end - 2 - edge, begin + edge)
        return self.drawn_segment[vertex]


@dataclass(frozen=True)
class MarkCrossings:
    """Events at which an outline enters or leaves another mark; each crossing of outlines is two of them.

    Attributes
    ----------
    segment : ndarray of int64, shape (e,)
        The segment that enters or leaves a mark.
    along : ndarray of float64, shape (e,)
        How far along the segment that is, as a fraction of it.
    x, y : ndarray of float64, shape (e,)
        The point, as an offset from the origin of the cluster.
    other : ndarray of int64, shape (e,)
        The segment of the mark that is entered or left.
    enters : ndarray of bool, shape (e,)
    """

    segment: Ints
    along: Floats
    x: Floats
    y: Floats
    other: Ints
    enters: Flags


def directed_rings(polygons: NDArray[Any]) -> DirectedRings:
    """Return the outlines of polygons, except holes that are too thin to have a direction."""
    rings, mark = shapely.get_rings(polygons, return_index=True)
    rings = anticlockwise_rings(rings)
    sizes = shapely.get_num_coordinates(rings).astype(np.int64)
    x, y = np.ascontiguousarray(shapely.get_coordinates(rings).T)
    bounds = offsets_of(sizes)
    first, ring = bounds[:-1], np.repeat(np.arange(len(rings)), sizes)
    across, up = x - x[first][ring], y - y[first][ring]
    cross = np.zeros(len(x))
    cross[:-1] = across[:-1] * up[1:] - across[1:] * up[:-1]
    cross[bounds[1:] - 1] = 0.0
    wide, tall = (_extents(values, first) for values in (across, up))
    area = np.add.reduceat(np.append(cross, 0.0), first) / 2 if len(rings) else np.empty(0)
    is_hole = np.zeros(len(rings), dtype=np.bool_)
    is_hole[1:] = mark[1:] == mark[:-1]
    is_thin = ~(np.abs(area) > _THINNEST * wide * tall)
    thin = np.flatnonzero(is_thin & ~is_hole)
    area[thin] = np.where(shapely.is_ccw(rings[thin]), 1.0, -1.0)  # exact, but slow
    is_turned = (area > 0) == is_hole
    turned = np.flatnonzero(is_turned)
    if len(turned):
        back = positions_of(first[turned], sizes[turned])
        forth = np.repeat(first[turned] + bounds[1:][turned] - 1, sizes[turned]) - back
        x[back], y[back] = x[forth], y[forth]

    moves = np.zeros(len(x), dtype=np.bool_)
    moves[:-1] = (x[1:] != x[:-1]) | (y[1:] != y[:-1])
    moves[bounds[1:] - 1] = False
    kept = ~(is_thin & is_hole)
    begin = np.flatnonzero(moves & kept[ring])
    owner = (np.cumsum(kept) - 1)[ring[begin]]
    count = np.bincount(owner, minlength=int(np.count_nonzero(kept)))
    segment = np.full(len(x), -1, dtype=np.int64)
    segment[begin] = np.arange(len(begin))
    return DirectedRings(
        x[begin],
        y[begin],
        x[begin + 1],
        y[begin + 1],
        owner,
        offsets_of(count),
        mark[kept].astype(np.int64),
        bounds,
        segment,
        is_turned,
    )


def _extents(values: Floats, first: Ints) -> Floats:
    if not len(first):
        return np.empty(0)
    extents: Floats = np.maximum.reduceat(values, first) - np.minimum.reduceat(values, first)
    return extents


def find_mark_crossings(
    rings: DirectedRings,
    cluster: Ints,
    origin: Floats,
    part: tuple[int, int] | None = None,
    known: tuple[Ints, Ints] | None = None,
) -> MarkCrossings:
    """Return where the outlines of marks of the same cluster cross.

    Parameters
    ----------
    rings : DirectedRings
    cluster : ndarray of int64, shape (n,)
        The cluster of each mark, ascending.
    origin : ndarray of float64, shape (c, 2)
        A point in the middle of each cluster.
    part : tuple of int, optional
        Only events of these rings, the first one and the end, of a single cluster: for clusters whose events
        would take too much memory.
    known : tuple of ndarray of int64, optional
        Pairs of segments, in any order, among which are all that meet: they are not searched.
    """
    mark = rings.mark[rings.ring]
    none = np.empty(0, dtype=np.int64)
    blocks = [_cross_pairs(rings, mark, cluster, origin, none, none)]
    low, high = 0, len(mark)
    pairs: Iterator[tuple[Ints, Ints]]
    if part is not None:
        low, high = int(rings.first[part[0]]), int(rings.first[part[1]])
    if known is not None:
        pairs = iter([known])
    elif part is not None:
        pairs = _pairs_of_part(_boxes(rings), low, high)
    else:
        pairs = overlapping_boxes(_boxes(rings), cluster[mark])
    for i, j in pairs:
        different = np.flatnonzero(mark[i] != mark[j])
        i, j = i[different], j[different]
        later = mark[i] > mark[j]
        block = _cross_pairs(rings, mark, cluster, origin, np.where(later, j, i), np.where(later, i, j))
        if part is not None:
            own = np.flatnonzero((block.segment >= low) & (block.segment < high))
            block = MarkCrossings(*(getattr(block, field.name)[own] for field in fields(MarkCrossings)))
        blocks.append(block)
    return MarkCrossings(
        *(np.concatenate([getattr(block, field.name) for block in blocks]) for field in fields(MarkCrossings))
    )


def _boxes(rings: DirectedRings) -> Boxes:
    return (
        np.minimum(rings.ax, rings.bx),
        np.minimum(rings.ay, rings.by),
        np.maximum(rings.ax, rings.bx),
        np.maximum(rings.ay, rings.by),
    )


def _pairs_of_part(boxes: Boxes, low: int, high: int) -> Iterator[tuple[Ints, Ints]]:
    """Yield the pairs of boxes that overlap, one of them from `low` to `high` - 1, in bounded memory.

    The part is compared with one other part after the other that is about as large.
    """
    own, count = np.arange(low, high), len(boxes[0])
    starts = [*range(0, low, max(high - low, 1)), *range(high, count, max(high - low, 1))]
    for start in [-1, *starts]:
        stop = min(start + high - low, low if start < low else count)
        both = own if start < 0 else np.concatenate([own, np.arange(start, stop)])
        left, bottom, right, top = (sides[both] for sides in boxes)
        for i, j in overlapping_boxes((left, bottom, right, top), np.zeros(len(both), dtype=np.int64)):
            i, j = both[i], both[j]
            if start >= 0:
                across = np.flatnonzero(((i >= low) & (i < high)) != ((j >= low) & (j < high)))
                i, j = i[across], j[across]
            yield i, j


def _cross_pairs(
    rings: DirectedRings, mark: Ints, cluster: Ints, origin: Floats, s: Ints, t: Ints
) -> MarkCrossings:
    """Return the crossings among pairs of segments a -> b of a mark and c -> d of a later one."""
    ax, ay, bx, by = rings.ax[s], rings.ay[s], rings.bx[s], rings.by[s]
    cx, cy, dx, dy = rings.ax[t], rings.ay[t], rings.bx[t], rings.by[t]
    c_side, d_side = accurate_sides(ax, ay, bx, by, cx, cy), accurate_sides(ax, ay, bx, by, dx, dy)
    # Seen from the first mark, c and d move to the right and up.
    c_left = is_left(c_side, ay - by, bx - ax)
    across = np.flatnonzero(c_left != is_left(d_side, ay - by, bx - ax))
    s, t, c_side, d_side = s[across], t[across], c_side[across], d_side[across]
    ax, ay, bx, by, cx, cy, dx, dy = (values[across] for values in (ax, ay, bx, by, cx, cy, dx, dy))
    a_side, b_side = accurate_sides(cx, cy, dx, dy, ax, ay), accurate_sides(cx, cy, dx, dy, bx, by)
    # Seen from the second mark, a and b move to the left and down.
    b_left = is_left(b_side, dy - cy, cx - dx)
    crossed = np.flatnonzero(is_left(a_side, dy - cy, cx - dx) != b_left)
    s, t, enters = s[crossed], t[crossed], b_left[crossed]
    ax, ay, bx, by, cx, cy, dx, dy = (values[crossed] for values in (ax, ay, bx, by, cx, cy, dx, dy))
    a_side, b_side, c_side, d_side = (values[crossed] for values in (a_side, b_side, c_side, d_side))

    x0, y0 = origin[cluster[mark[s]]].T
    along = (_share(a_side, b_side), _share(c_side, d_side))
    one, other = (ax - x0, ay - y0, bx - ax, by - ay), (cx - x0, cy - y0, dx - cx, dy - cy)
    # On the shorter of the two, which moves the point least by rounding, and projected onto the other: so
    # the order of points along both agrees, except for rounding, even if they are nearly parallel.
    is_first = one[2] ** 2 + one[3] ** 2 <= other[2] ** 2 + other[3] ** 2
    share = np.where(is_first, *along)
    px, py, qx, qy = (np.where(is_first, *values) for values in zip(one, other, strict=True))
    x, y = px + share * qx, py + share * qy
    px, py, qx, qy = (np.where(is_first, *values) for values in zip(other, one, strict=True))
    projected = np.clip((qx * (x - px) + qy * (y - py)) / (qx**2 + qy**2), 0.0, 1.0)
    return MarkCrossings(
        np.concatenate([s, t]),
        np.concatenate([np.where(is_first, share, projected), np.where(is_first, projected, share)]),
        np.concatenate([x, x]),
        np.concatenate([y, y]),
        np.concatenate([t, s]),
        np.concatenate([enters, ~enters]),
    )


def _share(begin: Floats, end: Floats) -> Floats:
    """Return how far along a segment it meets a line, from the signed distances of its ends."""
    whole = begin - end
    return np.clip(np.divide(begin, whole, out=np.zeros_like(begin), where=whole != 0), 0.0, 1.0)


def begins_inside(rings: DirectedRings, ring: Ints, other: Ints) -> Flags:
    """Return whether the first vertex of a ring is inside another mark, for pairs.

    Parameters
    ----------
    rings : DirectedRings
    ring : ndarray of int64, shape (p,)
    other : ndarray of int64, shape (p,)
        Another mark of the same cluster.
    """
    px, py = rings.ax[rings.first[ring]], rings.ay[rings.first[ring]]
    is_later = rings.mark[ring] > other  # then the vertex moves to the right and up from the other mark
    of_mark = rings.first[np.searchsorted(rings.mark, np.stack([other, other + 1]))]
    starts, counts = of_mark[0], of_mark[1] - of_mark[0]
    winding = np.zeros(len(ring), dtype=np.int64)
    for low, high in itertools.pairwise(runs_of_equal(np.cumsum(counts) // _CHUNK_EDGES).tolist()):
        pair = np.repeat(np.arange(low, high), counts[low:high])
        edge = positions_of(starts[low:high], counts[low:high])
        begin, end, level, moved_up = rings.ay[edge], rings.by[edge], py[pair], is_later[pair]
        begins_above = (begin > level) | ((begin == level) & ~moved_up)
        ends_above = (end > level) | ((end == level) & ~moved_up)
        crossed = np.flatnonzero(begins_above != ends_above)
        pair, edge, upward = pair[crossed], edge[crossed], ends_above[crossed]
        ax, ay, bx, by = rings.ax[edge], rings.ay[edge], rings.bx[edge], rings.by[edge]
        sign = np.where(is_later[pair], 1.0, -1.0)
        on_left = is_left(
            accurate_sides(ax, ay, bx, by, px[pair], py[pair]), sign * (ay - by), sign * (bx - ax)
        )
        # A ray to the right crosses edges that go up if the vertex is on their left, and down on their right.
        np.add.at(winding, pair, np.where(on_left & upward, 1, 0) - np.where(~on_left & ~upward, 1, 0))
    return winding > 0
