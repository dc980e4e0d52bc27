"""Detect outlines that certainly do not cross themselves, in less time than GEOS takes to validate them.

Seen from a point inside, the points of a star-shaped outline turn once around, always in the same direction:
it cannot cross itself. Most outlines that people draw around an object are like that, seen from the centre of
their box, except for a few steps back where the hand trembled. A step back is harmless if the stretch around
it stays in its own sector and does not cross itself.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import positions_of, runs_of_equal

#: Points that are examined at once: few enough for the processor's cache.
_POINTS_AT_ONCE = 32_000

#: Cross products of points have smaller rounding errors than this fraction of the area of their box.
_ROUNDING = 1e-13

#: What underflow may add to these errors.
_UNDERFLOW = 1e-300

#: A stretch begins so many steps before a step back, and ends so many steps after it.
_MARGIN = 3

#: Outlines with a longer stretch, in steps, are not examined further.
_LONGEST_STRETCH = 24

#: Outlines that are above and below their centre more often are not examined further.
_MOST_CHANGES = 6


@dataclass(frozen=True)
class _Outlines:
    """Outlines, and how they turn around the centres of their boxes.

    Attributes
    ----------
    x, y : (m,) float64
        The points of all outlines.
    offsets : (n + 1,) int64
        The points of each outline.
    centre_x, centre_y : (n,) float64
    certain : (n,) float64
        Larger than the rounding error of any cross product of its points.
    direction : (n,) float64
        1 for outlines that turn counterclockwise, mainly or always, and -1 for the others.
    changes : (n,) int64
        How often an outline passes from above its centre to below it, or back.
    """

    x: Floats
    y: Floats
    offsets: Ints
    centre_x: Floats
    centre_y: Floats
    certain: Floats
    direction: Floats
    changes: Ints


@dataclass(frozen=True)
class _Stretches:
    """Stretches of outlines: the number of the outline, and the first and the last point."""

    outline: Ints
    first: Ints
    last: Ints


def are_simple(x: Floats, y: Floats, offsets: Ints, boxes: Floats) -> Flags:
    """Return which outlines are certainly simple, and so valid polygons.

    Parameters
    ----------
    x, y : ndarray of float64, shape (m,)
        Finite. The last point of an outline may repeat its first.
    offsets : ndarray of int64, shape (n + 1,)
        Outline i consists of the points from `offsets[i]` to `offsets[i + 1] - 1`, at least three.
    boxes : ndarray of float64, shape (4, n)
        The least x and y and the largest x and y of each outline.

    Returns
    -------
    ndarray of bool, shape (n,)
        False for some simple outlines too: those with repeated points, or with long stretches that are hidden
        from the centre of their box.
    """
    left, low, right, high = boxes
    n = len(offsets) - 1
    certain = _ROUNDING * (right - left) * (high - low) + _UNDERFLOW
    outlines = _Outlines(
        x, y, offsets, (left + right) / 2, (low + high) / 2, certain, np.empty(n), np.empty(n, np.int64)
    )
    back = [
        _steps_back(outlines, first, end)
        for first, end in pairwise(runs_of_equal(offsets[:-1] // _POINTS_AT_ONCE))
    ]
    return _turn_once(outlines, np.concatenate([offsets[:0], *back]))


def _steps_back(outlines: _Outlines, first: int, end: int) -> Ints:
    """Fill in `direction` and `changes` of some outlines, and return the points from which steps lead back.

    Steps that may lead back by rounding are included.
    """
    offsets = outlines.offsets[first : end + 1]
    points = slice(offsets[0], offsets[-1])
    counts, begins, ends = np.diff(offsets), offsets[:-1] - offsets[0], offsets[1:] - 1 - offsets[0]
    x = outlines.x[points] - np.repeat(outlines.centre_x[first:end], counts)
    y = outlines.y[points] - np.repeat(outlines.centre_y[first:end], counts)
    # Positive if the next point is further counterclockwise.
    turns = np.empty(len(x))
    turns[:-1] = x[:-1] * y[1:] - y[:-1] * x[1:]
    turns[ends] = x[ends] * y[begins] - y[ends] * x[begins]
    repeats = ends[(x[ends] == x[begins]) & (y[ends] == y[begins])]
    turns[repeats] = turns[repeats - 1]
    clockwise = np.add.reduceat(turns, begins) < 0
    outlines.direction[first:end] = np.where(clockwise, -1.0, 1.0)
    upper = y >= 0
    changes = np.empty(len(x), dtype=np.bool_)
    np.not_equal(upper[1:], upper[:-1], out=changes[:-1])
    changes[ends] = upper[ends] != upper[begins]
    outlines.changes[first:end] = np.add.reduceat(changes, begins, dtype=np.int64)
    turns *= np.repeat(outlines.direction[first:end], counts)
    back: Ints = offsets[0] + np.flatnonzero(turns <= np.repeat(outlines.certain[first:end], counts))
    return back


def _turn_once(outlines: _Outlines, back: Ints) -> Flags:
    """Return which outlines turn once around their centre, except for harmless steps back."""
    # Each step turns by less than half a circle, so turning once is being above and below the centre once.
    owner = np.searchsorted(outlines.offsets, back, side="right") - 1
    n_back = np.bincount(owner, minlength=len(outlines.changes))
    simple = (n_back == 0) & (outlines.changes == 2)
    candidates = (n_back > 0) & (outlines.changes <= _MOST_CHANGES)
    candidates &= n_back * _LONGEST_STRETCH <= 2 * np.diff(outlines.offsets)
    # A stretch across the start of an outline is not examined.
    near = (back - _MARGIN < outlines.offsets[owner]) | (back + _MARGIN + 1 >= outlines.offsets[owner + 1])
    candidates[owner[near]] = False
    back, owner = back[candidates[owner]], owner[candidates[owner]]
    if len(back):
        apart = (np.diff(back) > 2 * _MARGIN) | (np.diff(owner) > 0)
        starts, ends = np.append(True, apart), np.append(apart, True)
        stretches = _Stretches(owner[starts], back[starts] - _MARGIN, back[ends] + 1 + _MARGIN)
        candidates[owner[starts][stretches.last - stretches.first > _LONGEST_STRETCH]] = False
        stretches = _of(stretches, candidates)
        candidates &= _stay_in_sectors(outlines, stretches)
        stretches = _of(stretches, candidates)
        candidates[stretches.outline[_may_touch_themselves(outlines, stretches)]] = False
    return np.asarray(simple | candidates)


def _of(stretches: _Stretches, selected: Flags) -> _Stretches:
    """Return the stretches of the selected outlines."""
    keep = selected[stretches.outline]
    return _Stretches(stretches.outline[keep], stretches.first[keep], stretches.last[keep])


def _stay_in_sectors(outlines: _Outlines, stretches: _Stretches) -> Flags:
    """Return which outlines turn once around if each stretch is one step, and stay between its ends."""
    outline, first, last = stretches.outline, stretches.first, stretches.last
    inside = np.ones(len(outlines.changes), dtype=np.bool_)
    inner = last - first - 1
    middle, stretch = positions_of(first + 1, inner), np.repeat(np.arange(len(first)), inner)
    owner = outline[stretch]
    inside[owner[~_is_ahead(outlines, owner, first[stretch], middle)]] = False
    inside[owner[~_is_ahead(outlines, owner, middle, last[stretch])]] = False
    inside[outline[~_is_ahead(outlines, outline, first, last)]] = False
    owner, step = np.repeat(outline, inner + 1), positions_of(first, inner + 1)
    changed = _is_upper(outlines, owner, step) != _is_upper(outlines, owner, step + 1)
    changes_inside = np.bincount(owner[changed], minlength=len(inside))
    changed = _is_upper(outlines, outline, first) != _is_upper(outlines, outline, last)
    changes_across = np.bincount(outline[changed], minlength=len(inside))
    return np.asarray(inside & (outlines.changes - changes_inside + changes_across == 2))


def _may_touch_themselves(outlines: _Outlines, stretches: _Stretches) -> Flags:
    """Return which stretches may cross or touch themselves."""
    x, y, first = outlines.x, outlines.y, stretches.first
    touching = np.zeros(len(first), dtype=np.bool_)
    for gap in range(1, int(np.max(stretches.last - first, initial=0))):
        steps = np.maximum(stretches.last - first - gap, 0)
        one, stretch = positions_of(first, steps), np.repeat(np.arange(len(first)), steps)
        other, certain = one + gap, outlines.certain[stretches.outline[stretch]]
        if gap == 1:  # they share a point, and touch elsewhere only if the second turns back
            ahead = (x[other] - x[one]) * (x[other + 1] - x[other])
            ahead += (y[other] - y[one]) * (y[other + 1] - y[other])
            separate = (ahead > certain) | (np.abs(_side(x, y, one, other + 1)) > certain)
        else:
            separate = _is_beside(x, y, one, other, certain) | _is_beside(x, y, other, one, certain)
        touching[stretch[~separate]] = True
    return touching


def _is_ahead(outlines: _Outlines, outline: Ints, one: Ints, other: Ints) -> Flags:
    """Return whether a point is certainly ahead of another, by less than half a circle."""
    x, y = outlines.centre_x[outline], outlines.centre_y[outline]
    turn = (outlines.x[one] - x) * (outlines.y[other] - y) - (outlines.y[one] - y) * (outlines.x[other] - x)
    return np.asarray(turn * outlines.direction[outline] > outlines.certain[outline])


def _is_upper(outlines: _Outlines, outline: Ints, point: Ints) -> Flags:
    return np.asarray(outlines.y[point] - outlines.centre_y[outline] >= 0)


def _is_beside(x: Floats, y: Floats, step: Ints, other: Ints, certain: Floats) -> Flags:
    """Return whether a step is certainly on one side of the line through another."""
    begin, end = _side(x, y, step, other), _side(x, y, step, other + 1)
    return np.asarray((np.minimum(begin, end) > certain) | (np.maximum(begin, end) < -certain))


def _side(x: Floats, y: Floats, step: Ints, point: Ints) -> Floats:
    """Return on which side of the line through a step a point is: positive on the left."""
    along_x, along_y = x[step + 1] - x[step], y[step + 1] - y[step]
    return np.asarray(along_x * (y[point] - y[step]) - along_y * (x[point] - x[step]))
