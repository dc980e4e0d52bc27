"""The parts of a level by GEOS, holes and all: where tracing leaves a doubt which part is the largest.

A curve that meets itself in a point is an outline and a hole that touches it; parts of nearly one size need
their areas measured one way, and their holes taken off. GEOS polygonizes the arcs of such a level.
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
    """Return all parts of chosen levels.

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
        Which of the k levels each belongs to.
    failed : ndarray of bool, shape (k,)
        Levels with a part that begins with none of their arcs.
    """
    failed = np.zeros(len(chosen), dtype=np.bool_)
    bounds = np.flatnonzero(chosen[levels.owner])
    lines = np.full(len(chosen), None, dtype=object)
    arc, line = np.unique(levels.half[bounds] % max(len(arrangement.cluster), 1), return_inverse=True)
    sizes = np.diff(arrangement.offsets)[arc]
    points = arrangement.coordinates[positions_of(arrangement.offsets[arc], sizes)]
    arcs = shapely.linestrings(points, indices=np.repeat(np.arange(len(arc)), sizes))[line]
    shapely.multilinestrings(arcs, indices=levels.owner[bounds], out=lines)
    parts, owner = shapely.get_parts(shapely.polygonize(lines[chosen][:, None]), return_index=True)
    owner = np.flatnonzero(chosen)[owner]
    rings = shapely.get_exterior_ring(parts)
    half = _leaving_arc(arrangement, rings, levels.cluster[owner])
    failed[owner[half < 0]] = True
    along = half % max(len(arrangement.cluster), 1)
    inside_is_left = (arrangement.left[along] > arrangement.right[along]) == (half < len(arrangement.cluster))
    inside = (half >= 0) & (inside_is_left == shapely.is_ccw(rings))
    return parts[inside], owner[inside], failed


def _leaving_arc(arrangement: Arrangement, rings: NDArray[Any], cluster: Ints) -> Ints:
    """Return with which row of `arrangement.ends` each ring begins; -1 where there is none.

    A polygonized ring begins at a node, so its first two points are those of an arc leaving that node.
    """
    coordinates, ring = shapely.get_coordinates(rings, return_index=True)
    first = np.searchsorted(ring, np.arange(len(rings)))
    wanted = np.column_stack([coordinates[first], coordinates[first + 1]]) + 0.0
    known = row_hashes(arrangement.ends, np.tile(arrangement.cluster, 2))
    order = np.argsort(known)
    found = order[np.minimum(np.searchsorted(known[order], row_hashes(wanted, cluster)), len(order) - 1)]
    same = np.all(arrangement.ends[found] == wanted, axis=1)
    same &= arrangement.cluster[found % len(arrangement.cluster)] == cluster
    return np.where(same, found, -1)
