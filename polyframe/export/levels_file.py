"""Export the contour levels as GeoParquet or CSV: one row for each cluster and level, with a geometry."""

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import polars as pl
import shapely

from polyframe.core.atomic_files import atomic_path
from polyframe.core.callbacks import Say
from polyframe.core.errors import UsageError
from polyframe.core.spreadsheet_cells import escape_formulas
from polyframe.export.export_options import ExportOptions
from polyframe.export.exported_file import Exported
from polyframe.export.long_cells import LONGEST, LongCells
from polyframe.export.omissions import Omissions
from polyframe.export.shape_export import ShapeExport, shape_export
from polyframe.export.shape_rows import LEVELS, rows_by_partition
from polyframe.store.arrow_tables import arrow_schema
from polyframe.store.geo_metadata import GEO_KEY, Bounds, geo_json, joint_bounds
from polyframe.store.part_files import write_options, write_row_groups
from polyframe.store.reading import OutputTables

#: The column of geometries in CSV: GDAL and QGIS read one of this name as the geometry.
WKT: Final = "WKT"
_PARQUET: Final = ".parquet"
_CSV: Final = ".csv"


def write(tables: OutputTables, path: Path, options: ExportOptions, say: Say) -> list[Exported]:
    """Write one file with a row for each cluster and level.

    Parameters
    ----------
    tables : OutputTables
        Of the output directory.
    path : Path
        The file to write: GeoParquet if it ends in `.parquet`, CSV if it ends in `.csv`.
    options : ExportOptions
        Those for `levels`.
    say : callable
        Receives notes about what is omitted.
    """
    ending = path.suffix.lower()
    if ending not in (_PARQUET, _CSV):
        raise UsageError(f"{path}: ends neither in {_PARQUET} nor in {_CSV}; name a file that does")
    # Images without a shape need no name here.
    of_levels = replace(options, what="contours", empty_images="drop")
    long_cells = LongCells()
    with atomic_path(path) as temporary, shape_export(tables, of_levels, say) as export:
        if ending == _PARQUET:
            n_rows = _write_parquet(temporary, export)
        else:
            n_rows = _write_csv(temporary, export, long_cells)
    export.report(say)
    long_cells.report(path, say)
    return [Exported(path, n_rows, "levels")]


def _write_parquet(path: Path, export: ShapeExport) -> int:
    """Write GeoParquet with the types and the encoding of the tables; return the number of rows."""
    import pyarrow.parquet as pq

    # Two passes, since the bounds of all geometries are written first; only the second one counts.
    first_pass = rows_by_partition(replace(export, omissions=Omissions()), "measuring the levels")
    bounds = joint_bounds([_bounds(rows) for rows in first_pass if not rows.is_empty()])
    schema = arrow_schema(LEVELS).with_metadata({GEO_KEY: geo_json(bounds)})
    n_rows = 0
    with pq.ParquetWriter(path, schema, **write_options(LEVELS)) as writer:
        for rows in rows_by_partition(export):
            if not rows.is_empty():
                write_row_groups(writer, rows)
                n_rows += rows.height
        if not n_rows:
            write_row_groups(writer, LEVELS.empty())
    return n_rows


def _bounds(rows: pl.DataFrame) -> Bounds:
    """Return the bounds of the geometries of at least one row. Levels have an area, so none is empty."""
    left, top, right, bottom = shapely.total_bounds(_geometries(rows)).tolist()
    return left, top, right, bottom


def _write_csv(path: Path, export: ShapeExport, long_cells: LongCells) -> int:
    """Write CSV with the geometry as WKT; return the number of rows."""
    n_rows = 0
    with path.open("wb") as file:
        for rows in itertools.chain([LEVELS.empty()], rows_by_partition(export)):
            # Enough digits to read the same coordinates back.
            texts = shapely.to_wkt(_geometries(rows), rounding_precision=-1).tolist()
            cells = escape_formulas(rows.drop("geometry"))
            text_rows = cells.with_columns(pl.Series(WKT, texts, pl.String))
            text_rows.write_csv(file, include_header=not file.tell())
            long = text_rows.filter(pl.col(WKT).str.len_chars() > LONGEST)
            if not long.is_empty():
                place = f"subject {long['subject_id'][0]}, column {WKT}"
                long_cells.add(long.height, (n_rows,), place)
            n_rows += rows.height
    return n_rows


def _geometries(rows: pl.DataFrame) -> Any:
    return shapely.from_wkb(rows["geometry"].to_list())
