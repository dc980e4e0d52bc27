"""Compare each volunteer with the others who classified the same subjects.

`volunteer_sums` adds up what the marks of some subjects show about each volunteer. Sums of different subjects
can be added in any order, since all are integers, and `volunteers_table` makes precision, recall, IoU and
score of them. Classifications without a known volunteer count as others, each as another one.
"""

from typing import Final

import polars as pl

from polyframe.core.tables import CLASSIFICATION_KEYS, GROUP_KEYS, VOLUNTEER_SUMS, VOLUNTEERS

_SUBJECT: Final = ("workflow_id", "subject_id")
_CLUSTER: Final = (*GROUP_KEYS, "cluster_label")
_PERSON: Final = ("workflow_id", "person")
_KEYS: Final = ("workflow_id", "volunteer")
#: The least number of others who can confirm a mark, or draw a cluster that a volunteer is expected to draw.
_FEWEST: Final = 2
#: IoU is added up in multiples of 2^-40, so that the order of the sums does not matter.
_IOU_UNIT: Final = 2**40
#: Each rate is shrunk towards the mean of the project as if there were so many more average opportunities.
_PRIOR: Final = 2


def people_of(classifications: pl.DataFrame) -> pl.DataFrame:
    """Number the people who made some classifications.

    Parameters
    ----------
    classifications : polars.DataFrame
        With `CLASSIFICATION_KEYS` and `volunteer`.

    Returns
    -------
    polars.DataFrame
        The same without repeated keys, with `person`: equal for equal volunteers, and another number, below
        0, for each classification without a known volunteer.
    """
    once = classifications.unique(CLASSIFICATION_KEYS, keep="first", maintain_order=True)
    return once.with_columns(person(pl.int_range(pl.len())).alias("person"))


def person(classification: pl.Expr) -> pl.Expr:
    """Return who made each classification, as a number, from the column `volunteer`.

    `classification` is the number of the classification, from 0. Without a known volunteer, each counts as
    another person, with a number below 0.
    """
    return pl.coalesce(pl.col("volunteer").rank("dense").cast(pl.Int64), -1 - classification)


def volunteer_sums(classifications: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """Add up what the marks of some subjects show about each volunteer.

    Parameters
    ----------
    classifications : polars.DataFrame
        Those that count, with `CLASSIFICATION_KEYS`, `volunteer` and `user_name`.
    labels : polars.DataFrame
        The table `labels` of the same subjects.

    Returns
    -------
    polars.DataFrame
        The table `polyframe.core.tables.VOLUNTEER_SUMS`.
    """
    people = people_of(classifications)
    visits = people.group_by(*_SUBJECT, "person").agg(_count(pl.len()).alias("n_classifications"))
    visits = visits.with_columns(others=_count(pl.len()).over(_SUBJECT) - 1)
    marks = (
        labels.select(*CLASSIFICATION_KEYS, *_CLUSTER[2:], "iou_others")
        .join(people.select(*CLASSIFICATION_KEYS, "person"), on=CLASSIFICATION_KEYS)
        .join(visits.select(*_SUBJECT, "person", "others"), on=(*_SUBJECT, "person"))
        .with_columns(drawn_by=_count(pl.col("person").n_unique()).over(_CLUSTER))
    )
    table = (
        people.filter(pl.col("volunteer").is_not_null())
        .group_by(_PERSON)
        .agg(pl.col("volunteer").first(), pl.col("user_name").min())
    )
    for sums in (_sums_of_marks(marks), _sums_of_clusters(marks, visits)):
        table = table.join(sums, on=_PERSON, how="left")
    return VOLUNTEER_SUMS.conform(table.with_columns(pl.col(pl.Int64).fill_null(0)))


def _sums_of_marks(marks: pl.DataFrame) -> pl.DataFrame:
    """Count the marks of each person, those that others can judge, and those that others confirm."""
    in_cluster = pl.col("cluster_label") >= 0
    iou = pl.col("iou_others").fill_nan(None)
    return marks.group_by(_PERSON).agg(
        _count(pl.len()).alias("n_marks"),
        _count((~in_cluster).sum()).alias("n_outliers"),
        _count((pl.col("others") >= _FEWEST).sum()).alias("n_judged"),
        _count((in_cluster & (pl.col("drawn_by") - 1 >= _FEWEST)).sum()).alias("n_confirmed"),
        _count(iou.count()).alias("n_compared"),
        (iou * _IOU_UNIT).round().cast(pl.Int64).sum().alias("iou_sum"),
    )


def _sums_of_clusters(marks: pl.DataFrame, visits: pl.DataFrame) -> pl.DataFrame:
    """Count the classifications of each person, the clusters that they were expected to draw, and drew.

    A cluster that somebody drew has one other less than it has for those who did not draw it. So the clusters
    that are expected of anybody who did not draw them are counted for each subject, and those that the person
    drew are exchanged.
    """
    drawn = marks.filter(pl.col("cluster_label") >= 0).unique((*_CLUSTER, "person"))
    drawn = drawn.with_columns(
        expected=_is_expected(pl.col("drawn_by") - 1), expected_of_rest=_is_expected(pl.col("drawn_by"))
    )
    of_subjects = drawn.unique(_CLUSTER).group_by(_SUBJECT).agg(_count(pl.col("expected_of_rest").sum()))
    seen = (
        visits.join(of_subjects, on=_SUBJECT, how="left")
        .group_by(_PERSON)
        .agg(pl.col("n_classifications", "expected_of_rest").sum())
    )
    own = drawn.group_by(_PERSON).agg(
        _count(pl.col("expected").sum()).alias("n_drawn"),
        _count(pl.col("expected_of_rest").sum()).alias("exchanged"),
    )
    return seen.join(own, on=_PERSON, how="left").select(
        *_PERSON,
        "n_classifications",
        (
            pl.col("expected_of_rest") + pl.col("n_drawn").fill_null(0) - pl.col("exchanged").fill_null(0)
        ).alias("n_expected"),
        "n_drawn",
    )


def _is_expected(drawn_by_others: pl.Expr) -> pl.Expr:
    """Return whether so many others who drew a cluster are at least two, and at least half of the others."""
    return (drawn_by_others >= _FEWEST) & (2 * drawn_by_others >= pl.col("others"))


def _count(number: pl.Expr) -> pl.Expr:
    return number.cast(pl.Int64)


def merge_sums(sums: pl.DataFrame) -> pl.DataFrame:
    """Add up the sums of several sets of subjects.

    Parameters
    ----------
    sums : polars.DataFrame
        Rows of `VOLUNTEER_SUMS`, in any order.

    Returns
    -------
    polars.DataFrame
        One row for each volunteer, in any order.
    """
    counts = [
        name for name, dtype in VOLUNTEER_SUMS.schema.items() if dtype == pl.Int64 and name not in _KEYS
    ]
    return sums.group_by(_KEYS).agg(pl.col("user_name").min(), pl.col(counts).sum())


def volunteers_table(sums: pl.DataFrame) -> pl.DataFrame:
    """Make the table `volunteers`.

    Parameters
    ----------
    sums : polars.DataFrame
        The rows of `volunteer_sums` of all subjects, in any order.

    Returns
    -------
    polars.DataFrame
        The table `polyframe.core.tables.VOLUNTEERS`.

    Notes
    -----
    Precision, recall and IoU of somebody with few opportunities are uncertain, so `score` uses
    (numerator + 2 m) / (denominator + 2) instead, with the mean m of all volunteers of the workflow, or 1
    if none of them had an opportunity. If P + R is 0, so is the score.
    """
    merged = merge_sums(sums).with_columns(
        precision=_rate("n_confirmed", "n_judged"),
        recall=_rate("n_drawn", "n_expected"),
        iou=_rate("iou_sum", "n_compared", _IOU_UNIT),
    )
    merged = merged.join(_means(merged), on="workflow_id", how="left")
    p = _shrunk("n_confirmed", "n_judged", "mean_precision")
    r = _shrunk("n_drawn", "n_expected", "mean_recall")
    i = _shrunk("iou_sum", "n_compared", "mean_iou", _IOU_UNIT)
    has_opportunity = (pl.col("n_judged") > 0) | (pl.col("n_expected") > 0)
    score = pl.when(p + r > 0).then(2 * p * r / (p + r) * i).otherwise(0.0)
    return VOLUNTEERS.conform(merged.with_columns(score=pl.when(has_opportunity).then(score)))


def _rate(numerator: str, denominator: str, unit: int = 1) -> pl.Expr:
    value = pl.col(numerator).cast(pl.Float64) / unit / pl.col(denominator)
    return pl.when(pl.col(denominator) > 0).then(value)


def _shrunk(numerator: str, denominator: str, mean: str, unit: int = 1) -> pl.Expr:
    value = pl.col(numerator).cast(pl.Float64) / unit
    return (value + _PRIOR * pl.col(mean)) / (pl.col(denominator) + _PRIOR)


def _means(merged: pl.DataFrame) -> pl.DataFrame:
    """Return the means of each workflow: all numerators divided by all denominators."""
    rates = {
        "mean_precision": ("n_confirmed", "n_judged", 1),
        "mean_recall": ("n_drawn", "n_expected", 1),
        "mean_iou": ("iou_sum", "n_compared", _IOU_UNIT),
    }
    rows = []
    for (workflow,), rows_of_workflow in merged.group_by("workflow_id"):
        row: dict[str, int | float] = {"workflow_id": workflow}
        for name, (numerator, denominator, unit) in rates.items():
            # Sums of Python's integers, since those of a large project may exceed 64 bits.
            whole = sum(rows_of_workflow[denominator].to_list())
            row[name] = sum(rows_of_workflow[numerator].to_list()) / (whole * unit) if whole else 1.0
        rows.append(row)
    schema = {"workflow_id": pl.Int64} | dict.fromkeys(rates, pl.Float64)
    return pl.DataFrame(rows, schema=schema, orient="row")
