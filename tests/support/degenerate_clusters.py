"""Draw clusters of marks that are as degenerate as possible, for property tests."""

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from shapely import box

from polyframe.geometry import polygons_from_paths

Path = Sequence[tuple[float, float]]

SMALL_GRID = st.tuples(st.integers(0, 5), st.integers(0, 5))


def bounded(examples: int) -> settings:
    """Return the settings of a property test with so many examples."""
    return settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])


def clusters(
    points: st.SearchStrategy[tuple[int, int]], size: tuple[int, int] = (2, 4)
) -> st.SearchStrategy[list[list[tuple[int, int]]]]:
    """Draw clusters of paths with vertices from one small pool: repeated, shared, collinear."""
    pool = st.lists(points, min_size=4, max_size=8, unique=True)
    return pool.flatmap(
        lambda corners: st.lists(
            st.lists(st.sampled_from(corners), min_size=3, max_size=6), min_size=size[0], max_size=size[1]
        )
    )


def polygons_of(paths: Sequence[Path]) -> NDArray[Any]:
    """Return the marks of some paths; at least two, or else the example is dropped."""
    repaired = polygons_from_paths(*([[point[i] for point in path] for path in paths] for i in (0, 1)))
    marks = np.array([mark for mark in repaired if mark is not None], dtype=object)
    assume(len(marks) > 1)
    return marks


def scaled(paths: Sequence[Path], scale: float) -> list[Path]:
    """Return paths with all coordinates multiplied by a number."""
    return [[(x * scale, y * scale) for x, y in path] for path in paths]


def nudged(paths: Sequence[Path], width: float, source: random.Random) -> list[Path]:
    """Return paths with about half of the coordinates moved by a width, so that slivers arise."""
    nudge = [-width, 0, 0, width]
    return [[(x + source.choice(nudge), y + source.choice(nudge)) for x, y in path] for path in paths]


def _marks_of_cells(cells: list[list[tuple[int, int]]]) -> NDArray[Any]:
    drawn = [shapely.union_all([box(x, y, x + 1, y + 1) for x, y in mark]) for mark in cells]
    return np.array([shapely.get_parts(mark)[0] for mark in drawn], dtype=object)


#: Marks made of cells of a grid: with shared edges, corners that touch, and holes.
MARKS_OF_CELLS = st.lists(st.lists(SMALL_GRID, min_size=1, max_size=9), min_size=2, max_size=4).map(
    _marks_of_cells
)
