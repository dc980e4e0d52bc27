"""Turn rings into regions: polygons that may have holes and several parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import offsets_of, positions_of
from polyframe.geometry.polygon_parts import extract_polygons, have_area
from polyframe.geometry.polygon_repair import polygons_from_ragged


@dataclass(frozen=True)
class Rings:
    """The rings of some regions; r rings.

    Attributes
    ----------
    points : sequence of r (k, 2) float64
        Closed or not.
    region, part : (r,) int64
        The region of each ring, and its part of it: the shell and the holes of one polygon.
    is_hole : (r,) bool
    """

    points: Sequence[Floats]
    region: Ints
    part: Ints
    is_hole: Flags


@dataclass(frozen=True)
class Regions:
    """Some regions; n regions.

    Attributes
    ----------
    polygons : (n,) array of shapely.Polygon or shapely.MultiPolygon
        Valid, with an area; None for a region without one.
    areas : (n,) float64
        0 for a region without an area.
    repaired : (n,) bool
        Whether a ring crosses or touches itself.
    """

    polygons: NDArray[Any]
    areas: Floats
    repaired: Flags


def regions_from_rings(rings: Rings, count: int) -> Regions:
    """Return the region of each number from 0: its parts together, each without its holes.

    Rings are closed and repaired like the marks of volunteers (see `polygon_repair`), so that the same
    outline gives the same polygon. Parts may overlap.

    Parameters
    ----------
    rings : Rings
    count : int
        Number of regions.
    """
    offsets = offsets_of([len(ring) for ring in rings.points])
    points = np.concatenate([np.empty((0, 2)), *rings.points])
    polygons = polygons_from_ragged(points[:, 0], points[:, 1], offsets).polygons
    drawn = np.flatnonzero(~shapely.is_missing(polygons))
    repaired = np.zeros(count, np.bool_)
    repaired[rings.region[drawn[_cross_themselves(points, offsets, drawn)]]] = True

    regions = np.full(count, None, dtype=object)
    n_rings = np.bincount(rings.region, minlength=count)
    single = drawn[(n_rings[rings.region[drawn]] == 1) & ~rings.is_hole[drawn]]
    regions[rings.region[single]] = polygons[single]
    # Few regions of an expert have more rings.
    for region in np.flatnonzero(n_rings > 1):
        own = drawn[rings.region[drawn] == region]
        regions[region] = _composed(polygons[own], rings.part[own], rings.is_hole[own])
    solid = have_area(regions)
    regions[~solid] = None
    return Regions(regions, np.nan_to_num(shapely.area(regions)), repaired & solid)


def _cross_themselves(points: Floats, offsets: Ints, drawn: Ints) -> Flags:
    counts = np.diff(offsets)[drawn]
    number = np.repeat(np.arange(len(drawn)), counts)
    shells = shapely.linearrings(points[positions_of(offsets[drawn], counts)], indices=number)
    return np.asarray(~shapely.is_valid(shapely.polygons(shells)), dtype=np.bool_)


def _composed(polygons: NDArray[Any], part: Ints, is_hole: Flags) -> Any:
    """Return the union of the parts of one region, each without its holes; None if GEOS fails."""
    try:
        parts = [
            shapely.difference(
                shapely.union_all(polygons[(part == number) & ~is_hole]),
                shapely.union_all(polygons[(part == number) & is_hole]),
            )
            for number in np.unique(part[~is_hole])
        ]
        pieces, _ = extract_polygons(np.array([shapely.union_all(parts)], dtype=object))
    except shapely.errors.GEOSException:
        return None
    return pieces[0] if len(pieces) == 1 else shapely.multipolygons(pieces)
