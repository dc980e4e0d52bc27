"""Where every row and every mark went: counts that add up."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class Accounting:
    """Counts of a run.

    Attributes
    ----------
    rows_read : int
        Rows of the export; blank lines are no rows.
    rows_filtered : int
        Rows of other workflows and versions.
    rows_rejected : int
        Rows that could not be used.
    rows_used : int
        Rows of the table classifications.
    rows_set_aside : int
        Rows used that do not count because the volunteer classified the subject again.
    visitor_repeats : int
        Rows by which visitors who are not logged in classified a subject again; those among the rows set
        aside, unless `filter` is `all`.
    marks_undecoded : int
        Marks that could not be read, hence not in extractions.
    marks_decoded : int
        Rows of the table extractions.
    marks_rejected : int
        Decoded marks without an area.
    marks_set_aside : int
        Marks of classifications that do not count because the volunteer classified the subject again.
    marks_clustered, marks_outliers : int
        Rows of the table labels, in a cluster or in none.
    groups, clusters : int
        Groups with a mark; clusters found, before `min_threshold`.
    reasons : dict
        Rejected rows and marks by reason.
    """

    rows_read: int = 0
    rows_filtered: int = 0
    rows_rejected: int = 0
    rows_used: int = 0
    rows_set_aside: int = 0
    visitor_repeats: int = 0
    marks_undecoded: int = 0
    marks_decoded: int = 0
    marks_rejected: int = 0
    marks_set_aside: int = 0
    marks_clustered: int = 0
    marks_outliers: int = 0
    groups: int = 0
    clusters: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    def rows_add_up(self) -> bool:
        """Tell whether rows read = filtered out + rejected + used."""
        return self.rows_read == self.rows_filtered + self.rows_rejected + self.rows_used

    def marks_add_up(self) -> bool:
        """Tell whether marks decoded = rejected + set aside + clustered + outliers."""
        parts = self.marks_rejected + self.marks_set_aside + self.marks_clustered + self.marks_outliers
        return self.marks_decoded == parts

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as plain JSON values."""
        counts: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        counts["reasons"] = dict(sorted(self.reasons.items()))
        return counts


def total(parts: Iterable[Mapping[str, Any]], rows_read: int, rows_filtered: int) -> Accounting:
    """Add up the counts of several partitions.

    Parameters
    ----------
    parts : iterable of mapping
        The counts of each partition, those of later stages over those of earlier ones.
    rows_read, rows_filtered : int
        What is counted before there are partitions.
    """
    numbers: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for part in parts:
        numbers.update({name: count for name, count in part.items() if name != "reasons"})
        reasons.update(part.get("reasons", {}))
    return Accounting(
        **numbers, rows_read=rows_read, rows_filtered=rows_filtered, reasons=dict(sorted(reasons.items()))
    )
