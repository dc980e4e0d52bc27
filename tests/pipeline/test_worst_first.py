"""`pf.volunteers` and `pf.subjects`: the order of their rows."""

import polars as pl
import pytest

import polyframe as pf
from polyframe.core.tables import GROUPS, LABELS, REDUCTIONS, SUBJECTS, VOLUNTEERS

#: Name, judged marks and score.
SCORES = [("ann", 9, 0.5), ("bob", 3, None), ("cid", 1, 0.0), ("dot", 2, 0.5), ("eve", 7, None)]
#: Subject, classifications, classifications needed, expected IoU, consensus, outliers.
STATES = [
    (1, 8, 5, 0.97, 0.9, 0),
    (2, 8, 12, 0.93, 0.9, 0),
    (3, 8, 30, 0.9, 0.8, 0),
    (4, 20, 26, 0.92, 0.8, 0),
    (5, 8, 7, 0.95, 0.7, 0),
    (6, 8, None, None, None, 1),
    (7, 8, None, None, None, 4),
    (8, 8, None, None, 0.6, 0),
    (9, 8, None, None, 0.6, 0),
]


@pytest.fixture
def reduction() -> pf.Reduction:
    volunteers = pl.DataFrame(SCORES, schema=["volunteer", "n_judged", "score"], orient="row")
    names = ["subject_id", "n_classifications", "classifications_needed"]
    names += ["expected_iou_min", "consensus_min", "n_outliers"]
    subjects = pl.DataFrame(STATES, schema=names, orient="row", infer_schema_length=None)
    parts = []
    for table, frame in ((SUBJECTS, subjects), (VOLUNTEERS, volunteers)):
        missing = [pl.lit(7).alias(name) for name in table.schema if name not in frame.columns]
        parts.append(table.conform(frame.with_columns(missing)))
    return pf.Reduction(GROUPS.empty(), LABELS.empty(), REDUCTIONS.empty(), *parts)


def test_volunteers_by_score_then_by_evidence(reduction: pf.Reduction) -> None:
    assert pf.volunteers(reduction)["volunteer"].to_list() == ["cid", "ann", "dot", "eve", "bob"]
    assert pf.volunteers(reduction, limit=2)["volunteer"].to_list() == ["cid", "ann"]
    assert pf.volunteers(reduction, limit=0).schema == VOLUNTEERS.schema


def test_subjects_by_what_is_missing_then_by_how_sure_they_are(reduction: pf.Reduction) -> None:
    assert pf.subjects(reduction)["subject_id"].to_list() == [3, 4, 2, 5, 1, 8, 9, 7, 6]
    assert pf.subjects(reduction, limit=1)["subject_id"].to_list() == [3]
    assert pf.subjects(reduction).schema == SUBJECTS.schema


@pytest.mark.parametrize("limit", [-1, True, 1.5, "3"])
def test_wrong_limits(limit: object, reduction: pf.Reduction) -> None:
    for function in (pf.volunteers, pf.subjects):
        with pytest.raises(pf.UsageError, match=r"^limit: .* is not an integer from 0$"):
            function(reduction, limit=limit)  # type: ignore[arg-type]


def test_something_else_is_refused() -> None:
    for function in (pf.volunteers, pf.subjects):
        with pytest.raises(pf.UsageError, match="expected an output directory, or a Reduction, got 3"):
            function(3)  # type: ignore[arg-type]
