"""Compute how far the boundaries of pairs of regions are from one another.

The symmetric mean distance, also called the average symmetric surface distance, is the mean distance of the
points of each boundary to the nearest point of the other one:

    (sum of d(a, B) over a in A + sum of d(b, A) over b in B) / (length of A + length of B)

with integrals along the boundaries as sums.

References
----------
T. Heimann et al., "Comparison and evaluation of methods for liver segmentation from CT datasets", IEEE
Transactions on Medical Imaging 28 (2009), doi 10.1109/TMI.2009.2013851.
"""

from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from polyframe.core.arrays import Floats
from polyframe.core.ragged import offsets_of

#: Points on each boundary at which the distance is measured.
POINTS: Final = 128

#: Pairs in memory at the same time.
_CHUNK: Final = 4096


def boundary_distances(one: NDArray[Any], other: NDArray[Any]) -> Floats:
    """Return the symmetric mean distance between the boundaries of each pair of regions.

    Parameters
    ----------
    one, other : ndarray of shapely.Polygon or shapely.MultiPolygon, shape (p,)
        The boundary of a region consists of all of its rings, those of its holes too.

    Returns
    -------
    ndarray of float64, shape (p,)
        In pixels. Each boundary is measured at `POINTS` points at equal steps along it. NaN if a region is
        empty or None.
    """
    distances = np.full(len(one), np.nan)
    filled = np.flatnonzero((shapely.area(one) > 0) & (shapely.area(other) > 0))
    for start in range(0, len(filled), _CHUNK):
        part = filled[start : start + _CHUNK]
        distances[part] = _distances(shapely.boundary(one[part]), shapely.boundary(other[part]))
    return distances


def _distances(one: NDArray[Any], other: NDArray[Any]) -> Floats:
    lengths = shapely.length(one), shapely.length(other)
    means = (
        shapely.distance(_points_along(line), target[:, np.newaxis]).mean(axis=1)
        for line, target in ((one, other), (other, one))
    )
    weighted = sum(mean * length for mean, length in zip(means, lengths, strict=True))
    return np.asarray(weighted / (lengths[0] + lengths[1]), dtype=np.float64)


def _points_along(lines: NDArray[Any]) -> NDArray[Any]:
    """Return points in the middle of equal parts of each line, (n, `POINTS`)."""
    rings, owner = shapely.get_parts(lines, return_index=True)
    coordinates, ring = shapely.get_coordinates(rings, return_index=True)
    steps = np.sqrt(np.square(np.diff(coordinates, axis=0)).sum(axis=1))
    steps[ring[1:] != ring[:-1]] = 0.0  # from one ring to the next
    line = owner[ring]
    ends = offsets_of(np.bincount(line, minlength=len(lines)))[1:] - 1
    # The number of the line plus the share of its length, so that one interpolation is enough for all lines.
    along = np.append(0.0, np.cumsum(steps))
    starts = np.append(0, ends[:-1] + 1)
    share = (along - along[starts][line]) / (along[ends] - along[starts])[line]
    wanted = np.arange(len(lines))[:, np.newaxis] + (np.arange(POINTS) + 0.5) / POINTS
    x, y = (np.interp(wanted, line + share, values) for values in coordinates.T)
    return np.asarray(shapely.points(x, y))
