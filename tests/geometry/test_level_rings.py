"""Test the flat rings of contour levels against polygons."""

import numpy as np
import pytest
import shapely

from polyframe.geometry.level_rings import (
    concatenate_clusters,
    replace_clusters,
    replace_rings,
    rings_from_polygons,
    select_rings,
)


def discs(count, seed):
    """Return circles of different sizes, with different numbers of vertices."""
    rng = np.random.default_rng(seed)
    centres = shapely.points(rng.uniform(0, 9, (count, 2)))
    quarters = rng.integers(1, 6, count).tolist()
    circles = [centre.buffer(rng.uniform(1, 3), n) for centre, n in zip(centres, quarters, strict=True)]
    return shapely.orient_polygons(np.array(circles, dtype=object))


def test_all_levels():
    circles = discs(9, seed=1)
    rings = rings_from_polygons(circles, np.array([0, 4, 4, 9]))
    assert rings.offsets.tolist() == [0, 4, 4, 9]
    assert rings.levels.tolist() == [1, 2, 3, 4, 1, 2, 3, 4, 5]
    assert rings.available.tolist() == [4, 0, 5]
    assert np.array_equal(rings.areas, shapely.area(circles))
    assert shapely.equals_identical(rings.polygons(), circles).all()


@pytest.mark.parametrize(("most", "levels"), [(1, [1, 1]), (2, [1, 4, 1, 5]), (3, [1, 3, 4, 1, 3, 5])])
def test_some_levels(most, levels):
    circles = discs(9, seed=2)
    rings = rings_from_polygons(circles, np.array([0, 4, 9]), most)
    assert rings.levels.tolist() == levels
    assert rings.available.tolist() == [4, 5]
    cluster = np.repeat([0, 4], np.diff(rings.offsets))
    assert shapely.equals_identical(rings.polygons(), circles[cluster + rings.levels - 1]).all()


def test_no_clusters():
    rings = rings_from_polygons(np.array([], dtype=object), np.array([0]), 5)
    assert (len(rings.x), rings.ring_offsets.tolist(), rings.offsets.tolist()) == (0, [0], [0])


def test_replace_clusters():
    circles, others = discs(9, seed=3), discs(5, seed=4)
    rings = rings_from_polygons(circles, np.array([0, 2, 5, 5, 9]))
    replaced = replace_clusters(
        rings, np.array([False, True, True, False]), rings_from_polygons(others, np.array([0, 1, 5]), 3)
    )
    expected = [*circles[:2], others[0], *others[[1, 3, 4]], *circles[5:]]
    assert shapely.equals_identical(replaced.polygons(), np.array(expected, dtype=object)).all()
    assert replaced.levels.tolist() == [1, 2, 1, 1, 3, 4, 1, 2, 3, 4]
    assert replaced.offsets.tolist() == [0, 2, 3, 6, 10]
    assert replaced.available.tolist() == [2, 1, 4, 4]
    assert np.array_equal(replaced.areas, shapely.area(replaced.polygons()))
    assert replace_clusters(rings, np.zeros(4, dtype=bool), rings) is rings


def test_select_and_replace_rings():
    circles, others = discs(9, seed=5), discs(3, seed=6)
    rings = rings_from_polygons(circles, np.array([0, 2, 5, 5, 9]))
    chosen = np.array([1, 2, 7])
    selected = select_rings(rings, chosen)
    assert shapely.equals_identical(selected.polygons(), circles[chosen]).all()
    assert (selected.levels.tolist(), selected.offsets.tolist()) == ([2, 1, 3], [0, 1, 2, 2, 3])
    replaced = replace_rings(rings, chosen, others)
    expected = circles.copy()
    expected[chosen] = others
    assert shapely.equals_identical(replaced.polygons(), expected).all()
    assert np.array_equal(replaced.areas, shapely.area(expected))
    assert replaced.offsets.tolist() == rings.offsets.tolist()


def test_concatenate_clusters():
    circles = discs(9, seed=7)
    parts = [circles[:3], circles[3:3], circles[3:]]
    offsets = [np.array([0, 1, 3]), np.array([0]), np.array([0, 0, 6])]
    rings = concatenate_clusters(
        [rings_from_polygons(part, starts) for part, starts in zip(parts, offsets, strict=True)]
    )
    assert shapely.equals_identical(rings.polygons(), circles).all()
    assert rings.offsets.tolist() == [0, 1, 3, 3, 9]
    assert rings.available.tolist() == [1, 2, 0, 6]
