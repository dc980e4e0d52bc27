"""Connected components, compared with those of SciPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array, csgraph

from polyframe.core.components import component_numbers, components_with_heights, connected_components


def scipy_components(count: int, start: np.ndarray, end: np.ndarray) -> list[int]:
    graph = coo_array((np.ones(len(start)), (start, end)), shape=(count, count))
    _, component = csgraph.connected_components(graph, directed=False)
    first = np.unique(component, return_index=True)[1]
    return first[component].tolist()


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 40), st.integers(0, 60), st.integers(0, 2**32))
def test_components_are_those_of_scipy(count: int, edges: int, seed: int) -> None:
    start, end = np.random.default_rng(seed).integers(0, count, (2, edges))
    assert connected_components(count, start, end).tolist() == scipy_components(count, start, end)


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 40), st.integers(0, 60), st.integers(0, 2**32))
def test_numbers_are_those_of_scipy(count: int, edges: int, seed: int) -> None:
    start, end = np.random.default_rng(seed).integers(0, count, (2, edges))
    graph = coo_array((np.ones(edges), (start, end)), shape=(count, count))
    expected = csgraph.connected_components(graph, directed=False)[1]
    assert component_numbers(count, start, end).tolist() == expected.tolist()


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 40), st.integers(0, 60), st.integers(0, 2**32))
def test_heights_are_those_of_which_the_rises_are_differences(count: int, edges: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    start, end = random.integers(0, count, (2, edges))
    true = random.integers(-50, 50, count)
    component, height = components_with_heights(count, start, end, true[end] - true[start])
    assert component.tolist() == component_numbers(count, start, end).tolist()
    first = np.unique(component, return_index=True)[1]
    assert height.tolist() == (true - true[first][component]).tolist()


def test_heights_along_a_long_path() -> None:
    path = np.random.default_rng(1).permutation(1000)
    _, height = components_with_heights(1000, path[:-1], path[1:], np.ones(999, np.int64))
    assert (height - height[path[0]])[path].tolist() == list(range(1000))


def test_rises_that_contradict_each_other_disagree_with_the_heights() -> None:
    start, end, rise = np.array([0, 1, 2, 3]), np.array([1, 2, 0, 3]), np.array([1, 1, 1, 0])
    _, height = components_with_heights(4, start, end, rise)
    assert np.any((height[end] - height[start] != rise)[:3])


@pytest.mark.parametrize("seed", range(3))
def test_long_paths_and_stars(seed: int) -> None:
    nodes = np.random.default_rng(seed).permutation(2000)
    path, star = nodes[:1000], nodes[1000:]
    start = np.concatenate([path[:-1], np.full(999, star[0])])
    end = np.concatenate([path[1:], star[1:]])
    root = connected_components(2000, start, end)
    assert set(root[path]) == {path.min()}
    assert set(root[star]) == {star.min()}


def test_without_nodes_or_edges() -> None:
    none = np.zeros(0, np.int64)
    assert connected_components(0, none, none).tolist() == []
    assert connected_components(3, none, none).tolist() == [0, 1, 2]
