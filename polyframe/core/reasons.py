"""Why a row or a mark could not be used: every code of the `rejects` table, in one place.

`stage` says where it was noticed: `read` (the CSV row itself), `decode` (the annotations cell and the marks
in it) and `polygons` (a mark that was decoded but has no area).
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
        What stands in the column `reason`.
    stage : {"read", "decode", "polygons"}
        What stands in the column `stage`.
    whole_row : bool
        True where the whole classification is rejected, False where only one mark of it is.
    meaning : str
        One line for people; the documentation prints it.
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

#: The largest absolute coordinate, in pixels, that is taken for a drawing. Areas (its square) keep their
#: precision far beyond any image, and nothing overflows.
LARGEST_COORDINATE: Final = 1e9
#: What follows is far beyond what anybody draws by hand, and keeps a cell that is made to do harm from taking
#: more than a small multiple of its size: a task stands in the row of each of its marks, and an answer in the
#: details of each mark that names it.
MOST_MARKS: Final = 1_000
MOST_POINTS: Final = 100_000
LONGEST_DETAILS: Final = 1_000_000
LONGEST_TASK: Final = 100

REASONS: Final[tuple[Reason, ...]] = (
    Reason(BAD_CLASSIFICATION_ID, "read", True, "`classification_id` is missing or no whole number"),
    Reason(
        BAD_SUBJECT_ID,
        "read",
        True,
        "`subject_ids` is missing or no single whole number (also: the line is cut short)",
    ),
    Reason(BAD_WORKFLOW_ID, "read", True, "`workflow_id` is missing or no whole number"),
    Reason(BAD_WORKFLOW_VERSION, "read", True, "`workflow_version` does not look like `13` or `13.19`"),
    Reason(
        DUPLICATE_CLASSIFICATION, "read", True, "a `classification_id` that came before for the same subject"
    ),
    Reason(ANNOTATIONS_MISSING, "decode", True, "the `annotations` cell is empty"),
    Reason(ANNOTATIONS_NOT_JSON, "decode", True, "the `annotations` cell is no JSON"),
    Reason(
        ANNOTATIONS_NOT_A_LIST,
        "decode",
        True,
        f"the `annotations` cell is JSON, but no list of objects with a `task` of at most {LONGEST_TASK} "
        "characters",
    ),
    Reason(TOO_MANY_MARKS, "decode", True, f"a classification has more than {MOST_MARKS:,} marks"),
    Reason(
        DETAILS_TOO_LONG,
        "decode",
        True,
        f"the details of a classification's marks have more than {LONGEST_DETAILS:,} characters",
    ),
    Reason(MARK_NOT_AN_OBJECT, "decode", False, "an entry among the marks of a drawing task is no object"),
    Reason(
        TOOL_MISSING, "decode", False, "a mark has neither `toolIndex` nor `tool`, or it is no whole number"
    ),
    Reason(FRAME_INVALID, "decode", False, "the `frame` of a mark is no whole number from 0"),
    Reason(
        PATH_MISSING,
        "decode",
        False,
        "a mark of a tool that draws outlines has none of `points`, `pathX` and `pathY`, and `path`, or they "
        "are not lists (`path`: not text)",
    ),
    Reason(PATH_EMPTY, "decode", False, "the outline of a mark has no point, a fault of the classifier"),
    Reason(
        OUTLINE_UNKNOWN,
        "decode",
        False,
        "a mark has an outline in a form that is not known, or a `path` that is not one outline as SVG text "
        "without arcs",
    ),
    Reason(PATH_LENGTHS_DIFFER, "decode", False, "`pathX` and `pathY` of a mark have different lengths"),
    Reason(TOO_MANY_POINTS, "decode", False, f"a mark has more than {MOST_POINTS:,} points"),
    Reason(COORDINATE_NOT_A_NUMBER, "decode", False, "a coordinate of a mark is text, null or missing"),
    Reason(COORDINATE_NOT_FINITE, "decode", False, "a coordinate of a mark is NaN or infinite"),
    Reason(
        COORDINATE_TOO_LARGE, "decode", False, "a coordinate of a mark is beyond a thousand million pixels"
    ),
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
        "nothing with an area is left of a mark, for instance all points on a line",
    ),
    Reason(
        TOO_MANY_CROSSINGS,
        "polygons",
        False,
        "the outline of a mark crosses itself, or comes near to it, more than tens of thousands of times",
    ),
    Reason(REPAIR_FAILED, "polygons", False, "GEOS could not repair the outline of a mark"),
)
