"""Define the tables that functions return but that are not stored: the results of `tune` and `score`."""

from typing import Final

import polars as pl

from polyframe.core.table_schema import Column, Table

#: The result of `tune`.
TUNING: Final = Table(
    "tuning",
    "setting",
    (
        Column("eps", pl.Float64, "largest IoU distance between neighbours; missing for `hdbscan`"),
        Column(
            "min_samples",
            pl.Int32,
            "number of neighbours, including the mark itself, that make a mark a core of a cluster",
        ),
        Column("cluster_method", pl.String, "how marks are clustered: dbscan or hdbscan"),
        Column("split", pl.String, "which clusters are split: none or doubled"),
        Column("current", pl.Boolean, "whether OUT was made with these settings"),
        Column("groups", pl.Int64, "groups with a mark that took part; the same for all settings"),
        Column("marks", pl.Int64, "marks that took part; the same for all settings"),
        Column("clusters", pl.Int64, "clusters before `min_threshold` is applied"),
        Column("clusters_kept", pl.Int64, "clusters above `min_threshold`: the rows of `reductions`"),
        Column("groups_with_clusters", pl.Int64, "groups with at least one cluster"),
        Column("clusters_per_group", pl.Float64, "clusters / groups; missing without groups"),
        Column("clustered", pl.Int64, "marks in a cluster"),
        Column("outliers", pl.Int64, "marks in no cluster"),
        Column("outlier_share", pl.Float64, "outliers / marks (fraction); missing without marks"),
        Column("marks_per_cluster", pl.Float64, "clustered / clusters; missing without clusters"),
        Column("largest_cluster", pl.Int64, "marks in the largest cluster; 0 without clusters"),
        Column(
            "doubled_clusters",
            pl.Int64,
            "clusters with two or more marks of one classification, which are most likely several objects",
        ),
        Column(
            "merged_clusters",
            pl.Int64,
            "clusters that the step from the next smaller `eps` (same `min_samples`) merges into others; "
            "missing for the smallest, for `hdbscan`, and if clusters are split",
        ),
        Column(
            "consensus_q1",
            pl.Float64,
            "first quartile of `consensus` over `clusters_kept`, interpolated linearly; missing if there "
            "are none",
        ),
        Column("consensus_median", pl.Float64, "their median"),
        Column("consensus_q3", pl.Float64, "their third quartile"),
        Column(
            "gold_precision",
            pl.Float64,
            "`precision` of `score` for the averages of `clusters_kept`; missing without `--gold`",
        ),
        Column("gold_recall", pl.Float64, "their `recall`"),
        Column("gold_iou", pl.Float64, "their `gold_iou`"),
    ),
    ("cluster_method", "split", "eps", "min_samples"),
    ("cluster_method", "split", "eps", "min_samples"),
)

#: The result of `score`.
SCORES: Final = Table(
    "scores",
    "scope: everything, a tool, or a volunteer",
    (
        Column(
            "scored",
            pl.String,
            "what was compared with the gold outlines: `marks`, an average such as `median`, or a contour "
            "level such as `level 3` or `level 50%`",
        ),
        Column("scope", pl.String, "what the row sums up: `all`, `tool` or, for marks, `volunteer`"),
        Column("tool", pl.String, "the tool; missing unless the scope is `tool`"),
        Column("volunteer", pl.String, "the volunteer, as in OUT; missing unless the scope is `volunteer`"),
        Column(
            "n_subjects",
            pl.Int64,
            "subjects that the expert looked at and, for a volunteer, that they classified",
        ),
        Column(
            "n_gold",
            pl.Int64,
            "gold outlines; of marks, for each classification those of its subject",
        ),
        Column("n_predicted", pl.Int64, "marks, averages or contours on images that the expert looked at"),
        Column("n_matched", pl.Int64, "those that were matched with a gold outline"),
        Column("precision", pl.Float64, "n_matched / n_predicted (fraction); missing without `n_predicted`"),
        Column("recall", pl.Float64, "n_matched / n_gold (fraction); missing without `n_gold`"),
        Column(
            "f1",
            pl.Float64,
            "2 n_matched / (n_predicted + n_gold), the harmonic mean of precision and recall",
        ),
        Column("matched_iou", pl.Float64, "mean IoU of the matches; missing if there are none"),
        Column(
            "gold_iou",
            pl.Float64,
            "mean IoU of all gold outlines, 0 for one without a match; missing without `n_gold`",
        ),
        Column(
            "boundary_distance",
            pl.Float64,
            "symmetric mean distance between the boundaries of a match, mean over the matches, pixels",
        ),
        Column(
            "area_ratio",
            pl.Float64,
            "summed area of the matched outlines / summed area of their gold outlines: above 1 they are too "
            "large, below 1 too small",
        ),
        Column("area_ratio_median", pl.Float64, "median of the ratio of each match"),
    ),
    ("scored", "scope", "tool", "volunteer"),
    ("scored", "scope", "tool", "volunteer"),
)
