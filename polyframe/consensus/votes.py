"""Count the answers to the sub-tasks of marks, for each cluster."""

from itertools import chain
from typing import Any, Final

import numpy as np
import polars as pl

from polyframe.core.arrays import Ints
from polyframe.panoptes.annotations.subtask_answers import NO_MENU, votes_in

_VOTE: Final[dict[str, Any]] = {"subtask": pl.Int32, "menu": pl.Int32, "answer": pl.String}


def cluster_votes(details: pl.Series, offsets: Ints) -> pl.Series:
    """Count the answers of each cluster.

    Each distinct value of the details is parsed once. A mark has one vote for each of its answers.

    Parameters
    ----------
    details : polars.Series of str, length m
        The details of the marks, sorted by cluster, as in the table `extractions`. Invalid JSON has no votes.
    offsets : (c + 1,) int64
        The marks of each cluster.

    Returns
    -------
    polars.Series of str, length c
        The column `details_votes` of the table `reductions`. The answers to a sub-task are sorted: numbers
        first, by value, then strings.
    """
    n_clusters = len(offsets) - 1
    if details.null_count() == len(details):
        return pl.repeat(None, n_clusters, dtype=pl.String, eager=True).alias("details_votes")
    cluster = pl.Series("cluster", np.repeat(np.arange(n_clusters), np.diff(offsets)))
    marks = pl.DataFrame([cluster, details.alias("details")]).drop_nulls()
    marks = marks.group_by("cluster", "details").len("votes")
    texts = marks.select(pl.col("details").unique()).with_row_index("text")
    votes = (
        marks.join(texts, on="details").drop("details").join(_votes_by_text(texts), on="text").drop("text")
    )
    counted = _as_json(votes)
    return pl.DataFrame({"cluster": np.arange(n_clusters)}).join(
        counted, on="cluster", how="left", maintain_order="left"
    )["details_votes"]


def invalid_json(details: pl.Series) -> pl.Series:
    """Return which details are not valid JSON, so that they have no votes; bool, one for each."""
    texts = details.drop_nulls().unique()
    invalid = [text for text in texts if text and votes_in(text) is None]
    return details.is_in(invalid).fill_null(value=False)


def _votes_by_text(texts: pl.DataFrame) -> pl.DataFrame:
    """Parse distinct details: a row for each vote, with the index of its text."""
    parsed = [votes_in(text) or [] for text in texts["details"]]
    counts = np.array([len(votes) for votes in parsed], dtype=np.int64)
    votes = pl.DataFrame(list(chain.from_iterable(parsed)), schema=_VOTE, orient="row")
    return votes.with_columns(texts["text"].gather(np.repeat(np.arange(len(parsed)), counts)))


def _as_json(votes: pl.DataFrame) -> pl.DataFrame:
    """Add up the votes of each cluster, as JSON: sub-tasks, in them menus (if any), in them answers."""
    menu, subtask = ["cluster", "subtask", "menu"], ["cluster", "subtask"]
    # If some answers of a sub-task are from menus, one without a menu, such as null, belongs to the first.
    from_menus = (pl.col("menu").max() > NO_MENU).over(subtask).alias("from_menus")
    number = pl.col("answer").str.strip_chars('"').cast(pl.Float64, strict=False)
    counted = (
        votes.with_columns(from_menus)
        .with_columns(pl.max_horizontal("menu", pl.lit(0)), number.alias("number"))
        .group_by(*menu, "from_menus", "number", "answer")
        .agg(pl.col("votes").sum())
        .sort(*menu, "number", "answer", nulls_last=True)
    )
    joined = pl.col("text").list.join(",", ignore_nulls=True)
    in_list = pl.concat_str(pl.lit("["), joined, pl.lit("]"))
    return (
        counted.with_columns(pl.concat_str("answer", pl.lit(":"), "votes").alias("text"))
        .group_by(*menu, "from_menus", maintain_order=True)
        .agg("text")
        .with_columns(pl.concat_str(pl.lit("{"), joined, pl.lit("}")).alias("text"))
        .group_by(*subtask, "from_menus", maintain_order=True)
        .agg("text")
        .with_columns(pl.when("from_menus").then(in_list).otherwise(joined).alias("text"))
        .group_by("cluster", maintain_order=True)
        .agg("text")
        .select("cluster", in_list.alias("details_votes"))
    )
