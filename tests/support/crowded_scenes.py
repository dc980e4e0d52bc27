"""Scenes of objects that touch or overlap, drawn by volunteers who do not always separate them.

`polyframe synth` places objects apart or in pairs; these are denser. Each mark has the number of its object;
-1 is a mark around two neighbours, which belongs to neither.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import polars as pl
import shapely

from polyframe.consensus.group_clusters import cluster_groups
from polyframe.consensus.marks import GroupedMarks
from polyframe.core.settings import Settings

#: Centre and radius of each object.
Objects = list[tuple[float, float, float]]

KINDS: dict[str, Objects] = {
    "eight in a row, touching": [(20.0 * k, 0.0, 10.0) for k in range(8)],
    "two by four, touching": [(20.0 * (k % 4), 20.0 * (k // 4), 10.0) for k in range(8)],
    "eight of different sizes, touching": [
        (float(x), 0.0, float(r))
        for x, r in zip((0, 17, 35, 55, 72, 87, 106, 127), (10, 7, 11, 9, 8, 7, 12, 9), strict=True)
    ],
    "eight blobs apart": [(40.0 * (k % 4), 40.0 * (k // 4), 10.0 + k) for k in range(8)],
}


@dataclass(frozen=True)
class Scene:
    """The marks of a scene, and the object of each."""

    marks: GroupedMarks
    objects: np.ndarray


@dataclass(frozen=True)
class Quality:
    """How well clusters agree with the objects: the adjusted Rand index, and objects without a cluster."""

    ari: float
    lost: int


def draw_scene(objects: Objects, seed: int, volunteers: int = 12, merging: float = 0.25) -> Scene:
    """Let each volunteer draw each object, and with some probability the next one together with it."""
    rng = np.random.default_rng(seed)
    polygons, classes, truth = [], [], []
    for volunteer in range(volunteers):
        number = 0
        while number < len(objects):
            outlines = [_outline(*objects[number], rng)]
            joined = rng.random() < merging and number + 1 < len(objects)
            if joined:
                outlines.append(_outline(*objects[number + 1], rng))
            # Around both, as a careless volunteer would draw it.
            polygons.append(shapely.union_all(outlines).convex_hull)
            classes.append(volunteer)
            truth.append(-1 if joined else number)
            number += 1 + joined
    array = np.array(polygons, dtype=object)
    order = rng.permutation(len(array))
    array, drawn_by = array[order], np.array(classes)[order]
    marks = GroupedMarks(
        keys=pl.DataFrame({"classification_id": drawn_by}),
        polygons=array,
        areas=shapely.area(array),
        bounds=shapely.bounds(array),
        group_offsets=np.array([0, len(array)]),
        n_classifications=np.array([volunteers]),
        rejected=0,
        set_aside=0,
        rows_set_aside=0,
    )
    return Scene(marks, np.array(truth)[order])


def quality_of(scene: Scene, settings: Settings) -> Quality:
    """Cluster a scene, and compare the clusters with its objects."""
    from sklearn.metrics import adjusted_rand_score

    labels = cluster_groups(scene.marks, settings).labels
    known = scene.objects >= 0
    # Each outlier is a cluster of its own.
    separate = np.where(labels < 0, labels.max(initial=0) + 1 + np.arange(len(labels)), labels)
    main: set[int] = set()
    for label in range(labels.max(initial=-1) + 1):
        counts = Counter(scene.objects[(labels == label) & known].tolist())
        if counts:
            main.add(counts.most_common(1)[0][0])
    lost = len({*scene.objects[known].tolist()} - main)
    return Quality(float(adjusted_rand_score(scene.objects[known], separate[known])), lost)


def _outline(x: float, y: float, radius: float, rng: np.random.Generator) -> shapely.Polygon:
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    radii = radius * (1 + 0.06 * rng.standard_normal() + 0.04 * rng.standard_normal(40))
    middle = np.array([x, y]) + 0.06 * radius * rng.standard_normal(2)
    points = middle + np.column_stack([np.cos(angles), np.sin(angles)]) * radii[:, None]
    return shapely.Polygon(points).buffer(0)
