"""Cluster the marks of one group by scikit-learn alone, step by step as the documentation describes it.

It imports scikit-learn when it is needed, so that processes that only collect the tests need not wait for it.
"""

from collections import Counter

import numpy as np
import shapely

from polyframe.core.settings import Settings


def distance_matrix(polygons: np.ndarray, classes: list[int]) -> np.ndarray:
    """Return the IoU distances by GEOS, pair by pair; infinite within a classification."""
    matrix = np.zeros((len(polygons), len(polygons)))
    for i, one in enumerate(polygons):
        for j, other in enumerate(polygons[:i]):
            shared = one.intersection(other).area
            union = one.area + other.area - shared
            distance = 1 - shared / union if shared else 1.0
            matrix[i, j] = matrix[j, i] = np.inf if classes[i] == classes[j] else distance
    return matrix


def group_labels(matrix: np.ndarray, classes: list[int], settings: Settings) -> list[int]:
    """Return the label of each mark of a group; -1 for an outlier."""
    if not len(matrix):
        return []
    if settings.cluster_method == "hdbscan":
        labels = _hdbscan(matrix, settings.min_samples)
    else:
        from sklearn.cluster import DBSCAN

        # Infinity is refused; any distance above eps says the same.
        dbscan = DBSCAN(eps=settings.eps, min_samples=settings.min_samples, metric="precomputed")
        labels = dbscan.fit(np.where(np.isinf(matrix), 2.0, matrix)).labels_.tolist()
    if settings.split == "none":
        return labels
    doubled = [label for label in sorted({*labels} - {-1}) if is_doubled(labels, classes, label)]
    for label in doubled:
        _split(labels, matrix, label, settings.min_samples)
    return numbered_by_first(labels) if doubled else labels


def is_doubled(labels: list[int], classes: list[int], label: int) -> bool:
    """Return whether at least two classifications have two or more marks in a cluster."""
    drawn = Counter(c for c, own in zip(classes, labels, strict=True) if own == label)
    return sum(n >= 2 for n in drawn.values()) >= 2


def numbered_by_first(labels: list[int]) -> list[int]:
    """Number clusters in the order of their first marks."""
    numbers: dict[int, int] = {}
    return [-1 if label == -1 else numbers.setdefault(label, len(numbers)) for label in labels]


def _hdbscan(matrix: np.ndarray, min_samples: int) -> list[int]:
    from sklearn.cluster import HDBSCAN

    labels, least, seen = [-1] * len(matrix), max(2, min_samples), set[int]()
    for first in range(len(matrix)):
        if first in seen:
            continue
        component = [first]
        for mark in component:
            component += [int(k) for k in np.flatnonzero(matrix[mark] < 1) if int(k) not in component]
        seen.update(component)
        component.sort()
        if len(component) < least:
            continue
        own = np.minimum(matrix[np.ix_(component, component)], 1.0)
        fitted = HDBSCAN(
            min_cluster_size=least, metric="precomputed", allow_single_cluster=True, copy=True
        ).fit(own)
        for mark, label in zip(component, fitted.labels_.tolist(), strict=True):
            labels[mark] = -1 if label < 0 else 1000 * (first + 1) + label
    return numbered_by_first(labels)


def _split(labels: list[int], matrix: np.ndarray, label: int, min_samples: int) -> None:
    from sklearn.cluster import AgglomerativeClustering

    marks = [mark for mark, own in enumerate(labels) if own == label]
    own = np.where(np.isinf(matrix), 1e9, matrix)[np.ix_(marks, marks)]
    parts = AgglomerativeClustering(
        n_clusters=None, metric="precomputed", linkage="average", distance_threshold=0.999
    ).fit_predict(own)
    sizes = Counter(parts.tolist())
    for mark, part in zip(marks, parts.tolist(), strict=True):
        labels[mark] = 1_000_000 * (label + 1) + part if sizes[part] >= min_samples else -1


def squares(boxes: list[tuple[int, int, int]]) -> np.ndarray:
    """Return squares (x, y, side)."""
    return np.array([shapely.box(x, y, x + side, y + side) for x, y, side in boxes], dtype=object)
