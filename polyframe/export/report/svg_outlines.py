"""Convert outlines to short SVG paths, simplified below what is visible."""

from typing import Any

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray

from polyframe.core.arrays import Floats, Ints
from polyframe.core.ragged import flatten, list_column, offsets_of


def svg_paths(x: pl.Series, y: pl.Series, unit: Floats, tolerance: Floats) -> pl.Series:
    """Convert outlines to SVG paths.

    Parameters
    ----------
    x, y : (n,) list<f64>
        Outlines in image pixels, closed or not, without missing values.
    unit : (n,) float64
        Pixels per unit of the integers in the path.
    tolerance : (n,) float64
        Largest distance of a path from its outline in pixels, in addition to rounding.

    Returns
    -------
    polars.Series
        (n,) str, such as `M12 5l3-2 4 0z`: an absolute point, then relative steps, so that paths can be
        concatenated. An outline of fewer than two points gives an empty path. Simplified by the algorithm of
        Douglas and Peucker (1973).
    """
    flat_x, offsets = flatten(x)
    flat_y, _ = flatten(y)
    lengths = np.diff(offsets)
    drawn = np.flatnonzero(lengths >= 2)
    if not len(drawn):
        return pl.repeat("", len(x), dtype=pl.String, eager=True)
    keep = np.repeat(lengths >= 2, lengths)
    lines = shapely.linestrings(
        np.column_stack([flat_x, flat_y])[keep], indices=np.repeat(np.arange(len(drawn)), lengths[drawn])
    )
    simple = shapely.simplify(lines, tolerance[drawn], preserve_topology=False)
    points, line = shapely.get_coordinates(simple, return_index=True)
    steps, owner = _steps(np.rint(points / unit[drawn][line, None]).astype(np.int64), line)
    return _path_texts(steps, owner, drawn, len(x))


def _steps(points: Ints, line: NDArray[Any]) -> tuple[Ints, NDArray[Any]]:
    """Return the first point of each line and the steps from it, without zero steps and the closing step."""
    begins = np.r_[True, line[1:] != line[:-1]]
    first = np.flatnonzero(begins)
    moved = np.r_[True, (points[1:] != points[:-1]).any(axis=1)]
    # The `z` of the path draws the closing step.
    ends = np.r_[begins[1:], True]
    at_first = (points == points[first[np.cumsum(begins) - 1]]).all(axis=1)
    keep = begins | (moved & ~(ends & at_first))
    points, begins = points[keep], begins[keep]
    steps = np.diff(points, axis=0, prepend=points[:1])
    steps[begins] = points[begins]
    return steps, line[keep]


def _path_texts(steps: Ints, owner: NDArray[Any], drawn: Ints, length: int) -> pl.Series:
    offsets = offsets_of(np.bincount(owner, minlength=len(drawn)))
    numbers = list_column("path", steps.ravel(), offsets * 2).cast(pl.List(pl.String))

    def joined(part: pl.Expr) -> pl.Expr:
        # A minus sign separates numbers as well as a space does.
        return part.list.join(" ").str.replace_all(" -", "-", literal=True)

    path = pl.col("path")
    texts = pl.DataFrame({"path": numbers}).select(
        pl.format("M{}l{}z", joined(path.list.head(2)), joined(path.list.slice(2))).str.replace(
            "lz", "z", literal=True
        )
    )["path"]
    places = pl.DataFrame({"place": drawn, "path": texts})
    every_place = pl.DataFrame({"place": np.arange(length)})
    return every_place.join(places, on="place", how="left", maintain_order="left")["path"].fill_null("")
