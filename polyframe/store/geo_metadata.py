"""Describe the geometries of a file as GeoParquet 1.1 does (https://geoparquet.org/releases/v1.1.0/)."""

import json
from collections.abc import Iterable
from typing import Any, Final

import polars as pl
import shapely

from polyframe.core.table_schema import Table

#: The key of the description in a Parquet footer.
GEO_KEY: Final = "geo"
#: The columns of the outline that is also the geometry; for contours, the first list of each row is.
OUTLINES: Final = {"reductions": ("clusters_x", "clusters_y"), "contours": ("contours_x", "contours_y")}

#: x and y of the corner with the least coordinates, then of that with the largest, in pixels.
Bounds = tuple[float, float, float, float]


def geo_metadata(bounds: Bounds | None) -> dict[str, Any]:
    """Return the description of polygons in the column `geometry`.

    Coordinates are pixels of an image, hence without a coordinate reference system and with straight edges.
    Outlines can run in either direction, so no orientation is given.

    Parameters
    ----------
    bounds : tuple of float, or None
        From `outline_bounds`; None if there are no coordinates.
    """
    column = {"encoding": "WKB", "geometry_types": ["Polygon"], "crs": None, "edges": "planar"}
    bbox = {} if bounds is None else {"bbox": list(bounds)}
    return {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column | bbox}}


def geo_json(bounds: Bounds | None) -> str:
    """Return the description as it is in a footer."""
    return json.dumps(geo_metadata(bounds))


def outline_bounds(table: Table, rows: pl.DataFrame) -> Bounds | None:
    """Return the bounds of all geometries of a table; None if there are no coordinates.

    Parameters
    ----------
    table : Table
        A table with geometries.
    rows : polars.DataFrame
        At least the columns in `OUTLINES`, or else `geometry`. Empty outlines do not count.
    """
    if table.name not in OUTLINES:
        polygons = shapely.from_wkb(rows["geometry"].to_numpy(allow_copy=True))
        if shapely.is_empty(polygons).all():
            return None
        left, top, right, bottom = shapely.total_bounds(polygons).tolist()
        return (left, top, right, bottom)
    x, y = (_first(pl.col(name), rows.schema[name]) for name in OUTLINES[table.name])
    left, top, right, bottom = rows.select(
        x.list.min().min().alias("left"),
        y.list.min().min().alias("top"),
        x.list.max().max().alias("right"),
        y.list.max().max().alias("bottom"),
    ).row(0)
    return None if left is None else (left, top, right, bottom)


def joint_bounds(bounds: Iterable[Bounds | None]) -> Bounds | None:
    """Return the bounds of several parts together; None if all of them are."""
    known = [one for one in bounds if one is not None]
    if not known:
        return None
    left, top, right, bottom = zip(*known, strict=True)
    return min(left), min(top), max(right), max(bottom)


def _first(outline: pl.Expr, dtype: Any) -> pl.Expr:
    """Return the outline of each row: the first one of several."""
    return outline.list.first() if isinstance(dtype.inner, pl.List) else outline
