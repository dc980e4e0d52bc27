"""Contour levels as flat rings, from which columns and WKB are made without GEOS."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import offsets_of, positions_of
from polyframe.geometry.level_selection import evenly_spaced_levels
from polyframe.geometry.polygon_parts import with_valid_outlines
from polyframe.geometry.simple_outlines import are_simple

#: GEOS alone examines so few rings faster.
_FEW_RINGS = 50


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
    return LevelRings(*_flat(polygons), shapely.area(polygons), levels, chosen, available)


def _flat(polygons: NDArray[Any]) -> tuple[Floats, Floats, Ints]:
    """Return x, y and the offsets of the rings of polygons without holes."""
    coordinates, ring = shapely.get_coordinates(polygons, return_index=True)
    return (
        np.ascontiguousarray(coordinates[:, 0]),
        np.ascontiguousarray(coordinates[:, 1]),
        offsets_of(np.bincount(ring, minlength=len(polygons))),
    )


def concatenate_clusters(blocks: Sequence[LevelRings]) -> LevelRings:
    """Return the rings of some clusters, then those of others."""
    if len(blocks) == 1:
        return blocks[0]

    def offsets_together(offsets: list[Ints]) -> Ints:
        return offsets_of(np.concatenate([np.diff(values) for values in offsets]))

    return LevelRings(
        np.concatenate([block.x for block in blocks]),
        np.concatenate([block.y for block in blocks]),
        offsets_together([block.ring_offsets for block in blocks]),
        np.concatenate([block.areas for block in blocks]),
        np.concatenate([block.levels for block in blocks]),
        offsets_together([block.offsets for block in blocks]),
        np.concatenate([block.available for block in blocks]),
    )


def select_rings(rings: LevelRings, chosen: Ints) -> LevelRings:
    """Return some rings, given by their positions, ascending."""
    sizes = np.diff(rings.ring_offsets)[chosen]
    points = positions_of(rings.ring_offsets[chosen], sizes)
    return replace(
        rings,
        x=rings.x[points],
        y=rings.y[points],
        ring_offsets=offsets_of(sizes),
        areas=rings.areas[chosen],
        levels=rings.levels[chosen],
        offsets=np.searchsorted(chosen, rings.offsets),
    )


def replace_rings(rings: LevelRings, chosen: Ints, polygons: NDArray[Any]) -> LevelRings:
    """Return the rings with some of them, given by their positions, replaced by polygons without holes."""
    x, y, offsets = _flat(polygons)
    starts, sizes = rings.ring_offsets[:-1].copy(), np.diff(rings.ring_offsets)
    starts[chosen], sizes[chosen] = len(rings.x) + offsets[:-1], np.diff(offsets)
    points, areas = positions_of(starts, sizes), rings.areas.copy()
    areas[chosen] = shapely.area(polygons)
    return replace(
        rings,
        x=np.concatenate([rings.x, x])[points],
        y=np.concatenate([rings.y, y])[points],
        ring_offsets=offsets_of(sizes),
        areas=areas,
    )


def with_valid_rings(rings: LevelRings, doubtful: Ints) -> LevelRings:
    """Repair those of some rings that cross themselves by rounding."""
    if len(doubtful) > _FEW_RINGS:
        # Most are simple at first sight, which takes half the time of GEOS if there are many.
        chosen = select_rings(rings, doubtful)
        x, y, first = chosen.x, chosen.y, chosen.ring_offsets[:-1]
        lowest = np.minimum.reduceat(x, first), np.minimum.reduceat(y, first)
        boxes = np.array([*lowest, np.maximum.reduceat(x, first), np.maximum.reduceat(y, first)])
        doubtful = doubtful[~are_simple(x, y, chosen.ring_offsets, boxes)]
    polygons = select_rings(rings, doubtful).polygons()
    valid = with_valid_outlines(polygons)
    changed = ~shapely.equals_identical(polygons, valid)
    if not np.any(changed):
        return rings
    return replace_rings(rings, doubtful[changed], valid[changed])


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
    both = concatenate_clusters([rings, replacements])
    clusters = np.arange(len(chosen))
    clusters[chosen] = len(chosen) + np.arange(len(replacements.available))
    counts = np.diff(both.offsets)[clusters]
    members = positions_of(both.offsets[clusters], counts)
    sizes = np.diff(both.ring_offsets)[members]
    points = positions_of(both.ring_offsets[members], sizes)
    return LevelRings(
        both.x[points],
        both.y[points],
        offsets_of(sizes),
        both.areas[members],
        both.levels[members],
        offsets_of(counts),
        both.available[clusters],
    )
