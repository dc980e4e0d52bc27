"""The marks that take part in a reduction, and the distances between them, each computed once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray

from polyframe.consensus.extract import polygons_of
from polyframe.consensus.participation import (
    classifications_per_group,
    counted_classifications,
    in_classifications,
    known_classifications,
)
from polyframe.core.arrays import Floats, Ints
from polyframe.core.choices import RepeatFilter
from polyframe.core.ragged import runs_of_equal
from polyframe.core.tables import GROUP_KEYS, MARK_ORDER
from polyframe.geometry.distances import pair_distances
from polyframe.geometry.engines import engine_named
from polyframe.geometry.pairs import Pairs, candidate_pairs


@dataclass(frozen=True)
class Marks:
    """The marks that take part in a reduction; n marks, g groups.

    Attributes
    ----------
    keys : polars.DataFrame, height n
        Keys of the marks, `volunteer`, `user_name` and `details`, sorted by group and `MARK_ORDER`; without
        coordinates.
    polygons : (n,) array of shapely.Polygon
    areas : (n,) float64
        Square pixels, all above 0.
    bounds : (n, 4) float64
        Their boxes, as `shapely.bounds` gives them.
    group_offsets : (g + 1,) int64
        Marks of each group.
    n_classifications : (g,) int64
        Classifications of the group's subject after the filter.
    rejected : int
        Marks without an area, which are not among these.
    set_aside, rows_set_aside : int
        Marks and classifications that do not count because the volunteer classified the subject again.
    """

    keys: pl.DataFrame
    polygons: NDArray[Any]
    areas: Floats
    bounds: Floats
    group_offsets: Ints
    n_classifications: Ints
    rejected: int
    set_aside: int
    rows_set_aside: int

    @property
    def group(self) -> Ints:
        """The group of each mark, (n,) int64."""
        return np.repeat(np.arange(len(self.group_offsets) - 1), np.diff(self.group_offsets))

    @property
    def classification(self) -> Ints:
        """The id of the classification of each mark, (n,) int64."""
        return self.keys["classification_id"].to_numpy()


@dataclass(frozen=True)
class Distances:
    """IoU distances of some pairs of marks; p pairs.

    Attributes
    ----------
    left, right : (p,) int64
        Positions of the marks, left < right, ordered by (left, right).
    distances : (p,) float64
        Fractions from 0 to 1.
    """

    left: Ints
    right: Ints
    distances: Floats


def marks_taking_part(
    extractions: pl.DataFrame, classifications: pl.DataFrame | None, repeats: RepeatFilter
) -> Marks:
    """Repair the polygons of marks, and keep those with an area whose classification counts.

    Parameters
    ----------
    extractions : polars.DataFrame
        The table of that name, sorted by its keys.
    classifications : polars.DataFrame or None
        The table of that name; None where only the marks are known, then classifications without a mark do
        not count.
    repeats : {"first", "last", "all"}
        The setting `filter`.
    """
    repaired = polygons_of(extractions)
    known = known_classifications(extractions, classifications)
    counted = counted_classifications(known, repeats)
    solid = repaired.areas > 0
    counts = in_classifications(extractions, counted)
    taking_part = np.flatnonzero(solid & counts)
    keys = extractions.select(*GROUP_KEYS, *MARK_ORDER, "volunteer", "user_name", "details")[taking_part]
    polygons = repaired.polygons[taking_part]
    group_offsets = runs_of_equal(keys.select(pl.struct(GROUP_KEYS).rle_id()).to_series().to_numpy())
    return Marks(
        keys=keys,
        polygons=polygons,
        areas=repaired.areas[taking_part],
        bounds=shapely.bounds(polygons).reshape(-1, 4),
        group_offsets=group_offsets,
        n_classifications=classifications_per_group(keys, group_offsets, counted),
        rejected=int((~solid).sum()),
        set_aside=int((solid & ~counts).sum()),
        rows_set_aside=known.height - counted.height,
    )


def neighbour_distances(marks: Marks, eps: float, engine: str) -> Distances:
    """Compute the distances that can be `eps` or less.

    Parameters
    ----------
    marks : Marks
    eps : float
        The largest distance of interest (fraction).
    engine : str
        See `polyframe.geometry.engines.engine_named`.
    """
    left, right = candidate_pairs(marks.bounds, marks.areas, marks.group_offsets, marks.classification, eps)
    return Distances(left, right, _computed(marks, left, right, engine))


def member_pairs(marks: Marks, members: Ints, member_offsets: Ints) -> Pairs:
    """Return all pairs of marks of one cluster but of different classifications.

    Those of one classification are infinitely far apart, which counts as 1.

    Parameters
    ----------
    marks : Marks
    members : (m,) int64
        Positions of the clustered marks, sorted by cluster.
    member_offsets : (c + 1,) int64
        Members of each cluster.

    Returns
    -------
    first, second : (p,) int64
        Places in `members`, first < second, ordered by (first, second).
    """
    # With eps 1 every pair of different classifications counts.
    return candidate_pairs(
        marks.bounds[members], marks.areas[members], member_offsets, marks.classification[members], eps=1.0
    )


def distances_between(marks: Marks, pairs: Pairs, known: Distances, engine: str) -> Floats:
    """Return the distance of each pair; only those that are not known are computed.

    Parameters
    ----------
    marks : Marks
    pairs : (p,) int64 and (p,) int64
        Positions of marks, the left before the right; in any order.
    known : Distances
    engine : str
        See `polyframe.geometry.engines.engine_named`.

    Returns
    -------
    (p,) float64
    """
    left, right = pairs
    distances = np.ones(len(left))
    n_marks = len(marks.polygons)
    known_keys = known.left * n_marks + known.right
    keys = left * n_marks + right
    place = np.searchsorted(known_keys, keys)
    found = np.zeros(len(keys), bool)
    inside = place < len(known_keys)
    found[inside] = known_keys[place[inside]] == keys[inside]
    distances[found] = known.distances[place[found]]
    missing = np.flatnonzero(~found)
    distances[missing] = _computed(marks, left[missing], right[missing], engine)
    return distances


def _computed(marks: Marks, left: Ints, right: Ints, engine: str) -> Floats:
    areas = engine_named(engine).intersection_areas
    return pair_distances(marks.polygons, marks.areas, marks.bounds, left, right, areas)
