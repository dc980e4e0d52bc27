"""WKB from flat rings is what GEOS writes."""

import numpy as np
import pytest
import shapely

from polyframe.core.ragged import binary_column, offsets_of
from polyframe.geometry.wkb import rings_to_wkb


@pytest.mark.parametrize("corners", [[], [0], [0, 0], [3], [4, 0, 3, 900, 0, 0, 5], [0, 3, 0]])
def test_the_bytes_are_those_of_geos(corners: list[int]) -> None:
    angles = [np.linspace(0, 2 * np.pi, count, endpoint=False) for count in corners]
    polygons = np.array(
        [shapely.Polygon(np.column_stack([k + np.cos(a), np.sin(a)])) for k, a in enumerate(angles)],
        dtype=object,
    )
    x, y = shapely.get_coordinates(polygons).T
    offsets = offsets_of(shapely.get_num_coordinates(polygons))
    column = binary_column("geometry", *rings_to_wkb(x, y, offsets))
    assert column.to_list() == shapely.to_wkb(polygons, byte_order=1).tolist()
    assert column.name == "geometry"
