"""Build groups of squares for the tests of pictures."""

import numpy as np
from exports import ROOT

from polyframe.plot import MarkCluster, MarkGroup

DATA = ROOT / "data"


def box(left: float, top: float, side: float = 10.0) -> np.ndarray:
    """A closed square."""
    corners = [(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]
    return np.array(corners, dtype=np.float64) * side + (left, top)


def squares_group(n_clusters: int = 2, *, outliers: int = 1, levels: bool = True) -> MarkGroup:
    """Clusters of three squares each, side by side, and some outliers."""
    marks, labels, clusters = [], [], []
    for label in range(n_clusters):
        members = [box(20 * label + shift, shift) for shift in (0, 1, 2)]
        marks += members
        labels += [label] * 3
        stack = [members[0], box(20 * label + 1, 1, 9), box(20 * label + 2, 2, 8)] if levels else None
        clusters.append(MarkCluster(label, 3, 0.5 + label / 100, "median", members[1], stack))
    for k in range(outliers):
        marks.append(box(20 * k, 40))
        labels.append(-1)
    return MarkGroup(7, "T0", 1, "T0_toolIndex2", marks, np.array(labels, dtype=np.int64), 3, clusters)
