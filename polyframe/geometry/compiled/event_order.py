"""Sort the events along a segment, and identify events at the same point (compiled).

Events are numbered as in `arcs`: 2 i and 2 i + 1 are those of crossing i, then come touches, then vertices.
The site of an event is its crossing, or the event itself if it is not one of a crossing. Sites at the same
point are joined in a disjoint-set forest.
"""

import numpy as np

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.geometry.compiled.crossings import Crossings
from polyframe.geometry.compiled.numba_jit import compiled_inner
from polyframe.geometry.compiled.outlines import Outlines
from polyframe.geometry.compiled.predicates import compare_along, compare_perturbed


@compiled_inner
def ascending(keys: Floats) -> Ints:
    """Return the order that sorts numbers, stable.

    A merge sort, because NumPy's sorts take seconds to compile.

    Parameters
    ----------
    keys : ndarray of float64, shape (n,)

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    count = len(keys)
    order, other = np.empty(count, np.int64), np.empty(count, np.int64)
    for i in range(count):
        order[i] = i
    width = 1
    while width < count:
        for begin in range(0, count, 2 * width):
            middle, stop = min(begin + width, count), min(begin + 2 * width, count)
            i, j = begin, middle
            for k in range(begin, stop):
                if i < middle and (j >= stop or keys[order[i]] <= keys[order[j]]):
                    other[k] = order[i]
                    i += 1
                else:
                    other[k] = order[j]
                    j += 1
        order, other = other, order
        width *= 2
    return order


@compiled_inner
def sort_along(
    run: Ints,
    s: int,
    outlines: Outlines,
    crossings: Crossings,
    along: Floats,
    error: Floats,
    same: Ints,
) -> tuple[bool, bool]:
    """Sort the events of one segment in place, and join those at the same point.

    Returns whether the order is certain, and whether there are events at the same point.
    """
    if len(run) > 24:
        keys, unsorted = np.empty(len(run)), np.empty(len(run), np.int64)
        for i in range(len(run)):
            keys[i], unsorted[i] = along[run[i]], run[i]
        order = ascending(keys)
        for i in range(len(run)):
            run[i] = unsorted[order[i]]
    certain, ties = True, False
    for i in range(1, len(run)):
        e = run[i]
        j = i
        while j > 0:
            f = run[j - 1]
            gap = along[e] - along[f]
            if abs(gap) > error[e] + error[f]:
                if gap > 0.0:
                    break
            else:
                sign, tie, known = _compare(e, f, s, outlines, crossings)
                certain = certain and known
                if tie:
                    ties = True
                    _join(same, _site(e, len(crossings.segments)), _site(f, len(crossings.segments)))
                if sign >= 0:
                    break
            run[j] = f
            j -= 1
        run[j] = e
    return certain, ties


@compiled_inner
def _compare(e: int, f: int, s: int, outlines: Outlines, crossings: Crossings) -> tuple[int, bool, bool]:
    """Compare two events of a segment exactly.

    Returns the sign, whether their points are the same, and whether the sign is certain. Touches and vertices
    come before crossings at the same point.
    """
    line = np.array([outlines.x[s], outlines.y[s], outlines.end_x[s], outlines.end_y[s]])
    one, j = _line_through(e, s, outlines, crossings)
    other, k = _line_through(f, s, outlines, crossings)
    sign = compare_along(line, one, other)
    if sign != 0:
        return sign, False, True
    if j < 0 or k < 0:
        return (1 if j >= 0 else 0) - (1 if k >= 0 else 0), True, True
    sign = compare_perturbed(line, one, other, (outlines.mark[outlines.ring[s]], j, k))
    return sign, True, sign != 0


@compiled_inner
def _line_through(e: int, s: int, outlines: Outlines, crossings: Crossings) -> tuple[Floats, int]:
    """Return a line that crosses segment s at an event, as two points, and its mark or -1."""
    n, m = len(crossings.segments), len(crossings.touches)
    if e < 2 * n:
        t = crossings.segments[e // 2, 1 - e % 2]
        line = np.array([outlines.x[t], outlines.y[t], outlines.end_x[t], outlines.end_y[t]])
        return line, outlines.mark[outlines.ring[t]]
    vertex = crossings.touches[e - 2 * n, 1] if e < 2 * n + m else s
    px, py = outlines.x[vertex], outlines.y[vertex]
    # Any other end of the line will do that is far enough not to be rounded to the same point.
    far = 1.0 + abs(px) + abs(py)
    if abs(outlines.end_x[s] - outlines.x[s]) >= abs(outlines.end_y[s] - outlines.y[s]):
        return np.array([px, py, px, py + far]), -1
    return np.array([px, py, px + far, py]), -1


@compiled_inner
def are_same(e: int, f: int, same: Ints, crossings: int) -> bool:
    """Return whether two events are known to be at the same point."""
    return _root(same, _site(e, crossings)) == _root(same, _site(f, crossings))


@compiled_inner
def settle_points(same: Ints, crossings: int, is_exact: Flags, points: Floats) -> None:
    """Give events at the same point the same coordinates: those of a vertex, or of the leftmost event."""
    chosen = np.full(len(same), -1, np.int64)
    for e in range(len(points)):
        root = _root(same, _site(e, crossings))
        best = chosen[root]
        if best < 0 or (not is_exact[e], points[e, 0], points[e, 1]) < (
            not is_exact[best],
            points[best, 0],
            points[best, 1],
        ):
            chosen[root] = e
    for e in range(len(points)):
        source = chosen[_root(same, _site(e, crossings))]
        points[e, 0], points[e, 1] = points[source, 0], points[source, 1]


@compiled_inner
def number_nodes(same: Ints, crossings: int, is_exact: Flags, points: Floats, node: Ints) -> int:
    """Number the points at which ties were broken.

    Vertices are exact, so those with the same coordinates are joined here: their events need not be on a
    common segment along which they were compared.
    """
    members, exact = np.zeros(len(same), np.int64), np.zeros(len(same), np.bool_)
    for site in range(len(same)):
        members[_root(same, site)] += 1
    for e in range(len(points)):
        if is_exact[e]:
            exact[_root(same, _site(e, crossings))] = True
    picked, k = np.empty(len(points), np.int64), 0
    for e in range(len(points)):
        root = _root(same, _site(e, crossings))
        if exact[root] or members[root] > 1:
            picked[k] = e
            k += 1
    for axis in (1, 0):
        keys, unsorted = np.empty(k), picked.copy()
        for i in range(k):
            keys[i] = points[unsorted[i], axis]
        order = ascending(keys)
        for i in range(k):
            picked[i] = unsorted[order[i]]
    last = -1
    for i in range(k):
        e = picked[i]
        root = _root(same, _site(e, crossings))
        if not exact[root]:
            continue
        if last >= 0 and points[e, 0] == points[last, 0] and points[e, 1] == points[last, 1]:
            other = _root(same, _site(last, crossings))
            _join(same, root, other)
            exact[_root(same, root)] = True
        last = e

    number, nodes = np.full(len(same), -1, np.int64), 0
    for i in range(k):
        root = _root(same, _site(picked[i], crossings))
        if number[root] < 0:
            number[root] = nodes
            nodes += 1
        node[picked[i]] = number[root]
    return nodes


@compiled_inner
def _site(e: int, crossings: int) -> int:
    """Return the number of an event's site: one for both events of a crossing."""
    return e // 2 if e < 2 * crossings else e - crossings


@compiled_inner
def _root(same: Ints, site: int) -> int:
    while same[site] != site:
        same[site] = same[same[site]]
        site = same[site]
    return site


@compiled_inner
def _join(same: Ints, one: int, other: int) -> None:
    one, other = _root(same, one), _root(same, other)
    same[max(one, other)] = min(one, other)
