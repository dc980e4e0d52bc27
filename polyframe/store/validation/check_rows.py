"""Check the rows of a part: their order, keys, range of subjects, and values."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl

from polyframe.consensus.votes import invalid_json
from polyframe.core.estimation import ESTIMATED_SIZES, LEAST_MARKS, MOST_MARKS
from polyframe.core.settings import Settings
from polyframe.core.table_schema import Table, missing_last
from polyframe.core.tables import CORRECTIONS
from polyframe.geometry.stability import classifications_needed
from polyframe.panoptes.classifications.column_parsers import REPLACEMENT
from polyframe.panoptes.classifications.metadata import is_visitor
from polyframe.store.manifest import PartitionRecord
from polyframe.store.subject_ranges import within_range
from polyframe.store.validation.finding import Finding, findings_of_checks, key_of

#: Columns that no check of a whole part needs.
_NOT_NEEDED: Final = ("tool_type", "x", "y")
_ROUNDING: Final = 1e-9
#: Column with a hash of the path of a mark.
PATH_HASH: Final = "path_hash"
#: Columns of `reductions` that only clusters with enough marks have.
_OF_STABILITY: Final = ("expected_iou", "area_low", "area_high", "classifications_needed")


def needed_columns(table: Table) -> list[str]:
    """Return the columns that are kept of a whole part: all but the long ones."""
    return [
        name
        for name, dtype in table.schema.items()
        if name not in _NOT_NEEDED and not dtype.is_nested() and dtype != pl.Binary
    ]


def kept_columns(table: Table) -> list[pl.Expr]:
    """Return what is kept of each row of a part: the needed columns, and a hash of its path."""
    columns = [pl.col(name) for name in needed_columns(table)]
    if table.name == "extractions":
        columns.append(pl.struct("x", "y").hash(seed=1).alias(PATH_HASH))
    return columns


def row_findings(
    file: str, table: Table, rows: pl.DataFrame, subjects: tuple[int | None, int | None], settings: Settings
) -> list[Finding]:
    """Check the rows of one part.

    Parameters
    ----------
    file : str
        The part file, for the findings.
    table : Table
    rows : polars.DataFrame
        The needed columns of all rows.
    subjects : (int or None, int or None)
        The first subject of the partition, and that of the next.
    settings : Settings
        The settings of the stage.
    """
    checks = [
        ("order", _belongs_before(table), f"belongs before the row above it, by {', '.join(table.sort_by)}"),
        ("key", _repeats_a_key(table), "repeats the key of an earlier row"),
        *(("values", wrong, problem) for problem, wrong in _value_checks(table, settings).items()),
    ]
    if "subject_id" in table.schema:
        outside = ~within_range("subject_id", *subjects)
        checks.append(("range", outside, f"has a subject outside its partition, {_range(subjects)}"))
    return findings_of_checks(file, table, rows, checks)


def part_order_findings(file: str, table: Table, last: pl.DataFrame, rows: pl.DataFrame) -> list[Finding]:
    """Check that the first row of a part comes after the last row of the parts before it."""
    names = list(dict.fromkeys((*table.sort_by, *table.key)))
    if "subject_id" not in table.schema:
        return []  # each part has rows of its own of the same volunteers
    both = pl.concat([last.select(names), rows.head(1).select(names)])
    if not both.select(_belongs_before(table)).to_series()[1]:
        return []
    problem = f"row 1 ({key_of(table, both, 1)}) does not come after the last row of the parts before it"
    return [Finding("order", file, problem, row=1)]


def _belongs_before(table: Table) -> pl.Expr:
    """Return for each row whether it belongs before the row above it."""
    before: pl.Expr = pl.lit(value=False)
    for name, last in reversed(list(zip(table.sort_by, missing_last(table.sort_by), strict=True))):
        above, value = pl.col(name).shift(1), pl.col(name)
        # Missing values are first or last.
        early, late = (above, value) if last else (value, above)
        smaller = late.is_not_null() & (early.is_null() | (value < above))
        before = smaller | (value.eq_missing(above) & before)
    return before & (pl.int_range(pl.len()) > 0)


def _repeats_a_key(table: Table) -> pl.Expr:
    first = pl.struct(table.key).is_first_distinct()
    if table.name != "rejects":
        return ~first
    without_key = pl.col("stage") == "read"
    return ~without_key & ~first.over(without_key)


def _value_checks(table: Table, settings: Settings) -> Mapping[str, pl.Expr]:
    """Return the conditions of wrong rows, by problem."""
    schema = table.schema
    checks: dict[str, pl.Expr] = {}
    # Corrections stay if the next run is of another workflow.
    if "workflow_id" in schema and table is not CORRECTIONS:
        checks[f"is not of workflow {settings.workflow_id}"] = pl.col("workflow_id") != settings.workflow_id
    if "cluster_label" in schema:
        lowest = -1 if table.name == "labels" else 0
        checks[f"has a cluster_label below {lowest}"] = pl.col("cluster_label") < lowest
    for name in ("consensus", "iou_others", "expected_iou"):
        if name not in schema:
            continue
        article = "a" if name == "consensus" else "an"
        valid = pl.col(name).is_between(-_ROUNDING, 1 + _ROUNDING)
        checks[f"has {article} {name} that is not between 0 and 1"] = ~valid
    if table.name == "reductions":
        checks |= _stability_checks()
    if "average_type" in schema:
        differs = pl.col("average_type") != settings.average_type
        checks[f"has an average_type other than {settings.average_type}"] = differs
    if "details" in schema:
        checks["has details that are not valid JSON"] = pl.col("details").map_batches(
            invalid_json, pl.Boolean
        )
    if table.name == "classifications":  # extractions and labels must agree with it
        checks["has a volunteer that does not match its user_name"] = _wrong_volunteer(settings)
    if table.name == "rejects":
        whole_row = pl.col("mark_index").is_null() & (pl.col("stage") == "polygons")
        checks["rejects a whole row at the stage polygons"] = whole_row
    return checks


def _stability_checks() -> dict[str, pl.Expr]:
    """Return the conditions of wrong rows of `reductions`, by problem: how sure their outlines are."""
    is_estimated = pl.col("clusters_count").is_between(LEAST_MARKS, MOST_MARKS)
    checks: dict[str, pl.Expr] = {}
    for name in _OF_STABILITY:
        is_missing = pl.col(name).is_null()
        checks[f"has no {name} with {ESTIMATED_SIZES}"] = is_estimated & is_missing
        checks[f"has {name} without {ESTIMATED_SIZES}"] = ~is_estimated & ~is_missing
    low, high = pl.col("area_low"), pl.col("area_high")
    valid = low.is_between(0, high) & high.is_finite()
    checks["has an area_low that is negative or above area_high"] = ~valid
    needed = pl.struct("expected_iou", "clusters_count", "n_classifications").map_batches(_needed, pl.Float64)
    differs = pl.col("classifications_needed") != needed
    checks["has a classifications_needed that does not follow from expected_iou"] = differs
    return checks


def _needed(rows: pl.Series) -> pl.Series:
    """Return `classifications_needed` by the other columns of `reductions`; missing if the IoU is."""
    columns = rows.struct.unnest()
    names = ("clusters_count", "n_classifications")
    marks, classifications = (columns[name].cast(pl.Int64).fill_null(1).to_numpy() for name in names)
    with np.errstate(all="ignore"):  # damaged rows may have no marks
        needed = classifications_needed(columns["expected_iou"].to_numpy(), marks, classifications)
    return pl.Series(needed).fill_nan(None)


def _wrong_volunteer(settings: Settings) -> pl.Expr:
    """Return whether a volunteer cannot have this name, with or without a session."""
    name, volunteer = pl.col("user_name"), pl.col("volunteer")
    if settings.volunteers == "drop":
        return volunteer.is_not_null()
    if settings.volunteers == "hash":
        # The hash of a name with a session differs from that of the name.
        return name.is_null() & volunteer.is_not_null()
    same = volunteer.eq_missing(name)
    not_utf8 = volunteer.is_null() & name.str.contains(REPLACEMENT, literal=True).fill_null(value=False)
    if settings.visitors == "name":
        return ~(same | not_utf8)
    has_session = volunteer.str.starts_with(pl.concat_str(name, pl.lit("/"))).fill_null(value=False)
    return ~(same | not_utf8 | (is_visitor("user_name") & has_session))


def _range(subjects: tuple[int | None, int | None]) -> str:
    first, end = subjects
    start = "from the first" if first is None else f"from {first}"
    return f"{start} to the last" if end is None else f"{start} to before {end}"


def ranges(records: Sequence[PartitionRecord]) -> dict[str, tuple[int | None, int | None]]:
    """Return by partition its first subject and that of the next partition."""
    ends = [*(record.first_subject for record in records[1:]), None]
    return {r.name: (r.first_subject, end) for r, end in zip(records, ends, strict=True)}
