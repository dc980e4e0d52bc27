"""Export averaged polygons or contours as a GeoPackage, with GDAL (pyogrio)."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import polars as pl

from polyframe import __version__
from polyframe.core.atomic_files import atomic_path
from polyframe.core.callbacks import Say
from polyframe.core.errors import PolyframeError, UsageError, first_line
from polyframe.core.extras import install_command
from polyframe.export.cluster_shapes import table_of
from polyframe.export.export_options import ExportOptions
from polyframe.export.exported_file import Exported
from polyframe.export.pixel_crs import PIXEL_CRS
from polyframe.export.shape_export import shape_export
from polyframe.export.shape_rows import rows_by_partition, table_of_rows
from polyframe.store.reading import OutputTables

#: The column of geometries, as in the tables.
GEOMETRY: Final = "geometry"
_ENDING: Final = ".gpkg"
#: A GeoPackage records when it was changed; with a fixed time, the same shapes give the same bytes. The file
#: is put in place when it is complete, so it needs no journal on the disk.
_GDAL_OPTIONS: Final = {
    "OGR_CURRENT_DATE": "2000-01-01T00:00:00.000Z",
    "OGR_SQLITE_JOURNAL": "MEMORY",
    "OGR_SQLITE_SYNCHRONOUS": "OFF",
}


def write(tables: OutputTables, path: Path, options: ExportOptions, say: Say) -> list[Exported]:
    """Write one layer, `reductions` or `contours`, with a row for each polygon or for each contour level.

    Parameters
    ----------
    tables : OutputTables
        Of the output directory.
    path : Path
        The file to write, which ends in `.gpkg`.
    options : ExportOptions
        Those for `gpkg`.
    say : callable
        Receives notes about what is omitted.

    Raises
    ------
    PolyframeError
        If pyogrio is not installed, or the file cannot be written.
    """
    if path.suffix.lower() != _ENDING:
        raise UsageError(f"{path}: does not end in {_ENDING}, by which programs recognise a GeoPackage")
    try:
        import pyogrio
    except ImportError:
        raise PolyframeError(f"export to gpkg needs pyogrio: {install_command('geo')}") from None
    # Images without a shape need no name here.
    with_shapes = replace(options, empty_images="drop")
    with (
        _gdal_options(),
        atomic_path(path, ending=_ENDING) as temporary,
        shape_export(tables, with_shapes, say) as export,
    ):
        stream = _Stream(rows_by_partition(export), table_of_rows(options).schema)
        try:
            pyogrio.write_arrow(
                stream.reader,
                temporary,
                driver="GPKG",
                layer=table_of(options),
                geometry_name=GEOMETRY,
                geometry_type="Polygon",
                crs=PIXEL_CRS,
                # The latest version of which programs of 2022, such as GDAL 3.6, do not warn.
                dataset_options={"VERSION": "1.3"},
                layer_options={
                    "GEOMETRY_NAME": GEOMETRY,
                    "DESCRIPTION": f"polyframe {__version__}: image pixels, y downwards",
                },
            )
        except (RuntimeError, OSError) as error:
            if stream.error is not None:
                raise stream.error from None
            raise PolyframeError(
                f"{path}: cannot be written (GDAL: {first_line(error)}); free space, or name another place"
            ) from None
    export.report(say)
    return [Exported(path, stream.n_rows, "features")]


class _Stream:
    """Frames as a stream of Arrow, for GDAL.

    Attributes
    ----------
    reader : pyarrow.RecordBatchReader
    n_rows : int
        Number of rows that were read so far.
    error : Exception or None
        The error with which the frames ended; GDAL reports only its text.
    """

    def __init__(self, frames: Iterator[pl.DataFrame], schema: pl.Schema) -> None:
        import pyarrow as pa

        self.n_rows = 0
        self.error: Exception | None = None
        empty = _arrow(pl.DataFrame(schema=schema))
        self.reader: Any = pa.RecordBatchReader.from_batches(empty.schema, self._batches(frames))

    def _batches(self, frames: Iterator[pl.DataFrame]) -> Iterator[Any]:
        try:
            for frame in frames:
                self.n_rows += frame.height
                yield from _arrow(frame).to_batches()
        except Exception as error:
            self.error = error
            raise


def _arrow(frame: pl.DataFrame) -> Any:
    """Convert a frame to Arrow, with types that GDAL knows."""
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())


@contextlib.contextmanager
def _gdal_options() -> Iterator[None]:
    """Set options of GDAL, which are global, and restore them."""
    import pyogrio

    before = {name: pyogrio.get_gdal_config_option(name) for name in _GDAL_OPTIONS}
    pyogrio.set_gdal_config_options(_GDAL_OPTIONS)
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options(before)
