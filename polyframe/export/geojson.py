"""Export averaged polygons or contours as GeoJSON, in image pixels, y downwards."""

import json
from pathlib import Path
from typing import Any, Final

from polyframe import __version__
from polyframe.core.arrays import Floats
from polyframe.core.atomic_files import atomic_text
from polyframe.core.callbacks import Say
from polyframe.export.cluster_shapes import Shape, shapes_by_partition
from polyframe.export.export_options import ExportOptions
from polyframe.export.exported_file import Exported
from polyframe.export.omissions import Omissions
from polyframe.store.reading import open_tables

#: Readers assume that GeoJSON is in degrees, which nothing in a file can change.
_DESCRIPTION: Final = f"polyframe {__version__}: image pixels, y downwards"


def write(output: Path, path: Path, options: ExportOptions, say: Say) -> list[Exported]:
    """Write one FeatureCollection with one feature per line.

    Parameters
    ----------
    output : Path
        The output directory.
    path : Path
        The file to write.
    options : ExportOptions
        `what` and `level`.
    say : callable
        Receives a note about clusters without this level.
    """
    n_features = 0
    omissions = Omissions()
    with atomic_text(path) as file, open_tables(output) as tables:
        file.write(f'{{"type": "FeatureCollection", "description": "{_DESCRIPTION}", "features": [')
        for shapes in shapes_by_partition(tables, options, omissions):
            for shape in shapes:
                file.write(",\n" if n_features else "\n")
                file.write(json.dumps(_feature(shape)))
                n_features += 1
        file.write("\n]}\n")
    omissions.report(say)
    return [Exported(path, n_features, "features")]


def _feature(shape: Shape) -> dict[str, Any]:
    geometry = None
    if len(shape.points):
        geometry = {"type": "Polygon", "coordinates": [_counterclockwise(shape.points).tolist()]}
    return {"type": "Feature", "geometry": geometry, "properties": shape.properties}


def _counterclockwise(points: Floats) -> Floats:
    """Orient a ring as GeoJSON requires: counterclockwise if y points upwards."""
    x, y = points[:, 0] - points[0, 0], points[:, 1] - points[0, 1]
    doubled_area = float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum())
    return points if doubled_area > 0 else points[::-1]
