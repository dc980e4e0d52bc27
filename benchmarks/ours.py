"""Provide polyframe's side of the benchmark: engines, commands, and functions of kernels."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from inputs import Export

from polyframe.geometry.engines import engine_named
from polyframe.geometry.exact_contours import ContourLevels

EPS, MIN_SAMPLES = 0.5, 2
#: Names of the engines in the tables: with the extra `fast`, and without.
LABELS = {"compiled": "fast", "shapely": "without"}
#: Settings that `extract` does not have.
_REDUCTION = ("filter", "eps", "min_samples")

Contours = Callable[[Any, Any], ContourLevels]


def engines() -> list[str]:
    """Return the available engines, the compiled one first."""
    return ["compiled", "shapely"] if importlib.util.find_spec("numba") else ["shapely"]


def command(stage: str, export: Export, output: Path, engine: str, *more: str, jobs: int = 1) -> list[str]:
    """Return the command of a whole run with settings equivalent to those of the reference.

    Parameters
    ----------
    stage : {"extract", "run"}
    export : Export
    output : Path
    engine : {"shapely", "compiled", "auto"}
    *more : str
        Further flags.
    jobs : int
        Workers.
    """
    flags = settings(export, engine, jobs)
    if stage == "extract":
        flags = {name: value for name, value in flags.items() if name not in _REDUCTION}
    arguments = [
        text for name, value in flags.items() for text in (f"--{name.replace('_', '-')}", str(value))
    ]
    start = [sys.executable, "-m", "polyframe", stage, str(export.path)]
    return [*start, *arguments, "--output", str(output), "--quiet", *more]


def settings(export: Export, engine: str, jobs: int = 1) -> dict[str, Any]:
    """Return the settings of a whole run as keyword parameters of `polyframe.run`."""
    return {
        "workflow_id": export.workflow_id,
        "workflow_version": export.workflow_version,
        "task": "T0",
        "jobs": jobs,
        "engine": engine,
        "filter": "all",
        "eps": EPS,
        "min_samples": MIN_SAMPLES,
    }


def contour_functions() -> dict[str, Contours]:
    """Return the functions for exact contours of many clusters, by engine."""
    return {engine: engine_named(engine).contours for engine in engines()}


def one_cluster(contours: Contours, marks: Any) -> list[float]:
    """Return the areas of all levels of one cluster."""
    levels = contours(marks, np.array([0, len(marks)]))
    return shapely.area(levels.polygons).tolist()


def bare_intersection_areas(polygons: Any, left: Any, right: Any) -> Any:
    """Return intersection areas, by Shapely alone."""
    return shapely.area(shapely.intersection(polygons[left], polygons[right]))


def bare_faces(marks: Any) -> Any:
    """Node and polygonize the outlines of a cluster, as any exact method on GEOS has to."""
    noded = shapely.unary_union(shapely.boundary(marks))
    return shapely.get_parts(shapely.polygonize(shapely.get_parts(noded)))
