"""Compute the tables `volunteers` and `subjects` from their definitions: row by row, in exact numbers."""

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

Row = dict[str, Any]
CLUSTER = ("workflow_id", "subject_id", "task", "frame", "tool", "cluster_label")


def person_of(row: Row) -> tuple[str, Any]:
    """Return who made a classification: somebody with a name, or somebody who made only this one."""
    if row["volunteer"] is None:
        return "unknown", row["classification_id"]
    return "known", row["volunteer"]


def counted(classifications: list[Row]) -> list[Row]:
    """Return the first classification of each person and subject."""
    first: dict[Any, Row] = {}
    for row in sorted(
        classifications,
        key=lambda r: (r["created_at"] is None, r["created_at"] or 0, r["classification_id"]),
    ):
        first.setdefault((row["subject_id"], person_of(row)), row)
    return list(first.values())


def volunteers(classifications: list[Row], labels: list[Row]) -> dict[str, Row]:
    """Return by volunteer what the table `volunteers` contains, without the keys.

    Parameters
    ----------
    classifications : list of dict
        Those that count, of one workflow.
    labels : list of dict
        The table `labels`.
    """
    person = {(r["subject_id"], r["classification_id"]): person_of(r) for r in classifications}
    people_of_subject: dict[Any, set[Any]] = {}
    for (subject, _), somebody in person.items():
        people_of_subject.setdefault(subject, set()).add(somebody)
    drawn_by: dict[Any, set[Any]] = {}
    for mark in labels:
        if mark["cluster_label"] >= 0:
            cluster = tuple(mark[name] for name in CLUSTER)
            drawn_by.setdefault(cluster, set()).add(person[mark["subject_id"], mark["classification_id"]])
    rows: dict[str, Row] = {}
    for name in sorted({r["volunteer"] for r in classifications} - {None}):
        somebody = "known", name
        marks = [m for m in labels if person[m["subject_id"], m["classification_id"]] == somebody]
        subjects = {subject for subject, people in people_of_subject.items() if somebody in people}
        judged = [m for m in marks if len(people_of_subject[m["subject_id"]] - {somebody}) >= 2]
        confirmed = [
            m
            for m in judged
            if m["cluster_label"] >= 0 and len(drawn_by[tuple(m[n] for n in CLUSTER)] - {somebody}) >= 2
        ]
        expected = [
            people
            for cluster, people in drawn_by.items()
            if cluster[1] in subjects
            if len(people - {somebody})
            >= max(2, Fraction(len(people_of_subject[cluster[1]] - {somebody}), 2))
        ]
        iou = [Fraction(m["iou_others"]) for m in marks if m["iou_others"] is not None]
        rows[name] = {
            "n_classifications": sum(r["volunteer"] == name for r in classifications),
            "n_marks": len(marks),
            "n_outliers": sum(m["cluster_label"] < 0 for m in marks),
            "n_judged": len(judged),
            "n_confirmed": len(confirmed),
            "n_expected": len(expected),
            "n_drawn": sum(somebody in people for people in expected),
            "iou": iou,
        }
    return _with_scores(rows)


def _with_scores(rows: dict[str, Row]) -> dict[str, Row]:
    rates = {
        "precision": [(row["n_confirmed"], row["n_judged"]) for row in rows.values()],
        "recall": [(row["n_drawn"], row["n_expected"]) for row in rows.values()],
        "iou": [(sum(row["iou"]), len(row["iou"])) for row in rows.values()],
    }
    shrunk = {name: list(_shrunk(values)) for name, values in rates.items()}
    for number, row in enumerate(rows.values()):
        for name, values in rates.items():
            numerator, denominator = values[number]
            row[name] = Fraction(numerator) / denominator if denominator else None
        p, r, i = (shrunk[name][number] for name in ("precision", "recall", "iou"))
        row["score"] = None
        if row["n_judged"] or row["n_expected"]:
            row["score"] = 2 * p * r / (p + r) * i if p + r else Fraction(0)
    return rows


def _shrunk(values: list[tuple[Any, int]]) -> Iterable[Fraction]:
    total = sum(denominator for _, denominator in values)
    mean = Fraction(sum(numerator for numerator, _ in values)) / total if total else Fraction(1)
    for numerator, denominator in values:
        yield (numerator + 2 * mean) / (denominator + 2)


def subjects(
    all_classifications: list[Row], counting: list[Row], labels: list[Row], reductions: list[Row]
) -> dict[int, Row]:
    """Return by subject what the table `subjects` contains, without the keys."""
    rows: dict[int, Row] = {}
    for subject in sorted({r["subject_id"] for r in all_classifications}):
        classifications = [r for r in counting if r["subject_id"] == subject]
        marks = [m for m in labels if m["subject_id"] == subject]
        clusters = {tuple(m[n] for n in CLUSTER) for m in marks if m["cluster_label"] >= 0}
        kept = [r for r in reductions if r["subject_id"] == subject]
        consensus = [r["consensus"] for r in kept]
        expected = [r["expected_iou"] for r in kept if r["expected_iou"] is not None]
        needed = [r["classifications_needed"] for r in kept if r["classifications_needed"] is not None]
        rows[subject] = {
            "n_classifications": len(classifications),
            "n_volunteers": len({person_of(r) for r in classifications}),
            "n_marks": len(marks),
            "n_clusters": len(clusters),
            "n_outliers": sum(m["cluster_label"] < 0 for m in marks),
            "consensus_min": min(consensus, default=None),
            "consensus_mean": sum(map(Fraction, consensus)) / len(consensus) if consensus else None,
            "expected_iou_min": min(expected, default=None),
            "classifications_needed": max(needed, default=None),
        }
    return rows
