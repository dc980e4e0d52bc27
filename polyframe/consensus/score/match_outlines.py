"""Match outlines one to one with those of an expert, by their IoU.

Pairs with an IoU below the least one are removed; of the others, the one-to-one matching with the largest sum
of IoU is chosen (a linear sum assignment). A greedy choice, as evaluations of COCO make it, can match fewer
outlines if objects overlap.

References
----------
H. W. Kuhn, "The Hungarian method for the assignment problem", Naval Research Logistics Quarterly 2 (1955).
D. F. Crouse, "On implementing 2D rectangular assignment algorithms", IEEE Transactions on Aerospace and
Electronic Systems 52 (2016), doi 10.1109/TAES.2016.140952: the algorithm of SciPy.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
import shapely

from polyframe.consensus.score.outlines import COMPARED, KeyedOutlines
from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.components import component_numbers
from polyframe.core.ragged import runs_of_equal
from polyframe.geometry.candidate_pairs import candidate_pairs
from polyframe.geometry.crossing_areas import crossing_intersection_areas
from polyframe.geometry.distances import pair_distances


@dataclass(frozen=True)
class OutlinePairs:
    """Pairs of a scored outline and a gold outline; p pairs.

    Attributes
    ----------
    scored, gold : (p,) int64
        Positions of the outlines.
    iou : (p,) float64
    """

    scored: Ints
    gold: Ints
    iou: Floats

    def take(self, pairs: Ints | Flags) -> Self:
        """Return some of the pairs."""
        return type(self)(self.scored[pairs], self.gold[pairs], self.iou[pairs])


def overlapping_pairs(scored: KeyedOutlines, gold: KeyedOutlines, min_iou: float) -> OutlinePairs:
    """Return the pairs on the same image and of the same tool that overlap enough.

    Parameters
    ----------
    scored, gold : KeyedOutlines
    min_iou : float
        The least IoU of a pair (0 to 1); pairs that do not overlap are never returned.

    Returns
    -------
    OutlinePairs
        Ordered by (scored, gold).
    """
    keys = pl.concat([outlines.keys.select(COMPARED) for outlines in (scored, gold)])
    areas = np.concatenate([scored.areas, gold.areas])
    sorted_keys = keys.with_row_index("row").filter(areas > 0).sort(*COMPARED, maintain_order=True)
    order = sorted_keys["row"].to_numpy().astype(np.int64)
    group = sorted_keys.select(pl.struct(COMPARED).rle_id()).to_series().to_numpy()
    is_gold = order >= len(scored.areas)
    polygons, areas = np.concatenate([scored.polygons, gold.polygons])[order], areas[order]
    bounds = shapely.bounds(polygons).reshape(-1, 4)
    eps = 1.0 - min_iou
    # Scored outlines come first in each group, so they are on the left.
    left, right = candidate_pairs(bounds, areas, runs_of_equal(group), is_gold, eps)
    distances = pair_distances(polygons, areas, bounds, left, right, crossing_intersection_areas)
    near = np.flatnonzero((distances <= eps) & (distances < 1.0))
    pairs = OutlinePairs(order[left[near]], order[right[near]] - len(scored.areas), 1.0 - distances[near])
    return pairs.take(np.lexsort((pairs.gold, pairs.scored)))


def best_matches(pairs: OutlinePairs, drawer: Ints | None = None) -> OutlinePairs:
    """Choose the one-to-one matching with the largest sum of IoU.

    Parameters
    ----------
    pairs : OutlinePairs
        In any order.
    drawer : (p,) int64, optional
        Who drew the scored outline of each pair: each drawer is matched with all gold outlines on their own.

    Returns
    -------
    OutlinePairs
        Each scored outline at most once, and each gold outline at most once for each drawer.
    """
    if not len(pairs.iou):
        return pairs
    drawer = np.zeros(len(pairs.gold), np.int64) if drawer is None else drawer
    scored = np.unique(pairs.scored, return_inverse=True)[1].reshape(-1)
    _, drawer = np.unique(drawer, return_inverse=True)
    gold = np.unique(drawer * (pairs.gold.max() + 1) + pairs.gold, return_inverse=True)[1].reshape(-1)
    n_scored, n_gold = int(scored.max()) + 1, int(gold.max()) + 1
    component = component_numbers(n_scored + n_gold, scored, n_scored + gold)[scored]
    order = np.argsort(component, kind="stable")
    offsets = runs_of_equal(component[order])
    is_single = np.diff(offsets) == 1
    chosen = [order[offsets[:-1][is_single]]]
    for start, end in zip(offsets[:-1][~is_single].tolist(), offsets[1:][~is_single].tolist(), strict=True):
        members = order[start:end]
        chosen.append(members[_assigned(scored[members], gold[members], pairs.iou[members])])
    return pairs.take(np.sort(np.concatenate(chosen)))


def _assigned(row: Ints, column: Ints, iou: Floats) -> Ints:
    """Return the pairs of the best matching of one connected component."""
    # Late: importing it takes a third of a second, and most outlines have only one candidate.
    from scipy.optimize import linear_sum_assignment

    rows, row = np.unique(row, return_inverse=True)
    columns, column = np.unique(column, return_inverse=True)
    weights = np.zeros((len(rows), len(columns)))
    weights[row, column] = iou
    pair = np.full(weights.shape, -1)
    pair[row, column] = np.arange(len(iou))
    assigned = pair[linear_sum_assignment(weights, maximize=True)]
    return np.asarray(assigned[assigned >= 0], dtype=np.int64)
