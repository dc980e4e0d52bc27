"""Marks for the tests of the array layer."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import shapely

from polyframe.geometry.compiled.numba_jit import compile_loops

compile_loops()  # before a test imports the loops


def outline(rng: np.random.Generator, vertices: int, snap: float) -> shapely.Polygon:
    """Return a freehand-like outline near (300, 300), about 100 pixels in radius."""
    angle = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
    waves = sum(rng.normal(0, 0.02) * np.cos(k * angle + rng.uniform(0, 7)) for k in range(2, 10))
    radius = 100 * (1 + waves + rng.normal(0, 0.004, vertices))
    points = rng.normal(300, 4, 2) + np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    if snap:
        points = np.round(points / snap) * snap
    return max(shapely.get_parts(shapely.Polygon(points).buffer(0)), key=lambda part: part.area)


@pytest.fixture(scope="session")
def make_cluster() -> Callable[..., Any]:
    """Return a function that makes outlines of one object, on a grid of `snap` pixels if that is not 0."""

    def make(count: int, vertices: int = 120, seed: int = 0, snap: float = 0.0) -> Any:
        rng = np.random.default_rng(seed)
        return np.array([outline(rng, vertices, snap) for _ in range(count)], dtype=object)

    return make
