"""Read the clusters on some images, to which edited polygons may belong."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray

from polyframe.consensus.cluster_members import MEMBER_COLUMNS, cluster_members
from polyframe.core.arrays import Flags
from polyframe.core.tables import CLUSTER_KEYS, CORRECTIONS, REDUCTIONS
from polyframe.store.corrections import Corrections, polygons_of
from polyframe.store.reading import OutputTables


@dataclass(frozen=True)
class KnownClusters:
    """The clusters of some subjects; n clusters.

    Attributes
    ----------
    keys : polars.DataFrame, height n
        `CLUSTER_KEYS` and `members`.
    averages, shown : (n,) array of shapely.Polygon
        The averaged polygons, and those that exports show: the corrected ones, if there are corrections.
    removed : (n,) bool
        Whether a correction says that the cluster is not an object, so that no export shows it.
    """

    keys: pl.DataFrame
    averages: NDArray[Any]
    shown: NDArray[Any]
    removed: Flags


def known_clusters(tables: OutputTables, subjects: Sequence[int], corrections: Corrections) -> KnownClusters:
    """Read the clusters of some subjects.

    Parameters
    ----------
    tables : OutputTables
        Without corrections.
    subjects : sequence of int
    corrections : Corrections
        Those that are used.

    Raises
    ------
    PolyframeError
        If there are no reductions, or a part is missing or damaged.
    """
    wanted = pl.col("subject_id").is_in(list(subjects))
    columns = {"reductions": [*CLUSTER_KEYS, "geometry"], "labels": list(MEMBER_COLUMNS)}
    parts = [REDUCTIONS.empty().select(columns["reductions"]).with_columns(members=pl.lit(None, pl.String))]
    for frames in tables.partitions(subjects, **columns):
        rows = frames["reductions"].filter(wanted)
        members = cluster_members(frames["labels"].filter(wanted))
        parts.append(rows.join(members, on=CLUSTER_KEYS, how="left", maintain_order="left"))
    clusters = pl.concat(parts)
    current = corrections.current.select(*CLUSTER_KEYS, pl.col("geometry").alias("corrected"))
    clusters = clusters.join(current, on=CLUSTER_KEYS, how="left", maintain_order="left")
    averages = polygons_of(clusters["geometry"])
    shown = polygons_of(clusters.select(pl.coalesce("corrected", "geometry")).to_series())
    removed = clusters["corrected"].is_not_null().to_numpy() & shapely.is_empty(shown)
    return KnownClusters(clusters.select(*CLUSTER_KEYS, "members"), averages, shown, np.asarray(removed))


def empty_corrections() -> Corrections:
    """Return no corrections."""
    return Corrections(CORRECTIONS.empty(), CORRECTIONS.empty())


def level_polygons(tables: OutputTables, clusters: pl.DataFrame) -> dict[int, NDArray[Any]]:
    """Return the contours of some clusters, one of which may have been exported and edited.

    Parameters
    ----------
    tables : OutputTables
    clusters : polars.DataFrame
        `CLUSTER_KEYS` and the column `row`.

    Returns
    -------
    dict of int to array of shapely.Polygon
        By `row`; empty without the table of contours.
    """
    if clusters.is_empty() or not tables.contains("contours"):
        return {}
    columns = [*CLUSTER_KEYS, "contours_x", "contours_y"]
    by_row: dict[int, NDArray[Any]] = {}
    for frames in tables.partitions(clusters["subject_id"].unique().to_list(), contours=columns):
        own = frames["contours"].join(clusters, on=CLUSTER_KEYS, how="inner")
        for row, of_x, of_y in own.select("row", "contours_x", "contours_y").iter_rows():
            rings = [np.column_stack([x, y]) for x, y in zip(of_x, of_y, strict=True)]
            by_row[row] = np.array([shapely.Polygon(ring) for ring in rings], dtype=object)
    return by_row
