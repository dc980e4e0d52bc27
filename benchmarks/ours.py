"""Provide polyframe's side of the benchmark: engines, commands, and functions of kernels."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from inputs import WORKFLOW_ID, Export

from polyframe.geometry.engines import engine_named
from polyframe.geometry.exact_contours import ContourLevels

EPS, MIN_SAMPLES = 0.5, 2
#: Names of the engines in the tables: with the extra `fast`, and without.
LABELS = {"compiled": "fast", "shapely": "without"}

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
    engine : {"shapely", "compiled"}
    *more : str
        Further flags.
    jobs : int
        Workers.
    """
    flags = {
        "--workflow-id": WORKFLOW_ID,
        "--workflow-version": export.workflow_version,
        "--task": "T0",
        "--jobs": jobs,
        "--engine": engine,
        "--output": output,
    }
    if stage == "run":
        flags |= {"--filter": "all", "--eps": EPS, "--min-samples": MIN_SAMPLES}
    arguments = [str(part) for pair in flags.items() for part in pair]
    return [sys.executable, "-m", "polyframe", stage, str(export.path), *arguments, "--quiet", *more]


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
