"""Marks of a cluster that are the same outline: found, and counted instead of worked on one by one.

Nobody draws an outline twice to the last bit, but a cell of an export can hold one a thousand times, and what
lies exactly on one another meets everywhere: work that grows with the square of the marks, or faster.
"""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import offsets_of

#: Clusters with fewer repeats than this are worked on as they are.
MANY_REPEATS = 32


def first_copies(polygons: NDArray[Any], cluster: Ints) -> Ints:
    """Return for each mark the first mark of its cluster that is the same outline.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Not None.
    cluster : ndarray of int64, shape (n,)
        The cluster of each, ascending.

    Returns
    -------
    ndarray of int64, shape (n,)
        The mark itself where there is none before. The same outline may begin anywhere and run either way.
        Clusters with fewer than `MANY_REPEATS` repeats are left alone.
    """
    first = np.arange(len(polygons))
    count = int(cluster[-1]) + 1 if len(cluster) else 0
    large = np.bincount(cluster, minlength=count) > MANY_REPEATS
    some = np.flatnonzero(large[cluster])
    if len(some):  # equal outlines have equal boxes, which hardly any others have
        boxes = shapely.bounds(polygons[some]) + 0.0
        some = some[_in_clusters_with_many(np.column_stack([cluster[some], boxes]), cluster[some])]
    if len(some):
        keys = shapely.to_wkb(shapely.normalize(polygons[some]))
        known: dict[tuple[int, bytes], int] = {}
        owners = cluster[some].tolist()
        first[some] = [
            known.setdefault((owner, key), mark)
            for mark, owner, key in zip(some.tolist(), owners, keys, strict=True)
        ]
        repeats = np.bincount(cluster, weights=first != np.arange(len(first)), minlength=count)
        few = repeats[cluster] < MANY_REPEATS
        first[few] = np.flatnonzero(few)
    return first


def without_third_copies(polygons: NDArray[Any], offsets: Ints) -> tuple[NDArray[Any], Ints]:
    """Leave out all but two copies of outlines that clusters hold many times.

    That changes no union and no intersection; with two copies, a cluster of one outline stays one of several
    marks.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Sorted by cluster; may hold None.
    offsets : ndarray of int64, shape (c + 1,)
        Cluster i holds `polygons[offsets[i]:offsets[i + 1]]`.

    Returns
    -------
    polygons : ndarray of shapely.Polygon, shape (m,)
    offsets : ndarray of int64, shape (c + 1,)
    """
    counts = np.diff(offsets)
    if counts.max(initial=0) <= MANY_REPEATS:
        return polygons, offsets
    there = np.flatnonzero(~shapely.is_missing(polygons))
    first = np.arange(len(polygons))
    first[there] = there[first_copies(polygons[there], np.repeat(np.arange(len(counts)), counts)[there])]
    copies = np.flatnonzero(first != np.arange(len(first)))
    kept = first == np.arange(len(first))
    kept[copies[np.unique(first[copies], return_index=True)[1]]] = True
    return polygons[kept], offsets_of(kept)[offsets]


def _in_clusters_with_many(rows: Floats, cluster: Ints) -> Flags:
    """Tell which rows, a cluster's number first, belong to clusters with many rows that came before."""
    _, first = np.unique(rows, axis=0, return_index=True)
    again = np.ones(len(rows), dtype=np.bool_)
    again[first] = False
    many = np.bincount(cluster[again], minlength=int(cluster[-1]) + 1) >= MANY_REPEATS
    return np.asarray(many[cluster])
