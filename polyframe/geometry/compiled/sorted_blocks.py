"""Sort the events of a block of clusters once, for memberships and for contours (compiled)."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from polyframe.core.arrays import Flags, Floats, Ints, ShortInts
from polyframe.geometry.compiled.crossing_points import place_crossings
from polyframe.geometry.compiled.crossings import CLOSE_STEPS, Crossings, find_crossings
from polyframe.geometry.compiled.event_order import sort_events
from polyframe.geometry.compiled.outlines import Outlines

#: Blocks are kept up to so many crossings and segments, of about 50 bytes each.
_MOST_KEPT = 1 << 20


@dataclass(frozen=True)
class SortedEvents:
    """The events of a block of clusters, see `arcs.Arcs`, sorted along each segment.

    Attributes
    ----------
    segment, points, is_exact, same, joined
        As in `arcs.Arcs`.
    close : ndarray of float64, shape (v,)
        The distances that are close to the ends of each segment.
    is_close : ndarray of bool, shape (v,)
        Whether a segment has a crossing that is close to an end, or sharp, or is near another outline.
    place, order, uncertain
        See `event_order.sort_events`.
    """

    segment: ShortInts
    points: Floats
    is_exact: Flags
    same: ShortInts
    joined: Flags
    close: Floats
    is_close: Flags
    place: ShortInts
    order: ShortInts
    uncertain: Flags

    def crossings_only(self, count: int) -> tuple[ShortInts, ShortInts]:
        """Return `place` and `order` of the events of the crossings; `count` is the number of crossings."""
        if len(self.segment) == 2 * count:
            return self.place, self.order
        is_crossing = self.order < 2 * count
        before = np.zeros(len(is_crossing) + 1, np.int32)
        np.cumsum(is_crossing, out=before[1:])
        return before[self.place], self.order[is_crossing]


@dataclass(frozen=True)
class SortedBlock:
    """A block of clusters: outlines, their crossings, and the events of these."""

    outlines: Outlines
    crossings: Crossings
    events: SortedEvents


@dataclass(frozen=True)
class _Kept:
    members: Ints
    sizes: Ints
    walkable: Flags
    block: SortedBlock


@dataclass
class SharedBlocks:
    """Blocks that are kept for others who need the same, up to a limit of memory."""

    kept: dict[tuple[int, int], _Kept] = field(default_factory=dict)
    room: int = _MOST_KEPT


class GroupedMarks(Protocol):
    """The crossings of groups of marks: `group_crossings.GroupCrossings`."""

    @property
    def blocks(self) -> SharedBlocks:
        """Blocks of clusters of these marks."""

    def among(self, outlines: Outlines, members: Ints) -> Crossings | None:
        """Return the crossings of some clusters; None if they are not known."""


#: The crossings of groups, and the positions of the marks of all clusters in them; None if nothing is known.
Known = tuple[GroupedMarks, Ints] | None


def find_block(known: Known, marks: slice, sizes: Ints, walkable: Flags) -> SortedBlock | None:
    """Return a block of clusters if somebody needed it before and it was kept.

    Parameters
    ----------
    known : tuple of GroupCrossings and ndarray of int64, or None
    marks : slice
        The marks of the block among those of all clusters.
    sizes : ndarray of int64, shape (c,)
        The number of marks of each cluster.
    walkable : ndarray of bool, shape (c,)
        The clusters of which outlines are loaded.
    """
    if known is None:
        return None
    members = known[1][marks]
    kept = known[0].blocks.kept.get(_key(members))
    if kept is None:
        return None
    pairs = ((kept.members, members), (kept.sizes, sizes), (kept.walkable, walkable))
    return kept.block if all(np.array_equal(*pair) for pair in pairs) else None


def new_block(outlines: Outlines, known: Known, marks: slice, sizes: Ints, walkable: Flags) -> SortedBlock:
    """Return the block of some outlines, and keep it if there is room; the others are as for `find_block`.

    Crossings that are not known are searched.
    """
    crossings = None if known is None else known[0].among(outlines, known[1][marks])
    if crossings is None:
        crossings = find_crossings(outlines)
    block = SortedBlock(outlines, crossings, sort_block(outlines, crossings))
    if known is not None:
        shared, members = known[0].blocks, known[1][marks]
        needed = len(crossings.segments) // 2 + len(outlines.edges)
        if needed <= shared.room:
            shared.room -= needed
            shared.kept[_key(members)] = _Kept(members, sizes, walkable, block)
    return block


def _key(members: Ints) -> tuple[int, int]:
    return (int(members[0]), len(members)) if len(members) else (-1, 0)


def sort_block(outlines: Outlines, crossings: Crossings) -> SortedEvents:
    """Compute the points of all events of a block, and sort them along each segment."""
    edges, first = outlines.edges, outlines.first
    n, m = len(crossings.segments) // 2, len(crossings.touches)
    # Rings without events get one at their first vertex.
    touched = np.flatnonzero(crossings.touched)
    segment = np.concatenate(
        [crossings.segments, crossings.touches[:, 0], touched, first[:-1][~crossings.met]], dtype=np.int32
    )
    sites = len(segment) - n
    points, is_exact = np.empty((sites, 2)), np.zeros(sites, np.bool_)
    close = np.repeat(CLOSE_STEPS * np.spacing(outlines.largest), np.diff(outlines.vertex_offsets()))
    is_close, fractions = crossings.near.copy(), np.empty((n, 4))
    place_crossings(edges, crossings.segments, points, fractions, is_exact, close, is_close)
    points[n : n + m] = edges[crossings.touches[:, 1], :2]
    points[n + m :] = edges[segment[2 * n + m :], :2]
    is_exact[n : n + m + len(touched)] = True
    place, order, same, joined, uncertain = sort_events(
        edges, outlines.mark[outlines.ring], segment, fractions, crossings.touches, 0, len(edges)
    )
    return SortedEvents(segment, points, is_exact, same, joined, close, is_close, place, order, uncertain)
