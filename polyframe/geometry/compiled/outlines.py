"""Load the outlines of clusters as directed rings for the depth walk (compiled)."""

from dataclasses import dataclass

import numpy as np

from polyframe.core.arrays import Flags, Floats, Ints, ShortInts
from polyframe.geometry.compiled.numba_jit import compiled

#: If the area of a ring is a smaller fraction of its box, rounding hides which way it runs. The repair of
#: drawings that cross themselves leaves such holes; they have no area and are dropped.
_THINNEST = 1e-12

#: Limits of the exact predicates: products of four lengths, and their rounding errors, must neither underflow
#: nor overflow.
_SMALLEST_BOX = 1e-60
_LARGEST_COORDINATE = 1e60


@dataclass(frozen=True)
class Outlines:
    """The outlines of c clusters, each with the interior of its mark on the left.

    Attributes
    ----------
    edges : ndarray of float64, shape (v, 4)
        The segments of all rings, without those of no length: x and y of the begin, x and y of the end.
        Vertex i begins segment i. Clusters that are not sound have none.
    ring : ndarray of int32, shape (v,)
        The ring of each segment. Holes without an area are dropped.
    first : ndarray of int32, shape (r + 1,)
        Ring i contains the segments `first[i]` to `first[i + 1] - 1`.
    mark : ndarray of int32, shape (r,)
        The mark of each ring, ascending.
    cluster : ndarray of int32, shape (r,)
        The cluster of each ring.
    offsets : ndarray of int64, shape (c + 1,)
        Cluster i contains the rings `offsets[i]` to `offsets[i + 1] - 1`.
    area, largest : ndarray of float64, shape (c,)
        The sum of the areas of all marks of a cluster, and its largest coordinate, by magnitude.
    sound : ndarray of bool, shape (c,)
        False if a ring is too thin, too small or too large for the exact predicates.
    """

    edges: Floats
    ring: ShortInts
    first: ShortInts
    mark: ShortInts
    cluster: ShortInts
    offsets: Ints
    area: Floats
    largest: Floats
    sound: Flags

    def vertex_offsets(self) -> Ints:
        """Return the offsets of the clusters in `edges`."""
        return self.first[self.offsets].astype(np.int64)


def load_outlines(
    coordinates: Floats, rings: Ints, ring_starts: Ints, starts: Ints, walkable: Flags
) -> Outlines:
    """Return the outlines of clusters, from closed rings in either direction.

    Parameters
    ----------
    coordinates : ndarray of float64, shape (m, 2)
    rings : ndarray of int64, shape (r + 1,)
        Ring i is `coordinates[rings[i]:rings[i + 1]]`.
    ring_starts : ndarray of int64, shape (n + 1,)
        Mark i has the rings `ring_starts[i]` to `ring_starts[i + 1] - 1`, its exterior first.
    starts : ndarray of int64, shape (c + 1,)
        Cluster i contains the marks `starts[i]` to `starts[i + 1] - 1`.
    walkable : ndarray of bool, shape (c,)
        False for clusters that are not to be loaded; they are not sound.
    """
    low, high = ring_starts[starts[0]], ring_starts[starts[-1]]
    size, clusters = rings[high] - rings[low], len(starts) - 1
    edges, ring = np.empty((size, 4)), np.empty(size, np.int32)
    first, mark = np.zeros(high - low + 1, np.int32), np.empty(high - low, np.int32)
    cluster, offsets = np.empty(high - low, np.int32), np.zeros(clusters + 1, np.int64)
    areas, sound = np.zeros((2, clusters)), walkable.copy()
    _load(coordinates, rings, ring_starts, starts, edges, ring, first, mark, cluster, offsets, areas, sound)
    count = offsets[-1]
    size = first[count]
    return Outlines(
        edges[:size],
        ring[:size],
        first[: count + 1],
        mark[:count],
        cluster[:count],
        offsets,
        areas[0],
        areas[1],
        sound,
    )


@compiled
def _load(
    coordinates: Floats,
    rings: Ints,
    ring_starts: Ints,
    starts: Ints,
    edges: Floats,
    ring: ShortInts,
    first: ShortInts,
    mark: ShortInts,
    cluster: ShortInts,
    offsets: Ints,
    areas: Floats,
    sound: Flags,
) -> None:
    n = loaded = 0
    for c in range(len(starts) - 1):
        total = furthest = 0.0
        good = sound[c]
        low_n, low_loaded = n, loaded
        for i in range(starts[c], starts[c + 1]):
            if not good:
                break
            for r in range(ring_starts[i], ring_starts[i + 1]):
                is_hole = r > ring_starts[i]
                begin, stop = rings[r], rings[r + 1] - 1
                x0, y0 = coordinates[begin, 0], coordinates[begin, 1]
                area = 0.0
                low_x = high_x = x0
                low_y = high_y = y0
                for p in range(begin, stop):
                    px, py = coordinates[p, 0], coordinates[p, 1]
                    qx, qy = coordinates[p + 1, 0], coordinates[p + 1, 1]
                    area += (px - x0) * (qy - y0) - (qx - x0) * (py - y0)
                    low_x, high_x = min(low_x, px), max(high_x, px)
                    low_y, high_y = min(low_y, py), max(high_y, py)
                area *= 0.5
                box = (high_x - low_x) * (high_y - low_y)
                largest = max(max(abs(low_x), abs(high_x)), max(abs(low_y), abs(high_y)))
                if is_hole and abs(area) <= _THINNEST * box and largest < _LARGEST_COORDINATE:
                    continue
                certain = abs(area) > _THINNEST * box  # false for NaN
                if not (certain and box > _SMALLEST_BOX and largest < _LARGEST_COORDINATE):
                    good = False
                furthest = max(furthest, largest)
                reverse = (area > 0.0) == is_hole
                total += -abs(area) if is_hole else abs(area)
                start = n
                for k in range(stop - begin):
                    p = stop - k if reverse else begin + k
                    px, py = coordinates[p, 0], coordinates[p, 1]
                    if n > start:
                        if edges[n - 1, 0] == px and edges[n - 1, 1] == py:
                            continue
                        edges[n - 1, 2], edges[n - 1, 3] = px, py
                    edges[n, 0], edges[n, 1], ring[n] = px, py, loaded
                    n += 1
                if (
                    n > start + 1
                    and edges[n - 1, 0] == edges[start, 0]
                    and edges[n - 1, 1] == edges[start, 1]
                ):
                    n -= 1
                good = good and n >= start + 3
                if n > start:
                    edges[n - 1, 2], edges[n - 1, 3] = edges[start, 0], edges[start, 1]
                mark[loaded], cluster[loaded] = i - starts[0], c
                loaded += 1
                first[loaded] = n
        if not good:
            n, loaded = low_n, low_loaded
        areas[0, c], areas[1, c], sound[c] = total, furthest, good
        offsets[c + 1] = loaded
