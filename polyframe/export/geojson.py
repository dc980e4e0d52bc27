"""Export averaged polygons or contours as GeoJSON: one file, or one for each image."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from polyframe.core.atomic_files import atomic_text
from polyframe.core.callbacks import Say
from polyframe.core.errors import PolyframeError, UsageError
from polyframe.export.cluster_shapes import Shape, all_shapes
from polyframe.export.export_options import ExportOptions
from polyframe.export.exported_file import Exported
from polyframe.export.geojson_features import feature, write_collection
from polyframe.export.image_bounds import image_sizes
from polyframe.export.image_names import file_of
from polyframe.export.omissions import NO_AREA
from polyframe.export.qupath_annotations import annotation
from polyframe.export.shape_export import ShapeExport, shape_export
from polyframe.store.reading import OutputTables

#: The endings of a single file; any other path is a folder.
_ENDINGS: Final = (".geojson", ".json")


def write(tables: OutputTables, path: Path, options: ExportOptions, say: Say) -> list[Exported]:
    """Write one FeatureCollection, or a folder with one for each image, which QuPath reads.

    Parameters
    ----------
    tables : OutputTables
        Of the output directory.
    path : Path
        A file that ends in `.geojson` or `.json`, else a folder, which is created if needed. Its files have
        the names of the images with the ending `.geojson`.
    options : ExportOptions
        Those for `geojson`.
    say : callable
        Receives notes about what is omitted.
    """
    if path.suffix.lower() in _ENDINGS:
        return _write_file(tables, path, options, say)
    if path.is_file():
        raise PolyframeError(f"{path}: is a file; name a folder, or a file that ends in .geojson")
    return _write_folder(tables, path, options, say)


def _write_file(tables: OutputTables, path: Path, options: ExportOptions, say: Say) -> list[Exported]:
    if options.empty_images is not None:
        raise UsageError(
            "empty_images: a single GeoJSON file has no entries for images; omit it, or name a folder, which "
            "gets a file for each image"
        )
    # Images without a shape need no name here.
    with_shapes = replace(options, empty_images="drop")
    with atomic_text(path) as file, shape_export(tables, with_shapes, say) as export:
        features = (
            feature(shape, export.image_and_label(shape.properties))
            for shape in all_shapes(export.tables, export.options, export.omissions)
        )
        n_features = write_collection(file, features, options)
    export.report(say)
    return [Exported(path, n_features, "features")]


def _write_folder(tables: OutputTables, path: Path, options: ExportOptions, say: Say) -> list[Exported]:
    n_files = n_features = 0
    recorded = image_sizes(options).recorded
    with shape_export(tables, options, say, sized=recorded, ending=_ENDINGS[0]) as export:
        for image in export.all_images():
            export.count(image)
            features = [_annotation(shape, export) for shape in image.shapes if len(shape.points)]
            for shape in image.shapes:
                if not len(shape.points):
                    export.omissions.add(NO_AREA, shape.properties)
            name = file_of(export.name_of(image), _ENDINGS[0])
            with atomic_text(path / name, durable=False) as file:
                n_features += write_collection(file, features, options)
            n_files += 1
    export.report(say)
    return [Exported(path, n_files, "files"), Exported(path, n_features, "features")]


def _annotation(shape: Shape, export: ShapeExport) -> dict[str, Any]:
    names = export.image_and_label(shape.properties)
    return annotation(shape, names, export.categories.of(shape.properties).number)
