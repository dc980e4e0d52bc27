"""Check that the counts in the manifest equal those of the rows, and add up."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from polyframe.consensus.exclusion import is_excluded
from polyframe.consensus.extract import undecoded_marks
from polyframe.consensus.marks import counted_classifications
from polyframe.consensus.membership_figures import clusters_too_large
from polyframe.consensus.reduce import count_estimated
from polyframe.core.plurals import counted
from polyframe.core.settings import Settings
from polyframe.core.tables import CLASSIFICATION_KEYS, GROUP_KEYS
from polyframe.store.manifest import Manifest, counts_of
from polyframe.store.output import MANIFEST
from polyframe.store.run_counts import total
from polyframe.store.validation.check_agreement import PartitionTables, can_identify_repeats, marks_to_cluster
from polyframe.store.validation.finding import Finding


def accounting_findings(manifest: Manifest) -> list[Finding]:
    """Check that the accounting is the sum of its partitions, and adds up."""
    counts = manifest.accounting
    recorded = counts.to_dict()
    summed = total(map(counts_of, manifest.partitions), counts.rows_read, counts.rows_filtered).to_dict()
    findings = [
        Finding(
            "counts", MANIFEST, f"accounting: {name} is {recorded[name]}, but its partitions have {value}"
        )
        for name, value in summed.items()
        if recorded[name] != value
    ]
    if not counts.rows_add_up():
        problem = (
            f"accounting: {counts.rows_read} rows read are not {counts.rows_filtered} filtered out + "
            f"{counts.rows_rejected} rejected + {counts.rows_used} used"
        )
        findings.append(Finding("counts", MANIFEST, problem))
    if not counts.marks_add_up(clustered=len(manifest.stages) > 1):
        problem = (
            f"accounting: {counts.marks_seen} marks seen are not {counts.marks_undecoded} not decoded + "
            f"{counts.marks_decoded} decoded, or not {counts.marks_rejected} rejected + "
            f"{counts.marks_not_selected} not selected + {counts.marks_set_aside} set aside + "
            f"{counts.marks_excluded} excluded + "
            f"{counts.marks_clustered} clustered + {counts.marks_outliers} outliers"
        )
        findings.append(Finding("counts", MANIFEST, problem))
    return findings


def extraction_counts(partition: PartitionTables) -> dict[str, Any]:
    """Count rows and marks of the extraction, by the names of `Accounting`."""
    rejects = partition.frames["rejects"]
    whole_row = rejects["mark_index"].is_null()
    undecoded = undecoded_marks(rejects)
    return {
        "rows_rejected": int(whole_row.sum()),
        "rows_used": partition.frames["classifications"].height,
        "marks_seen": undecoded + partition.frames["extractions"].height,
        "marks_undecoded": undecoded,
        "marks_decoded": partition.frames["extractions"].height,
        "marks_rejected": int((~whole_row).sum()),
        "reasons": dict(sorted(rejects["reason"].drop_nulls().value_counts(name="n").rows())),
    }


def marks_counts(partition: PartitionTables, settings: Settings) -> dict[str, Any]:
    """Count the marks of a reduction, as far as classifications, extractions and rejects show them."""
    selected, with_area, to_cluster = marks_to_cluster(partition, settings)
    counts = {
        "marks_rejected": undecoded_marks(partition.frames["rejects"]) + selected.height - with_area.height,
        "marks_not_selected": partition.frames["extractions"].height - selected.height,
    }
    if not can_identify_repeats(settings):
        return counts
    classifications = partition.frames["classifications"]
    counted = counted_classifications(classifications, settings)
    excluded = is_excluded(classifications, settings)
    rows = classifications.filter(excluded).select(CLASSIFICATION_KEYS)
    marks_excluded = with_area.join(rows, on=CLASSIFICATION_KEYS, how="semi").height
    return counts | {
        "rows_set_aside": classifications.height - rows.height - counted.height,
        "rows_excluded": rows.height,
        "marks_set_aside": with_area.height - marks_excluded - to_cluster.height,
        "marks_excluded": marks_excluded,
        "groups": to_cluster.group_by(GROUP_KEYS).len().height,
    }


def labels_counts(partition: PartitionTables) -> dict[str, Any]:
    """Count marks, groups and clusters in labels and groups."""
    labels, groups = partition.frames["labels"], partition.frames["groups"]
    outliers = int((labels["cluster_label"] < 0).sum())
    return {
        "marks_clustered": labels.height - outliers,
        "marks_outliers": outliers,
        "groups": groups.height,
        "clusters": int(groups["n_clusters"].sum()),
    }


def estimated_counts(partition: PartitionTables) -> dict[str, Any]:
    """Count the clusters whose stability is known, in reductions, and those that are too large, in labels."""
    estimated, unsure = count_estimated(partition.frames["reductions"])
    in_cluster = partition.frames["labels"].filter(pl.col("cluster_label") >= 0)
    sizes = in_cluster.group_by(*GROUP_KEYS, "cluster_label").len()["len"].cast(pl.Int64).to_numpy()
    return {
        "clusters_estimated": estimated,
        "clusters_unsure": unsure,
        "clusters_too_large": clusters_too_large(sizes),
    }


def contours_problems(
    partition: PartitionTables, recorded: Mapping[str, Any], settings: Settings
) -> list[str]:
    """Return problems of the counts of contours without a table of labels."""
    contours = partition.frames["contours"]
    marks = int(contours["clusters_count"].sum())
    clusters, clustered = recorded.get("clusters", 0), recorded.get("marks_clustered", 0)
    if contours.height == clusters and marks == clustered:
        return []
    if settings.min_threshold and contours.height <= clusters and marks <= clustered:
        return []
    return [
        f"counted {counted(clusters, 'cluster')} of {counted(clustered, 'mark')}, "
        f"but the table contours has {contours.height} of {marks}"
    ]


def count_findings(
    name: str, stage: str, recorded: Mapping[str, Any], counted: Mapping[str, Any], more: Sequence[str] = ()
) -> list[Finding]:
    """Compare the recorded counts of a partition with its tables, and add more problems of its counts."""
    problems = [
        f"{key} is {recorded.get(key, 'missing')}, but the tables have {value}"
        for key, value in counted.items()
        if recorded.get(key) != value
    ]
    return [
        Finding("counts", MANIFEST, f"partition {name}, {stage}: {problem}") for problem in (*problems, *more)
    ]


def subject_findings(manifest: Manifest, last_subject: int | None) -> list[Finding]:
    """Check the last subject of the export, if every part could be read."""
    recorded = manifest.last_subject
    if recorded == last_subject:
        return []
    problem = f"last_subject is {recorded}, but classifications and rejects end with {last_subject}"
    return [Finding("counts", MANIFEST, problem)]


def marks_problems(seen: int, recorded: Mapping[str, Any]) -> list[str]:
    """Return a problem if the marks of a stage do not add up to those of the extraction."""
    parts = ("rejected", "not_selected", "set_aside", "excluded", "clustered", "outliers")
    if seen == sum(recorded.get(f"marks_{name}", 0) for name in parts):
        return []
    return [f"marks_seen is {seen}, which is not the sum of the other counts of marks"]
