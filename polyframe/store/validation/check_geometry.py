"""Check the long columns of a part in batches: paths, outlines, contours and geometries."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Floats
from polyframe.core.ragged import list_column, offsets_of
from polyframe.core.table_schema import Table
from polyframe.geometry.level_selection import evenly_spaced_levels
from polyframe.store.geo_metadata import OUTLINES
from polyframe.store.validation.finding import Finding, findings_of_checks

_ROUNDING: Final = 1e-9
#: The column of the area of the geometry; for contours, that of their first level.
_AREAS: Final = {"reductions": "area", "contours": "contours_area"}


def outline_findings(
    file: str, table: Table, rows: pl.DataFrame, first_row: int, max_levels: int
) -> list[Finding]:
    """Check the long columns of some rows.

    Parameters
    ----------
    file : str
        The part file, for the findings.
    table : Table
    rows : polars.DataFrame
        All columns of some rows of the part.
    first_row : int
        Number of rows of the part before them.
    max_levels : int
        The setting with which contours were made.
    """
    if table.name == "extractions":
        return _findings("values", file, table, rows, _path_checks(rows), first_row)
    if not table.geometry:
        return []
    has_outlines = table.name in OUTLINES
    checks = _level_checks(table, rows, max_levels) if has_outlines else {}
    findings = _findings("values", file, table, rows, checks, first_row)
    polygons, readable = _polygons(rows["geometry"])
    geometry = {
        "has a geometry that is not a WKB polygon": ~readable,
        "has a geometry that is not a valid polygon": readable & ~_valid(polygons),
    }
    findings += _findings("geometry", file, table, rows, _columns(geometry), first_row)
    if findings or not has_outlines:
        return findings
    (x, y), area = OUTLINES[table.name], _AREAS[table.name]
    names = {x: "x", y: "y", area: "area"}
    outline = rows.select(
        (pl.col(column) if table.name == "reductions" else pl.col(column).list.first()).alias(name)
        for column, name in names.items()
    )
    agreement = {
        f"has an {area} that differs from its geometry": _areas_differ(polygons, outline["area"]),
        f"has {x}, {y} that differ from its geometry": _coordinates_differ(polygons, outline),
    }
    return _findings("geometry", file, table, rows, _columns(agreement), first_row)


def _findings(
    check: str, file: str, table: Table, rows: pl.DataFrame, checks: Mapping[str, pl.Expr], first_row: int
) -> list[Finding]:
    named = [(check, wrong, problem) for problem, wrong in checks.items()]
    return findings_of_checks(file, table, rows, named, first_row)


def _columns(checks: Mapping[str, Flags]) -> dict[str, pl.Expr]:
    return {problem: pl.lit(pl.Series(wrong, dtype=pl.Boolean)) for problem, wrong in checks.items()}


def _path_checks(rows: pl.DataFrame) -> dict[str, pl.Expr]:
    x, y = pl.col("x"), pl.col("y")
    return {
        "has x and y of different lengths": x.list.len() != y.list.len(),
        "has coordinates that are not finite": ~(_finite(x) & _finite(y)),
    }


def _level_checks(table: Table, rows: pl.DataFrame, max_levels: int) -> dict[str, pl.Expr]:
    if table.name == "reductions":
        x, y = pl.col("clusters_x"), pl.col("clusters_y")
        return {
            "has clusters_x and clusters_y of different lengths": x.list.len() != y.list.len(),
            "has coordinates that are not finite": ~(_finite(x) & _finite(y)),
        }
    x, y, areas = pl.col("contours_x"), pl.col("contours_y"), pl.col("contours_area")
    levels = pl.col("contours_level")
    expected = pl.lit(_expected_levels(rows["number_of_contours"], max_levels))
    lengths = [column.list.len() != levels.list.len() for column in (x, y, areas)]
    points = [column.list.eval(pl.element().list.len()) for column in (x, y)]
    finite = [column.list.eval(_finite(pl.element())).list.all() for column in (x, y)]
    return {
        "has levels other than those of its number_of_contours": levels != expected,
        "has another number of contours than of contours_level": pl.any_horizontal(lengths),
        "has levels with x and y of different lengths": points[0] != points[1],
        "has coordinates that are not finite": ~pl.all_horizontal(finite),
        "has areas that are not finite": ~_finite(areas),
    }


def _expected_levels(number_of_contours: pl.Series, max_levels: int) -> pl.Series:
    numbers = number_of_contours.clip(0).to_numpy()
    levels, offsets = evenly_spaced_levels(numbers, max_levels)
    return list_column("contours_level", levels, offsets).cast(pl.List(pl.Int32))


def _finite(numbers: pl.Expr) -> pl.Expr:
    """Return whether all numbers of a list are finite; true for empty lists."""
    return numbers.list.eval(pl.element().is_finite().fill_null(value=False)).list.all()


def _polygons(column: pl.Series) -> tuple[NDArray[Any], Flags]:
    """Return geometries from WKB; unreadable ones and those that are not polygons are None."""
    geometries = shapely.from_wkb(np.array(column.to_list(), dtype=object), on_invalid="ignore")
    readable = np.asarray(shapely.get_type_id(geometries) == shapely.GeometryType.POLYGON, bool)
    geometries[~readable] = None
    return geometries, readable


def _valid(polygons: NDArray[Any]) -> Flags:
    """Return which polygons are valid up to rounding; None is not.

    `buffer(0)` may leave two points that differ in the last digit, between which the outline crosses itself,
    so that GEOS rejects its own result. Such points count as one here.
    """
    valid = np.asarray(shapely.is_valid(polygons), bool)
    doubtful = np.flatnonzero(~valid)
    valid[doubtful] = shapely.is_valid(shapely.remove_repeated_points(polygons[doubtful], _ROUNDING))
    return valid


def _areas_differ(polygons: NDArray[Any], expected: pl.Series) -> Flags:
    areas: Floats = shapely.area(polygons)
    close = np.abs(areas - expected.fill_null(0).to_numpy()) <= _ROUNDING * np.maximum(areas, 1)
    return np.asarray(~close, bool)


def _coordinates_differ(polygons: NDArray[Any], outline: pl.DataFrame) -> Flags:
    """Return whose coordinates differ from the geometry, compared exactly."""
    coordinates, polygon = shapely.get_coordinates(shapely.get_exterior_ring(polygons), return_index=True)
    offsets = offsets_of(np.bincount(polygon, minlength=len(polygons)))
    differ = np.zeros(len(polygons), bool)
    for axis, name in enumerate(("x", "y")):
        expected = list_column(name, np.ascontiguousarray(coordinates[:, axis]), offsets)
        differ |= expected.ne_missing(
            outline[name].fill_null(pl.Series([[]], dtype=expected.dtype))
        ).to_numpy()
    return differ
