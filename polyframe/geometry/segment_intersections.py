"""Find where the segments of many clusters cross and touch."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import offsets_of, positions_of, runs_of_equal
from polyframe.geometry.pairs import pair_with_runs

#: Segments at smaller angles (the sine) run along each other farther than they are near.
_NEARLY_PARALLEL = 1e-2

#: Boxes are sorted into cells so large that no cluster has more entries than so many for each segment.
_ENTRIES = 12

#: Pairs of segments that are compared at the same time, about 200 bytes each.
_PAIRS = 200_000


@dataclass(frozen=True)
class Segments:
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
class Intersections:
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


def intersect_segments(segments: Segments, vertices: int, reach: Floats) -> Intersections:
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
    found = Intersections(
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
    found: Intersections, segments: Segments, pairs: Ints, vertices: int, near: Floats
) -> Intersections:
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
    return Intersections(
        np.concatenate([found.segment, segment[~known]]),
        np.concatenate([found.point, point[~known]]),
        np.concatenate([found.along, share[~known]]),
        np.concatenate([found.certain, np.zeros(np.count_nonzero(~known), dtype=np.bool_)]),
        found.crossings,
        found.rounded,
        found.twins,
    )


def _exactly_on(segments: Segments, segment: Ints, x: Floats, y: Floats) -> Flags:
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


def _overlapping(segments: Segments, near: Floats) -> Iterator[tuple[Ints, Ints]]:
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
