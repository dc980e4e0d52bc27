"""Count what became of every row and every mark, so that the counts add up."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import msgspec

Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class Accounting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Counts of a run.

    Attributes
    ----------
    rows_read : int
        Rows of the export, without blank lines.
    rows_filtered : int
        Rows of other workflows and versions.
    rows_rejected : int
        Rows that could not be used.
    rows_used : int
        Rows of the table classifications.
    rows_set_aside : int
        Rows used that do not count because the volunteer classified the subject again.
    rows_excluded : int
        Rows used that the settings exclude from the reduction.
    visitor_repeats : int
        Rows by which visitors who are not logged in classified a subject again. They are among the rows set
        aside, unless `filter` is `all`.
    marks_seen : int
        Marks of the chosen tasks and tools in the rows used, decoded or not.
    marks_undecoded : int
        Marks that are not in extractions because they could not be read or are copies of another.
    marks_decoded : int
        Rows of the table extractions.
    marks_rejected : int
        Marks in rejects: those that are not in extractions, and those in extractions without an area.
    marks_not_selected : int
        Marks in extractions of tasks and tools that a later stage omitted.
    marks_assumed_polygons : int
        Marks in extractions that were taken as polygons because neither they nor a configuration say whether
        they are Bezier curves.
    marks_set_aside : int
        Marks of classifications that do not count because the volunteer classified the subject again.
    marks_excluded : int
        Marks of classifications that the settings exclude.
    marks_clustered, marks_outliers : int
        Rows of the table labels, in a cluster or in none.
    groups, clusters : int
        Groups with a mark; clusters before `min_threshold` is applied.
    groups_too_large : int
        Groups in which too many marks overlap for `hdbscan` or `split`.
    clusters_thinned : int
        Clusters with more contour levels than `max_levels`, of which evenly spaced ones were written.
    clusters_estimated : int
        Rows of the table reductions with an `expected_iou`.
    clusters_unsure : int
        Those of them for which the subject needs more classifications than it has.
    clusters_too_large : int
        Clusters with too many marks to be estimated.
    reasons : dict
        Rejected rows and marks by reason.
    """

    rows_read: Count
    rows_filtered: Count
    rows_rejected: Count
    rows_used: Count
    rows_set_aside: Count
    rows_excluded: Count
    visitor_repeats: Count
    marks_seen: Count
    marks_undecoded: Count
    marks_decoded: Count
    marks_rejected: Count
    marks_not_selected: Count
    marks_assumed_polygons: Count
    marks_set_aside: Count
    marks_excluded: Count
    marks_clustered: Count
    marks_outliers: Count
    groups: Count
    clusters: Count
    groups_too_large: Count
    clusters_thinned: Count
    clusters_estimated: Count
    clusters_unsure: Count
    clusters_too_large: Count
    reasons: dict[str, Count]

    def rows_add_up(self) -> bool:
        """Tell whether rows read = filtered out + rejected + used."""
        return self.rows_read == self.rows_filtered + self.rows_rejected + self.rows_used

    @property
    def marks_extracted(self) -> int:
        """Marks that are not rejected, which a reduction can use."""
        return self.marks_seen - self.marks_rejected

    def marks_add_up(self, clustered: bool) -> bool:
        """Check that marks seen = undecoded + decoded, and that every mark has one outcome.

        Parameters
        ----------
        clustered : bool
            Whether there are clusters. Then marks seen = rejected + not selected + set aside + excluded +
            clustered + outliers. After an extraction alone, marks that are not rejected have no outcome yet.
        """
        not_used = self.marks_not_selected + self.marks_set_aside + self.marks_excluded
        parts = not_used + self.marks_clustered + self.marks_outliers
        return (
            self.marks_seen == self.marks_undecoded + self.marks_decoded
            and self.marks_undecoded <= self.marks_rejected <= self.marks_seen
            and parts == (self.marks_extracted if clustered else 0)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as plain JSON values."""
        return msgspec.structs.asdict(self) | {"reasons": dict(sorted(self.reasons.items()))}


class Counts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one stage counted in one partition; fields that it does not count are unset.

    The names are those of `Accounting`, except `tools`, the tools of the partition, see
    `polyframe.panoptes.annotations.tools.tools_to_record`, and `excluded_digests`, those of the excluded
    volunteers that occur in it, see `polyframe.consensus.exclusion`.
    """

    rows_rejected: Count | msgspec.UnsetType = msgspec.UNSET
    rows_used: Count | msgspec.UnsetType = msgspec.UNSET
    rows_set_aside: Count | msgspec.UnsetType = msgspec.UNSET
    rows_excluded: Count | msgspec.UnsetType = msgspec.UNSET
    visitor_repeats: Count | msgspec.UnsetType = msgspec.UNSET
    marks_seen: Count | msgspec.UnsetType = msgspec.UNSET
    marks_undecoded: Count | msgspec.UnsetType = msgspec.UNSET
    marks_decoded: Count | msgspec.UnsetType = msgspec.UNSET
    marks_rejected: Count | msgspec.UnsetType = msgspec.UNSET
    marks_not_selected: Count | msgspec.UnsetType = msgspec.UNSET
    marks_assumed_polygons: Count | msgspec.UnsetType = msgspec.UNSET
    marks_set_aside: Count | msgspec.UnsetType = msgspec.UNSET
    marks_excluded: Count | msgspec.UnsetType = msgspec.UNSET
    marks_clustered: Count | msgspec.UnsetType = msgspec.UNSET
    marks_outliers: Count | msgspec.UnsetType = msgspec.UNSET
    groups: Count | msgspec.UnsetType = msgspec.UNSET
    clusters: Count | msgspec.UnsetType = msgspec.UNSET
    groups_too_large: Count | msgspec.UnsetType = msgspec.UNSET
    clusters_thinned: Count | msgspec.UnsetType = msgspec.UNSET
    clusters_estimated: Count | msgspec.UnsetType = msgspec.UNSET
    clusters_unsure: Count | msgspec.UnsetType = msgspec.UNSET
    clusters_too_large: Count | msgspec.UnsetType = msgspec.UNSET
    reasons: dict[str, Count] | msgspec.UnsetType = msgspec.UNSET
    tools: list[str] | msgspec.UnsetType = msgspec.UNSET
    excluded_digests: list[str] | msgspec.UnsetType = msgspec.UNSET

    @property
    def marks(self) -> int:
        """Marks seen by an extraction, or else those with an outcome in a later stage."""
        outcomes = ("rejected", "not_selected", "set_aside", "excluded", "clustered", "outliers")
        counted = [getattr(self, f"marks_{name}") for name in outcomes]
        if self.marks_seen is not msgspec.UNSET:
            counted = [self.marks_seen]
        return sum(count for count in counted if count is not msgspec.UNSET)

    def to_dict(self) -> dict[str, Any]:
        """Return what was counted as plain JSON values."""
        counts: dict[str, Any] = msgspec.to_builtins(self)
        return counts


def added(partitions: Sequence[Counts]) -> Counts:
    """Add up what one stage counted in several partitions; the result is of the same form.

    Parameters
    ----------
    partitions : sequence of Counts
        At least one; a field that is unset in all of them stays unset.
    """
    plain = [counts.to_dict() for counts in partitions]
    sums: dict[str, Any] = {}
    for name in Counts.__struct_fields__:
        values = [counts[name] for counts in plain if name in counts]
        if not values:
            continue
        if name == "reasons":
            sums[name] = dict(sorted(sum(map(Counter, values), Counter()).items()))
        elif name in ("tools", "excluded_digests"):
            sums[name] = sorted(set().union(*values))
        else:
            sums[name] = sum(values)
    return Counts(**sums)


def total(partitions: Iterable[Counts], rows_read: int, rows_filtered: int) -> Accounting:
    """Add up the counts of several partitions.

    Parameters
    ----------
    partitions : iterable of Counts
        The counts of each partition, see `polyframe.store.manifest.counts_of`.
    rows_read, rows_filtered : int
        Rows that are counted before there are partitions.
    """
    numbers: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for counts in partitions:
        plain = counts.to_dict()
        plain.pop("tools", None)
        plain.pop("excluded_digests", None)
        reasons.update(plain.pop("reasons", {}))
        numbers.update(plain)
    return accounting_of(
        {**numbers, "rows_read": rows_read, "rows_filtered": rows_filtered},
        dict(sorted(reasons.items())),
    )


def accounting_of(numbers: Mapping[str, int], reasons: Mapping[str, int] | None = None) -> Accounting:
    """Return the counts of a run; those without a number are zero."""
    names = (name for name in Accounting.__struct_fields__ if name != "reasons")
    return Accounting(**{name: numbers.get(name, 0) for name in names}, reasons=dict(reasons or {}))
