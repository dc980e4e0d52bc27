"""Check that the tables of a partition agree: each mark, label and cluster occurs where it must, once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from polyframe.consensus.marks import counted_classifications, selected_marks
from polyframe.consensus.votes import cluster_votes
from polyframe.core.estimation import MOST_MARKS
from polyframe.core.ragged import runs_of_equal
from polyframe.core.settings import Settings
from polyframe.core.tables import CLASSIFICATION_KEYS, GROUP_KEYS, MARK_KEYS, MARK_ORDER, STORED_TABLES
from polyframe.store.validation.check_rows import PATH_HASH
from polyframe.store.validation.finding import Finding, findings_of_check, key_of

_CLUSTER_KEYS = (*GROUP_KEYS, "cluster_label")
_SUBJECT_KEYS = ("workflow_id", "subject_id")
#: Columns of a mark that it shares with its classification.
_OF_CLASSIFICATION = ("created_at", "volunteer", "user_name", "user_id", "gold_standard")
_MARK = (*GROUP_KEYS, *MARK_ORDER, "volunteer", "user_name")


@dataclass(frozen=True)
class PartitionTables:
    """The tables of a partition.

    Attributes
    ----------
    frames : mapping of str to polars.DataFrame
        By table; without the long columns, with the column `row` from 0.
    files : mapping of str to str
        The part file of each table, for the findings.
    """

    frames: Mapping[str, pl.DataFrame]
    files: Mapping[str, str]

    def wrong_rows(self, table: str, rows: pl.DataFrame, wrong: pl.Expr, problem: str) -> list[Finding]:
        """Return a finding for the rows of a table for which an expression is true."""
        return findings_of_check("agreement", self.files[table], STORED_TABLES[table], rows, wrong, problem)

    def all_wrong(self, table: str, rows: pl.DataFrame, problem: str) -> list[Finding]:
        """Return a finding for rows of a table that are all wrong."""
        return self.wrong_rows(table, rows, pl.repeat(value=True, n=pl.len()), problem)

    def missing_rows(self, table: str, missing: pl.DataFrame, problem: str) -> list[Finding]:
        """Return a finding for rows that a table should have; they contain its key columns."""
        if not missing.height:
            return []
        more = f" (and {missing.height - 1} more)" if missing.height > 1 else ""
        key = key_of(STORED_TABLES[table], missing, 0)
        return [Finding("agreement", self.files[table], f"lacks a row {problem} ({key}){more}")]


def marks_findings(partition: PartitionTables, settings: Settings) -> list[Finding]:
    """Check that extractions, classifications and rejects agree, and that no mark occurs twice.

    Without exact copies, a cluster has more marks than classifications only if one classification has several
    different marks in it.
    """
    extractions, classifications, rejects = (
        partition.frames[name] for name in ("extractions", "classifications", "rejects")
    )
    n_marks = extractions.group_by(CLASSIFICATION_KEYS).len("n_marks_expected")
    joined = classifications.join(n_marks, on=CLASSIFICATION_KEYS, how="left", maintain_order="left")
    differs = pl.col("n_marks") != pl.col("n_marks_expected").fill_null(0)
    findings = partition.wrong_rows(
        "classifications", joined, differs, "has a different n_marks than extractions"
    )
    joined = extractions.join(
        classifications.with_columns(known=True),
        on=CLASSIFICATION_KEYS,
        how="left",
        maintain_order="left",
        suffix="_expected",
    )
    unknown = pl.col("known").is_null()
    findings += partition.wrong_rows("extractions", joined, unknown, "has no row in classifications")
    for name in _OF_CLASSIFICATION:
        other = ~unknown & pl.col(name).ne_missing(pl.col(f"{name}_expected"))
        findings += partition.wrong_rows(
            "extractions", joined, other, f"has a different {name} than its classification"
        )
    if settings.duplicate_marks == "reject":
        copy = ~pl.struct(*GROUP_KEYS, "classification_id", PATH_HASH).is_first_distinct()
        problem = "is an exact copy of a mark of the same classification, task, frame and tool"
        findings += partition.wrong_rows("extractions", extractions, copy, problem)
    unknown_marks = rejects.filter(stage="polygons").join(extractions, on=MARK_KEYS[1:], how="anti")
    return findings + partition.all_wrong("rejects", unknown_marks, "names a mark that is not in extractions")


def marks_to_cluster(
    partition: PartitionTables, settings: Settings
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return the marks of the selected tasks and tools, those with an area, and those without repeats."""
    extractions, classifications, rejects = (
        partition.frames[name] for name in ("extractions", "classifications", "rejects")
    )
    selected = selected_marks(extractions, settings)
    with_area = selected.join(rejects.filter(stage="polygons"), on=MARK_KEYS[1:], how="anti")
    counted = counted_classifications(classifications, settings)
    return selected, with_area, with_area.join(counted, on=CLASSIFICATION_KEYS, how="semi")


def can_identify_repeats(settings: Settings) -> bool:
    """Return whether the tables show which classifications are repeats; without volunteers they do not."""
    return settings.volunteers != "drop" or settings.filter == "all"


def labels_findings(
    partition: PartitionTables, to_cluster: pl.DataFrame, settings: Settings
) -> list[Finding]:
    """Check that labels contain exactly the marks to cluster, and groups those of the labels."""
    labels, groups, extractions, classifications = (
        partition.frames[name] for name in ("labels", "groups", "extractions", "classifications")
    )
    unknown = labels.join(extractions, on=_MARK, how="anti", nulls_equal=True, maintain_order="left")
    findings = partition.all_wrong("labels", unknown, "labels a mark that is not in extractions")
    if not unknown.height:
        unused = labels.join(to_cluster, on=MARK_KEYS, how="anti", maintain_order="left")
        findings += partition.all_wrong(
            "labels", unused, "labels a mark that is not clustered (a repeat, or rejected)"
        )
    missing = to_cluster.join(labels, on=MARK_KEYS, how="anti", maintain_order="left")
    if can_identify_repeats(settings):
        findings += partition.missing_rows("labels", missing, "for a mark to cluster")

    clustered = pl.col("cluster_label") >= 0
    expected = labels.group_by(GROUP_KEYS, maintain_order=True).agg(
        pl.len().alias("n_marks_expected"),
        pl.col("cluster_label").filter(clustered).n_unique().alias("n_clusters_expected"),
        (~clustered).sum().alias("n_outliers_expected"),
        pl.col("cluster_label").max().alias("last"),
        pl.col("row").min(),
        pl.col("classification_id", "mark_index").first(),
    )
    gaps = expected.filter(pl.col("last") + 1 > pl.col("n_clusters_expected"))
    findings += partition.all_wrong("labels", gaps, "is in a group with gaps in its cluster labels")
    counted = counted_classifications(classifications, settings)
    numbers = counted.group_by(_SUBJECT_KEYS).len("n_classifications_expected")
    joined = groups.join(
        expected.drop("row"), on=GROUP_KEYS, how="left", maintain_order="left", suffix="_other"
    ).join(numbers, on=_SUBJECT_KEYS, how="left", maintain_order="left")
    findings += partition.wrong_rows(
        "groups", joined, pl.col("n_marks_expected").is_null(), "is a group without labels"
    )
    for name in ("n_marks", "n_clusters", "n_outliers"):
        differs = pl.col(name) != pl.col(f"{name}_expected")
        findings += partition.wrong_rows("groups", joined, differs, f"has a different {name} than its labels")
    differs = pl.col("n_classifications") != pl.col("n_classifications_expected").fill_null(0)
    if can_identify_repeats(settings):
        problem = "has a different n_classifications than its subject in classifications"
        findings += partition.wrong_rows("groups", joined, differs, problem)
    lost = expected.join(groups, on=GROUP_KEYS, how="anti", maintain_order="left")
    findings += partition.missing_rows("groups", lost, "for a group in labels")
    return findings + _iou_others_findings(partition)


def _iou_others_findings(partition: PartitionTables) -> list[Finding]:
    """Check that marks have an `iou_others` if others have marks in their cluster, and only then."""
    labels = partition.frames["labels"]
    volunteer, classification = pl.col("volunteer"), pl.col("classification_id")
    clusters = (
        labels.filter(pl.col("cluster_label") >= 0)
        .group_by(_CLUSTER_KEYS)
        .agg(
            pl.len().alias("marks"),
            # Each classification without a known volunteer is that of another one.
            (volunteer.drop_nulls().n_unique() + classification.filter(volunteer.is_null()).n_unique()).alias(
                "people"
            ),
        )
    )
    joined = labels.join(clusters, on=_CLUSTER_KEYS, how="left", maintain_order="left")
    is_compared = ((pl.col("people") > 1) & (pl.col("marks") <= MOST_MARKS)).fill_null(value=False)
    is_missing = pl.col("iou_others").is_null()
    return [
        *partition.wrong_rows(
            "labels", joined, is_compared & is_missing, "has no iou_others, with marks of other volunteers"
        ),
        *partition.wrong_rows(
            "labels", joined, ~is_compared & ~is_missing, "has an iou_others, with nothing to compare"
        ),
    ]


def clusters_findings(partition: PartitionTables, tables: Sequence[str], settings: Settings) -> list[Finding]:
    """Check that reductions and contours agree with the clusters in labels."""
    labels, groups = partition.frames["labels"], partition.frames["groups"]
    clusters = (
        labels.filter(pl.col("cluster_label") >= 0)
        .group_by(_CLUSTER_KEYS, maintain_order=True)
        .agg(pl.len().alias("clusters_count_expected"))
        .join(
            groups.select(*GROUP_KEYS, pl.col("n_classifications").alias("n_classifications_expected")),
            on=GROUP_KEYS,
            how="left",
            maintain_order="left",
        )
        .with_columns(
            (pl.col("clusters_count_expected") / pl.col("n_classifications_expected")).alias(
                "threshold_expected"
            )
        )
    )
    # If the row in groups is missing, which is a finding already, the threshold is unknown.
    above_threshold = clusters.filter(pl.col("threshold_expected").fill_null(0) > settings.min_threshold)
    findings: list[Finding] = []
    for table in tables:
        rows = partition.frames[table]
        joined = rows.join(clusters, on=_CLUSTER_KEYS, how="left", maintain_order="left")
        unknown = pl.col("clusters_count_expected").is_null()
        findings += partition.wrong_rows(table, joined, unknown, "is a cluster that is not in labels")
        dropped = pl.col("threshold_expected") <= settings.min_threshold
        findings += partition.wrong_rows(
            table, joined, dropped, f"is a cluster that min_threshold {settings.min_threshold} drops"
        )
        for name in ("clusters_count", "n_classifications", "threshold"):
            if name in rows.columns:
                differs = pl.col(name) != pl.col(f"{name}_expected")
                problem = f"has a different {name} than labels and groups"
                findings += partition.wrong_rows(table, joined, differs, problem)
        missing = above_threshold.join(rows, on=_CLUSTER_KEYS, how="anti", maintain_order="left")
        findings += partition.missing_rows(table, missing, "for a cluster in labels")
    if "reductions" in tables:
        findings += _votes_findings(partition)
    if "reductions" in tables and "contours" in tables:
        both = partition.frames["contours"].join(
            partition.frames["reductions"],
            on=_CLUSTER_KEYS,
            how="left",
            maintain_order="left",
            suffix="_expected",
        )
        differs = pl.col("consensus") != pl.col("consensus_expected")
        findings += partition.wrong_rows(
            "contours", both, differs, "has a different consensus than in reductions"
        )
    return findings


def _votes_findings(partition: PartitionTables) -> list[Finding]:
    """Check that reductions count the answers in the details of their marks."""
    details = partition.frames["extractions"].select(*MARK_KEYS, "details").unique(MARK_KEYS)
    marks = (
        partition.frames["labels"]
        .filter(pl.col("cluster_label") >= 0)
        .join(details, on=MARK_KEYS, how="left", maintain_order="left")
        .sort(_CLUSTER_KEYS, maintain_order=True)
    )
    offsets = runs_of_equal(marks.select(pl.struct(_CLUSTER_KEYS).rle_id()).to_series().to_numpy())
    expected = (
        marks[offsets[:-1]].select(_CLUSTER_KEYS).with_columns(cluster_votes(marks["details"], offsets))
    )
    joined = partition.frames["reductions"].join(
        expected, on=_CLUSTER_KEYS, how="left", maintain_order="left", suffix="_expected"
    )
    differs = pl.col("details_votes").ne_missing(pl.col("details_votes_expected"))
    problem = "has different details_votes than the details of its marks"
    return partition.wrong_rows("reductions", joined, differs, problem)
