"""Detect marks of a cluster that are the same outline, to count them instead of processing each.

Nobody draws an outline twice to the last bit, but a cell of an export can contain one a thousand times. Equal
outlines meet everywhere, so the work would grow with the square of their number, or faster.
"""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import offsets_of

#: Clusters with fewer duplicates are processed as they are.
MANY_DUPLICATES = 32


def first_copies(polygons: NDArray[Any], cluster: Ints) -> Ints:
    """Return for each mark the first mark of its cluster with the same outline.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Not None.
    cluster : ndarray of int64, shape (n,)
        The cluster of each polygon, ascending.

    Returns
    -------
    ndarray of int64, shape (n,)
        The mark itself if it is the first. Outlines are the same whatever vertex they begin at and whichever
        direction they run in. In clusters with fewer than `MANY_DUPLICATES` duplicates every mark is its own.
    """
    first = np.arange(len(polygons))
    count = int(cluster[-1]) + 1 if len(cluster) else 0
    large = np.bincount(cluster, minlength=count) > MANY_DUPLICATES
    some = np.flatnonzero(large[cluster])
    if len(some):  # equal outlines have equal boxes, and hardly any others do
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
        duplicates = np.bincount(cluster, weights=first != np.arange(len(first)), minlength=count)
        few = duplicates[cluster] < MANY_DUPLICATES
        first[few] = np.flatnonzero(few)
    return first


def have_many_copies(polygons: NDArray[Any], cluster: Ints, count: int) -> Flags:
    """Return which of `count` clusters contain many copies of outlines, as `first_copies` finds them."""
    result = np.zeros(count, dtype=np.bool_)
    result[cluster[first_copies(polygons, cluster) != np.arange(len(polygons))]] = True
    return result


def keep_two_copies(polygons: NDArray[Any], offsets: Ints) -> tuple[NDArray[Any], Ints]:
    """Drop all but two copies of outlines that a cluster contains many times.

    No union or intersection changes. With two copies, a cluster of one outline stays one of several marks.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (n,)
        Sorted by cluster; may contain None.
    offsets : ndarray of int64, shape (c + 1,)
        Cluster i contains `polygons[offsets[i]:offsets[i + 1]]`.

    Returns
    -------
    polygons : ndarray of shapely.Polygon, shape (m,)
    offsets : ndarray of int64, shape (c + 1,)
    """
    counts = np.diff(offsets)
    if counts.max(initial=0) <= MANY_DUPLICATES:
        return polygons, offsets
    present = np.flatnonzero(~shapely.is_missing(polygons))
    cluster = np.repeat(np.arange(len(counts)), counts)
    first = np.arange(len(polygons))
    first[present] = present[first_copies(polygons[present], cluster[present])]
    copies = np.flatnonzero(first != np.arange(len(first)))
    keep = first == np.arange(len(first))
    keep[copies[np.unique(first[copies], return_index=True)[1]]] = True
    return polygons[keep], offsets_of(keep)[offsets]


def _in_clusters_with_many(rows: Floats, cluster: Ints) -> Flags:
    """Return which rows, each with its cluster in front, belong to clusters with many repeated rows."""
    _, first = np.unique(rows, axis=0, return_index=True)
    repeated = np.ones(len(rows), dtype=np.bool_)
    repeated[first] = False
    many = np.bincount(cluster[repeated], minlength=int(cluster[-1]) + 1) >= MANY_DUPLICATES
    return np.asarray(many[cluster])
