"""Find the cluster of each edited polygon, and the clusters whose polygon somebody removed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray

from polyframe.consensus.score.match_outlines import OutlinePairs, best_matches, overlapping_pairs
from polyframe.consensus.score.outlines import OUTLINE_SCHEMA, KeyedOutlines
from polyframe.core.arrays import Flags
from polyframe.core.choices import MissingPolygons
from polyframe.export.corrections.edited_file import ClusterIdentity, EditedFile, EditedOutline
from polyframe.export.corrections.known_clusters import KnownClusters
from polyframe.geometry.polygon_parts import extract_polygons, fill_holes, largest_parts
from polyframe.geometry.regions import Rings, regions_from_rings
from polyframe.pipeline.gold.project import Skipped

#: The least IoU of a polygon and the cluster that it is taken to correct, if no key says which.
MIN_IOU: Final = 0.5
#: If another pair has an IoU within this, it is not clear which polygon belongs to which cluster.
_UNCLEAR: Final = 0.1


@dataclass(frozen=True)
class EditedPolygon:
    """A polygon of the file: all parts that belong to one cluster together.

    Attributes
    ----------
    outline : EditedOutline
        The first of its outlines.
    region : shapely.Polygon or shapely.MultiPolygon
        As it is in the file.
    polygon : shapely.Polygon
        Its largest part, holes filled.
    """

    outline: EditedOutline
    region: Any
    polygon: Any


@dataclass
class Matched:
    """What the polygons of a file correct.

    Attributes
    ----------
    polygons : dict of int to EditedPolygon
        By the row of their cluster in `KnownClusters`.
    by_overlap : int
        Those of them whose cluster was determined by its overlap.
    stale : list of (ClusterIdentity, EditedPolygon)
        Polygons whose cluster has other marks by now.
    missing : dict of int to int
        By the row of a cluster that is in no polygon of its image, the position of the image.
    removed : set of int
        The rows of those of them that somebody removed.
    """

    polygons: dict[int, EditedPolygon]
    by_overlap: int
    stale: list[tuple[ClusterIdentity, EditedPolygon]]
    missing: dict[int, int]
    removed: set[int]


def edited_polygons(file: EditedFile, skipped: Skipped) -> list[EditedPolygon]:
    """Return the polygons of a file; the outlines of one cluster on an image are parts of one polygon.

    Parameters
    ----------
    file : EditedFile
    skipped : Skipped
        Receives the invalid polygons and what was repaired.
    """
    groups: dict[object, list[EditedOutline]] = {}
    for position, outline in enumerate(file.outlines):
        own = position if outline.identity is None else (outline.image, outline.identity.members)
        groups.setdefault(own, []).append(outline)
    rings = [
        (ring, number, (k, part), is_hole > 0)
        for number, outlines in enumerate(groups.values())
        for k, outline in enumerate(outlines)
        for part, of_part in enumerate(outline.parts)
        for is_hole, ring in enumerate(of_part)
    ]
    parts = {key: number for number, key in enumerate(dict.fromkeys(key for _, _, key, _ in rings))}
    regions = regions_from_rings(
        Rings(
            [ring for ring, *_ in rings],
            np.array([number for _, number, _, _ in rings], np.int64),
            np.array([parts[key] for _, _, key, _ in rings], np.int64),
            np.array([is_hole for *_, is_hole in rings], np.bool_),
        ),
        len(groups),
    )
    polygons = fill_holes(largest_parts(regions.polygons))
    edited = []
    for number, outlines in enumerate(groups.values()):
        name, region = outlines[0].name, regions.polygons[number]
        if region is None:
            skipped.add("polygon", "without an area", name)
            continue
        if regions.repaired[number]:
            skipped.add("polygon", "repaired because of self-intersections", name)
        edited.append(EditedPolygon(outlines[0], region, polygons[number]))
    return edited


def match_clusters(
    file: EditedFile,
    polygons: Sequence[EditedPolygon],
    clusters: KnownClusters,
    tools: Mapping[str, str],
    missing: MissingPolygons,
    skipped: Skipped,
) -> Matched:
    """Find the cluster of each polygon: by the key that our exports write, or else by the largest overlap.

    Parameters
    ----------
    file : EditedFile
    polygons : sequence of EditedPolygon
    clusters : KnownClusters
        On the images of the file.
    tools : mapping of str to str
        The tool of each label.
    missing : {"listed", "keep", "remove"}
        Which clusters without a polygon were removed: those that the file lists as exported, none, or all.
    skipped : Skipped
        Receives polygons that belong to no cluster, and those of which it is not clear to which.
    """
    columns = clusters.keys.select("subject_id", "frame", "members").iter_rows()
    by_members = {key: row for row, key in enumerate(columns)}
    places = [(image.subject_id, image.frame) for image in file.images]
    matches, stale, others = dict[int, EditedPolygon](), list[tuple[ClusterIdentity, EditedPolygon]](), []
    for polygon in polygons:
        outline, identity = polygon.outline, polygon.outline.identity
        if identity is None:
            others.append(polygon)
            continue
        row = by_members.get((*places[outline.image], identity.members))
        if row is None:
            stale.append((identity, polygon))
            continue
        matches[row] = polygon
        if outline.label is not None and tools.get(outline.label, identity.tool) != identity.tool:
            skipped.add("polygon", "with another label, which corrections do not change", outline.name)
    tools = {**_labels_of_keys(matches, stale), **tools}
    by_overlap, unmatched = _by_overlap(others, places, clusters, set(matches), tools, skipped)
    image_of = {place: number for number, place in enumerate(places)}
    absent: dict[int, int] = {}
    removed: set[int] = set()
    for row, (subject_id, frame, members) in enumerate(
        clusters.keys.select("subject_id", "frame", "members").iter_rows()
    ):
        image = image_of.get((subject_id, frame))
        if image is None or clusters.removed[row] or row in matches or row in by_overlap:
            continue
        exported = file.images[image].exported
        if exported is not None and members not in exported and missing != "remove":
            continue  # it was not exported, so nobody could edit it
        absent[row] = image
        drawn = (polygon for polygon in unmatched if polygon.outline.image == image)
        # Somebody drew the object again, but it is not clear that this is its polygon.
        if any(_iou(polygon.polygon, clusters.shown[row]) >= MIN_IOU for polygon in drawn):
            continue
        # What is not read may be its outline.
        if image in file.unread:
            continue
        if missing == "remove" or (missing == "listed" and exported is not None):
            removed.add(row)
    return Matched(matches | by_overlap, len(by_overlap), stale, absent, removed)


def is_same_outline(polygon: EditedPolygon, shape: Any, size: tuple[int, int] | None) -> bool:
    """Return whether a polygon is a shape as an export writes it, clipped at the borders of its image.

    Parameters
    ----------
    polygon : EditedPolygon
    shape : shapely.Polygon
    size : (int, int) or None
        Width and height of the image.
    """
    tolerance = polygon.outline.tolerance
    candidates = [shape]
    if size is not None:
        valid = shape if shape.is_valid else shapely.make_valid(shape)
        candidates.append(shapely.intersection(valid, shapely.box(0, 0, *size)))
    return any(
        not candidate.is_empty
        and shapely.hausdorff_distance(_outline(polygon.region), _outline(candidate)) <= tolerance
        for candidate in candidates
    )


def _outline(region: Any) -> Any:
    """Return the outer rings of a region."""
    parts, _ = extract_polygons(np.array([region], dtype=object))
    return shapely.multilinestrings(shapely.get_exterior_ring(parts))


def _by_overlap(
    polygons: Sequence[EditedPolygon],
    places: Sequence[tuple[int, int]],
    clusters: KnownClusters,
    taken: set[int],
    tools: Mapping[str, str],
    skipped: Skipped,
) -> tuple[dict[int, EditedPolygon], list[EditedPolygon]]:
    """Match polygons without a key with the clusters that are left, one to one by their IoU.

    Also returns the polygons that belong to no cluster.
    """
    only_tool = next(iter(tools.values())) if len(set(tools.values())) == 1 else None
    usable, unmatched = [], []
    for polygon in polygons:
        tool = tools.get(polygon.outline.label or "", only_tool)
        if tool is None:
            unmatched.append(polygon)
            label = polygon.outline.label or "no label"
            skipped.add("polygon", "whose label is not that of a tool; --workflows names labels", label)
            continue
        usable.append((polygon, tool))
    rows = np.array([row for row in range(clusters.keys.height) if row not in taken], np.int64)
    drawn = _keyed(
        pl.DataFrame(
            [(*places[p.outline.image][:1], "", places[p.outline.image][1], tool) for p, tool in usable],
            OUTLINE_SCHEMA,
            orient="row",
        ),
        np.array([p.polygon for p, _ in usable], dtype=object),
    )
    # A removed cluster is matched by its average.
    shapes = np.where(clusters.removed, clusters.averages, clusters.shown)[rows]
    known = _keyed(clusters.keys[rows].select(OUTLINE_SCHEMA.names()), shapes)
    pairs = overlapping_pairs(drawn, known, MIN_IOU)
    best = best_matches(pairs)
    unclear = _unclear(pairs, best)
    matches = {}
    for position, row, is_unclear in zip(best.scored, best.gold, unclear, strict=True):
        polygon = usable[position][0]
        if is_unclear:
            reason = "that may belong to several clusters, or share one with another polygon"
            unmatched.append(polygon)
            skipped.add("polygon", reason, polygon.outline.name)
        else:
            matches[int(rows[row])] = polygon
    for position in sorted(set(range(len(usable))) - set(best.scored.tolist())):
        unmatched.append(usable[position][0])
        outline = usable[position][0].outline
        subject, frame = places[outline.image]
        skipped.add("polygon", "without a cluster", f"subject {subject} frame {frame}, {outline.name}")
    return matches, unmatched


def _labels_of_keys(
    matches: Mapping[int, EditedPolygon], stale: Sequence[tuple[ClusterIdentity, EditedPolygon]]
) -> dict[str, str]:
    """Return the tool of each label, by most of its polygons with a key: somebody may change a label."""
    counts: dict[str, Counter[str]] = {}
    for polygon in (*matches.values(), *(polygon for _, polygon in stale)):
        outline = polygon.outline
        if outline.label is not None and outline.identity is not None:
            counts.setdefault(outline.label, Counter())[outline.identity.tool] += 1
    return {label: of_label.most_common(1)[0][0] for label, of_label in counts.items()}


def _iou(one: Any, other: Any) -> float:
    union = shapely.area(shapely.union(one, other))
    return float(shapely.area(shapely.intersection(one, other)) / union) if union else 0.0


def _unclear(pairs: OutlinePairs, best: OutlinePairs) -> Flags:
    """Return for each match whether one of the two has another candidate that is about as good."""
    unclear = np.zeros(len(best.iou), np.bool_)
    for number, (scored, gold, iou) in enumerate(zip(best.scored, best.gold, best.iou, strict=True)):
        rival = ((pairs.scored == scored) ^ (pairs.gold == gold)) & (pairs.iou > iou - _UNCLEAR)
        unclear[number] = rival.any()
    return unclear


def _keyed(keys: pl.DataFrame, polygons: NDArray[Any]) -> KeyedOutlines:
    return KeyedOutlines(keys, polygons, np.nan_to_num(np.asarray(shapely.area(polygons), np.float64)))
