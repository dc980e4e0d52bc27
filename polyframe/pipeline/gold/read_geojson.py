"""Read the outlines of an expert from GeoJSON, as `polyframe export --to geojson` writes it."""

from typing import Any, Final

from polyframe.core.arrays import Floats
from polyframe.core.errors import PolyframeError
from polyframe.pipeline.gold.named_outlines import NamedOutlines, OutlineList, number_of, ring_of
from polyframe.pipeline.gold.project import Project, Skipped

#: The properties that name a cluster. With `--level 50%` clusters have different levels, but one each.
_CLUSTER: Final = ("workflow_id", "subject_id", "task", "frame", "tool", "cluster_label")


def outlines_of_features(
    content: dict[str, Any], name: str, project: Project, skipped: Skipped
) -> NamedOutlines:
    """Read the features of a FeatureCollection, or a single feature.

    Parameters
    ----------
    content : dict
        The file. The properties of each feature name its `subject_id`, and may name its `frame` (0 by
        default) and its `tool`. A feature without a geometry says that the expert looked at the image.
    name : str
        Name of the file, for messages.
    project : Project
    skipped : Skipped
        Receives what cannot be used.

    Raises
    ------
    PolyframeError
        If no feature names a subject, or the features are several contour levels of a cluster.
    """
    features = content.get("features") if content.get("type") == "FeatureCollection" else [content]
    if not isinstance(features, list):
        raise PolyframeError(f"{name}: the features of the FeatureCollection are not a list")
    outlines, named = OutlineList(), False
    levels: dict[str, str] = {}
    several = False
    for number, feature in enumerate(features, start=1):
        properties = feature.get("properties") if isinstance(feature, dict) else None
        properties = properties if isinstance(properties, dict) else {}
        subject = number_of(properties.get("subject_id"))
        frame = number_of(properties.get("frame") or 0, is_frame=True)
        if subject is None or frame is None:
            skipped.add(
                "feature", "without a subject_id, or with an invalid one or frame", f"feature {number}"
            )
            continue
        named = True
        workflow = number_of(properties.get("workflow_id"))
        if None not in (workflow, project.workflow_id) and workflow != project.workflow_id:
            skipped.add("feature", "of another workflow", workflow)
            continue
        cluster, level = repr([properties.get(key) for key in _CLUSTER]), repr(properties.get("level"))
        several |= levels.setdefault(cluster, level) != level
        tool = properties.get("tool")
        tool = tool if isinstance(tool, str) and tool else None
        outlines.images.add((subject, frame))
        if tool:
            outlines.tools.add(tool)
        geometry = feature.get("geometry")
        if geometry is None:
            continue
        parts = _parts(geometry)
        if parts is None:
            reason = "with invalid coordinates, or with another geometry than polygons"
            skipped.add("feature", reason, f"feature {number}")
            continue
        outlines.add((subject, frame, tool), parts)
    if not named:
        raise PolyframeError(f"{name}: no feature has a property subject_id, which says where it belongs")
    if several:
        raise PolyframeError(
            f"{name}: contains several contour levels of each cluster; export one of them with --level"
        )
    return outlines.finish()


def _parts(geometry: Any) -> list[list[Floats]] | None:
    """Return the rings of each polygon of a geometry; None if it is not a polygon or not valid."""
    if not isinstance(geometry, dict):
        return None
    coordinates = geometry.get("coordinates")
    if geometry.get("type") == "Polygon":
        coordinates = [coordinates]
    elif geometry.get("type") != "MultiPolygon":
        return None
    if not isinstance(coordinates, list) or not all(isinstance(rings, list) for rings in coordinates):
        return None
    parts = []
    for polygon in coordinates:
        rings = [ring_of(ring) for ring in polygon]
        if any(ring is None for ring in rings):
            return None
        parts.append([ring for ring in rings if ring is not None])
    return parts
