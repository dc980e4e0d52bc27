"""Polygons as flat arrays of rings."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import shapely

from polyframe.geometry.compiled.slab_decomposition import rings_of
from polyframe.geometry.polygon_parts import flat_rings

SQUARE, TRIANGLE = shapely.box(0, 0, 4, 4), shapely.Polygon([(0, 0), (1, 0), (0, 1)])
FRAME = SQUARE.difference(shapely.box(1, 1, 2, 2)).difference(shapely.box(2.5, 1, 3, 2))
LINE, EMPTY, TWO = (
    shapely.LineString([(0, 0), (1, 1)]),
    shapely.Polygon(),
    shapely.MultiPolygon([FRAME, TRIANGLE]),
)


def rings_one_by_one(geometry: Any) -> list[Any]:
    """Return the coordinates of the rings of a polygon or multipolygon that have any."""
    if geometry is None or geometry.geom_type not in ("Polygon", "MultiPolygon"):
        return []
    polygons = [part for part in shapely.get_parts(geometry) if not part.is_empty]
    return [list(ring.coords) for part in polygons for ring in (part.exterior, *part.interiors)]


@pytest.mark.parametrize(
    "geometries",
    [
        [],
        [SQUARE, TRIANGLE, SQUARE],
        [SQUARE, FRAME, TRIANGLE],
        [TRIANGLE, None, SQUARE],
        [EMPTY, TRIANGLE, LINE, FRAME, EMPTY],
        [LINE, TRIANGLE],
        [None, TWO, EMPTY, SQUARE, LINE],
    ],
)
def test_the_rings_of_polygons(geometries: list[Any]) -> None:
    array = np.array([*geometries, None], dtype=object)[:-1]
    for function in (flat_rings, rings_of):
        if function is flat_rings and TWO in geometries:
            continue
        coordinates, rings, polygons = function(array)
        found = [coordinates[low:high].tolist() for low, high in pairwise(rings)]
        for low, high, geometry in zip(polygons[:-1], polygons[1:], geometries, strict=True):
            expected = [[list(point) for point in ring] for ring in rings_one_by_one(geometry)]
            assert [ring for ring in found[low:high] if ring] == expected
        assert (polygons[0], polygons[-1], rings[-1]) == (0, len(found), len(coordinates))
