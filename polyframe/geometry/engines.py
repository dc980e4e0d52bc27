"""What computes areas and contours: GEOS alone, or loops compiled by numba (the extra `fast`).

Both give the same results: intersection areas to 1e-9, contours with the same areas. `auto` takes the
compiled loops where numba is installed, whatever the size of the work, so that a part of the marks gives the
same numbers, to the last bit, as all of them.
"""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyframe._errors import UsageError
from polyframe.geometry.averages import cluster_intersections, cluster_unions
from polyframe.geometry.contours import ContourLevels, cluster_contours
from polyframe.geometry.distances import IntersectionAreas, shapely_intersection_areas

Polygons = NDArray[Any]
Offsets = NDArray[np.int64]


@dataclass(frozen=True)
class Engine:
    """The functions that a reduction rests on; each takes flat polygons of many clusters and offsets.

    Attributes
    ----------
    name : str
        `shapely` or `sweep`.
    intersection_areas : callable
        See `polyframe.geometry.distances`.
    contours : callable
        See `polyframe.geometry.contours.cluster_contours`.
    unions, intersections : callable
        See `polyframe.geometry.averages`.
    """

    name: str
    intersection_areas: IntersectionAreas
    contours: Callable[[Polygons, Offsets], ContourLevels]
    unions: Callable[[Polygons, Offsets], Polygons]
    intersections: Callable[[Polygons, Offsets], Polygons]


def engine_named(name: str) -> Engine:
    """Return the engine of a name.

    Parameters
    ----------
    name : {"auto", "shapely", "sweep"}
        `auto` is `sweep` where numba is installed, else `shapely`.

    Raises
    ------
    UsageError
        Where `sweep` is asked for and numba is missing.
    """
    check_engine(name)
    if name == "shapely" or not _is_compiled():
        return Engine(
            "shapely", shapely_intersection_areas, cluster_contours, cluster_unions, cluster_intersections
        )
    from polyframe.geometry.sweep import sweep_intersection_areas
    from polyframe.geometry.walk import (
        fast_cluster_contours,
        fast_cluster_intersections,
        fast_cluster_unions,
    )

    return Engine(
        "sweep",
        sweep_intersection_areas,
        fast_cluster_contours,
        fast_cluster_unions,
        fast_cluster_intersections,
    )


def check_engine(name: str) -> None:
    """Raise a UsageError where an engine is asked for that is not installed."""
    if name == "sweep" and not _is_compiled():
        raise UsageError("engine: 'sweep' needs numba; install it with: pip install 'polyframe[fast]'")


def _is_compiled() -> bool:
    return importlib.util.find_spec("numba") is not None
