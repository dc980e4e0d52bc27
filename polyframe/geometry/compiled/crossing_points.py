"""Compute the points of crossings, and how far along both segments they are (compiled)."""

from polyframe.core.arrays import Flags, Floats, ShortInts
from polyframe.geometry.compiled.numba_jit import compiled, compiled_inner
from polyframe.geometry.compiled.predicates import CROSS_ERROR, cross, exact_cross

#: The place of a crossing is computed exactly if its rounding error could be more than one part in this many.
NEARLY_PARALLEL = 1e8

#: At crossings with a smaller angle (radians), or between crossings nearer to each other than rounding moves
#: them, divided by this, rounding may make a contour cross itself.
SHARP = 1e-5


@compiled
def place_crossings(
    edges: Floats,
    segments: ShortInts,
    points: Floats,
    fractions: Floats,
    at_vertex: Flags,
    close: Floats,
    has_close: Flags,
) -> None:
    """Compute the points of all crossings.

    Parameters
    ----------
    edges, segments
        See `Outlines` and `Crossings`; there are n crossings.
    points : ndarray of float64, shape (n or more, 2)
        Filled with their coordinates.
    fractions : ndarray of float64, shape (n, 4)
        Filled with how far along both segments they are, and the error bounds of these fractions.
    at_vertex : ndarray of bool, shape (n or more,)
        Set to whether a crossing is at a vertex, so that its coordinates are exact.
    close : ndarray of float64, shape (v,)
        Distances that are close to the ends of each segment.
    has_close : ndarray of bool, shape (v,)
        Set to True for segments with a crossing that is not at an end but close to it, or at a sharp angle.
    """
    for i in range(len(segments) // 2):
        s, t = segments[2 * i], segments[2 * i + 1]
        along, across, error_along, error_across, px, py, exact, is_sharp = _place(edges, s, t)
        fractions[i, 0], fractions[i, 1], fractions[i, 2], fractions[i, 3] = (
            along,
            across,
            error_along,
            error_across,
        )
        points[i, 0], points[i, 1], at_vertex[i] = px, py, exact
        if exact:
            continue
        for k in range(2 * i, 2 * i + 2):
            s = segments[k]
            has_close[s] = has_close[s] or is_sharp
            for end in range(0, 4, 2):
                if abs(px - edges[s, end]) <= close[s] and abs(py - edges[s, end + 1]) <= close[s]:
                    has_close[s] = True


@compiled_inner
def _place(edges: Floats, s: int, t: int) -> tuple[float, float, float, float, float, float, bool, bool]:
    """Compute where two segments cross.

    Returns the fractions along both segments, their error bounds, x and y, whether that is at a vertex, and
    whether the angle is sharp.
    """
    ax, ay, bx, by = edges[s, 0], edges[s, 1], edges[s, 2], edges[s, 3]
    cx, cy, dx, dy = edges[t, 0], edges[t, 1], edges[t, 2], edges[t, 3]
    o1, o2, o3, o4, error = distances_from_lines(edges, s, t)
    along, across = o3 / (o3 - o4), o1 / (o1 - o2)
    error_along, error_across = 2.0 * error / abs(o3 - o4) + 1e-15, 2.0 * error / abs(o1 - o2) + 1e-15
    one, other = abs(bx - ax) + abs(by - ay), abs(dx - cx) + abs(dy - cy)
    # From the nearer end of the shorter segment; points on vertical and horizontal segments are exactly on
    # them.
    if one <= other:
        x, y = _between(ax, bx, o3, o4), _between(ay, by, o3, o4)
    else:
        x, y = _between(cx, dx, o1, o2), _between(cy, dy, o1, o2)
    if ax == bx or cx == dx:
        x = ax if ax == bx else cx
    if ay == by or cy == dy:
        y = ay if ay == by else cy
    at_vertex = True
    if o1 == 0.0:
        x, y = cx, cy
    elif o2 == 0.0:
        x, y = dx, dy
    elif o3 == 0.0:
        x, y = ax, ay
    elif o4 == 0.0:
        x, y = bx, by
    else:
        at_vertex = False
    is_sharp = abs(o3 - o4) <= SHARP * one * other
    return along, across, error_along, error_across, x, y, at_vertex, is_sharp


@compiled_inner
def _between(begin: float, end: float, from_begin: float, from_end: float) -> float:
    """Return the coordinate between two others at these signed, opposite distances from them."""
    whole = from_begin - from_end
    if abs(from_begin) <= abs(from_end):
        return begin + from_begin / whole * (end - begin)
    return end + from_end / whole * (end - begin)


@compiled_inner
def distances_from_lines(edges: Floats, s: int, t: int) -> tuple[float, float, float, float, float]:
    """Return how far the ends of two segments are from each other's line, times the length of the segment.

    The ends of t come first, then those of s; last an error bound of all.
    """
    ax, ay, bx, by = edges[s, 0], edges[s, 1], edges[s, 2], edges[s, 3]
    cx, cy, dx, dy = edges[t, 0], edges[t, 1], edges[t, 2], edges[t, 3]
    o1, o2 = cross(ax, ay, bx, by, ax, ay, cx, cy), cross(ax, ay, bx, by, ax, ay, dx, dy)
    o3, o4 = cross(cx, cy, dx, dy, cx, cy, ax, ay), cross(cx, cy, dx, dy, cx, cy, bx, by)
    one, other = abs(bx - ax) + abs(by - ay), abs(dx - cx) + abs(dy - cy)
    error = 2.0 * CROSS_ERROR * (one + other) * max(one, other)
    if min(abs(o3 - o4), abs(o1 - o2)) < NEARLY_PARALLEL * error:
        o1, o2 = exact_cross(ax, ay, bx, by, ax, ay, cx, cy), exact_cross(ax, ay, bx, by, ax, ay, dx, dy)
        o3, o4 = exact_cross(cx, cy, dx, dy, cx, cy, ax, ay), exact_cross(cx, cy, dx, dy, cx, cy, bx, by)
        error = 0.0
    return o1, o2, o3, o4, error
