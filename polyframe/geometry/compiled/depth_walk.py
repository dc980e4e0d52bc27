"""Compute contours, unions, intersections and majorities of clusters by walking along outlines, exactly.

Every outline runs with its interior on the left. Its depth, the number of *other* marks that contain a point
of it, changes by one where it crosses another outline. So the curves that bound the levels are followed along
the outlines, from one outline to the other at each crossing, and no face is built. Every decision is exact
for the coordinates as they are (`predicates`): whether outlines cross, in which order along an outline,
whether they meet in a point or share an edge. Only areas and the coordinates of crossings are rounded.

Each cluster is verified: depths agree at crossings and around every outline, the areas of all curves add up
to those of all marks, and no level is larger than the one before.

Compiled if the compiled engine is in use, or else interpreted: the same numbers, some twenty times slower.

References
----------
M. de Berg, O. Cheong, M. van Kreveld and M. Overmars, "Computational Geometry: Algorithms and Applications",
3rd edition (2008), chapter 2: overlays of planar subdivisions.
K. Weiler and P. Atherton, "Hidden surface removal using polygon area sorting", SIGGRAPH 1977: clipping by
following outlines and changing to the other one at intersections.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import cut_by_work, offsets_of, positions_of
from polyframe.core.task_reports import in_pieces
from polyframe.geometry.compiled.arcs import cut_into_arcs
from polyframe.geometry.compiled.chosen_levels import walk_chosen_levels, walk_one_level
from polyframe.geometry.compiled.degeneracies import resolve_contacts
from polyframe.geometry.compiled.group_crossings import GroupCrossings
from polyframe.geometry.compiled.level_curves import adds_up, largest_parts, select_curves, trace_curves
from polyframe.geometry.compiled.outlines import Outlines, load_outlines
from polyframe.geometry.compiled.rings import Rings, write_curves
from polyframe.geometry.compiled.sorted_blocks import SortedBlock, find_block, new_block
from polyframe.geometry.compiled.weighted_level import trace_weighted_level
from polyframe.geometry.duplicate_outlines import have_many_copies
from polyframe.geometry.level_rings import LevelRings, concatenate_clusters, with_valid_rings
from polyframe.geometry.level_selection import evenly_spaced_levels
from polyframe.geometry.polygon_parts import flat_rings

#: Crossings of groups, and the positions of the marks of all clusters in them.
KnownCrossings = tuple[GroupCrossings, Ints]

#: Clusters are walked together up to about so many vertices times marks, which bounds the memory; a larger
#: cluster is walked alone.
_BLOCK = 1 << 20

#: Of a cluster with more vertices times marks, and more marks than levels are wanted, only these levels are
#: walked: the crossings of all levels would need gigabytes.
ENORMOUS = 3 << 27


@dataclass(frozen=True)
class WalkedLevels:
    """The levels of many clusters.

    Attributes
    ----------
    rings : LevelRings
        The outlines of the levels, without holes; none of clusters that are not verified.
    verified : ndarray of bool, shape (c,)
        Whether all checks of a cluster passed. False if an outline occurs many times, which is not tried.
    may_have_holes : ndarray of bool, shape (c,)
        Whether a level may have holes.
    """

    rings: LevelRings
    verified: Flags
    may_have_holes: Flags

    @cached_property
    def polygons(self) -> NDArray[Any]:
        """The levels as polygons."""
        return self.rings.polygons()

    @property
    def offsets(self) -> Ints:
        """The offsets of the clusters in `polygons`."""
        return self.rings.offsets

    @property
    def areas(self) -> Floats:
        """The area of each polygon."""
        return self.rings.areas


def walk_contours(
    polygons: NDArray[Any],
    offsets: ArrayLike,
    levels: Ints | None = None,
    max_levels: int | None = None,
    enormous: int = ENORMOUS,
    known: KnownCrossings | None = None,
    twice: Ints | None = None,
) -> WalkedLevels:
    """Return the largest part of some levels of each cluster, holes filled.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Valid, sorted by cluster. None and empty polygons are ignored.
    offsets : array_like of int, shape (c + 1,)
        Cluster i contains `polygons[offsets[i]:offsets[i + 1]]`.
    levels : ndarray of int64, shape (c,), optional
        Return only this level of each cluster, if it has an area.
    max_levels : int, optional
        At most so many of all levels of a cluster, evenly spaced (see `level_selection`), without memory for
        the others.
    enormous : int
        The work above which only the levels that are returned are walked.
    known : tuple of GroupCrossings and ndarray of int64, shape (n,), optional
        The crossings of groups, and the positions of the polygons in them.
    twice : ndarray of int64, shape (c,), optional
        With `levels`: the position of a polygon of each cluster that counts twice, or -1.

    Returns
    -------
    WalkedLevels
    """
    starts = np.asarray(offsets, dtype=np.int64)
    real = ~shapely.is_missing(polygons) & ~shapely.is_empty(polygons)
    if not np.all(real):
        place = offsets_of(real)
        starts, polygons, known = place[starts], polygons[real], None
        twice = None if twice is None else np.where(twice < 0, -1, place[twice])
    coordinates, rings, ring_starts = flat_rings(polygons)
    marks = starts[1:] - starts[:-1]
    walkable = ~have_many_copies(polygons, np.repeat(np.arange(len(marks)), marks), len(marks))
    vertices = np.diff(rings[ring_starts[starts]])
    bounds = cut_by_work(vertices * marks, _BLOCK)
    walked = []
    with np.errstate(all="ignore"):  # as in compiled code
        for low, high in in_pieces(bounds, "contours"):
            members, sizes = slice(starts[low], starts[high]), marks[low:high]
            block = find_block(known, members, sizes, walkable[low:high])
            if block is None:
                outlines = load_outlines(
                    coordinates, rings, ring_starts, starts[low : high + 1], walkable[low:high]
                )
            else:
                outlines = block.outlines
            is_enormous = high - low == 1 and vertices[low] * marks[low] > enormous
            chosen = None if levels is None else levels[low:high]
            doubled = None
            if twice is not None:
                doubled = np.where(twice[low:high] < 0, -1, twice[low:high] - starts[low])
            if is_enormous and (chosen is not None or (max_levels or marks[low]) < marks[low]):
                alone = polygons[members]
                if doubled is not None and doubled[0] >= 0:
                    # A second copy of one mark costs next to nothing here.
                    alone = np.append(alone, alone[doubled])
                    walked.append(walk_contours(alone, [0, len(alone)], chosen, enormous=enormous))
                else:
                    walked.append(_walk_enormous(outlines, alone, chosen, max_levels))
            else:
                if block is None:
                    block = new_block(outlines, known, members, sizes, walkable[low:high])
                walked.append(_walk(block, sizes, chosen, doubled, max_levels))
    return WalkedLevels(
        concatenate_clusters([one.rings for one in walked]),
        np.concatenate([one.verified for one in walked]),
        np.concatenate([one.may_have_holes for one in walked]),
    )


def _levels_expected(polygons: NDArray[Any]) -> int:
    """Return how many polygons contain a point, the largest number of some points in the middle."""
    centres = shapely.get_coordinates(shapely.centroid(polygons))
    points = np.vstack([np.median(centres, axis=0), centres[:: max(len(centres) // 64, 1)]])
    tree = shapely.STRtree(polygons)
    found = tree.query(shapely.points(points), predicate="within")[0]
    return max(int(np.bincount(found, minlength=1).max()), 1)


def _walk_enormous(
    outlines: Outlines, polygons: NDArray[Any], level: Ints | None, max_levels: int | None
) -> WalkedLevels:
    """Walk one level of one cluster, or those that are written."""
    walked = None
    if outlines.sound[0] and level is not None:
        walked = walk_one_level(outlines, len(polygons), int(level[0]))
    elif outlines.sound[0]:
        walked = walk_chosen_levels(
            outlines, len(polygons), max_levels or len(polygons), _levels_expected(polygons)
        )
    if walked is not None:
        rings, may_have_holes = walked
        return WalkedLevels(rings, np.array([True]), np.array([may_have_holes]))
    nothing, none = np.empty(0), np.zeros(1, np.int64)
    rings = LevelRings(nothing, nothing, none, nothing, none[:0], np.zeros(2, np.int64), none)
    return WalkedLevels(rings, np.array([False]), np.array([False]))


def _walk(
    block: SortedBlock,
    marks: Ints,
    levels: Ints | None,
    twice: Ints | None,
    max_levels: int | None,
) -> WalkedLevels:
    """Walk the clusters of a block."""
    outlines = block.outlines
    arcs = cut_into_arcs(outlines, block.crossings, events=block.events)
    alive = resolve_contacts(outlines, arcs, marks)
    curves = trace_curves(outlines, arcs, alive)
    verified = arcs.sound & adds_up(curves, outlines.area, marks)
    if levels is not None and twice is not None:
        arcs.sound[~verified] = False
        curves = trace_weighted_level(outlines, arcs, curves, marks, levels, twice)
        verified = arcs.sound
    elif levels is not None:
        curves = select_curves(curves, curves.level == levels[curves.cluster])

    parts = largest_parts(outlines, arcs, curves)
    cluster, level = curves.cluster[parts.curve], curves.level[parts.curve]
    wanted = verified[cluster]
    if levels is None:
        # Up to the first level that is missing.
        wanted &= level == positions_of(1, np.bincount(cluster, minlength=len(marks)))
    curve, cluster, level = parts.curve[wanted], cluster[wanted], level[wanted]
    holes = parts.holes[wanted]

    arc, room = curves.arc[curve], curves.room[curve]
    is_thinned = np.zeros(len(marks), np.bool_)
    if max_levels is not None:
        is_thinned = np.bincount(cluster, minlength=len(marks)) > max_levels
    rings = write_curves(outlines, arcs, arc, room, measure_only=bool(np.any(is_thinned)))
    # Up to the first level that is not larger than what rounding can cause.
    is_empty = rings.areas - holes <= rings.rounding
    empty_before = np.cumsum(is_empty)
    kept: Flags = empty_before == (empty_before - is_empty)[np.searchsorted(cluster, cluster)]
    available = np.bincount(cluster[kept], minlength=len(marks))
    may_have_holes = np.zeros(len(marks), np.bool_)
    may_have_holes[cluster[kept & parts.may_have_holes[wanted]]] = True
    chosen = np.flatnonzero(kept)
    if np.any(is_thinned):
        number, offsets = evenly_spaced_levels(available, max_levels or 1)
        chosen = chosen[np.repeat(offsets_of(available)[:-1], np.diff(offsets)) + number - 1]
        rings = write_curves(outlines, arcs, arc[chosen], room[chosen], measure_only=False)
    elif not np.all(kept):
        sizes = np.diff(rings.offsets)[chosen]
        points = positions_of(rings.offsets[chosen], sizes)
        rings = Rings(
            rings.x[points],
            rings.y[points],
            offsets_of(sizes),
            rings.areas[chosen],
            rings.rounding[chosen],
            rings.has_close[chosen],
        )
    written = LevelRings(
        rings.x,
        rings.y,
        rings.offsets,
        rings.areas,
        level[chosen],
        np.searchsorted(cluster[chosen], np.arange(len(marks) + 1)),
        available,
    )
    close = np.flatnonzero(rings.has_close)
    if len(close):
        written = with_valid_rings(written, close)
    return WalkedLevels(written, verified, may_have_holes)
