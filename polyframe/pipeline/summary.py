"""The short summary at the end of a run, in words."""

from polyframe.pipeline.result import Summary
from polyframe.store.accounting import Accounting


def summary_lines(summary: Summary) -> list[str]:
    """Return the lines that tell where every row and mark went.

    Parameters
    ----------
    summary : Summary
        What a run did.
    """
    return [
        *counts_lines(summary.accounting, clustered=summary.stages != ("extract",)),
        _work(summary),
        f"{summary.seconds:.1f} s, tables in {summary.output}",
    ]


def counts_lines(counts: Accounting, *, clustered: bool = True) -> list[str]:
    """Return the lines that tell where every row and mark went, by the counts alone.

    Parameters
    ----------
    counts : Accounting
        What was counted.
    clustered : bool
        False where marks were extracted and nothing else.
    """
    lines = [
        f"rows read {counts.rows_read} = {counts.rows_filtered} filtered out"
        f" + {counts.rows_rejected} rejected + {counts.rows_used} used",
        _marks(counts, clustered),
    ]
    if clustered:
        lines.append(f"{counts.groups} groups, {counts.clusters} clusters, {counts.marks_outliers} outliers")
        lines += _repeats(counts)
    if counts.reasons:
        listed = ", ".join(f"{reason} {number}" for reason, number in counts.reasons.items())
        lines.append(f"rejected, see the table rejects: {listed}")
    return lines


def _work(summary: Summary) -> str:
    kept = summary.partitions - summary.made
    line = f"{summary.made} of {summary.partitions} partitions made"
    line += f", {kept} kept as they were" if kept else ""
    if summary.temporary_bytes:
        line += f"; {summary.temporary_bytes / 1e6:.1f} MB of temporary files, removed"
    return line


def _repeats(counts: Accounting) -> list[str]:
    if not counts.rows_set_aside:
        return []
    by_visitors = f", {counts.visitor_repeats} of them by visitors who are not logged in"
    return [
        f"classifications set aside as repeats {counts.rows_set_aside}"
        + by_visitors * (counts.visitor_repeats > 0)
    ]


def _marks(counts: Accounting, clustered: bool) -> str:
    line = f"marks seen {counts.marks_seen} = {counts.marks_rejected} rejected"
    if not clustered:
        return f"{line} + {counts.marks_extracted} extracted"
    if counts.marks_not_selected:
        line += f" + {counts.marks_not_selected} of other tasks or tools"
    return (
        f"{line} + {counts.marks_set_aside} set aside as repeats"
        f" + {counts.marks_clustered} clustered + {counts.marks_outliers} outliers"
    )
