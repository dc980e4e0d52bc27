"""Connected components, compared with those of SciPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array, csgraph

from polyframe.core.components import connected_components


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
