"""The table `volunteers`: worked by hand, and equal to its definitions in plain Python."""

import random
from fractions import Fraction
from typing import Any

import naive_volunteers
import polars as pl
import pytest

from polyframe.consensus.volunteers import volunteer_sums, volunteers_table
from polyframe.core.tables import VOLUNTEER_SUMS, VOLUNTEERS

COUNTS = ("n_classifications", "n_marks", "n_outliers", "n_judged", "n_confirmed", "n_expected", "n_drawn")
RATES = ("precision", "recall", "iou", "score")
CLASSIFICATIONS = {
    "workflow_id": pl.Int64,
    "subject_id": pl.Int64,
    "classification_id": pl.Int64,
    "volunteer": pl.String,
    "user_name": pl.String,
}
LABELS = {
    "workflow_id": pl.Int64,
    "subject_id": pl.Int64,
    "classification_id": pl.Int64,
    "task": pl.String,
    "frame": pl.Int32,
    "tool": pl.String,
    "cluster_label": pl.Int32,
    "iou_others": pl.Float64,
}


def classifications(*rows: tuple[int, int, str | None]) -> pl.DataFrame:
    """Return classifications from tuples of subject, id and volunteer."""
    cells = [(7, subject, number, name, name and name.split("/")[0]) for subject, number, name in rows]
    return pl.DataFrame(cells, schema=CLASSIFICATIONS, orient="row")


def labels(*rows: tuple[int, int, int, float | None]) -> pl.DataFrame:
    """Return labels from tuples of subject, classification, cluster and IoU with the others."""
    cells = [(7, subject, number, "T0", 0, "T0_tool0", label, iou) for subject, number, label, iou in rows]
    return pl.DataFrame(cells, schema=LABELS, orient="row")


#: Four volunteers and somebody without a name classify three subjects.
VISITS = classifications(
    *((1, 11, "ann"), (1, 12, "bob"), (1, 13, "cid"), (1, 14, "dot"), (1, 15, None)),
    *((2, 21, "ann"), (2, 22, "bob"), (2, 23, "cid")),
    *((3, 31, "ann"), (3, 32, "bob")),
)
MARKS = labels(
    # Four people draw the first object, two the second one, of which ann draws two marks.
    *((1, 11, 0, 0.9), (1, 12, 0, 0.9), (1, 14, 0, 0.25), (1, 15, 0, 0.8)),
    *((1, 11, 1, 0.5), (1, 11, 1, 0.7), (1, 13, 1, 0.5)),
    *((1, 13, -1, None), (1, 14, -1, None)),
    # All three draw the first object, two the second one.
    *((2, 21, 0, 0.8), (2, 22, 0, 0.8), (2, 23, 0, 1.0)),
    *((2, 21, 1, 0.6), (2, 22, 1, 0.7)),
    # There is only one other: nobody is judged.
    *((3, 31, 0, 0.4), (3, 32, 0, 0.6)),
)
#: The counts in the order of COUNTS.
#: ann: the first objects are confirmed by others; the second ones only by one. Expected are the first ones.
#: bob: the second object of subject 1, which he did not draw, is drawn by two of four others: expected.
#: cid: draws one of three: the second object of subject 2 is drawn by two of two others.
#: dot: the second object of subject 1 is drawn by two of four others.
BY_HAND = {
    "ann": (3, 6, 0, 5, 2, 2, 2),
    "bob": (3, 4, 0, 3, 2, 3, 2),
    "cid": (2, 3, 1, 3, 1, 3, 1),
    "dot": (1, 2, 1, 2, 1, 2, 1),
}
#: Sum and number of `iou_others`.
IOU = {"ann": ("3.9", 6), "bob": ("3.0", 4), "cid": ("1.5", 2), "dot": ("0.25", 1)}


def test_counts_worked_by_hand() -> None:
    table = volunteers_table(volunteer_sums(VISITS, MARKS))
    assert table.schema == VOLUNTEERS.schema
    assert table["volunteer"].to_list() == table["user_name"].to_list() == list(BY_HAND)
    assert table["workflow_id"].to_list() == [7] * 4
    assert dict(zip(BY_HAND, table.select(COUNTS).rows(), strict=True)) == BY_HAND


def test_rates_and_score_worked_by_hand() -> None:
    table = volunteers_table(volunteer_sums(VISITS, MARKS))
    means = Fraction(6, 13), Fraction(6, 10), Fraction("8.65") / 13
    for row in table.iter_rows(named=True):
        *_, judged, confirmed, expected, drawn = BY_HAND[row["volunteer"]]
        total, number = IOU[row["volunteer"]]
        rates = (confirmed, judged), (drawn, expected), (Fraction(total), number)
        raw = [Fraction(numerator) / denominator for numerator, denominator in rates]
        p, r, i = ((n + 2 * m) / (d + 2) for (n, d), m in zip(rates, means, strict=True))
        assert [row[name] for name in RATES] == pytest.approx(
            [*map(float, raw), float(2 * p * r / (p + r) * i)], abs=1e-11
        )
    # Somebody with one classification is nearer to the mean than the raw rates say.
    assert table.sort("score")["volunteer"].to_list() == ["dot", "cid", "ann", "bob"]


def test_others_are_other_people_not_other_classifications() -> None:
    """Repeats that count, and marks of the same volunteer, do not confirm one another."""
    visits = classifications((1, 1, "ann"), (1, 2, "ann"), (1, 3, "ann"), (1, 4, "bob"))
    marks = labels((1, 1, 0, 0.5), (1, 2, 0, 0.5), (1, 3, 0, 0.5), (1, 4, 0, 0.5))
    table = volunteers_table(volunteer_sums(visits, marks))
    assert table.select(COUNTS).rows() == [(3, 3, 0, 0, 0, 0, 0), (1, 1, 0, 0, 0, 0, 0)]
    assert table.select("precision", "recall", "score").null_count().row(0) == (2, 2, 2)
    assert table["iou"].to_list() == [0.5, 0.5]


def test_classifications_without_a_volunteer_count_as_others_one_by_one() -> None:
    visits = classifications((1, 1, "ann"), (1, 2, None), (1, 3, None))
    marks = labels((1, 1, 0, 0.5), (1, 2, 0, 0.5), (1, 3, 0, 0.5))
    table = volunteers_table(volunteer_sums(visits, marks))
    assert table.select("volunteer", *COUNTS).rows() == [("ann", 1, 1, 0, 1, 1, 1, 1)]
    assert table.select(RATES).row(0) == pytest.approx((1, 1, 0.5, 0.5))


def test_somebody_without_marks_has_no_precision_but_a_recall_of_0() -> None:
    visits = classifications((1, 1, "ann"), (1, 2, "bob"), (1, 3, "cid"), (1, 4, "dot"))
    marks = labels(*((1, number, 0, 0.9) for number in (1, 2, 3)))
    row = volunteers_table(volunteer_sums(visits, marks)).row(3, named=True)
    assert (row["volunteer"], row["n_marks"], row["n_expected"], row["n_drawn"]) == ("dot", 0, 1, 0)
    assert (row["precision"], row["recall"], row["iou"]) == (None, 0, None)
    # The mean precision is 1, the mean recall 3/4, the mean IoU .9.
    p, r = 1, Fraction(3, 2) / 3
    assert row["score"] == pytest.approx(float(2 * p * r / (p + r)) * 0.9)


def test_a_rate_without_any_opportunity_in_the_project_counts_as_1() -> None:
    """Nobody is expected to draw a cluster of three of ten others, so recall does not matter."""
    visits = classifications(*((1, number, f"v{number:02d}") for number in range(10)))
    marks = labels(*((1, number, 0, 0.5) for number in range(3)), (1, 5, -1, None))
    table = volunteers_table(volunteer_sums(visits, marks))
    assert table["n_expected"].sum() == 0
    assert table["n_judged"].sum() == 4
    p = (1 + 2 * Fraction(3, 4)) / 3
    assert table["score"][0] == pytest.approx(float(2 * p / (p + 1)) * 0.5)
    assert table["score"][9] is None


def test_the_score_is_0_if_nothing_is_confirmed() -> None:
    visits = classifications((1, 1, "ann"), (1, 2, "bob"), (1, 3, "cid"))
    table = volunteers_table(volunteer_sums(visits, labels(*((1, n, -1, None) for n in (1, 2, 3)))))
    assert table["score"].to_list() == [0, 0, 0]
    assert table["recall"].to_list() == [None, None, None]


def test_no_rows() -> None:
    sums = volunteer_sums(classifications(), labels())
    assert sums.equals(VOLUNTEER_SUMS.empty())
    assert volunteers_table(sums).equals(VOLUNTEERS.empty())


def random_project(seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return classifications and labels of a dozen subjects; some volunteers are unknown or repeat."""
    rng = random.Random(seed)
    names = [*(f"v{number}" for number in range(7)), "not-logged-in-1/s", "not-logged-in-1/t", None, None]
    visits, marks, number = [], [], 0
    for subject in range(1, 13):
        for _ in range(rng.randrange(7)):
            number += 1
            visits.append((subject, number, rng.choice(names)))
            for _ in range(rng.choice((0, 1, 1, 2, 3))):
                label = rng.choice((-1, 0, 0, 0, 1, 2))
                iou = None if label < 0 or rng.random() < 0.2 else rng.random()
                marks.append((subject, number, label, iou))
    rng.shuffle(visits)
    tools = pl.Series("tool", [rng.choice(("T0_tool0", "T0_tool1")) for _ in marks], pl.String)
    return classifications(*visits), labels(*marks).with_columns(tools)


@pytest.mark.parametrize("seed", range(40))
def test_equal_to_the_definitions_in_plain_python(seed: int) -> None:
    visits, marks = random_project(seed)
    expected = naive_volunteers.volunteers(visits.to_dicts(), marks.to_dicts())
    table = volunteers_table(volunteer_sums(visits, marks))
    assert table["volunteer"].to_list() == list(expected)
    for row in table.iter_rows(named=True):
        exact: dict[str, Any] = expected[row["volunteer"]]
        assert [row[name] for name in COUNTS] == [exact[name] for name in COUNTS]
        for name in RATES:
            value = exact[name]
            assert (row[name] is None) == (value is None), name
            assert value is None or row[name] == pytest.approx(float(value), abs=1e-11), name


@pytest.mark.parametrize("seed", range(10))
def test_the_order_of_rows_and_the_borders_of_parts_change_nothing(seed: int) -> None:
    visits, marks = random_project(seed)
    whole = volunteer_sums(visits, marks)
    shuffled = volunteer_sums(
        visits.sample(fraction=1, shuffle=True, seed=seed), marks.sample(fraction=1, shuffle=True, seed=seed)
    )
    assert shuffled.equals(whole)
    for size in (1, 3, 5):
        parts = [
            volunteer_sums(
                *(f.filter(pl.col("subject_id").is_between(s, s + size - 1)) for f in (visits, marks))
            )
            for s in range(1, 13, size)
        ]
        random.Random(seed).shuffle(parts)
        assert volunteers_table(pl.concat(parts)).equals(volunteers_table(whole))


def test_workflows_are_separate() -> None:
    visits, marks = random_project(3)
    others = random_project(4)
    both = [
        pl.concat([first, second.with_columns(workflow_id=pl.lit(8, pl.Int64))])
        for first, second in zip((visits, marks), others, strict=True)
    ]
    table = volunteers_table(volunteer_sums(*both))
    for workflow, frames in ((7, (visits, marks)), (8, others)):
        own = volunteers_table(volunteer_sums(*frames)).drop("workflow_id")
        assert table.filter(workflow_id=workflow).drop("workflow_id").equals(own)


def test_sums_of_a_project_beyond_64_bits_are_exact() -> None:
    """The IoU of all marks together may exceed 2^63 units, those of a volunteer hardly."""
    row = dict.fromkeys(VOLUNTEER_SUMS.schema, 2**23) | {"workflow_id": 7, "user_name": None}
    rows = [row | {"volunteer": f"v{n}", "iou_sum": 2**62 + n} for n in range(9)]
    table = volunteers_table(pl.DataFrame(rows, schema=VOLUNTEER_SUMS.schema))
    assert table["iou"].to_list() == pytest.approx([0.5] * 9)
    assert table["score"].to_list() == pytest.approx([0.5] * 9)
