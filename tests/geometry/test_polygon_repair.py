"""Test how drawn paths become valid polygons, or why they cannot."""

import itertools

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from polyframe.core.ragged import offsets_of
from polyframe.core.reasons import NO_AREA, REPAIR_FAILED, TOO_FEW_POINTS
from polyframe.geometry import polygons_from_paths
from polyframe.geometry.polygon_repair import path_problems, polygons_from_ragged

NAN, INF = float("nan"), float("inf")

#: x, y, area (None: unusable), reason
PATHS = {
    "open": ([0, 2, 2, 0], [0, 0, 1, 1], 2.0, None),
    "closed": ([0, 2, 2, 0, 0], [0, 0, 1, 1, 0], 2.0, None),
    "clockwise": ([0, 0, 2, 2], [0, 1, 1, 0], 2.0, None),
    "repeated points": ([0, 0, 2, 2, 2, 0], [0, 0, 0, 1, 1, 1], 2.0, None),
    "bow with unequal halves": ([0, 4, 4, 0], [0, 3, 0, 1], 4.5, None),
    "empty": ([], [], None, TOO_FEW_POINTS),
    "two points": ([0, 1], [0, 1], None, TOO_FEW_POINTS),
    "there and back": ([0, 1, 0], [0, 1, 0], None, TOO_FEW_POINTS),
    "two points, many times": ([0, 1, 0, 1, 0, 1], [0, 1, 0, 1, 0, 1], None, TOO_FEW_POINTS),
    "one point": ([3, 3, 3, 3], [3, 3, 3, 3], None, TOO_FEW_POINTS),
    "on a line": ([0, 1, 2, 3], [0, 0, 0, 0], None, NO_AREA),
    "on a slanted line": ([0.1, 0.2, 0.3, 0.7], [0.1, 0.2, 0.3, 0.7], None, NO_AREA),
    "on a steep line": ([100.1, 100.3, 100.7], [300.3, 300.9, 302.1], None, NO_AREA),
    "nan": ([0, 1, NAN], [0, 0, 1], None, REPAIR_FAILED),
    "infinite": ([0, 1, INF], [0, 0, 1], None, REPAIR_FAILED),
    "overflow": ([0, 1e200, 0], [0, 0, 1e200], None, REPAIR_FAILED),
}


def ragged(paths: list[tuple[list[float], list[float]]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, y = (
        np.array(list(itertools.chain.from_iterable(side)), dtype=float) for side in zip(*paths, strict=True)
    )
    return x, y, np.cumsum([0, *(len(path[0]) for path in paths)])


@pytest.mark.parametrize("name", PATHS)
def test_one_path(name):
    x, y, area, reason = PATHS[name]
    repaired = polygons_from_ragged(x, y, [0, len(x)])
    assert repaired.problems[0] == reason
    assert (repaired.polygons[0] is None) == (area is None)
    assert repaired.areas[0] == pytest.approx(area or 0.0)


def test_all_paths_together_equal_one_by_one():
    repaired = polygons_from_ragged(*ragged([(x, y) for x, y, _, _ in PATHS.values()]))
    assert repaired.problems.tolist() == [reason for *_, reason in PATHS.values()]
    assert repaired.areas == pytest.approx([area or 0.0 for _, _, area, _ in PATHS.values()])


def test_offsets_need_not_begin_at_zero():
    repaired = polygons_from_ragged([9, 0, 1, 1], [9, 0, 0, 1], [1, 4])
    assert repaired.areas.tolist() == [0.5]


def test_vertices_are_unchanged():
    (mark,) = polygons_from_paths([[5, 7, 6]], [[1, 1, 4]])
    assert shapely.get_coordinates(mark).tolist() == [[5, 1], [7, 1], [6, 4], [5, 1]]


def test_a_scribble_keeps_its_largest_part():
    # Two triangles that meet in a crossing, one four times as large.
    (mark,) = polygons_from_paths([[0, 3, 3, 0]], [[0, 3, 1, 1]])
    assert mark.is_valid
    assert mark.area == pytest.approx(2.0)


def test_paths_of_different_lengths_are_named():
    with pytest.raises(ValueError, match="path 1: 2 x coordinates, but 3 y"):
        polygons_from_paths([[0, 1, 1], [0, 1]], [[0, 0, 1], [0, 1, 2]])
    with pytest.raises(ValueError, match="xs has 1 path, but ys has 2"):
        polygons_from_paths([[0, 1, 1]], [[0, 0, 1], [0, 1, 2]])


@pytest.mark.parametrize(
    ("xs", "ys", "place"),
    [
        ([0, 1, 1], [0, 0, 1], r"xs\[0\] is 0"),
        (np.array([0, 1.5, 1]), np.array([0, 0, 1.5]), r"xs\[0\] is .*0\.0"),
        ([[0, 1, 1], None], [[0, 0, 1], [1, 2, 3]], r"xs\[1\] is None"),
        ([[0, 1, 1]], [3], r"ys\[0\] is 3"),
    ],
)
def test_a_single_flat_path_raises_with_advice(xs, ys, place):
    with pytest.raises(ValueError, match=place + r".*pass lists of paths, \[x\] and \[y\]"):
        polygons_from_paths(xs, ys)


def test_no_paths():
    assert len(polygons_from_paths([], [])) == 0


def test_a_repair_that_fails_does_not_affect_others(monkeypatch):
    bows = [([shift, shift + 4, shift + 4, shift], [0, 3, 0, 1]) for shift in range(5)]
    buffer = shapely.buffer

    def fails_on_the_third(geometries, distance):
        if any(bounds[0] == 2 for bounds in shapely.bounds(geometries)):
            raise shapely.errors.GEOSException("TopologyException")
        return buffer(geometries, distance)

    monkeypatch.setattr(shapely, "buffer", fails_on_the_third)
    repaired = polygons_from_ragged(*ragged(bows))
    assert repaired.problems.tolist() == [None, None, REPAIR_FAILED, None, None]
    assert repaired.areas == pytest.approx([4.5, 4.5, 0, 4.5, 4.5])


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=3, max_size=9))
def test_valid_and_simple_are_the_same_for_one_ring(points):
    # On a small grid spikes, repeated points, touches and collinear edges are frequent.
    if len(set(points)) >= 3:
        mark = shapely.Polygon(points)
        assert mark.is_valid == mark.is_simple


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=0, max_size=9))
def test_every_path_is_a_valid_polygon_or_has_a_reason(points):
    x, y = [p[0] for p in points], [p[1] for p in points]
    repaired = polygons_from_ragged(x, y, [0, len(x)])
    mark = repaired.polygons[0]
    if mark is None:
        assert repaired.problems[0] == (TOO_FEW_POINTS if len(set(points)) < 3 else NO_AREA)
    else:
        assert repaired.problems[0] is None
        assert mark.is_valid
        assert mark.area == repaired.areas[0] > 0


def test_path_problems_equal_those_of_the_polygons() -> None:
    paths = list(PATHS.values())
    x = np.concatenate([np.asarray(path[0], np.float64) for path in paths])
    y = np.concatenate([np.asarray(path[1], np.float64) for path in paths])
    offsets = offsets_of([len(path[0]) for path in paths])
    assert path_problems(x, y, offsets).tolist() == [path[3] for path in paths]
    assert len(path_problems([], [], [0])) == 0


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=9), max_size=9),
    st.sampled_from([1e-6, 1.0, 0.1, 1e6]),
    st.sampled_from([0.0, 0.3, 1e6]),
)
def test_path_problems_equal_those_of_random_polygons(
    paths: list[list[tuple[int, int]]], scale: float, shift: float
) -> None:
    points = np.array([point for path in paths for point in path], np.float64).reshape(-1, 2) * scale + shift
    offsets = offsets_of([len(path) for path in paths])
    full = polygons_from_ragged(points[:, 0], points[:, 1], offsets)
    assert path_problems(points[:, 0], points[:, 1], offsets).tolist() == full.problems.tolist()


def test_path_problems_equal_those_of_polygons_on_a_small_grid() -> None:
    # On a small grid many paths turn back on themselves, cross themselves or have no area.
    rng = np.random.default_rng(20)
    for n_points in range(3, 9):
        x, y = rng.integers(0, 4, (2, 3000 * n_points)).astype(float)
        offsets = np.arange(0, 3000 * n_points + 1, n_points)
        problems = path_problems(x, y, offsets)
        assert problems.tolist() == polygons_from_ragged(x, y, offsets).problems.tolist()
        assert 0 < np.count_nonzero(problems != None) < len(problems)  # noqa: E711 - elementwise


def test_an_edge_that_turns_back_at_the_top() -> None:
    # GEOS mistakes on which side of the edge the interior is, and nothing remains.
    x, y = np.array([(0, 1), (1, 1), (0, 1), (0, 0), (1, 1)], float).T
    assert path_problems(x, y, [0, 5]).tolist() == ["no_area"]
    assert polygons_from_ragged(x, y, [0, 5]).problems.tolist() == ["no_area"]


def test_repaired_outlines_are_valid() -> None:
    # Outlines in hundredths that cross themselves often: because of rounding, one repair may not be enough.
    rng = np.random.default_rng(7)
    steps = np.cumsum(rng.normal(0, 3, (2000, 40, 2)), axis=1).round(2)
    repaired = polygons_from_ragged(*steps.reshape(-1, 2).T, np.arange(0, 80_001, 40)).polygons
    assert shapely.is_valid(repaired[~shapely.is_missing(repaired)]).all()
