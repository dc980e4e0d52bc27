"""Find where the segments of many clusters cross or touch, within a tolerance.

Segments are compared if their boxes overlap (`segment_pairs`). Vertices within the
tolerance of a segment are on it; the coordinates of crossings are rounded.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.geometry.candidate_pairs import pair_with_runs
from polyframe.geometry.exact_sides import difference, product
from polyframe.geometry.segment_pairs import overlapping_boxes

#: Segments at a smaller angle (its sine) are nearly parallel: near one another far beyond their crossing.
_NEARLY_PARALLEL = 1e-2


@dataclass(frozen=True)
class Segments:
    """Distinct segments between numbered vertices, with the coordinates of both ends.

    `ring` is the ring that a segment is in, or -1 if it is in several.
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
    """Points in the interior of segments, and vertices that are the same within the tolerance.

    Attributes
    ----------
    segment, point : ndarray of int64, shape (k,)
        A segment, and the number of a vertex or crossing on it. Crossings are numbered after all vertices.
    along : ndarray of float64, shape (k,)
        How far along the segment the point is, as a fraction of it.
    exact : ndarray of bool, shape (k,)
        Whether the point is exactly on the segment.
    crossings : ndarray of float64, shape (x, 2)
    rounded : ndarray of bool, shape (x,)
        Whether the coordinates of a crossing are not exact.
    near_vertices : ndarray of int64, shape (t, 2)
    """

    segment: Ints
    point: Ints
    along: Floats
    exact: Flags
    crossings: Floats
    rounded: Flags
    near_vertices: Ints


@dataclass(frozen=True)
class _Lines:
    """Vectors and lengths of segments, tolerances, and cross products of points that far from the segment."""

    dx: Floats
    dy: Floats
    length: Floats
    tolerance: Floats
    margin: Floats


def intersect_segments(segments: Segments, vertices: int, tolerance: Floats) -> Intersections:
    """Return the crossings of segments, and the vertices within a tolerance of them.

    Parameters
    ----------
    segments : Segments
    vertices : int
        The number of vertices.
    tolerance : ndarray of float64, shape (c,)
        The tolerance of each cluster.

    Returns
    -------
    Intersections
    """
    dx, dy = segments.bx - segments.ax, segments.by - segments.ay
    near = tolerance[segments.cluster]
    length = np.sqrt(dx**2 + dy**2)  # `hypot` depends on the system's library
    lines = _Lines(dx, dy, length, near, near * length)
    none = np.empty(0, dtype=np.int64)
    no_pairs, no_flags = np.empty((0, 2), dtype=np.int64), np.empty(0, dtype=np.bool_)
    blocks = [Intersections(none, none, np.empty(0), no_flags, np.empty((0, 2)), no_flags, no_pairs)]
    parallel = [no_pairs]
    count = vertices
    boxes = (
        np.minimum(segments.ax, segments.bx) - near,
        np.minimum(segments.ay, segments.by) - near,
        np.maximum(segments.ax, segments.bx) + near,
        np.maximum(segments.ay, segments.by) + near,
    )
    ring = segments.ring
    for i, j in overlapping_boxes(boxes, segments.cluster):
        different = np.flatnonzero((ring[i] != ring[j]) | (ring[i] < 0))
        i, j = i[different], j[different]
        block, nearly_parallel = _intersect_pairs(segments, lines, i, j, count)
        count += len(block.crossings)
        blocks.append(block)
        parallel.append(nearly_parallel)
    return _with_third_segments(_join(blocks), segments, np.concatenate(parallel), vertices, near)


def _join(blocks: list[Intersections]) -> Intersections:
    columns = [[getattr(block, field.name) for block in blocks] for field in fields(Intersections)]
    return Intersections(*map(np.concatenate, columns))


def _intersect_pairs(
    segments: Segments, lines: _Lines, i: Ints, j: Ints, first_crossing: int
) -> tuple[Intersections, Ints]:
    """Intersect pairs of segments a -> b and c -> d.

    Also returns the pairs that are nearly parallel where an end of one touches the other.
    """
    ax, ay, bx, by = segments.ax, segments.ay, segments.bx, segments.by
    dx, dy, margin = lines.dx, lines.dy, lines.margin
    tx, ty = ax[j] - ax[i], ay[j] - ay[i]
    c_side = dx[i] * ty - dy[i] * tx
    a_side = dy[j] * tx - dx[j] * ty
    turn = dx[i] * dy[j] - dy[i] * dx[j]
    d_side = dx[i] * (by[j] - ay[i]) - dy[i] * (bx[j] - ax[i])
    b_side = dx[j] * (by[i] - ay[j]) - dy[j] * (bx[i] - ax[j])
    apart = (np.minimum(c_side, d_side) > margin[i]) | (np.maximum(c_side, d_side) < -margin[i])
    apart |= (np.minimum(a_side, b_side) > margin[j]) | (np.maximum(a_side, b_side) < -margin[j])
    # Most pairs with a common vertex are neighbours in a ring, and meet nowhere else.
    joined = (segments.begin[i] == segments.begin[j]) | (segments.end[i] == segments.end[j])
    joined |= (segments.begin[i] == segments.end[j]) | (segments.end[i] == segments.begin[j])
    apart |= (
        joined
        & (np.maximum(np.abs(c_side), np.abs(d_side)) > margin[i])
        & (np.maximum(np.abs(a_side), np.abs(b_side)) > margin[j])
    )
    rest = np.flatnonzero(~apart)
    i, j = i[rest], j[rest]
    a_side, b_side, c_side, d_side = a_side[rest], b_side[rest], c_side[rest], d_side[rest]
    nearly_parallel = np.abs(turn[rest]) <= _NEARLY_PARALLEL * lines.length[i] * lines.length[j]
    blocks, parallel = [], []
    for s, t, at_end, side in (
        (i, j, False, c_side),
        (i, j, True, d_side),
        (j, i, False, a_side),
        (j, i, True, b_side),
    ):
        close = np.flatnonzero(np.abs(side) <= margin[s])
        block, on = _vertices_on(segments, lines, s[close], t[close], at_end)
        blocks.append(block)
        parallel.append(np.column_stack([s[close], t[close]])[on & nearly_parallel[close]])
    across = np.flatnonzero((c_side * d_side < 0) & (a_side * b_side < 0))
    on_i = a_side[across] / (a_side[across] - b_side[across])
    on_j = c_side[across] / (c_side[across] - d_side[across])
    blocks.append(_cross(segments, lines, (i[across], j[across]), (on_i, on_j), first_crossing))
    return _join(blocks), np.concatenate(parallel)


def _vertices_on(
    segments: Segments, lines: _Lines, s: Ints, t: Ints, at_end: bool
) -> tuple[Intersections, Flags]:
    """Return which ends of segments t are in the interior of segments s, or near their ends.

    All of them are within the tolerance of the line through s.
    """
    ax, ay = segments.ax[s], segments.ay[s]
    vertex = (segments.end if at_end else segments.begin)[t]
    px, py = (segments.bx if at_end else segments.ax)[t], (segments.by if at_end else segments.ay)[t]
    along = (lines.dx[s] * (px - ax) + lines.dy[s] * (py - ay)) / lines.length[s] ** 2
    own = (vertex == segments.begin[s]) | (vertex == segments.end[s])
    on = ~own & (along > 0) & (along < 1)
    near = lines.tolerance[s]
    near_vertices = []
    for corner, cx, cy in (
        (segments.begin, segments.ax, segments.ay),
        (segments.end, segments.bx, segments.by),
    ):
        same = ~own & (np.abs(px - cx[s]) <= near) & (np.abs(py - cy[s]) <= near)
        near_vertices.append(np.column_stack([corner[s[same]], vertex[same]]))
    intersections = Intersections(
        s[on],
        vertex[on],
        along[on],
        _exactly_on(segments, s[on], px[on], py[on]),
        np.empty((0, 2)),
        np.empty(0, dtype=np.bool_),
        np.concatenate(near_vertices),
    )
    return intersections, on


def _cross(
    segments: Segments,
    lines: _Lines,
    pair: tuple[Ints, Ints],
    along: tuple[Floats, Floats],
    first_crossing: int,
) -> Intersections:
    """Return the crossings of pairs of segments, with their fractions along both."""
    s, t = pair
    ax, ay, bx, by, dx, dy = segments.ax, segments.ay, segments.bx, segments.by, lines.dx, lines.dy
    # Computed along the shorter of the two, from its nearer end, which moves the point least by rounding.
    s_is_shorter = lines.length[s] <= lines.length[t]
    short = np.where(s_is_shorter, s, t)
    share = np.where(s_is_shorter, *along)
    x = np.where(share <= 0.5, ax[short] + share * dx[short], bx[short] - (1 - share) * dx[short])
    y = np.where(share <= 0.5, ay[short] + share * dy[short], by[short] - (1 - share) * dy[short])
    # Points on vertical and horizontal segments are exactly on them.
    x = np.where(dx[s] == 0, ax[s], np.where(dx[t] == 0, ax[t], x))
    y = np.where(dy[s] == 0, ay[s], np.where(dy[t] == 0, ay[t], y))
    numbers = first_crossing + np.arange(len(s))
    return Intersections(
        np.concatenate(pair),
        np.concatenate([numbers, numbers]),
        np.concatenate(along),
        np.ones(2 * len(s), dtype=np.bool_),
        np.column_stack([x, y]) + 0.0,
        ~(((dx[s] == 0) & (dy[t] == 0)) | ((dy[s] == 0) & (dx[t] == 0))),
        np.empty((0, 2), dtype=np.int64),
    )


def _with_third_segments(
    known: Intersections, segments: Segments, parallel: Ints, vertices: int, near: Floats
) -> Intersections:
    """Add the crossings of a segment that are also on another segment which is nearly parallel to it."""
    if not len(parallel):
        return known
    of_crossing = np.flatnonzero(known.point >= vertices)
    order = of_crossing[np.argsort(known.segment[of_crossing], kind="stable")]
    count = len(segments.begin)
    one, other = parallel.T
    one, other = np.divmod(np.unique(np.concatenate([one * count + other, other * count + one])), count)
    bounds = np.searchsorted(known.segment[order], np.stack([one, one + 1]))
    pair, place = pair_with_runs(np.arange(len(one)), *bounds)
    segment, crossing = other[pair], known.point[order[place]] - vertices
    ax, ay = segments.ax[segment], segments.ay[segment]
    dx, dy = segments.bx[segment] - ax, segments.by[segment] - ay
    x, y = known.crossings[crossing].T
    squared = dx**2 + dy**2
    share = (dx * (x - ax) + dy * (y - ay)) / squared
    side = dx * (y - ay) - dy * (x - ax)
    on = (share > 0) & (share < 1) & (side**2 <= near[segment] ** 2 * squared)
    stride = vertices + len(known.crossings)
    added, first = np.unique((segment * stride + crossing + vertices)[on], return_index=True)
    (segment, point), share = np.divmod(added, stride), share[on][first]
    new = ~np.isin(added, known.segment * stride + known.point)
    return replace(
        known,
        segment=np.concatenate([known.segment, segment[new]]),
        point=np.concatenate([known.point, point[new]]),
        along=np.concatenate([known.along, share[new]]),
        exact=np.concatenate([known.exact, np.zeros(np.count_nonzero(new), dtype=np.bool_)]),
    )


def _exactly_on(segments: Segments, segment: Ints, x: Floats, y: Floats) -> Flags:
    """Return which points are certainly, exactly, on the lines through segments.

    The cross product is evaluated without rounding (two-sums and two-products), if the differences are exact.

    References
    ----------
    J. R. Shewchuk, "Adaptive precision floating-point arithmetic and fast robust geometric predicates",
    Discrete & Computational Geometry 18 (1997).
    """
    ax, ay = segments.ax[segment], segments.ay[segment]
    across, lost_across = difference(segments.bx[segment], ax)
    up, lost_up = difference(segments.by[segment], ay)
    right, lost_right = difference(x, ax)
    over, lost_over = difference(y, ay)
    one, lost_one = product(across, over)
    other, lost_other = product(up, right)
    exact = (lost_across == 0) & (lost_up == 0) & (lost_right == 0) & (lost_over == 0)
    return np.asarray(exact & (one == other) & (lost_one == lost_other))
