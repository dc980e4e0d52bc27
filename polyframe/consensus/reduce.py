"""Cluster marks, average each cluster, and make all tables of a reduction."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray

from polyframe.consensus.group_clusters import Clusters, cluster_groups
from polyframe.consensus.marks import marks_taking_part
from polyframe.consensus.membership_figures import MembershipFigures, membership_figures
from polyframe.consensus.subjects import subjects_table
from polyframe.consensus.volunteers import volunteer_sums, volunteers_table
from polyframe.consensus.votes import cluster_votes
from polyframe.core.arrays import Ints
from polyframe.core.ragged import binary_column, list_column, offsets_of
from polyframe.core.reprs import html_repr, row_counts, text_repr
from polyframe.core.settings import Settings
from polyframe.core.tables import GROUP_KEYS, GROUPS, LABELS, REDUCTIONS
from polyframe.geometry.engines import engine_named
from polyframe.geometry.polygon_parts import fill_holes
from polyframe.geometry.polygon_repair import RepairedPolygons
from polyframe.geometry.stability import classifications_needed
from polyframe.geometry.wkb import rings_to_wkb


@dataclass(frozen=True, repr=False)
class Reduction:
    """The clusters of some marks, and what they show about subjects and volunteers.

    Attributes
    ----------
    groups, labels, reductions, subjects, volunteers : polars.DataFrame
        The tables of these names; `polyframe.core.tables` describes their columns.
    """

    groups: pl.DataFrame
    labels: pl.DataFrame
    reductions: pl.DataFrame
    subjects: pl.DataFrame
    volunteers: pl.DataFrame

    def __repr__(self) -> str:
        return text_repr("Reduction", row_counts(vars(self)))

    def _repr_html_(self) -> str:
        return html_repr("Reduction", row_counts(vars(self)))


def cluster_marks(
    extractions: pl.DataFrame,
    classifications: pl.DataFrame | None,
    settings: Settings,
    repaired: RepairedPolygons | None = None,
    key: bytes = b"",
) -> Clusters:
    """Cluster the marks of every group.

    Parameters
    ----------
    extractions : polars.DataFrame
        The table `extractions`, sorted by its keys.
    classifications : polars.DataFrame or None
        The table `classifications`; None if only the marks are known, then classifications without a mark
        do not count.
    settings : Settings
        Those of the reduction, and `engine`; with digests of excluded volunteers.
    repaired : RepairedPolygons, optional
        The polygons of `extractions`, if they are known.
    key : bytes
        If names are not hashed yet, but will be in the tables: the secret.
    """
    marks = marks_taking_part(extractions, classifications, settings, repaired, key)
    return cluster_groups(marks, settings)


def reduction_tables(clusters: Clusters, settings: Settings) -> Reduction:
    """Make all tables of a reduction."""
    tables = cluster_tables(clusters, settings)
    classifications = clusters.marks.classifications
    sums = volunteer_sums(classifications.filter("counts"), tables["labels"])
    subjects = subjects_table(classifications, tables["groups"], tables["reductions"])
    return Reduction(**tables, subjects=subjects, volunteers=volunteers_table(sums))


def cluster_tables(clusters: Clusters, settings: Settings) -> dict[str, pl.DataFrame]:
    """Make the tables `groups`, `labels` and `reductions`, by name."""
    figures = membership_figures(clusters, settings)
    return {
        "groups": groups_table(clusters),
        "labels": labels_table(clusters, figures),
        "reductions": reductions_table(clusters, settings, figures),
    }


def groups_table(clusters: Clusters) -> pl.DataFrame:
    """Return the table `groups`."""
    offsets = clusters.marks.group_offsets
    outliers = np.add.reduceat(np.append(clusters.labels == -1, 0), offsets)[:-1]
    groups = _group_keys(clusters, offsets[:-1]).with_columns(
        pl.Series("n_classifications", clusters.marks.n_classifications),
        pl.Series("n_marks", np.diff(offsets)),
        pl.Series("n_clusters", np.bincount(clusters.group, minlength=len(offsets) - 1)),
        pl.Series("n_outliers", outliers),
    )
    return GROUPS.conform(groups)


def labels_table(clusters: Clusters, figures: MembershipFigures) -> pl.DataFrame:
    """Return the table `labels`."""
    iou = np.full(len(clusters.labels), np.nan)
    iou[clusters.members] = figures.iou_others
    labels = clusters.marks.keys.with_columns(
        pl.Series("cluster_label", clusters.labels), pl.Series("iou_others", iou).fill_nan(None)
    )
    return LABELS.conform(labels)


def reductions_table(clusters: Clusters, settings: Settings, figures: MembershipFigures) -> pl.DataFrame:
    """Return the table `reductions`: an averaged polygon for each cluster above `min_threshold`."""
    kept = clusters_above_threshold(clusters, settings)
    averages = averaged_polygons(clusters, settings)[kept]
    coordinates, polygon = shapely.get_coordinates(averages, return_index=True)
    offsets = offsets_of(np.bincount(polygon, minlength=len(averages)))
    x, y = np.ascontiguousarray(coordinates.T)
    votes = cluster_votes(clusters.marks.keys["details"][clusters.members], clusters.member_offsets)
    reductions = cluster_keys(clusters, kept).with_columns(
        pl.Series("n_classifications", clusters.marks.n_classifications[clusters.group[kept]]),
        pl.Series("threshold", clusters.threshold[kept]),
        pl.Series("average_type", [settings.average_type] * len(kept), pl.String),
        pl.Series("area", shapely.area(averages), pl.Float64),
        list_column("clusters_x", x, offsets),
        list_column("clusters_y", y, offsets),
        binary_column("geometry", *rings_to_wkb(x, y, offsets)),
        votes.gather(kept),
        *_stability_columns(clusters, kept, figures),
    )
    return REDUCTIONS.conform(reductions)


def count_estimated(reductions: pl.DataFrame) -> tuple[int, int]:
    """Count the clusters of the table `reductions` whose stability is known, and those that need more.

    Parameters
    ----------
    reductions : polars.DataFrame
        With `expected_iou`, `classifications_needed` and `n_classifications`.

    Returns
    -------
    estimated, unsure : int
        Clusters with an `expected_iou`, and those of them for which the subject needs more classifications
        than it has.
    """
    needs_more = reductions["classifications_needed"] > reductions["n_classifications"]
    return int(reductions["expected_iou"].count()), int(needs_more.sum())


def _stability_columns(clusters: Clusters, kept: Ints, figures: MembershipFigures) -> list[pl.Series]:
    """Return the columns of `reductions` about the stability of some clusters."""
    stability, n_classifications = figures.stability, clusters.marks.n_classifications[clusters.group]
    needed = classifications_needed(stability.expected_iou, clusters.counts, n_classifications)
    columns = {
        "expected_iou": stability.expected_iou,
        "area_low": stability.area_low,
        "area_high": stability.area_high,
        "classifications_needed": needed,
    }
    return [pl.Series(name, values[kept]).fill_nan(None) for name, values in columns.items()]


def averaged_polygons(clusters: Clusters, settings: Settings) -> NDArray[Any]:
    """Return the averaged polygon of each cluster, holes filled; empty if it has no area."""
    return fill_holes(_averages(clusters, settings))


def clusters_above_threshold(clusters: Clusters, settings: Settings) -> Ints:
    """Return the clusters whose share of the classifications is above `min_threshold`."""
    return np.flatnonzero(clusters.threshold > settings.min_threshold)


def cluster_keys(clusters: Clusters, kept: Ints) -> pl.DataFrame:
    """Return the columns that reductions and contours share, for some clusters."""
    first = clusters.members[clusters.member_offsets[kept]]
    return _group_keys(clusters, first).with_columns(
        pl.Series("cluster_label", clusters.labels[first]),
        pl.Series("clusters_count", clusters.counts[kept]),
        pl.Series("consensus", clusters.consensus[kept]),
    )


def _averages(clusters: Clusters, settings: Settings) -> NDArray[Any]:
    polygons = clusters.marks.polygons
    match settings.average_type:
        case "median":
            return polygons[clusters.median]
        case "last":
            return polygons[_newest(clusters)]
        case "union":
            return engine_named(settings.engine).unions(polygons[clusters.members], clusters.member_offsets)
        case "intersection":
            return engine_named(settings.engine).intersections(
                polygons[clusters.members], clusters.member_offsets
            )
        case "majority":
            place = np.empty(len(polygons), dtype=np.int64)
            place[clusters.members] = np.arange(len(clusters.members))
            return engine_named(settings.engine).majorities(
                polygons[clusters.members],
                clusters.member_offsets,
                place[clusters.median],
                None if clusters.crossings is None else (clusters.crossings, clusters.members),
            )


def _newest(clusters: Clusters) -> Ints:
    """Return the first mark of the newest classification of each cluster.

    Marks with an unreadable time count as older than all others.
    """
    if len(clusters.members) == 0:
        return clusters.members
    times = clusters.marks.keys["created_at"].to_physical().fill_null(np.iinfo(np.int64).min)
    created_at = times.to_numpy()[clusters.members]
    newest = np.maximum.reduceat(created_at, clusters.member_offsets[:-1])
    is_newest = created_at == np.repeat(newest, clusters.counts)
    position = np.where(is_newest, np.arange(len(created_at)), len(created_at))
    return clusters.members[np.minimum.reduceat(position, clusters.member_offsets[:-1])]


def _group_keys(clusters: Clusters, positions: Ints) -> pl.DataFrame:
    return clusters.marks.keys.select(GROUP_KEYS)[positions]
