"""Generate clusters of regular polygons that show the effect of averages, `eps` and `min_samples`."""

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from polyframe.core.arrays import Floats, Ints
from polyframe.core.setting_rules import integer, number
from polyframe.synthetic.random_numbers import TOY, bell_shaped, stream

_MOST: Final = 10_000
_LARGEST: Final = math.nextafter(math.inf, 0)
_NOT_NEGATIVE: Final = replace(number(0, _LARGEST), expected=">= 0 and finite")
_POSITIVE: Final = replace(number(0, _LARGEST, exclusive=True), expected="> 0 and finite")
_RULES: Final = {
    "n_sides": integer(3, _MOST),
    "n_marks": integer(0, _MOST),
    "seed": integer(0),
    "radius": _POSITIVE,
    "spread": _NOT_NEGATIVE,
    "rotation": _NOT_NEGATIVE,
    "noise": _NOT_NEGATIVE,
}


@dataclass(frozen=True)
class ToyCluster:
    """Toy marks; `polyframe.geometry.polygons_from_paths(cluster.xs, cluster.ys)` returns their polygons.

    Attributes
    ----------
    xs, ys : lists of float64 arrays
        One pair for each mark, not closed.
    volunteer : int64 array, shape (n_marks,)
        Volunteer of each mark: everyone draws one mark in each cluster.
    truth : int64 array, shape (n_marks,)
        True cluster of each mark: 0, 1, ...
    """

    xs: list[Floats]
    ys: list[Floats]
    volunteer: Ints
    truth: Ints


def toy_cluster(
    n_sides: int = 6,
    n_marks: int = 8,
    *,
    radius: float = 1.0,
    centre: tuple[float, float] = (0.0, 0.0),
    spread: float = 0.1,
    rotation: float = 0.0,
    noise: float = 0.0,
    seed: int = 1,
) -> ToyCluster:
    """Return marks of one object: regular polygons that differ randomly.

    Parameters
    ----------
    n_sides : int
        Sides of each polygon, at least 3.
    n_marks : int
        Number of polygons, at least 0.
    radius : float
        Distance from centre to corner, > 0.
    centre : (float, float)
        Centre of the object.
    spread : float
        Standard deviation of a polygon's centre along each axis, in radii.
    rotation : float
        Standard deviation of a polygon's angle, in degrees.
    noise : float
        Standard deviation of every corner along each axis, in radii.
    seed : int
        The same seed gives the same marks. With the same seed and less spread, marks move along straight
        lines, so that the effect of each parameter can be seen separately.

    Raises
    ------
    UsageError
        If a value is out of range.
    """
    values = (n_sides, n_marks, seed, radius, spread, rotation, noise)
    for (name, rule), value in zip(_RULES.items(), values, strict=True):
        rule.check(name, value)
    bits = stream(seed, TOY)
    moved, turned = bell_shaped(bits, n_marks, 2), bell_shaped(bits, n_marks)
    shaken = bell_shaped(bits, n_marks, n_sides, 2)

    angle = np.arange(n_sides) * (2 * np.pi / n_sides) + np.deg2rad(rotation * turned)[:, None]
    corners = np.stack([np.cos(angle), np.sin(angle)], axis=2) + spread * moved[:, None] + noise * shaken
    points = np.asarray(centre, dtype=np.float64) + radius * corners
    return ToyCluster(
        xs=list(points[:, :, 0]),
        ys=list(points[:, :, 1]),
        volunteer=np.arange(n_marks),
        truth=np.zeros(n_marks, dtype=np.int64),
    )


def toy_pair(
    n_sides: int = 6,
    n_marks: int = 8,
    *,
    distance: float = 1.2,
    radius: float = 1.0,
    spread: float = 0.1,
    rotation: float = 0.0,
    noise: float = 0.0,
    seed: int = 1,
) -> ToyCluster:
    """Return marks of two objects that overlap if `distance` is less than 2: first the left, then the right.

    Parameters
    ----------
    n_sides, radius, spread, rotation, noise, seed
        As for `toy_cluster`, for each of the two.
    n_marks : int
        Number of polygons of each object; every volunteer marks both.
    distance : float
        Distance between the centres, in radii.

    Raises
    ------
    UsageError
        If a value is out of range.
    """
    _NOT_NEGATIVE.check("distance", distance)
    left, right = (
        toy_cluster(
            n_sides,
            n_marks,
            radius=radius,
            centre=(side * distance * radius / 2, 0.0),
            spread=spread,
            rotation=rotation,
            noise=noise,
            seed=2 * seed + (side > 0),
        )
        for side in (-1, 1)
    )
    return ToyCluster(
        xs=left.xs + right.xs,
        ys=left.ys + right.ys,
        volunteer=np.concatenate([left.volunteer, right.volunteer]),
        truth=np.repeat([0, 1], n_marks),
    )
