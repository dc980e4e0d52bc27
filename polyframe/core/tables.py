"""Define the tables: names, columns, types, units and sort keys.

Writers, checks and documentation are generated from `TABLES`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from polyframe.core.estimation import LEAST_MARKS, MOST_MARKS, RESAMPLES, TARGET_IOU

#: Stored in every Parquet footer; raised by a change of a name, a type or a meaning.
SCHEMA_VERSION: Final = 3

TIMESTAMP: Final = pl.Datetime("us", "UTC")


@dataclass(frozen=True)
class Column:
    """A column: its name, its Polars type, and its meaning with units."""

    name: str
    dtype: Any
    meaning: str


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes
    ----------
    name : str
        The name of its folder in the output directory.
    row : str
        What a row represents.
    columns : tuple of Column
        In the order of the file.
    sort_by : tuple of str
        The keys by which the concatenated parts are sorted. Missing values come first, but missing times
        last.
    key : tuple of str
        The columns that identify a row. Rows of `rejects` with the stage `read` are exempt, since they may
        lack or repeat their key.
    geometry : bool
        Whether the table has a column `geometry` and is stored as GeoParquet.
    """

    name: str
    row: str
    columns: tuple[Column, ...]
    sort_by: tuple[str, ...]
    key: tuple[str, ...]
    geometry: bool = False

    @property
    def schema(self) -> pl.Schema:
        """Column names and Polars types."""
        return pl.Schema({column.name: column.dtype for column in self.columns})

    def conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Select and cast the columns of this table, and sort by its keys.

        Parameters
        ----------
        frame : polars.DataFrame
            A frame with at least the columns of this table. Numbers out of the range of their type raise.

        Returns
        -------
        polars.DataFrame
        """
        typed = frame
        if frame.schema != self.schema:
            typed = frame.select(pl.col(column.name).cast(column.dtype) for column in self.columns)
        order = typed.select(
            pl.arg_sort_by(self.sort_by, nulls_last=missing_last(self.sort_by), maintain_order=True)
        ).to_series()
        # Rows in order, which are the usual case, are not copied: contours can be most of the memory.
        in_order = np.array_equal(order.to_numpy(), np.arange(len(order)))
        return typed if in_order else typed[order]

    def empty(self) -> pl.DataFrame:
        """Return the table without rows."""
        return pl.DataFrame(schema=self.schema)


def missing_last(names: Iterable[str]) -> list[bool]:
    """Return for each sort key whether missing values come last, as missing times do."""
    return [name == _CREATED_AT.name for name in names]


_WORKFLOW = Column("workflow_id", pl.Int64, "the workflow")
_SUBJECT = Column("subject_id", pl.Int64, "the subject, the thing classified")
_GROUP: Final = (
    _WORKFLOW,
    _SUBJECT,
    Column("task", pl.String, "the task's key, such as `T0`"),
    Column("frame", pl.Int32, "the image of the subject, from 0"),
    Column("tool", pl.String, "task and tool, such as `T0_toolIndex1` (classifier 2.x) or `T0_tool1` (1.x)"),
)
_CLASSIFICATION = Column(
    "classification_id", pl.Int64, "the classification: one volunteer's answers for one subject"
)
_MARK_INDEX = Column("mark_index", pl.Int32, "the mark's position in its classification, from 0")
_CREATED_AT = Column(
    "created_at",
    TIMESTAMP,
    "time of the classification; missing, and sorted last, if it could not be read",
)
_VOLUNTEER = Column(
    "volunteer",
    pl.String,
    "who classified: `user_name`, or `user_name/session` for visitors who are not logged in, if the metadata "
    "contain a session (see `visitors`); missing if unknown",
)
_USER_NAME = Column("user_name", pl.String, "the volunteer's name; missing if the export has none")
_USER_ID = Column("user_id", pl.Int64, "the volunteer's id; missing for visitors who are not logged in")
_GOLD_STANDARD = Column(
    "gold_standard", pl.Boolean, "whether the classification is a gold standard; missing if unknown"
)
_CLUSTER_LABEL = Column("cluster_label", pl.Int32, "the cluster within its group, from 0")
_CLUSTERS_COUNT = Column("clusters_count", pl.Int32, "marks in the cluster")
_CONSENSUS = Column(
    "consensus", pl.Float64, "1 - mean pairwise IoU distance within the cluster, a fraction from 0 to 1"
)

#: The columns that identify a group, always in this order.
GROUP_KEYS: Final = tuple(column.name for column in _GROUP)
#: The order of marks within a group.
MARK_ORDER: Final = ("created_at", "classification_id", "mark_index")
#: The columns that identify a classification or a mark; a classification may have several subjects.
CLASSIFICATION_KEYS: Final = ("workflow_id", "subject_id", "classification_id")
MARK_KEYS: Final = (*CLASSIFICATION_KEYS, "mark_index")
_CLUSTER_KEYS: Final = (*GROUP_KEYS, "cluster_label")

CLASSIFICATIONS: Final = Table(
    "classifications",
    "classification that passed the workflow and version filter and could be read",
    (
        _WORKFLOW,
        _SUBJECT,
        _CLASSIFICATION,
        _CREATED_AT,
        _VOLUNTEER,
        _USER_NAME,
        _USER_ID,
        Column("workflow_version", pl.String, "the version of the workflow, such as `13.19`"),
        _GOLD_STANDARD,
        Column("n_marks", pl.Int32, "rows of this classification in `extractions`"),
        Column(
            "image_width",
            pl.Int32,
            "width of the image of frame 0 in pixels, as the volunteer's browser reported it; missing if the "
            "metadata do not contain it",
        ),
        Column("image_height", pl.Int32, "its height"),
    ),
    ("workflow_id", "subject_id", "created_at", "classification_id"),
    CLASSIFICATION_KEYS,
)
EXTRACTIONS: Final = Table(
    "extractions",
    "mark, as drawn",
    (
        *_GROUP,
        _CLASSIFICATION,
        _MARK_INDEX,
        _CREATED_AT,
        _VOLUNTEER,
        _USER_NAME,
        _USER_ID,
        Column("tool_type", pl.String, "the kind of tool, such as `freehandLine`, `polygon` or `bezier`"),
        _GOLD_STANDARD,
        Column("x", pl.List(pl.Float64), "as drawn, image pixels"),
        Column("y", pl.List(pl.Float64), "as drawn, image pixels, downwards"),
        Column(
            "details", pl.String, "the mark's sub-tasks and their answers, JSON; missing if there are none"
        ),
    ),
    (*GROUP_KEYS, *MARK_ORDER),
    MARK_KEYS,
)
GROUPS: Final = Table(
    "groups",
    "group (workflow, subject, task, frame, tool) with at least one mark that took part",
    (
        *_GROUP,
        Column(
            "n_classifications",
            pl.Int32,
            "classifications of the subject that count (`filter`, `exclude_volunteers`, `gold_standard`), "
            "with marks or not",
        ),
        Column("n_marks", pl.Int32, "marks that took part"),
        Column("n_clusters", pl.Int32, "clusters before `min_threshold` is applied"),
        Column("n_outliers", pl.Int32, "marks in no cluster"),
    ),
    GROUP_KEYS,
    GROUP_KEYS,
)
LABELS: Final = Table(
    "labels",
    "mark that took part in the reduction",
    (
        *_GROUP,
        _CLASSIFICATION,
        _MARK_INDEX,
        _CREATED_AT,
        _USER_NAME,
        Column("cluster_label", pl.Int32, "the cluster within its group, from 0; -1 for an outlier"),
        _VOLUNTEER,
        Column(
            "iou_others",
            pl.Float64,
            "IoU of the mark with the majority region of the cluster's marks of other volunteers; missing if "
            f"there are none, for an outlier, and if the cluster has more than {MOST_MARKS} marks",
        ),
    ),
    (*GROUP_KEYS, *MARK_ORDER),
    MARK_KEYS,
)
REDUCTIONS: Final = Table(
    "reductions",
    "cluster",
    (
        *_GROUP,
        _CLUSTER_LABEL,
        _CLUSTERS_COUNT,
        Column(
            "n_classifications",
            pl.Int32,
            "classifications of the subject that count (`filter`, `exclude_volunteers`, `gold_standard`), "
            "with marks or not",
        ),
        Column("threshold", pl.Float64, "clusters_count / n_classifications"),
        _CONSENSUS,
        Column(
            "average_type",
            pl.String,
            "how the polygon was computed: median, majority, union, intersection or last",
        ),
        Column("area", pl.Float64, "area of the averaged polygon, square pixels; 0 if it is empty"),
        Column(
            "clusters_x",
            pl.List(pl.Float64),
            "x of the averaged polygon's closed outline, image pixels; empty if the polygon is empty",
        ),
        Column("clusters_y", pl.List(pl.Float64), "y of the same outline, downwards"),
        Column("geometry", pl.Binary, "the averaged polygon, WKB"),
        Column(
            "details_votes",
            pl.String,
            "the number of marks with each answer to the sub-tasks, JSON: a list with an object for each "
            'sub-task of the tool, such as `[{"0":3,"1":1,"None":1}]`, or for a dropdown a list of such '
            "objects, one for each menu; missing if no mark has sub-tasks",
        ),
        Column(
            "expected_iou",
            pl.Float64,
            f"how sure the majority region is: its mean IoU with that of {RESAMPLES} resamples of the marks; "
            f"this and the next three are missing below {LEAST_MARKS} marks and above {MOST_MARKS}",
        ),
        Column(
            "area_low",
            pl.Float64,
            "2.5 % quantile of the areas of the resamples' majority regions, square pixels",
        ),
        Column("area_high", pl.Float64, "97.5 % quantile of these areas"),
        Column(
            "classifications_needed",
            pl.Int32,
            f"classifications that the subject needs for an `expected_iou` of {TARGET_IOU}; it needs more "
            "volunteers if this is above `n_classifications`",
        ),
    ),
    _CLUSTER_KEYS,
    _CLUSTER_KEYS,
    geometry=True,
)
CONTOURS: Final = Table(
    "contours",
    "cluster",
    (
        *_GROUP,
        _CLUSTER_LABEL,
        _CLUSTERS_COUNT,
        _CONSENSUS,
        Column("number_of_contours", pl.Int32, "number of levels with an area"),
        Column(
            "contours_x",
            pl.List(pl.List(pl.Float64)),
            "x of the closed outline of each level in `contours_level`, image pixels",
        ),
        Column("contours_y", pl.List(pl.List(pl.Float64)), "y of the same outlines, downwards"),
        Column("contours_area", pl.List(pl.Float64), "area within each outline, square pixels"),
        Column(
            "contours_level",
            pl.List(pl.Int32),
            "the level of each outline, the least number of marks that overlap in it: 1 to "
            "`number_of_contours`. If this number n is larger than `max_levels` = m, only m evenly spaced "
            "levels: 1 + i (n - 1) / (m - 1) for i from 0 to m - 1, rounded half up; only level 1 if m is 1",
        ),
        Column("geometry", pl.Binary, "level 1, the union of all marks, WKB"),
    ),
    _CLUSTER_KEYS,
    _CLUSTER_KEYS,
    geometry=True,
)
REJECTS: Final = Table(
    "rejects",
    "row or mark that could not be used",
    (
        Column("classification_id", pl.Int64, "the classification; missing if it could not be read"),
        Column("subject_id", pl.Int64, "the subject; missing if it could not be read"),
        Column("mark_index", pl.Int32, "the mark; missing if the whole row is rejected"),
        Column("stage", pl.String, "the stage that rejected it: read, decode or polygons"),
        Column("reason", pl.String, "the code of the reason, see the list of reasons"),
        Column(
            "detail",
            pl.String,
            "the offending value; if a key is missing or repeated also the row of the export (from 1, not "
            "counting the header), and its file if there are several",
        ),
    ),
    ("subject_id", "classification_id", "mark_index", "stage", "reason", "detail"),
    MARK_KEYS[1:],
)

#: The result of `tune`, which is not stored in the output directory.
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

#: The result of `score`, which is not stored in the output directory.
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

#: Every table of an output directory, in the order in which they are written.
TABLES: Final = {
    table.name: table
    for table in (CLASSIFICATIONS, EXTRACTIONS, REJECTS, GROUPS, LABELS, REDUCTIONS, CONTOURS)
}
