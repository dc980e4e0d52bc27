"""Summarize a run: where every row and mark went, as text and for notebooks."""

from dataclasses import dataclass
from typing import Any

from polyframe import __version__
from polyframe.core.addresses import Place
from polyframe.core.estimation import unsure_lines
from polyframe.core.plurals import counted, plural
from polyframe.core.reasons import REASONS
from polyframe.core.reprs import html_repr, text_repr
from polyframe.core.tables import SCHEMA_VERSION
from polyframe.store.run_counts import Accounting


@dataclass(frozen=True, repr=False)
class Summary:
    """The result of a call that wrote tables; `print` shows it as the command line does.

    Attributes
    ----------
    output : Path or Address
        The output directory.
    accounting : Accounting
        The counts of rows and marks: used, rejected, clustered and so on.
    seconds : float
        Duration.
    notes : tuple of str
        What was chosen or skipped by default.
    partitions, made : int
        Number of partitions, and of those that this call processed; the others were up to date.
    temporary_bytes : int
        Size of the temporary files, which are removed.
    stages : tuple of str
        The stages whose tables are in the directory: `extract`, and possibly `reduce` and `contours`.
    workflow_id : int or None
        The workflow of the tables.
    versions : tuple of str
        The workflow versions that were used.
    parts_made : int
        Number of part files of tables that this call wrote; the others were up to date.
    peak_memory_bytes : int
        The most memory that this process used so far, and the most that each worker process used that it
        started on this computer, added up.
    number : int
        The number of the version of the tables, see `polyframe.scan`.
    """

    output: Place
    accounting: Accounting
    seconds: float
    notes: tuple[str, ...]
    partitions: int = 1
    made: int = 1
    temporary_bytes: int = 0
    stages: tuple[str, ...] = ("extract", "reduce", "contours")
    workflow_id: int | None = None
    versions: tuple[str, ...] = ()
    parts_made: int = 0
    peak_memory_bytes: int = 0
    number: int = 0

    def __str__(self) -> str:
        return "\n".join(summary_lines(self))

    def __repr__(self) -> str:
        return text_repr("Summary", self._rows())

    def _repr_html_(self) -> str:
        return html_repr("Summary", self._rows())

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes, and the versions of polyframe and of its tables, as plain JSON values."""
        return {
            "polyframe_version": __version__,
            "schema_version": SCHEMA_VERSION,
            **vars(self),
            "output": str(self.output),
            "accounting": self.accounting.to_dict(),
        }

    def _rows(self) -> dict[str, object]:
        counts = self.accounting
        rows: dict[str, object] = {
            "output": self.output,
            "stages": ", ".join(self.stages),
            "rows": f"{counts.rows_used:,} of {counts.rows_read:,} used, {counts.rows_rejected:,} rejected",
            "marks": f"{counts.marks_seen:,}, {counts.marks_rejected:,} rejected",
            "clusters": f"{counts.clusters:,} in {counted(counts.groups, 'group')}",
            "partitions": f"{self.made:,} of {self.partitions:,} processed in {self.seconds:.1f} s",
        }
        if self.stages == ("extract",):
            del rows["clusters"]
        return rows


def summary_lines(summary: Summary) -> list[str]:
    """Return the lines that say where every row and mark went, and how long the run took."""
    return [
        *counts_lines(summary.accounting, clustered=summary.stages != ("extract",)),
        *rejects_lines(summary.accounting),
        _partitions_line(summary),
        f"{summary.seconds:.1f} s, tables in {summary.output}",
    ]


def counts_lines(counts: Accounting, *, clustered: bool = True) -> list[str]:
    """Return the lines that say where every row and mark went.

    Parameters
    ----------
    counts : Accounting
        The counts of a run.
    clustered : bool
        False if marks were extracted but not clustered.
    """
    lines = [
        f"rows read {counts.rows_read} = {counts.rows_filtered} filtered out"
        f" + {counts.rows_rejected} rejected + {counts.rows_used} used",
        _marks_line(counts, clustered),
    ]
    if clustered:
        lines.append(
            f"{counts.groups} {plural(counts.groups, 'group')}, "
            f"{counts.clusters} {plural(counts.clusters, 'cluster')}, "
            f"{counts.marks_outliers} {plural(counts.marks_outliers, 'outlier')}"
        )
        lines += unsure_lines(counts.clusters_unsure, counts.clusters_estimated)
        lines += _repeats_lines(counts)
        if counts.rows_excluded:
            lines.append(f"classifications excluded {counts.rows_excluded}")
    return lines


def rejects_lines(counts: Accounting) -> list[str]:
    """Return the lines that say in words what was rejected and why, the most frequent reason first."""
    if not counts.reasons:
        return []
    of_code = {reason.code: reason for reason in REASONS}
    lines = ["rejected, see the table rejects:"]
    for code, number in sorted(counts.reasons.items(), key=lambda item: (-item[1], item[0])):
        reason = of_code[code]
        what = counted(number, "row" if reason.whole_row else "mark")
        meaning = reason.meaning.replace("`", "")
        lines.append(f"  {what}: {meaning} ({code})")
    return lines


def _partitions_line(summary: Summary) -> str:
    up_to_date = summary.partitions - summary.made
    line = f"{summary.made} of {summary.partitions} {plural(summary.partitions, 'partition')} processed"
    line += f", {up_to_date} up to date" if up_to_date else ""
    if summary.temporary_bytes:
        line += f"; {summary.temporary_bytes / 1e6:.1f} MB of temporary files, removed"
    return line


def _repeats_lines(counts: Accounting) -> list[str]:
    if not counts.rows_set_aside:
        return []
    by_visitors = f", {counts.visitor_repeats} of them by visitors who are not logged in"
    return [
        f"classifications set aside as repeats {counts.rows_set_aside}"
        + by_visitors * (counts.visitor_repeats > 0)
    ]


def _marks_line(counts: Accounting, clustered: bool) -> str:
    line = f"marks seen {counts.marks_seen} = {counts.marks_rejected} rejected"
    if not clustered:
        return f"{line} + {counts.marks_extracted} extracted"
    if counts.marks_not_selected:
        line += f" + {counts.marks_not_selected} of other tasks or tools"
    outliers = f"{counts.marks_outliers} {plural(counts.marks_outliers, 'outlier')}"
    line = (
        f"{line} + {counts.marks_set_aside} set aside as repeats"
        f" + {counts.marks_clustered} clustered + {outliers}"
    )
    return f"{line} + {counts.marks_excluded} excluded" if counts.rows_excluded else line
