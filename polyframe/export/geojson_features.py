"""Write the shapes of an export as features of GeoJSON, in image pixels, y downwards."""

import json
from collections.abc import Iterable
from typing import IO, Any, Final

from polyframe import __version__
from polyframe.core.arrays import Floats
from polyframe.export.cluster_shapes import Shape
from polyframe.export.export_options import ExportOptions
from polyframe.export.pixel_crs import PIXEL_CRS

_DESCRIPTION: Final = f"polyframe {__version__}: image pixels, y downwards"
#: The member of GeoJSON 2008 that names the coordinate system. RFC 7946 has none, since all its coordinates
#: are degrees, but GIS programs still read it.
_CRS: Final = {"type": "name", "properties": {"name": PIXEL_CRS}}


def write_collection(file: IO[str], features: Iterable[dict[str, Any]], options: ExportOptions) -> int:
    """Write a FeatureCollection with one feature per line; return the number of features.

    Parameters
    ----------
    file : file
    features : iterable of dict
        From `feature`.
    options : ExportOptions
        `rfc7946`.
    """
    members: dict[str, Any] = {"type": "FeatureCollection"}
    if not options.rfc7946:
        members["crs"] = _CRS
    members["description"] = _DESCRIPTION
    file.write(f'{json.dumps(members).removesuffix("}")}, "features": [')
    n_features = 0
    for one in features:
        file.write(f"{',' if n_features else ''}\n{json.dumps(one)}")
        n_features += 1
    file.write("\n]}\n")
    return n_features


def feature(shape: Shape, names: dict[str, str]) -> dict[str, Any]:
    """Return the feature of a shape; without a geometry if its outline is empty.

    Parameters
    ----------
    shape : Shape
    names : dict of str
        `image` and `label`.
    """
    geometry = None
    if len(shape.points):
        geometry = {"type": "Polygon", "coordinates": [_counterclockwise(shape.points).tolist()]}
    return {"type": "Feature", "geometry": geometry, "properties": shape.properties | names}


def _counterclockwise(points: Floats) -> Floats:
    """Orient a ring as GeoJSON requires: counterclockwise if y points upwards."""
    x, y = points[:, 0] - points[0, 0], points[:, 1] - points[0, 1]
    doubled_area = float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum())
    return points if doubled_area > 0 else points[::-1]
