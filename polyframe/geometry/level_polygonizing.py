"""Polygonize the levels of an arrangement with GEOS if tracing cannot decide which part is the largest.

Two cases need the faces themselves: a curve that meets itself in a point, which is an outline and a hole that
touches it; and parts of nearly the same size, whose areas must be computed in the same way, less their holes.
"""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Ints
from polyframe.core.ragged import positions_of
from polyframe.geometry.arrangement import Arrangement
from polyframe.geometry.level_tracing import Levels
from polyframe.geometry.noding import row_hashes


def polygonize_levels(
    arrangement: Arrangement, levels: Levels, chosen: Flags
) -> tuple[NDArray[Any], Ints, Flags]:
    """Return all parts of some levels.

    Parameters
    ----------
    arrangement : Arrangement
    levels : Levels
    chosen : ndarray of bool, shape (k,)

    Returns
    -------
    parts : ndarray of shapely.Polygon, shape (p,)
        With holes.
    owner : ndarray of int64, shape (p,)
        The level that each part belongs to.
    failed : ndarray of bool, shape (k,)
        Levels with a part that does not begin with one of their arcs.
    """
    failed = np.zeros(len(chosen), dtype=np.bool_)
    bounds = np.flatnonzero(chosen[levels.owner])
    lines = np.full(len(chosen), None, dtype=object)
    arc, line = np.unique(levels.half_edge[bounds] % max(len(arrangement.cluster), 1), return_inverse=True)
    sizes = np.diff(arrangement.offsets)[arc]
    points = arrangement.coordinates[positions_of(arrangement.offsets[arc], sizes)]
    arcs = shapely.linestrings(points, indices=np.repeat(np.arange(len(arc)), sizes))[line]
    shapely.multilinestrings(arcs, indices=levels.owner[bounds], out=lines)
    parts, owner = shapely.get_parts(shapely.polygonize(lines[chosen][:, None]), return_index=True)
    owner = np.flatnonzero(chosen)[owner]
    rings = shapely.get_exterior_ring(parts)
    half_edge = _first_half_edge(arrangement, rings, levels.cluster[owner])
    failed[owner[half_edge < 0]] = True
    arc = half_edge % max(len(arrangement.cluster), 1)
    inside_is_left = (arrangement.left[arc] > arrangement.right[arc]) == (
        half_edge < len(arrangement.cluster)
    )
    inside = (half_edge >= 0) & (inside_is_left == shapely.is_ccw(rings))
    return parts[inside], owner[inside], failed


def _first_half_edge(arrangement: Arrangement, rings: NDArray[Any], cluster: Ints) -> Ints:
    """Return the half-edge with which each ring begins, or -1.

    A polygonized ring begins at a node, so its first two points are those of a half-edge that leaves it.
    """
    coordinates, ring = shapely.get_coordinates(rings, return_index=True)
    first = np.searchsorted(ring, np.arange(len(rings)))
    begins = np.column_stack([coordinates[first], coordinates[first + 1]]) + 0.0
    hashes = row_hashes(arrangement.ends, np.tile(arrangement.cluster, 2))
    order = np.argsort(hashes)
    place = np.searchsorted(hashes[order], row_hashes(begins, cluster))
    candidate = order[np.minimum(place, len(order) - 1)]
    same = np.all(arrangement.ends[candidate] == begins, axis=1)
    same &= arrangement.cluster[candidate % len(arrangement.cluster)] == cluster
    return np.where(same, candidate, -1)
