"""Outlines as paths of SVG: coarser than what can be seen, and short."""

from typing import Any

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray

from polyframe.core.arrays import Floats, Ints
from polyframe.core.ragged import flatten, list_column, offsets_of


def svg_paths(x: pl.Series, y: pl.Series, unit: Floats, tolerance: Floats) -> pl.Series:
    """Turn outlines into paths of SVG.

    Parameters
    ----------
    x, y : (n,) list<f64>
        Outlines in image pixels, closed or not, without missing values.
    unit : (n,) float64
        Pixels in one step of the path's whole numbers.
    tolerance : (n,) float64
        How far a path may stray from its outline, in pixels, besides the rounding.

    Returns
    -------
    polars.Series
        (n,) str, such as `M12 5l3-2 4 0z`: an absolute point, then steps, so that paths can stand behind one
        another; empty for an outline of fewer than two points. Simplified by the way of Douglas and Peucker.
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
    return _written(steps, owner, drawn, len(x))


def _steps(points: Ints, line: NDArray[Any]) -> tuple[Ints, NDArray[Any]]:
    """Return the first point of each line and the way on from there, without standing still or closing."""
    begins = np.r_[True, line[1:] != line[:-1]]
    first = np.flatnonzero(begins)
    moved = np.r_[True, (points[1:] != points[:-1]).any(axis=1)]
    # The end of the path draws the last side.
    ends = np.r_[begins[1:], True]
    home = (points == points[first[np.cumsum(begins) - 1]]).all(axis=1)
    kept = begins | (moved & ~(ends & home))
    points, begins = points[kept], begins[kept]
    steps = np.diff(points, axis=0, prepend=points[:1])
    steps[begins] = points[begins]
    return steps, line[kept]


def _written(steps: Ints, owner: NDArray[Any], drawn: Ints, length: int) -> pl.Series:
    offsets = offsets_of(np.bincount(owner, minlength=len(drawn)))
    numbers = pl.select(
        list_column("path", steps.ravel(), offsets * 2)  # type: ignore[arg-type]
    )["path"].cast(pl.List(pl.String))

    def joined(part: pl.Expr) -> pl.Expr:
        # A sign parts numbers as well as a space.
        return part.list.join(" ").str.replace_all(" -", "-", literal=True)

    path = pl.col("path")
    written = pl.DataFrame({"path": numbers}).select(
        pl.format("M{}l{}z", joined(path.list.head(2)), joined(path.list.slice(2))).str.replace(
            "lz", "z", literal=True
        )
    )["path"]
    places = pl.DataFrame({"place": drawn, "path": written})
    all_of_them = pl.DataFrame({"place": np.arange(length)}).join(
        places, on="place", how="left", maintain_order="left"
    )
    return all_of_them["path"].fill_null("")
