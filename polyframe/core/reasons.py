"""Define the reasons for rejecting a row or a mark: every code in the table `rejects`.

The stage of a reason is `read` (the row of the export), `decode` (its annotations cell and the marks in it)
or `polygons` (the repair of decoded outlines).
"""

from dataclasses import dataclass
from typing import Final, Literal

Stage = Literal["read", "decode", "polygons"]


@dataclass(frozen=True)
class Reason:
    """One reason for a rejection.

    Attributes
    ----------
    code : str
        The value of the column `reason`.
    stage : {"read", "decode", "polygons"}
        The value of the column `stage`.
    whole_row : bool
        True if the whole classification is rejected, False if only one of its marks is.
    meaning : str
        One line for the documentation.
    """

    code: str
    stage: Stage
    whole_row: bool
    meaning: str


BAD_CLASSIFICATION_ID: Final = "bad_classification_id"
BAD_SUBJECT_ID: Final = "bad_subject_id"
BAD_WORKFLOW_ID: Final = "bad_workflow_id"
BAD_WORKFLOW_VERSION: Final = "bad_workflow_version"
DUPLICATE_CLASSIFICATION: Final = "duplicate_classification"
ANNOTATIONS_MISSING: Final = "annotations_missing"
ANNOTATIONS_NOT_JSON: Final = "annotations_not_json"
ANNOTATIONS_NOT_A_LIST: Final = "annotations_not_a_list"
TOO_MANY_MARKS: Final = "too_many_marks"
DETAILS_TOO_LONG: Final = "details_too_long"
MARK_NOT_AN_OBJECT: Final = "mark_not_an_object"
TOOL_MISSING: Final = "tool_missing"
FRAME_INVALID: Final = "frame_invalid"
PATH_MISSING: Final = "path_missing"
PATH_EMPTY: Final = "path_empty"
OUTLINE_UNKNOWN: Final = "outline_unknown"
PATH_LENGTHS_DIFFER: Final = "path_lengths_differ"
TOO_MANY_POINTS: Final = "too_many_points"
COORDINATE_NOT_A_NUMBER: Final = "coordinate_not_a_number"
COORDINATE_NOT_FINITE: Final = "coordinate_not_finite"
COORDINATE_TOO_LARGE: Final = "coordinate_too_large"
DUPLICATE_MARK: Final = "duplicate_mark"
TOO_FEW_POINTS: Final = "too_few_points"
NO_AREA: Final = "no_area"
TOO_MANY_CROSSINGS: Final = "too_many_crossings"
REPAIR_FAILED: Final = "repair_failed"

#: Largest absolute coordinate of a mark, in pixels; far beyond any image. Areas, of the order of its square,
#: neither overflow nor lose precision.
LARGEST_COORDINATE: Final = 1e9
#: Limits far beyond anything drawn by hand. They keep the memory for a malicious cell below a small multiple
#: of its size, since tasks are repeated for each mark and answers for each mark that refers to them.
MOST_MARKS: Final = 1_000
MOST_POINTS: Final = 100_000
LONGEST_DETAILS: Final = 1_000_000
LONGEST_TASK: Final = 100

REASONS: Final[tuple[Reason, ...]] = (
    Reason(BAD_CLASSIFICATION_ID, "read", True, "`classification_id` is missing or not an integer"),
    Reason(
        BAD_SUBJECT_ID,
        "read",
        True,
        "`subject_ids` is missing or not a single integer (also if the line is truncated)",
    ),
    Reason(BAD_WORKFLOW_ID, "read", True, "`workflow_id` is missing or not an integer"),
    Reason(BAD_WORKFLOW_VERSION, "read", True, "`workflow_version` does not look like `13` or `13.19`"),
    Reason(
        DUPLICATE_CLASSIFICATION,
        "read",
        True,
        "a `classification_id` that occurred before for the same subject",
    ),
    Reason(ANNOTATIONS_MISSING, "decode", True, "the `annotations` cell is empty"),
    Reason(ANNOTATIONS_NOT_JSON, "decode", True, "the `annotations` cell is not valid JSON"),
    Reason(
        ANNOTATIONS_NOT_A_LIST,
        "decode",
        True,
        f"the `annotations` cell is JSON, but not a list of objects with a `task` of at most {LONGEST_TASK} "
        "characters",
    ),
    Reason(TOO_MANY_MARKS, "decode", True, f"a classification has more than {MOST_MARKS:,} marks"),
    Reason(
        DETAILS_TOO_LONG,
        "decode",
        True,
        f"the details of a classification's marks have more than {LONGEST_DETAILS:,} characters",
    ),
    Reason(
        MARK_NOT_AN_OBJECT, "decode", False, "an entry among the marks of a drawing task is not a JSON object"
    ),
    Reason(
        TOOL_MISSING,
        "decode",
        False,
        "a mark has neither `toolIndex` nor `tool`, or its value is not an integer",
    ),
    Reason(FRAME_INVALID, "decode", False, "the `frame` of a mark is not an integer >= 0"),
    Reason(
        PATH_MISSING,
        "decode",
        False,
        "a mark of an outline tool has no `points`, no `pathX` and `pathY` and no `path`, or they have the "
        "wrong type (lists; `path`: a string)",
    ),
    Reason(
        PATH_EMPTY, "decode", False, "the outline of a mark has no points, because of a bug in the classifier"
    ),
    Reason(
        OUTLINE_UNKNOWN,
        "decode",
        False,
        "the outline of a mark has an unknown form, or its `path` is not a single SVG path without arcs",
    ),
    Reason(PATH_LENGTHS_DIFFER, "decode", False, "`pathX` and `pathY` of a mark have different lengths"),
    Reason(TOO_MANY_POINTS, "decode", False, f"a mark has more than {MOST_POINTS:,} points"),
    Reason(COORDINATE_NOT_A_NUMBER, "decode", False, "a coordinate of a mark is a string, null or missing"),
    Reason(COORDINATE_NOT_FINITE, "decode", False, "a coordinate of a mark is NaN or infinite"),
    Reason(COORDINATE_TOO_LARGE, "decode", False, "a coordinate of a mark exceeds 1,000,000,000 pixels"),
    Reason(
        DUPLICATE_MARK,
        "decode",
        False,
        "an exact copy of a mark in the same classification, task, frame and tool; the first one is kept",
    ),
    Reason(TOO_FEW_POINTS, "polygons", False, "a mark has fewer than three distinct points"),
    Reason(
        NO_AREA,
        "polygons",
        False,
        "a mark has no area after repair, for example because all points are on a line",
    ),
    Reason(
        TOO_MANY_CROSSINGS,
        "polygons",
        False,
        "the outline of a mark has tens of thousands of self-intersections or near misses",
    ),
    Reason(REPAIR_FAILED, "polygons", False, "GEOS could not repair the outline of a mark"),
)
