"""Clusters of regular polygons, to see what averages, `eps` and `min_samples` do."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from polyframe.core.arrays import Floats, Ints
from polyframe.core.errors import UsageError, short_repr
from polyframe.core.values import is_integer
from polyframe.synthetic.random_numbers import TOY, bell, stream

#: Sides, and marks, of a cluster.
_MOST: Final = 10_000


@dataclass(frozen=True)
class ToyCluster:
    """Some toy marks.

    `polyframe.geometry.polygons_from_paths(cluster.xs, cluster.ys)` makes polygons of them.

    Attributes
    ----------
    xs, ys : lists of float64 arrays
        One pair for each mark, not closed.
    volunteer : int64 array, shape (n_marks,)
        Who drew each mark: everyone has one mark in each cluster.
    truth : int64 array, shape (n_marks,)
        The cluster that each mark was made for: 0, 1, ...
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
    """Return marks of one object: regular polygons that differ by chance.

    Parameters
    ----------
    n_sides : int
        Sides of each polygon, at least 3.
    n_marks : int
        How many polygons, at least 0.
    radius : float
        Distance from centre to corner, above 0.
    centre : (float, float)
        Where the object is.
    spread : float
        Standard deviation of a polygon's centre along each axis, in radii, at least 0.
    rotation : float
        Standard deviation of a polygon's angle, in degrees, at least 0.
    noise : float
        Standard deviation of every corner along each axis, in radii, at least 0.
    seed : int
        Same seed, same marks. With the same seed and less spread the marks move along straight lines, so
        that the effect of one parameter can be seen by itself.

    Returns
    -------
    ToyCluster

    Raises
    ------
    UsageError
        Where a value is out of its range.
    """
    _require(
        is_integer(n_sides) and 3 <= n_sides <= _MOST, "n_sides", n_sides, f"a whole number from 3 to {_MOST}"
    )
    _require(is_integer(n_marks) and 0 <= n_marks <= _MOST, "n_marks", n_marks, f"a whole number to {_MOST}")
    _require(is_integer(seed) and seed >= 0, "seed", seed, "a whole number from 0")
    _require(_is_number(radius) and radius > 0, "radius", radius, "a number above 0")
    for name, value in (("spread", spread), ("rotation", rotation), ("noise", noise)):
        _require(_is_number(value) and value >= 0, name, value, "a number from 0")
    bits = stream(seed, TOY)
    moved, turned = bell(bits, n_marks, 2), bell(bits, n_marks)
    shaken = bell(bits, n_marks, n_sides, 2)

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
    """Return marks of two objects that overlap where `distance` is below 2.

    Parameters
    ----------
    n_sides, radius, spread, rotation, noise, seed
        As for `toy_cluster`, for each of the two.
    n_marks : int
        Polygons of each object; everyone marks both.
    distance : float
        From centre to centre, in radii, at least 0.

    Returns
    -------
    ToyCluster
        First the marks of the left object, then those of the right one.

    Raises
    ------
    UsageError
        Where a value is out of its range.
    """
    _require(0 <= distance < float("inf"), "distance", distance, "a number from 0")
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


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _require(condition: bool, name: str, value: object, expected: str) -> None:
    if not condition:
        raise UsageError(f"{name}: {short_repr(value)} is not {expected}")
