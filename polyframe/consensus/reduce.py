"""From extractions to clusters of marks: the tables groups, labels and reductions."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray

from polyframe.consensus.clustering import cluster_labels, cluster_members
from polyframe.consensus.marks import distances_between, marks_taking_part, member_pairs, neighbour_distances
from polyframe.consensus.votes import cluster_votes
from polyframe.core.arrays import Floats, Ints
from polyframe.core.ragged import list_column, offsets_of
from polyframe.core.settings import Settings
from polyframe.core.tables import GROUP_KEYS, GROUPS, LABELS, REDUCTIONS
from polyframe.geometry.averages import median_and_consensus
from polyframe.geometry.engines import engine_named
from polyframe.geometry.polygon_parts import fill_holes


@dataclass(frozen=True)
class Clustered:
    """The marks that took part in a reduction, and their clusters; n marks, g groups, c clusters.

    Attributes
    ----------
    marks : polars.DataFrame, height n
        Keys of the marks, sorted by group and `MARK_ORDER`, and their `details`; without coordinates.
    polygons : (n,) array of shapely.Polygon
    labels : (n,) int32
        Cluster of each mark within its group; -1 for an outlier.
    group_offsets : (g + 1,) int64
        Marks of each group.
    n_classifications : (g,) int64
        Classifications of the group's subject after the filter.
    members : (m,) int64
        Positions of the clustered marks, sorted by cluster.
    member_offsets : (c + 1,) int64
        Members of each cluster; clusters are sorted by group and label.
    group : (c,) int64
        The group of each cluster.
    median : (c,) int64
        Position of the mark with the least summed distance.
    consensus : (c,) float64
        Fraction from 0 to 1.
    rejected : int
        Marks without an area.
    set_aside, rows_set_aside : int
        Marks and classifications that do not count because the volunteer classified the subject again.
    """

    marks: pl.DataFrame
    polygons: NDArray[Any]
    labels: NDArray[np.int32]
    group_offsets: Ints
    n_classifications: Ints
    members: Ints
    member_offsets: Ints
    group: Ints
    median: Ints
    consensus: Floats
    rejected: int
    set_aside: int
    rows_set_aside: int

    @property
    def clusters_count(self) -> Ints:
        """Marks in each cluster, (c,) int64."""
        return np.diff(self.member_offsets)

    @property
    def threshold(self) -> Floats:
        """Share of the subject's classifications in each cluster, (c,) float64."""
        return self.clusters_count / self.n_classifications[self.group]


def cluster_marks(
    extractions: pl.DataFrame,
    classifications: pl.DataFrame | None,
    settings: Settings,
) -> Clustered:
    """Cluster the marks of every group.

    Parameters
    ----------
    extractions : polars.DataFrame
        The table of that name, sorted by its keys.
    classifications : polars.DataFrame or None
        The table of that name; None where only the marks are known, then classifications without a mark do
        not count.
    settings : Settings
        `filter`, `eps`, `min_samples` and `engine`.
    """
    taking_part = marks_taking_part(extractions, classifications, settings.filter)
    group_offsets, engine = taking_part.group_offsets, settings.engine
    near = neighbour_distances(taking_part, settings.eps, engine)
    labels = cluster_labels(
        group_offsets,
        near.left,
        near.right,
        near.distances,
        eps=settings.eps,
        min_samples=settings.min_samples,
    )
    members, member_offsets = cluster_members(labels, group_offsets)
    first, second = member_pairs(taking_part, members, member_offsets)
    within = distances_between(taking_part, (members[first], members[second]), near, engine)
    median, consensus = median_and_consensus(member_offsets, first, second, within)
    return Clustered(
        marks=taking_part.keys,
        polygons=taking_part.polygons,
        labels=labels,
        group_offsets=group_offsets,
        n_classifications=taking_part.n_classifications,
        members=members,
        member_offsets=member_offsets,
        group=taking_part.group[members[member_offsets[:-1]]],
        median=members[median],
        consensus=consensus,
        rejected=taking_part.rejected,
        set_aside=taking_part.set_aside,
        rows_set_aside=taking_part.rows_set_aside,
    )


def groups_table(clustered: Clustered) -> pl.DataFrame:
    """Make the table `groups`."""
    outliers = np.add.reduceat(np.append(clustered.labels == -1, 0), clustered.group_offsets)[:-1]
    n_groups = len(clustered.group_offsets) - 1
    frame = _keys(clustered, clustered.group_offsets[:-1]).with_columns(
        pl.Series("n_classifications", clustered.n_classifications),
        pl.Series("n_marks", np.diff(clustered.group_offsets)),
        pl.Series("n_clusters", np.bincount(clustered.group, minlength=n_groups)),
        pl.Series("n_outliers", outliers),
    )
    return GROUPS.conform(frame)


def labels_table(clustered: Clustered) -> pl.DataFrame:
    """Make the table `labels`."""
    return LABELS.conform(clustered.marks.with_columns(pl.Series("cluster_label", clustered.labels)))


def reductions_table(clustered: Clustered, settings: Settings) -> pl.DataFrame:
    """Make the table `reductions`: one averaged polygon for each cluster above `min_threshold`."""
    kept = kept_clusters(clustered, settings)
    averages = fill_holes(_averages(clustered, settings)[kept])
    coordinates, polygon = shapely.get_coordinates(averages, return_index=True)
    offsets = offsets_of(np.bincount(polygon, minlength=len(averages)))
    votes = cluster_votes(clustered.marks["details"][clustered.members], clustered.member_offsets)
    frame = cluster_keys(clustered, kept).with_columns(
        pl.Series("n_classifications", clustered.n_classifications[clustered.group[kept]]),
        pl.Series("threshold", clustered.threshold[kept]),
        pl.Series("average_type", [settings.average_type] * len(kept), pl.String),
        pl.Series("area", shapely.area(averages), pl.Float64),
        list_column("clusters_x", np.ascontiguousarray(coordinates[:, 0]), offsets),
        list_column("clusters_y", np.ascontiguousarray(coordinates[:, 1]), offsets),
        pl.Series("geometry", shapely.to_wkb(averages).tolist(), pl.Binary),
        votes.gather(kept),
    )
    return REDUCTIONS.conform(frame)


def kept_clusters(clustered: Clustered, settings: Settings) -> Ints:
    """Return the clusters whose share of the classifications is above `min_threshold`."""
    return np.flatnonzero(clustered.threshold > settings.min_threshold)


def cluster_keys(clustered: Clustered, kept: Ints) -> pl.DataFrame:
    """Return the columns that reductions and contours share, for some clusters."""
    first = clustered.members[clustered.member_offsets[kept]]
    return _keys(clustered, first).with_columns(
        pl.Series("cluster_label", clustered.labels[first]),
        pl.Series("clusters_count", clustered.clusters_count[kept]),
        pl.Series("consensus", clustered.consensus[kept]),
    )


def _averages(clustered: Clustered, settings: Settings) -> NDArray[Any]:
    members = clustered.polygons[clustered.members]
    match settings.average_type:
        case "median":
            return clustered.polygons[clustered.median]
        case "last":
            return clustered.polygons[_newest(clustered)]
        case "union":
            return engine_named(settings.engine).unions(members, clustered.member_offsets)
        case "intersection":
            return engine_named(settings.engine).intersections(members, clustered.member_offsets)


def _newest(clustered: Clustered) -> Ints:
    """Return the first mark of the newest classification of each cluster.

    Marks whose time could not be read count as older than all others.
    """
    if len(clustered.members) == 0:
        return clustered.members
    times = clustered.marks["created_at"].to_physical().fill_null(np.iinfo(np.int64).min)
    created_at = times.to_numpy()[clustered.members]
    newest = np.maximum.reduceat(created_at, clustered.member_offsets[:-1])
    is_newest = created_at == np.repeat(newest, clustered.clusters_count)
    place = np.where(is_newest, np.arange(len(created_at)), len(created_at))
    return clustered.members[np.minimum.reduceat(place, clustered.member_offsets[:-1])]


def _keys(clustered: Clustered, places: Ints) -> pl.DataFrame:
    return clustered.marks.select(GROUP_KEYS)[places]
