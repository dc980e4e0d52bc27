"""Find the events that bound some levels of one enormous cluster, in bounded memory (compiled).

Five thousand marks of one object cross two hundred million times. Blocks of outlines are searched for
crossings with all outlines, one block after the other, and only events at arcs of the chosen levels are kept,
with their depths. Events at points that several sites share are kept, too, whatever their level: contacts are
resolved there (see `degeneracies`).

Every crossing is found twice, once from each outline, and both must give it the same depth: the sums of all
depths, weighted by crossing, are compared.
"""

from dataclasses import dataclass

import numpy as np

from polyframe.core.arrays import Flags, Ints, ShortInts
from polyframe.geometry.compiled.arcs import KnownDepths
from polyframe.geometry.compiled.crossings import Crossings, CrossingSearch
from polyframe.geometry.compiled.event_order import site_of, sort_events
from polyframe.geometry.compiled.numba_jit import compiled
from polyframe.geometry.compiled.outlines import Outlines
from polyframe.geometry.compiled.windings import winding_numbers

#: Crossings of a block of outlines, about.
_BLOCK = 1 << 22

#: Winding numbers in memory at the same time, a byte each.
_WINDINGS = 1 << 25

#: What `known` contains of a vertex without an event.
_NO_DEPTH = -1


@dataclass(frozen=True)
class LevelEvents:
    """The events of one cluster that bound the chosen levels, or that are at a shared point.

    Attributes
    ----------
    segments : ndarray of int32, shape (n, 2)
        As in `Crossings`.
    touches : ndarray of int32, shape (m, 2)
    depths : KnownDepths
        Vertices without an event, or only with one on arcs of other levels, have depth -1.
    is_shared : ndarray of bool, shape (n,)
        Whether a crossing is at a point of several sites.
    near : ndarray of bool, shape (v,)
        As in `Crossings`.
    rings : int
        The number of outlines.
    highest : int
        The highest level with an arc.
    sound : bool
        False if a check failed.
    """

    segments: ShortInts
    touches: ShortInts
    depths: KnownDepths
    is_shared: Flags
    near: Flags
    rings: int
    highest: int
    sound: bool

    def of_levels(self, levels: Ints) -> tuple[Crossings, KnownDepths]:
        """Return the events that bound some of the chosen levels, as `arcs.cut_into_arcs` needs them."""
        known = self.depths
        is_chosen = np.zeros_like(known.is_chosen)
        is_chosen[levels] = True
        crossings = is_chosen[known.crossings + 1] | is_chosen[known.crossings + 2] | self.is_shared
        met = np.ones(self.rings, np.bool_)  # outlines that meet no other have an event too
        return (
            Crossings(
                self.segments[crossings].ravel(), self.touches, known.vertices != _NO_DEPTH, met, self.near
            ),
            KnownDepths(known.crossings[crossings], known.touches, known.vertices, is_chosen),
        )


def find_level_events(outlines: Outlines, marks: int, levels: Ints) -> LevelEvents:
    """Return the events that bound some levels of a single cluster."""
    edges, first = outlines.edges, outlines.first
    search, mark_of = CrossingSearch(outlines), outlines.mark[outlines.ring]
    start_depth = _depths_at_starts(outlines, marks)
    is_chosen = np.zeros(marks + 3, np.bool_)
    is_chosen[levels] = True
    vertices = np.full(len(edges), _NO_DEPTH, np.int32)
    #: The highest level, 1 if a check failed, and the sums of depths as both outlines see them.
    state = np.zeros(4, np.int64)
    kept: list[tuple[ShortInts, ShortInts, Flags, ShortInts, ShortInts]] = []
    begin, size = 0, 1
    while begin < len(outlines.mark):
        end = min(begin + size, len(outlines.mark))
        low, high = int(first[begin]), int(first[end])
        crossings = search.crossings_of(low, high, with_fractions=True)
        n = len(crossings.segments) // 2
        touches = crossings.touches[(crossings.touches[:, 0] >= low) & (crossings.touches[:, 0] < high)]
        touched = low + np.flatnonzero(crossings.touched[low:high])
        alone = first[begin:end][~crossings.met[begin:end]]
        segment = np.concatenate([crossings.segments, touches[:, 0], touched, alone], dtype=np.int32)
        place, order, _, joined, uncertain = sort_events(
            edges, mark_of, segment, crossings.fractions, touches, low, high
        )
        state[1] |= bool(np.any(uncertain[low:high]))
        joined[:n] |= crossings.at_vertex
        joined[n : n + len(touches) + len(touched)] = True
        depths = np.full(len(joined), _NO_DEPTH, np.int32)
        _keep(
            first,
            start_depth,
            begin,
            end,
            segment,
            n,
            place,
            order,
            joined,
            is_chosen,
            depths,
            state,
        )
        crossed = np.flatnonzero(depths[:n] != _NO_DEPTH)
        kept.append(
            (
                crossings.segments.reshape(-1, 2)[crossed],
                depths[crossed],
                joined[crossed],
                touches,
                depths[n : n + len(touches)].copy(),  # a view would keep the array of each block
            )
        )
        vertices[segment[2 * n + len(touches) :]] = depths[n + len(touches) :]
        size = max((end - begin) * _BLOCK // max(n, 1), 1)
        begin = end
    # One after the other, since twice all of them would take too much memory.
    columns = [list(column) for column in zip(*kept, strict=True)]
    kept.clear()
    segments, at_crossings, is_shared, touches, at_touches = (
        np.concatenate(columns.pop(0)) for _ in range(len(columns))
    )
    return LevelEvents(
        segments,
        touches,
        KnownDepths(at_crossings, at_touches, vertices, is_chosen),
        is_shared,
        crossings.near,
        len(outlines.mark),
        int(state[0]),
        bool(state[1] == 0 and state[2] == state[3]),
    )


def _depths_at_starts(outlines: Outlines, marks: int) -> Ints:
    """Return how many other marks contain the first vertex of each ring, (r,) int64."""
    rings = np.arange(len(outlines.mark))
    size = max(_WINDINGS // marks, 1)
    blocks = [rings[begin : begin + size] for begin in range(0, len(rings), size)]
    windings = [winding_numbers(outlines, block, (0, marks)) for block in blocks]
    return np.concatenate([block.sum(axis=1, dtype=np.int64) for block in windings])


@compiled
def _keep(
    first: ShortInts,
    start_depth: Ints,
    low: int,
    high: int,
    segment: ShortInts,
    crossings: int,
    place: ShortInts,
    order: ShortInts,
    is_shared: Flags,
    is_chosen: Flags,
    depths: ShortInts,
    state: Ints,
) -> None:
    """Set the depths of sites to keep; those of crossings for the outline that enters the other mark."""
    marks = len(is_chosen) - 3
    for r in range(low, high):
        depth = start = int(start_depth[r])
        for i in range(place[first[r]], place[first[r + 1]]):
            e = order[i]
            before = depth
            is_crossing = e < 2 * crossings
            if is_crossing:
                depth += 1 - 2 * (e % 2)
                s = segment[e ^ (e % 2)]
                state[2 + e % 2] += min(before, depth) * (1 + ((s * 7 + segment[e | 1]) & 1023))
            if depth < 0 or depth >= marks:
                state[1] = 1
                break
            state[0] = max(state[0], depth + 1)
            site = site_of(e, crossings)
            if is_crossing and e % 2 == 1:
                continue
            if is_shared[site] or is_chosen[before + 1] or is_chosen[depth + 1]:
                depths[site] = min(before, depth)
        if depth != start:
            state[1] = 1
