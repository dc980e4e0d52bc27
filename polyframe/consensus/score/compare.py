"""Compare averages, contours or marks with gold outlines, and sum up how well they agree."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from polyframe.consensus.score.match_outlines import OutlinePairs, best_matches, overlapping_pairs
from polyframe.consensus.score.outlines import GoldOutlines, KeyedOutlines
from polyframe.core.result_tables import SCORES
from polyframe.geometry.boundary_distances import boundary_distances


@dataclass(frozen=True)
class Comparison:
    """What was compared, and the matches; every frame has the columns `tool` and `volunteer`.

    Attributes
    ----------
    predicted : polars.DataFrame
        One row per outline that was compared.
    gold : polars.DataFrame
        One row per gold outline, or per gold outline and classification, with the `iou` of its match, 0
        without one.
    matches : polars.DataFrame
        One row per match: `iou`, `boundary_distance`, `area` and `gold_area`.
    subjects : polars.DataFrame
        `subject_id` and `volunteer`: the subjects that were compared.
    """

    predicted: pl.DataFrame
    gold: pl.DataFrame
    matches: pl.DataFrame
    subjects: pl.DataFrame


def compare_clusters(clusters: KeyedOutlines, gold: GoldOutlines, min_iou: float) -> Comparison:
    """Match averaged polygons or contours with gold outlines.

    Parameters
    ----------
    clusters : KeyedOutlines
        One outline per cluster. Those on images, or of tools, that the expert did not look at do not count.
    gold : GoldOutlines
    min_iou : float
        The least IoU of a match (0 to 1).
    """
    scored = clusters.take(gold.covers(clusters.keys))
    matches = best_matches(overlapping_pairs(scored, gold.outlines, min_iou))
    iou = np.zeros(len(gold.outlines.areas))
    iou[matches.gold] = matches.iou
    nobody = pl.lit(None, pl.String).alias("volunteer")
    return Comparison(
        scored.keys.select("tool", nobody),
        gold.outlines.keys.select("tool", nobody, pl.lit(pl.Series("iou", iou))),
        _matches_frame(scored, gold.outlines, matches).with_columns(nobody),
        gold.images.select("subject_id", nobody),
    )


def compare_marks(
    marks: KeyedOutlines, classifications: pl.DataFrame, gold: GoldOutlines, min_iou: float
) -> Comparison:
    """Match the marks of each classification with the gold outlines of its subject.

    Parameters
    ----------
    marks : KeyedOutlines
        With `classification_id` and `volunteer`. Those on images, or of tools, that the expert did not look
        at do not count.
    classifications : polars.DataFrame
        `subject_id, classification_id, volunteer` of the classifications that count, with marks or not.
    gold : GoldOutlines
    min_iou : float
        The least IoU of a match (0 to 1).
    """
    scored = marks.take(gold.covers(marks.keys))
    pairs = overlapping_pairs(scored, gold.outlines, min_iou)
    classification = scored.keys["classification_id"].to_numpy()
    matches = best_matches(pairs, classification[pairs.scored])
    drawn = pl.DataFrame(
        {"outline": matches.gold, "classification_id": classification[matches.scored], "iou": matches.iou}
    )
    expected = (
        gold.outlines.keys.select("subject_id", "tool", pl.int_range(pl.len()).alias("outline"))
        .join(classifications, on="subject_id", maintain_order="left_right")
        .join(drawn, on=["outline", "classification_id"], how="left", maintain_order="left")
    )
    seen = classifications.filter(pl.col("subject_id").is_in(gold.subjects.implode()))
    found = _matches_frame(scored, gold.outlines, matches)
    return Comparison(
        scored.keys.select("tool", "volunteer"),
        expected.select("tool", "volunteer", pl.col("iou").fill_null(0.0)),
        found.with_columns(scored.keys["volunteer"][matches.scored]),
        seen.select("subject_id", "volunteer"),
    )


def score_table(comparison: Comparison, scored: str) -> pl.DataFrame:
    """Sum up a comparison.

    Parameters
    ----------
    comparison : Comparison
    scored : str
        What was compared: the first column.

    Returns
    -------
    polars.DataFrame
        The table `polyframe.core.result_tables.SCORES`: a row for everything, one for each tool, and one
        for each known volunteer.
    """
    n_subjects = pl.lit(comparison.subjects["subject_id"].n_unique()).alias("n_subjects")
    everything = pl.DataFrame({"key": ["all"]}).join(_sums(comparison, None), on="key", how="left")
    seen = comparison.subjects.group_by(pl.col("volunteer").alias("key")).agg(
        pl.col("subject_id").n_unique().alias("n_subjects")
    )
    by_volunteer = _sums(comparison, "volunteer").join(seen, on="key", how="full", coalesce=True)
    rows = (
        everything.with_columns(n_subjects, scope=pl.lit("all"), tool=None, volunteer=None),
        _sums(comparison, "tool").with_columns(n_subjects, scope=pl.lit("tool"), tool="key", volunteer=None),
        by_volunteer.with_columns(scope=pl.lit("volunteer"), tool=None, volunteer="key").drop_nulls("key"),
    )
    return _with_ratios(pl.concat(rows, how="diagonal_relaxed"), scored)


def _matches_frame(scored: KeyedOutlines, gold: KeyedOutlines, matches: OutlinePairs) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "tool": scored.keys["tool"][matches.scored],
            "iou": matches.iou,
            "boundary_distance": boundary_distances(
                scored.polygons[matches.scored], gold.polygons[matches.gold]
            ),
            "area": scored.areas[matches.scored],
            "gold_area": gold.areas[matches.gold],
        }
    )


def _sums(comparison: Comparison, column: str | None) -> pl.DataFrame:
    """Return counts, sums and medians by the values of a column that are not missing; None is for `all`."""
    key = (pl.lit("all") if column is None else pl.col(column)).alias("key")
    predicted, gold, matches = (
        frame.with_columns(key).drop_nulls("key").group_by("key", maintain_order=True)
        for frame in (comparison.predicted, comparison.gold, comparison.matches)
    )
    return (
        predicted.agg(pl.len().alias("n_predicted"))
        .join(
            gold.agg(pl.len().alias("n_gold"), pl.col("iou").sum().alias("iou_sum")),
            on="key",
            how="full",
            coalesce=True,
        )
        .join(
            matches.agg(
                pl.len().alias("n_matched"),
                pl.col("iou").mean().alias("matched_iou"),
                pl.col("boundary_distance").mean(),
                (pl.col("area").sum() / pl.col("gold_area").sum()).alias("area_ratio"),
                (pl.col("area") / pl.col("gold_area")).median().alias("area_ratio_median"),
            ),
            on="key",
            how="full",
            coalesce=True,
        )
    )


def _with_ratios(sums: pl.DataFrame, scored: str) -> pl.DataFrame:
    counts = sums.with_columns(
        pl.lit(scored).alias("scored"),
        pl.col("n_gold", "n_predicted", "n_matched").fill_null(0).cast(pl.Int64),
    )
    table = counts.with_columns(
        _ratio(pl.col("n_matched"), pl.col("n_predicted")).alias("precision"),
        _ratio(pl.col("n_matched"), pl.col("n_gold")).alias("recall"),
        _ratio(2 * pl.col("n_matched"), pl.col("n_predicted") + pl.col("n_gold")).alias("f1"),
        _ratio(pl.col("iou_sum"), pl.col("n_gold")).alias("gold_iou"),
    )
    return SCORES.conform(table)


def _ratio(numerator: pl.Expr, denominator: pl.Expr) -> pl.Expr:
    return pl.when(denominator > 0).then(numerator / denominator)
