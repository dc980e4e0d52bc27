"""The tables: names, columns, types, units and sort keys, in one place.

The writers, the checks and the documentation are all made from `TABLES`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

#: Goes into every Parquet footer; a change of a name, a type or a meaning raises it.
SCHEMA_VERSION: Final = 3

TIMESTAMP: Final = pl.Datetime("us", "UTC")


@dataclass(frozen=True)
class Column:
    """One column: its name, its Polars type, and what it holds, with units."""

    name: str
    dtype: Any
    meaning: str


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes
    ----------
    name : str
        The folder below the output directory.
    row : str
        What one row stands for.
    columns : tuple of Column
        In the order of the file.
    sort_by : tuple of str
        The keys by which the concatenated parts are sorted. Missing values come first, times that could not
        be read come last.
    key : tuple of str
        What no two rows of the whole table have in common. Only in `rejects`, rows of the stage `read` may:
        what they lack or repeat is their key.
    geometry : bool
        True where the column `geometry` makes it a GeoParquet file.
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
        """Return a frame with this table's columns in order and with its types, sorted by its keys.

        Parameters
        ----------
        frame : polars.DataFrame
            Has at least this table's columns. Numbers that do not fit their type raise.

        Returns
        -------
        polars.DataFrame
        """
        typed = frame.select(pl.col(column.name).cast(column.dtype) for column in self.columns)
        return typed.sort(self.sort_by, nulls_last=missing_last(self.sort_by), maintain_order=True)

    def empty(self) -> pl.DataFrame:
        """Return this table without rows."""
        return pl.DataFrame(schema=self.schema)


def missing_last(names: Iterable[str]) -> list[bool]:
    """Return for each of some sort keys whether missing values come last, as unreadable times do."""
    return [name == _CREATED_AT.name for name in names]


_WORKFLOW = Column("workflow_id", pl.Int64, "the workflow")
_SUBJECT = Column("subject_id", pl.Int64, "the subject: the thing classified")
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
    "when the classification was made; missing, and sorted last, where it could not be read",
)
_VOLUNTEER = Column(
    "volunteer",
    pl.String,
    "who classified: `user_name`, and for visitors who are not logged in `user_name/session` where the "
    "metadata have a session (`visitors`); missing where nobody can tell",
)
_USER_NAME = Column("user_name", pl.String, "the volunteer's name; missing where the export has none")
_USER_ID = Column("user_id", pl.Int64, "the volunteer's number; missing for those not logged in")
_GOLD_STANDARD = Column(
    "gold_standard", pl.Boolean, "whether the classification is a gold standard; missing where not said"
)
_CLUSTER_LABEL = Column("cluster_label", pl.Int32, "the cluster within its group, from 0")
_CLUSTERS_COUNT = Column("clusters_count", pl.Int32, "marks in the cluster")
_CONSENSUS = Column(
    "consensus", pl.Float64, "1 - mean pairwise IoU distance within the cluster, a fraction from 0 to 1"
)

#: What tells groups apart, in this order everywhere.
GROUP_KEYS: Final = tuple(column.name for column in _GROUP)
#: How marks are ordered within a group.
MARK_ORDER: Final = ("created_at", "classification_id", "mark_index")
#: What tells classifications and marks apart: an export may give one classification to several subjects.
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
            "width of the image of frame 0 in pixels, as the volunteer's browser had it; missing where the "
            "metadata do not tell",
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
            "details", pl.String, "the mark's sub-tasks and their answers, JSON; missing where there are none"
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
            "n_classifications", pl.Int32, "classifications of the subject after `filter`, with marks or not"
        ),
        Column("n_marks", pl.Int32, "marks that took part"),
        Column("n_clusters", pl.Int32, "clusters found, before `min_threshold`"),
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
            "n_classifications", pl.Int32, "classifications of the subject after `filter`, with marks or not"
        ),
        Column("threshold", pl.Float64, "clusters_count / n_classifications"),
        _CONSENSUS,
        Column("average_type", pl.String, "how the polygon was made: median, union, intersection or last"),
        Column("area", pl.Float64, "area of the averaged polygon, square pixels; 0 where it is empty"),
        Column(
            "clusters_x",
            pl.List(pl.Float64),
            "the averaged polygon's outline, closed, image pixels; empty where it is empty",
        ),
        Column("clusters_y", pl.List(pl.Float64), "the same, downwards"),
        Column("geometry", pl.Binary, "the averaged polygon, WKB"),
        Column(
            "details_votes",
            pl.String,
            "how many marks of the cluster gave each answer to their sub-tasks, JSON: a list with an object "
            'for each sub-task of the tool, such as `[{"0":3,"1":1,"None":1}]`; for a dropdown a list of '
            "such objects, one for each menu; missing where no mark has sub-tasks",
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
        Column("number_of_contours", pl.Int32, "levels until no area is left"),
        Column(
            "contours_x", pl.List(pl.List(pl.Float64)), "outline of each level from 1, closed, image pixels"
        ),
        Column("contours_y", pl.List(pl.List(pl.Float64)), "the same, downwards"),
        Column("contours_area", pl.List(pl.Float64), "area within each outline, square pixels"),
        Column("geometry", pl.Binary, "level 1, the outline of all marks together, WKB"),
    ),
    _CLUSTER_KEYS,
    _CLUSTER_KEYS,
    geometry=True,
)
REJECTS: Final = Table(
    "rejects",
    "row or mark that could not be used",
    (
        Column("classification_id", pl.Int64, "the classification; missing where it could not be read"),
        Column("subject_id", pl.Int64, "the subject; missing where it could not be read"),
        Column("mark_index", pl.Int32, "the mark; missing where the whole row is rejected"),
        Column("stage", pl.String, "where it was noticed: read, decode or polygons"),
        Column("reason", pl.String, "a code, see the list of reasons"),
        Column(
            "detail",
            pl.String,
            "what was found; where a key is missing or repeated also the row of the export (from 1, without "
            "the header), and its file where there are several",
        ),
    ),
    ("subject_id", "classification_id", "mark_index", "stage", "reason", "detail"),
    MARK_KEYS[1:],
)

#: What `tune` makes; it is a table of its own, not one of an output directory.
TUNING: Final = Table(
    "tuning",
    "setting",
    (
        Column("eps", pl.Float64, "the largest IoU distance between neighbours (fraction)"),
        Column("min_samples", pl.Int32, "how many marks (itself included) make a mark the core of a cluster"),
        Column("current", pl.Boolean, "whether OUT was made with this `eps` and `min_samples`"),
        Column("groups", pl.Int64, "groups with a mark that took part; the same for all settings"),
        Column("marks", pl.Int64, "marks that took part; the same for all settings"),
        Column("clusters", pl.Int64, "clusters found, before `min_threshold`"),
        Column("clusters_kept", pl.Int64, "those above `min_threshold`: the rows of `reductions`"),
        Column("groups_with_clusters", pl.Int64, "groups with at least one cluster found"),
        Column("clusters_per_group", pl.Float64, "clusters / groups; missing without groups"),
        Column("clustered", pl.Int64, "marks in a cluster"),
        Column("outliers", pl.Int64, "marks in no cluster"),
        Column("outlier_share", pl.Float64, "outliers / marks (fraction); missing without marks"),
        Column("marks_per_cluster", pl.Float64, "clustered / clusters; missing without clusters"),
        Column("largest_cluster", pl.Int64, "marks in the largest cluster; 0 without clusters"),
        Column(
            "doubled_clusters",
            pl.Int64,
            "clusters that hold two marks or more of one classification: most likely several objects in one",
        ),
        Column(
            "merged_clusters",
            pl.Int64,
            "how many clusters the step from the next smaller `eps` (same `min_samples`) loses by joining "
            "them to others; missing for the smallest",
        ),
        Column(
            "consensus_q1",
            pl.Float64,
            "first quartile of `consensus` over the clusters kept (fraction from 0 to 1, interpolated "
            "linearly); missing without any",
        ),
        Column("consensus_median", pl.Float64, "their median"),
        Column("consensus_q3", pl.Float64, "their third quartile"),
    ),
    ("eps", "min_samples"),
    ("eps", "min_samples"),
)

#: Every table of an output directory, in the order in which they are made.
TABLES: Final = {
    table.name: table
    for table in (CLASSIFICATIONS, EXTRACTIONS, REJECTS, GROUPS, LABELS, REDUCTIONS, CONTOURS)
}
