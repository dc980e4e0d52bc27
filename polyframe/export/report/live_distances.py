"""Compute the distances with which the page clusters the marks of a group again, with other settings.

Each distance is rounded up to thousandths: for every `eps` in steps of 0.001, the neighbours, and so the
clusters, are those of `polyframe reduce`.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray

from polyframe.consensus.extract import repaired_polygons
from polyframe.consensus.large_groups import LARGE_GROUP
from polyframe.consensus.marks import GroupedMarks, neighbour_distances
from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.ragged import offsets_of
from polyframe.core.settings import Settings
from polyframe.export.report.worst_clusters import WorstClusters

#: Steps of `eps` from 0 to 1, each the number that its decimal digits are read as.
STEPS: Final = np.arange(1001) / 1000
#: Instead of thousandths: marks that do not overlap, whose distance is 1, and marks of one classification,
#: whose distance is infinite.
NOT_OVERLAPPING: Final = 1001
NEVER_NEIGHBOURS: Final = 1002
#: Pairs in a report: 2 bytes each, 11 MB of text in all.
MOST_PAIRS: Final = 4_000_000


@dataclass(frozen=True)
class LiveDistances:
    """The distances of all pairs of marks of some groups; p pairs, g groups.

    Attributes
    ----------
    included : (g,) bool
        Which groups have distances: the smallest ones, as long as there are not too many pairs in all.
    thousandths : (p,) uint16
        Of each included group, each pair of marks once, ordered by (left, right): the distance, rounded up;
        `NOT_OVERLAPPING` or `NEVER_NEIGHBOURS`.
    exact : (p,) float64 or None
        The distances themselves if clusters are split, which depends on their order; infinite for
        `NEVER_NEIGHBOURS`.
    """

    included: Flags
    thousandths: NDArray[np.uint16]
    exact: Floats | None


def live_distances(worst: WorstClusters, settings: Settings) -> LiveDistances:
    """Compute the distances between the marks of the groups of a report.

    Parameters
    ----------
    worst : WorstClusters
    settings : Settings
        `engine`, the one that computed the clusters, and `split`.
    """
    group = worst.marks["group"].to_numpy()
    sizes = np.bincount(group, minlength=worst.groups.height)
    included = groups_with_distances(sizes)
    marks = worst.marks.filter(pl.Series(included[group], dtype=pl.Boolean))
    sizes = sizes[included]
    grouped = grouped_marks(marks, sizes)
    # All pairs but those of one classification.
    near = neighbour_distances(grouped, 1.0, settings.engine)
    distances = np.full(int((sizes * (sizes - 1) // 2).sum()), np.inf)
    distances[pair_positions(grouped.group_offsets, near.left, near.right)] = near.distances
    return LiveDistances(
        included, in_thousandths(distances), distances if settings.split == "doubled" else None
    )


def grouped_marks(marks: pl.DataFrame, sizes: Ints) -> GroupedMarks:
    """Return marks of a report, sorted by group, as the functions for distances take them.

    Parameters
    ----------
    marks : polars.DataFrame
        Some of `WorstClusters.marks`.
    sizes : (g,) int64
        Number of marks of each group, none of them 0.
    """
    repaired = repaired_polygons(marks)
    return GroupedMarks(
        keys=marks.select("classification_id"),
        polygons=repaired.polygons,
        areas=repaired.areas,
        bounds=shapely.bounds(repaired.polygons).reshape(-1, 4),
        group_offsets=offsets_of(sizes),
        n_classifications=np.zeros(len(sizes), np.int64),
        rejected=0,
        set_aside=0,
        rows_set_aside=0,
    )


def in_thousandths(distances: Floats) -> NDArray[np.uint16]:
    """Return for each distance the least step of `eps` at which the two marks are neighbours.

    Parameters
    ----------
    distances : (p,) float64
        Fractions from 0 to 1, or infinity.

    Returns
    -------
    (p,) uint16
        k if `distance <= k / 1000`, but not at k - 1; `NOT_OVERLAPPING` for 1, `NEVER_NEIGHBOURS` above it.
    """
    steps = np.searchsorted(STEPS, distances).astype(np.uint16)
    steps[distances == 1] = NOT_OVERLAPPING
    steps[distances > 1] = NEVER_NEIGHBOURS
    return steps


def groups_with_distances(sizes: Ints) -> Flags:
    """Return which groups of so many marks have their distances in a report, (g,) bool.

    Large groups, which are clustered in another way, have none: their distances may differ by what rounding
    does.
    """
    order = np.argsort(sizes, kind="stable")
    total = np.cumsum(sizes[order] * (sizes[order] - 1) // 2)
    included = np.zeros(len(sizes), np.bool_)
    included[order] = (total <= MOST_PAIRS) & (sizes[order] < LARGE_GROUP)
    return included


def pair_positions(group_offsets: Ints, left: Ints, right: Ints) -> Ints:
    """Return the position of each pair among all pairs of all groups, ordered by (left, right)."""
    sizes = np.diff(group_offsets)
    group = np.searchsorted(group_offsets, left, side="right") - 1
    first, size = group_offsets[group], sizes[group]
    row, column = left - first, right - first
    before = offsets_of(sizes * (sizes - 1) // 2)[group]
    positions: Ints = before + row * (2 * size - row - 1) // 2 + column - row - 1
    return positions
