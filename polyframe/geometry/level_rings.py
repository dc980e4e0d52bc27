"""Contour levels as flat rings, from which columns and WKB are made without GEOS."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import offsets_of, positions_of
from polyframe.geometry.level_selection import evenly_spaced_levels


@dataclass(frozen=True)
class LevelRings:
    """Some contour levels of many clusters, sorted by cluster, then level.

    Attributes
    ----------
    x, y : ndarray of float64, shape (v,)
        The points of all rings: closed, anticlockwise from the leftmost point.
    ring_offsets : ndarray of int64, shape (k + 1,)
        Ring i has the points `ring_offsets[i]` to `ring_offsets[i + 1] - 1`.
    areas : ndarray of float64, shape (k,)
        The area of each ring.
    levels : ndarray of int64, shape (k,)
        The number of the level, from 1.
    offsets : ndarray of int64, shape (c + 1,)
        Cluster i has the rings `offsets[i]` to `offsets[i + 1] - 1`.
    available : ndarray of int64, shape (c,)
        How many levels each cluster has, also those that are not among the rings.
    """

    x: Floats
    y: Floats
    ring_offsets: Ints
    areas: Floats
    levels: Ints
    offsets: Ints
    available: Ints

    def polygons(self) -> NDArray[Any]:
        """Return the rings as polygons."""
        polygons: NDArray[Any] = shapely.from_ragged_array(
            shapely.GeometryType.POLYGON,
            np.column_stack([self.x, self.y]),
            (self.ring_offsets, np.arange(len(self.ring_offsets))),
        )
        return polygons


def rings_from_polygons(polygons: NDArray[Any], offsets: Ints, max_levels: int | None = None) -> LevelRings:
    """Return the rings of all levels of each cluster, or of at most `max_levels`, evenly spaced.

    Parameters
    ----------
    polygons : ndarray of shapely.Polygon, shape (k,)
        The levels, without holes, sorted by cluster, then level.
    offsets : ndarray of int64, shape (c + 1,)
        Cluster i has the levels `polygons[offsets[i]:offsets[i + 1]]`.
    max_levels : int, optional
        See `level_selection.evenly_spaced_levels`.
    """
    available = np.diff(offsets)
    most = max(available.max(initial=1), 1) if max_levels is None else max_levels
    levels, chosen = evenly_spaced_levels(available, most)
    polygons = polygons[np.repeat(offsets[:-1], np.diff(chosen)) + levels - 1]
    coordinates, ring = shapely.get_coordinates(polygons, return_index=True)
    return LevelRings(
        np.ascontiguousarray(coordinates[:, 0]),
        np.ascontiguousarray(coordinates[:, 1]),
        offsets_of(np.bincount(ring, minlength=len(polygons))),
        shapely.area(polygons),
        levels,
        chosen,
        available,
    )


def replace_clusters(rings: LevelRings, chosen: Flags, replacements: LevelRings) -> LevelRings:
    """Return the rings with those of some clusters replaced.

    Parameters
    ----------
    rings : LevelRings
        Of c clusters.
    chosen : ndarray of bool, shape (c,)
        The clusters to replace.
    replacements : LevelRings
        Of the chosen clusters, in their order.
    """
    if not np.any(chosen):
        return rings
    clusters = np.arange(len(chosen))
    owner = np.repeat(clusters, np.diff(rings.offsets))
    kept = np.flatnonzero(~chosen[owner])
    owner = np.concatenate([owner[kept], np.repeat(np.flatnonzero(chosen), np.diff(replacements.offsets))])
    order = np.argsort(owner, kind="stable")
    both = np.concatenate([kept, len(rings.areas) + np.arange(len(replacements.areas))])[order]
    sizes = np.concatenate([np.diff(rings.ring_offsets), np.diff(replacements.ring_offsets)])[both]
    starts = np.concatenate([rings.ring_offsets[:-1], len(rings.x) + replacements.ring_offsets[:-1]])[both]
    points = positions_of(starts, sizes)
    available = rings.available.copy()
    available[chosen] = replacements.available
    return replace(
        rings,
        x=np.concatenate([rings.x, replacements.x])[points],
        y=np.concatenate([rings.y, replacements.y])[points],
        ring_offsets=offsets_of(sizes),
        areas=np.concatenate([rings.areas, replacements.areas])[both],
        levels=np.concatenate([rings.levels, replacements.levels])[both],
        offsets=np.searchsorted(owner[order], np.arange(len(chosen) + 1)),
        available=available,
    )
