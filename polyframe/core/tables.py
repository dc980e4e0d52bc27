"""Define the tables: names, columns, types, units and sort keys.

Writers, checks and documentation are generated from `PUBLIC_TABLES`.
"""

import functools
from typing import Final

import polars as pl

from polyframe.core.estimation import LEAST_MARKS, MOST_MARKS, RESAMPLES, TARGET_IOU
from polyframe.core.table_schema import CREATED_AT, TIMESTAMP, Column, Table

#: Stored in every Parquet footer; raised by a change of a name, a type or a meaning.
SCHEMA_VERSION: Final = 3

_nullable = functools.partial(Column, nullable=True)
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
_CREATED_AT = _nullable(
    CREATED_AT,
    TIMESTAMP,
    "time of the classification; missing, and sorted last, if it could not be read",
)
_VOLUNTEER = _nullable(
    "volunteer",
    pl.String,
    "who classified: `user_name`, or `user_name/session` for visitors who are not logged in, if the metadata "
    "contain a session (see `visitors`); missing if unknown",
)
_USER_NAME = _nullable("user_name", pl.String, "the volunteer's name; missing if the export has none")
_USER_ID = _nullable("user_id", pl.Int64, "the volunteer's id; missing for visitors who are not logged in")
_GOLD_STANDARD = _nullable(
    "gold_standard", pl.Boolean, "whether the classification is a gold standard; missing if unknown"
)
_CLUSTER_LABEL = Column("cluster_label", pl.Int32, "the cluster within its group, from 0")
_CLUSTERS_COUNT = Column("clusters_count", pl.Int32, "marks in the cluster")
_CONSENSUS = Column(
    "consensus", pl.Float64, "1 - mean pairwise IoU distance within the cluster, a fraction from 0 to 1"
)

#: The columns that identify a group, always in this order.
GROUP_KEYS: Final = tuple(column.name for column in _GROUP)
#: The columns that identify an image.
IMAGE_KEYS: Final = ("subject_id", "frame")
#: The order of marks within a group.
MARK_ORDER: Final = ("created_at", "classification_id", "mark_index")
#: The columns that identify a classification or a mark; a classification may have several subjects.
CLASSIFICATION_KEYS: Final = ("workflow_id", "subject_id", "classification_id")
MARK_KEYS: Final = (*CLASSIFICATION_KEYS, "mark_index")
#: The columns that identify a cluster.
CLUSTER_KEYS: Final = (*GROUP_KEYS, "cluster_label")

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
        _nullable(
            "image_width",
            pl.Int32,
            "width of the image of frame 0 in pixels, as the volunteer's browser reported it; missing if the "
            "metadata do not contain it",
        ),
        _nullable("image_height", pl.Int32, "its height"),
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
        _nullable(
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
        _nullable(
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
        _nullable(
            "details_votes",
            pl.String,
            "the number of marks with each answer to the sub-tasks, JSON: a list with an object for each "
            'sub-task of the tool, such as `[{"0":3,"1":1,"None":1}]`, or for a dropdown a list of such '
            "objects, one for each menu; missing if no mark has sub-tasks",
        ),
        _nullable(
            "expected_iou",
            pl.Float64,
            f"how sure the majority region is: its mean IoU with that of {RESAMPLES} resamples of the marks; "
            f"this and the next three are missing below {LEAST_MARKS} marks and above {MOST_MARKS}",
        ),
        _nullable(
            "area_low",
            pl.Float64,
            "2.5 % quantile of the areas of the resamples' majority regions, square pixels",
        ),
        _nullable("area_high", pl.Float64, "97.5 % quantile of these areas"),
        _nullable(
            "classifications_needed",
            pl.Int32,
            f"classifications that the subject needs for an `expected_iou` of {TARGET_IOU}; it needs more "
            "volunteers if this is above `n_classifications`",
        ),
    ),
    CLUSTER_KEYS,
    CLUSTER_KEYS,
    geometry=True,
)
SUBJECTS: Final = Table(
    "subjects",
    "subject with a classification",
    (
        _WORKFLOW,
        _SUBJECT,
        Column(
            "n_classifications",
            pl.Int32,
            "classifications that count (`filter`, `exclude_volunteers`, `gold_standard`), with marks or not",
        ),
        Column(
            "n_volunteers",
            pl.Int32,
            "volunteers who made them; each classification without a known volunteer counts as another one",
        ),
        Column("n_marks", pl.Int32, "marks that took part"),
        Column("n_clusters", pl.Int32, "clusters before `min_threshold` is applied"),
        Column("n_outliers", pl.Int32, "marks in no cluster"),
        _nullable(
            "consensus_min",
            pl.Float64,
            "least `consensus` of its clusters in `reductions`; missing if there are none",
        ),
        _nullable("consensus_mean", pl.Float64, "mean `consensus` of these clusters"),
        _nullable(
            "expected_iou_min",
            pl.Float64,
            "least `expected_iou` of these clusters; missing if none has one",
        ),
        _nullable(
            "classifications_needed",
            pl.Int32,
            "largest `classifications_needed` of these clusters: the subject needs more classifications if "
            "it is above `n_classifications`; missing if none has one",
        ),
    ),
    ("workflow_id", "subject_id"),
    ("workflow_id", "subject_id"),
)
_MARKS_JUDGED = Column(
    "n_judged", pl.Int64, "those of them in subjects that at least 2 other volunteers classified"
)
_VOLUNTEER_COUNTS: Final = (
    Column(
        "n_classifications",
        pl.Int64,
        "classifications that count (`filter`, `exclude_volunteers`, `gold_standard`), with marks or not",
    ),
    Column("n_marks", pl.Int64, "marks that took part"),
    Column("n_outliers", pl.Int64, "those of them in no cluster"),
    _MARKS_JUDGED,
    Column(
        "n_confirmed", pl.Int64, "those of `n_judged` in a cluster with marks of at least 2 other volunteers"
    ),
)
_EXPECTED: Final = (
    Column(
        "n_expected",
        pl.Int64,
        "clusters in the volunteer's subjects that at least 2 other volunteers drew, and at least half of "
        "the others who classified the subject",
    ),
    Column("n_drawn", pl.Int64, "those of `n_expected` in which the volunteer has a mark"),
)
_VOLUNTEER_KEYS: Final = (
    _WORKFLOW,
    Column("volunteer", pl.String, "who classified, as in `classifications`"),
    _USER_NAME,
)
VOLUNTEERS: Final = Table(
    "volunteers",
    "volunteer with a classification that counts; those whose name is not known have no row",
    (
        *_VOLUNTEER_KEYS,
        *_VOLUNTEER_COUNTS,
        _nullable("precision", pl.Float64, "n_confirmed / n_judged (fraction); missing without `n_judged`"),
        *_EXPECTED,
        _nullable("recall", pl.Float64, "n_drawn / n_expected (fraction); missing without `n_expected`"),
        _nullable("iou", pl.Float64, "mean `iou_others` of the volunteer's marks; missing if none has one"),
        _nullable(
            "score",
            pl.Float64,
            "2 P R / (P + R) I, with precision, recall and iou each shrunk towards the mean of the project; "
            "missing without `n_judged` and `n_expected`",
        ),
    ),
    ("workflow_id", "volunteer"),
    ("workflow_id", "volunteer"),
)
#: The sums of one partition, from which `volunteers` is made. The dot hides its folder.
VOLUNTEER_SUMS: Final = Table(
    ".volunteer_sums",
    "volunteer with a classification in the partition",
    (
        *_VOLUNTEER_KEYS,
        *_VOLUNTEER_COUNTS,
        *_EXPECTED,
        Column("n_compared", pl.Int64, "marks with a value of `iou_others`"),
        Column("iou_sum", pl.Int64, "sum of their `iou_others`, each a multiple of 2^-40"),
    ),
    ("workflow_id", "volunteer"),
    ("workflow_id", "volunteer"),
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
    CLUSTER_KEYS,
    CLUSTER_KEYS,
    geometry=True,
)
REJECTS: Final = Table(
    "rejects",
    "row or mark that could not be used",
    (
        _nullable("classification_id", pl.Int64, "the classification; missing if it could not be read"),
        _nullable("subject_id", pl.Int64, "the subject; missing if it could not be read"),
        _nullable("mark_index", pl.Int32, "the mark; missing if the whole row is rejected"),
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

CORRECTIONS: Final = Table(
    "corrections",
    "corrected cluster, only if somebody imported corrections (`polyframe import-corrections`)",
    (
        *_GROUP,
        Column("cluster_label", pl.Int32, "the cluster within its group at the time of the import, from 0"),
        Column(
            "members",
            pl.String,
            "hash of the marks of the cluster that was corrected, 32 hexadecimal digits; the correction is "
            "used for the cluster of the group that has exactly these marks, and is stale if none has",
        ),
        _nullable("corrected_by", pl.String, "who corrected it; missing if the file does not say"),
        Column("corrected_at", TIMESTAMP, "when, by the file or else the time of the file"),
        Column(
            "geometry",
            pl.Binary,
            "the corrected polygon, WKB, image pixels; empty if somebody removed the cluster, which is then "
            "in no export",
        ),
    ),
    (*CLUSTER_KEYS, "members"),
    (*GROUP_KEYS, "members"),
    geometry=True,
)

#: Every table in an output directory, in the order in which they are written; hidden ones have a dot.
STORED_TABLES: Final = {
    table.name: table
    for table in (
        *(CLASSIFICATIONS, EXTRACTIONS, REJECTS),
        *(GROUPS, LABELS, REDUCTIONS, SUBJECTS, VOLUNTEER_SUMS, VOLUNTEERS),
        *(CONTOURS, CORRECTIONS),
    )
}
#: Those for users: what an output can contain. Whatever reads, checks, loads or documents outputs uses these.
PUBLIC_TABLES: Final = {name: table for name, table in STORED_TABLES.items() if not name.startswith(".")}
#: What a complete run makes, and so every finished output has: all but what somebody imports. Tests and
#: benchmarks, which compare the tables of runs, use these.
TABLES: Final = {name: table for name, table in PUBLIC_TABLES.items() if table is not CORRECTIONS}
