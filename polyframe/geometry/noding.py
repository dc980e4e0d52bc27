"""Node the outlines of many clusters: where they cross and touch, and the arcs between such points.

Points within reach of one another, a little more than rounding, are one node, and an outline that passes a
vertex within reach runs through it. What comes after counts nodes and compares no coordinates. Where that
draws together what is not exactly the same, the node is *blurred*: nothing that hangs on it is certain.

Equal segments, of which outlines on whole pixels have many, are worked on once.

References
----------
J. D. Hobby, "Practical segment intersection with finite precision output", Computational Geometry 13 (1999).
V. Milenkovic, "Verifiable implementations of geometric algorithms using finite precision arithmetic",
Artificial Intelligence 37 (1988): vertex shifting and edge cracking.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import offsets_of, positions_of, runs_of_equal
from polyframe.geometry.pairs import pair_with_runs

#: What is nearer than this fraction of the largest coordinate is one point: 256 rounding steps or more. The
#: vertices of an outline that was repaired or scaled are off by two or three.
REACH = 2.0**-44

#: Segments at smaller angles (the sine) run along each other farther than they are near.
_NEARLY_PARALLEL = 1e-2

#: Boxes are sorted into cells so large that no cluster has more entries than so many for each segment.
_ENTRIES = 12

#: Pairs of segments that are compared at the same time, about 200 bytes each.
_PAIRS = 200_000


@dataclass(frozen=True)
class Arcs:
    """The arcs of the outlines of many clusters, sorted by cluster; they meet only at their ends.

    Attributes
    ----------
    cluster : ndarray of int64, shape (a,)
    step : ndarray of int64, shape (a,)
        How many marks are entered by crossing the arc from right to left, less those that are left.
    nodes : ndarray of int64, shape (m,)
        The points of all arcs, as nodes.
    offsets : ndarray of int64, shape (a + 1,)
        Arc i runs through `nodes[offsets[i]:offsets[i + 1]]`.
    points : ndarray of float64, shape (n, 2)
        Where each node is: at its first vertex (by x, then y), or else at its first crossing.
    first : ndarray of int64, shape (r,)
        The node at which each ring begins, and an arc does; -1 where all of the ring is one node.
    blurred : ndarray of bool, shape (n,)
        Whether points that are not exactly the same are one node, or an outline runs through a node that is
        not exactly on it.
    cancelled : ndarray of bool, shape (a,)
        Whether outlines run along the arc in opposite directions.
    """

    cluster: Ints
    step: Ints
    nodes: Ints
    offsets: Ints
    points: Floats
    first: Ints
    blurred: Flags
    cancelled: Flags


@dataclass(frozen=True)
class _Segments:
    """Different segments between numbered vertices, with the coordinates of both ends.

    `ring` is the only ring that a segment is in, or -1.
    """

    ring: Ints
    begin: Ints
    end: Ints
    cluster: Ints
    ax: Floats
    ay: Floats
    bx: Floats
    by: Floats


@dataclass(frozen=True)
class _Meetings:
    """Where segments meet.

    Attributes
    ----------
    segment, point : ndarray of int64, shape (k,)
        A segment, and a vertex or (numbered behind all vertices) a crossing on it, between its ends.
    along : ndarray of float64, shape (k,)
        How far along the segment, as a fraction of it.
    certain : ndarray of bool, shape (k,)
        Whether the point is exactly on the segment.
    crossings : ndarray of float64, shape (x, 2)
    rounded : ndarray of bool, shape (x,)
        Whether the coordinates of a crossing are not exact.
    twins : ndarray of int64, shape (t, 2)
        Vertices within reach of each other.
    """

    segment: Ints
    point: Ints
    along: Floats
    certain: Flags
    crossings: Floats
    rounded: Flags
    twins: Ints


def node(coordinates: Floats, offsets: Ints, cluster: Ints, weight: Ints, reach: Floats) -> Arcs:
    """Return the arcs of rings.

    Parameters
    ----------
    coordinates : ndarray of float64, shape (m, 2)
        The points of all rings, closed, each with the inside of its mark on the left.
    offsets : ndarray of int64, shape (r + 1,)
        Ring i is `coordinates[offsets[i]:offsets[i + 1]]`.
    cluster : ndarray of int64, shape (r,)
        The cluster of each ring, ascending.
    weight : ndarray of int64, shape (r,)
        How many marks each ring stands for.
    reach : ndarray of float64, shape (c,)
        Of each cluster, positive.

    Returns
    -------
    Arcs
    """
    coordinates = coordinates + 0.0  # no negative zeros: equal points have equal bits
    moves = np.any(coordinates[1:] != coordinates[:-1], axis=1)
    moves[offsets[1:-1] - 1] = False  # from one ring to the next
    begins = np.flatnonzero(moves)
    ring = np.repeat(np.arange(len(cluster)), np.diff(offsets))[begins]
    drawn = coordinates[begins]
    kept, one = _different(row_hashes(drawn, cluster[ring]))
    vertices = drawn[kept]
    follows = np.arange(1, len(ring) + 1)
    bounds = runs_of_equal(ring)
    follows[bounds[1:] - 1] = bounds[:-1]
    other = one[follows]
    low, high = np.minimum(one, other), np.maximum(one, other)
    kept, segment = _different(low * len(vertices) + high)
    alone = np.where(np.bincount(segment) == 1, ring[kept], -1)
    x, y = np.ascontiguousarray(vertices.T)
    begin, end = low[kept], high[kept]
    segments = _Segments(alone, begin, end, cluster[ring[kept]], x[begin], y[begin], x[end], y[end])
    met = _meet(segments, len(vertices), reach)

    points = np.concatenate([vertices, met.crossings])
    order = np.lexsort((met.along, met.segment))
    on, point = met.segment[order], met.point[order]
    near = np.concatenate([met.twins, _near_along(segments, on, point, points, reach)])
    node_of = _merge(points, near, len(vertices))
    blurred = np.zeros(len(points), dtype=np.bool_)
    blurred[node_of[met.point[~met.certain]]] = True
    rounded = np.concatenate([np.zeros(len(vertices), dtype=np.bool_), met.rounded])
    one_point, other_point = near.T
    differ = np.any(points[one_point] != points[other_point], axis=1)
    differ |= rounded[one_point] | rounded[other_point]
    blurred[node_of[one_point[differ]]] = True

    # What each segment of each ring visits: its first vertex, then what lies on it.
    events = np.bincount(on, minlength=len(kept))
    first_event = offsets_of(events)
    counts = events[segment]
    at = offsets_of(counts + 1)
    visits = np.empty(at[-1], dtype=np.int64)
    visits[at[:-1]] = one
    some = np.flatnonzero(counts)
    number, turned = counts[some], one[some] > other[some]
    start = first_event[segment[some]] + np.where(turned, number - 1, 0)
    source = np.repeat(start, number) + np.repeat(np.where(turned, -1, 1), number) * positions_of(0, number)
    visits[positions_of(at[some] + 1, number)] = point[source]
    return _cut(node_of[visits], np.repeat(ring, counts + 1), cluster, weight, points, blurred)


def _different(keys: NDArray[Any]) -> tuple[Ints, Ints]:
    """Return where each different key first occurs, and which of these each key is."""
    in_order = np.sort(keys)
    repeated = np.unique(in_order[1:][in_order[1:] == in_order[:-1]])
    first = np.arange(len(keys))
    if len(repeated):
        place = np.minimum(np.searchsorted(repeated, keys), len(repeated) - 1)
        again = np.flatnonzero(repeated[place] == keys)
        _, index, inverse = np.unique(keys[again], return_index=True, return_inverse=True)
        first[again] = again[index][inverse]
    kept = np.flatnonzero(first == np.arange(len(keys)))
    number = np.empty(len(keys), dtype=np.int64)
    number[kept] = np.arange(len(kept))
    return kept, number[first]


def row_hashes(rows: Floats, cluster: Ints) -> NDArray[np.uint64]:
    """Mix the bits of each row and its cluster into one number; equal rows have equal numbers.

    Parameters
    ----------
    rows : ndarray of float64, shape (n, m)
        Without negative zeros.
    cluster : ndarray of int64, shape (n,)

    Returns
    -------
    ndarray of uint64, shape (n,)
        Of a million rows, two that differ have the same number once in 10^7 cases.
    """
    mixed = cluster.astype(np.uint64)
    for column in range(rows.shape[1]):
        mixed = (mixed ^ np.ascontiguousarray(rows[:, column]).view(np.uint64)) * np.uint64(
            0x9E3779B97F4A7C15
        )
        mixed ^= mixed >> np.uint64(29)
    return mixed


def _meet(segments: _Segments, vertices: int, reach: Floats) -> _Meetings:
    """Find where segments cross, and the vertices within reach of them."""
    ax, ay, bx, by = segments.ax, segments.ay, segments.bx, segments.by
    dx, dy = bx - ax, by - ay
    near = reach[segments.cluster]
    length = np.sqrt(dx**2 + dy**2)  # `hypot` depends on the system's library
    beside = near * length  # the cross product of a point within reach
    none = np.empty(0, dtype=np.int64)
    met, point, along, crossings = [none], [none], [np.empty(0)], [np.empty((0, 2))]
    certain, rounded = [np.empty(0, dtype=np.bool_)], [np.empty(0, dtype=np.bool_)]
    twins, beside_each_other = [np.empty((0, 2), dtype=np.int64)], [np.empty((0, 2), dtype=np.int64)]
    count = vertices
    for i, j in _overlapping(segments, near):
        tx, ty = ax[j] - ax[i], ay[j] - ay[i]
        c_side = dx[i] * ty - dy[i] * tx
        a_side = dy[j] * tx - dx[j] * ty
        turn = dx[i] * dy[j] - dy[i] * dx[j]
        d_side = dx[i] * (by[j] - ay[i]) - dy[i] * (bx[j] - ax[i])
        b_side = dx[j] * (by[i] - ay[j]) - dy[j] * (bx[i] - ax[j])
        beside_i, beside_j = beside[i], beside[j]
        apart = (np.minimum(c_side, d_side) > beside_i) | (np.maximum(c_side, d_side) < -beside_i)
        apart |= (np.minimum(a_side, b_side) > beside_j) | (np.maximum(a_side, b_side) < -beside_j)
        # Neighbours in a ring, nearly always: they meet in a vertex and go on apart.
        joined = (segments.begin[i] == segments.begin[j]) | (segments.end[i] == segments.end[j])
        joined |= (segments.begin[i] == segments.end[j]) | (segments.end[i] == segments.begin[j])
        apart |= (
            joined
            & (np.maximum(np.abs(c_side), np.abs(d_side)) > beside_i)
            & (np.maximum(np.abs(a_side), np.abs(b_side)) > beside_j)
        )
        rest = np.flatnonzero(~apart)
        i, j = i[rest], j[rest]
        a_side, b_side, c_side, d_side = a_side[rest], b_side[rest], c_side[rest], d_side[rest]
        level = np.abs(turn[rest]) <= _NEARLY_PARALLEL * length[i] * length[j]
        for s, t, at_end, side in (
            (i, j, False, c_side),
            (i, j, True, d_side),
            (j, i, False, a_side),
            (j, i, True, b_side),
        ):
            close = np.flatnonzero(np.abs(side) <= beside[s])
            s, t = s[close], t[close]
            vertex = (segments.end if at_end else segments.begin)[t]
            px, py = (bx if at_end else ax)[t], (by if at_end else ay)[t]
            share = (dx[s] * (px - ax[s]) + dy[s] * (py - ay[s])) / length[s] ** 2
            own = (vertex == segments.begin[s]) | (vertex == segments.end[s])
            on = ~own & (share > 0) & (share < 1)
            met.append(s[on])
            point.append(vertex[on])
            along.append(share[on])
            certain.append(_exactly_on(segments, s[on], px[on], py[on]))
            beside_each_other.append(np.column_stack([s, t])[on & level[close]])
            for corner, cx, cy in ((segments.begin, ax, ay), (segments.end, bx, by)):
                same = ~own & (np.abs(px - cx[s]) <= near[s]) & (np.abs(py - cy[s]) <= near[s])
                twins.append(np.column_stack([corner[s[same]], vertex[same]]))
        across = np.flatnonzero((c_side * d_side < 0) & (a_side * b_side < 0))
        s, t = i[across], j[across]
        on_s = a_side[across] / (a_side[across] - b_side[across])
        on_t = c_side[across] / (c_side[across] - d_side[across])
        # Along the shorter of the two, from its nearer end: so rounding moves the point least.
        short = np.where(length[s] <= length[t], s, t)
        share = np.where(length[s] <= length[t], on_s, on_t)
        x = np.where(share <= 0.5, ax[short] + share * dx[short], bx[short] - (1 - share) * dx[short])
        y = np.where(share <= 0.5, ay[short] + share * dy[short], by[short] - (1 - share) * dy[short])
        # What is upright or level stays so.
        x = np.where(dx[s] == 0, ax[s], np.where(dx[t] == 0, ax[t], x))
        y = np.where(dy[s] == 0, ay[s], np.where(dy[t] == 0, ay[t], y))
        crossings.append(np.column_stack([x, y]) + 0.0)
        rounded.append(~(((dx[s] == 0) & (dy[t] == 0)) | ((dy[s] == 0) & (dx[t] == 0))))
        certain.append(np.ones(2 * len(across), dtype=np.bool_))
        met += [s, t]
        point += [count + np.arange(len(across))] * 2
        along += [on_s, on_t]
        count += len(across)
    found = _Meetings(
        np.concatenate(met),
        np.concatenate(point),
        np.concatenate(along),
        np.concatenate(certain),
        np.concatenate(crossings),
        np.concatenate(rounded),
        np.concatenate(twins),
    )
    return _with_third_segments(found, segments, np.concatenate(beside_each_other), vertices, near)


def _with_third_segments(
    found: _Meetings, segments: _Segments, pairs: Ints, vertices: int, near: Floats
) -> _Meetings:
    """Add the crossings of one segment that lie within reach of another which runs along it."""
    if not len(pairs):
        return found
    of_crossing = np.flatnonzero(found.point >= vertices)
    order = of_crossing[np.argsort(found.segment[of_crossing], kind="stable")]
    one, other = np.unique(np.concatenate([pairs, pairs[:, ::-1]]), axis=0).T
    bounds = np.searchsorted(found.segment[order], np.stack([one, one + 1]))
    pair, place = pair_with_runs(np.arange(len(one)), *bounds)
    segment, crossing = other[pair], found.point[order[place]] - vertices
    ax, ay = segments.ax[segment], segments.ay[segment]
    dx, dy = segments.bx[segment] - ax, segments.by[segment] - ay
    x, y = found.crossings[crossing].T
    squared = dx**2 + dy**2
    share = (dx * (x - ax) + dy * (y - ay)) / squared
    side = dx * (y - ay) - dy * (x - ax)
    on = (share > 0) & (share < 1) & (side**2 <= near[segment] ** 2 * squared)
    added = np.unique(np.column_stack([segment, crossing + vertices])[on], axis=0, return_index=True)
    (segment, point), share = added[0].T, share[on][added[1]]
    stride = int(max(found.point.max(initial=0), point.max(initial=0))) + 1
    known = np.isin(segment * stride + point, found.segment * stride + found.point)
    return _Meetings(
        np.concatenate([found.segment, segment[~known]]),
        np.concatenate([found.point, point[~known]]),
        np.concatenate([found.along, share[~known]]),
        np.concatenate([found.certain, np.zeros(np.count_nonzero(~known), dtype=np.bool_)]),
        found.crossings,
        found.rounded,
        found.twins,
    )


def _exactly_on(segments: _Segments, segment: Ints, x: Floats, y: Floats) -> Flags:
    """Say which points are certain to lie exactly on the lines of segments.

    References
    ----------
    J. R. Shewchuk, "Adaptive precision floating-point arithmetic and fast robust geometric predicates",
    Discrete & Computational Geometry 18 (1997).
    """
    ax, ay = segments.ax[segment], segments.ay[segment]
    across, lost_across = _difference(segments.bx[segment], ax)
    up, lost_up = _difference(segments.by[segment], ay)
    right, lost_right = _difference(x, ax)
    over, lost_over = _difference(y, ay)
    one, lost_one = _product(across, over)
    other, lost_other = _product(up, right)
    exact = (lost_across == 0) & (lost_up == 0) & (lost_right == 0) & (lost_over == 0)
    return np.asarray(exact & (one == other) & (lost_one == lost_other))


def _difference(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Return a - b rounded, and what rounding lost."""
    difference = a - b
    virtual = a - difference
    return difference, (a - (difference + virtual)) + (virtual - b)


def _product(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Return a * b rounded, and what rounding lost."""
    product = a * b
    wide_a, wide_b = 134217729.0 * a, 134217729.0 * b  # 2 ** 27 + 1
    high_a, high_b = wide_a - (wide_a - a), wide_b - (wide_b - b)
    low_a, low_b = a - high_a, b - high_b
    return product, low_a * low_b - (((product - high_a * high_b) - low_a * high_b) - high_a * low_b)


def _overlapping(segments: _Segments, near: Floats) -> Iterator[tuple[Ints, Ints]]:
    """Yield pairs of segments of the same cluster, but not the same ring, whose boxes overlap, each once.

    Segments are sorted into the cells of a grid for each cluster; those that share a cell are compared.
    """
    ring = segments.ring
    begins = runs_of_equal(segments.cluster)[:-1]
    if not len(begins):
        return
    left, right = np.minimum(segments.ax, segments.bx) - near, np.maximum(segments.ax, segments.bx) + near
    low, high = np.minimum(segments.ay, segments.by) - near, np.maximum(segments.ay, segments.by) + near
    size = np.diff(np.append(begins, len(left)))
    which = np.repeat(np.arange(len(begins)), size)
    x0, y0 = np.minimum.reduceat(left, begins), np.minimum.reduceat(low, begins)
    width, height = np.maximum.reduceat(right, begins) - x0, np.maximum.reduceat(high, begins) - y0
    cell = np.maximum(
        np.add.reduceat(np.maximum(right - left, high - low), begins) / size,
        np.sqrt(width * height / (4 * size)),
    )
    while True:  # neither a long thin cluster nor long segments may take more than so many cells
        own = cell[which]
        crowded = (
            np.add.reduceat(((right - left) / own + 1) * ((high - low) / own + 1), begins) > _ENTRIES * size
        )
        if not np.any(crowded):
            break
        cell[crowded] *= 1.5
    per_cell = 1 / cell[which]
    x0, y0 = x0[which], y0[which]
    first_x, last_x = ((left - x0) * per_cell).astype(np.int64), ((right - x0) * per_cell).astype(np.int64)
    first_y, last_y = ((low - y0) * per_cell).astype(np.int64), ((high - y0) * per_cell).astype(np.int64)
    columns, rows = (width / cell).astype(np.int64) + 2, (height / cell).astype(np.int64) + 2
    place = offsets_of(columns * rows)[:-1][which]
    columns = columns[which]

    wide = last_x - first_x + 1
    cells = wide * (last_y - first_y + 1)
    item = np.repeat(np.arange(len(left)), cells)
    row, column = np.divmod(positions_of(0, cells), wide[item])
    key = (place + first_y * columns + first_x)[item] + row * columns[item] + column
    key, item = np.divmod(np.sort(key * len(left) + item), len(left))
    bounds = runs_of_equal(key)
    ends = np.repeat(bounds[1:], np.diff(bounds))
    others = np.cumsum(ends - np.arange(len(key)) - 1)
    for start, stop in itertools.pairwise(runs_of_equal(others // _PAIRS).tolist()):
        part = np.arange(start, stop)
        one, other = pair_with_runs(part, part + 1, ends[part])
        i, j = item[one], item[other]
        elsewhere = np.flatnonzero((ring[i] != ring[j]) | (ring[i] < 0))
        i, j, one = i[elsewhere], j[elsewhere], one[elsewhere]
        corner_x, corner_y = np.maximum(left[i], left[j]), np.maximum(low[i], low[j])
        there = (corner_x <= np.minimum(right[i], right[j])) & (corner_y <= np.minimum(high[i], high[j]))
        # A pair that shares several cells counts where the lower left corner of what they share is.
        at_x = ((corner_x - x0[i]) * per_cell[i]).astype(np.int64)
        at_y = ((corner_y - y0[i]) * per_cell[i]).astype(np.int64)
        there &= place[i] + at_y * columns[i] + at_x == key[one]
        yield i[there], j[there]


def _near_along(segments: _Segments, on: Ints, point: Ints, points: Floats, reach: Floats) -> Ints:
    """Return pairs of neighbours along a segment, its ends included, that are within reach."""
    bounds = runs_of_equal(on)
    first, last = bounds[:-1], bounds[1:] - 1
    owner = on[first]
    same = np.flatnonzero(on[1:] == on[:-1])
    pairs = np.concatenate(
        [
            np.column_stack([point[same], point[same + 1]]),
            np.column_stack([segments.begin[owner], point[first]]),
            np.column_stack([point[last], segments.end[owner]]),
        ]
    )
    near = reach[segments.cluster[np.concatenate([on[same], owner, owner])]]
    apart = np.abs(points[pairs[:, 0]] - points[pairs[:, 1]]).max(axis=1, initial=0.0)
    return np.asarray(pairs[apart <= near], dtype=np.int64)


def _merge(points: Floats, near: Ints, vertices: int) -> Ints:
    """Return for each point the one that stands for all that are near: a vertex if there is one."""
    merged = np.arange(len(points))
    if not len(near):
        return merged
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    members, pairs = np.unique(near, return_inverse=True)
    one, other = pairs.reshape(-1, 2).T
    graph = csr_array((np.ones(len(one)), (one, other)), shape=(len(members), len(members)))
    group = connected_components(graph, directed=False)[1]
    order = np.lexsort((points[members, 1], points[members, 0], members >= vertices, group))
    leader = members[order[np.unique(group[order], return_index=True)[1]]]
    merged[members] = leader[group]
    return merged


def _cut(visits: Ints, ring: Ints, cluster: Ints, weight: Ints, points: Floats, blurred: Flags) -> Arcs:
    """Cut rings, given by the nodes that they visit, where they begin and at nodes that are visited twice."""
    bounds = runs_of_equal(ring)
    before = np.arange(-1, len(ring) - 1)
    before[bounds[:-1]] = bounds[1:] - 1
    moves = visits != visits[before]
    visits, ring = visits[moves], ring[moves]
    begins = runs_of_equal(ring)[:-1]
    first = np.full(len(cluster), -1, dtype=np.int64)
    first[ring[begins]] = visits[begins]

    busy = np.bincount(visits, minlength=len(points))[visits] > 1
    busy[begins] = True
    start = np.flatnonzero(busy)
    arc_ring = ring[start]
    # From each busy node to the next one; behind the last visit of a ring comes its first.
    stop = np.append(start[1:], len(visits))
    length = stop - start + 1
    offsets = offsets_of(length)
    nodes = np.empty(offsets[-1], dtype=np.int64)
    inside = np.ones(len(nodes), dtype=np.bool_)
    inside[offsets[1:] - 1] = False
    nodes[inside] = visits
    after = np.append(visits, -1)[stop]
    closes = np.append(arc_ring[1:] != arc_ring[:-1], True) if len(arc_ring) else busy
    after[closes] = visits[begins]
    nodes[~inside] = after
    step = weight[arc_ring].copy()

    # Only arcs without points inside can be shared: of those that join the same nodes one is left.
    short = np.flatnonzero(length == 2)
    one, other = nodes[offsets[short]], nodes[offsets[short] + 1]
    keys = np.minimum(one, other) * len(points) + np.maximum(one, other)
    _, kept, same = np.unique(keys, return_index=True, return_inverse=True)
    sign = np.where(one < other, 1, -1)
    together = np.bincount(same, weights=sign * step[short]).astype(np.int64)
    step[short[kept]] = together * sign[kept]
    cancelled = np.zeros(len(step), dtype=np.bool_)
    cancelled[short[kept]] = np.abs(together) < np.bincount(same, weights=weight[arc_ring[short]])
    chosen = length > 2
    chosen[short[kept]] = True
    picked = np.flatnonzero(chosen)
    return Arcs(
        cluster[arc_ring[picked]],
        step[picked],
        nodes[positions_of(offsets[picked], length[picked])],
        offsets_of(length[picked]),
        points,
        first,
        blurred,
        cancelled[picked],
    )
