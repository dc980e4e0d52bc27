"""Count how often outlines wind around the first vertices of other outlines (compiled).

A ray runs from the vertex to the right. An outline that crosses it upwards winds once more around the vertex,
one that crosses it downwards once less.
"""

import numpy as np
from numpy.typing import NDArray

from polyframe.core.arrays import Floats, Ints, ShortInts
from polyframe.geometry.compiled.numba_jit import compiled, compiled_inner
from polyframe.geometry.compiled.outlines import Outlines
from polyframe.geometry.compiled.predicates import cross, perturbed_side

Windings = NDArray[np.int8]


def winding_numbers(outlines: Outlines, rings: Ints, marks: tuple[int, int]) -> Windings:
    """Return how often some marks of a single cluster wind around the first vertices of some rings.

    Parameters
    ----------
    outlines : Outlines
    rings : ndarray of int64, shape (k,)
    marks : tuple of int
        The first mark, and the end.

    Returns
    -------
    ndarray of int8, shape (k, m)
        After the symbolic perturbation: 1 if the vertex is in the mark, otherwise 0, as for its own mark.
    """
    first = outlines.first
    vertices = outlines.edges[first[rings], :2]
    order = np.argsort(vertices[:, 1], kind="stable")
    low, high = np.searchsorted(outlines.mark, marks)
    windings = np.zeros((len(rings), marks[1] - marks[0]), np.int8)
    _count_windings(
        outlines.edges,
        outlines.ring,
        outlines.mark,
        int(first[low]),
        int(first[high]),
        vertices[order],
        outlines.mark[rings[order]],
        order,
        marks[0],
        windings,
    )
    return windings


@compiled
def _count_windings(
    edges: Floats,
    ring: ShortInts,
    mark: ShortInts,
    low: int,
    high: int,
    vertices: Floats,
    owners: ShortInts,
    order: Ints,
    first_mark: int,
    windings: Windings,
) -> None:
    """Add the crossings of the segments from `low` to `high` - 1 with rays from vertices, sorted by y."""
    for s in range(low, high):
        bottom, top = min(edges[s, 1], edges[s, 3]), max(edges[s, 1], edges[s, 3])
        right, of_edge = max(edges[s, 0], edges[s, 2]), mark[ring[s]]
        # The first vertex that is not below the segment.
        i, end = 0, len(vertices)
        while i < end:
            middle = (i + end) // 2
            if vertices[middle, 1] < bottom:
                i = middle + 1
            else:
                end = middle
        while i < len(vertices) and vertices[i, 1] <= top:
            if vertices[i, 0] <= right and owners[i] != of_edge:
                windings[order[i], of_edge - first_mark] += crosses_ray(
                    edges, s, vertices[i, 0], vertices[i, 1], of_edge, owners[i]
                )
            i += 1


@compiled_inner
def crosses_ray(edges: Floats, s: int, px: float, py: float, of_edge: int, of_point: int) -> int:
    """Return how a segment crosses the ray from a point to the right: 1 upwards, -1 downwards, or 0.

    `of_edge` and `of_point` are the marks that the segment and the point belong to, which are infinitesimally
    perturbed.
    """
    ax, ay, bx, by = edges[s, 0], edges[s, 1], edges[s, 2], edges[s, 3]
    raised = of_edge < of_point  # at equal y, the larger perturbation is higher
    was_above = ay > py or (raised and ay == py)
    above = by > py or (raised and by == py)
    if above == was_above:
        return 0
    side = cross(ax, ay, bx, by, ax, ay, px, py)
    is_left = perturbed_side(side, ax, ay, bx, by, of_edge, of_point) > 0
    if above:
        return 1 if is_left else 0
    return 0 if is_left else -1
