"""The long columns of a part, some rows at a time: paths, outlines, contours and their geometries."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Floats
from polyframe.core.ragged import list_column, offsets_of
from polyframe.core.tables import Table
from polyframe.store.validation.finding import Finding, several_off

_ROUNDING: Final = 1e-9
#: The outline that belongs to the geometry; of contours it is the first one.
_COLUMNS: Final = {
    "reductions": ("clusters_x", "clusters_y", "area"),
    "contours": ("contours_x", "contours_y", "contours_area"),
}


def outline_findings(file: str, table: Table, rows: pl.DataFrame, first_row: int) -> list[Finding]:
    """Check the long columns of some rows.

    Parameters
    ----------
    file : str
        For the findings.
    table : Table
        Which table.
    rows : polars.DataFrame
        All columns of some rows of the part.
    first_row : int
        How many rows of the part come before them.
    """
    if table.name == "extractions":
        return _off("values", file, table, rows, _path_checks(rows), first_row)
    if not table.geometry:
        return []
    found = _off("values", file, table, rows, _level_checks(table), first_row)
    polygons, readable = _polygons(rows["geometry"])
    geometry = {
        "has no geometry": rows["geometry"].is_null().to_numpy(),
        "has a geometry that is no polygon in WKB": ~readable & rows["geometry"].is_not_null().to_numpy(),
        "has a geometry that is no valid polygon": readable & ~_valid(polygons),
    }
    found += _off("geometry", file, table, rows, _columns(geometry), first_row)
    if found:
        return found
    x, y, area = _COLUMNS[table.name]
    names = {x: "x", y: "y", area: "area"}
    outline = rows.select(
        (pl.col(column) if table.name == "reductions" else pl.col(column).list.first()).alias(name)
        for column, name in names.items()
    )
    agreement = {
        f"has an {area} that is not that of its geometry": _areas_differ(polygons, outline["area"]),
        f"has {x}, {y} other than the outline of its geometry": _coordinates_differ(polygons, outline),
    }
    return _off("geometry", file, table, rows, _columns(agreement), first_row)


def _off(
    check: str, file: str, table: Table, rows: pl.DataFrame, checks: Mapping[str, pl.Expr], first_row: int
) -> list[Finding]:
    told = [(check, off, problem) for problem, off in checks.items()]
    return several_off(file, table, rows, told, first_row)


def _columns(checks: Mapping[str, Flags]) -> dict[str, pl.Expr]:
    return {problem: pl.lit(pl.Series(off, dtype=pl.Boolean)) for problem, off in checks.items()}


def _path_checks(rows: pl.DataFrame) -> dict[str, pl.Expr]:
    x, y = pl.col("x"), pl.col("y")
    return {
        "has no x or no y": x.is_null() | y.is_null(),
        "has x and y of different lengths": x.list.len() != y.list.len(),
        "has coordinates that are no finite numbers": ~(_finite(x) & _finite(y)),
    }


def _level_checks(table: Table) -> dict[str, pl.Expr]:
    if table.name == "reductions":
        x, y = pl.col("clusters_x"), pl.col("clusters_y")
        return {
            "has no clusters_x or no clusters_y": x.is_null() | y.is_null(),
            "has clusters_x and clusters_y of different lengths": x.list.len() != y.list.len(),
            "has coordinates that are no finite numbers": ~(_finite(x) & _finite(y)),
        }
    x, y, areas = pl.col("contours_x"), pl.col("contours_y"), pl.col("contours_area")
    number = pl.col("number_of_contours")
    lengths = [column.list.len() != number for column in (x, y, areas)]
    points = [column.list.eval(pl.element().list.len()) for column in (x, y)]
    sound = [column.list.eval(_finite(pl.element())).list.all() for column in (x, y)]
    return {
        "has no contours_x, contours_y or contours_area": x.is_null() | y.is_null() | areas.is_null(),
        "has a number_of_contours other than its contours": pl.any_horizontal(lengths),
        "has levels with x and y of different lengths": points[0] != points[1],
        "has coordinates that are no finite numbers": ~pl.all_horizontal(sound),
        "has areas that are no finite numbers": ~_finite(areas),
    }


def _finite(numbers: pl.Expr) -> pl.Expr:
    """Tell of lists whether all in them is a finite number; true for empty ones."""
    return numbers.list.eval(pl.element().is_finite().fill_null(value=False)).list.all()


def _polygons(column: pl.Series) -> tuple[NDArray[Any], Flags]:
    """Read geometries; those that cannot be read, or are no polygons, become None."""
    geometries = shapely.from_wkb(np.array(column.to_list(), dtype=object), on_invalid="ignore")
    readable = np.asarray(shapely.get_type_id(geometries) == shapely.GeometryType.POLYGON, bool)
    geometries[~readable] = None
    return geometries, readable


def _valid(polygons: NDArray[Any]) -> Flags:
    """Tell which polygons are valid, up to rounding; None is not.

    Where `buffer(0)` repairs an outline it may leave two points that differ in the last digit, between which
    the outline crosses itself, so that GEOS calls its own work not valid. Such points count as one here.
    """
    valid = np.asarray(shapely.is_valid(polygons), bool)
    doubtful = np.flatnonzero(~valid)
    valid[doubtful] = shapely.is_valid(shapely.remove_repeated_points(polygons[doubtful], _ROUNDING))
    return valid


def _areas_differ(polygons: NDArray[Any], told: pl.Series) -> Flags:
    areas: Floats = shapely.area(polygons)
    close = np.abs(areas - told.fill_null(0).to_numpy()) <= _ROUNDING * np.maximum(areas, 1)
    return np.asarray(~close, bool)


def _coordinates_differ(polygons: NDArray[Any], outline: pl.DataFrame) -> Flags:
    """Tell whose coordinates are not those of the geometry, exactly."""
    coordinates, polygon = shapely.get_coordinates(shapely.get_exterior_ring(polygons), return_index=True)
    offsets = offsets_of(np.bincount(polygon, minlength=len(polygons)))
    differ = np.zeros(len(polygons), bool)
    for axis, name in enumerate(("x", "y")):
        held = list_column(name, np.ascontiguousarray(coordinates[:, axis]), offsets)
        differ |= held.ne_missing(outline[name].fill_null(pl.Series([[]], dtype=held.dtype))).to_numpy()
    return differ
