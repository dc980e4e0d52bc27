"""Make features of GeoJSON that QuPath reads as annotations, with their class, measurements and metadata.

QuPath 0.4 and newer read these members of `properties` and ignore all others. A class needs a colour, a
measurement a number, and every object a geometry: one without it would stop the import of the whole file.

References
----------
`QuPathTypeAdapters`, `GsonTools` and `ROITypeAdapters` in the package `qupath.lib.io` of QuPath.
"""

from typing import Any, Final

from polyframe.core.colours import ON_IMAGE
from polyframe.core.tables import GROUP_KEYS
from polyframe.export.cluster_shapes import Shape
from polyframe.export.geojson_features import feature

#: Numbers that identify a shape, which are not measurements.
_KEYS: Final = (*GROUP_KEYS, "cluster_label")


def annotation(shape: Shape, names: dict[str, str], number: int) -> dict[str, Any]:
    """Return the feature of a shape with what QuPath reads.

    Parameters
    ----------
    shape : Shape
        Its outline is not empty.
    names : dict of str
        `image` and `label`.
    number : int
        The number of its category, from 1, which chooses the colour.
    """
    properties = shape.properties
    label, level = names["label"], properties.get("level")
    measurements = {
        name: value
        for name, value in properties.items()
        if name not in _KEYS and isinstance(value, (int, float))
    }
    metadata = {
        name: str(value)
        for name, value in properties.items()
        if value is not None and name not in measurements
    }
    result = feature(shape, names)
    result["properties"] = {
        "objectType": "annotation",
        "name": f"{label} {properties['cluster_label']}" + (f" level {level}" if level else ""),
        "classification": {"name": label, "color": _rgb(ON_IMAGE[(number - 1) % len(ON_IMAGE)])},
        "measurements": measurements,
        "metadata": metadata,
        **result["properties"],
    }
    return result


def _rgb(colour: str) -> list[int]:
    """Return red, green and blue, from 0 to 255, of a colour such as `#56B4E9`."""
    return list(bytes.fromhex(colour.removeprefix("#")))
