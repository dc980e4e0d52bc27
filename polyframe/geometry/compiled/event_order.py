"""Sort the events along every segment, and identify events at the same point (compiled).

Events are numbered as in `arcs`: 2 i and 2 i + 1 are those of crossing i, then come touches, then vertices.
The site of an event is its crossing, or the event itself if it is not one of a crossing. Sites at the same
point are joined in a disjoint-set forest.
"""

import numpy as np

from polyframe.core.arrays import Flags, Floats, Ints, ShortInts
from polyframe.geometry.compiled.numba_jit import compiled, compiled_inner
from polyframe.geometry.compiled.predicates import compare_along, compare_perturbed

#: Runs of more events than this are sorted roughly before the exact comparisons.
_SHORT_RUN = 24

#: The sign of a comparison that is not certain.
_UNKNOWN = 2


def sort_events(
    edges: Floats,
    mark_of: ShortInts,
    segment: ShortInts,
    fractions: Floats,
    touches: ShortInts,
    low: int,
    high: int,
) -> tuple[ShortInts, ShortInts, ShortInts, Flags, Flags]:
    """Sort the events along some segments.

    Parameters
    ----------
    edges : ndarray of float64, shape (v, 4)
    mark_of : ndarray of int32, shape (v,)
        The mark of each segment.
    segment : ndarray of int32, shape (e,)
        The segment of each event.
    fractions : ndarray of float64, shape (n, 4)
        See `crossing_points.place_crossings`.
    touches : ndarray of int32, shape (m, 2)
    low, high : int
        Only events along the segments `low` to `high` - 1 are sorted.

    Returns
    -------
    place : ndarray of int32, shape (v + 1,)
        The sorted events of segment i are `order[place[i]:place[i + 1]]`.
    order : ndarray of int32, shape (e,)
    same : ndarray of int32, shape (e - n,)
        The disjoint-set forest of sites at the same point.
    joined : ndarray of bool, shape (e - n,)
        Whether a site was joined to another one.
    uncertain : ndarray of bool, shape (v,)
        Whether the order along a segment is not certain.
    """
    place, order = np.zeros(len(edges) + 2, np.int32), np.empty(len(segment), np.int32)
    crossings = len(fractions)
    longest = _group(segment, place, order, low, high)
    same = np.arange(len(segment) - crossings, dtype=np.int32)
    joined, uncertain = np.zeros(len(same), np.bool_), np.zeros(len(edges), np.bool_)
    numbers, ranks, lines = np.empty((3, longest)), np.empty((3, longest), np.int32), np.empty((3, 4))
    _sort(
        edges,
        mark_of,
        segment,
        fractions,
        touches,
        place,
        order,
        same,
        joined,
        uncertain,
        numbers,
        ranks,
        lines,
        low,
        high,
    )
    return place[:-1], order, same, joined, uncertain


@compiled
def _group(segment: ShortInts, place: ShortInts, order: ShortInts, low: int, high: int) -> int:
    """Sort the events of some segments by segment, stable, and return the largest number for a segment."""
    longest = 0
    for e in range(len(segment)):
        if low <= segment[e] < high:
            place[segment[e] + 2] += 1
    for s in range(low + 2, high + 1):
        longest = max(longest, int(place[s]))
        place[s] += place[s - 1]
    longest = max(longest, int(place[high + 1]))
    for e in range(len(segment)):
        if low <= segment[e] < high:
            order[place[segment[e] + 1]] = e
            place[segment[e] + 1] += 1
    return longest


@compiled
def _sort(
    edges: Floats,
    mark_of: ShortInts,
    segment: ShortInts,
    fractions: Floats,
    touches: ShortInts,
    place: ShortInts,
    order: ShortInts,
    same: ShortInts,
    joined: Flags,
    uncertain: Flags,
    numbers: Floats,
    ranks: ShortInts,
    lines: Floats,
    low: int,
    high: int,
) -> None:
    crossings = len(fractions)
    for s in range(low, high):
        begin, count = place[s], place[s + 1] - place[s]
        if count < 2:
            continue
        for i in range(count):
            e = order[begin + i]
            if e < 2 * crossings:
                numbers[0, i], numbers[1, i] = fractions[e // 2, e % 2], fractions[e // 2, 2 + e % 2]
            elif e < 2 * crossings + len(touches):
                vertex = touches[e - 2 * crossings, 1]
                # Along the longer side of the segment's box.
                axis = 0 if abs(edges[s, 2] - edges[s, 0]) >= abs(edges[s, 3] - edges[s, 1]) else 1
                start = edges[s, axis]
                numbers[0, i] = (edges[vertex, axis] - start) / (edges[s, axis + 2] - start)
                numbers[1, i] = 1e-15
            else:
                numbers[0, i], numbers[1, i] = 0.0, 0.0
        if count > _SHORT_RUN:
            if not _distribute(numbers, ranks, count):
                _merge_sort(numbers, ranks, count)
            for row in range(2):
                for i in range(count):
                    numbers[2, i] = numbers[row, i]
                for i in range(count):
                    numbers[row, i] = numbers[2, ranks[0, i]]
            for i in range(count):
                ranks[1, i] = order[begin + i]
            for i in range(count):
                order[begin + i] = ranks[1, ranks[0, i]]
        for i in range(1, count):
            e, along, error = order[begin + i], numbers[0, i], numbers[1, i]
            j = i
            while j > 0:
                f = order[begin + j - 1]
                gap = along - numbers[0, j - 1]
                if abs(gap) > error + numbers[1, j - 1]:
                    if gap > 0.0:
                        break
                else:
                    sign, tie = _compare(e, f, s, edges, mark_of, segment, crossings, touches, lines)
                    if tie:
                        one, other = site_of(e, crossings), site_of(f, crossings)
                        joined[one] = joined[other] = True
                        one, other = find_root(same, one), find_root(same, other)
                        same[max(one, other)] = min(one, other)
                    if sign == _UNKNOWN:
                        uncertain[s] = True
                    if sign >= 0:
                        break
                order[begin + j], numbers[0, j], numbers[1, j] = f, numbers[0, j - 1], numbers[1, j - 1]
                j -= 1
            order[begin + j], numbers[0, j], numbers[1, j] = e, along, error


@compiled_inner
def _distribute(keys: Floats, ranks: ShortInts, count: int) -> bool:
    """Fill the first row of ranks with an order in which only keys of one bucket may be out of order, stable.

    The keys are fractions of a segment, and there are as many buckets as keys. Returns False if one of them
    is full.
    """
    for b in range(count):
        ranks[1, b] = 0
    for i in range(count):
        b = min(max(int(keys[0, i] * count), 0), count - 1)
        ranks[2, i] = b
        ranks[1, b] += 1
    end = 0
    for b in range(count):
        if ranks[1, b] > _SHORT_RUN:
            return False
        end += ranks[1, b]
        ranks[1, b] = end
    for k in range(1, count + 1):
        b = ranks[2, count - k]
        ranks[1, b] -= 1
        ranks[0, ranks[1, b]] = count - k
    return True


@compiled_inner
def _merge_sort(keys: Floats, ranks: ShortInts, count: int) -> None:
    """Fill the first row of ranks with the order that sorts the first row of keys, stable.

    NumPy's sorts take seconds to compile.
    """
    for i in range(count):
        ranks[0, i] = i
    width, row = 1, 0
    while width < count:
        for begin in range(0, count, 2 * width):
            middle, stop = min(begin + width, count), min(begin + 2 * width, count)
            i, j = begin, middle
            for k in range(begin, stop):
                if i < middle and (j >= stop or keys[0, ranks[row, i]] <= keys[0, ranks[row, j]]):
                    ranks[1 - row, k] = ranks[row, i]
                    i += 1
                else:
                    ranks[1 - row, k] = ranks[row, j]
                    j += 1
        row = 1 - row
        width *= 2
    if row == 1:
        for i in range(count):
            ranks[0, i] = ranks[1, i]


@compiled_inner
def _compare(
    e: int,
    f: int,
    s: int,
    edges: Floats,
    mark_of: ShortInts,
    segment: ShortInts,
    crossings: int,
    touches: ShortInts,
    lines: Floats,
) -> tuple[int, bool]:
    """Compare two events of a segment exactly.

    Returns the sign, which is `_UNKNOWN` if it is not certain, and whether their points are the same. Touches
    and vertices come before crossings at the same point.
    """
    for i in range(4):
        lines[0, i] = edges[s, i]
    j = _line_through(e, s, edges, mark_of, segment, crossings, touches, lines[1])
    k = _line_through(f, s, edges, mark_of, segment, crossings, touches, lines[2])
    sign = compare_along(lines)
    if sign != 0:
        return sign, False
    if j < 0 or k < 0:
        return (1 if j >= 0 else 0) - (1 if k >= 0 else 0), True
    sign = compare_perturbed(lines, mark_of[s], j, k)
    return sign if sign != 0 else _UNKNOWN, True


@compiled_inner
def _line_through(
    e: int,
    s: int,
    edges: Floats,
    mark_of: ShortInts,
    segment: ShortInts,
    crossings: int,
    touches: ShortInts,
    line: Floats,
) -> int:
    """Set a line that crosses segment s at an event, as two points, and return its mark or -1."""
    if e < 2 * crossings:
        t = segment[e ^ 1]
        for i in range(4):
            line[i] = edges[t, i]
        return int(mark_of[t])
    vertex = touches[e - 2 * crossings, 1] if e < 2 * crossings + len(touches) else s
    px, py = edges[vertex, 0], edges[vertex, 1]
    # Any other end of the line will do that is far enough not to be rounded to the same point.
    far = 1.0 + abs(px) + abs(py)
    line[0], line[1] = px, py
    if abs(edges[s, 2] - edges[s, 0]) >= abs(edges[s, 3] - edges[s, 1]):
        line[2], line[3] = px, py + far
    else:
        line[2], line[3] = px + far, py
    return -1


@compiled_inner
def site_of(e: int, crossings: int) -> int:
    """Return the number of an event's site: one for both events of a crossing."""
    return e // 2 if e < 2 * crossings else e - crossings


@compiled_inner
def find_root(same: ShortInts, site: int) -> int:
    """Return the root of a site, equal for sites at the same point."""
    while same[site] != site:
        same[site] = same[same[site]]
        site = int(same[site])
    return site


def roots_of(same: ShortInts, sites: Ints) -> Ints:
    """Return the root of some sites, equal for sites at the same point."""
    roots = same[sites]
    while True:
        above = same[roots]
        if np.array_equal(above, roots):
            return roots.astype(np.int64)
        roots = above
