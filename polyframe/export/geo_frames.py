"""Convert tables with geometries to frames of GeoPandas."""

from typing import TYPE_CHECKING

import polars as pl
import shapely

from polyframe.core.errors import PolyframeError, UsageError
from polyframe.core.extras import install_command
from polyframe.core.frames import Frame, data_frame

if TYPE_CHECKING:
    from geopandas import GeoDataFrame


def to_geopandas(frame: Frame) -> "GeoDataFrame":
    """Convert a table with geometries to a frame of GeoPandas.

    Parameters
    ----------
    frame : frame
        Rows with a column `geometry` of WKB, such as the tables `reductions` and `contours` or the result of
        `explode_levels`; of Polars (eager or lazy), pandas or Arrow.

    Returns
    -------
    geopandas.GeoDataFrame
        The same columns and rows, with the names in an index of pandas as columns; a frame of GeoPandas as it
        is. Its `crs` is None: coordinates are pixels of the image, with y down.
        Missing geometries stay missing, and empty ones empty.

    Raises
    ------
    UsageError
        If it is not a frame, or has no column `geometry` of WKB.
    PolyframeError
        If GeoPandas is not installed.

    Examples
    --------
    >>> import polyframe as pf
    >>> pf.to_geopandas(pf.scan("out", "reductions")).plot()  # doctest: +SKIP
    """
    try:
        import geopandas
    except ImportError:
        raise PolyframeError(f"to_geopandas needs GeoPandas: {install_command('geo')}") from None
    if isinstance(frame, geopandas.GeoDataFrame):
        return frame
    table = data_frame(frame, "frame")
    if "geometry" not in table.columns:
        raise UsageError("frame: has no column 'geometry'; pass reductions, contours or their levels")
    column = table["geometry"]
    if column.dtype == pl.Null:
        column = column.cast(pl.Binary)
    try:
        geometry = shapely.from_wkb(column.to_numpy(allow_copy=True))
    except (shapely.errors.ShapelyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"frame: the column 'geometry' is not WKB ({reason})") from None
    columns = table.drop("geometry").to_pandas()
    columns.insert(table.columns.index("geometry"), "geometry", geometry)
    return geopandas.GeoDataFrame(columns, geometry="geometry", crs=None)
