"""Compare regions with the truth: means over subjects, with their standard errors."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from polyframe.geometry.boundary_distances import boundary_distances


@dataclass(frozen=True)
class Scene:
    """What was drawn, and by whom.

    Attributes
    ----------
    kind : {"careless", "scribblers", "people"}
        Synthetic scenes with careless volunteers or with scribblers, or BU-BIL.
    volunteers : int
        Volunteers of each subject.
    bad : float
        Share of careless volunteers or scribblers.
    """

    kind: str
    volunteers: int
    bad: float = 0.0


@dataclass
class Row:
    """How close the regions of one method are to the truth.

    Attributes
    ----------
    scenes : str
        The kind of scene.
    volunteers : int
    bad : float
    method : str
    subjects, objects, found : int
        Subjects with a cluster; objects, and how many of them have a cluster.
    marks : float
        Mean number of marks of a cluster.
    iou, boundary, area_ratio : float
        Means over the subjects of the mean over their objects: IoU; symmetric mean distance of the
        boundaries, in pixels, without empty regions; area of the region / true area.
    over_median, over_majority : float or None
        Mean over the subjects of the IoU less that of the median, or of the majority.
    better : float
        Share of the subjects on which the IoU is larger than that of the median.
    iou_error, boundary_error, area_ratio_error, over_median_error, over_majority_error : float or None
        Standard errors of the means.
    """

    scenes: str
    volunteers: int
    bad: float
    method: str
    subjects: int
    iou: float
    iou_error: float
    over_median: float
    over_median_error: float
    better: float
    over_majority: float | None
    over_majority_error: float | None
    boundary: float
    boundary_error: float
    area_ratio: float
    area_ratio_error: float
    objects: int = 0
    found: int = 0
    marks: float = math.nan


@dataclass(frozen=True)
class Measures:
    """The means of each of s subjects; NaN for the boundary distance of empty regions only."""

    iou: NDArray[np.float64]
    boundary: NDArray[np.float64]
    area_ratio: NDArray[np.float64]


def rows_of(
    scene: Scene, regions: dict[str, NDArray[Any]], truths: NDArray[Any], subject: NDArray[np.int64]
) -> list[Row]:
    """Return a row for each method.

    Parameters
    ----------
    scene : Scene
    regions : dict of str to (c,) array of geometries
        Valid, by method; `median` is one of them.
    truths : (c,) array of geometries
    subject : (c,) int64
    """
    measured = {method: measure(found, truths, subject) for method, found in regions.items()}
    median, majority = measured["median"], measured.get("majority")
    rows = []
    for method, own in measured.items():
        gain = own.iou - median.iou
        over_majority = (None, None) if majority is None else mean_and_error(own.iou - majority.iou)
        rows.append(
            Row(
                scene.kind,
                scene.volunteers,
                scene.bad,
                method,
                len(own.iou),
                *mean_and_error(own.iou),
                *mean_and_error(gain),
                float(np.mean(gain > 0)) if len(gain) else math.nan,
                *over_majority,
                *mean_and_error(own.boundary),
                *mean_and_error(own.area_ratio),
            )
        )
    return rows


def measure(regions: NDArray[Any], truths: NDArray[Any], subject: NDArray[np.int64]) -> Measures:
    """Compare regions with true outlines, and average over the objects of each subject."""
    areas, true_areas = shapely.area(regions), shapely.area(truths)
    shared = shapely.area(shapely.intersection(regions, truths))
    iou = shared / (areas + true_areas - shared)
    boundary = boundary_distances(regions, truths)
    _, place = np.unique(subject, return_inverse=True)
    return Measures(*(_means(values, place) for values in (iou, boundary, areas / true_areas)))


def mean_and_error(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the mean of the values that are not NaN, and its standard error; NaN for too few values."""
    values = values[~np.isnan(values)]
    if len(values) < 2:
        return (float(values[0]) if len(values) else math.nan), math.nan
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))


def _means(values: NDArray[np.float64], place: NDArray[np.int64]) -> NDArray[np.float64]:
    known = ~np.isnan(values)
    count = int(place.max(initial=-1)) + 1
    sums = np.bincount(place[known], weights=values[known], minlength=count)
    counts = np.bincount(place[known], minlength=count)
    means: NDArray[np.float64] = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return means
