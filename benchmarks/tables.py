"""Compare the tables of two output directories: of two engines, or of two versions of polyframe."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import shapely
from compare import ResultsDifferError
from polars.testing import assert_frame_equal

#: Largest difference of an area, a consensus or another number, absolute or relative.
TOLERANCE = 1e-9
#: Lists of coordinates, and the columns with the other coordinate.
_RINGS = {"clusters_x": "clusters_y", "contours_x": "contours_y"}


@dataclass(frozen=True)
class Comparison:
    """How the rows of one table compare.

    Attributes
    ----------
    table : str
    rows : int
    is_identical : bool
        Whether all values are equal, to the last bit.
    turned : int
        Rings that are equal up to their start vertex and direction.
    new_columns : tuple of str
        Columns that only the second output has; they are not compared.
    """

    table: str
    rows: int
    is_identical: bool
    turned: int
    new_columns: tuple[str, ...]

    @property
    def described(self) -> str:
        equal = "equal" if self.is_identical else f"equal to {TOLERANCE:g}"
        if self.turned:
            equal += f", {self.turned:,} rings up to their start vertex"
        new = f"; new columns: {', '.join(self.new_columns)}" if self.new_columns else ""
        return f"{self.table}: {self.rows:,} rows {equal}{new}"


def compare_outputs(one: Path, other: Path) -> list[Comparison]:
    """Compare all tables of two output directories.

    Raises
    ------
    ResultsDifferError
        If a table or column is missing in the second, or a value differs by more than the tolerance.
    """
    return [compare_table(one / name, other / name) for name in table_names(one)]


def table_names(output: Path) -> list[str]:
    """Return the names of the tables of an output directory.

    Without hidden ones, whose exact sums differ if an IoU differs in the last bit.
    """
    names = {path.parent.name for path in output.glob("*/part-*.parquet")}
    return sorted(name for name in names if not name.startswith("."))


def compare_table(one: Path, other: Path) -> Comparison:
    """Compare two folders with the part files of a table; see `compare_outputs`."""
    name = one.name
    if not list(other.glob("part-*.parquet")):
        raise ResultsDifferError(f"{name}: no such table in {other.parent.name}")
    first, second = (pl.read_parquet(folder / "part-*.parquet") for folder in (one, other))
    missing = set(first.columns) - set(second.columns)
    if missing:
        raise ResultsDifferError(f"{name}: no column {', '.join(sorted(missing))}")
    new = tuple(column for column in second.columns if column not in first.columns)
    if "contours_level" in new:
        first = _same_levels(first, second["contours_level"])
    second = second.select(first.columns)
    if first.equals(second):
        return Comparison(name, first.height, True, 0, new)
    shapes = [column for pair in _RINGS.items() for column in pair if column in first.columns]
    shapes += ["geometry"] * ("geometry" in first.columns)
    try:
        assert_frame_equal(
            first.drop(shapes), second.drop(shapes), check_exact=False, abs_tol=TOLERANCE, rel_tol=TOLERANCE
        )
    except AssertionError as error:
        raise ResultsDifferError(f"{name}: {_one_line(error)}") from None
    turned = 0
    for x, y in _RINGS.items():
        if x in first.columns:
            turned += _compare_rings(
                *(_rings(frame[x], frame[y]) for frame in (first, second)), f"{name}, {x}"
            )
    if "geometry" in first.columns:
        geometries = [shapely.from_wkb(frame["geometry"].to_numpy()) for frame in (first, second)]
        _compare_shapes(*geometries, f"{name}, geometry")
    return Comparison(name, first.height, False, turned, new)


def _same_levels(contours: pl.DataFrame, levels: pl.Series) -> pl.DataFrame:
    """Return contours with only some levels: earlier versions wrote all of them."""
    if len(levels) != contours.height or (levels.list.len() == contours["contours_area"].list.len()).all():
        return contours
    lists = [column for column in contours.columns if contours[column].dtype == pl.List]
    return contours.with_columns(pl.col(lists).list.gather(levels.list.eval(pl.element() - 1)))


def _rings(x: pl.Series, y: pl.Series) -> tuple[Any, Any]:
    """Return polygons of the rings of all rows in one array, and the number of rings of each row."""
    counts = np.ones(len(x), dtype=np.int64)
    if x.dtype == pl.List(pl.List(pl.Float64)):
        counts = x.list.len().fill_null(0).to_numpy()
        x, y = x.explode(empty_as_null=False), y.explode(empty_as_null=False)
    x, y = x.drop_nulls(), y.drop_nulls()
    lengths = x.list.len().to_numpy()
    points = np.column_stack([s.explode(empty_as_null=False).to_numpy() for s in (x, y)])
    drawn = np.flatnonzero(lengths >= 3)
    polygons = np.full(len(lengths), shapely.Polygon(), dtype=object)
    of_point = np.repeat(np.arange(len(lengths)), lengths)
    used = np.isin(of_point, drawn)
    rings = shapely.linearrings(points[used], indices=np.searchsorted(drawn, of_point[used]))
    polygons[drawn] = shapely.polygons(rings)
    return polygons, counts


def _compare_rings(one: tuple[Any, Any], other: tuple[Any, Any], where: str) -> int:
    """Compare rings; return how many are equal except for the start vertex and direction."""
    if not np.array_equal(one[1], other[1]):
        raise ResultsDifferError(f"{where}: other numbers of rings")
    return _compare_shapes(one[0], other[0], where)


def _compare_shapes(one: Any, other: Any, where: str) -> int:
    """Require equal shapes; return how many are equal except for their start vertices and directions.

    Vertices may differ by rounding: then the area between both shapes must be tiny.
    """
    if len(one) != len(other):
        raise ResultsDifferError(f"{where}: {len(one)} and {len(other)} shapes")
    differing = ~shapely.equals_exact(one, other, tolerance=0)
    one, other = shapely.normalize(one[differing]), shapely.normalize(other[differing])
    moved = ~shapely.equals_exact(one, other, tolerance=TOLERANCE)
    between = shapely.area(shapely.symmetric_difference(one[moved], other[moved]))
    largest = np.max(between / np.maximum(shapely.area(one[moved]), 1), initial=0)
    if not largest <= TOLERANCE:
        raise ResultsDifferError(f"{where}: shapes differ by {largest:.2g} of their area")
    return int(differing.sum())


def _one_line(error: AssertionError) -> str:
    return " ".join(str(error).split())[:300]
