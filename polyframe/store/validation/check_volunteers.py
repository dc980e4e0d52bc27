"""Check that subjects and volunteers agree with the tables that they summarize, by making them again."""

from collections.abc import Collection

import polars as pl

from polyframe.consensus.marks import counted_classifications, with_counts
from polyframe.consensus.subjects import subjects_table
from polyframe.consensus.volunteers import volunteer_sums, volunteers_table
from polyframe.core.settings import Settings
from polyframe.core.tables import STORED_TABLES, SUBJECTS, VOLUNTEER_SUMS, VOLUNTEERS
from polyframe.store.validation.check_agreement import PartitionTables, can_identify_repeats
from polyframe.store.validation.finding import Finding


def summaries_findings(partition: PartitionTables, settings: Settings) -> list[Finding]:
    """Check `subjects` and the sums for `volunteers` of one partition, as far as its tables could be read.

    Parameters
    ----------
    partition : PartitionTables
        With `classifications`.
    settings : Settings
        Those of the reduction.
    """
    frames = partition.frames
    classifications = frames["classifications"]
    counted = counted_classifications(classifications, settings)
    known = with_counts(classifications, counted)
    findings: list[Finding] = []
    if {"subjects", "groups", "reductions"} <= frames.keys():
        expected = subjects_table(known, frames["groups"], frames["reductions"])
        # Without volunteers, it is not known which classifications count.
        unknown = () if can_identify_repeats(settings) else ("n_classifications", "n_volunteers")
        source = "its rows in classifications, groups and reductions"
        findings += _differences(partition, SUBJECTS.name, expected, source, unknown)
    if {VOLUNTEER_SUMS.name, "labels"} <= frames.keys():
        expected = volunteer_sums(known.filter("counts"), frames["labels"])
        findings += _differences(partition, VOLUNTEER_SUMS.name, expected, "classifications and labels")
    return findings


def volunteers_findings(file: str, volunteers: pl.DataFrame, sums: pl.DataFrame) -> list[Finding]:
    """Check the table `volunteers`.

    Parameters
    ----------
    file : str
        Its part file, for the findings.
    volunteers : polars.DataFrame
        Its rows, with the column `row`.
    sums : polars.DataFrame
        The sums of all partitions.
    """
    table = PartitionTables({VOLUNTEERS.name: volunteers}, {VOLUNTEERS.name: file})
    return _differences(table, VOLUNTEERS.name, volunteers_table(sums), "the sums of its partitions")


def _differences(
    partition: PartitionTables,
    name: str,
    expected: pl.DataFrame,
    source: str,
    unknown: Collection[str] = (),
) -> list[Finding]:
    """Compare a table with what it should contain, except for some columns."""
    rows, key = partition.frames[name], STORED_TABLES[name].key
    joined = rows.join(
        expected.with_columns(known=True), on=key, how="left", maintain_order="left", suffix="_expected"
    )
    is_unknown = pl.col("known").is_null()
    findings = partition.wrong_rows(name, joined, is_unknown, f"is not in {source}")
    for column in expected.columns:
        if column not in (*key, *unknown):
            differs = ~is_unknown & pl.col(column).ne_missing(pl.col(f"{column}_expected"))
            findings += partition.wrong_rows(name, joined, differs, f"has a different {column} than {source}")
    missing = expected.join(rows, on=key, how="anti", maintain_order="left")
    return findings + partition.missing_rows(name, missing, f"that is in {source}")
