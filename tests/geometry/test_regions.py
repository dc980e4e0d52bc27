"""Regions of rings: holes, several parts, rings that cross themselves, and rings without an area."""

import numpy as np
import shapely

from polyframe.geometry.regions import Regions, Rings, regions_from_rings

SQUARE = [(0, 0), (10, 0), (10, 10), (0, 10)]
HOLE = [(2, 2), (4, 2), (4, 4), (2, 4), (2, 2)]
BESIDE = [(20, 0), (30, 0), (30, 10), (20, 10)]
OVERLAPPING = [(5, 0), (15, 0), (15, 10), (5, 10)]
BOW_TIE = [(0, 0), (10, 10), (10, 0), (0, 8)]
LINE = [(0, 0), (5, 5), (10, 10)]


def regions(*outlines: list[list[list[tuple[int, int]]]]) -> Regions:
    """Return the regions of outlines: lists of parts, each of which is a list of rings."""
    rings = [
        (np.array(ring, float), region, part, number > 0)
        for region, parts in enumerate(outlines)
        for part, part_rings in enumerate(parts)
        for number, ring in enumerate(part_rings)
    ]
    points, region, part, is_hole = zip(*rings, strict=True) if rings else ((), (), (), ())
    return regions_from_rings(
        Rings(points, np.array(region, int), np.array(part, int), np.array(is_hole, bool)), len(outlines)
    )


def test_areas() -> None:
    found = regions(
        [[SQUARE]],
        [[SQUARE, HOLE]],
        [[SQUARE], [BESIDE]],
        [[SQUARE], [OVERLAPPING]],
        [[SQUARE, HOLE], [BESIDE]],
        [[LINE]],
        [[]],
        [[BOW_TIE]],
    )
    assert found.areas[:7].tolist() == [100, 96, 200, 150, 196, 0, 0]
    assert found.repaired.tolist() == [False] * 7 + [True]
    assert shapely.is_missing(found.polygons).tolist() == [False] * 5 + [True, True, False]
    assert shapely.is_valid(found.polygons[~shapely.is_missing(found.polygons)]).all()
    # As for the marks of volunteers, the larger part of an outline that crosses itself is kept.
    parts = shapely.get_parts(shapely.make_valid(shapely.Polygon(BOW_TIE)))
    assert found.areas[7] == max(part.area for part in parts)


def test_a_hole_as_large_as_its_shell_leaves_nothing() -> None:
    found = regions([[SQUARE, SQUARE]], [[LINE, HOLE]])
    assert found.areas.tolist() == [0, 0]
    assert found.polygons.tolist() == [None, None]


def test_no_regions() -> None:
    assert regions().areas.tolist() == []
