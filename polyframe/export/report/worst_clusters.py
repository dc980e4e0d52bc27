"""Read the clusters that a report shows, worst first, with their marks, contours and images."""

from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from polyframe.core.table_schema import missing_last
from polyframe.core.tables import CORRECTIONS, GROUP_KEYS, IMAGE_KEYS, MARK_ORDER
from polyframe.store.corrections import CORRECTED, REMOVED
from polyframe.store.reading import OutputTables

_KEYS: Final = list(GROUP_KEYS)
_CLUSTER: Final = [*_KEYS, "cluster_label"]
_MARK: Final = [*_KEYS, "classification_id", "mark_index"]


@dataclass(frozen=True)
class WorstClusters:
    """The clusters of a report. Frames refer to each other by position: `cluster`, `group`, `image`.

    Attributes
    ----------
    clusters : polars.DataFrame
        Rows of reductions without `geometry`, by consensus (lowest first), marks (most first) and keys; then
        the clusters that somebody removed, as they were averaged. With `group`, `number_of_contours` of the
        table contours, if any, and `correction` (`corrected`, `removed` or missing), `corrected_by` and
        `corrected_at`.
    levels : polars.DataFrame
        `cluster`, `level`, `x`, `y`, `area` of every contour level in the table contours, in order; empty
        without that table.
    groups : polars.DataFrame
        Rows of the groups of these clusters, and of groups without a cluster, sorted by their keys, with
        `image`.
    marks : polars.DataFrame
        All clustered marks of these groups, in the order of labels: `group`, `image`, `cluster_label`,
        `classification_id`, `mark_index`, `volunteer`, `x`, `y`.
    images : polars.DataFrame
        `subject_id` and `frame` of every image, sorted.
    subjects : polars.DataFrame
        Rows of the table subjects of the subjects in `images`, sorted; with `clusters`, the number of its
        clusters in reductions, including those not shown. Clusters that somebody removed do not count, nor
        for `expected_iou_min` and `classifications_needed`.
    without_marks : polars.Series
        `subject_id` of the subjects without a mark that took part.
    consensus : polars.Series
        Of all clusters of these groups, also of those that are not in the report; not of removed ones.
    n_groups_without : int
        How many of these groups have no cluster, not even a removed one.
    """

    clusters: pl.DataFrame
    levels: pl.DataFrame
    groups: pl.DataFrame
    marks: pl.DataFrame
    images: pl.DataFrame
    subjects: pl.DataFrame
    without_marks: pl.Series
    consensus: pl.Series
    n_groups_without: int

    @property
    def n_removed(self) -> int:
        """Clusters that somebody removed."""
        return int((self.clusters["correction"] == REMOVED).sum())

    @property
    def n_clusters(self) -> int:
        """The other clusters."""
        return self.clusters.height - self.n_removed


def worst_clusters(source: OutputTables, limit: int) -> WorstClusters:
    """Read the worst clusters of an output directory that has reductions.

    Parameters
    ----------
    source : OutputTables
    limit : int
        Largest number of clusters, of groups without a cluster, which are those with the most marks, and of
        groups that are only here for a removed cluster.

    Raises
    ------
    PolyframeError
        If a part is missing.
    """
    drawn, corrections = replace(source, corrected=False), _corrections(source)
    removed = drawn.scan("reductions").join(
        corrections.filter(correction=REMOVED).lazy(), on=_CLUSTER, how="semi"
    )
    # Few of very many clusters: Polars finds them without sorting or keeping all.
    worst = _worst_first(source.scan("reductions")).head(limit).collect()
    removed_keys = _worst_first(removed).collect()
    groups = _groups(drawn, pl.concat([worst, removed_keys.head(limit)]), limit)
    keys = pl.concat([worst, removed_keys.join(groups, on=_KEYS, how="semi")]).with_row_index("cluster")
    images = groups.select(IMAGE_KEYS).unique().sort(IMAGE_KEYS)
    groups = groups.with_row_index("group").join(
        images.with_row_index("image"), on=IMAGE_KEYS, maintain_order="left"
    )
    places = groups.select(*_KEYS, "group", "image")
    clusters = (
        pl.concat([source.scan("reductions"), removed])
        .drop("geometry")
        .join(keys.lazy(), on=_CLUSTER)
        .join(places.lazy(), on=_KEYS)
        .collect()
        .join(corrections, on=_CLUSTER, how="left")
        .sort("cluster")
    )
    if source.contains("contours"):
        highest = drawn.scan("contours").select(*_CLUSTER, "number_of_contours")
        highest = highest.join(keys.lazy(), on=_CLUSTER, how="semi")
        clusters = clusters.join(highest.collect(), on=_CLUSTER, how="left", maintain_order="left")
    return WorstClusters(
        clusters=clusters,
        levels=_levels(drawn, keys),
        groups=groups,
        marks=_marks(source, places),
        images=images,
        subjects=_subjects(source, images),
        without_marks=source.scan("subjects").filter(n_marks=0).select("subject_id").collect().to_series(),
        consensus=source.scan("reductions")
        .join(groups.lazy(), on=_KEYS, how="semi")
        .select("consensus")
        .collect()
        .to_series(),
        n_groups_without=groups.lazy()
        .join(drawn.scan("reductions"), on=_KEYS, how="anti")
        .select(pl.len())
        .collect()
        .item(),
    )


def _corrections(source: OutputTables) -> pl.DataFrame:
    """Return who corrected or removed which clusters, and when; nothing if corrections are ignored."""
    corrections = source.corrections
    rows = corrections.current if source.corrected else CORRECTIONS.empty()
    removed = corrections.is_removed if source.corrected else pl.Series(dtype=pl.Boolean)
    kind = pl.when(removed).then(pl.lit(REMOVED)).otherwise(pl.lit(CORRECTED))
    return rows.select(*_CLUSTER, kind.alias("correction"), "corrected_by", "corrected_at")


def _worst_first(reductions: pl.LazyFrame) -> pl.LazyFrame:
    order = {"consensus": False, "clusters_count": True, **dict.fromkeys(_CLUSTER, False)}
    return (
        reductions.select(*_CLUSTER, "consensus", "clusters_count")
        .sort(*order, descending=[*order.values()])
        .select(_CLUSTER)
    )


def _groups(source: OutputTables, worst: pl.DataFrame, limit: int) -> pl.DataFrame:
    """Return the groups of clusters, and those in which nobody agrees, most marks first."""
    groups = source.scan("groups")
    with_clusters = source.scan("reductions").select(_KEYS).unique()
    without = (
        groups.join(with_clusters, on=_KEYS, how="anti")
        .sort("n_marks", *_KEYS, descending=[True, *[False] * len(_KEYS)])
        .head(limit)
    )
    of_worst = groups.join(worst.select(_KEYS).unique().lazy(), on=_KEYS, how="semi")
    return pl.concat([of_worst, without]).collect().sort(_KEYS)


def _subjects(source: OutputTables, images: pl.DataFrame) -> pl.DataFrame:
    # As in the table, but without removed clusters.
    numbers = (
        source.scan("reductions")
        .group_by("subject_id")
        .agg(
            pl.len().alias("clusters"),
            pl.col("expected_iou").min().alias("expected_iou_min"),
            pl.col("classifications_needed").max(),
        )
    )
    return (
        source.scan("subjects")
        .drop("expected_iou_min", "classifications_needed")
        .join(images.select("subject_id").unique().lazy(), on="subject_id", how="semi")
        .join(numbers, on="subject_id", how="left")
        .with_columns(pl.col("clusters").fill_null(0))
        .sort("subject_id")
        .collect()
    )


def _marks(source: OutputTables, places: pl.DataFrame) -> pl.DataFrame:
    labels = (
        source.scan("labels")
        .select(*_MARK, "created_at", "cluster_label", "volunteer")
        .join(places.lazy(), on=_KEYS)
        .collect(engine="streaming")
    )
    outlines = (
        source.scan("extractions")
        .select(*_MARK, "x", "y")
        .join(labels.select(_MARK).lazy(), on=_MARK, how="semi")
        .collect(engine="streaming")
    )
    return (
        labels.join(outlines, on=_MARK)
        .sort("group", *MARK_ORDER, nulls_last=[False, *missing_last(MARK_ORDER)])
        .select("group", "image", "cluster_label", "classification_id", "mark_index", "volunteer", "x", "y")
    )


def _levels(source: OutputTables, worst: pl.DataFrame) -> pl.DataFrame:
    if not source.contains("contours"):
        outline = pl.List(pl.Float64)
        level = {"level": pl.Int32(), "x": outline, "y": outline, "area": pl.Float64()}
        return pl.DataFrame(schema=pl.Schema({"cluster": pl.UInt32(), **level}))
    return (
        source.scan("contours")
        .select(*_CLUSTER, "contours_level", "contours_x", "contours_y", "contours_area")
        .join(worst.lazy(), on=_CLUSTER)
        .collect()
        .sort("cluster")
        .select("cluster", level="contours_level", x="contours_x", y="contours_y", area="contours_area")
        .filter(pl.col("area").list.len() > 0)
        .explode("level", "x", "y", "area", empty_as_null=False)
    )
