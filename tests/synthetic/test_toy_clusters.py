"""Test each parameter of toy clusters against the geometry of regular polygons."""

import math

import numpy as np
import pytest
import shapely

from polyframe.core.errors import UsageError
from polyframe.synthetic import toy_cluster, toy_pair


def polygons(cluster):
    return [shapely.Polygon(np.c_[x, y]) for x, y in zip(cluster.xs, cluster.ys, strict=True)]


@pytest.mark.parametrize("n_sides", [3, 4, 6, 11])
@pytest.mark.parametrize("radius", [1.0, 2.5])
def test_without_noise_polygons_are_regular(n_sides, radius):
    cluster = toy_cluster(n_sides, 5, radius=radius, spread=0.3, rotation=20, seed=4)
    area = n_sides / 2 * radius**2 * math.sin(2 * math.pi / n_sides)
    for polygon in polygons(cluster):
        assert polygon.area == pytest.approx(area, rel=1e-12)
        assert len(polygon.exterior.coords) == n_sides + 1
        sides = np.hypot(*np.diff(np.array(polygon.exterior.coords), axis=0).T)
        assert sides == pytest.approx(np.full(n_sides, sides[0]))


def test_without_randomness_all_marks_are_equal():
    first, *others = polygons(toy_cluster(5, 4, spread=0, centre=(3, -1)))
    assert all(other.equals(first) for other in others)
    assert (first.centroid.x, first.centroid.y) == pytest.approx((3, -1))


def test_spread_is_the_standard_deviation_of_the_centres():
    cluster = toy_cluster(4, 4000, spread=0.2, radius=3.0)
    centres = np.array([[x.mean(), y.mean()] for x, y in zip(cluster.xs, cluster.ys, strict=True)])
    assert centres.std(axis=0) == pytest.approx([0.6, 0.6], rel=0.05)
    assert centres.mean(axis=0) == pytest.approx([0, 0], abs=0.05)


def test_rotation_turns_without_moving():
    cluster = toy_cluster(4, 2000, spread=0, rotation=5)
    angles = [math.degrees(math.atan2(y[0], x[0])) for x, y in zip(cluster.xs, cluster.ys, strict=True)]
    assert np.std(angles) == pytest.approx(5, rel=0.08)


def test_noise_moves_every_corner():
    still, noisy = (toy_cluster(6, 2000, spread=0, noise=noise) for noise in (0.0, 0.1))
    moved = np.array(noisy.xs) - np.array(still.xs)
    assert moved.std(axis=0) == pytest.approx(np.full(6, 0.1), rel=0.08)


def test_the_same_seed_gives_the_same_marks():
    one, same, other = (toy_cluster(5, 3, noise=0.1, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.xs, same.xs)
    assert not np.array_equal(one.xs, other.xs)


def test_the_overlap_of_a_pair_depends_on_its_distance():
    pair = toy_pair(4, 3, distance=1.0, radius=2.0, spread=0)
    assert pair.truth.tolist() == [0, 0, 0, 1, 1, 1]
    assert pair.volunteer.tolist() == [0, 1, 2, 0, 1, 2]
    marks = polygons(pair)
    # Two diamonds of radius 2 with centres 2 apart share a diamond of radius 1.
    assert marks[0].intersection(marks[3]).area == pytest.approx(2.0)
    apart = polygons(toy_pair(4, 1, distance=2.5, spread=0))
    assert apart[0].disjoint(apart[1])


def test_the_two_objects_of_a_pair_differ_randomly():
    pair = toy_pair(4, 2, distance=0, spread=0.2)
    assert not np.allclose(pair.xs[0], pair.xs[2])


def test_a_cluster_without_marks_is_empty():
    assert toy_cluster(5, 0).xs == []


@pytest.mark.parametrize(
    "values", [{"n_sides": 2}, {"n_marks": -1}, {"radius": 0}, {"spread": -1}, {"noise": math.nan}]
)
def test_values_out_of_range_are_errors(values):
    with pytest.raises(UsageError, match=f"^{next(iter(values))} must be "):
        toy_cluster(**values)
