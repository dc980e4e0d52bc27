"""Choose the marks that take part in a reduction, and compute the distances between them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray

from polyframe.consensus.exclusion import EXCLUSION_COLUMNS, excluded_names, is_excluded
from polyframe.consensus.extract import repaired_polygons
from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.core.choices import RepeatFilter
from polyframe.core.ragged import runs_of_equal
from polyframe.core.settings import Settings
from polyframe.core.tables import GROUP_KEYS, MARK_ORDER
from polyframe.geometry.candidate_pairs import Pairs, candidate_pairs
from polyframe.geometry.distances import IntersectionAreas, pair_distances
from polyframe.geometry.engines import GroupCrossings, engine_named
from polyframe.geometry.polygon_repair import RepairedPolygons
from polyframe.panoptes.classifications.metadata import is_visitor

_SUBJECT_KEYS = ["workflow_id", "subject_id"]
_CLASSIFICATION_KEYS = [*_SUBJECT_KEYS, "classification_id"]


@dataclass(frozen=True)
class GroupedMarks:
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
        Bounding boxes as returned by `shapely.bounds`.
    group_offsets : (g + 1,) int64
        Marks of each group.
    n_classifications : (g,) int64
        Classifications of the group's subject after the filter.
    rejected : int
        Marks without an area, which are omitted here.
    set_aside, rows_set_aside : int
        Marks and classifications that do not count because the volunteer classified the subject again.
    excluded, rows_excluded : int
        Marks and classifications that the settings exclude.
    excluded_digests : tuple of str
        Digests of the excluded volunteers that occur, sorted.
    classifications : polars.DataFrame
        All classifications: keys, `volunteer`, `user_name`, and `counts`, whether they take part.
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
    excluded: int = 0
    rows_excluded: int = 0
    excluded_digests: tuple[str, ...] = ()
    classifications: pl.DataFrame = field(default_factory=pl.DataFrame)

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
    crossings : GroupCrossings or None
        The crossings of all marks, if the engine found them.
    """

    left: Ints
    right: Ints
    distances: Floats
    crossings: GroupCrossings | None = None


def selected_marks(extractions: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Select the marks of the chosen tasks and tools.

    Parameters
    ----------
    extractions : polars.DataFrame
        With the columns `task` and `tool`.
    settings : Settings
        `drawing_tasks`, `task` and `tool`; an empty one selects everything.
    """
    condition = _is_selected(settings)
    return extractions if condition is None else extractions.filter(condition)


def selected_polygons(
    repaired: RepairedPolygons, extractions: pl.DataFrame, settings: Settings
) -> RepairedPolygons:
    """Select the polygons of the marks that `selected_marks` selects.

    Parameters
    ----------
    repaired : RepairedPolygons
        One for each row of `extractions`.
    extractions, settings
        As for `selected_marks`.
    """
    condition = _is_selected(settings)
    if condition is None:
        return repaired
    rows = extractions.select(condition.fill_null(value=False).arg_true()).to_series().to_numpy()
    return RepairedPolygons(repaired.polygons[rows], repaired.areas[rows], repaired.problems[rows])


def _is_selected(settings: Settings) -> pl.Expr | None:
    """Return the condition for the marks of the chosen tasks and tools; None if all are chosen."""
    index = pl.col("tool").str.extract("([0-9]+)$").cast(pl.Int64, strict=False)
    conditions: list[pl.Expr] = []
    if settings.drawing_tasks:
        drawn = [
            (pl.col("task") == drawing.task) & (True if drawing.tools is None else index.is_in(drawing.tools))
            for drawing in settings.drawing_tasks
        ]
        conditions.append(pl.any_horizontal(drawn))
    if settings.task:
        conditions.append(pl.col("task").is_in(settings.task))
    if settings.tool:
        conditions.append(index.is_in(settings.tool))
    return pl.all_horizontal(conditions) if conditions else None


def counted_classifications(classifications: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Choose which classifications count.

    Parameters
    ----------
    classifications : polars.DataFrame
        The table `classifications`, or some of its columns.
    settings : Settings
        `exclude_volunteers` and `gold_standard`; of the others, `filter` says which count if a volunteer
        classified a subject more than once: by `created_at`, then `classification_id`. One with an unreadable
        time counts only if the volunteer has none with a time. Classifications without a `volunteer` count
        one by one.

    Returns
    -------
    polars.DataFrame
        `workflow_id, subject_id, classification_id` of those that count.
    """
    return _without_repeats(classifications.filter(~is_excluded(classifications, settings)), settings.filter)


def _without_repeats(classifications: pl.DataFrame, repeats: RepeatFilter) -> pl.DataFrame:
    if repeats == "all":
        return classifications.select(_CLASSIFICATION_KEYS)
    volunteer = [*_SUBJECT_KEYS, "volunteer"]
    # Unreadable times are sorted to the end that is not taken.
    ordered = classifications.sort("created_at", "classification_id", nulls_last=repeats == "first")
    has_volunteer = pl.col("volunteer").is_not_null()
    once = ordered.filter(has_volunteer).unique(volunteer, keep=repeats, maintain_order=True)
    return pl.concat([once, ordered.filter(~has_volunteer)]).select(_CLASSIFICATION_KEYS)


def visitor_repeats(classifications: pl.DataFrame) -> int:
    """Count the classifications by which visitors who are not logged in classified a subject again.

    Parameters
    ----------
    classifications : polars.DataFrame
        The table `classifications`, before names are hashed.
    """
    visits = classifications.filter(is_visitor("user_name") & pl.col("volunteer").is_not_null())
    return visits.height - visits.n_unique([*_SUBJECT_KEYS, "volunteer"])


def marks_taking_part(
    extractions: pl.DataFrame,
    classifications: pl.DataFrame | None,
    settings: Settings,
    repaired: RepairedPolygons | None = None,
    key: bytes = b"",
) -> GroupedMarks:
    """Select the marks that have an area and whose classification counts, with their polygons.

    Parameters
    ----------
    extractions : polars.DataFrame
        The table `extractions`, sorted by its keys.
    classifications : polars.DataFrame or None
        The table `classifications`; None if only the marks are known, then classifications without a mark
        do not count.
    settings : Settings
        `filter`, `gold_standard` and `exclude_volunteers`.
    repaired : RepairedPolygons, optional
        The polygons of the marks; otherwise they are made here.
    key : bytes
        If names are not hashed yet, but will be in the tables: the secret.
    """
    repaired = repaired_polygons(extractions) if repaired is None else repaired
    all_classifications = _classifications_of(extractions, classifications)
    excluded = is_excluded(all_classifications, settings, key)
    not_excluded = all_classifications.filter(~excluded)
    counted = _without_repeats(not_excluded, settings.filter)
    has_area = repaired.areas > 0
    counts = _in_classifications(extractions, counted)
    set_aside = has_area & ~counts
    n_excluded = 0
    if np.any(excluded):
        set_aside &= _in_classifications(extractions, not_excluded.select(_CLASSIFICATION_KEYS))
        n_excluded = int((has_area & ~counts).sum() - set_aside.sum())
    taking_part = np.flatnonzero(has_area & counts)
    keys = extractions.select(*GROUP_KEYS, *MARK_ORDER, "volunteer", "user_name", "details")[taking_part]
    polygons = repaired.polygons[taking_part]
    group_offsets = runs_of_equal(keys.select(pl.struct(GROUP_KEYS).rle_id()).to_series().to_numpy())
    return GroupedMarks(
        keys=keys,
        polygons=polygons,
        areas=repaired.areas[taking_part],
        bounds=shapely.bounds(polygons).reshape(-1, 4),
        group_offsets=group_offsets,
        n_classifications=_classifications_per_group(keys, group_offsets, counted),
        rejected=int((~has_area).sum()),
        set_aside=int(set_aside.sum()),
        rows_set_aside=not_excluded.height - counted.height,
        excluded=n_excluded,
        rows_excluded=int(excluded.sum()),
        excluded_digests=tuple(sorted({*excluded_names(all_classifications, settings, key).values()})),
        classifications=with_counts(all_classifications, counted),
    )


def with_counts(classifications: pl.DataFrame, counted: pl.DataFrame) -> pl.DataFrame:
    """Return keys, `volunteer` and `user_name` of classifications, and `counts`: whether they take part.

    Parameters
    ----------
    classifications : polars.DataFrame
        The table `classifications`, or these columns of it.
    counted : polars.DataFrame
        From `counted_classifications`.
    """
    counts = pl.Series("counts", _in_classifications(classifications, counted), pl.Boolean)
    return classifications.select(*_CLASSIFICATION_KEYS, "volunteer", "user_name").with_columns(counts)


def neighbour_distances(marks: GroupedMarks, eps: float, engine: str) -> Distances:
    """Compute the distances that can be `eps` or less.

    Parameters
    ----------
    marks : GroupedMarks
    eps : float
        The largest distance of interest (fraction).
    engine : str
        See `polyframe.geometry.engines.engine_named`.
    """
    left, right = candidate_pairs(marks.bounds, marks.areas, marks.group_offsets, marks.classification, eps)
    crossings = engine_named(engine).group_crossings(marks.polygons, marks.group_offsets)
    distances = _computed(marks, left, right, crossings.intersection_areas)
    return Distances(left, right, distances, crossings)


def member_pairs(marks: GroupedMarks, members: Ints, member_offsets: Ints) -> Pairs:
    """Return all pairs of marks in the same cluster but from different classifications.

    Marks of the same classification are infinitely far apart, which counts as 1.

    Parameters
    ----------
    marks : GroupedMarks
    members : (m,) int64
        Positions of the clustered marks, sorted by cluster.
    member_offsets : (c + 1,) int64
        Members of each cluster.

    Returns
    -------
    first, second : (p,) int64
        Positions in `members`, first < second, ordered by (first, second).
    """
    # With eps 1 every pair of different classifications is a candidate.
    return candidate_pairs(
        marks.bounds[members], marks.areas[members], member_offsets, marks.classification[members], eps=1.0
    )


def distances_between(marks: GroupedMarks, pairs: Pairs, known: Distances, engine: str) -> Floats:
    """Return the distance of each pair; compute only those that are not known.

    Parameters
    ----------
    marks : GroupedMarks
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
    n_marks = len(marks.polygons)
    known_keys = known.left * n_marks + known.right
    keys = left * n_marks + right
    index = np.searchsorted(known_keys, keys)
    is_known = np.zeros(len(keys), bool)
    inside = index < len(known_keys)
    is_known[inside] = known_keys[index[inside]] == keys[inside]
    distances = np.ones(len(keys))
    distances[is_known] = known.distances[index[is_known]]
    missing = np.flatnonzero(~is_known)
    areas = engine_named(engine).intersection_areas
    if known.crossings is not None:  # so that it knows of these pairs, too
        areas = known.crossings.intersection_areas
    distances[missing] = _computed(marks, left[missing], right[missing], areas)
    return distances


def _classifications_of(extractions: pl.DataFrame, classifications: pl.DataFrame | None) -> pl.DataFrame:
    """Return the columns that decide what counts; without a table of classifications, from the marks."""
    columns = [*_CLASSIFICATION_KEYS, "created_at", *EXCLUSION_COLUMNS]
    if classifications is not None:
        return classifications.select(columns)
    return extractions.select(columns).unique(_CLASSIFICATION_KEYS, maintain_order=True)


def _in_classifications(extractions: pl.DataFrame, counted: pl.DataFrame) -> Flags:
    """Return which marks belong to the counted classifications."""
    marked = counted.unique().with_columns(pl.lit(value=True).alias("counts"))
    joined = extractions.select(_CLASSIFICATION_KEYS).join(
        marked, on=_CLASSIFICATION_KEYS, how="left", maintain_order="left"
    )
    return joined["counts"].fill_null(value=False).to_numpy()


def _classifications_per_group(keys: pl.DataFrame, group_offsets: Ints, counted: pl.DataFrame) -> Ints:
    """Return the number of counted classifications of each group's subject, (g,) int64."""
    numbers = counted.group_by(_SUBJECT_KEYS).len("n_classifications")
    subjects = keys.select(_SUBJECT_KEYS)[group_offsets[:-1]]
    joined = subjects.join(numbers, on=_SUBJECT_KEYS, how="left", maintain_order="left")
    return joined["n_classifications"].to_numpy().astype(np.int64)


def _computed(marks: GroupedMarks, left: Ints, right: Ints, areas: IntersectionAreas) -> Floats:
    return pair_distances(marks.polygons, marks.areas, marks.bounds, left, right, areas)
