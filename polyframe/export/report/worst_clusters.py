"""The clusters that a report shows, the worst first, and what belongs to them."""

from dataclasses import dataclass
from typing import Final

import polars as pl

from polyframe.core.tables import GROUP_KEYS, MARK_ORDER, missing_last
from polyframe.store.dataset import scan
from polyframe.store.opened import Opened

IMAGE_KEYS: Final = ("subject_id", "frame")

_KEYS: Final = list(GROUP_KEYS)
_CLUSTER: Final = [*_KEYS, "cluster_label"]
_MARK: Final = [*_KEYS, "classification_id", "mark_index"]


@dataclass(frozen=True)
class Chosen:
    """What a report shows. The frames name one another by position: `cluster`, `group`, `image`.

    Attributes
    ----------
    clusters : polars.DataFrame
        Rows of reductions without `geometry`, by consensus, lowest first, then by marks, most first, then by
        keys; with `group`, and `place` in the order of the keys.
    levels : polars.DataFrame
        `cluster`, `x`, `y`, `area` of every contour level, in order; no rows without the table contours.
    groups : polars.DataFrame
        Rows of groups that have one of these clusters, sorted by their keys, with `image`.
    marks : polars.DataFrame
        All marks of these groups that took part, in the order of labels: `group`, `image`, `cluster_label`,
        `classification_id`, `mark_index`, `x`, `y`.
    images : polars.DataFrame
        `subject_id` and `frame` of every image, sorted.
    of_subject : polars.DataFrame
        `subject_id`, `clusters`: how many each subject has in all, also those that are not shown.
    """

    clusters: pl.DataFrame
    levels: pl.DataFrame
    groups: pl.DataFrame
    marks: pl.DataFrame
    images: pl.DataFrame
    of_subject: pl.DataFrame


def choose(found: Opened, limit: int) -> Chosen:
    """Read the worst clusters of an output directory that has reductions.

    Parameters
    ----------
    found : Opened
    limit : int
        At most so many clusters.

    Raises
    ------
    PolyframeError
        Where a part is missing.
    """
    reductions = scan(found.path, "reductions")
    worst = (
        reductions.select(*_CLUSTER, "consensus", "clusters_count")
        .sort("consensus", "clusters_count", *_CLUSTER, descending=[False, True, *[False] * len(_CLUSTER)])
        .head(limit)
        .select(_CLUSTER)
        .with_row_index("cluster")
        .collect()
    )
    keys = worst.select(_KEYS).unique()
    groups = scan(found.path, "groups").join(keys.lazy(), on=_KEYS, how="semi").collect().sort(_KEYS)
    images = groups.select(IMAGE_KEYS).unique().sort(IMAGE_KEYS)
    groups = groups.with_row_index("group").join(
        images.with_row_index("image"), on=IMAGE_KEYS, maintain_order="left"
    )
    places = groups.select(*_KEYS, "group", "image")
    clusters = (
        reductions.drop("geometry")
        .join(worst.lazy(), on=_CLUSTER)
        .join(places.lazy(), on=_KEYS)
        .collect()
        .sort(_CLUSTER)
        .with_row_index("place")
        .sort("cluster")
    )
    return Chosen(
        clusters=clusters,
        levels=_levels(found, worst),
        groups=groups,
        marks=_marks(found, places),
        images=images,
        of_subject=reductions.join(images.lazy(), on="subject_id", how="semi")
        .group_by("subject_id")
        .agg(pl.len().alias("clusters"))
        .sort("subject_id")
        .collect(),
    )


def _marks(found: Opened, places: pl.DataFrame) -> pl.DataFrame:
    labels = (
        scan(found.path, "labels")
        .select(*_MARK, "created_at", "cluster_label")
        .join(places.lazy(), on=_KEYS)
        .collect(engine="streaming")
    )
    drawn = (
        scan(found.path, "extractions")
        .select(*_MARK, "x", "y")
        .join(labels.select(_MARK).lazy(), on=_MARK, how="semi")
        .collect(engine="streaming")
    )
    return (
        labels.join(drawn, on=_MARK)
        .sort("group", *MARK_ORDER, nulls_last=[False, *missing_last(MARK_ORDER)])
        .select("group", "image", "cluster_label", "classification_id", "mark_index", "x", "y")
    )


def _levels(found: Opened, worst: pl.DataFrame) -> pl.DataFrame:
    if not found.holds("contours"):
        outline = pl.List(pl.Float64)
        return pl.DataFrame(
            schema=pl.Schema({"cluster": pl.UInt32(), "x": outline, "y": outline, "area": pl.Float64()})
        )
    return (
        scan(found.path, "contours")
        .select(*_CLUSTER, "contours_x", "contours_y", "contours_area")
        .join(worst.lazy(), on=_CLUSTER)
        .collect()
        .sort("cluster")
        .select("cluster", x="contours_x", y="contours_y", area="contours_area")
        .filter(pl.col("area").list.len() > 0)
        .explode("x", "y", "area", empty_as_null=False)
    )
