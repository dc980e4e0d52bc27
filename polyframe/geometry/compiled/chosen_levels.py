"""Walk some levels of one enormous cluster, a few at a time.

The results are those of `depth_walk`, to the last bit. The areas of all levels are not known here, so that
they cannot be added up. Instead both outlines of every crossing must give it the same depth, each arc must
end at the depth at which it begins, and no level may be larger than the one before.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import runs_of_equal
from polyframe.geometry.compiled.arcs import cut_into_arcs
from polyframe.geometry.compiled.degeneracies import resolve_contacts
from polyframe.geometry.compiled.level_curves import largest_parts, trace_curves
from polyframe.geometry.compiled.level_events import LevelEvents, find_level_events
from polyframe.geometry.compiled.outlines import Outlines
from polyframe.geometry.compiled.rings import write_curves
from polyframe.geometry.level_rings import (
    LevelRings,
    concatenate_clusters,
    select_rings,
    with_valid_rings,
)
from polyframe.geometry.level_selection import evenly_spaced_levels

#: Crossings of levels that are traced together, about 250 bytes each.
_TRACED = 1 << 20

#: So many of the highest levels are traced to find the first one that is not larger than a rounding error,
#: and if all are, the next time so many times more.
_TOP = 4


@dataclass(frozen=True)
class _Traced:
    """Some levels of a cluster, ascending.

    Attributes
    ----------
    rings : LevelRings
        Those that are written.
    levels : ndarray of int64, shape (k,)
        All that have an outline.
    is_empty : ndarray of bool, shape (k,)
        Whether a ring is not larger than what rounding can cause.
    has_holes : ndarray of bool, shape (k,)
        Whether a level may have holes.
    region : ndarray of float64, shape (k,)
        The area of the whole level, not only of its largest part.
    """

    rings: LevelRings
    levels: Ints
    is_empty: Flags
    has_holes: Flags
    region: Floats


def walk_chosen_levels(
    outlines: Outlines, marks: int, most: int, expected: int
) -> tuple[LevelRings, bool] | None:
    """Return `most` evenly spaced levels of a single cluster, or all if it has fewer.

    Parameters
    ----------
    outlines : Outlines
    marks : int
    most : int
        See `level_selection.evenly_spaced_levels`.
    expected : int
        How many levels the cluster has, probably. If that is wrong, all crossings are searched again.

    Returns
    -------
    rings : LevelRings
    may_have_holes : bool
        Whether a level may have holes.

    Or None if a check failed.
    """
    available, is_known, top = expected, False, _TOP
    while True:
        written = evenly_spaced_levels([available], most)[0]
        levels = np.union1d(written, np.arange(max(available - top, 0), available) + 1)
        events = find_level_events(outlines, marks, levels)
        if not events.sound:
            return None
        if not is_known and events.highest != available:
            available, is_known = events.highest, True
            continue
        parts = _trace(outlines, events, marks, levels, written)
        if parts is None:
            return None
        # Only contacts, or a rounding error.
        empty = ~np.isin(levels, np.concatenate([part.levels[~part.is_empty] for part in parts]))
        if not np.any(empty):
            break
        # Levels before it that were not traced may be empty as well.
        available, is_known, top = int(levels[np.argmax(empty)]) - 1, True, top * _TOP
        if available < 1:
            return None
    del events  # as large as all rings, which are copied now
    together = concatenate_clusters([part.rings for part in parts])
    rings = replace(together, offsets=together.offsets[[0, -1]], available=np.array([available]))
    return rings, any(bool(np.any(part.has_holes)) for part in parts)


def walk_one_level(outlines: Outlines, marks: int, level: int) -> tuple[LevelRings, bool] | None:
    """Return one level of a single cluster.

    Parameters
    ----------
    outlines : Outlines
    marks : int
    level : int

    Returns
    -------
    rings : LevelRings
        Without a ring if the cluster has no such level.
    may_have_holes : bool

    Or None if a check failed.
    """
    chosen = np.array([level])
    events = find_level_events(outlines, marks, chosen)
    parts = _trace(outlines, events, marks, chosen, chosen) if events.sound else None
    if parts is None:
        return None
    (part,) = parts
    rings = select_rings(part.rings, np.flatnonzero(~part.is_empty))
    return replace(rings, available=np.array([len(rings.areas)])), bool(np.any(part.has_holes))


def _trace(
    outlines: Outlines, events: LevelEvents, marks: int, levels: Ints, written: Ints
) -> list[_Traced] | None:
    """Trace levels, some at a time; None if a check failed."""
    parts: list[_Traced] = []
    for batch in _batches(events, levels):
        traced = _trace_batch(outlines, events, marks, batch)
        if traced is None:
            return None
        # Here, not at the end, since the rings of all levels take hundreds of megabytes.
        chosen = np.flatnonzero(np.isin(traced.levels, written))
        parts.append(replace(traced, rings=select_rings(traced.rings, chosen)))
    region = np.concatenate([part.region for part in parts])
    return None if np.any(region[1:] > region[:-1] + 1e-9 * outlines.area[0]) else parts


def _batches(events: LevelEvents, levels: Ints) -> Iterator[Ints]:
    """Yield levels that are traced together, by the number of their crossings."""
    at_depth = np.bincount(events.depths.crossings, minlength=int(levels[-1]) + 1)
    # A crossing bounds the levels of both depths.
    crossings = at_depth[levels - 1] + np.where(levels > 1, at_depth[levels - 2], 0)
    bounds = runs_of_equal(np.cumsum(crossings) // _TRACED)
    for low, high in itertools.pairwise(bounds.tolist()):
        yield levels[low:high]


def _trace_batch(outlines: Outlines, events: LevelEvents, marks: int, levels: Ints) -> _Traced | None:
    crossings, known = events.of_levels(levels)
    arcs = cut_into_arcs(outlines, crossings, known)
    alive = resolve_contacts(outlines, arcs, np.array([marks]))
    if not arcs.sound[0]:
        return None
    alive &= known.is_chosen[arcs.level]
    curves = trace_curves(outlines, arcs, alive)
    parts = largest_parts(outlines, arcs, curves)
    found = curves.level[parts.curve]
    written = write_curves(
        outlines, arcs, curves.arc[parts.curve], curves.room[parts.curve], measure_only=False
    )
    rings = LevelRings(
        written.x,
        written.y,
        written.offsets,
        written.areas,
        found,
        np.array([0, len(found)]),
        np.array([len(found)]),
    )
    if np.any(written.has_close):
        rings = with_valid_rings(rings, np.flatnonzero(written.has_close))
    return _Traced(
        rings,
        found,
        written.areas - parts.holes <= written.rounding,
        parts.may_have_holes,
        np.bincount(curves.level, weights=curves.area, minlength=marks + 1)[found].astype(np.float64),
    )
