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
    marks_seen : int
        Marks of the chosen tasks and tools in the rows used: those in extractions, and those that are not.
    marks_undecoded : int
        Marks that could not be read, or are copies of another, hence not in extractions.
    marks_decoded : int
        Rows of the table extractions.
    marks_rejected : int
        Marks in rejects: those that are not in extractions, and those in it that have no area.
    marks_not_selected : int
        Marks in extractions of tasks and tools that a later stage left out.
    marks_assumed_polygons : int
        Marks in extractions that were taken as polygons since neither they nor a configuration say whether
        they are Bezier curves.
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
    marks_seen: int = 0
    marks_undecoded: int = 0
    marks_decoded: int = 0
    marks_rejected: int = 0
    marks_not_selected: int = 0
    marks_assumed_polygons: int = 0
    marks_set_aside: int = 0
    marks_clustered: int = 0
    marks_outliers: int = 0
    groups: int = 0
    clusters: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    def rows_add_up(self) -> bool:
        """Tell whether rows read = filtered out + rejected + used."""
        return self.rows_read == self.rows_filtered + self.rows_rejected + self.rows_used

    @property
    def marks_extracted(self) -> int:
        """Marks that are not rejected: what a reduction can take."""
        return self.marks_seen - self.marks_rejected

    def marks_add_up(self, clustered: bool) -> bool:
        """Tell whether marks seen = undecoded + decoded, and what became of them adds up to as many.

        Parameters
        ----------
        clustered : bool
            Whether there are clusters. Then marks seen = rejected + not selected + set aside + clustered +
            outliers; after an extraction alone, nothing has become of the marks that are not rejected.
        """
        parts = self.marks_not_selected + self.marks_set_aside + self.marks_clustered + self.marks_outliers
        return (
            self.marks_seen == self.marks_undecoded + self.marks_decoded
            and self.marks_undecoded <= self.marks_rejected <= self.marks_seen
            and parts == (self.marks_extracted if clustered else 0)
        )

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
        The counts of each partition, those of later stages over those of earlier ones. Which `tools` there
        are is not counted.
    rows_read, rows_filtered : int
        What is counted before there are partitions.
    """
    numbers: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for part in parts:
        numbers.update({name: count for name, count in part.items() if name not in ("reasons", "tools")})
        reasons.update(part.get("reasons", {}))
    return Accounting(
        **numbers, rows_read=rows_read, rows_filtered=rows_filtered, reasons=dict(sorted(reasons.items()))
    )
