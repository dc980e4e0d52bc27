"""Whether the counts that the manifest tells are those of the rows, and add up."""

from collections.abc import Mapping, Sequence
from typing import Any

from polyframe.consensus.extract import undecoded_marks
from polyframe.consensus.marks import counted_classifications
from polyframe.core.settings import Settings
from polyframe.core.tables import GROUP_KEYS
from polyframe.store.accounting import total
from polyframe.store.manifest import Manifest, counts_of
from polyframe.store.output import MANIFEST
from polyframe.store.validation.check_agreement import Partition, knows_repeats, marks_taking_part
from polyframe.store.validation.finding import Finding


def accounting_findings(manifest: Manifest) -> list[Finding]:
    """Check that the accounting is the sum of its partitions, and adds up."""
    counts = manifest.accounting
    told = counts.to_dict()
    summed = total(map(counts_of, manifest.partitions), counts.rows_read, counts.rows_filtered).to_dict()
    found = [
        Finding("counts", MANIFEST, f"accounting: {name} is {told[name]}, its partitions have {value}")
        for name, value in summed.items()
        if told[name] != value
    ]
    if not counts.rows_add_up():
        problem = (
            f"accounting: {counts.rows_read} rows read are not {counts.rows_filtered} filtered out + "
            f"{counts.rows_rejected} rejected + {counts.rows_used} used"
        )
        found.append(Finding("counts", MANIFEST, problem))
    if not counts.marks_add_up(clustered=len(manifest.stages) > 1):
        problem = (
            f"accounting: {counts.marks_seen} marks seen are not {counts.marks_undecoded} not decoded + "
            f"{counts.marks_decoded} decoded, or not {counts.marks_rejected} rejected + "
            f"{counts.marks_not_selected} not selected + {counts.marks_set_aside} set aside + "
            f"{counts.marks_clustered} clustered + {counts.marks_outliers} outliers"
        )
        found.append(Finding("counts", MANIFEST, problem))
    return found


def extraction_counts(partition: Partition) -> dict[str, Any]:
    """Count what the tables of the extraction hold, by the names of `Accounting`."""
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


def marks_counts(partition: Partition, settings: Settings) -> dict[str, Any]:
    """Count what a reduction makes of the marks, as far as classifications, extractions and rejects tell."""
    chosen, solid, taking_part = marks_taking_part(partition, settings)
    counts = {
        "marks_rejected": undecoded_marks(partition.frames["rejects"]) + chosen.height - solid.height,
        "marks_not_selected": partition.frames["extractions"].height - chosen.height,
    }
    if not knows_repeats(settings):
        return counts
    classifications = partition.frames["classifications"]
    counted = counted_classifications(classifications, settings.filter)
    return counts | {
        "rows_set_aside": classifications.height - counted.height,
        "marks_set_aside": solid.height - taking_part.height,
        "groups": taking_part.group_by(GROUP_KEYS).len().height,
    }


def labels_counts(partition: Partition) -> dict[str, Any]:
    """Count what labels and groups hold."""
    labels, groups = partition.frames["labels"], partition.frames["groups"]
    outliers = int((labels["cluster_label"] < 0).sum())
    return {
        "marks_clustered": labels.height - outliers,
        "marks_outliers": outliers,
        "groups": groups.height,
        "clusters": int(groups["n_clusters"].sum()),
    }


def contours_problems(partition: Partition, told: Mapping[str, Any], settings: Settings) -> list[str]:
    """Return what is wrong with the counts of contours that stand alone, without labels."""
    contours = partition.frames["contours"]
    marks = int(contours["clusters_count"].sum())
    clusters, clustered = told.get("clusters", 0), told.get("marks_clustered", 0)
    if contours.height == clusters and marks == clustered:
        return []
    if settings.min_threshold and contours.height <= clusters and marks <= clustered:
        return []
    return [
        f"{clusters} clusters of {clustered} marks are counted, "
        f"the table contours has {contours.height} of {marks}"
    ]


def count_findings(
    name: str, stage: str, told: Mapping[str, Any], counted: Mapping[str, Any], pieces: Sequence[str] = ()
) -> list[Finding]:
    """Compare the counts of a partition with what its tables hold."""
    where = f"partition {name}, {stage}"
    off = [
        f"{key} is {told.get(key, 'missing')}, the tables have {value}"
        for key, value in counted.items()
        if told.get(key) != value
    ]
    return [Finding("counts", MANIFEST, f"{where}: {problem}") for problem in (*off, *pieces)]


def subject_findings(manifest: Manifest, found: int | None) -> list[Finding]:
    """Check the last subject of the export, where all of it could be read."""
    told = manifest.last_subject
    if told == found:
        return []
    problem = f"last_subject is {told}, classifications and rejects end with {found}"
    return [Finding("counts", MANIFEST, problem)]


def marks_problems(seen: int, told: Mapping[str, Any]) -> list[str]:
    """Return what is wrong where the marks of a stage do not add up to those that the extraction saw."""
    parts = ("rejected", "not_selected", "set_aside", "clustered", "outliers")
    if seen == sum(told.get(f"marks_{name}", 0) for name in parts):
        return []
    return [f"marks_seen is {seen}, which is not the sum of what became of them"]
