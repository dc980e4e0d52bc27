"""The table `subjects`: worked by hand, and independent of the order of rows."""

import polars as pl
import pytest

from polyframe.consensus.subjects import subjects_table
from polyframe.core.tables import GROUPS, REDUCTIONS, SUBJECTS

CLASSIFICATIONS = pl.DataFrame(
    [
        # Two volunteers, one of them twice, and two without a name.
        *((1, 11, "ann", True), (1, 12, "ann", True), (1, 13, "bob", True)),
        *((1, 14, None, True), (1, 15, None, True), (1, 16, "cid", False)),
        (2, 21, "ann", True),
        (3, 31, "ann", False),
    ],
    schema={
        "subject_id": pl.Int64,
        "classification_id": pl.Int64,
        "volunteer": pl.String,
        "counts": pl.Boolean,
    },
    orient="row",
).with_columns(workflow_id=pl.lit(7, pl.Int64))


def groups(*rows: tuple[int, str, int, int, int]) -> pl.DataFrame:
    names = ("subject_id", "tool", "n_marks", "n_clusters", "n_outliers")
    frame = pl.DataFrame(rows, schema=names, orient="row")
    return GROUPS.conform(
        frame.with_columns(workflow_id=7, task=pl.lit("T0"), frame=0, n_classifications=pl.lit(5))
    )


def reductions(*rows: tuple[int, str, float, float | None, int | None]) -> pl.DataFrame:
    schema = {
        "subject_id": pl.Int64,
        "tool": pl.String,
        "consensus": pl.Float64,
        "expected_iou": pl.Float64,
        "classifications_needed": pl.Int32,
    }
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return pl.concat(
        [REDUCTIONS.empty(), frame.with_columns(workflow_id=pl.lit(7, pl.Int64))], how="diagonal"
    )


GROUP_ROWS = groups((1, "T0_tool0", 9, 3, 2), (1, "T0_tool1", 4, 1, 0), (2, "T0_tool0", 1, 0, 1))
REDUCTION_ROWS = reductions(
    (1, "T0_tool0", 0.9, 0.8, 12),
    (1, "T0_tool0", 0.5, 0.95, 4),
    (1, "T0_tool0", 1.0, None, None),
    (1, "T0_tool1", 0.8, None, None),
)


def test_worked_by_hand() -> None:
    table = subjects_table(CLASSIFICATIONS, GROUP_ROWS, REDUCTION_ROWS)
    assert table.schema == SUBJECTS.schema
    assert table.rows() == [
        (7, 1, 5, 4, 13, 4, 2, 0.5, pytest.approx(0.8), 0.8, 12),
        (7, 2, 1, 1, 1, 0, 1, None, None, None, None),
        # Its only classification is excluded.
        (7, 3, 0, 0, 0, 0, 0, None, None, None, None),
    ]


def test_the_order_of_rows_and_other_subjects_change_nothing() -> None:
    table = subjects_table(CLASSIFICATIONS, GROUP_ROWS, REDUCTION_ROWS)
    assert subjects_table(CLASSIFICATIONS.reverse(), GROUP_ROWS.reverse(), REDUCTION_ROWS).equals(table)
    for subject in (1, 2, 3):
        alone = (f.filter(subject_id=subject) for f in (CLASSIFICATIONS, GROUP_ROWS, REDUCTION_ROWS))
        assert subjects_table(*alone).equals(table.filter(subject_id=subject))


def test_no_rows() -> None:
    table = subjects_table(CLASSIFICATIONS.clear(), GROUPS.empty(), REDUCTIONS.empty())
    assert table.equals(SUBJECTS.empty())
