"""Whether the tables of one partition agree: every mark, label and cluster is where it must be, once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from polyframe.consensus.marks import counted_classifications, selected_marks
from polyframe.consensus.votes import cluster_votes
from polyframe.core.ragged import runs_of_equal
from polyframe.core.settings import Settings
from polyframe.core.tables import CLASSIFICATION_KEYS, GROUP_KEYS, MARK_KEYS, MARK_ORDER, TABLES
from polyframe.store.validation.check_rows import PATH_HASH
from polyframe.store.validation.finding import Finding, key_of, rows_off

_CLUSTER_KEYS = (*GROUP_KEYS, "cluster_label")
_SUBJECT_KEYS = ("workflow_id", "subject_id")
#: What a mark has of its classification.
_OF_CLASSIFICATION = ("created_at", "volunteer", "user_name", "user_id", "gold_standard")
_MARK = (*GROUP_KEYS, *MARK_ORDER, "volunteer", "user_name")


@dataclass(frozen=True)
class Partition:
    """The tables of a partition.

    Attributes
    ----------
    frames : mapping of str to polars.DataFrame
        By table; without the long columns, and with the column `row`, from 0.
    files : mapping of str to str
        The part files, for the findings.
    """

    frames: Mapping[str, pl.DataFrame]
    files: Mapping[str, str]

    def off(self, table: str, rows: pl.DataFrame, off: pl.Expr, problem: str) -> list[Finding]:
        """Return a finding for the rows of a table that an expression is true for."""
        return rows_off("agreement", self.files[table], TABLES[table], rows, off, problem)

    def all_off(self, table: str, rows: pl.DataFrame, problem: str) -> list[Finding]:
        """Return a finding for rows of a table that are all off."""
        return self.off(table, rows, pl.repeat(value=True, n=pl.len()), problem)

    def lacks(self, table: str, missing: pl.DataFrame, problem: str) -> list[Finding]:
        """Return a finding for rows that a table should have; they have the columns of its key."""
        if not missing.height:
            return []
        more = f" (and {missing.height - 1} more)" if missing.height > 1 else ""
        named = key_of(TABLES[table], missing, 0)
        return [Finding("agreement", self.files[table], f"lacks a row {problem} ({named}){more}")]


def marks_findings(partition: Partition, settings: Settings) -> list[Finding]:
    """Check that extractions, classifications and rejects agree, and that no mark is there twice.

    Without exact copies, a cluster has more marks than there are classifications only where one of them has
    several different marks in it.
    """
    extractions, classifications, rejects = (
        partition.frames[name] for name in ("extractions", "classifications", "rejects")
    )
    held = extractions.group_by(CLASSIFICATION_KEYS).len("held")
    counted = classifications.join(held, on=CLASSIFICATION_KEYS, how="left", maintain_order="left")
    differs = pl.col("n_marks") != pl.col("held").fill_null(0)
    found = partition.off(
        "classifications", counted, differs, "has another n_marks than marks in extractions"
    )
    joined = extractions.join(
        classifications.with_columns(known=True),
        on=CLASSIFICATION_KEYS,
        how="left",
        maintain_order="left",
        suffix="_told",
    )
    unknown = pl.col("known").is_null()
    found += partition.off("extractions", joined, unknown, "belongs to no row of classifications")
    for name in _OF_CLASSIFICATION:
        other = ~unknown & pl.col(name).ne_missing(pl.col(f"{name}_told"))
        found += partition.off("extractions", joined, other, f"has another {name} than its classification")
    if settings.duplicate_marks == "reject":
        copy = ~pl.struct(*GROUP_KEYS, "classification_id", PATH_HASH).is_first_distinct()
        problem = "is an exact copy of a mark of the same classification, task, frame and tool"
        found += partition.off("extractions", extractions, copy, problem)
    strangers = rejects.filter(stage="polygons").join(extractions, on=MARK_KEYS[1:], how="anti")
    return found + partition.all_off("rejects", strangers, "names a mark that is not in extractions")


def marks_taking_part(
    partition: Partition, settings: Settings
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return the marks that a reduction chooses, those with an area, and those of them that take part."""
    extractions, classifications, rejects = (
        partition.frames[name] for name in ("extractions", "classifications", "rejects")
    )
    chosen = selected_marks(extractions, settings)
    solid = chosen.join(rejects.filter(stage="polygons"), on=MARK_KEYS[1:], how="anti")
    counted = counted_classifications(classifications, settings.filter)
    return chosen, solid, solid.join(counted, on=CLASSIFICATION_KEYS, how="semi")


def knows_repeats(settings: Settings) -> bool:
    """Tell whether the tables show which classifications are repeats; without volunteers they do not."""
    return settings.volunteers != "drop" or settings.filter == "all"


def labels_findings(partition: Partition, taking_part: pl.DataFrame, settings: Settings) -> list[Finding]:
    """Check that labels are those of the marks that take part, and groups those of the labels."""
    labels, groups, extractions, classifications = (
        partition.frames[name] for name in ("labels", "groups", "extractions", "classifications")
    )
    unknown = labels.join(extractions, on=_MARK, how="anti", nulls_equal=True, maintain_order="left")
    found = partition.all_off("labels", unknown, "labels a mark that is not in extractions")
    if not unknown.height:
        idle = labels.join(taking_part, on=MARK_KEYS, how="anti", maintain_order="left")
        found += partition.all_off("labels", idle, "labels a mark that takes no part (a repeat, or rejected)")
    missing = taking_part.join(labels, on=MARK_KEYS, how="anti", maintain_order="left")
    if knows_repeats(settings):
        found += partition.lacks("labels", missing, "for a mark that takes part")

    clustered = pl.col("cluster_label") >= 0
    told = labels.group_by(GROUP_KEYS, maintain_order=True).agg(
        pl.len().alias("n_marks_told"),
        pl.col("cluster_label").filter(clustered).n_unique().alias("n_clusters_told"),
        (~clustered).sum().alias("n_outliers_told"),
        pl.col("cluster_label").max().alias("last"),
        pl.col("row").min(),
        pl.col("classification_id", "mark_index").first(),
    )
    gaps = told.filter(pl.col("last") + 1 > pl.col("n_clusters_told"))
    found += partition.all_off(
        "labels", gaps, "is of a group whose clusters are not numbered from 0 without a gap"
    )
    counted = counted_classifications(classifications, settings.filter)
    numbers = counted.group_by(_SUBJECT_KEYS).len("n_classifications_told")
    joined = groups.join(
        told.drop("row"), on=GROUP_KEYS, how="left", maintain_order="left", suffix="_other"
    ).join(numbers, on=_SUBJECT_KEYS, how="left", maintain_order="left")
    found += partition.off("groups", joined, pl.col("n_marks_told").is_null(), "is a group without labels")
    for name in ("n_marks", "n_clusters", "n_outliers"):
        differs = pl.col(name) != pl.col(f"{name}_told")
        found += partition.off("groups", joined, differs, f"has another {name} than its labels say")
    differs = pl.col("n_classifications") != pl.col("n_classifications_told").fill_null(0)
    if knows_repeats(settings):
        problem = "has another n_classifications than its subject in classifications"
        found += partition.off("groups", joined, differs, problem)
    lost = told.join(groups, on=GROUP_KEYS, how="anti", maintain_order="left")
    return found + partition.lacks("groups", lost, "for a group in labels")


def clusters_findings(partition: Partition, tables: Sequence[str], settings: Settings) -> list[Finding]:
    """Check that reductions and contours are those of the clusters in labels."""
    labels, groups = partition.frames["labels"], partition.frames["groups"]
    clusters = (
        labels.filter(pl.col("cluster_label") >= 0)
        .group_by(_CLUSTER_KEYS, maintain_order=True)
        .agg(pl.len().alias("clusters_count_told"))
        .join(
            groups.select(*GROUP_KEYS, pl.col("n_classifications").alias("n_classifications_told")),
            on=GROUP_KEYS,
            how="left",
            maintain_order="left",
        )
        .with_columns(
            (pl.col("clusters_count_told") / pl.col("n_classifications_told")).alias("threshold_told")
        )
    )
    # Without its row in groups, which is told already, nobody knows.
    kept = clusters.filter(pl.col("threshold_told").fill_null(0) > settings.min_threshold)
    found: list[Finding] = []
    for table in tables:
        rows = partition.frames[table]
        joined = rows.join(clusters, on=_CLUSTER_KEYS, how="left", maintain_order="left")
        unknown = pl.col("clusters_count_told").is_null()
        found += partition.off(table, joined, unknown, "is a cluster that is not in labels")
        dropped = pl.col("threshold_told") <= settings.min_threshold
        found += partition.off(
            table, joined, dropped, f"is a cluster that min_threshold {settings.min_threshold} drops"
        )
        for name in ("clusters_count", "n_classifications", "threshold"):
            if name in rows.columns:
                differs = pl.col(name) != pl.col(f"{name}_told")
                problem = f"has another {name} than labels and groups say"
                found += partition.off(table, joined, differs, problem)
        missing = kept.join(rows, on=_CLUSTER_KEYS, how="anti", maintain_order="left")
        found += partition.lacks(table, missing, "for a cluster in labels")
    if "reductions" in tables:
        found += _votes_findings(partition)
    if "reductions" in tables and "contours" in tables:
        both = partition.frames["contours"].join(
            partition.frames["reductions"],
            on=_CLUSTER_KEYS,
            how="left",
            maintain_order="left",
            suffix="_told",
        )
        differs = pl.col("consensus") != pl.col("consensus_told")
        found += partition.off("contours", both, differs, "has another consensus than in reductions")
    return found


def _votes_findings(partition: Partition) -> list[Finding]:
    """Check that reductions count the answers in the details of the marks of their clusters."""
    details = partition.frames["extractions"].select(*MARK_KEYS, "details").unique(MARK_KEYS)
    marks = (
        partition.frames["labels"]
        .filter(pl.col("cluster_label") >= 0)
        .join(details, on=MARK_KEYS, how="left", maintain_order="left")
        .sort(_CLUSTER_KEYS, maintain_order=True)
    )
    offsets = runs_of_equal(marks.select(pl.struct(_CLUSTER_KEYS).rle_id()).to_series().to_numpy())
    told = marks[offsets[:-1]].select(_CLUSTER_KEYS).with_columns(cluster_votes(marks["details"], offsets))
    joined = partition.frames["reductions"].join(
        told, on=_CLUSTER_KEYS, how="left", maintain_order="left", suffix="_told"
    )
    differs = pl.col("details_votes").ne_missing(pl.col("details_votes_told"))
    problem = "has other details_votes than the details of its marks"
    return partition.off("reductions", joined, differs, problem)
